"""The MAE against plain implementations of its parts; its runs: resumed equals uninterrupted, other methods refused."""

import dataclasses
import json
import re
from dataclasses import fields

import numpy as np
import pytest
import torch
from torch import nn

from slimlab import data, evaluate, pretrain
from slimlab.baselines import mae
from slimlab.baselines.mae import MAE, Config, Encoder, EncoderConfig, Trainer
from slimlab.pretrain.run import RunError
from slimlab.pretrain.sampling import clips_of_step
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2
from tests.conftest import make_store

SMALL = {"width": 32, "depth": 2, "heads": 4}


@pytest.fixture(scope="module")
def train():
    return data.split(data.synthetic(clips=44, seed=0), "cross-subject")[0]


@pytest.fixture
def quick() -> Config:
    return Config(steps=6, batch_size=4, width=32, depth=1, decoder_depth=1, frames=16, evaluations=2, checkpoint_seconds=1e9)


def test_mamps_sizes():
    masked = MAE()
    assert sum(p.numel() for p in masked.encoder.blocks.parameters()) == 8 * (4 * 256**2 + 8 * 256**2 + 256 * (3 + 1 + 4 + 1 + 4))
    assert masked.encoder.embed(torch.zeros(1, 3, 120, 25)).shape == (1, 750, 256)
    assert len(masked.decoder_blocks) == 5 and masked.predict.out_features == 12
    assert Config(preset="mamp").lr == pytest.approx(1e-3)


@torch.no_grad()
def test_a_block_is_pytorchs():
    """Against torch.nn's own pre-norm layer with the same weights."""
    torch.manual_seed(0)
    block = Encoder(EncoderConfig(**SMALL)).blocks[0]
    layer = nn.TransformerEncoderLayer(32, 4, 128, 0.0, "gelu", 1e-6, batch_first=True, norm_first=True)
    names = {"attn.qkv.weight": "self_attn.in_proj_weight", "attn.qkv.bias": "self_attn.in_proj_bias"}
    names |= {"attn.proj.": "self_attn.out_proj.", "mlp.0.": "linear1.", "mlp.2.": "linear2."}
    state = {}
    for name, value in block.state_dict().items():
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        state[name] = value
    layer.load_state_dict(state)
    x = torch.randn(2, 10, 32)
    torch.testing.assert_close(block(x), layer(x), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_the_encoder_sees_visible_cells_alone_and_the_decoder_their_places():
    torch.manual_seed(0)
    masked = MAE(EncoderConfig(frames=16, **SMALL), 1).eval()
    mask = torch.rand(4, 25) < 0.5
    clips = torch.randn(2, 3, 16, 25)
    hidden = clips.clone().unflatten(2, (4, 4))
    hidden.transpose(2, 3)[:, :, :, mask] += 1.0  # (2, 3, 4 frames, cells)
    changed = hidden.flatten(2, 3)
    masks = mask.expand(2, 4, 25)
    assert not torch.equal(clips, changed)
    torch.testing.assert_close(masked(clips, masks), masked(changed, masks))
    moved = masked(clips, masks.flip(1))
    assert not torch.allclose(masked(clips, masks), moved)
    # a visible token's embedding reaches the decoder at its own place
    visible = (~masks).flatten(1).nonzero()[:, 1].view(2, -1)
    seen = masked.encoder.encode(torch.stack([t[v] for t, v in zip(masked.encoder.embed(clips), visible, strict=True)]))
    tokens = masked.mask_token.expand(2, 100, -1).clone()
    for b in range(2):
        tokens[b, visible[b]] = masked.decoder_embed(seen[b])
    tokens = tokens + (masked.decoder_positions.time + masked.decoder_positions.joint).reshape(100, 32)
    expected = masked.predict(masked.decoder_norm(masked.decoder_blocks[0](tokens))).view(2, 4, 25, 12)
    torch.testing.assert_close(masked(clips, masks), expected, atol=1e-5, rtol=1e-5)


def test_the_motion_target_by_a_plain_loop():
    clips = torch.randn(2, 3, 8, 5, dtype=torch.float64)
    target = mae.motion_target(clips, 4)
    assert target.shape == (2, 2, 5, 12)
    x = clips.numpy()
    for clip in range(2):
        for step in range(2):
            for joint in range(5):
                motion = []
                for t in range(4 * step, 4 * step + 4):
                    motion += list(x[clip, :, t + 1, joint] - x[clip, :, t, joint]) if t < 7 else [0.0] * 3
                motion = np.array(motion)
                expected = (motion - motion.mean()) / np.sqrt(motion.var(ddof=1) + 1e-6)
                np.testing.assert_allclose(target[clip, step, joint], expected, rtol=1e-9)


def test_the_loss_is_over_masked_cells_alone(train, quick):
    trainer = Trainer(quick, train.skeleton)
    x, _ = trainer.views(train, np.arange(4), 0)
    mask = trainer.masks(x, 0)
    assert x.shape == (8, 3, 16, 25, 1) and mask.sum(dim=(1, 2)).tolist() == [90] * 8
    prediction, target = trainer.mae(x[..., 0], mask), mae.motion_target(x[..., 0], 4)
    error = ((prediction - target) ** 2).mean(dim=-1)
    assert trainer.loss(x, mask).item() == pytest.approx(float((error * mask).sum() / mask.sum()), rel=1e-5)


def test_it_learns(train, quick):
    config = dataclasses.replace(quick, steps=60, mask_ratio=0.5, base_lr=0.1)
    trainer = Trainer(config, train.skeleton)
    losses = [trainer.step(train, clips_of_step(len(train), 4, 0, s), s)["loss"] for s in range(60)]
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:5])  # ten seeds: 0.49 to 0.70 times


