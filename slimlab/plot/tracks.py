"""One coordinate of one joint over time, for several versions of a clip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.data import Clip
from slimlab.plot.style import colour, figure, styled

AXES = "xyz"


@styled
def tracks(
    clips: Mapping[str, Clip | np.ndarray], joint: int, axis: str = "y", fps: float | None = None, title: str = ""
) -> Figure:
    """The first person's `joint` along an axis: a panel for each name -> Clip or (T, M, V, 3), the first in grey behind all.

    Metres over seconds (frames without `fps`); a gap where the joint is missing. Data: name, time, value.
    Raises ValueError for an unknown axis.
    """
    if axis not in AXES:
        raise ValueError(f"tracks: axis '{axis}'; choose x, y or z")
    lines = {}
    for name, clip in clips.items():
        x = (clip.joints if isinstance(clip, Clip) else np.asarray(clip))[:, 0, joint]  # (T, 3)
        lines[name] = np.where(np.any(x, axis=1), x[:, AXES.index(axis)], np.nan)
    columns = min(3, len(lines))
    rows = -(-len(lines) // columns)
    fig, axes = figure(2.5 * columns, 1.5 * rows + 0.3, rows, columns, squeeze=False, sharex=True, sharey=True)
    first = next(iter(lines.values()))
    for i, (ax, (name, values)) in enumerate(zip(axes.flat, lines.items(), strict=False)):
        ax.plot(np.arange(len(first)) / (fps or 1), first, color="0.8", linewidth=2.5)
        ax.plot(np.arange(len(values)) / (fps or 1), values, color=colour(i), linewidth=1)
        ax.set_title(name, loc="left")
    for ax in axes.flat[len(lines) :]:
        ax.axis("off")
    for ax in axes[-1]:
        ax.set_xlabel("seconds" if fps else "frame")
    for ax in axes[:, 0]:
        ax.set_ylabel({"x": "to the left (m)", "y": "height (m)", "z": "away (m)"}[axis])
    if title:
        fig.suptitle(title, fontsize=9)
    frames = [
        pd.DataFrame({"clip": name, "time": np.arange(len(values)) / (fps or 1), axis: values}) for name, values in lines.items()
    ]
    fig.data = pd.concat(frames, ignore_index=True)  # type: ignore[attr-defined]
    return fig
