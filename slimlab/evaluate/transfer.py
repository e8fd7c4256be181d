"""Pre-trained on one set of clips, judged on another, whatever its body."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd
from torch import nn

from slimlab.data import ClipStore
from slimlab.encoder import Encoder, FeatureEncoder
from slimlab.evaluate.controls import compare
from slimlab.evaluate.probe import ITERATIONS
from slimlab.evaluate.subsets import check_train_test
from slimlab.evaluate.supervised import supervised
from slimlab.skeleton.matching import match_joints
from slimlab.weights import on_body


def transfer(
    encoders: FeatureEncoder | Any | Mapping[str, FeatureEncoder | Any],
    train: ClipStore,
    test: ClipStore,
    seed: int = 0,
    k: int = 1,
    pool: str = "cls+mean",
    supervised_seconds: float | None = None,
    about: Mapping[str, Any] | None = None,
    iterations: int = ITERATIONS,
) -> pd.DataFrame:
    """Encoders pre-trained elsewhere on both sides of this store, nothing but the probe trained, beside their controls.

    encoders  one or several by name: encoders, or runs (`slimlab.pretrain.Run`), of any body. Joint embeddings are taken over by
              joint names; `joints` says how many of the body's joints have a counterpart ("20 of 20"), the others get their
              parent's embedding
    supervised_seconds  also the first encoder's architecture trained with the labels of `train` from scratch, on that encoder's
              device, for so many wall seconds: give the seconds that pre-training took, and it is the control at equal time

    iterations  the most of the probe

    Columns as in `compare(…, details=True)`, and `joints`. Raises RunError where a run was trained on a clip of `test`,
    DataError where labels are missing or the training side has a single class, ValueError where no joint has a counterpart.
    """
    if not isinstance(encoders, Mapping):
        encoders = {"pre-trained encoder": encoders}
    check_train_test(train, test)
    moved: dict[str, FeatureEncoder] = {}
    joints: dict[str, str] = {}
    for name, model in encoders.items():
        if not isinstance(model, nn.Module):  # a run
            model.check_unseen(test)
        encoder: Any = model if isinstance(model, nn.Module) else model.encoder
        source = encoder.config.skeleton
        matched = sum(place is not None for place in match_joints(train.skeleton, source))
        joints[name] = f"{matched} of {len(train.skeleton)}"
        if source.names != train.skeleton.names:
            if not isinstance(encoder, Encoder):
                raise ValueError(f"{name}: only SLiM's encoder moves to another body; give clips of {', '.join(source.names)}")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # `joints` says it
                encoder = on_body(encoder, train.skeleton).to(next(encoder.parameters()).device)
        moved[name] = encoder
    first, *more = moved
    others = {name: moved[name] for name in more}
    if supervised_seconds is not None:
        device = next(moved[first].parameters()).device
        control = supervised(moved[first].config, train, seconds=supervised_seconds, seed=seed, device=device)
        others[f"supervised from scratch, {supervised_seconds:.0f} s"] = control
    table = compare(moved[first], train, test, seed, k, others, pool, details=True, about=about, iterations=iterations)
    table["features"] = table["features"].replace("pre-trained encoder", first)
    table.insert(1, "joints", [joints.get(name, "") for name in table["features"]])
    return table
