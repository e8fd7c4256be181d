"""Curves with their controls: how figures fall as recordings get worse, and as labels get fewer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm.auto import tqdm

from slimlab.data import ClipStore, DataError
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.controls import Reader, bounds, readers
from slimlab.evaluate.corruption import CORRUPTIONS, SEVERITIES
from slimlab.evaluate.features import Features
from slimlab.evaluate.knn import knn
from slimlab.evaluate.probe import ITERATIONS, linear_probe
from slimlab.evaluate.provenance import provenance
from slimlab.evaluate.result import Result, score
from slimlab.evaluate.subsets import amount_words, check_amount, check_train_test, few_labels

CLASSIFIERS = ("kNN", "probe")


def robustness(
    encoder: FeatureEncoder,
    train: ClipStore,
    test: ClipStore,
    corruptions: Iterable[str] | Mapping[str, Sequence[float]] = tuple(SEVERITIES),
    classifiers: Sequence[str] = CLASSIFIERS,
    k: int = 1,
    seed: int = 0,
    others: dict[str, FeatureEncoder] | None = None,
    pool: str = "cls+mean",
    about: Mapping[str, Any] | None = None,
    progress: bool = False,
    iterations: int = ITERATIONS,
) -> pd.DataFrame:
    """Train on clean clips, test on clips made worse (`evaluate.corruption`): the encoder and its controls in one table.

    corruptions  names, or name -> severities (`corruption.SEVERITIES` has the defaults and their units)
    others       more encoders, as in `compare`; iterations: the most of the probe

    Columns: features, classifier, corruption, severity, unit, accuracy, low, high (95 % bootstrap interval over the test side's
    subjects; NaN where they are unknown), then what `provenance` says. Every corruption's curve begins with the clean clips
    (severity 0; frame rate 1). The same faulty clips are shown to all features. Raises ValueError for an unknown name,
    DataError where labels are missing.
    """
    chosen = corruptions if isinstance(corruptions, Mapping) else {c: SEVERITIES.get(c, ("", ()))[1] for c in corruptions}
    _known("corruption", chosen, CORRUPTIONS)
    _known("classifier", classifiers, CLASSIFIERS)
    check_train_test(train, test)
    read = readers(encoder, train, seed, others, pool)
    settings = [("clean", 0.0), *((name, float(severity)) for name in chosen for severity in chosen[name])]
    test_features: dict[str, list[Features]] = {name: [] for name in read}
    for name, severity in tqdm(settings, desc="robustness", disable=not progress, leave=False):
        clips = test if name == "clean" else CORRUPTIONS[name](test, severity, seed)
        for features, reader in read.items():
            test_features[features].append(reader(clips))
    rows = []
    for features, reader in read.items():
        train_features, how = reader(train), {"k": k, "pool": pool} | provenance(train, test, seed, _model(reader), about)
        for classifier in classifiers:
            results = dict(
                zip(settings, on_each(classifier, train_features, test_features[features], k, iterations), strict=True)
            )
            for name in chosen:
                curve = {1.0 if name == "frame rate" else 0.0: results["clean", 0.0]}
                curve |= {float(severity): results[name, float(severity)] for severity in chosen[name]}
                for severity, result in curve.items():
                    low, high = bounds(result, test)
                    where = {"corruption": name, "severity": severity, "unit": SEVERITIES[name][0]}
                    rows.append(
                        {"features": features, "classifier": classifier, **where}
                        | {"accuracy": result.accuracy, "low": low, "high": high}
                        | how
                    )
    return pd.DataFrame(rows)


def label_curve(
    encoder: FeatureEncoder,
    train: ClipStore,
    test: ClipStore,
    *,
    per_class: Sequence[int] = (),
    fractions: Sequence[float] = (0.01, 0.02, 0.05, 0.1, 1.0),
    seeds: int = 3,
    classifiers: Sequence[str] = CLASSIFIERS,
    k: int = 1,
    others: dict[str, FeatureEncoder] | None = None,
    pool: str = "cls+mean",
    about: Mapping[str, Any] | None = None,
    iterations: int = ITERATIONS,
) -> pd.DataFrame:
    """Few labels on frozen features, the encoder beside its controls; features are read once.

    per_class, fractions  numbers of clips, and parts, of every class (`few_labels`); every one of them is a point of the curve.
             The same clips keep their label for all features, others with every seed; smaller subsets lie inside larger ones
    others   more encoders, as in `compare`. One that was trained with all labels (`supervised`) has seen those that are
             hidden here: as a control train it on `train[few_labels(train, fraction=0.1, seed=seed)]`
    iterations  the most of the probe

    Columns: features, classifier, labels ("5 %", "3 a class"), label_clips, seed, accuracy, then what `provenance` says of
    the whole training side. `evaluate.finetune(…, fraction=…)` trains the whole network on as many. Raises ValueError for an
    unknown classifier or an impossible amount.
    """
    _known("classifier", classifiers, CLASSIFIERS)
    amounts = [(n, None) for n in per_class] + [(None, part) for part in fractions]
    for amount in amounts:
        check_amount(*amount)
    rows = []
    for features, reader in readers(encoder, train, 0, others, pool).items():
        train_features, test_features = reader(train), reader(test)
        for seed in range(seeds):
            how = {"k": k, "pool": pool} | provenance(train, test, seed, _model(reader), about)
            for amount in amounts:
                few = few_labels(train, per_class=amount[0], fraction=amount[1], seed=seed)
                part = train_features.rows(few)
                for classifier in classifiers:
                    [result] = on_each(classifier, part, [test_features], k, iterations)
                    about_row = {"features": features, "classifier": classifier, "labels": amount_words(*amount)}
                    rows.append(about_row | {"label_clips": len(few), "accuracy": result.accuracy} | how)
    return pd.DataFrame(rows)


def one_labeled_subject(
    encoder: FeatureEncoder,
    train: ClipStore,
    test: ClipStore,
    *,
    classifiers: Sequence[str] = CLASSIFIERS,
    k: int = 1,
    others: dict[str, FeatureEncoder] | None = None,
    pool: str = "cls+mean",
    seed: int = 0,
    about: Mapping[str, Any] | None = None,
    iterations: int = ITERATIONS,
) -> pd.DataFrame:
    """What one person's labels are worth: each subject of the training side in turn is the only labeled one.

    Two rows for each of the encoder and its controls (`readers`) and each classifier: `labels` "one subject", whose accuracy is
    the mean over the labeled subjects, and "all subjects", the whole training side. low, high: 95 % bootstrap interval over the
    test side's subjects; worst, best: of the labeled subjects; then what `provenance` says. Features are read once.

    Raises DataError where labels or subjects are unknown, or a training subject has a single class.
    """
    _known("classifier", classifiers, CLASSIFIERS)
    check_train_test(train, test)
    subjects = train.column("subject")
    if (subjects < 0).any():
        raise DataError(f"{train.source}: clip '{train.column('clip')[int(np.argmax(subjects < 0))]}' has no known subject")
    alone = {int(s): np.flatnonzero(subjects == s) for s in np.unique(subjects)}
    for subject, clips in alone.items():
        if len(np.unique(train.labels[clips])) < 2:
            raise DataError(f"{train.source}: subject {subject} has clips of a single class; leave this subject out")
    rows = []
    for features, reader in readers(encoder, train, seed, others, pool).items():
        train_features, test_features = reader(train), reader(test)
        how = {"k": k, "pool": pool} | provenance(train, test, seed, _model(reader), about)
        for classifier in classifiers:
            for labels, parts in (("one subject", alone), ("all subjects", {0: np.arange(len(train))})):
                results = [
                    on_each(classifier, train_features.rows(clips), [test_features], k, iterations)[0] for clips in parts.values()
                ]
                reached = [result.accuracy for result in results]
                low, high = bounds(results, test)
                rows.append(
                    {"features": features, "classifier": classifier, "labels": labels, "accuracy": float(np.mean(reached))}
                    | {"low": low, "high": high, "worst": min(reached), "best": max(reached)}
                    | how
                )
    return pd.DataFrame(rows)


def on_each(classifier: str, train: Features, tests: list[Features], k: int = 1, iterations: int = ITERATIONS) -> list[Result]:
    """One classifier on several sets of test features: fitted once, on all of them together."""
    if classifier == "kNN":
        return [knn(train, test, k=min(k, len(train))) for test in tests]
    together = Features(torch.cat([f.x for f in tests]), torch.cat([f.labels for f in tests]), tests[0].table)
    result = linear_probe(train, together, iterations=iterations)
    classes = len(result.per_class)
    parts = result.predictions.split([len(f) for f in tests])
    return [score(predictions, f.labels, classes) for predictions, f in zip(parts, tests, strict=True)]


def _model(reader: Reader) -> FeatureEncoder | None:
    """The encoder that a reader of `readers` reads; None for raw coordinates."""
    return getattr(reader, "args", (None,))[0]


def _known(what: str, names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{what} '{name}' is not there; choose among {', '.join(known)}")
