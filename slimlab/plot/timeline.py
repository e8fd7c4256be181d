"""A long recording in one figure: label, confidence, novelty and change over time, and the true labels where they are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.plot.style import MIDDLE, colour, figure, styled

TRUTH = "#BBBBBB"


def true_labels(times: np.ndarray, truth: pd.DataFrame) -> list[str]:
    """The label at each of these moments (seconds) by a table of segments: start, end, label_name; "" where none covers it."""
    lacking = [name for name in ("start", "end", "label_name") if name not in truth]
    if lacking:
        raise ValueError(f"truth has no column {', '.join(lacking)}; give start and end in seconds and label_name")
    begins, ends, names = (truth[name].to_numpy() for name in ("start", "end", "label_name"))
    order = np.argsort(begins, kind="stable")
    place = np.searchsorted(begins[order], np.asarray(times), side="right") - 1
    return [str(names[order[p]]) if p >= 0 and t < ends[order[p]] else "" for p, t in zip(place, times, strict=True)]


def shown_labels(table: pd.DataFrame, truth: pd.DataFrame | None = None, names: Sequence[str] = ()) -> list[str]:
    """The classes that a timeline has rows for: those of `names` that occur, then others as they come."""
    found = dict.fromkeys(name for name in table["label"] if name)
    if truth is not None:
        found |= dict.fromkeys(str(name) for name in truth["label_name"] if name)
    return [name for name in names if name in found] + [name for name in found if name not in names]


@styled
def timeline(
    table: pd.DataFrame, truth: pd.DataFrame | None = None, names: Sequence[str] = (), title: str | None = None
) -> Figure:
    """What `analysis.timeline` found: a mark for each window in its class's row, then confidence, novelty and change.

    Args:
        table: As `analysis.timeline` gives it; without a gallery there is no panel of novelty.
        truth: Segments with start and end in seconds and label_name, such as `data.concatenate` gives: gray strips in the rows.
        names: Order of the classes, such as `store.label_names`.
        title: Over the figure.

    Returns:
        The figure. Its data is the table with a column `true`, the label at each window's middle, where truth is known.

    Raises:
        ValueError: The table has no window, or truth lacks a column.
    """
    if not len(table):
        raise ValueError("timeline: no windows; give what analysis.timeline returns")
    data = table.copy()
    times = table["time"].to_numpy()
    if truth is not None:
        data.insert(2, "true", true_labels(times, truth))
    rows = shown_labels(table, truth, names)
    signals = [name for name in ("confidence", "novelty", "change") if name in table]
    heights = [0.35 + 0.17 * len(rows), *(0.62 for _ in signals)]
    fig, axes = figure(7.2, sum(heights) + 0.7, rows=len(heights), sharex=True, height_ratios=heights)
    label = axes[0]
    at = {name: row for row, name in enumerate(rows)}
    if truth is not None:
        for name, start, end in zip(truth["label_name"], truth["start"], truth["end"], strict=True):
            if name:
                label.broken_barh([(start, end - start)], (at[str(name)] - 0.42, 0.84), color=TRUTH, linewidth=0)
        label.plot([], [], color=TRUTH, linewidth=6, label="true label")
    said = table["label"].isin(rows).to_numpy()
    places = [at[name] for name in table.loc[said, "label"]]
    label.plot(times[said], places, "|", color=colour(0), markersize=5, label="label of a window")
    label.set_yticks(range(len(rows)), rows)
    label.set(ylim=(len(rows) - 0.4, -0.6), xlim=(min(0, times[0]), times[-1] + times[0]))
    label.tick_params(axis="y", labelsize=7)
    label.legend(frameon=False, fontsize=7, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0)
    for name, ax in zip(signals, axes[1:], strict=True):
        ax.plot(times, table[name], color=MIDDLE if name == "change" else colour(0), linewidth=0.7)
        ax.set_ylabel(name)
        if name != "change":
            ax.set_ylim(0, 1.04)
        else:
            peaks = table["boundary"].to_numpy(bool)
            ax.plot(times[peaks], table["change"][peaks], "v", color=colour(1), markersize=3, label="boundary")
            ax.set_ylim(0, None)
            if peaks.any():
                ax.legend(frameon=False, fontsize=7, loc="lower right", bbox_to_anchor=(1, 0.92), borderaxespad=0)
    axes[-1].set_xlabel("time (s)")
    fig.align_ylabels(axes[1:])
    if title:
        label.set_title(title, loc="left")
    fig.data = data  # type: ignore[attr-defined]
    return fig
