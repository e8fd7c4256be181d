import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import slimlab
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.skeleton import COCO, KINECT_V2


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
    with pytest.raises(ValueError, match="not for head"):
        slimlab.load_encoder(folder, skeleton=COCO if COCO.names[0] == "head" else KINECT_V2.__class__(["head"], [-1]))
    own = (folder / "slimlab.json").read_text()
    (folder / "slimlab.json").write_text(json.dumps({"width": 3}))
    with pytest.raises(ValueError, match="no configuration"):
        slimlab.load_encoder(folder)
    (folder / "slimlab.json").write_text(own)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match="damaged"):
        slimlab.load_encoder(folder)
