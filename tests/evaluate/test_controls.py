"""The controls: on the encoder's device, for sides of different people, for nobody at all."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from slimlab import data, evaluate
from slimlab.data import DataError
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.evaluate import controls
from slimlab.evaluate.linear import linear_grid
from slimlab.skeleton import KINECT_V2
from tests.conftest import make_store
from tests.evaluate.blobs import blobs


@pytest.fixture(scope="module")
def encoder():
    return Encoder(EncoderConfig(width=32, depth=1, heads=2, frames=16)).eval()


def moving(seed, people):
    walk = np.random.default_rng(seed).normal(size=(20, people, len(KINECT_V2), 3)).astype(np.float32)
    return walk.cumsum(axis=0)


def test_every_pass_of_every_control_is_on_the_encoders_device(encoder, synthetic, monkeypatch):
    """The device "meta" stands for an accelerator: what stays on the CPU is seen to."""
    used = []

    def features(model, store, pool="cls+mean"):
        used.append(next(model.parameters()).device.type)
        return evaluate.Features(torch.rand(len(store), 4), torch.from_numpy(store.labels), store.table)

    monkeypatch.setattr(controls, "features", features)
    away = Encoder(encoder.config).to("meta")
    read = controls.readers(away, synthetic)
    assert len(used) == 2 * len(controls.SCALES) and set(used) == {"meta"}
    assert {next(r.args[0].parameters()).device.type for name, r in read.items() if name != "raw coordinates"} == {"meta"}


def test_sides_opened_separately_may_differ_in_people(encoder):
    train = make_store([moving(i, 1) for i in range(8)], label=[0, 1] * 4, subject=[1, 1, 2, 2, 3, 3, 4, 4])
    test = make_store([moving(20 + i, 2) for i in range(4)], label=[0, 1] * 2, subject=[5, 5, 6, 6])
    for sides in ((train, test), (test, train)):
        assert len(evaluate.compare(encoder, *sides)) == 4
    one, two = (evaluate.features(encoder, s, cache=None) for s in (train, test))
    for judge in (evaluate.knn, evaluate.linear_probe):
        with pytest.raises(DataError, match="with_people"):
            judge(one, two)
    wide = evaluate.features(encoder, train.with_people(test.max_people), cache=None)
    assert len(evaluate.knn(wide, two).predictions) == 4 and train.max_people == 1
    assert torch.equal(wide.x[:, : one.x.shape[1]], one.x) and not wide.x[:, one.x.shape[1] :].any()


def test_training_on_people_side_by_side_takes_sides_that_differ_in_people(encoder):
    """The same as when both were opened with the larger number."""
    one = make_store([moving(i, 1) for i in range(8)], label=[0, 1] * 4, subject=[1, 1, 2, 2, 3, 3, 4, 4])
    two = make_store([moving(20 + i, 2) for i in range(8)], label=[0, 1] * 4, subject=[5, 5, 6, 6, 7, 7, 8, 8])
    protocol = replace(evaluate.PROTOCOLS["slim-linear"], combine="concat", steps=2, batch_size=4)
    for train, test in ((one, two), (two, one)):
        wide = train.with_people(2), test.with_people(2)
        tuned = [evaluate.finetune(encoder, *s, combine="concat", steps=2, batch_size=4) for s in ((train, test), wide)]
        assert torch.equal(tuned[0].scores, tuned[1].scores)
        chosen = [linear_grid(encoder, *s, protocol)[0].result for s in ((train, test), wide)]
        assert torch.equal(chosen[0].scores, chosen[1].scores)


@pytest.mark.parametrize("side", ["training", "test"])
@pytest.mark.parametrize("judge", [evaluate.knn, evaluate.linear_probe, evaluate.retrieval])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_feature_that_is_not_finite_is_refused_by_its_clips_name(judge, side, value):
    sides = {name: blobs(12, seed) for seed, name in enumerate(("training", "test"))}
    x, table = sides[side].x.clone(), pd.DataFrame({"clip": [f"wave {i}" for i in range(12)]})
    x[[5, 7], 2] = value
    sides[side] = evaluate.Features(x, sides[side].labels, table)
    with pytest.raises(DataError, match=f"the {side} features of clip wave 5 are not finite .2 such clips of 12"):
        judge(*sides.values())
    sides[side] = evaluate.Features(x, sides[side].labels, None)
    with pytest.raises(DataError, match="features of row 5 are not finite"):
        judge(*sides.values())


def test_the_grid_refuses_features_that_are_not_finite(encoder):
    broken = copy.deepcopy(encoder)
    with torch.no_grad():
        next(broken.parameters()).fill_(float("nan"))
    store = make_store([moving(i, 1) for i in range(8)], label=[0, 1] * 4, subject=[1, 1, 2, 2, 3, 3, 4, 4])
    with pytest.raises(DataError, match=r"the training features of clip .* are not finite"):
        linear_grid(broken, store, store, replace(evaluate.PROTOCOLS["slim-linear"], steps=1))


@pytest.mark.parametrize("pool", ["cls+mean", "cls", "mean"])
def test_a_store_without_clips_has_features_of_no_rows(encoder, synthetic, tmp_path, pool):
    for cache in (None, tmp_path):
        none = evaluate.features(encoder, synthetic[[]], pool=pool, cache=cache).x
        assert none.shape == (0, evaluate.features(encoder, synthetic[:1], pool=pool, cache=None).x.shape[1])
    assert controls.raw_features(synthetic[[]]).x.shape == (0, controls.raw_features(synthetic[:1]).x.shape[1])
    with pytest.raises(DataError, match="no clips"):
        data.report(synthetic[[]])
