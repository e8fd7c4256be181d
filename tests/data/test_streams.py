"""Bones and motion against loops over joints and frames; the stream travels with the weights and comes after augmentation."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from slimlab import augment, evaluate, load_encoder, save_encoder
from slimlab.data import streams
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.pretrain.config import Config
from slimlab.pretrain.trainer import Trainer
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2


@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, COCO])
def test_bones_are_joints_minus_their_parents(skeleton):
    x = torch.randn(2, 3, 4, len(skeleton), 2, generator=torch.Generator().manual_seed(0))
    x[1, ..., 1] = 0  # nobody
    expected = torch.zeros_like(x)
    for joint, parent in enumerate(skeleton.parents):
        if parent >= 0:
            expected[:, :, :, joint] = x[:, :, :, joint] - x[:, :, :, parent]
    assert torch.equal(streams.of(x, skeleton, "bone"), expected)
    assert not expected[:, :, :, skeleton.root].any() and not streams.bone(x, skeleton)[1, ..., 1].any()


def test_motion_is_the_next_frame_minus_this_one():
    x = torch.randn(2, 3, 6, 25, 2, generator=torch.Generator().manual_seed(0))
    x[0, :, :2, :, 1] = 0  # comes late
    x[1, :, 4:, :, 0] = 0  # leaves early
    expected = torch.zeros_like(x)
    for clip in range(2):
        for person in range(2):
            for t in range(5):
                now, then = x[clip, :, t, :, person], x[clip, :, t + 1, :, person]
                if now.any() and then.any():
                    expected[clip, :, t, :, person] = then - now
    assert torch.equal(streams.of(x, KINECT_V2, "motion"), expected)
    assert expected[0, :, 2:5, :, 1].any() and not expected[:, :, 5].any()
    assert torch.equal(streams.of(x, KINECT_V2, "joint"), x)


def test_an_unknown_stream_is_refused():
    for call in (
        lambda: streams.of(torch.zeros(1, 3, 2, 25, 1), KINECT_V2, "speed"),
        lambda: EncoderConfig(stream="speed"),
        lambda: Config(stream="speed"),
    ):
        with pytest.raises(ValueError, match="stream 'speed' is unknown; choose one of joint, bone, motion"):
            call()


def test_the_stream_travels_with_the_weights_and_is_applied(tmp_path, synthetic):
    config = EncoderConfig(width=16, depth=1, heads=2, frames=32, centering="every_frame", input_scale=2.0, stream="bone")
    torch.manual_seed(0)
    encoder = Encoder(config).eval()
    loaded = load_encoder(save_encoder(encoder, tmp_path / "bone"))
    assert loaded.config.stream == "bone"
    x = torch.randn(2, 3, 32, 25, 1)
    expected = streams.bone(augment.center(x, KINECT_V2, "every_frame"), KINECT_V2) * 2.0
    torch.testing.assert_close(evaluate.prepare(x, loaded.config)[0], expected)
    joint = Encoder(replace(config, stream="joint")).eval()
    joint.load_state_dict(encoder.state_dict())
    store = synthetic[:3]
    assert not torch.allclose(evaluate.features(encoder, store).x, evaluate.features(joint, store).x)


def test_pre_training_makes_the_stream_after_the_augmentations(synthetic, quick):
    """Bones of the augmented joints: the same draws with stream="joint", turned into bones afterwards."""
    joint, bone, motion = (Trainer(replace(quick, stream=s), synthetic.skeleton) for s in streams.STREAMS)
    scale = quick.input_scale
    views = zip(*(t._views(synthetic, np.arange(4), 3)[0] for t in (joint, bone, motion)), strict=True)
    for x, b, m in views:
        torch.testing.assert_close(b, streams.bone(x / scale, KINECT_V2) * scale)
        torch.testing.assert_close(m, streams.motion(x / scale) * scale)
    assert bone.student.encoder.config.stream == "bone"
