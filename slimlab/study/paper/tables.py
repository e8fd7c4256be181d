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
SCORES = ("knn", "probe")  # of frozen features
NO_ACCURACY = ("frames", "frames a token", "GFLOPs")  # printed columns
WHOLE: Mapping[str, Mapping[str, Any]] = {"SLiM": {}}


@dataclass(frozen=True)
class Table:
    """A table of the paper.

    title     what it shows
    needs     what one needs to ask the same here, in words
    rows      SLiM's rows that `run` trains: the printed row -> what it changes of `COMMON` and `shared`
    shared    what these rows have in common beyond `COMMON`
    masked    rows that the masked autoencoder trains -> what they change of its settings (`planned`)
    targets   whether a row changes what is predicted at masked tokens (`slimlab.baselines.matched`)
    faults    printed rows that are one run on worse and worse clips -> corruption and severity (`evaluate.corruption`)
    measured  what `run` measures of each row; the last one decides about the printed order
    baseline  the row that the others are compared with
    reading   how slimlab reads what the paper leaves open
    """

    title: str
    needs: str
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baseline: str = ""
    reading: str = ""
    shared: Mapping[str, Any] = field(default_factory=dict)
    masked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    targets: bool = False
    faults: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    measured: tuple[str, ...] = SCORES


MAMP = "MAMP is slimlab's masked autoencoder of its kind, at the size and with the steps and batches of SLiM's row."
MISSING = "missing joints"  # of evaluate.corruption
TABLES: dict[str, Table] = {
    "1": Table(
        "linear evaluation",
        "recordings to pre-train and test on, or weights",
        WHOLE,
        "SLiM",
        MAMP,
        masked={"MAMP": {}},
        measured=("linear protocol",),
    ),
    "2a": Table(
        "few labels, fine-tuned",
        "recordings to pre-train and test on, or weights",
        WHOLE,
        "SLiM",
        f"{MAMP} The seed also chooses the clips that keep their label.",
        masked={"MAMP": {}},
        measured=("1 clip a class", "2 clips a class", "5 clips a class", "10 %", "mean"),
    ),
    "2b": Table(
        "kNN with k = 1 (the paper calls it retrieval; slimlab's retrieval is mAP)",
        "recordings to pre-train and test on, or weights",
        WHOLE,
        "SLiM",
        MAMP,
        masked={"MAMP": {}},
        measured=("kNN, k = 1",),
    ),
    "3": Table("cost of inference and of training (with table 8)", "nothing: it is counted"),
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
        "budgets of 8, 15 and 30 time steps",
        "recordings of 120 frames or more to pre-train and test on",
        {"SLiM-8, batch 768": {}, "SLiM-15": {"global_frames": 120}, "SLiM-30": {"global_frames": 120, "patch_frames": 4}},
        "SLiM-8, batch 768",
        f"All of SLiM's rows have one batch size, that of the preset; batch 384 is printed alone. {MAMP}",
        shared={"global_frames": 64, "patch_frames": 8},
        masked={"MAMP-8": {}, "MAMP-15": {"frames": 120}, "MAMP-30": {"frames": 120, "patch_frames": 4}},
    ),
    "9": Table(
        "transfer to other recordings",
        "recordings to pre-train on (--source) or weights, and others to test on",
        WHOLE,
        "SLiM",
        f"{MAMP} Linear protocol; nothing but the classifier is trained on the recordings that are tested.",
        masked={"MAMP": {}},
        measured=("linear protocol",),
    ),
    "10": Table(
        "what is predicted at masked tokens, all else alike",
        "recordings to pre-train and test on",
        {
            "coordinates, MSE, decoder of five blocks": {"predicts": "coordinates"},
            "teacher's features, MSE": {"predicts": "features"},
            "teacher's features, MSE, predictor": {"predicts": "features, predictor"},
            "teacher's prototypes, cross-entropy": {},
        },
        "teacher's prototypes, cross-entropy",
        "Features are the embedding of the teacher's token head, of unit length. The four losses have one and the same weight, "
        "mfp_weight; which weights the paper compared them with is not known.",
        targets=True,
    ),
    "11a": Table(
        "missing joints and noise at test time",
        "recordings to pre-train and test on, or weights",
        WHOLE,
        "clean",
        "A draw of joints or noise for each seed; missing joints are declared.",
        faults={
            "clean": (MISSING, 0.0),
            "3 of 25 joints missing": (MISSING, 3 / 25),
            "5 of 25 joints missing": (MISSING, 5 / 25),
            "8 of 25 joints missing": (MISSING, 8 / 25),
            "noise of .01 bone lengths": ("noise", 0.01),
            "noise of .03 bone lengths": ("noise", 0.03),
            "noise of .05 bone lengths": ("noise", 0.05),
        },
    ),
    "11b": Table(
        "how a missing joint is given",
        "recordings to pre-train and test on, or weights",
        WHOLE,
        "declared, as mask token",
        "Linear probe; a draw of joints for each seed, the same for all three rows. Of bodies with fewer joints, the same part.",
        faults={
            "declared, as mask token": (MISSING, math.nan),
            "at the parent's place": (f"{MISSING}, parent's place", math.nan),
            "zeros": (f"{MISSING}, zeros", math.nan),
        },
        measured=("3 of 25 missing", "5 of 25 missing", "8 of 25 missing", "mean"),
    ),
}
TRAINED = [name for name, table in TABLES.items() if table.rows]


def accuracies(table: str) -> pd.DataFrame:
    """Those printed figures of `published` that are accuracies."""
    return published(table).drop(columns=list(NO_ACCURACY), errors="ignore")


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