@pytest.mark.parametrize("body", [KINECT_V1, COCO], ids=lambda b: str(len(b)))
@pytest.mark.parametrize("masking", ["semantic_tubes", "motion_aware"])
def test_every_body_trains(body, masking, quick):
    rng = np.random.default_rng(0)
    store = make_store([rng.normal(size=(t, 1, len(body), 3)).astype(np.float32) for t in (1, 5, 40, 200)], body)
    values = Trainer(dataclasses.replace(quick, masking=masking), body).step(store, np.arange(4), 0)
    assert all(np.isfinite(v) for v in values.values())


def same_run(a: pretrain.Run, b: pretrain.Run):
    for name in ("step", "loss", "gradient", "lr", "rank", "knn"):
        np.testing.assert_array_equal(a.metrics[name], b.metrics[name], err_msg=name)
    for (name, p), q in zip(a.encoder.state_dict().items(), b.encoder.state_dict().values(), strict=True):
        assert torch.equal(p, q), name


def test_a_run_is_resumed_evaluated_and_told_from_slims(train, quick, tmp_path):
    whole = mae.fit(train, quick, folder=tmp_path / "whole", progress=False)
    assert whole.about["status"] == "finished" and whole.about["method"] == "mae" and len(whole.metrics) == 6
    for step in pretrain.steps(train, quick, folder=tmp_path / "halves", method=mae.METHOD):
        assert "loss" in repr(step)
        if step.step == 2:
            break
    same_run(mae.fit(train, quick, folder=tmp_path / "halves", progress=False), whole)
    assert whole.encoder.config == quick.encoder(train.skeleton)
    features = evaluate.features(whole.encoder, train)
    assert features.x.shape == (len(train), 32)
    assert evaluate.knn(features, features).accuracy == 1.0
    with pytest.raises(RunError, match="of the method 'mae', not of 'slim'"):
        pretrain.Run(tmp_path / "whole")
    with pytest.raises(RunError, match="'mae', not of 'slim'"):
        pretrain.fit(train, pretrain.Config(), folder=tmp_path / "whole", progress=False)


def test_minutes_and_estimate(train, quick, tmp_path):
    guess = pretrain.estimate(train, quick, method=mae.METHOD)
    trainer = Trainer(quick, train.skeleton)
    assert guess.weight_bytes == 4 * 4 * sum(p.numel() for p in trainer.mae.parameters())
    assert guess.graph_bytes > 0 and guess.seconds_per_step > 0


