"""Robustness and few labels as curves: the encoder beside its controls."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.plot.style import MARKERS, colour, figure, styled


@styled
def robustness(table: pd.DataFrame, classifier: str | None = None) -> Figure:
    """A panel for each corruption of an `evaluate.robustness` table: accuracy over severity, one line each for the features,
    with the interval over subjects as a band where the table has one.

    classifier  "kNN" or "probe"; None: the table's first. Raises ValueError where the table has no rows of it
    """
    chosen, classifier = _of(table, classifier)
    names = list(dict.fromkeys(chosen["corruption"]))
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    fig, axes = figure(2.5 * columns + 0.3, 2.1 * rows + 0.5, rows, columns, sharey=True, squeeze=False)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for ax, name in zip(axes.flat, names, strict=False):
        part = pd.DataFrame(chosen[chosen["corruption"] == name])
        for i, (features, line) in enumerate(part.groupby("features", sort=False)):
            x = range(len(line))  # severities stand at equal distances: they are steps, not a scale
            ax.plot(x, line["accuracy"], color=colour(i), marker=MARKERS[i], markersize=3.5, linewidth=1.2, label=str(features))
            if not line["low"].hasnans:
                ax.fill_between(x, line["low"], line["high"], color=colour(i), alpha=0.12, linewidth=0)
            ax.set_xticks(list(x), [f"{v:g}" for v in line["severity"]])
        ax.set_title(name, loc="left")
        ax.set_xlabel(part["unit"].iloc[0])
        ax.set_ylim(0, 1)
    for ax in axes[:, 0]:
        ax.set_ylabel(f"accuracy ({classifier})")
    _legend(fig, axes.flat[0])
    fig.data = chosen  # type: ignore[attr-defined]
    return fig


@styled
def label_curve(table: pd.DataFrame, classifier: str | None = None) -> Figure:
    """An `evaluate.label_curve` table: accuracy over labelled clips (log), mean over seeds, bars: lowest and highest seed."""
    chosen, classifier = _of(table, classifier)
    fig, ax = figure(5.2, 3.0)
    ax.set_xscale("log")
    for i, (features, part) in enumerate(chosen.groupby("features", sort=False)):
        line = part.groupby("labels", sort=False).agg(
            clips=("label_clips", "mean"), mean=("accuracy", "mean"), low=("accuracy", "min"), high=("accuracy", "max")
        )
        line = line.sort_values("clips")
        spread = [
            (line["mean"] - line["low"]).clip(lower=0),
            (line["high"] - line["mean"]).clip(lower=0),
        ]  # of equal seeds: -1e-17
        look = {"color": colour(i), "marker": MARKERS[i], "markersize": 4, "linewidth": 1.2, "capsize": 2}
        ax.errorbar(line["clips"] * (1 + 0.012 * i), line["mean"], yerr=spread, label=str(features), **look)
    ticks: dict[float, list[str]] = {}  # amounts that come to the same number of clips share a tick
    for words, part in chosen.groupby("labels", sort=False):
        ticks.setdefault(float(np.mean(part["label_clips"])), []).append(str(words))
    ax.set_xticks(list(ticks), [f"{clips:.0f}\n{', '.join(words)}" for clips, words in ticks.items()])
    ax.minorticks_off()
    seeds = len(set(chosen["seed"]))
    ax.set(xlabel="labelled training clips", ylabel=f"accuracy ({classifier})", ylim=(0, 1))
    ax.set_title(f"mean over {seeds} seeds, bars: lowest and highest" if seeds > 1 else "one seed", loc="left")
    _legend(fig, ax)
    fig.data = chosen  # type: ignore[attr-defined]
    return fig


def _of(table: pd.DataFrame, classifier: str | None) -> tuple[pd.DataFrame, str]:
    classifier = classifier or str(table["classifier"].iloc[0])
    chosen = pd.DataFrame(table[table["classifier"] == classifier])
    if not len(chosen):
        raise ValueError(f"the table has no rows of '{classifier}'; it has {', '.join(dict.fromkeys(table['classifier']))}")
    return chosen, classifier


def _legend(fig: Figure, ax) -> None:
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
