"""Representations beside each other: CKA as a heat map."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.plot.style import figure, styled

WRITTEN = 12  # most rows and columns whose cells have numbers


@styled
def cka(table: pd.DataFrame, title: str | None = None) -> Figure:
    """The table of `analysis.cka_matrix` as a heat map, from 0 to 1, with a number in each cell of a small one."""
    rows, columns = table.shape
    if not rows or not columns:
        raise ValueError("plot.cka: the table is empty; give one of analysis.cka_matrix")
    fig, ax = figure(2.0 + 0.42 * columns, 1.2 + 0.36 * rows)
    values = table.to_numpy()
    picture = ax.imshow(values, vmin=0, vmax=1, cmap="viridis")
    if max(rows, columns) <= WRITTEN:
        for i, j in np.ndindex(rows, columns):
            ink = "black" if values[i, j] > 0.6 else "white"
            ax.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", fontsize=6.5, color=ink)
    ax.set_xticks(range(columns), [str(name) for name in table.columns], rotation=90 if columns > 4 else 30, ha="right")
    if columns > 4:
        for label in ax.get_xticklabels():
            label.set_ha("center")
    ax.set_yticks(range(rows), [str(name) for name in table.index])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    fig.colorbar(picture, ax=ax, label="linear CKA", shrink=0.9)
    if title:
        ax.set_title(title, loc="left")
    fig.data = table.rename_axis("features").reset_index()  # type: ignore[attr-defined]
    return fig
