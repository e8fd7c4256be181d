"""A clip and what augmentations made of it, with the checks that hold and those that do not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from slimlab.plot.body import draw_body, stage, write_above
from slimlab.plot.invariants import invariants
from slimlab.plot.style import HIT, MISS, figure, styled
from slimlab.skeleton import Skeleton


@styled
def augmented(
    before: Tensor,
    after: Mapping[str, Tensor],
    skeleton: Skeleton,
    mirrored: tuple[str, ...] = (),
    frames: int = 5,
    title: str | None = None,
) -> Figure:
    """A strip of frames of the clip and of each augmented one; beside it what `plot.invariants` finds: green holds, red does not.

    before    (1, 3, T, V, M) metres; after: name -> the same shape
    mirrored  names whose left changed places with right, so that limbs are compared across
    Data: the table of all checks.
    """
    strips = {"as recorded": before} | dict(after)
    chosen = np.linspace(0, before.shape[2] - 1, frames).round().astype(int)
    there = (before != 0).any(dim=1).any(dim=2)[0].numpy()[chosen]  # (F, M)
    fig, axes = figure(1.05 * frames + 3.2, 1.7 * len(strips), len(strips), frames + 1, width_ratios=[1] * frames + [2.6])
    joints = {name: x[0].permute(1, 3, 2, 0).numpy()[chosen] for name, x in strips.items()}  # (F, M, V, 3) each
    tables = []
    for line, (name, x) in zip(axes, strips.items(), strict=True):
        stage(line[:-1], np.concatenate(list(joints.values())), np.concatenate([there] * len(strips)))
        for ax, moment, present in zip(line[:-1], joints[name], there, strict=True):
            for person in np.flatnonzero(present):
                draw_body(ax, moment[person], skeleton, sizes=5, faint=bool(person > 0))
        write_above(line[0], name)
        line[0].set_ylabel("height (m)", fontsize=7)
        line[-1].axis("off")
        if name not in after:
            continue
        found = invariants(before, x, skeleton, mirrored=name in mirrored).assign(of=name)
        tables.append(found)
        for place, (check, says, holds) in enumerate(zip(found["check"], found["says"], found["holds"], strict=True)):
            look = {"fontsize": 6.5, "color": HIT if holds else MISS, "transform": line[-1].transAxes, "va": "top"}
            line[-1].text(0.0, 1.0 - place / 9, f"{'holds' if holds else 'broken'}: {check}, {says}", **look)
    if title:
        fig.suptitle(title, fontsize=9)
    fig.data = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()  # type: ignore[attr-defined]
    return fig
