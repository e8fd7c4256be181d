"""Masks to look at: drawn, counted, on the body, and on the grid of time steps and joints (plotly)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from matplotlib.colors import to_rgb
from plotly.subplots import make_subplots

from slimlab import masking
from slimlab.plot.style import MASKED, PALETTE
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

    motion  (1, steps, V) for motion_aware (masking.motion_magnitude); without it no cell counts as moving
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
    """(V,) part of the cells that are masked in many draws; it depends on no seed of the reader's."""
    extra = {"motion": torch.tensor(motion).view(1, steps, -1).expand(DRAWS, -1, -1)} if motion is not None else {}
    many = masking.STRATEGIES[strategy](DRAWS, steps, skeleton, ratio, generator=torch.Generator().manual_seed(0), **extra)
    return many.float().mean(dim=(0, 1)).numpy()


def connected(mask: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(T', V) int: masked cells that touch, in time or along a body part's chain, share a number; 0 is visible."""
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
    """Lengths, in time steps, of all runs of masked cells of one joint."""
    padded = np.pad(np.asarray(mask, dtype=np.int8), ((1, 1), (0, 0)))
    edges = np.diff(padded, axis=0).T  # (V, T'+1)
    return np.nonzero(edges == -1)[1] - np.nonzero(edges == 1)[1]


def mask_table(mask: np.ndarray, skeleton: Skeleton) -> pd.DataFrame:
    """One line a cell: step, joint, part, masked."""
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


def rows(skeleton: Skeleton) -> list[int]:
    """The grid's rows from the bottom: joints by part, -1 between two parts; the first part is on top."""
    out: list[int] = []
    for chain in reversed(list(skeleton.parts.values())):
        out += [*([-1] if out else []), *reversed(chain)]
    return out


def grid_values(tubes: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(rows, T') what the grid's heat map shows: 0 visible, 1.. a tube's colour, -1 between parts."""
    order = np.array(rows(skeleton))
    return np.where(order[:, None] < 0, -1, _colour_index(tubes).T[order])


def mask_grid(drawn: Masking, skeleton: Skeleton, height: int = 520) -> go.Figure:
    """Time x joint grid of a mask, beside it how often each joint is masked, below it how long masked runs are: three traces."""
    order = rows(skeleton)
    lengths = np.bincount(run_lengths(drawn.mask), minlength=len(drawn.mask) + 1)[1:]
    frequency = np.where(np.array(order) < 0, 0.0, drawn.frequency[order])
    labels = [skeleton.names[j].replace("_", " ") if j >= 0 else "" for j in order]
    fig = make_subplots(
        rows=2, cols=2, column_widths=[0.76, 0.24], row_heights=[0.8, 0.2], horizontal_spacing=0.03, vertical_spacing=0.14
    )
    joint = np.array([[skeleton.names[j] if j >= 0 else "" for j in order]] * len(drawn.mask)).T
    fig.add_trace(
        go.Heatmap(
            z=grid_values(drawn.tubes, skeleton),
            zmin=-1.5,
            zmax=len(TUBES) + 0.5,
            colorscale=_steps(("white", VISIBLE, *TUBES)),
            showscale=False,
            xgap=1,
            ygap=1,
            customdata=joint,
            hovertemplate="%{customdata}, step %{x}<extra></extra>",
        ),
        row=1,
        col=1,
    )
    bars = {"marker": {"color": MASKED}}
    told = "%{x:.2f}<extra></extra>"
    fig.add_trace(go.Bar(x=frequency, y=np.arange(len(order)), orientation="h", hovertemplate=told, **bars), row=1, col=2)
    told = "%{y} runs of %{x} steps<extra></extra>"
    fig.add_trace(go.Bar(x=np.arange(1, len(lengths) + 1), y=lengths, hovertemplate=told, **bars), row=2, col=1)
    ticks = {"tickvals": list(range(len(order))), "range": [-0.6, len(order) - 0.4], "showgrid": False, "zeroline": False}
    fig.update_yaxes(**ticks, ticktext=labels, tickfont={"size": 10}, row=1, col=1)
    fig.update_yaxes(**ticks, showticklabels=False, row=1, col=2)
    fig.update_xaxes(title="time step", dtick=1, showgrid=False, zeroline=False, title_standoff=4, row=1, col=1)
    fig.update_xaxes(title=f"how often masked,<br>{DRAWS} draws", range=[0, 1], title_standoff=4, row=1, col=2)
    fig.update_xaxes(title="masked run (steps)", dtick=1, range=[0.4, len(drawn.mask) + 0.6], title_standoff=4, row=2, col=1)
    fig.update_yaxes(title="runs", row=2, col=1)
    look = {"plot_bgcolor": "white", "showlegend": False, "bargap": 0.25, "font": {"size": 11}, "dragmode": False}
    fig.update_layout(height=height, margin={"l": 110, "r": 10, "t": 10, "b": 40}, **look)
    return fig


def mask_gallery(draws: Mapping[str, Masking], skeleton: Skeleton, height: int = 330) -> go.Figure:
    """The grids of several strategies side by side, one trace each, with what each achieved."""
    runs = {name: run_lengths(d.mask) for name, d in draws.items()}
    mean = {name: r.mean() if len(r) else 0.0 for name, r in runs.items()}
    titles = [f"{n.replace('_', ' ')}<br>{d.mask.mean():.3f} masked, run {mean[n]:.1f}" for n, d in draws.items()]
    fig = make_subplots(rows=1, cols=len(draws), subplot_titles=titles, horizontal_spacing=0.012)
    shared = {"zmin": -1.5, "zmax": len(TUBES) + 0.5, "colorscale": _steps(("white", VISIBLE, *TUBES)), "showscale": False}
    for column, drawn in enumerate(draws.values(), start=1):
        z = grid_values(drawn.tubes, skeleton)
        fig.add_trace(go.Heatmap(z=z, xgap=1, ygap=1, hoverinfo="skip", **shared), row=1, col=column)
    fig.update_xaxes(showticklabels=False, showgrid=False, zeroline=False, title="time", title_standoff=2)
    fig.update_yaxes(showticklabels=False, showgrid=False, zeroline=False)
    parts, at = [], 0
    for name, chain in reversed(list(skeleton.parts.items())):
        parts.append((at + (len(chain) - 1) / 2, name))
        at += len(chain) + 1
    fig.update_yaxes(showticklabels=True, tickvals=[p[0] for p in parts], ticktext=[p[1] for p in parts], row=1, col=1)
    fig.update_annotations(font_size=11)
    fig.update_layout(height=height, margin={"l": 70, "r": 10, "t": 50, "b": 25}, plot_bgcolor="white", font={"size": 11})
    return fig


def _colour_index(tubes: np.ndarray) -> np.ndarray:
    tubes = np.asarray(tubes)
    return np.where(tubes > 0, (tubes - 1) % len(TUBES) + 1, 0)


def _steps(colours) -> list[tuple[float, str]]:
    """A colour scale of flat steps."""
    edges = np.linspace(0, 1, len(colours) + 1)
    return [(float(e), c) for c, a, b in zip(colours, edges[:-1], edges[1:], strict=True) for e in (a, b)]
