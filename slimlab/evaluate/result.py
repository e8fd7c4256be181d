"""What a classifier's evaluation returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
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

    def clips(self, true: int, predicted: int) -> np.ndarray:
        """Rows of the test features in one cell of the confusion matrix."""
        return np.flatnonzero((self.labels == true).numpy() & (self.predictions == predicted).numpy())


def score(
    predictions: Tensor, labels: Tensor, classes: int, neighbours: Tensor | None = None, scores: Tensor | None = None
) -> Result:
    """Compare predictions (N,) with labels (N,)."""
    confusion = torch.bincount(labels * classes + predictions, minlength=classes**2).view(classes, classes).numpy()
    total = confusion.sum(axis=1)
    per_class = np.where(total > 0, confusion.diagonal() / np.maximum(total, 1), np.nan)
    accuracy = float((predictions == labels).double().mean())
    return Result(accuracy, per_class, confusion, predictions, labels, neighbours, scores)


def labelled(train, test) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """(train x, labels, test x, labels, classes) of two `Features`. Raises DataError where labels are missing."""
    out = []
    for side, f in (("training", train), ("test", test)):
        x, labels = torch.as_tensor(f.x).float(), torch.as_tensor(f.labels).long()
        if len(x) == 0:
            raise DataError(f"the {side} features are empty; nothing can be evaluated")
        if int(labels.min()) < 0:
            raise DataError(f"{int((labels < 0).sum())} of {len(labels)} {side} clips have no label; leave them out")
        out += [x, labels]
    return *out, int(max(out[1].max(), out[3].max())) + 1
