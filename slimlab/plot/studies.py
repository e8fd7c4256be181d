"""Figures of a study: every variant with the interval over subjects and its seeds, beside the controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from slimlab.plot.style import MARKERS, colour, figure, styled
from slimlab.study.paper import TABLES, Comparison, accuracies
from slimlab.study.report import CONTROLS, SCORES, TITLES, fields, summary

DASHES = ((0, (1, 1)), (0, (5, 2)), (0, (5, 1, 1, 1)), (0, (3, 3)))


@styled
def study(
    table: pd.DataFrame,
    x: str | None = None,
    hue: str | None = None,
    scores: Sequence[str] = SCORES,
    level: float = 0.95,
    names: Mapping[str, str] | None = None,
) -> Figure:
    """A sweep's table, a panel a score: mean over seeds, bar: interval over subjects (bootstrap, `level`), small dots: seeds.

    x    a field of numbers to stand on the axis, such as "mask_ratio"; variants without a number there, and the controls, become
         horizontal lines. None: one line of the figure for each variant
    hue  another field, such as "masking": a line in the figure for each of its values
    names  variant or value -> what to call it
    Raises ValueError for fields that the variants do not differ in. The figure's data is `study.summary`.
    """
    for field in (x, hue):
        if field is not None and field not in fields(table):
            raise ValueError(
                f"study: the variants do not differ in '{field}'; they do in {', '.join(fields(table)) or 'nothing'}"
            )
    variants, named = summary(table, scores, level), dict(names or {})
    if x is None:
        fig, axes = figure(2.6 + 2.3 * len(scores), 0.9 + 0.2 * len(variants), 1, len(scores), sharey=True, squeeze=False)
        for ax, score in zip(axes[0], scores, strict=True):
            _forest(ax, table, variants, score, named)
    else:
        fig, axes = figure(0.6 + 2.9 * len(scores), 3.4, 1, len(scores), sharey=True, squeeze=False)
        for ax, score in zip(axes[0], scores, strict=True):
            _lines(ax, table, variants, score, x, hue, named)
        axes[0, 0].set_ylabel("accuracy, test subjects")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=min(3, len(labels)), frameon=False)
    for ax, score in zip(axes[0], scores, strict=True):
        ax.set_title(TITLES.get(score, score), loc="left")
    fig.data = variants  # type: ignore[attr-defined]
    return fig


@styled
def paper_table(found: Comparison) -> Figure:
    """A table of the paper beside what was measured, a line each row: the printed accuracies left, those measured right.

    Bars: interval over subjects (bootstrap, 95 %), as `study.paper.run` gives it. The figure's data are the rows.
    """
    rows, printed = found.rows, list(accuracies(found.table).columns)
    fig, axes = figure(6.8, 1.1 + 0.22 * len(rows), 1, 2, sharey=True)
    at = np.arange(len(rows))
    for i, column in enumerate(printed):
        axes[0].plot(rows[column], at, MARKERS[i], color=colour(i), markersize=4, label=column)
    shown = [score for score in found.scores if score in rows]
    for i, score in enumerate(shown):
        place = at + 0.16 * (i - (len(shown) - 1) / 2)
        look = {"color": colour(i + len(printed)), "fmt": MARKERS[i], "markersize": 4, "capsize": 2, "linewidth": 1}
        axes[1].errorbar(rows[score], place, xerr=_bars(rows, score), label=TITLES.get(score, score), **look)
    axes[0].set_yticks(at, rows["row"])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    axes[0].set(xlabel="printed, top-1 in %")
    axes[1].set(xlabel="measured here, accuracy on test subjects")
    for ax in axes:
        ax.grid(axis="x", color="0.9", linewidth=0.6)
        ax.legend(frameon=False, fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.28 - 0.6 / len(rows)), ncols=2)
    fig.suptitle(f"table {found.table}: {TABLES[found.table].title}", fontsize=9)
    fig.data = rows  # type: ignore[attr-defined]
    return fig


def _lines(
    ax: Axes, table: pd.DataFrame, variants: pd.DataFrame, score: str, x: str, hue: str | None, named: dict[str, str]
) -> None:
    place: Any = pd.to_numeric(variants[x], errors="coerce")
    on_axis = variants[place.notna()].assign(place=place)
    beside: Any = variants[place.isna()]  # pandas is loosely typed here
    groups = list(on_axis.groupby(hue, sort=False)) if hue else [("", on_axis)]
    places = sorted(set(on_axis["place"].tolist()))
    octaves = len(places) > 2 and places[0] > 0 and places[-1] / places[0] >= 8  # 1, 2, 4, 8: a logarithmic axis
    to, back = (np.log2, np.exp2) if octaves else (np.asarray, np.asarray)
    width = 0.03 * float(np.ptp(to(places)) or 1.0)
    for i, (value, lines) in enumerate(groups):
        lines = lines.sort_values("place")
        at = back(to(lines["place"].to_numpy(float)) + width * (i - (len(groups) - 1) / 2))
        look = {"color": colour(i), "marker": MARKERS[i], "markersize": 4.5, "linewidth": 1.2, "capsize": 2}
        ax.errorbar(at, lines[score], yerr=_bars(lines, score), label=named.get(str(value), str(value).replace("_", " ")), **look)
        for where, variant in zip(at, lines["variant"], strict=True):
            seeds = table.loc[table["variant"] == variant, score].to_numpy(float)
            ax.plot(np.full(len(seeds), where), seeds, "o", color=colour(i), markersize=2, alpha=0.5, linestyle="none")
    for i, line in enumerate(beside.to_dict("records")):
        ax.axhline(
            float(line[score]),
            color="0.35",
            linewidth=1,
            linestyle=DASHES[i % 4],
            label=named.get(str(line["variant"]), str(line["variant"])),
        )
    ax.set_xlabel(x.replace("_", " "))
    if octaves:
        ax.set_xscale("log", base=2)
        ax.minorticks_off()
    ax.set_xticks(places, [f"{p:g}" for p in places])


def _forest(ax: Axes, table: pd.DataFrame, variants: pd.DataFrame, score: str, named: dict[str, str]) -> None:
    for row, line in enumerate(variants.to_dict("records")):
        control = line["variant"] in CONTROLS.values()
        look = {"color": "0.45" if control else colour(0), "marker": "s" if control else "o", "markersize": 4.5, "capsize": 2}
        ax.errorbar(line[score], row, xerr=_bars(variants.iloc[[row]], score), **look)
        seeds = table.loc[table["variant"] == line["variant"], score].to_numpy(float)
        ax.plot(seeds, np.full(len(seeds), row), "o", color=colour(0), markersize=2, alpha=0.5, linestyle="none")
    ax.set_yticks(range(len(variants)), [named.get(a, a) for a in map(str, variants["variant"])])
    ax.set_ylim(len(variants) - 0.5, -0.5)
    ax.grid(axis="x", color="0.9", linewidth=0.6)
    ax.set_xlabel("accuracy, test subjects")


def _bars(lines: pd.DataFrame, score: str) -> np.ndarray | None:
    """(2, n) below and above the mean; None where subjects are unknown. The mean over clips lies inside its interval."""
    if f"{score}_low" not in lines:
        return None
    mean = lines[score].to_numpy(float)
    return np.stack([mean - lines[f"{score}_low"], lines[f"{score}_high"] - mean]).clip(min=0)
