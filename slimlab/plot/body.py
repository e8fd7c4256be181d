"""Bodies: a strip of frames, and a mask on the body beside its grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slimlab.data import Clip
from slimlab.plot.scene import SIDES
from slimlab.plot.style import LEFT, MASKED, RIGHT, figure, styled
from slimlab.skeleton import Skeleton


@styled
def frames_strip(clip: Clip | Sequence[Clip], skeleton: Skeleton, frames: int = 8, title: str | None = None) -> Figure:
    """`frames` moments of a clip, evenly spaced, seen from the camera: left limbs blue, right ones orange, metres, floor.

    Several clips stand below each other. Data: a line for each clip, frame, person and joint, in metres.
    """
    clips = [clip] if isinstance(clip, Clip) else list(clip)
    moments = [spread_frames(c, frames) for c in clips]
    columns = max(map(len, moments))
    fig, axes = figure(1.05 * columns + 0.4, 2.2 * len(clips) + 0.1, len(clips), columns, squeeze=False)
    table = []
    for c, chosen, line in zip(clips, moments, axes, strict=True):
        stage(line, c.joints[chosen], c.valid[chosen], c.seen[chosen])
        for ax in line[len(chosen) :]:
            ax.set_visible(False)
        for ax, frame in zip(line, chosen, strict=False):
            for person in np.flatnonzero(c.valid[frame]):
                draw_body(ax, c.joints[frame, person], skeleton, faint=bool(person > 0), seen=c.seen[frame, person])
                x, y, z = c.joints[frame, person].T
                place = {"clip": c.name, "frame": int(frame), "person": int(person), "joint": list(skeleton.names)}
                table.append(pd.DataFrame(place | {"x": x, "y": y, "z": z}))
            ax.set_xlabel(f"frame {frame}")
        if len(clips) > 1:
            write_above(line[0], c.name)
    _label_sides(axes[0][0], skeleton)
    fig.suptitle(title or (clips[0].name if len(clips) == 1 else ""), fontsize=9)
    fig.data = pd.concat(table, ignore_index=True)  # type: ignore[attr-defined]
    return fig


@styled
def mask_on_body(clip: Clip, mask: np.ndarray, skeleton: Skeleton, moments: int = 4, title: str | None = None) -> Figure:
    """What a mask (T', V) hides: moments of the clip with masked joints in pink, and the grid of time steps and joints.

    The clip's frames are spread evenly over the mask's T' steps. Joints of the grid are grouped by body part.
    """
    mask = np.asarray(mask)
    steps = len(mask)
    moments = min(moments, steps)
    at_step = np.linspace(0, steps - 1, moments).round().astype(int)
    frames = spread_frames(clip, steps)[np.minimum(at_step, len(spread_frames(clip, steps)) - 1)]
    fig, axes = figure(1.15 * moments + 3.4, 3.4, 1, moments + 1, width_ratios=[1] * moments + [2.4])
    stage(axes[:-1], clip.joints[frames], clip.valid[frames], clip.seen[frames])
    for ax, step, frame in zip(axes[:-1], at_step, frames, strict=True):
        for person in np.flatnonzero(clip.valid[frame]):
            colours = [MASKED if mask[step, j] else SIDES[skeleton.side(j)] for j in range(len(skeleton))]
            shown = clip.joints[frame, person], skeleton, np.array(colours), 14
            draw_body(ax, *shown, faint=bool(person > 0), seen=clip.seen[frame, person])
        ax.set_xlabel(f"step {step}")
    grid = axes[-1]
    time_joint_grid(grid, mask, skeleton, cmap=_two_colours(), vmin=0, vmax=1)
    grid.set_title(f"{int(mask.sum())} of {mask.size} tokens masked ({mask.mean():.0%})")
    fig.suptitle(title or clip.name, fontsize=9)
    fig.data = pd.DataFrame(  # type: ignore[attr-defined]  # the data behind the picture; `plot.save` writes it
        [{"step": t, "joint": skeleton.names[j], "masked": bool(mask[t, j])} for t in range(steps) for j in range(len(skeleton))]
    )
    return fig


def time_joint_grid(ax: Axes, values: np.ndarray, skeleton: Skeleton, names: bool = True, **image):
    """Draw values (T', V), or colours (T', V, 3), with time to the right and joints grouped by part; the image comes back."""
    order = [j for part in skeleton.parts.values() for j in part]
    steps = len(values)
    shown = ax.imshow(np.asarray(values)[:, order].swapaxes(0, 1), aspect="auto", interpolation="nearest", **image)
    for edge in np.cumsum([len(p) for p in skeleton.parts.values()])[:-1]:
        ax.axhline(edge - 0.5, color="white", linewidth=2 if names else 0.8)
    ax.set_xticks([] if not names else range(steps) if steps <= 10 else range(0, steps, 5))
    ax.set_yticks([])
    if names:
        ax.set_yticks(range(len(order)), [skeleton.names[j] for j in order], fontsize=5.5)
        ax.set_xlabel("time step")
    return shown


def spread_frames(clip: Clip, count: int) -> np.ndarray:
    """`count` frame numbers (fewer in a short clip), evenly spaced over those with anyone in them."""
    valid = np.flatnonzero(clip.valid.any(axis=1))
    if not len(valid):
        raise ValueError(f"clip '{clip.name}' has nobody in it; there is nothing to draw")
    return valid[np.linspace(0, len(valid) - 1, min(count, len(valid))).round().astype(int)]


def draw_body(
    ax: Axes,
    joints: np.ndarray,
    skeleton: Skeleton,
    colours: np.ndarray | None = None,
    sizes: np.ndarray | float = 9,
    faint: bool = False,
    seen: np.ndarray | None = None,
) -> None:
    """One body (V, 3) from the camera's side, joints in colours (V, …) (None: by side), bones in that of the joint at their end.

    Joints that were not seen (V,) are left out; None: those at zero. Kinect's x grows to the camera's left, so it is drawn to the
    left.
    """
    x, y = -joints[:, 0], joints[:, 1]
    alpha = 0.45 if faint else 1.0
    there = np.asarray(joints.any(axis=1)) if seen is None else seen  # (V,)
    own = [SIDES[skeleton.side(j)] for j in range(len(skeleton))] if colours is None else list(colours)
    for parent, joint in skeleton.bones:
        if there[parent] and there[joint]:
            ends = [parent, joint]
            ax.plot(x[ends], y[ends], color=own[joint], linewidth=1.6, alpha=alpha, solid_capstyle="round")
    sizes = np.broadcast_to(sizes, len(skeleton))[there]
    ax.scatter(x[there], y[there], s=sizes, c=[own[j] for j in np.flatnonzero(there)], alpha=alpha, zorder=3, linewidths=0)


def stage(axes, joints: np.ndarray, valid: np.ndarray, seen: np.ndarray | None = None) -> None:
    """The same meters in every panel, equal aspect, the floor as a line. seen (…, V): as in `draw_body`."""
    people = joints[valid]  # (bodies, V, 3)
    people = people[people.any(axis=2) if seen is None else seen[valid]]  # (points, 3)
    left, right = (-people[:, 0]).min(), (-people[:, 0]).max()
    low, high = people[:, 1].min(), people[:, 1].max()
    pad = 0.08 * max(high - low, 0.5)
    for i, ax in enumerate(axes):
        ax.set(xlim=(left - pad, right + pad), ylim=(low - pad, high + pad), aspect="equal", xticks=[])
        ax.axhline(low, color="0.8", linewidth=0.8, zorder=0)
        for side in ("bottom", "left"):
            ax.spines[side].set_visible(False)
        if i:
            ax.set_yticks([])
        else:
            ax.set_ylabel("height (m)")


def write_above(ax: Axes, text: str, colour: str = "black") -> None:
    """A row's name over its first panel, however long: a title would push the panels apart."""
    ax.set_title(" ", fontsize=7.5)  # its height
    ax.text(0.0, 1.04, text, transform=ax.transAxes, fontsize=7.5, color=colour).set_in_layout(False)


def _label_sides(ax: Axes, skeleton: Skeleton) -> None:
    if skeleton.mirror:
        ax.text(0.0, 1.0, "left", color=LEFT, fontsize=7, transform=ax.transAxes)
        ax.text(0.0, 0.92, "right", color=RIGHT, fontsize=7, transform=ax.transAxes)


def _two_colours():
    from matplotlib.colors import ListedColormap

    return ListedColormap(["#E8E8E8", MASKED])
