"""A body as it was declared or inferred, to be checked by eye: parts, mirror pairs, center, numbers and names."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slimlab.data import Clip
from slimlab.plot.style import colour, figure, styled
from slimlab.skeleton import Skeleton


@styled
def anatomy(skeleton: Skeleton, clip: Clip | np.ndarray, title: str | None = None) -> Figure:
    """What slimlab takes a body for: joints coloured by part, dashed lines between mirror pairs, a ring around the center.

    clip   a Clip, of which the frame with most joints is drawn, or one pose (V, 3) in metres, y up
    The list names every joint with its number, parent and partner. Data: the list. Raises ValueError where nobody is to be seen,
    or the pose has other joints.
    """
    pose = _pose(clip) if isinstance(clip, Clip) else np.asarray(clip)
    if pose.shape != (len(skeleton), 3) or not pose.any():
        raise ValueError(f"anatomy: a pose of shape {pose.shape} for {len(skeleton)} joints; give one with somebody in it")
    lines = max(len(skeleton), 12)
    fig, (ax, side) = figure(7.2, max(4.0, 0.17 * lines + 0.5), 1, 2, width_ratios=[1.15, 1])
    _draw(ax, skeleton, pose)
    fig.data = table(skeleton)  # type: ignore[attr-defined]
    _list(side, skeleton)
    fig.suptitle(title or f"{len(skeleton)} joints", fontsize=9)
    return fig


def table(skeleton: Skeleton) -> pd.DataFrame:
    """A line per joint: joint (its number), name, parent, part, side, mirror (its partner's name), center."""
    parts, partner, names = list(skeleton.parts), skeleton.mirror_index, skeleton.names
    rows = [
        {
            "joint": j,
            "name": name,
            "parent": "" if skeleton.parents[j] < 0 else names[skeleton.parents[j]],
            "part": parts[skeleton.part_of[j]],
            "side": skeleton.side(j),
            "mirror": names[partner[j]] if partner[j] != j else "",
            "center": j == skeleton.center,
        }
        for j, name in enumerate(names)
    ]
    return pd.DataFrame(rows)


def _pose(clip: Clip) -> np.ndarray:
    """(V, 3): of the first person, the frame in which most joints are seen, the middle one of several."""
    seen = clip.seen[:, 0].sum(axis=1)  # (T,)
    best = np.flatnonzero(seen == seen.max())
    return clip.joints[best[len(best) // 2], 0]


def _draw(ax: Axes, skeleton: Skeleton, pose: np.ndarray) -> None:
    x, y = -pose[:, 0], pose[:, 1]  # seen from the camera
    there: np.ndarray = np.any(pose, axis=1)
    for parent, joint in skeleton.bones:
        if there[parent] and there[joint]:
            ax.plot(x[[parent, joint]], y[[parent, joint]], color=colour(skeleton.part_of[joint]), linewidth=2.2, alpha=0.75)
    for left, right in skeleton.mirror:
        if there[left] and there[right]:
            ax.plot(x[[left, right]], y[[left, right]], color="0.75", linewidth=0.7, linestyle=(0, (3, 3)), zorder=0)
    paint = [colour(p) for p in skeleton.part_of[there]]
    ax.scatter(x[there], y[there], s=105, c=paint, zorder=3, linewidths=0)
    for j in np.flatnonzero(there):
        ax.annotate(str(j), (x[j], y[j]), color="white", fontsize=6, ha="center", va="center", zorder=4)
    if there[skeleton.center]:
        ax.scatter(x[skeleton.center], y[skeleton.center], s=230, facecolors="none", edgecolors="black", zorder=5)
    low, high = y[there].min(), y[there].max()
    ax.axhline(low - 0.03 * (high - low), color="0.85", linewidth=0.8, zorder=0)
    ax.set(aspect="equal", xticks=[], yticks=[])
    ax.margins(0.08)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _list(ax: Axes, skeleton: Skeleton) -> None:
    ax.axis("off")
    rows = len(skeleton) + len(skeleton.parts)
    line = 0
    for part, (name, joints) in enumerate(skeleton.parts.items()):
        place = {"transform": ax.transAxes, "va": "center", "color": colour(part), "fontsize": 7}
        ax.text(0.0, 1 - (line + 0.5) / rows, name, weight="bold", **place)
        for joint in joints:
            line += 1
            partner = skeleton.mirror_index[joint]
            text = f"{joint:>3}  {skeleton.names[joint]}"
            text += f"  ↔ {partner}" if partner != joint else ""
            text += "  (center)" if joint == skeleton.center else ""
            ax.text(0.04, 1 - (line + 0.5) / rows, text, **place)
        line += 1
