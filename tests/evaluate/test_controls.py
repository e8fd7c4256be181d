"""The controls: on the encoder's device, for sides of different people, for nobody at all."""

import numpy as np
import pytest
import torch

from slimlab import data, evaluate
from slimlab.data import DataError
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.evaluate import controls
from slimlab.skeleton import KINECT_V2
from tests.conftest import make_store


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
    assert evaluate.knn(wide, two).accuracy >= 0 and train.max_people == 1
    assert torch.equal(wide.x[:, : one.x.shape[1]], one.x) and not wide.x[:, one.x.shape[1] :].any()


@pytest.mark.parametrize("pool", ["cls+mean", "cls", "mean"])
def test_a_store_without_clips_has_features_of_no_rows(encoder, synthetic, tmp_path, pool):
    for cache in (None, tmp_path):
        none = evaluate.features(encoder, synthetic[[]], pool=pool, cache=cache).x
        assert none.shape == (0, evaluate.features(encoder, synthetic[:1], pool=pool, cache=None).x.shape[1])
    assert controls.raw_features(synthetic[[]]).x.shape == (0, controls.raw_features(synthetic[:1]).x.shape[1])
    with pytest.raises(DataError, match="no clips"):
        data.report(synthetic[[]])
