"""Training on the screen: the metrics of one run or several, panel by panel (plotly). For paper: `plot.losses`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from slimlab.plot.style import PALETTE

PANELS = {
    "glcl": "GLCL (nats)",
    "mfm": "MFM (nats)",
    "koleo": "KoLeo",
    "knn": "held-out kNN accuracy",
    "rank": "feature rank (RankMe)",
    "target_prototypes": "effective prototypes per target",
    "lr": "learning rate",
    "momentum": "teacher momentum",
    "clips_per_second": "clips per second",
}
RARE = ("knn", "rank")  # measured a few times in a run
POINTS = 400  # of a line; more than a panel has pixels to show
COLOURS = tuple(c for c in PALETTE if c != "#F0E442")  # yellow is no line on white


def training(runs: Mapping[str, pd.DataFrame], height: int = 560) -> go.Figure:
    """Losses, held-out kNN, feature rank, effective prototypes, schedules and throughput over steps; one colour a run.

    runs  name -> metrics of a run (`Run.metrics`). A line is a running median over a hundredth of the run. One trace for each
          run and panel, run by run in the order of PANELS; `training_values` has what changes while a run goes on.
    """
    fig = make_subplots(
        rows=3, cols=3, subplot_titles=list(PANELS.values()), shared_xaxes=True, horizontal_spacing=0.06, vertical_spacing=0.09
    )
    for i, (run, metrics) in enumerate(runs.items()):
        for panel, (name, values) in enumerate(zip(PANELS, training_values(metrics), strict=True)):
            row, column = divmod(panel, 3)
            look = {
                "line": {"color": COLOURS[i % len(COLOURS)], "width": 1.6},
                "mode": "lines+markers" if name in RARE else "lines",
            }
            legend = {"name": run, "legendgroup": run, "showlegend": panel == 0}
            fig.add_trace(go.Scatter(**values, **look, **legend, marker={"size": 6}), row=row + 1, col=column + 1)
    fig.update_xaxes(title="step", row=3, title_standoff=4)
    fig.update_xaxes(showgrid=False)
    fig.update_yaxes(gridcolor="#EEEEEC", rangemode="tozero")
    for name in ("lr", "momentum"):
        panel = list(PANELS).index(name)
        fig.update_yaxes(
            rangemode="normal", exponentformat="e" if name == "lr" else "none", row=panel // 3 + 1, col=panel % 3 + 1
        )
    fig.update_annotations(font_size=12)
    legend = {"orientation": "h", "y": 1.1, "x": 0}
    look = {"plot_bgcolor": "white", "margin": {"l": 50, "r": 10, "t": 60, "b": 40}, "font": {"size": 11}, "legend": legend}
    fig.update_layout(height=height, showlegend=len(runs) > 1, **look)
    return fig


def training_values(metrics: pd.DataFrame) -> list[dict[str, np.ndarray]]:
    """x and y of each panel's line."""
    out = []
    for name in PANELS:
        if name not in metrics:
            out.append({"x": np.zeros(0), "y": np.zeros(0)})
            continue
        line = pd.DataFrame(metrics[["step", name]]).dropna()
        y = pd.Series(line[name], dtype=float)
        if name not in RARE:
            y = y.rolling(max(1, len(y) // 100), min_periods=1, center=True).median()
        chosen = np.unique(np.linspace(0, len(line) - 1, min(len(line), POINTS)).round().astype(int)) if len(line) else []
        out.append({"x": np.asarray(line["step"])[chosen], "y": y.to_numpy()[chosen]})
    return out
