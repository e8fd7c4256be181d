"""Carrying out the linear protocol: where its training features come from, and how the best of the grid is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from slimlab.data import ClipStore
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.features import TEST_VIEWS, evaluating, features
from slimlab.evaluate.grid import FeatureSpec, LinearGrid, encoder_specs, most_blocks
from slimlab.evaluate.protocol import Protocol
from slimlab.evaluate.result import Result, check_finite, score
from slimlab.evaluate.subsets import alike, batches, held_out
from slimlab.evaluate.training import augmented_view

ALL, WITHOUT_HELD_OUT = 0, 1  # the grid's two subsets of the training clips


@dataclass(frozen=True)
class Choice:
    """The classifier that `selected_on` speaks for: accuracy there is `selected_at`, `result` is on the test side."""

    selected_on: str
    selected_at: float
    spec: FeatureSpec
    lr: float
    candidates: int
    result: Result


def linear_grid(
    encoder: FeatureEncoder, train: ClipStore, test: ClipStore, protocol: Protocol, seed: int = 0, progress: bool = False
) -> list[Choice]:
    """Train the grid on the protocol's views of `train`; one choice for each entry of `protocol.select`.

    Choosing on held-out subjects costs no second pass: another set of classifiers trains beside, on the same batches
    without those subjects, and the winner is reported as trained on everybody. Raises DataError where features are not finite.
    """
    if protocol.combine == "concat":
        train, test = alike(train, test)
    most = most_blocks(encoder, protocol.blocks)
    view = TEST_VIEWS[protocol.details]
    train_features, test_features = (
        features(encoder, s, blocks=most, pool="cls+mean", combine=protocol.combine, view=view) for s in (train, test)
    )
    for name, side in (("training", train_features), ("test", test_features)):
        check_finite(side.x, side.table, name)
    specs = encoder_specs(encoder, protocol.blocks, protocol.pools, train_features.x.shape[1])
    rng = torch.Generator().manual_seed(seed)

    @torch.inference_mode()
    def fresh(clips: np.ndarray) -> Tensor:
        p = protocol
        x, people, seen = augmented_view(encoder, train, clips, rng, p.mirror, p.rotation, p.noise, p.details)
        return encoder.features(x, people, most, "cls+mean", protocol.combine, seen).float()  # (B, all columns)

    with evaluating(encoder):
        if protocol.views == "random":
            draw = fresh
        else:
            cached = train_features.x[None]
            if protocol.views == "cached":
                pieces = np.array_split(np.arange(len(train)), -(-len(train) // 64))
                views = range(protocol.cached_views)
                cached = torch.stack([torch.cat([fresh(p).cpu() for p in pieces]) for _ in views])  # (views, N, all columns)

            def draw(clips: np.ndarray) -> Tensor:
                return cached[torch.randint(len(cached), (len(clips),), generator=rng), torch.from_numpy(clips)]

        device = next(encoder.parameters()).device
        return fit_and_choose(draw, specs, train_features, test_features, protocol, rng, seed, device, progress)


def fit_and_choose(
    draw: Callable[[np.ndarray], Tensor],
    specs: Sequence[FeatureSpec],
    train,
    test,
    protocol: Protocol,
    rng: torch.Generator,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
) -> list[Choice]:
    """`draw` gives training features (B, columns) of clips; `train` and `test` are `Features` of the test view."""
    outside, held_name = held_out(getattr(train, "table", None), len(train.x))
    subsets = 2 if "held-out subjects" in protocol.select else 1
    labels = train.labels.to(device)
    classes = int(max(train.labels.max(), test.labels.max())) + 1
    rates = [r * protocol.batch_size / 256 for r in protocol.learning_rates]
    grid = LinearGrid(list(specs), rates, classes, protocol.steps, subsets, seed=seed, device=device)
    order = tqdm(
        batches(len(train.x), protocol.batch_size, protocol.steps, rng),
        desc="linear grid",
        total=protocol.steps,
        disable=not progress,
    )
    inside = torch.from_numpy(np.stack([np.ones(len(outside), bool), ~outside])[:subsets])  # (subsets, N)
    for step, clips in enumerate(order):
        grid.step(draw(clips).to(device), labels[torch.from_numpy(clips).to(device)], step, inside[:, clips])
    out = []
    for select in protocol.select:
        if select == "test split":
            name, accuracy = select, grid.accuracies(test.x, test.labels, ALL)
        else:
            name, accuracy = held_name, grid.accuracies(train.x[outside], train.labels[outside], WITHOUT_HELD_OUT)
        best = int(accuracy.argmax())  # of several equally good ones the first: fewest blocks, smallest rate
        spec, rate = divmod(best, len(rates))
        scores = grid.scores(test.x, ALL)[spec, rate]  # (N, C)
        result = score(scores.argmax(dim=1), test.labels, classes, scores=scores)
        out.append(
            Choice(name, float(accuracy[spec, rate]), specs[spec], protocol.learning_rates[rate], accuracy.numel(), result)
        )
    return out
