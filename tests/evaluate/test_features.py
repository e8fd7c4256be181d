import numpy as np
import pytest
import torch

from slimlab import augment, data, evaluate
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.skeleton import COCO
from tests.conftest import counting_clip, make_store


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    config = EncoderConfig(width=16, depth=2, heads=2, frames=32, init_std=None, centring="every_frame", input_scale=3.0)
    return Encoder(config)


def test_features_are_the_encoders_on_the_prepared_test_view(encoder, synthetic):
    f = evaluate.features(encoder, synthetic, batch_size=10)
    x, people = data.test_view(synthetic, [13], frames=32)
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


def test_where_a_person_stands_does_not_matter_once_centred(encoder):
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
