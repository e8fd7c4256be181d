"""Which training clips serve what: batches, the few that keep their label, the performers held out to choose by."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral

import numpy as np
import pandas as pd
import torch

from slimlab.data import ClipStore, DataError


def with_labels(train: ClipStore, test: ClipStore, amount: float | int = 1.0, seed: int = 0) -> ClipStore:
    """The training clips that keep their label: all (1.0), or `few_labels`.

    Raises DataError where a test clip has no label, or where all labels are asked for and a training clip has none.
    """
    everything = isinstance(amount, float) and amount == 1.0
    for side, store in (("training", train), ("test", test)):
        unknown = int((store.labels < 0).sum())
        if unknown == len(store):
            raise DataError(f"{store.source}: the {side} side has no labelled clips; nothing can be evaluated")
        if unknown and (everything or side == "test"):
            raise DataError(f"{store.source}: {unknown} of {len(store)} {side} clips have no label; leave them out")
    return train if everything else train[few_labels(train, amount, seed)]


def batches(clips: int, batch: int, steps: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """`steps` times `batch` positions (int64) in 0..clips-1: every clip once an epoch, epochs without a seam between them."""
    waiting = torch.zeros(0, dtype=torch.int64)
    for _ in range(steps):
        while len(waiting) < batch:
            waiting = torch.cat([waiting, torch.randperm(clips, generator=generator)])
        yield waiting[:batch].numpy()
        waiting = waiting[batch:]


def few_labels(labels, amount: float | int, seed: int = 0) -> np.ndarray:
    """Positions (sorted) of the clips that keep their label; the same seed gives the smaller subset inside the larger one.

    labels  (N,), or a store; clips without label (-1) are never chosen
    amount  a float: this part of every class, at least 1 clip (SLiM, arXiv 2603.10648, section 4: 0.01 and 0.1);
            an int: so many clips of every class, all where there are fewer
    Raises ValueError where the amount is not positive, or a part above 1.
    """
    labels = np.asarray(labels.labels if isinstance(labels, ClipStore) else labels)
    if amount <= 0 or (amount > 1 and not isinstance(amount, Integral)):
        raise ValueError(f"labels is {amount}; give a part in 0..1 as a float (0.1), or clips per class as an int (5)")
    rng, chosen = np.random.default_rng(seed), []
    order = rng.permutation(len(labels))
    for label in np.unique(labels[labels >= 0]):
        of_class = order[labels[order] == label]
        count = int(amount) if isinstance(amount, Integral) else max(1, round(amount * len(of_class)))
        chosen.append(of_class[:count])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)


def held_out(table: pd.DataFrame | None, clips: int) -> tuple[np.ndarray, str]:
    """(clips,) bool, what is held out of the training side to choose by, and its name.

    A fifth of the performers (at least one), the last by number: "held-out performers". Where performers are unknown, or there
    is just one: every fifth clip, "held-out clips".
    """
    subjects = np.full(clips, -1) if table is None or "subject" not in table else np.asarray(table["subject"])
    performers = np.unique(subjects)
    if (subjects < 0).any() or len(performers) < 2:
        return np.arange(clips) % 5 == 4, "held-out clips"
    return np.isin(subjects, performers[-max(1, len(performers) // 5) :]), "held-out performers"
