from dataclasses import replace

import numpy as np
import pytest
import torch

from slimlab import augment, data, evaluate
from slimlab.baselines import mae
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.released import faults
from slimlab.skeleton import COCO
from tests.conftest import counting_clip, make_store


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    config = EncoderConfig(width=16, depth=2, heads=2, frames=32, init_std=None, centering="every_frame", input_scale=3.0)
    return Encoder(config)


def test_features_are_the_encoders_on_the_prepared_test_view(encoder, synthetic):
    f = evaluate.features(encoder, synthetic, batch_size=10)
    x, people, _ = data.test_view(synthetic, [13], frames=32)
    x = augment.center(x, synthetic.skeleton, "every_frame") * 3.0
    with torch.no_grad():
        torch.testing.assert_close(f.x[13:14], encoder.features(x, people), atol=1e-5, rtol=1e-5)
    assert f.x.shape == (len(synthetic), 2 * 2 * 16) and f.x.dtype == torch.float32 and len(f) == len(synthetic)
    assert f.labels.tolist() == synthetic.labels.tolist() and f.table is synthetic.table


def test_batches_do_not_matter_and_settings_are_passed_on(encoder, synthetic):
    store = synthetic[:11]
    torch.testing.assert_close(
        evaluate.features(encoder, store, batch_size=3).x, evaluate.features(encoder, store).x, atol=1e-5, rtol=1e-5
    )
    assert evaluate.features(encoder, store, blocks=2, pool="cls", combine="sum").x.shape == (11, 32)
    assert not torch.allclose(evaluate.features(encoder, store, frames=8).x, evaluate.features(encoder, store).x)


def test_where_a_person_stands_does_not_matter_once_centered(encoder):
    rng = np.random.default_rng(0)
    clip = rng.normal(size=(40, 1, 25, 3)).astype(np.float32)
    f = evaluate.features(encoder, make_store([clip, clip + np.float32(2.5)]))
    torch.testing.assert_close(f.x[0], f.x[1], atol=1e-4, rtol=1e-4)


def test_clips_without_people_are_zero(encoder):
    f = evaluate.features(encoder, make_store([np.zeros((5, 1, 25, 3), np.float32), counting_clip(9), counting_clip(1)]))
    assert not f.x[0].any() and torch.isfinite(f.x).all() and f.x[1:].any(dim=1).all()


def test_the_mode_of_the_encoder_is_kept(encoder, synthetic):
    encoder.train()
    evaluate.features(encoder, synthetic[:2])
    assert encoder.training
    encoder.eval()


def test_another_body_is_refused(encoder):
    store = make_store([np.ones((5, 1, len(COCO), 3), np.float32)], COCO)
    with pytest.raises(ValueError, match=r"made for 25 joints.*have 17"):
        evaluate.features(encoder, store)


@pytest.mark.parametrize("combine", ["concat", "sum", "mean"])
def test_read_once_serves_every_protocol(encoder, synthetic, tmp_path, monkeypatch, combine):
    """One file; what comes from it is what the encoder gives for each setting."""
    store, calls = synthetic[:20], []
    read = type(encoder).features
    monkeypatch.setattr(type(encoder), "features", lambda *a, **k: calls.append(1) or read(*a, **k))
    evaluate.features(encoder, store, cache=tmp_path)
    once = len(calls)
    for blocks in (1, 2):
        for pool in ("cls", "mean", "cls+mean"):
            direct = evaluate.features(encoder, store, blocks=blocks, pool=pool, combine=combine, cache=None)
            before = len(calls)
            kept = evaluate.features(encoder, store, blocks=blocks, pool=pool, combine=combine, cache=tmp_path)
            torch.testing.assert_close(kept.x, direct.x, atol=1e-6, rtol=1e-6)
            assert kept.x.is_contiguous() and torch.equal(kept.labels, direct.labels) and len(calls) == before
    assert once and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("pool", ["time", "part", "time+part"])
@pytest.mark.parametrize("combine", ["concat", "sum", "mean"])
def test_other_readings_are_kept_too(encoder, synthetic, tmp_path, pool, combine):
    direct = evaluate.features(encoder, synthetic[:20], pool=pool, combine=combine, cache=None)
    evaluate.features(encoder, synthetic[:20], pool=pool, cache=tmp_path)
    kept = evaluate.features(encoder, synthetic[:20], pool=pool, combine=combine, cache=tmp_path)
    torch.testing.assert_close(kept.x, direct.x, atol=1e-6, rtol=1e-6)
    assert kept.x.is_contiguous() and len(list(tmp_path.iterdir())) == 1


