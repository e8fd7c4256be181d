import json
import warnings
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import slimlab
from slimlab import data, evaluate
from slimlab.config import Config
from slimlab.counterparts import counterparts
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2, Skeleton
from slimlab.weights import on_body


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(EncoderConfig(width=16, depth=2, heads=2, registers=1, init_std=None, centring="every_frame", input_scale=3.0))


def test_round_trip(encoder, tmp_path):
    folder = slimlab.save_encoder(encoder, tmp_path / "a" / "b")
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors", "slimlab.json"]
    assert [p.name for p in folder.parent.iterdir()] == ["b"]
    for again in (slimlab.load_encoder(folder), slimlab.load_encoder(tmp_path, subfolder="a/b")):
        assert again.config == encoder.config and not again.training
        assert all(torch.equal(p, q) for p, q in zip(encoder.state_dict().values(), again.state_dict().values(), strict=True))


def test_the_released_layout_alone_is_enough(tmp_path):
    encoder = Encoder(EncoderConfig(width=16, depth=1, heads=2))
    folder = slimlab.save_encoder(encoder, tmp_path / "e")
    (folder / "slimlab.json").unlink()
    again = slimlab.load_encoder(folder)
    assert again.config.skeleton == KINECT_V2 and (again.config.width, again.config.depth, again.config.heads) == (16, 1, 2)


def test_what_does_not_fit_is_listed(encoder, tmp_path):
    folder = slimlab.save_encoder(encoder, tmp_path / "e")
    tensors = load_file(folder / "model.safetensors")
    tensors["extra"] = tensors.pop("mask_token")
    tensors["norm.bias"] = torch.zeros(3)
    save_file(tensors, folder / "model.safetensors")
    with pytest.raises(ValueError) as caught:
        slimlab.load_encoder(folder)
    for part in ("extra is unexpected", "mask_token is missing", "norm.bias is (3,), should be (16,)", "model.safetensors"):
        assert part in str(caught.value)


def test_damaged_and_absent_files_are_named(encoder, tmp_path):
    folder = slimlab.save_encoder(encoder, tmp_path / "e")
    with pytest.raises(FileNotFoundError, match="no such file; give a folder"):
        slimlab.load_encoder(tmp_path)
    own = (folder / "slimlab.json").read_text()
    (folder / "slimlab.json").write_text(json.dumps({"width": 3}))
    with pytest.raises(ValueError, match="no configuration"):
        slimlab.load_encoder(folder)
    (folder / "slimlab.json").write_text(own)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        slimlab.load_encoder(folder)


def test_another_body_takes_embeddings_over_by_joint_name(encoder, tmp_path):
    folder = slimlab.save_encoder(encoder, tmp_path / "e")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # every joint of Kinect v1 has a counterpart
        moved = slimlab.load_encoder(folder, skeleton=KINECT_V1)
    assert moved.config.skeleton == KINECT_V1 and moved.config.input_scale == encoder.config.input_scale
    named = {"hip_center": "base_spine", "spine": "middle_spine", "shoulder_center": "spine_shoulder", "left_knee": "left_knee"}
    for v1, v2 in named.items():
        j, i = KINECT_V1.names.index(v1), KINECT_V2.names.index(v2)
        assert torch.equal(moved.pos_embed[0, 1 + j], encoder.pos_embed[0, 1 + i])
    x = torch.randn(2, 3, 16, 25, 1)
    places = counterparts(KINECT_V1, KINECT_V2)
    with torch.no_grad():  # the same tokens, in another order: what the smaller body sees does not depend on who asks
        assert moved(x[:, :, :, places]).cls.shape == (2, 1, 16)


def test_joints_without_a_counterpart_are_named(encoder, tmp_path):
    folder = slimlab.save_encoder(encoder, tmp_path / "e")
    with pytest.warns(UserWarning, match="nose, left_eye, right_eye, left_ear, right_ear$"):
        moved = slimlab.load_encoder(folder, skeleton=COCO)
    shoulder = encoder.pos_embed[0, 1 + KINECT_V2.names.index("left_shoulder")]
    assert torch.equal(moved.pos_embed[0, 1 + COCO.names.index("left_shoulder")], shoulder)
    with pytest.raises(ValueError, match="no joint of this body"):
        slimlab.load_encoder(folder, skeleton=Skeleton(["engine", "wheel"], [-1, 0]))


@given(st.permutations(range(25)))
@settings(max_examples=5, deadline=None)
def test_the_order_of_joints_is_only_an_order(order):
    """A body with its joints listed otherwise: the moved encoder gives the same features."""
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(width=16, depth=1, heads=2, init_std=None)).eval()
    back = [order.index(j) for j in range(25)]
    parents = [back[KINECT_V2.parents[j]] if KINECT_V2.parents[j] >= 0 else -1 for j in order]
    body = Skeleton([KINECT_V2.names[j] for j in order], parents)
    x = torch.randn(1, 3, 16, 25, 1, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        moved = on_body(encoder, body)
        torch.testing.assert_close(moved.features(x[:, :, :, list(order)]), encoder.features(x), atol=1e-5, rtol=1e-4)


def test_the_shipped_encoder_beats_its_controls_by_ten_points():
    """On the default synthetic set, whose performers it never saw; cross-subject and cross-view, kNN and probe."""
    store = data.synthetic()
    for protocol in ("cross-subject", "cross-view"):
        table = evaluate.compare(slimlab.pretrained("tiny"), *data.split(store, protocol)).set_index("features")
        ahead = table.loc["pre-trained encoder"] - table.drop("pre-trained encoder").max()
        assert (ahead >= 0.10).all(), table


def test_shipped_weights_come_with_their_record():
    names = sorted(p.name for p in (Path(slimlab.__file__).parent / "pretrained").iterdir())
    assert names == ["tiny", "tiny-v1"]
    for name, body in zip(names, (KINECT_V2, KINECT_V1), strict=True):
        encoder, record = slimlab.pretrained(name), slimlab.pretrained_record(name)
        config = Config(**record["config"])
        assert encoder.config == config.encoder(body) and record["seconds"] > 60 and "no labels" in record["data"]
        assert any("results" in key for key in record) and name in record["command"]
    with pytest.raises(ValueError, match="no weights called 'large' come with slimlab; there are tiny"):
        slimlab.pretrained("large")
