"""How many labels features need: the same features with ever fewer labelled clips, in the shape of a sweep's table.

A row is one draw of the clips that keep their label, so that `report`, `compare` and `plot.study` read it like any sweep:
fields `features` and `labels` (clips per class), `seed` is the draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

import slimlab
from slimlab import evaluate
from slimlab.data import ClipStore
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import Features
from slimlab.evaluate.probe import ITERATIONS
from slimlab.evaluate.subsets import check_amount, check_train_test
from slimlab.study import trial


def label_curve(
    sides: Mapping[str, tuple[Features, Features]],
    per_class: Sequence[int] = (1, 2, 4, 8, 16),
    draws: int | Sequence[int] = 5,
    iterations: int = ITERATIONS,
) -> pd.DataFrame:
    """kNN and probe on frozen features: name -> (training, test features); `per_class` clips of every class keep their label.

    draws  how many, or which ones. All features are given the same, and a smaller amount lies inside a larger one.
    iterations  the most of the probe
    Raises DataError without labels, ValueError for an impossible number of clips.
    """
    for amount in per_class:
        check_amount(amount, None)
    rows = []
    for name, (train, test) in sides.items():
        for amount in per_class:
            for draw in range(draws) if isinstance(draws, int) else draws:
                few = evaluate.few_labels(train.labels, per_class=amount, seed=draw)
                given = train.rows(few)
                rows.append(_row(name, amount, draw, (given, test), iterations))
    return pd.DataFrame(rows)


def from_scratch(
    config: EncoderConfig,
    train: ClipStore,
    test: ClipStore,
    per_class: Sequence[int] = (1, 2, 4, 8, 16),
    draws: int = 3,
    steps: int = 600,
    name: str = "with labels, from scratch",
    iterations: int = ITERATIONS,
    **training: Any,
) -> pd.DataFrame:
    """The control: for every number of clips and draw the same network, trained from scratch on the labelled clips alone.

    iterations  the most of the probe
    training  goes to `evaluate.supervised` (mirror, rotation, batch_size, lr). Its features are judged like all others.
    Raises DataError without labels, ValueError for an impossible number of clips.
    """
    for amount in per_class:
        check_amount(amount, None)
    check_train_test(train[train.labels >= 0], test)
    rows = []
    for amount in per_class:
        for draw in range(draws):
            few = train[evaluate.few_labels(train, per_class=amount, seed=draw)]
            encoder = evaluate.supervised(config, few, steps, seed=draw, **training)
            rows.append(_row(name, amount, draw, (evaluate.features(encoder, few), evaluate.features(encoder, test)), iterations))
    return pd.DataFrame(rows)


def _row(name: str, amount: int, draw: int, sides: tuple[Features, Features], iterations: int) -> dict[str, Any]:
    row, _ = trial.scores(sides, iterations=iterations)
    subjects = {f"{score}@{p}": v for p, scores in row.pop("subjects").items() for score, v in scores.items()}
    first = {"variant": f"{name}, {amount:g} a class", "features": name, "labels": int(amount), "seed": draw}
    return first | row | {"train_clips": len(sides[0]), "test_clips": len(sides[1]), "slimlab": slimlab.__version__} | subjects
