"""What an encoder needs, in figures: what hiding each unit changes, and what kNN loses without it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.analysis import Occlusion
from slimlab.plot.style import colour, figure, styled

MOST = 40  # bars that can be read


@styled
def occlusion(found: Occlusion, title: str | None = None) -> Figure:
    """A bar for each unit (`analysis.occlude`): the mean change of the features; a cross: as many random tokens hidden.

    Of more than 40 units, the 40 whose hiding changes most are shown.
    """
    table = found.table()
    if len(table) > MOST:
        table = table.iloc[np.sort(np.argsort(-table["change"].to_numpy(), kind="stable")[:MOST])]
    fig, ax = figure(4.2, 0.8 + 0.2 * len(table))
    at = np.arange(len(table))
    ax.barh(at, table["change"], color=colour(0), height=0.7, label="this unit hidden")
    ax.plot(table["control"], at, "x", color=colour(1), markersize=5, label="as many random tokens")
    ax.set_yticks(at, table["unit"])
    ax.invert_yaxis()
    ax.set(xlabel="change of the features (cosine distance)", xlim=(0, None))
    ax.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.55 / (0.3 + 0.2 * len(table))), ncols=2)
    ax.set_title(title or f"mean over {len(found.change)} clip{'s' * (len(found.change) != 1)}", loc="left")
    fig.data = table  # type: ignore[attr-defined]
    return fig


@styled
def ablation(table: pd.DataFrame, title: str | None = None) -> Figure:
    """What kNN loses without each part (`analysis.ablate`), the given encoder beside the untrained one.

    Bars: interval over subjects (bootstrap, 95 %); a cross: as many random tokens hidden.
    """
    encoders: list[str] = list(dict.fromkeys(table["encoder"]))
    whats = table.loc[table["encoder"] == encoders[0], ["by", "what"]]
    fig, ax = figure(5.2, 1.0 + 0.2 * len(whats))
    for i, encoder in enumerate(encoders):
        own: Any = table[table["encoder"] == encoder].set_index(["by", "what"]).loc[list(map(tuple, whats.to_numpy()))]
        at = np.arange(len(own)) + 0.25 * (i - (len(encoders) - 1) / 2)
        error = np.abs(np.stack([own["lost"] - own["low"], own["high"] - own["lost"]]))
        ax.errorbar(own["lost"], at, xerr=error, fmt="o", markersize=3.5, color=colour(i), capsize=2, linewidth=1, label=encoder)
        ax.plot(own["control"], at, "x", color=colour(i), markersize=4, alpha=0.7)
    ax.axvline(0, color="0.6", linewidth=0.8)
    ax.set_yticks(np.arange(len(whats)), [f"{what}" for what in whats["what"]])
    ax.invert_yaxis()
    ax.set(xlabel="accuracy of kNN that is lost")
    ax.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.55 / (0.3 + 0.2 * len(whats))), ncols=2)
    ax.set_title(title or "crosses: as many random tokens hidden", loc="left")
    fig.data = table  # type: ignore[attr-defined]
    return fig
