"""Single poses side by side, which frames of a clip its views read, and how long subjects' limbs are."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.data import ClipStore
from slimlab.plot.body import draw_body, stage
from slimlab.plot.style import MASKED, colour, figure, styled
from slimlab.skeleton import Skeleton

GHOST = "#C8C8C8"
SHORTEST = 0.01  # m; joints that move less than this are not marked, shorter bones are no bones


@styled
def poses(
    shown: Mapping[str, np.ndarray],
    skeleton: Skeleton,
    ghost: np.ndarray | None = None,
    marked: Collection[int] = (),
    title: str = "",
    turned: bool = False,
) -> Figure:
    """One pose a panel, (V, 3) metres of somebody who is there, by the panel's name; left blue, right orange, same scale.

    ghost   a pose that stands in pale grey behind each of them
    marked  joints with a pink ring
    turned  seen from the side instead of from the camera
    """
    side = [2, 1, 0] if turned else [0, 1, 2]
    drawn = {name: np.asarray(p, dtype=np.float64)[:, side] for name, p in shown.items()}
    behind = None if ghost is None else np.asarray(ghost, dtype=np.float64)[:, side]
    everyone = np.stack([*drawn.values(), *([] if behind is None else [behind])])  # (P, V, 3)
    aside = 1.0 - everyone.min()  # m: no joint at the origin, which would mean absent
    fig, axes = figure(1.75 * len(drawn) + 0.4, 3.0, 1, len(drawn), squeeze=False)
    stage(axes[0], everyone + aside, np.ones(len(everyone), dtype=bool))
    for ax, (name, pose) in zip(axes[0], drawn.items(), strict=True):
        if behind is not None:
            draw_body(ax, behind + aside, skeleton, np.array([GHOST] * len(skeleton)))
        draw_body(ax, pose + aside, skeleton)
        ring = pose[list(marked)] + aside
        ax.scatter(-ring[:, 0], ring[:, 1], s=45, facecolors="none", edgecolors=MASKED, linewidths=1.2, zorder=4)
        ax.set_title(name, fontsize=8)
        ax.set(yticks=[], ylabel="")
    fig.suptitle(title, fontsize=9)
    fig.data = pd.DataFrame(  # type: ignore[attr-defined]
        [(n, skeleton.names[j], *p[j]) for n, p in drawn.items() for j in range(len(skeleton))],
        columns=["pose", "joint", "x", "y", "z"],
    )
    return fig


@styled
def view_timeline(views: Mapping[str, np.ndarray], frames: int, title: str = "") -> Figure:
    """Which frames (T,) of a clip of so many each view reads, a line a view; names that share their first word share a colour."""
    kinds = list(dict.fromkeys(name.split()[0] for name in views))
    fig, ax = figure(7.0, 0.24 * len(views) + 0.75)
    for row, (name, at) in enumerate(views.items()):
        paint = colour(kinds.index(name.split()[0]))
        ax.plot([min(at), max(at)], [row, row], color=paint, linewidth=1, alpha=0.5)
        ax.scatter(at, np.full(len(at), row), marker="|", s=45, color=paint, linewidths=0.9)
    ax.axvline(frames - 1, color="0.8", linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(views)), list(views))
    ax.set(ylim=(len(views) - 0.4, -0.6), xlim=(-1, frames), xlabel="frame of the clip")
    ax.set_title(title, loc="left")
    fig.data = pd.DataFrame(  # type: ignore[attr-defined]
        [(name, float(frame)) for name, at in views.items() for frame in at], columns=["view", "frame"]
    )
    return fig


def limb_lengths(store: ClipStore) -> pd.DataFrame:
    """How subjects differ: a line a subject and limb, `length` (m) and `ratio` to the mean over subjects.

    A limb's length is the median over frames of the sum of its bones; mirrored limbs count as one, called by the first's name.
    """
    body, a = store.skeleton, store.arrays
    names = {int(g): n.removeprefix("left ") for n, g in reversed(list(zip(body.parts, body.part_groups, strict=True)))}
    subjects, lines = store.column("subject"), []
    for subject in np.unique(subjects):
        clips = np.isin(a.tracks[:, 0], store.clips[subjects == subject])
        rows = np.concatenate([np.arange(start, start + count) for _, _, start, count in a.tracks[clips]])
        joints = np.asarray(a.joints[rows], dtype=np.float32)  # (R, V, 3)
        long = dict.fromkeys(names, 0.0)
        for parent, joint in body.bones:
            group = int(body.part_groups[body.part_of[joint]])
            long[group] += float(np.median(np.linalg.norm(joints[:, joint] - joints[:, parent], axis=-1)))
        lines += [(int(subject), names[g], v / (body.part_groups == g).sum()) for g, v in long.items()]
    table = pd.DataFrame(lines, columns=["subject", "limb", "length"])
    return table.assign(ratio=table["length"] / table.groupby("limb")["length"].transform("mean"))


@styled
def limbs(table: pd.DataFrame, bounds: tuple[float, float], title: str = "") -> Figure:
    """Every subject's limbs (`limb_lengths`) as ratios to the mean, beside the bounds of bone scaling in grey."""
    kinds = list(dict.fromkeys(table["limb"]))
    fig, ax = figure(5.0, 0.4 * len(kinds) + 0.9)
    ax.axvspan(*bounds, color="0.93", zorder=0)
    for row, limb in enumerate(kinds):
        ratio = table.loc[table["limb"] == limb, "ratio"]
        ax.scatter(ratio, np.full(len(ratio), row), s=22, color=colour(row), alpha=0.75, linewidths=0)
    ax.axvline(1, color="0.6", linewidth=0.8)
    ax.set_yticks(range(len(kinds)), kinds)
    ax.set(ylim=(len(kinds) - 0.4, -0.6), xlabel="limb length / mean over subjects; grey: what bone scaling draws from")
    ax.set_title(title, loc="left")
    fig.data = table  # type: ignore[attr-defined]
    return fig
