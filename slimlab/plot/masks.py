"""Masks to look at: drawn, counted, and on the grid of time steps and joints. On the body: `plot.mask_on_body`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import torch
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from slimlab import masking
from slimlab.plot.body import time_joint_grid
from slimlab.plot.style import MASKED, PALETTE, figure, styled
from slimlab.skeleton import Skeleton

VISIBLE = "#E4E4E0"
TUBES = tuple(PALETTE[i] for i in (3, 0, 4, 2, 5, 1))  # colours of neighbouring tubes; black and yellow are left out
DRAWS = 64  # masks behind a frequency: standard error at most 0.06


@dataclass(frozen=True, eq=False)
class Masking:
    """One draw of a strategy. mask (T', V) bool; tubes (T', V) int, 0 visible; frequency (V,) over many draws."""

    strategy: str
    ratio: float
    seed: int
    mask: np.ndarray
    tubes: np.ndarray
    frequency: np.ndarray


def draw_mask(
    strategy: str, skeleton: Skeleton, steps: int = 8, ratio: float = 0.7, seed: int = 0, motion: torch.Tensor | None = None
) -> Masking:
    """A mask, its tubes, and how often the strategy masks each joint over 64 draws.

    motion  (1, steps, V) for motion_aware (masking.motion_magnitude); without it no token counts as moving
    Tubes are the method's own for semantic_tubes, connected runs for the others. Raises ValueError for an unknown strategy.
    """
    if strategy not in masking.STRATEGIES:
        raise ValueError(f"masking strategy '{strategy}' is unknown; choose one of {', '.join(masking.STRATEGIES)}")
    own = strategy == "semantic_tubes"
    numbers = torch.zeros(1, steps, len(skeleton), dtype=torch.int64)
    extra = {"tubes": numbers} if own else {"motion": motion} if strategy == "motion_aware" else {}
    dice = torch.Generator().manual_seed(seed)
    mask = masking.STRATEGIES[strategy](1, steps, skeleton, ratio, generator=dice, **extra)[0].numpy()
    tubes = numbers[0].numpy() if own else connected(mask, skeleton)
    moves = None if strategy != "motion_aware" or motion is None else tuple(motion.flatten().tolist())
    return Masking(strategy, ratio, seed, mask, tubes, _frequency(strategy, skeleton, steps, ratio, moves))


@lru_cache(maxsize=512)
def _frequency(strategy: str, skeleton: Skeleton, steps: int, ratio: float, motion: tuple[float, ...] | None) -> np.ndarray:
    """(V,) part of the tokens that are masked in many draws; it depends on no seed of the reader's."""
    extra = {"motion": torch.tensor(motion).view(1, steps, -1).expand(DRAWS, -1, -1)} if motion is not None else {}
    many = masking.STRATEGIES[strategy](DRAWS, steps, skeleton, ratio, generator=torch.Generator().manual_seed(0), **extra)
    return many.float().mean(dim=(0, 1)).numpy()


