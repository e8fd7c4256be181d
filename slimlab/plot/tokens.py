"""Tokens to look at: how a clip is cut, how rotary embedding turns, what the networks cost."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from slimlab.encoder import rotary_tables, rotate
from slimlab.plot.scene import SCALE
from slimlab.plot.style import LEFT, RIGHT, colour, figure, styled
from slimlab.skeleton import Skeleton

AXES = ("x", "y", "z")


@styled
def patch_cuts(x: np.ndarray, skeleton: Skeleton, joint: int, patch_frames: int = 8, title: str = "") -> Figure:
    """One joint's path x (3, T, V) metres cut into patches of so many frames, and the grid of tokens that the clip becomes."""
    frames, joints = x.shape[1:]
    steps = frames // patch_frames
    fig, (path, grid) = figure(7.0, 2.8, 1, 2, width_ratios=[2.2, 1])
    for axis, name in enumerate(AXES):
        path.plot(x[axis, :, joint], color=colour(axis), marker=".", markersize=3, linewidth=1, label=name)
    for step in range(steps):
        path.axvspan(step * patch_frames - 0.5, (step + 1) * patch_frames - 0.5, color="0.95" if step % 2 else "0.88", zorder=0)
    path.set(xlim=(-0.5, frames - 0.5), xlabel="frame", ylabel=f"{skeleton.names[joint].replace('_', ' ')} (m)")
    path.legend(frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1))
    path.set_title(f"{steps} patches of {patch_frames} frames x 3 axes", loc="left")
    order = [j for part in skeleton.parts.values() for j in part]
    grid.imshow(np.where(np.array(order) == joint, 1.0, 0.0)[:, None].repeat(steps, axis=1), cmap="Blues", vmax=2, aspect="auto")
    grid.set_xticks(np.arange(-0.5, steps), [], minor=True)
    grid.set_yticks(np.arange(-0.5, joints), [], minor=True)
    grid.grid(which="minor", color="white", linewidth=1)
    grid.tick_params(which="minor", length=0)
    grid.set(xlabel="time step", yticks=[order.index(joint)], xticks=range(steps))
    grid.set_yticklabels([skeleton.names[joint].replace("_", " ")])
    grid.set_title(f"{steps} x {joints} = {steps * joints} tokens", loc="left")
    fig.suptitle(title, fontsize=9)
    at, axis = np.meshgrid(range(frames), range(3))
    fig.data = pd.DataFrame(  # type: ignore[attr-defined]
        {"frame": at.ravel(), "axis": [AXES[a] for a in axis.ravel()], "metres": x[:, :, joint].ravel()}
    )
    return fig


@styled
def rotary(steps: int = 8, size: int = 32, seed: int = 0) -> Figure:
    """Rotary embedding: how far each pair is turned at each time step, one pair's turns, and q·k over the difference in time."""
    angle = _angles(steps, size)  # (T', size/2)
    fig, (table, circle, score) = figure(7.4, 2.7, 1, 3, width_ratios=[1.25, 1, 1.25])
    shown = table.imshow(np.cos(angle).T, aspect="auto", cmap="RdBu", vmin=-1, vmax=1, interpolation="nearest")
    table.set(xlabel="time step", ylabel="pair of numbers", xticks=range(0, steps, -(-steps // 8)))
    table.set_yticks(range(0, size // 2, -(-size // 16)))
    table.set_title("cosine of the turn", loc="left")
    fig.colorbar(shown, ax=table, shrink=0.9)
    for pair, paint in ((0, LEFT), (min(3, size // 2 - 1), RIGHT)):
        x, y = np.cos(angle[:, pair]), np.sin(angle[:, pair])
        for step in range(steps):
            circle.plot([0, x[step]], [0, y[step]], color=paint, alpha=0.25 + 0.7 * step / max(1, steps - 1), linewidth=1.4)
        circle.plot([], [], color=paint, label=f"pair {pair}")
    circle.set(aspect="equal", xlim=(-1.15, 1.15), ylim=(-1.15, 1.15), xticks=[], yticks=[])
    circle.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, -0.25), ncols=2)
    circle.set_title(f"turned, step 0 to {steps - 1}", loc="left")
    scores = rotary_scores(steps, size, seed)
    for at, of in scores.groupby("query at"):  # smaller and smaller, so that those which coincide are all seen
        part = float(at) / max(1, steps - 1)  # type: ignore[arg-type]
        score.scatter(of["difference"], of["score"], s=110 * (1 - part) + 8, color=plt.colormaps[SCALE](part), linewidths=0)
    score.set(xlabel="key's step minus query's step", ylabel="q · k")
    score.set_title(f"one q, one k, {len(scores)} pairs of steps", loc="left")
    fig.data = scores  # type: ignore[attr-defined]
    return fig


def rotary_scores(steps: int, size: int, seed: int = 0) -> pd.DataFrame:
    """q·k of one random q and one random k, (size,) each, put at every pair of steps: query at, key at, difference, score."""
    rng = torch.Generator().manual_seed(seed)
    q, k = torch.randn(2, size, generator=rng, dtype=torch.float64)
    tables = rotary_tables(torch.arange(steps), size)
    score = rotate(q.expand(steps, -1), tables) @ rotate(k.expand(steps, -1), tables).T  # (T', T')
    at, other = np.indices((steps, steps)).reshape(2, -1)
    found = {"query at": at, "key at": other, "difference": other - at, "score": score.flatten().numpy()}
    return pd.DataFrame(found)


@styled
def asymmetry(table: pd.DataFrame, title: str = "") -> Figure:
    """`cost.asymmetry` as bars, GFLOPs and milliseconds a clip: what pre-training passes through, and what inference does."""
    values = {c: table[c].to_numpy(dtype=float) for c in ("gflops", "milliseconds")}
    columns = [c for c, v in values.items() if np.isfinite(v).any()]
    fig, axes = figure(3.6 * len(columns) + 1.2, 0.36 * len(table) + 0.9, 1, len(columns), squeeze=False, sharey=True)
    paint = [LEFT if m == "SLiM" else RIGHT for m in table["method"]]
    for ax, column in zip(axes[0], columns, strict=True):
        bars = ax.barh(range(len(table)), values[column], color=paint)
        ax.bar_label(bars, [f"{v:#.3g}".rstrip(".") for v in values[column]], padding=2, fontsize=8)
        ax.set_xlim(0, 1.18 * np.nanmax(values[column]))
        ax.set_xlabel({"gflops": "GFLOPs a clip (counted)", "milliseconds": "milliseconds a clip (this machine)"}[column])
    axes[0][0].set_yticks(range(len(table)), [f"{m}: {w}" for m, w in zip(table["method"], table["what"], strict=True)])
    axes[0][0].invert_yaxis()
    fig.suptitle(title, fontsize=9)
    fig.data = table  # type: ignore[attr-defined]
    return fig


def _angles(steps: int, size: int) -> np.ndarray:
    """(T', size/2) rad, from the tables that the encoder uses."""
    cos, sin = rotary_tables(torch.arange(steps), size)
    half = size // 2
    return torch.atan2(sin[:, half:], cos[:, half:]).numpy()
