"""A query and its nearest clips, one strip of frames each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.data import ClipStore
from slimlab.plot.body import draw_body, spread_frames, stage, write_above
from slimlab.plot.style import HIT, MISS, figure, styled


@styled
def neighbours(
    queries: ClipStore,
    index: int,
    gallery: ClipStore,
    found: Sequence[int] | np.ndarray,
    frames: int = 6,
    title: str | None = None,
) -> Figure:
    """The query's strip and, below, those of the gallery's clips `found`, best first; green: the same class, red: another."""
    found = [int(i) for i in found]
    clips = [queries[int(index)], *(gallery[i] for i in found)]
    rows = len(clips)
    fig, axes = figure(1.05 * frames + 1.6, 1.35 * rows + 0.3, rows, frames, squeeze=False)
    table = []
    for row, (clip, line) in enumerate(zip(clips, axes, strict=True)):
        store = gallery if row else queries
        chosen = spread_frames(clip, frames)
        stage(line, clip.joints[chosen], clip.valid[chosen], clip.seen[chosen])
        for ax in line[len(chosen) :]:
            ax.set_visible(False)
        for ax, frame in zip(line, chosen, strict=False):
            for person in np.flatnonzero(clip.valid[frame]):
                joints, seen = clip.joints[frame, person], clip.seen[frame, person]
                draw_body(ax, joints, store.skeleton, sizes=5, faint=bool(person > 0), seen=seen)
        hit = clip.label == clips[0].label
        colour = "black" if row == 0 else HIT if hit else MISS
        name = store.label_names[clip.label] if 0 <= clip.label < len(store.label_names) else "no label"
        what = f"query: {name}" if row == 0 else f"{row}. {name}{'' if hit else ' (miss)'}"
        write_above(line[0], f"{what}   {clip.name}", colour)
        line[0].set_ylabel("height (m)", fontsize=7)
        table.append({"rank": row, "clip": clip.name, "label": name, "hit": hit if row else ""})
    if title:
        fig.suptitle(title, fontsize=9)
    fig.data = pd.DataFrame(table)  # type: ignore[attr-defined]
    return fig
