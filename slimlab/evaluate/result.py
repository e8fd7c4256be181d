"""What a classifier's evaluation returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from slimlab.data import DataError


@dataclass(frozen=True)
class Result:
    """accuracy in 0..1; per_class (C,) recall, NaN without test clips; confusion (C, C) counts, rows true, columns
    predicted; predictions, labels (N,) int64; neighbours (N, k) int64, rows of the training features (kNN alone);
    scores (N, C) logits: their softmax over the classes are the classifier's probabilities."""

    accuracy: float
    per_class: np.ndarray
    confusion: np.ndarray
    predictions: Tensor
    labels: Tensor
    neighbours: Tensor | None = None
    scores: Tensor | None = None

    def __repr__(self) -> str:
        return f"Result(accuracy {self.accuracy:.3f}, {len(self.labels)} clips, {len(self.per_class)} classes)"

    def clips(self, true: int | None = None, predicted: int | None = None) -> np.ndarray:
        """Rows of the test features behind a number: one cell of the confusion matrix; with `true` alone a class, with
        `predicted` alone what was taken for it; with neither, every clip that was taken for another class."""
        labels, predictions = self.labels.numpy(), self.predictions.numpy()
        if true is None and predicted is None:
            return np.flatnonzero(labels != predictions)
        chosen = np.ones(len(labels), dtype=bool) if true is None else labels == true
        return np.flatnonzero(chosen if predicted is None else chosen & (predictions == predicted))

    def table(self, names: Sequence[str] = ()) -> pd.DataFrame:
        """One line a class: class, clips, recall, precision, f1 (scikit-learn's; NaN where a class has no clips, or, for
        precision, was never predicted), taken_for (the class it is mistaken for most, "" for none), times.
        names: of the classes 0..C-1, else their numbers."""
        names = [str(n) for n in names] or [str(c) for c in range(len(self.per_class))]
        clips, taken = self.confusion.sum(axis=1), self.confusion.sum(axis=0)
        hits = self.confusion.diagonal()
        wrong = self.confusion - np.diag(hits)
        worst, times = wrong.argmax(axis=1), wrong.max(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            columns = {"recall": hits / clips, "precision": hits / taken, "f1": 2 * hits / (clips + taken)}
        columns["f1"] = np.where(clips > 0, columns["f1"], np.nan)
        about = {"class": names[: len(clips)], "clips": clips}
        mistaken = [names[w] if n else "" for w, n in zip(worst, times, strict=True)]
        return pd.DataFrame(about | columns | {"taken_for": mistaken, "times": times})


def score(
    predictions: Tensor, labels: Tensor, classes: int, neighbours: Tensor | None = None, scores: Tensor | None = None
) -> Result:
    """Compare predictions (N,) with labels (N,)."""
    confusion = torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, classes).numpy()
    total = confusion.sum(axis=1)
    per_class = np.where(total > 0, confusion.diagonal() / np.maximum(total, 1), np.nan)
    accuracy = float((predictions == labels).double().mean())
    return Result(accuracy, per_class, confusion, predictions, labels, neighbours, scores)


def check_finite(x: Tensor, table: pd.DataFrame | None, side: str) -> None:
    """Raises DataError that names the first clip of features x (N, F) with a number that is NaN or infinite.

    table  a line per row of x, its column `clip` the names; without it the row is named
    """
    bad = np.flatnonzero(~x.isfinite().all(dim=1).cpu().numpy())
    if len(bad):
        first = f"clip {table['clip'].iloc[bad[0]]}" if table is not None and "clip" in table else f"row {bad[0]}"
        raise DataError(
            f"the {side} features of {first} are not finite ({len(bad)} such clips of {len(x)}); look at the clip "
            "(slimlab.data.report) and at the encoder's weights, or leave it out"
        )


def labelled(train, test) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """(train x, labels, test x, labels, classes) of two `Features`. Raises DataError where labels lack, widths
    differ or a feature is not finite."""
    out = []
    for side, f in (("training", train), ("test", test)):
        x, labels = torch.as_tensor(f.x).float(), torch.as_tensor(f.labels).long()
        if len(x) == 0:
            raise DataError(f"the {side} features are empty; nothing can be evaluated")
        if int(labels.min()) < 0:
            raise DataError(f"{int((labels < 0).sum())} of {len(labels)} {side} clips have no label; leave them out")
        check_finite(x, getattr(f, "table", None), side)
        out += [x, labels]
    if out[0].shape[1:] != out[2].shape[1:]:
        raise DataError(
            f"a training feature has {tuple(out[0].shape[1:])} numbers, a test feature {tuple(out[2].shape[1:])}; read both with "
            "one encoder and the same settings. Of stores opened separately one may hold more people in a clip: give the other "
            "`store.with_people(M)` with the larger of both `max_people`"
        )
    return *out, int(max(out[1].max(), out[3].max())) + 1
