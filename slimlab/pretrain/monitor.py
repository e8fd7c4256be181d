"""What a run knows so far: leave-one-subject kNN and feature rank, on the training side alone; and whether it has collapsed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from slimlab import evaluate
from slimlab.data import ClipStore
from slimlab.evaluate.rank import rankme
from slimlab.pretrain.config import Config

MONITOR_CLIPS = 512  # per side of the leave-one-subject kNN
LOW_RANK = 1.5  # RankMe below this: all features point one way
FEW_PROTOTYPES = 2.0  # prototypes in use below this: nearly all clips get the same target
PATIENCE = 30  # steps in a row, or this part of the run where that is longer: early on few prototypes are in use, and that passes
PATIENT_PART = 0.05
ENOUGH = 8  # where a batch cannot use this many prototypes, few in use say nothing


@dataclass(frozen=True)
class Collapse:
    """What collapsed, at which step (0-based), and the measured value; as text, what to try.

    kind  "answers": nearly all clips get the same target, whatever their features; value: prototypes in use
          "features": the features of all clips point one way; value: their rank
    """

    kind: Literal["answers", "features"]
    step: int
    value: float
    steps: int  # in a row, of answers; measurements in a row, of features

    def __str__(self) -> str:
        if self.kind == "features":
            what = f"feature rank {self.value:.2f} twice in a row"
            cure = "Try a lower teacher_temperature, init='fan_in', a higher koleo_weight"
        else:
            what = f"the answers: {self.value:.2f} prototypes in use, below {FEW_PROTOTYPES:g} in {self.steps} steps in a row"
            cure = "Take targets='sinkhorn', which uses all of them; where it is on, try a lower base_lr or a larger batch_size"
        return f"collapsed at step {self.step}: {what}. The last checkpoint is kept. {cure}"


class CollapseRule:
    """Whether a run has collapsed, from its metrics alone, so that a resumed run stops at the step of an uninterrupted one.

    Features have collapsed where their rank is below LOW_RANK in two measurements in a row, answers where fewer than
    FEW_PROTOTYPES are in use in each of PATIENCE steps in a row, or of PATIENT_PART of the run where that is more. Answers are
    judged only where batch and prototypes are large enough (ENOUGH), and only in SLiM's runs: the MAE gives none.

    Measured on synthetic clips: with softmax targets, `tiny` has fewer than two prototypes in use from step 6 or 11 on, for
    good; with a running center, batches of 8 fell below two for 4 steps in a row at most (10 runs of 120 steps) and recovered;
    with Sinkhorn never.
    """

    def __init__(self, config: Any) -> None:
        most = min(2 * config.batch_size, config.prototypes) if isinstance(config, Config) else 0
        self.patience = max(PATIENCE, round(PATIENT_PART * config.steps)) if most >= ENOUGH else None
        self._low_ranks = self._few = 0

    @property
    def suspects(self) -> bool:
        """Whether the last metrics look like a collapse; no good checkpoint should be replaced then."""
        return self._low_ranks > 0 or self._few > 0

    def see(self, metrics: Mapping[str, float]) -> Collapse | None:
        """Take in the metrics of one more step, every step in order; a collapse, or None."""
        rank = metrics.get("rank", math.nan)
        if not math.isnan(rank):  # not measured in every step
            self._low_ranks = self._low_ranks + 1 if rank < LOW_RANK else 0
            if self._low_ranks >= 2:
                return Collapse("features", int(metrics["step"]), rank, self._low_ranks)
        if self.patience is None:
            return None
        used = metrics.get("used_prototypes", math.inf)
        self._few = self._few + 1 if used < FEW_PROTOTYPES else 0
        return Collapse("answers", int(metrics["step"]), used, self._few) if self._few >= self.patience else None


def monitor(trainer: Any, store: ClipStore) -> dict[str, float]:
    """kNN on held-out training subjects (the last one against the others; labels serve this alone) and feature rank."""
    encoder, subjects = trainer.encoder, np.unique(store.column("subject"))
    known = store.labels >= 0
    last = store.column("subject") == subjects[-1]
    if len(subjects) < 2:
        last = np.arange(len(store)) % 2 == 1

    def some(which: np.ndarray) -> ClipStore:
        places = np.flatnonzero(which)
        return store[places[np.linspace(0, len(places) - 1, min(len(places), MONITOR_CLIPS)).round().astype(int)]]

    def features(which: np.ndarray) -> evaluate.Features:
        return evaluate.features(encoder, some(which), view=trainer.test_view, cache=None)

    gallery = features(known & ~last if known.any() else ~last)
    out = {"rank": rankme(gallery.x[:, : trainer.config.width])}
    if (known & last).any() and (known & ~last).any():
        out["knn"] = evaluate.knn(gallery, features(known & last)).accuracy
    return out