def test_what_changes_features_changes_their_file(encoder, synthetic, tmp_path):
    store = synthetic[:6]

    def files():
        return len(list(tmp_path.iterdir()))

    evaluate.features(encoder, store, cache=tmp_path)
    other = evaluate.random_encoder(encoder.config, 5)
    centered = Encoder(replace(encoder.config, centering="first_frame"))
    centered.load_state_dict(encoder.state_dict())
    for count, call in enumerate(
        (
            lambda: evaluate.features(other, store, cache=tmp_path),
            lambda: evaluate.features(centered, store, cache=tmp_path),
            lambda: evaluate.features(encoder, store, frames=8, cache=tmp_path),
            lambda: evaluate.features(encoder, store[::-1], cache=tmp_path),
            lambda: evaluate.features(encoder, store, view=faults.test_view, cache=tmp_path),
        ),
        start=2,
    ):
        call()
        assert files() == count
    evaluate.features(encoder, store, cache=tmp_path)
    evaluate.features(encoder, store, pool="tokens", cache=tmp_path)  # never kept
    evaluate.features(encoder, store, view=lambda *clips: data.test_view(*clips), cache=tmp_path)  # nor is what cannot be told
    assert files() == 6
    moved = evaluate.features(encoder, store[::-1], cache=tmp_path).x
    torch.testing.assert_close(moved, evaluate.features(encoder, store, cache=None).x.flip(0), atol=1e-5, rtol=1e-5)
    for file in tmp_path.iterdir():
        file.write_bytes(b"nothing")
    torch.testing.assert_close(
        evaluate.features(encoder, store, cache=tmp_path).x, evaluate.features(encoder, store, cache=None).x, atol=1e-6, rtol=1e-6
    )


def test_impossible_readings_are_refused_with_the_cache_too(encoder, synthetic, tmp_path):
    for wrong in ({"combine": "max"}, {"pool": "all"}, {"blocks": 3}):
        with pytest.raises(ValueError, match="features: pool is one of"):
            evaluate.features(encoder, synthetic[:2], cache=tmp_path, **wrong)
    assert not list(tmp_path.iterdir())


def test_an_encoder_whose_code_cannot_be_read_is_not_kept(encoder, synthetic, tmp_path, monkeypatch):
    """As of a class made in a notebook: its module is __main__, which has no file there."""
    own = type("Own", (Encoder,), {"__module__": "__main__"})(encoder.config)
    monkeypatch.delattr("__main__.__file__", raising=False)
    evaluate.features(own, synthetic[:2], cache=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_mae_is_kept_as_well(synthetic, tmp_path):
    sizes = mae.EncoderConfig(width=16, depth=2, heads=2, patch_frames=4, frames=8, centering="every_frame")
    masked = mae.Encoder(sizes).eval()
    for combine in ("concat", "sum"):
        kept = evaluate.features(masked, synthetic[:5], combine=combine, cache=tmp_path)
        direct = evaluate.features(masked, synthetic[:5], combine=combine, cache=None)
        torch.testing.assert_close(kept.x, direct.x, atol=1e-6, rtol=1e-6)
    with pytest.raises(ValueError, match="has no CLS"):
        evaluate.features(masked, synthetic[:5], blocks=2, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_the_cache_follows_the_coordinates_and_not_the_tables_digests(encoder, synthetic, tmp_path):
    few = synthetic[:4]
    before = evaluate.features(encoder, few, cache=tmp_path).x
    arrays = replace(few.arrays, joints=few.arrays.joints * np.float32(1.1))
    changed = data.ClipStore(arrays, few.table, few.skeleton, few.label_names, clips=few.clips, max_people=few.max_people)
    assert torch.equal(evaluate.features(encoder, changed, cache=tmp_path).x, evaluate.features(encoder, changed, cache=None).x)
    assert (evaluate.features(encoder, changed, cache=tmp_path).x - before).abs().max() > 1e-3
    later = replace(few.arrays, frames=few.arrays.frames[::-1].copy())  # the same coordinates at other times
    moved = data.ClipStore(later, few.table, few.skeleton, clips=few.clips, max_people=few.max_people)
    assert torch.equal(evaluate.features(encoder, moved, cache=tmp_path).x, evaluate.features(encoder, moved, cache=None).x)


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16])
def test_weights_of_another_precision_take_clips_all_the_same(kind, synthetic):
    encoder = evaluate.random_encoder(EncoderConfig(width=16, depth=1, heads=2, frames=16, init_std=None), 0)
    expected = evaluate.features(encoder, synthetic[:6], cache=None).x
    found = evaluate.features(encoder.to(kind), synthetic[:6], cache=None).x
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, atol=1e-5 if kind is torch.float64 else 0.06, rtol=0)
