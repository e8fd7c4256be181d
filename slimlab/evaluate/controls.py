"""The controls beside every number: raw coordinates and encoders that never learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from slimlab import augment
from slimlab.data import ClipStore, resampled
from slimlab.encoder import Encoder, EncoderConfig, FeatureEncoder
from slimlab.evaluate.features import Features, features
from slimlab.evaluate.knn import knn
from slimlab.evaluate.probe import ITERATIONS, linear_probe
from slimlab.evaluate.provenance import provenance
from slimlab.evaluate.result import Result
from slimlab.evaluate.statistics import over_subjects
from slimlab.evaluate.subsets import held_out

Reader = Callable[[ClipStore], Features]

SCALES = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)


def raw_features(store: ClipStore, frames: int = 64) -> Features:
    """Whole clips resampled linearly, the root joint at the origin in every frame, flattened: (N, M*frames*V*3).

    A joint that was not seen lies on the line between the moments that show it, and at zero where none does; a person whose root
    is never seen has the center joint at the origin.
    """
    rooted = replace(store.skeleton, center=store.skeleton.root)
    rows = []
    for start in range(0, len(store), 1024):
        x, _, seen = resampled(store, np.arange(start, min(start + 1024, len(store))), frames)
        seen = augment.shown(x, seen)
        centered = augment.center(x, rooted, "every_frame", seen=seen)
        shown = seen[:, :, rooted.center].any(dim=1)[:, None, None, None]  # (B, 1, 1, 1, M)
        if not shown.all():
            centered = torch.where(shown, centered, augment.center(x, store.skeleton, "every_frame", seen=seen))
        if store.has_unseen:
            centered = augment.fill_unseen(centered, seen | ~augment.present(x)[:, 0])
        rows.append(centered.permute(0, 4, 2, 3, 1).flatten(1))
    none = torch.zeros(0, store.max_people * frames * len(store.skeleton) * 3)
    return Features(torch.cat(rows) if rows else none, torch.from_numpy(store.labels), store.table)


def random_encoder(config: EncoderConfig, seed: int = 0) -> Encoder:
    """An encoder as initialised, the control that learned nothing. Leaves the global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Encoder(config)


def best_scaled(
    config: EncoderConfig,
    train: ClipStore,
    seed: int = 0,
    pool: str = "cls+mean",
    device: torch.device | str | None = None,
) -> Encoder:
    """The strongest random encoder: fan-in initialisation, centered in every frame, and the input scale with which kNN does
    best on held-out training subjects (clips, where subjects are unknown). It is tried, and returned, on `device`."""
    best, best_accuracy = None, -1.0
    outside, _ = held_out(train.table, len(train))
    gallery, judged = (train[~outside], train[outside]) if outside.any() else (train, train)
    for scale in SCALES:
        encoder = random_encoder(replace(config, centering="every_frame", input_scale=scale, init_std=None), seed).to(device)
        accuracy = knn(features(encoder, gallery, pool=pool), features(encoder, judged, pool=pool)).accuracy
        if accuracy > best_accuracy:
            best, best_accuracy = encoder, accuracy
    assert best is not None
    return best


def readers(
    encoder: FeatureEncoder,
    train: ClipStore,
    seed: int = 0,
    others: dict[str, FeatureEncoder] | None = None,
    pool: str = "cls+mean",
) -> dict[str, Reader]:
    """Name -> what reads features off a store: raw coordinates · random encoder, plain (paper's initialisation and input) ·
    random encoder, best-scaled input · `others`, such as one trained with labels (`supervised`) · the encoder."""
    sized = replace(encoder.config, centering="first_frame", input_scale=1.0, init_std=0.02)
    device = next(encoder.parameters()).device
    models = {
        "random encoder, plain": random_encoder(sized, seed),
        "random encoder, best-scaled input": best_scaled(sized, train, seed, pool, device),
        **(others or {}),
        "pre-trained encoder": encoder,
    }
    out: dict[str, Reader] = {"raw coordinates": raw_features}
    return out | {name: partial(features, model.to(device), pool=pool) for name, model in models.items()}


def compare(
    encoder: FeatureEncoder,
    train: ClipStore,
    test: ClipStore,
    seed: int = 0,
    k: int = 1,
    others: dict[str, FeatureEncoder] | None = None,
    pool: str = "cls+mean",
    details: bool = False,
    about: Mapping[str, Any] | None = None,
    iterations: int = ITERATIONS,
) -> pd.DataFrame:
    """kNN and linear probe of the encoder beside its controls (`readers`), one line each: features, kNN, probe (accuracies in
    0..1).

    pool: how features are read off all of these encoders; iterations: the most of the probe
    details: also the bounds of 95 % bootstrap intervals over the test side's subjects (NaN where they are unknown), k, pool,
    what `provenance` says, and `about`: a row that can be made again
    """
    most = max(train.max_people, test.max_people)  # opened separately, train and test may differ in it
    train, test = train.with_people(most), test.with_people(most)
    rows = []
    for name, read in readers(encoder, train, seed, others, pool).items():
        pair = read(train), read(test)
        results = {"kNN": knn(*pair, k=k), "probe": linear_probe(*pair, iterations=iterations)}
        row: dict[str, Any] = {"features": name} | {column: result.accuracy for column, result in results.items()}
        if details:
            for column, result in results.items():
                row[f"{column}_low"], row[f"{column}_high"] = bounds(result, test)
            row |= {"k": k, "pool": pool}
            row |= provenance(train, test, seed, getattr(read, "args", (None,))[0], about)
        rows.append(row)
    return pd.DataFrame(rows)


def bounds(result: Result | Sequence[Result], test: ClipStore) -> tuple[float, float]:
    """The bounds of `over_subjects`' bootstrap interval, of the mean of several results.

    NaN where subjects are unknown or there is just one.
    """
    subjects = test.column("subject")
    if (subjects < 0).any() or len(np.unique(subjects)) < 2:
        return float("nan"), float("nan")
    interval = over_subjects(result, subjects)
    return interval.low, interval.high
