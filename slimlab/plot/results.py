"""Training curves, embeddings, confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.analysis.projection import Projection
from slimlab.evaluate import Features, Result
from slimlab.plot.style import MARKERS, colour, figure, styled

LONG_NAME = 20  # characters of a class's name; columns of a confusion with longer ones have numbers
CURVES = (
    ("losses (nats)", ("glcl", "mfp", "koleo")),
    ("prototypes", ("target_prototypes", "used_prototypes", "cell_target_prototypes")),
    ("leave-one-subject kNN accuracy", ("knn",)),
    ("feature rank (RankMe)", ("rank",)),
)
NAMES = {
    "glcl": "GLCL",
    "mfp": "MFP",
    "koleo": "KoLeo",
    "target_prototypes": "per target",
    "used_prototypes": "in use",
    "cell_target_prototypes": "per token",
    "knn": "kNN",
    "rank": "rank",
}


@styled
def losses(metrics: pd.DataFrame, smooth: int = 25) -> Figure:
    """A run's metrics: losses and prototypes (a running median over `smooth` steps), leave-one-subject kNN, feature rank."""
    fig, axes = figure(7.2, 3.8, 2, 2, sharex=True)
    for ax, (title, columns) in zip(axes.flat, CURVES, strict=True):
        for i, name in enumerate(c for c in columns if c in metrics):
            line = metrics[["step", name]].dropna()
            if len(line) == len(metrics) and smooth > 1:
                ax.plot(line["step"], line[name], color=colour(i), linewidth=0.4, alpha=0.3)
                median = pd.Series(line[name]).rolling(smooth, min_periods=1, center=True).median()
                ax.plot(line["step"], median, color=colour(i), label=NAMES[name])
            else:
                ax.plot(line["step"], line[name], color=colour(i), marker="o", markersize=3, label=NAMES[name])
        if "glcl" in columns and "glcl_over_lnk" in metrics and len(metrics):
            chance = float(metrics["glcl"].iloc[0] / metrics["glcl_over_lnk"].iloc[0])
            ax.axhline(chance, color="0.6", linestyle=":", linewidth=1)
            where = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom", "fontsize": 7}
            ax.annotate("ln K: nothing learned", (1, chance), **where)
        ax.set_title(title, loc="left")
        if len(columns) > 1 and any(c in metrics for c in columns):
            ax.legend(
                frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderpad=0, columnspacing=1, handlelength=1
            )
        low, high = ax.get_ylim()
        ax.set_ylim(min(0, low), high + 0.08 * (high - min(0, low)))
    for ax in axes[1]:
        ax.set_xlabel("step")
    fig.data = metrics  # type: ignore[attr-defined]
    return fig


@styled
def embedding(
    projection: Projection,
    features: Features,
    by: str | Sequence | np.ndarray = "label_name",
    title: str | None = None,
) -> Figure:
    """The plane of a projection; its quality stands above it.

    by  a column of the features' table ("label_name", "subject", "camera"), or a value a clip, such as hit or miss
    """
    column = by if isinstance(by, str) else "group"
    values = features.table[by].to_numpy() if isinstance(by, str) else np.asarray(by)
    groups = list(pd.unique(np.sort(values)))
    wide = len(groups) > 12
    fig, ax = figure(6.8 if wide else 5.4, 4.2)
    small = 12 if len(values) < 3000 else 3
    for i, group in enumerate(groups):
        x, y = projection.xy[values == group].T
        look = {"s": small, "color": colour(i), "marker": MARKERS[(i // 8) % len(MARKERS)], "rasterized": len(values) > 5000}
        ax.scatter(x, y, label=str(group), linewidths=0, alpha=0.8, **look)
    ax.legend(
        frameon=False, fontsize=6.5, loc="center left", bbox_to_anchor=(1, 0.5), ncols=2 if wide else 1, markerscale=12 / small
    )
    ax.set_title(f"{title or projection.method.upper()}\n{quality_line(projection.quality)}", loc="left", fontsize=7)
    axis = "component" if projection.method == "pca" else "axis"
    ax.set(xticks=[], yticks=[], aspect="equal", xlabel=f"{axis} 1", ylabel=f"{axis} 2")
    fig.data = pd.DataFrame({"clip": features.table["clip"], column: values, "x": projection.xy[:, 0], "y": projection.xy[:, 1]})  # type: ignore[attr-defined]
    return fig


def quality_line(quality: dict[str, float]) -> str:
    """A projection's quality in words; label agreement beside that of the features and of shuffled labels."""
    words = []
    if "explained" in quality:
        words.append(f"{quality['explained']:.0%} of the variance")
    if "trustworthiness" in quality:
        words.append(f"trustworthiness {quality['trustworthiness']:.2f}, {quality['neighbours_kept']:.0%} of neighbors kept")
    if "label_agreement" in quality:
        plane, features, chance = (quality[k] for k in ("label_agreement", "of_features", "of_chance"))
        words.append(f"same label among neighbors {plane:.2f} (features {features:.2f}, shuffled {chance:.2f})")
    return ", ".join(words)


@styled
def confusion(result: Result, names: Sequence[str], title: str | None = None) -> Figure:
    """Rows: the true class; columns: the predicted one; shade: share of the row. Counts are written in cells.

    Where a name is longer than 20 characters, columns have numbers, which stand behind the names of the rows.
    """
    counts = result.confusion
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = len(counts)
    labels = [str(n) for n in list(names)[:size]]
    longest = max(map(len, labels), default=0)
    numbered = longest > LONG_NAME
    fig, ax = figure((1.0 + 0.07 * longest if numbered else 1.9) + 0.24 * size, (0.9 if numbered else 1.5) + 0.24 * size)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts > 0):
        shade = "white" if share[row, column] > 0.55 else "0.25"
        ax.text(column, row, counts[row, column], ha="center", va="center", fontsize=6, color=shade)
    columns = list(range(1, size + 1)) if numbered else labels
    ax.set_xticks(range(size), list(map(str, columns)), rotation=0 if numbered else 90, fontsize=7)
    ax.set_yticks(range(size), [f"{n}  {c}" for n, c in zip(labels, columns, strict=True)] if numbered else labels, fontsize=7)
    ax.set(xlabel="predicted", ylabel="true")
    ax.set_title(f"{title or 'confusion'}: accuracy {result.accuracy:.3f}", loc="left")
    fig.data = pd.DataFrame(counts, columns=labels).assign(true=labels)  # type: ignore[attr-defined]
    return fig
