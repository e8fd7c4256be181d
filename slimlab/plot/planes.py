"""Several planes beside one another: methods, seeds, settings, checkpoints, and their controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.analysis.projection import Projection
from slimlab.plot.style import MARKERS, colour, figure, styled


@styled
def planes(
    projections: Mapping[str, Projection],
    groups: Sequence | np.ndarray | Mapping[str, Sequence | np.ndarray] | None = None,
    columns: int = 4,
    legend: bool = False,
    shared: bool = False,
    title: str | None = None,
) -> Figure:
    """One panel a projection, its trustworthiness and, where measured, label agreement above it.

    groups  (N,) a value a row, by which points are coloured; or name -> values where panels show other points or labels;
            None: one colour. legend: name the colours, below (useful up to a dozen)
    shared  the same limits in all panels, where their axes mean the same
    """
    across = min(columns, len(projections))
    down = -(-len(projections) // across)
    fig, axes = figure(1.85 * across + 0.1, 2.05 * down + (0.5 if legend else 0.2), down, across, squeeze=False)
    tables = []
    for ax, (name, projection) in zip(axes.flat, projections.items(), strict=False):
        chosen = groups[name] if isinstance(groups, Mapping) else groups
        values = np.zeros(len(projection.xy), int) if chosen is None else np.asarray(chosen)
        for i, group in enumerate(pd.unique(np.sort(values))):
            x, y = projection.xy[values == group].T
            look = {"color": colour(i), "marker": MARKERS[(i // 8) % len(MARKERS)], "rasterized": len(values) > 5000}
            ax.scatter(x, y, s=5, linewidths=0, alpha=0.8, label=str(group), **look)
        ax.set_title(f"{name}\n{_quality(projection)}", loc="left", fontsize=7)
        ax.set(xticks=[], yticks=[])
        if shared:
            (left, low), (right, high) = (f([f(p.xy, axis=0) for p in projections.values()], axis=0) for f in (np.min, np.max))
            pad = 0.05 * max(right - left, high - low)
            ax.set(xlim=(left - pad, right + pad), ylim=(low - pad, high + pad))
        ax.set_aspect("equal", adjustable="box" if shared else "datalim")
        tables.append(pd.DataFrame({"panel": name, "group": values, "x": projection.xy[:, 0], "y": projection.xy[:, 1]}))
    for ax in axes.flat[len(projections) :]:
        ax.axis("off")
    if legend:
        handles, labels = axes.flat[0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=7, markerscale=2.5)
    if title:
        fig.suptitle(title, fontsize=9)
    fig.data = pd.concat(tables)  # type: ignore[attr-defined]
    return fig


def _quality(projection: Projection) -> str:
    words = [f"trust {projection.quality['trustworthiness']:.2f}"] if "trustworthiness" in projection.quality else []
    if "label_agreement" in projection.quality:
        words.append(f"same label {projection.quality['label_agreement']:.2f}")
    return ", ".join(words)
