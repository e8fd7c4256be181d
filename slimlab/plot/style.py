"""One look for all figures: sizes in inches for a paper's column, embedded fonts, a colour-blind safe palette."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from slimlab.run import replace_file

# Okabe and Ito 2008, https://jfly.uni-koeln.de/color/
LEFT, RIGHT, MIDDLE, MASKED = "#0072B2", "#D55E00", "#444444", "#CC79A7"
HIT, MISS = "#009E73", "#D55E00"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = "osD^v<>Pp*hX"
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "savefig.dpi": 300,
    "savefig.bbox": "tight",
    "pdf.fonttype": 42,  # fonts embedded as text, not as outlines
    "svg.fonttype": "none",
    "text.parse_math": False,  # a label "$x_{" of the data is no equation
}


Drawing = TypeVar("Drawing", bound=Callable)


def styled(draw: Drawing) -> Drawing:
    """Decorator: all that a drawing function does happens in our style."""
    return cast(Drawing, plt.rc_context(STYLE)(draw))  # type: ignore[operator]  # a ContextDecorator, typed as less


def figure(width: float, height: float, rows: int = 1, columns: int = 1, **kwargs) -> tuple[Figure, Any]:
    """(Figure, axes) in inches, closed for pyplot, so that a notebook shows it once: where it is a cell's value."""
    fig, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **kwargs)
    plt.close(fig)
    return fig, axes


def colour(index: int) -> str:
    return PALETTE[index % len(PALETTE)]


@styled
def save(fig: Any, path: str | Path, data: pd.DataFrame | None = None) -> Path:
    """Write a figure of paper (.pdf, .svg or .png by its name) and, beside it, its data as .csv. Returns the path.

    A figure of the screen, such as `plot.player(…)`, becomes one .html page that plays anywhere and needs no network.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".html":
        page = fig.to_html(include_plotlyjs=True, auto_play=False)
        replace_file(path, lambda f: f.write(page.encode()))
        return path
    replace_file(path, lambda f: fig.savefig(f, format=path.suffix[1:]))
    table = data if data is not None else getattr(fig, "data", None)
    if table is not None:
        replace_file(path.with_suffix(".csv"), lambda f: table.to_csv(f, index=False))
    return path
