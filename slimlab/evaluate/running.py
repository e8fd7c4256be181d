"""`run`: an encoder, training and test clips, a protocol -> rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from slimlab.data import ClipStore
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.controls import bounds
from slimlab.evaluate.features import TEST_VIEWS, TOGETHER, Features, check_body, features
from slimlab.evaluate.finetune import finetune
from slimlab.evaluate.grid import encoder_specs, most_blocks
from slimlab.evaluate.knn import knn_grid
from slimlab.evaluate.linear import linear_grid
from slimlab.evaluate.probe import linear_probe
from slimlab.evaluate.protocol import Protocol, named
from slimlab.evaluate.provenance import provenance
from slimlab.evaluate.result import Result
from slimlab.evaluate.retrieval import retrieval
from slimlab.evaluate.subsets import amount_words, with_labels


def run(
    encoder: FeatureEncoder,
    train: ClipStore,
    test: ClipStore,
    protocol: str | Protocol = "default",
    seed: int = 0,
    progress: bool = False,
    about: Mapping[str, Any] | None = None,
    **changes: Any,
) -> pd.DataFrame:
    """Evaluate by a protocol of `PROTOCOLS` (or your own), with any of its fields changed: `run(…, "slim-linear", steps=500)`.

    One row a setting, and for the linear grid one row a selection: protocol, classifier, settings, `selected_on` (empty where
    nothing was selected), `accuracy` on the test side with `low` and `high` of a 95 % bootstrap interval over its subjects (or
    `mAP` and `recall@…`), then what is needed to do it again: views, changed fields, labels used, what `provenance` says, and
    `about`, what the caller knows: {"split": "cross-subject", "run": "runs/utd"}.
    Raises ValueError for an unknown protocol, word or body, DataError where labels are missing.
    """
    settings = named(protocol, **changes)
    for store in (train, test):
        check_body(encoder, store)
    train = with_labels(train, test, settings.per_class, settings.fraction, seed)
    trains = {"grid": settings.views, "finetune": "random"}.get(settings.classifier, "deterministic")
    first = {"protocol": protocol if isinstance(protocol, str) else "own", "classifier": settings.classifier}
    last = {
        "people": settings.combine,
        "views": trains,
        "changed": ", ".join(f"{k}={v}" for k, v in sorted(changes.items())),
        "labels": amount_words(settings.per_class, settings.fraction),
    } | provenance(train, test, seed, encoder, about)
    return pd.DataFrame([first | row | last for row in _rows(encoder, train, test, settings, seed, progress)])


def _rows(encoder: FeatureEncoder, train: ClipStore, test: ClipStore, p: Protocol, seed: int, progress: bool) -> Iterator[dict]:
    if p.classifier == "finetune":
        augmentation = {"mirror": p.mirror, "rotation": p.rotation, "noise": p.noise, "details": p.details}
        sizes = {"steps": p.steps, "batch_size": p.batch_size, "combine": p.combine}
        sizes |= {"head_lr": p.head_lr, "encoder_lr": p.encoder_lr}
        result = finetune(encoder, train, test, seed=seed, progress=progress, **sizes, **augmentation)
        yield {"blocks": 1, "pool": "cls+mean", "selected_on": ""} | _accuracy(result, test)
    elif p.classifier == "grid":
        for c in linear_grid(encoder, train, test, p, seed, progress):
            chosen = {"blocks": c.spec.blocks, "pool": c.spec.pool, "lr": c.lr, "candidates": c.candidates}
            yield chosen | {"selected_on": c.selected_on, "selected_at": c.selected_at} | _accuracy(c.result, test)
    else:
        for about, train_features, test_features in _read(encoder, train, test, p, progress):
            for row in _without_training(train_features, test_features, p, test):
                yield about | {"selected_on": ""} | row


def _read(encoder, train, test, p: Protocol, progress: bool) -> Iterator[tuple[dict, Features, Features]]:
    """Training and test features by each of the protocol's specs, extracted once."""
    how: dict[str, Any] = {"combine": p.combine, "progress": progress, "view": TEST_VIEWS[p.details]}
    if together := [pool for pool in p.pools if pool in TOGETHER]:
        most = most_blocks(encoder, p.blocks)
        train_features, test_features = (features(encoder, s, blocks=most, pool="cls+mean", **how) for s in (train, test))
        for spec in encoder_specs(encoder, p.blocks, together, train_features.x.shape[1]):
            about = {"blocks": spec.blocks, "pool": spec.pool}
            parts = [replace(f, x=f.x[:, spec.columns]) for f in (train_features, test_features)]
            yield about, parts[0], parts[1]
    for pool in p.pools:
        if pool not in TOGETHER:
            parts = [features(encoder, s, pool=pool, **how) for s in (train, test)]
            yield {"blocks": 1, "pool": pool}, parts[0], parts[1]


def _accuracy(result: Result, test: ClipStore) -> dict[str, float]:
    low, high = bounds(result, test)
    return {"accuracy": result.accuracy, "low": low, "high": high}


def _without_training(train: Features, test: Features, p: Protocol, clips: ClipStore) -> Iterator[dict]:
    if p.classifier == "knn":
        for (k, temperature), result in knn_grid(train, test, [k for k in p.k if k <= len(train)], p.temperature).items():
            yield {"k": k, "temperature": temperature} | _accuracy(result, clips)
    elif p.classifier == "retrieval":
        found = retrieval(train, test, [k for k in (1, 5, 10) if k <= len(train)])
        yield {"mAP": found.mean_average_precision} | {f"recall@{k}": v for k, v in found.recall.items()}
    else:
        yield _accuracy(linear_probe(train, test, iterations=p.iterations), clips)
