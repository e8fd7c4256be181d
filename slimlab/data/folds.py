"""More ways to train and test than one split: every subject once, k folds of subjects."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from slimlab.data.errors import DataError
from slimlab.data.splits import checked
from slimlab.data.store import ClipStore

KINDS = {"subject": "subject", "camera": "camera", "setup": "setup"}


def leave_one_out(store: ClipStore, column: str = "subject", allow: str = "") -> Iterator[tuple[ClipStore, ClipStore]]:
    """(train, test) for every subject (or "camera", "setup") in turn, who tests alone.

    Raises DataError where the column is unknown for a clip, has one value, or a copy lies on both sides (allow="duplicates").
    """
    values = _known(store, column)
    if len(np.unique(values)) < 2:
        raise DataError(f"{store.source}: one {KINDS[column]}, so nobody would be left to train on")
    for value in np.unique(values):
        yield checked(store[values != value], store[values == value], f"leave out {KINDS[column]} {value}", (), {allow})


def folds(store: ClipStore, k: int = 5, seed: int = 0, allow: str = "") -> Iterator[tuple[ClipStore, ClipStore]]:
    """(train, test) k times; every subject tests in one fold, with all clips. Folds are about equally large.

    Raises DataError where a subject is unknown, there are fewer than k, or a copy lies on both sides (allow="duplicates").
    """
    subjects = _known(store, "subject")
    people, counts = np.unique(subjects, return_counts=True)
    if not 2 <= k <= len(people):
        raise DataError(f"{store.source}: {k} folds of {len(people)} subjects; give 2 to {len(people)}")
    shuffled = np.random.default_rng(seed).permutation(len(people))
    size, fold_of = np.zeros(k, dtype=int), {}
    for i in shuffled[np.argsort(-counts[shuffled], kind="stable")]:  # the largest first, each into the smallest fold
        fold_of[people[i]] = int(np.argmin(size))
        size[fold_of[people[i]]] += counts[i]
    fold = np.array([fold_of[s] for s in subjects])
    for number in range(k):
        yield checked(store[fold != number], store[fold == number], f"fold {number + 1} of {k}", (), {allow})


def _known(store: ClipStore, column: str) -> np.ndarray:
    if column not in KINDS:
        raise DataError(f"column '{column}' makes no folds; choose one of {', '.join(KINDS)}")
    values = store.column(column)
    if (values < 0).any():
        raise DataError(f"{store.source}: clip '{store.column('clip')[int(np.argmax(values < 0))]}' has no known {column}")
    return values
