"""The tables as data: titles, printed rows, and for those that slimlab trains, what each row changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from slimlab.pretrain.config import PAPER_ROTATION

SOURCE = "https://kaist-viclab.github.io/SLiM_site and the README of the authors' code, read in November 2026"
# What the rows of tables 4, 5a and 5b have in common: masks on both branches, all augmentations.
COMMON: dict[str, Any] = {
    "masking": "semantic_tubes",
    "mask_ratio": (0.5, 0.9),
    "mask_globals": 0.5,
    "mask_locals": True,
    "masking_locals": None,
    "mask_ratio_locals": None,
    "augment_probability": 0.5,
    "mirror": True,
    "scaling": "bones",
    "bone_scale": (0.85, 1.15),
    "rotation": PAPER_ROTATION,
}
UNMASKED: dict[str, Any] = {"mask_globals": 0.0, "mfp_weight": 0.0}  # a global view without masked tokens has no MFP


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    title     what it shows
    needs     what one needs to ask the same here, in words
    rows      of a table that `run` trains: the printed row -> what it changes of `COMMON`
    baseline  the row that the others are compared with
    reading   how slimlab reads rows that the paper leaves open
    """

    title: str
    needs: str
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baseline: str = ""
    reading: str = ""


TABLES: dict[str, Table] = {
    "1": Table(
        "linear evaluation", "NTU RGB+D, PKU-MMD II and preset paper (slimlab pretrain, then evaluate.run(…, 'slim-linear'))"
    ),
    "2a": Table("few labels, fine-tuned", "an encoder (evaluate.run(…, 'slim-semi-1') and 'slim-semi-10')"),
    "2b": Table(
        "kNN with k = 1 (the paper calls it retrieval; slimlab's retrieval is mAP)", "an encoder (evaluate.run(…, 'slim-knn'))"
    ),
    "3": Table("cost of inference and of training (with table 8)", "no data (slimlab cost)"),
    "4": Table(
        "objectives",
        "recordings to pre-train and test on",
        {
            "CL": {"local_views": (), **UNMASKED},
            "GLCL": UNMASKED,
            "MFP": {"glcl_weight": 0.0},
            "MFP + CL": {"local_views": ()},
            "MFP + GLCL": {},
        },
        "MFP + GLCL",
        "CL is GLCL without views of other lengths; without MFP, global views are not masked (the printed GLCL is table 5a's "
        "none / STM).",
    ),
    "5a": Table(
        "masks of the global and of the local branch",
        "recordings to pre-train and test on",
        {
            "none / STM": UNMASKED,
            "limited / STM": {"masking": "random_cells", "masking_locals": "semantic_tubes"},
            "STM / none": {"mask_locals": False},
            "STM / limited": {"masking_locals": "random_cells"},
            "STM / STM, 90 %": {"mask_ratio": 0.9},
            "STM / STM, 0 to 50 %": {"mask_ratio": (0.0, 0.5)},
            "STM / STM, 50 to 90 %": {},
        },
        "STM / STM, 50 to 90 %",
        "Limited masks hide independent joints instead of tubes; slimlab hides random tokens.",
    ),
    "5b": Table(
        "augmentations",
        "recordings to pre-train and test on, in which left and right are not different classes",
        {
            "rotation: none": {"rotation": 0.0},
            "rotation: limited": {"rotation": (math.pi / 6,) * 3},
            "mirroring: none": {"mirror": False},
            "mirroring: limited": {"mirror": "joints"},
            "scaling: none": {"bone_scale": (1.0, 1.0)},
            "scaling: limited": {"scaling": "axes"},
            "all three": {},
        },
        "all three",
        "Limited rotation is 30 degrees about every axis, limited mirroring swaps the joints and no axis, limited scaling has "
        "one factor an axis.",
    ),
    "7": Table(
        "budgets of 8, 15 and 30 time steps", "recordings of 120 frames: global_frames and patch_frames of pretrain.Config"
    ),
    "9": Table("transfer to PKU-MMD II", "weights from NTU RGB+D: evaluate.transfer"),
    "10": Table(
        "what is predicted at masked tokens, all else alike", "preset paper on NTU-60; slimlab trains the last row alone"
    ),
    "11a": Table("missing joints and noise at test time", "a run: slimlab robustness RUN DATA"),
    "11b": Table("how a missing joint is given", "a run: slimlab robustness RUN DATA"),
}
TRAINED = [name for name, table in TABLES.items() if table.rows]


def published(table: str) -> pd.DataFrame:
    """The printed figures, a line for each row: accuracy in % (GFLOPs, frames and batch where the column says so).

    What was not printed is NaN. Raises ValueError for a table that is not there.
    """
    check(table)
    long = pd.read_csv(Path(__file__).with_name("published.csv"), dtype={"table": str})
    mine: Any = long[long["table"] == table]
    wide = mine.pivot(index="row", columns="column", values="value")
    wide = wide.loc[list(dict.fromkeys(mine["row"])), list(dict.fromkeys(mine["column"]))]
    return wide.rename_axis(index=None, columns=None)


def check(table: str, among: Any = None) -> None:
    """Raises ValueError, naming those there are, for another table."""
    known = list(among or TABLES)
    if table not in known:
        raise ValueError(f"table '{table}' is not among {', '.join(known)}")
