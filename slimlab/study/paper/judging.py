"""What the tables that are not read off frozen features measure of an encoder: linear protocol, few labels, kNN, worse clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from slimlab import evaluate
from slimlab.data import ClipStore, released_test_view
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.corruption import CORRUPTIONS
from slimlab.evaluate.curves import on_each
from slimlab.evaluate.protocol import PROTOCOLS, named
from slimlab.evaluate.result import Result
from slimlab.evaluate.training import ENCODER_LR, HEAD_LR
from slimlab.study.paper.tables import TABLES

AMOUNTS: dict[str, dict[str, Any]] = {
    "1 clip a class": {"per_class": 1},
    "2 clips a class": {"per_class": 2},
    "5 clips a class": {"per_class": 5},
    "10 %": {"fraction": 0.1},
}
LINEAR_STEPS, FEW_STEPS = 2_000, 300  # at a scale below the paper's


@dataclass(frozen=True)
class Judging:
    """How much evaluation there is.

    whole   the paper's protocols as they are; else fewer steps, on cached views and in batches of 64, and the rates of
            fine-tuning go up as its steps go down, so that rate times steps stays the paper's
    steps   of the linear protocol or of fine-tuning; None: the paper's, or LINEAR_STEPS and FEW_STEPS
    mirror  False where left and right are different classes
    """

    whole: bool = False
    steps: int | None = None
    mirror: bool = True


Rows = Iterator[tuple[str, dict[str, Result]]]  # printed row ("": the encoder's own) and what was measured


def linear(encoder: FeatureEncoder, train: ClipStore, test: ClipStore, seed: int, how: Judging) -> Rows:
    """Tables 1 and 9: the grid of linear classifiers, chosen on held-out training subjects."""
    name = "slim-linear" if how.whole else "slim-linear-cached"
    steps = how.steps or (PROTOCOLS[name].steps if how.whole else LINEAR_STEPS)
    [choice] = evaluate.linear_grid(encoder, train, test, named(name, steps=steps, mirror=how.mirror), seed)
    yield "", {"linear protocol": choice.result}


def few_labels(encoder: FeatureEncoder, train: ClipStore, test: ClipStore, seed: int, how: Judging) -> Rows:
    """Table 2a: the whole network, fine-tuned on few labels."""
    whole = PROTOCOLS["slim-finetune"]
    steps = how.steps or (whole.steps if how.whole else FEW_STEPS)
    longer = whole.steps / steps
    sizes = {"steps": steps, "batch_size": whole.batch_size if how.whole else 64, "details": whole.details}
    rates = {"head_lr": HEAD_LR * longer, "encoder_lr": ENCODER_LR * longer}
    more = {"mirror": how.mirror, "combine": whole.combine, "seed": seed}
    yield (
        "",
        {name: evaluate.finetune(encoder, train, test, **amount, **sizes, **rates, **more) for name, amount in AMOUNTS.items()},
    )


def neighbors(encoder: FeatureEncoder, train: ClipStore, test: ClipStore, seed: int, how: Judging) -> Rows:
    """Table 2b: kNN with k = 1."""
    sides = [evaluate.features(encoder, side, view=released_test_view) for side in (train, test)]
    yield "", {"kNN, k = 1": evaluate.knn(sides[0], sides[1])}


def worse_clips(encoder: FeatureEncoder, train: ClipStore, test: ClipStore, seed: int, how: Judging) -> Rows:
    """Table 11a: kNN and probe of clean clips, on clips made worse."""
    faults = TABLES["11a"].faults
    given = [CORRUPTIONS[fault](test, severity, seed) if severity else test for fault, severity in faults.values()]
    known, tests = evaluate.features(encoder, train), [evaluate.features(encoder, side) for side in given]
    each = {score: on_each(classifier, known, tests) for score, classifier in (("knn", "kNN"), ("probe", "probe"))}
    for number, row in enumerate(faults):
        yield row, {score: results[number] for score, results in each.items()}


def given_as(encoder: FeatureEncoder, train: ClipStore, test: ClipStore, seed: int, how: Judging) -> Rows:
    """Table 11b: the probe of clean clips, on clips whose missing joints are given in three ways."""
    table, counts = TABLES["11b"], (3, 5, 8)
    given = [CORRUPTIONS[fault](test, n / 25, seed) for fault, _ in table.faults.values() for n in counts]
    results = on_each("probe", evaluate.features(encoder, train), [evaluate.features(encoder, side) for side in given])
    for number, row in enumerate(table.faults):
        yield row, {f"{n} of 25": results[len(counts) * number + i] for i, n in enumerate(counts)}


Judge = Callable[[FeatureEncoder, ClipStore, ClipStore, int, Judging], Rows]
JUDGES: dict[str, Judge] = {
    "1": linear,
    "2a": few_labels,
    "2b": neighbors,
    "9": linear,
    "11a": worse_clips,
    "11b": given_as,
}


def measured(table: str, results: Mapping[str, Result], test: ClipStore) -> dict[str, Any]:
    """{score: accuracy, subjects: {subject: {clips, score: accuracy}}}, with the mean of all where the table asks for it."""
    who = test.column("subject")
    hits = {score: (r.predictions == r.labels).numpy().astype(float) for score, r in results.items()}
    if "mean" in TABLES[table].measured:
        hits["mean"] = np.mean(list(hits.values()), axis=0)
    subjects = {
        str(p): {"clips": int((who == p).sum())} | {score: float(hit[who == p].mean()) for score, hit in hits.items()}
        for p in np.unique(who)
    }
    return {score: float(hit.mean()) for score, hit in hits.items()} | {"subjects": subjects}