def connected(mask: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T', V) int: masked tokens that touch, in time or along a body part's chain, share a number; 0 is visible."""
    mask = np.asarray(mask, dtype=bool)
    label = np.where(mask, np.arange(1, mask.size + 1).reshape(mask.shape), 0)
    chains = [list(chain) for chain in skeleton.parts.values()]
    while True:
        before = label.copy()
        for part in chains:
            cells = label[:, part]
            for axis in (0, 1):
                a, b = (np.moveaxis(cells, axis, 0)[s] for s in (slice(None, -1), slice(1, None)))
                high = np.where((a > 0) & (b > 0), np.maximum(a, b), 0)
                np.maximum(a, high, out=a)
                np.maximum(b, high, out=b)
            label[:, part] = cells
        if (label == before).all():
            break
    return np.unique(label, return_inverse=True)[1].reshape(mask.shape) + (0 if (label == 0).any() else 1)


def run_lengths(mask: np.ndarray) -> np.ndarray:
    """Lengths, in time steps, of all runs of masked tokens of one joint."""
    padded = np.pad(np.asarray(mask, dtype=np.int8), ((1, 1), (0, 0)))
    edges = np.diff(padded, axis=0).T  # (V, T'+1)
    return np.nonzero(edges == -1)[1] - np.nonzero(edges == 1)[1]


def mask_table(mask: np.ndarray, skeleton: Skeleton) -> pd.DataFrame:
    """One line a token: step, joint, part, masked."""
    part = list(skeleton.parts)
    steps, joints = np.indices(np.shape(mask)).reshape(2, -1)
    return pd.DataFrame(
        {
            "step": steps,
            "joint": [skeleton.names[j] for j in joints],
            "part": [part[skeleton.part_of[j]] for j in joints],
            "masked": np.asarray(mask)[steps, joints],
        }
    )


def tube_colors(tubes: np.ndarray) -> np.ndarray:
    """(…) tube numbers -> (…, 3) uint8 rgb; number 0 is grey."""
    table = np.array([to_rgb(c) for c in (VISIBLE, *TUBES)]) * 255
    return table[_colour_index(tubes)].round().astype(np.uint8)


@styled
def mask_grid(drawn: Masking, skeleton: Skeleton, title: str | None = None) -> Figure:
    """Time x joint grid of a mask, a colour a tube; beside it how often each joint is masked, below it how long masked runs are.

    Data: one line a token, with its tube and its joint's frequency.
    """
    fig, axes = figure(6.0, 5.2, 2, 2, width_ratios=[3, 1], height_ratios=[4, 1])
    (grid, often), (runs, nothing) = axes
    time_joint_grid(grid, tube_colors(drawn.tubes), skeleton)
    order = [j for part in skeleton.parts.values() for j in part]
    often.barh(range(len(order)), drawn.frequency[order], color=MASKED)
    often.set(ylim=grid.get_ylim(), xlim=(0, 1), yticks=[], xlabel=f"how often masked,\n{DRAWS} draws")
    lengths = np.bincount(run_lengths(drawn.mask), minlength=len(drawn.mask) + 1)[1:]
    runs.bar(range(1, len(lengths) + 1), lengths, color=MASKED)
    runs.set(xlabel="masked run (time steps)", ylabel="runs", xticks=range(1, len(lengths) + 1))
    nothing.axis("off")
    masked = (
        f"{int(drawn.mask.sum())} of {drawn.mask.size} tokens masked, asked {drawn.ratio:.0%}, achieved {drawn.mask.mean():.1%}"
    )
    fig.suptitle(title or f"{drawn.strategy.replace('_', ' ')}: {masked}", fontsize=9)
    tubes, frequency = drawn.tubes.ravel(), np.tile(drawn.frequency, len(drawn.mask))
    fig.data = mask_table(drawn.mask, skeleton).assign(tube=tubes, frequency=frequency)  # type: ignore[attr-defined]
    return fig


@styled
def mask_gallery(draws: Mapping[str, Masking], skeleton: Skeleton, title: str | None = None) -> Figure:
    """The grids of several strategies side by side, with what each achieved and how long its runs are. Data: a line a token."""
    fig, axes = figure(1.3 * len(draws) + 0.9, 2.7, 1, len(draws), squeeze=False)
    tables = []
    for i, (ax, (name, drawn)) in enumerate(zip(axes[0], draws.items(), strict=True)):
        time_joint_grid(ax, tube_colors(drawn.tubes), skeleton, names=False)
        runs = run_lengths(drawn.mask)
        mean = runs.mean() if len(runs) else 0.0
        ax.set_title(f"{name.replace('_', ' ')}\n{drawn.mask.mean():.1%}, runs of {mean:.1f}", fontsize=7)
        ax.set_xlabel("time", fontsize=7)
        if i == 0:
            sizes = [len(part) for part in skeleton.parts.values()]
            ax.set_yticks(np.cumsum(sizes) - np.array(sizes) / 2 - 0.5, list(skeleton.parts), fontsize=7)
        tables.append(mask_table(drawn.mask, skeleton).assign(strategy=name))
    fig.suptitle(title or "what each strategy hides: a color a tube, or a connected run", fontsize=9)
    fig.data = pd.concat(tables, ignore_index=True)  # type: ignore[attr-defined]
    return fig


def _colour_index(tubes: np.ndarray) -> np.ndarray:
    tubes = np.asarray(tubes)
    return np.where(tubes > 0, (tubes - 1) % len(TUBES) + 1, 0)
