"""What the tables that are not read off frozen features measure of an encoder: linear protocol, few labels, kNN, worse clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from slimlab import evaluate
from slimlab.data import ClipStore, released_test_view
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.corruption import CORRUPTIONS
from slimlab.evaluate.curves import on_each
from slimlab.evaluate.protocol import PROTOCOLS, Protocol, named
from slimlab.evaluate.result import Result
from slimlab.evaluate.training import ENCODER_LR, HEAD_LR
from slimlab.study.paper.tables import TABLES

AMOUNTS: dict[str, dict[str, Any]] = {
    "1 clip a class": {"per_class": 1},
    "2 clips a class": {"per_class": 2},
    "5 clips a class": {"per_class": 5},
    "10 %": {"fraction": 0.1},
}
PRINTED_AMOUNTS: dict[str, dict[str, Any]] = {"1 %": {"fraction": 0.01}, "10 %": {"fraction": 0.1}}
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

    @property
    def linear(self) -> Protocol:
        """Of tables 1 and 9."""
        name = "slim-linear" if self.whole else "slim-linear-cached"
        return named(name, steps=self.steps or (PROTOCOLS[name].steps if self.whole else LINEAR_STEPS), mirror=self.mirror)

    @property
    def few(self) -> Protocol:
        """Of table 2a."""
        whole = PROTOCOLS["slim-finetune"]
        steps, batch = self.steps or (whole.steps if self.whole else FEW_STEPS), whole.batch_size if self.whole else 64
        longer = whole.steps * whole.batch_size / (steps * batch)  # `finetune` multiplies rates by batch / 256
        rates = {"head_lr": HEAD_LR * longer, "encoder_lr": ENCODER_LR * longer}
        return named("slim-finetune", steps=steps, batch_size=batch, mirror=self.mirror, **rates)

    @property
    def amounts(self) -> dict[str, dict[str, Any]]:
        """Labels of table 2a: the printed ones, or those that small recordings have."""
        return PRINTED_AMOUNTS if self.whole else AMOUNTS

    def measured(self, table: str) -> tuple[str, ...]:
        """What is measured of each row."""
        return (*self.amounts, "mean") if table == "2a" else TABLES[table].measured

    def words(self, table: str) -> str:
        """How, for the text below a table."""
        if table in ("1", "9"):
            p = self.linear
            return (
                f"linear protocol of {p.steps} steps of {p.batch_size} clips on {'new' if self.whole else 'cached'} views, "
                "chosen on held-out training subjects"
            )
        if table == "2a":
            p = self.few
            return f"fine-tuning, {p.steps} steps of {p.batch_size} clips, rates {p.head_lr:.2g} (head) and {p.encoder_lr:.2g}"
        return {
            "2b": "kNN with k = 1",
            "11a": "kNN (k = 1) and logistic regression on frozen features of clean clips",
            "11b": "logistic regression on frozen features of clean clips",
        }[table]


Rows = Iterator[tuple[str, dict[str, Result]]]  # printed row ("": the encoder's own) and what was measured


def linear(encoder: FeatureEncoder, train: ClipStore, test: ClipStore, seed: int, how: Judging) -> Rows:
    """Tables 1 and 9: the grid of linear classifiers, chosen on held-out training subjects."""
    [choice] = evaluate.linear_grid(encoder, train, test, how.linear, seed)
    yield "", {"linear protocol": choice.result}


def few_labels(encoder: FeatureEncoder, train: ClipStore, test: ClipStore, seed: int, how: Judging) -> Rows:
    """Table 2a: the whole network, fine-tuned on few labels."""
    p = how.few
    training = {
        name: getattr(p, name) for name in ("steps", "batch_size", "head_lr", "encoder_lr", "combine", "mirror", "details")
    }
    yield (
        "",
        {name: evaluate.finetune(encoder, train, test, **amount, **training, seed=seed) for name, amount in how.amounts.items()},
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
        yield row, {f"{n} of 25 missing": results[len(counts) * number + i] for i, n in enumerate(counts)}


Judge = Callable[[FeatureEncoder, ClipStore, ClipStore, int, Judging], Rows]
JUDGES: dict[str, Judge] = {
    "1": linear,
    "2a": few_labels,
    "2b": neighbors,
    "9": linear,
    "11a": worse_clips,
    "11b": given_as,
}
