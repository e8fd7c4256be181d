"""What a set holds, as a figure."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from slimlab.data import Report
from slimlab.plot.style import LEFT, RIGHT, figure, styled

PANELS = (
    ("frames", 1, "frames a clip"),
    ("jitter", 1000, "jitter (mm)"),
    ("bones", 100, "bone-length variation (%)"),
    ("frozen", 100, "frozen frames (%)"),
)


@styled
def report(found: Report) -> Figure:
    """Four histograms of `data.report`'s table: all clips, and those with a reason to look at them; dashed: worth a look from
    here. Data: the table."""
    fig, axes = figure(7.2, 3.6, 2, 2)
    odd = np.asarray(found.table["reasons"] != "")
    for ax, (column, factor, title) in zip(axes.flat, PANELS, strict=True):
        values = np.asarray(found.table[column], dtype=float) * factor
        edges = np.histogram_bin_edges(values, bins=30)
        ax.hist(
            [values[~odd], values[odd]], bins=edges, stacked=True, color=[LEFT, RIGHT], label=["no reason found", "to look at"]
        )
        if column in found.limits and values.max() > 0.7 * factor * found.limits[column]:
            ax.axvline(factor * found.limits[column], color="0.4", linewidth=0.8, linestyle="--")
        ax.set_title(title, loc="left")
        ax.set_ylabel("clips")
    axes[0, 0].legend(frameon=False)
    fig.data = found.table  # type: ignore[attr-defined]
    return fig
