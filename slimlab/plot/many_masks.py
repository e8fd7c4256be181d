"""Many masks: how one grows tube by tube, what was asked and achieved, how often each token is hidden, how long runs are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.plot.body import time_joint_grid
from slimlab.plot.masks import run_lengths, tube_colors
from slimlab.plot.scene import SCALE
from slimlab.plot.style import MARKERS, colour, figure, styled
from slimlab.skeleton import Skeleton


@styled
def mask_growth(tubes: np.ndarray, skeleton: Skeleton, panels: int = 8, title: str = "") -> Figure:
    """A mask as it grows: the grid after each accepted tube, from tubes (T', V) numbered in order, 0 visible.

    Where there are more tubes than panels, the last panel shows them all.
    """
    numbers = np.unique(tubes[tubes > 0])
    shown = [*numbers[: panels - 1], numbers[-1]] if len(numbers) > panels else list(numbers)
    fig, axes = figure(0.95 * len(shown) + 1.0, 2.7, 1, len(shown), squeeze=False)
    renumbered = np.searchsorted(np.r_[0, numbers], tubes)  # neighbours in time get neighbouring colours
    for ax, number in zip(axes[0], shown, strict=True):
        so_far = np.where(tubes <= number, renumbered, 0)
        time_joint_grid(ax, tube_colors(so_far), skeleton, names=False)
        count = int(np.searchsorted(numbers, number)) + 1
        added, hidden = int((tubes == number).sum()), int((so_far > 0).sum())
        last = count == len(numbers) and count > len(shown)
        ax.set_title(f"{count} tubes\n{hidden} hidden" if last else f"tube {count}\n+{added} = {hidden}", fontsize=7)
    _name_parts(axes[0][0], skeleton)
    fig.supxlabel("time steps →", fontsize=8)
    fig.suptitle(title, fontsize=9)
    return fig


@styled
def asked_achieved(draws: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str = "") -> Figure:
    """What is missing over what was asked, one panel a generator: (asked (n,), achieved (n,)) ratios."""
    fig, axes = figure(2.9 * len(draws), 2.7, 1, len(draws), squeeze=False, sharex=True, sharey=True)
    for i, (ax, (name, (asked, achieved))) in enumerate(zip(axes[0], draws.items(), strict=True)):
        off = np.asarray(achieved) - np.asarray(asked)
        ax.axhline(0, color="0.6", linewidth=0.8, zorder=0)
        ax.scatter(asked, off, s=6, color=colour(i), alpha=0.5, linewidths=0)
        ax.set_title(f"{name}\nmore than 0.01 short: {np.mean(off < -0.01):.1%} of draws", fontsize=8)
        ax.set_xlabel("ratio asked")
    axes[0][0].set_ylabel("ratio achieved - asked")
    fig.suptitle(title, fontsize=9)
    fig.data = pd.concat(  # type: ignore[attr-defined]
        [pd.DataFrame({"generator": name, "asked": asked, "achieved": got}) for name, (asked, got) in draws.items()]
    )
    return fig


@styled
def mask_frequency(draws: Mapping[str, np.ndarray], skeleton: Skeleton, title: str = "") -> Figure:
    """How often each token is hidden: a grid a strategy, from its masks (n, T', V)."""
    fig, axes = figure(1.0 * len(draws) + 1.6, 2.9, 1, len(draws), squeeze=False)
    shown, tables = None, []
    for ax, (name, masks) in zip(axes[0], draws.items(), strict=True):
        often = np.asarray(masks, dtype=np.float64).mean(axis=0)  # (T', V)
        shown = time_joint_grid(ax, often, skeleton, names=False, cmap=SCALE, vmin=0, vmax=1)
        ax.set_title(f"{name.replace('_', chr(10))}\n{often.min():.2f}–{often.max():.2f}", fontsize=7)
        step, joint = np.indices(often.shape).reshape(2, -1)
        names = [skeleton.names[j] for j in joint]
        tables.append(pd.DataFrame({"strategy": name, "step": step, "joint": names, "frequency": often.ravel()}))
    _name_parts(axes[0][0], skeleton)
    assert shown is not None
    fig.colorbar(shown, ax=list(axes[0]), label="how often hidden", shrink=0.9)
    fig.supxlabel("time steps →", fontsize=8)
    fig.suptitle(title, fontsize=9)
    fig.data = pd.concat(tables)  # type: ignore[attr-defined]
    return fig


@styled
def mask_runs(draws: Mapping[str, np.ndarray], title: str = "") -> Figure:
    """Share of hidden tokens in runs of each length (time steps) of one joint: a line a strategy, masks (n, T', V)."""
    fig, ax = figure(4.6, 2.8)
    table, steps = [], 1
    for i, (name, masks) in enumerate(draws.items()):
        steps = masks.shape[1]
        lengths = np.concatenate([run_lengths(m) for m in np.asarray(masks)])
        share = np.bincount(lengths, weights=lengths, minlength=steps + 1)[1:] / max(1, lengths.sum())
        said = f"{name.replace('_', ' ')} (mean {lengths.mean():.1f})"
        ax.plot(np.arange(1, steps + 1), share, color=colour(i), marker=MARKERS[i % len(MARKERS)], markersize=4, label=said)
        table += [(name, length, float(s)) for length, s in enumerate(share, start=1)]
    ax.set(xlabel="length of the run (time steps)", ylabel="share of hidden tokens", ylim=(0, None), xticks=range(1, steps + 1))
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    ax.set_title(title, loc="left")
    fig.data = pd.DataFrame(table, columns=["strategy", "length", "share"])  # type: ignore[attr-defined]
    return fig


@styled
def guess_errors(table: pd.DataFrame, guess: str = "time and body", title: str = "") -> Figure:
    """`inspection.guess_errors` over the ratio: a line a strategy with two standard errors, the average pose dotted."""
    fig, ax = figure(5.6, 3.0)
    for i, strategy in enumerate(dict.fromkeys(table["strategy"])):
        of = table[table["strategy"] == strategy]
        here, control = of[of["guess"] == guess], of[of["guess"] == "average pose"]
        mark = {"color": colour(i), "marker": MARKERS[i % len(MARKERS)], "markersize": 4}
        ax.errorbar(here["ratio"], here["error"], 2 * here["standard_error"], capsize=2, **mark, label=strategy.replace("_", " "))
        ax.plot(control["ratio"], control["error"], color=colour(i), linestyle=":", linewidth=1)
    ax.plot([], [], color="0.4", linestyle=":", linewidth=1, label="the control:\naverage pose")
    ax.set(xlabel="part of the tokens that is hidden", ylabel="error of the guess (cm)", ylim=(0, None))
    ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    ax.set_title(title or f"hidden tokens guessed from neighbors in {guess}", loc="left")
    fig.data = table  # type: ignore[attr-defined]
    return fig


@styled
def guess_maps(errors: Mapping[str, np.ndarray], skeleton: Skeleton, title: str = "") -> Figure:
    """Error of each hidden token's guess (cm) on the grid, errors (T', V) with NaN where the token is visible, a panel a mask."""
    fig, axes = figure(2.3 * len(errors) + 1.2, 3.3, 1, len(errors), squeeze=False)
    most, shown = max(float(np.nanmax(e)) for e in errors.values()), None
    for ax, (name, error) in zip(axes[0], errors.items(), strict=True):
        ax.set_facecolor("#E8E8E8")
        shown = time_joint_grid(ax, error, skeleton, names=False, cmap=SCALE, vmin=0, vmax=most)
        ax.set_title(f"{name.replace('_', ' ')}\nmean {np.nanmean(error):.1f} cm", fontsize=8)
        ax.set_xlabel("time steps →")
    _name_parts(axes[0][0], skeleton)
    assert shown is not None
    fig.colorbar(shown, ax=list(axes[0]), label="error of the guess (cm); grey: visible", shrink=0.9)
    fig.suptitle(title, fontsize=9)
    return fig


def _name_parts(ax, skeleton: Skeleton) -> None:
    """Name the body parts at the left of a grid whose joints have no names."""
    sizes = np.array([len(p) for p in skeleton.parts.values()])
    ax.set_yticks(np.cumsum(sizes) - sizes / 2 - 0.5, list(skeleton.parts), fontsize=7)
    ax.tick_params(axis="y", length=0)