def test_features(train):
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(frames=16, **SMALL)).eval()
    x, people = torch.randn(3, 3, 16, 25, 2), torch.tensor([[True, True], [True, False], [False, False]])
    mean = encoder(x, people).mean(dim=(2, 3))  # (3, 2, 32)
    torch.testing.assert_close(encoder.features(x, people), mean.flatten(1))
    torch.testing.assert_close(encoder.features(x, people, combine="sum"), mean.sum(dim=1))
    torch.testing.assert_close(encoder.features(x, people, combine="mean")[:2], torch.stack([mean[0].mean(dim=0), mean[1, 0]]))
    steps = encoder(x, people).mean(dim=3)  # (3, 2, T', 32)
    torch.testing.assert_close(encoder.features(x, people, pool="time"), steps.flatten(1))
    for wrong in ({"pool": "cls"}, {"blocks": 4}, {"combine": "max"}):
        with pytest.raises(ValueError, match="no CLS token"):
            encoder.features(x, people, **wrong)
    with pytest.raises(ValueError, match="T = 16"):
        encoder(x[:, :, :8])


def test_damaged_weights_are_named(tmp_path):
    mae.save_encoder(Encoder(EncoderConfig(frames=16, **SMALL)), tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        mae.load_encoder(tmp_path / "nowhere")
    sizes = json.loads((tmp_path / "mae.json").read_text())
    for wrong, says in (({"width": 4 * 10**6}, "norm.bias is .32,., should be .4000000,."), ({"depth": 10**7}, "the tensors 2")):
        (tmp_path / "mae.json").write_text(json.dumps(sizes | wrong))
        with pytest.raises(ValueError, match=rf"model\.safetensors: no encoder.*{says}"):
            mae.load_encoder(tmp_path)
    (tmp_path / "mae.json").write_text(json.dumps(sizes))
    (tmp_path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"model\.safetensors: no encoder"):
        mae.load_encoder(tmp_path)


# For each field, values that no run can be made with, and what the error says of them
REFUSED = {
    "preset": {"x": "is unknown; choose one of mamp, tiny"},
    "seed": {-1: "whole number"},
    "steps": {0: "at least 1"},
    "minutes": {0: "above 0"},
    "batch_size": {0: "at least 1", 32.5: "whole number"},
    "width": {63: "multiple of heads 2"},
    "depth": {0: "at least 1"},
    "heads": {0: "at least 1", 3: "multiple of heads 3"},
    "decoder_depth": {0: "at least 1"},
    "patch_frames": {0: "at least 1", 3: "multiple of patch_frames 3"},
    "centering": {"x": "choose one of none"},
    "input_scale": {0.0: "above 0"},
    "frames": {62: "multiple of patch_frames 4"},
    "view_range": {(1.0, 0.8): "ascending"},
    "augment_probability": {1.5: "in 0..1"},
    "mirror": {"no": "True or False"},
    "bone_scale": {(0.0, 1.0): "above 0"},
    "rotation": {-0.3: "at least 0 rad"},
    "masking": {"x": "choose one of semantic_tubes"},
    "mask_ratio": {1.0: "between 0 and 1", 0.0: "between 0 and 1", (0.5, 0.9): "between 0 and 1"},
    "base_lr": {-1.0: "at least 0"},
    "min_lr": {-1.0: "at least 0"},
    "warmup": {2.0: "in 0..1"},
    "weight_decay": {-0.1: "at least 0", (0.1, 0.1): "finite number"},
    "betas": {(0.9, 1.0): "below 1", 0.9: "a pair"},
    "gradient_clip": {0: "above 0"},
    "evaluations": {-1: "at least 0"},
    "snapshots": {0: "at least 1"},
    "checkpoint_seconds": {-1.0: "at least 0"},
}


@pytest.mark.parametrize("name", [field.name for field in fields(Config)])
def test_every_field_refuses_what_is_impossible(name):
    assert REFUSED[name]
    for value, says in REFUSED[name].items():
        with pytest.raises(ValueError, match=re.escape(says)) as refusal:
            Config(**{name: value})
        assert name in str(refusal.value)


def test_an_encoder_of_impossible_sizes_is_refused():
    with pytest.raises(ValueError, match="frames 30"):
        EncoderConfig(skeleton=KINECT_V2, frames=30)
    with pytest.raises(ValueError, match="heads 0 must be a whole number of at least 1"):
        EncoderConfig(heads=0)


@pytest.mark.parametrize("ratio", [0.004, 0.996])
def test_a_mask_ratio_that_leaves_nothing_to_see_or_to_predict_is_refused(quick, ratio):
    with pytest.raises(ValueError, match=r"masks none or all of the 100 tokens .* take a ratio in 0.01..0.99"):
        Trainer(dataclasses.replace(quick, mask_ratio=ratio), KINECT_V2)
