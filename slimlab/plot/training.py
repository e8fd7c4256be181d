"""Training as it goes: the metrics of one run or several, panel by panel. A run's losses alone: `plot.losses`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.plot.style import MASKED, PALETTE, figure, styled

PANELS = {
    "loss": "total loss",
    "glcl": "GLCL (nats)",
    "mfp": "MFP (nats)",
    "koleo": "KoLeo",
    "knn": "leave-one-subject kNN accuracy",
    "rank": "feature rank (RankMe)",
    "target_prototypes": "prototypes per target (exp entropy)",
    "used_prototypes": "prototypes in use (exp entropy)",
    "lr": "learning rate",
    "momentum": "teacher momentum",
    "gradient": "gradient norm",
    "clips_per_second": "clips per second",
}
RARE = ("knn", "rank")  # measured a few times in a run
FREE = ("loss", "koleo", "momentum")  # whose axis need not begin at zero
POINTS = 400  # of a line; more than a panel has pixels to show
COLOURS = tuple(c for c in PALETTE if c != "#F0E442")  # yellow is no line on white


@styled
def training(runs: Mapping[str, pd.DataFrame], marks: Sequence[tuple[float, str]] = ()) -> Figure:
    """Losses, leave-one-subject kNN, feature rank, prototypes, schedules and throughput over steps; one colour a run.

    runs   name -> metrics of a run (`Run.metrics`). A line is a running median over a hundredth of the run
    marks  (step, text) of upright lines, such as `change_marks` gives. Data: a line for each point, with run and panel
    """
    fig, axes = figure(9.0, 5.4, 3, 4, sharex=True)
    table = []
    for i, (run, metrics) in enumerate(runs.items()):
        for ax, (name, line) in zip(axes.flat, training_values(metrics).items(), strict=True):
            marker = "o" if name in RARE else None
            ax.plot(
                line["x"], line["y"], color=COLOURS[i % len(COLOURS)], linewidth=1.1, marker=marker, markersize=2.5, label=run
            )
            table.append(pd.DataFrame({"run": run, "panel": name, "step": line["x"], "value": line["y"]}))
    for ax, (name, title) in zip(axes.flat, PANELS.items(), strict=True):
        ax.set_title(title, loc="left", fontsize=8)
        ax.tick_params(labelsize=7)
        low, high = ax.dataLim.intervaly
        if name not in FREE and high > 0:
            ax.set_ylim(min(0, low), high + 0.06 * (high - min(0, low)))
        for step, _ in marks:
            ax.axvline(step, color=MASKED, linestyle="--", linewidth=0.8)
    for step, text in marks:
        axes[0, 0].annotate(text, (step, 1), xycoords=("data", "axes fraction"), va="top", fontsize=6, color=MASKED)
    for ax in axes[-1]:
        ax.set_xlabel("step")
    if len(runs) > 1:
        fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)
    fig.data = pd.concat(table, ignore_index=True) if table else pd.DataFrame()  # type: ignore[attr-defined]
    return fig


def training_values(metrics: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """Panel -> x and y of its line; empty where nothing was measured."""
    out = {}
    for name in PANELS:
        if name not in metrics:
            out[name] = {"x": np.zeros(0), "y": np.zeros(0)}
            continue
        line = pd.DataFrame(metrics[["step", name]]).dropna()
        y = pd.Series(line[name], dtype=float)
        if name not in RARE:
            y = y.rolling(max(1, len(y) // 100), min_periods=1, center=True).median()
        chosen = np.unique(np.linspace(0, len(line) - 1, min(len(line), POINTS)).round().astype(int)) if len(line) else []
        out[name] = {"x": np.asarray(line["step"])[chosen], "y": y.to_numpy()[chosen]}
    return out


def change_marks(changes: Sequence[Mapping]) -> list[tuple[float, str]]:
    """(step, "mask 0.50-0.90") of what was changed in a run (`Run.changes`)."""
    marks = []
    for change in changes:
        ratio = change["mask_ratio"]
        text = f"{ratio:.2f}" if isinstance(ratio, (int, float)) else "-".join(f"{r:.2f}" for r in ratio)
        marks.append((float(change["step"]), f"mask {text}"))
    return marks
