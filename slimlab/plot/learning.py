"""How a run learns: Sinkhorn-Knopp's matrix as it is evened out, schedules, curves of several runs in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from slimlab.plot.scene import SCALE
from slimlab.plot.style import colour, figure, styled
from slimlab.pretrain.config import Config
from slimlab.pretrain.schedules import schedule

SCHEDULES = {
    "lr": "learning rate",
    "momentum": "teacher momentum",
    "temperature": "teacher temperature",
    "weight_decay": "weight decay",
}
WORDS = {
    "glcl": "GLCL (nats)",
    "glcl_over_lnk": "GLCL / ln K",
    "mfp": "MFP (nats)",
    "koleo": "KoLeo",
    "target_prototypes": "prototypes per target",
    "used_prototypes": "prototypes in use",
    "rank": "feature rank (RankMe)",
    "knn": "leave-one-subject kNN accuracy",
    "gradient": "gradient norm",
}
LINES = ("-", "--", "-.", ":")


@styled
def assignments(stages: Sequence[tuple[str, Tensor]], title: str | None = None) -> Figure:
    """Matrices (N, K) that each sum to one, with the sums of their columns above and of their rows beside; dotted: evenly.

    stages  (name, matrix) from `inspection.sinkhorn_stages`, or some of them. Colours are each matrix's own.
    """
    count = len(stages)
    ratios: dict[str, Any] = {"width_ratios": [4, 1] * count, "height_ratios": [1, 4]}
    fig, axes = figure(2.1 * count + 0.4, 2.9, 2, 2 * count, **ratios)
    tables = []
    for i, (name, matrix) in enumerate(stages):
        values = matrix.detach().cpu().double().numpy()
        samples, prototypes = values.shape
        above, corner, main, beside = axes[0, 2 * i], axes[0, 2 * i + 1], axes[1, 2 * i], axes[1, 2 * i + 1]
        corner.axis("off")
        above.bar(range(prototypes), values.sum(axis=0), width=0.9, color=colour(0))
        above.axhline(1 / prototypes, color="0.4", linestyle=":", linewidth=1)
        above.set(xlim=(-0.5, prototypes - 0.5), xticks=[], yticks=[], ylim=(0, max(2 / prototypes, values.sum(axis=0).max())))
        above.set_title(name, loc="left", fontsize=8)
        beside.barh(range(samples), values.sum(axis=1), height=0.9, color=colour(1))
        beside.axvline(1 / samples, color="0.4", linestyle=":", linewidth=1)
        beside.set(ylim=(samples - 0.5, -0.5), xticks=[], yticks=[], xlim=(0, max(2 / samples, values.sum(axis=1).max())))
        main.imshow(values, aspect="auto", cmap=SCALE, vmin=0, interpolation="nearest")
        main.set(xticks=[], yticks=[], xlabel=f"{prototypes} prototypes")
        if i == 0:
            main.set_ylabel(f"{samples} samples")
        row, column = np.indices(values.shape)
        cells = {"stage": name, "sample": row.ravel(), "prototype": column.ravel(), "share": values.ravel()}
        tables.append(pd.DataFrame(cells))
    if title:
        fig.suptitle(title, fontsize=9)
    fig.data = pd.concat(tables)  # type: ignore[attr-defined]
    return fig


@styled
def schedules(config: Config, points: int = 300, title: str | None = None) -> Figure:
    """Learning rate, teacher momentum and temperature, weight decay over a run's steps, as `trainer.schedule` gives them."""
    steps = np.unique(np.linspace(0, config.steps - 1, min(points, config.steps)).round().astype(int))
    table = pd.DataFrame([{"step": int(s)} | schedule(config, int(s)) for s in steps])
    fig, axes = figure(7.2, 1.9, 1, len(SCHEDULES))
    for i, (ax, (name, words)) in enumerate(zip(axes, SCHEDULES.items(), strict=True)):
        ax.plot(table["step"], table[name], color=colour(i))
        values = np.asarray(table[name], dtype=float)
        low, high = float(values.min()), float(values.max())
        if high - low < 1e-9:
            ax.set_ylim(0, 1.5 * high or 1.0)
        ax.set_title(words, loc="left", fontsize=8)
        ax.set_xlabel("step")
        ax.tick_params(labelsize=7)
    fig.suptitle(title or f"schedules over {config.steps} steps", fontsize=9)
    fig.data = table  # type: ignore[attr-defined]
    return fig


@styled
def runs(
    metrics: Mapping[str, pd.DataFrame],
    columns: Sequence[str] = ("glcl_over_lnk", "target_prototypes", "used_prototypes", "rank"),
    smooth: int = 5,
    title: str | None = None,
) -> Figure:
    """Curves of several runs over one another, a panel a column of their metrics; a running median over `smooth` steps.

    metrics  name -> `Run.metrics`; columns that a run lacks are left out of it. title: of a single panel, in place of its name
    """
    across = min(4, len(columns))
    down = -(-len(columns) // across)
    width = 5.2 if across == 1 else 1.9 * across + 0.6
    fig, axes = figure(width, (1.9 if across > 1 else 2.4) * down + 0.5, down, across, squeeze=False)
    for ax, name in zip(axes.flat, columns, strict=False):
        for i, (run, table) in enumerate(metrics.items()):
            if name not in table:
                continue
            line = table[["step", name]].dropna()
            rare = len(line) < len(table)
            y = line[name] if rare else pd.Series(line[name]).rolling(smooth, min_periods=1, center=True).median()
            look = {"marker": "o", "markersize": 3} if rare else {}
            ax.plot(line["step"], y, color=colour(i), linestyle=LINES[i % len(LINES)], label=run, **look)
        ax.set_title(title if title and across == 1 else WORDS.get(name, name), loc="left", fontsize=8)
        ax.set_xlabel("step")
        ax.set_ylim(bottom=min(0, ax.get_ylim()[0]))
        ax.tick_params(labelsize=7)
    for ax in axes.flat[len(columns) :]:
        ax.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    where: dict[str, Any] = (
        {"loc": "outside right upper"} if across == 1 else {"loc": "outside lower center", "ncols": min(4, max(1, len(labels)))}
    )
    fig.legend(handles, labels, frameon=False, fontsize=8, **where)
    if title and across > 1:
        fig.suptitle(title, fontsize=9)
    fig.data = pd.concat([t.assign(run=n) for n, t in metrics.items()])  # type: ignore[attr-defined]
    return fig
