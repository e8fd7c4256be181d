"""Which training clips serve what: batches, the few that keep their label, the subjects held out to choose by."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from slimlab.data import ClipStore, DataError


def check_train_test(train: ClipStore, test: ClipStore) -> None:
    """Raises DataError where kNN and probe could not be evaluated on these clips: one without label, a training side with a
    single class. For callers that begin with long work."""
    with_labels(train, test)
    if len(np.unique(train.labels)) < 2:
        raise DataError(f"{train.source}: the training side has a single class; a probe needs clips of two")


def alike(train: ClipStore, test: ClipStore) -> tuple[ClipStore, ClipStore]:
    """Both stores with the larger `max_people` of the two, so that features with people side by side are equally long."""
    people = max(train.max_people, test.max_people)
    return train.with_people(people), test.with_people(people)


def with_labels(
    train: ClipStore, test: ClipStore, per_class: int | None = None, fraction: float | None = None, seed: int = 0
) -> ClipStore:
    """The training clips that keep their label: all, or with `per_class` or `fraction` those of `few_labels`.

    Raises DataError where a test clip has no label, or where all labels are asked for and a training clip has none.
    """
    everything = per_class is None and fraction is None
    for side, store in (("training", train), ("test", test)):
        unknown = int((store.labels < 0).sum())
        if unknown == len(store):
            raise DataError(f"{store.source}: the {side} side has no labelled clips; nothing can be evaluated")
        if unknown and (everything or side == "test"):
            raise DataError(
                f"{store.source}: {unknown} of {len(store)} {side} clips have no label; leave them out: store[store.labels >= 0]"
            )
    return train if everything else train[few_labels(train, per_class=per_class, fraction=fraction, seed=seed)]


def batches(clips: int, batch: int, steps: int, generator: torch.Generator) -> Iterator[np.ndarray]:
    """`steps` times `batch` positions (int64) in 0..clips-1: every clip once an epoch, epochs without a seam between them."""
    waiting = torch.zeros(0, dtype=torch.int64)
    for _ in range(steps):
        while len(waiting) < batch:
            waiting = torch.cat([waiting, torch.randperm(clips, generator=generator)])
        yield waiting[:batch].numpy()
        waiting = waiting[batch:]


def few_labels(labels, *, per_class: int | None = None, fraction: float | None = None, seed: int = 0) -> np.ndarray:
    """Positions (sorted) of the clips that keep their label; the same seed gives the smaller subset inside the larger one.

    labels     (N,), or a store; clips without label (-1) are never chosen
    per_class  so many clips of every class, all where there are fewer
    fraction   this part of every class, at least 1 clip (SLiM, arXiv 2603.10648, section 4: 0.01 and 0.1)
    Raises ValueError unless exactly one of the two is given: `per_class` as a whole number of at least 1, `fraction` above 0
    and at most 1.
    """
    if per_class is None and fraction is None:
        raise ValueError("few_labels: give per_class=5 (clips of every class) or fraction=0.1 (part of every class)")
    check_amount(per_class, fraction)
    labels = np.asarray(labels.labels if isinstance(labels, ClipStore) else labels)
    rng, chosen = np.random.default_rng(seed), []
    order = rng.permutation(len(labels))
    for label in np.unique(labels[labels >= 0]):
        of_class = order[labels[order] == label]
        count = int(per_class) if fraction is None else max(1, round(fraction * len(of_class)))  # pyright: ignore
        chosen.append(of_class[:count])
    return np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)


def check_amount(per_class: int | None, fraction: float | None) -> None:
    """Raises ValueError where both are given, or one is impossible."""
    if per_class is not None and fraction is not None:
        raise ValueError(f"per_class is {per_class} and fraction is {fraction}; give only one of the two")
    if per_class is not None and (per_class < 1 or per_class != int(per_class)):
        raise ValueError(
            f"per_class is {per_class}; give a whole number of clips, at least 1. A part of every class is fraction=0.1"
        )
    if fraction is not None and not 0 < fraction <= 1:
        raise ValueError(f"fraction is {fraction}; give a number above 0 and at most 1. Clips of every class are per_class=5")


def amount_words(per_class: int | None, fraction: float | None) -> str:
    """How a table names an amount of labels: "3 a class", "5 %", "all"."""
    if per_class is not None:
        return f"{per_class:g} a class"
    return "all" if fraction is None else f"{100 * fraction:.3g} %"


def held_out(table: pd.DataFrame | None, clips: int) -> tuple[np.ndarray, str]:
    """(clips,) bool, what is held out of the training side to choose by, and its name.

    A fifth of the subjects (at least one), the last by number: "held-out subjects". Where subjects are unknown, or there
    is just one: every fifth clip, "held-out clips".
    """
    subjects = np.full(clips, -1) if table is None or "subject" not in table else np.asarray(table["subject"])
    people = np.unique(subjects)
    if (people < 0).any() or len(people) < 2:
        return np.arange(clips) % 5 == 4, "held-out clips"
    return np.isin(subjects, people[-max(1, len(people) // 5) :]), "held-out subjects"
