import json
import re
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import slimlab
from slimlab import data, evaluate
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.pretrain.config import Config
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2, Skeleton
from slimlab.skeleton.matching import match_joints
from slimlab.weights import on_body


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return Encoder(
        EncoderConfig(width=16, depth=2, heads=2, registers=1, init_std=None, centering="every_frame", input_scale=3.0)
    )


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


def checkpoint(encoder, **changes):
    """What a training checkpoint holds: the encoder under backbone., heads, and the student."""
    tensors = {f"backbone.{k}": v for k, v in encoder.state_dict().items()} | {"dino_head.mlp.0.weight": torch.zeros(3)}
    return {"teacher": tensors | changes, "iteration": 3}


@pytest.mark.parametrize("hidden", [None, 24, 200])
def test_a_checkpoint_tells_its_sizes(tmp_path, hidden):
    """Depth, width, hidden, registers, patch and joints from the tensors; heads from 32 numbers each, with a word of it."""
    torch.manual_seed(0)
    sizes = {"width": 64, "depth": 3, "heads": 2, "registers": 2, "patch_frames": 4, "skeleton": KINECT_V1}
    encoder = Encoder(EncoderConfig(**sizes, mlp_ratio=4.0 if hidden is None else 1.5 * hidden / 64))
    assert hidden in (None, encoder.config.hidden)
    torch.save(checkpoint(encoder), tmp_path / "slim.pth")
    with pytest.warns(UserWarning, match="number of heads is not told; 2,"):
        again = slimlab.load_encoder(tmp_path / "slim.pth", skeleton=KINECT_V1)
    assert again.config.centering == "none" and not again.training
    assert {k: getattr(again.config, k) for k in sizes} == sizes and again.config.hidden == encoder.config.hidden
    x = torch.randn(2, 3, 8, 20, 1)
    torch.testing.assert_close(again(x).tokens, encoder(x).tokens)


def test_a_checkpoint_of_the_papers_size_says_no_more_than_needed(tmp_path):
    torch.save(checkpoint(Encoder()), tmp_path / "slim.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoder = slimlab.load_encoder(tmp_path / "slim.pth")
    assert encoder.config == EncoderConfig(centering="none") and encoder.config.skeleton == KINECT_V2


def test_weights_of_twenty_joints_ask_for_their_body(tmp_path):
    torch.save(checkpoint(Encoder(EncoderConfig(depth=1, skeleton=KINECT_V1))), tmp_path / "slim.pth")
    with pytest.raises(ValueError, match=r"slim.pth.*for 20 joints; say which, skeleton=skeleton.KINECT_V1"):
        slimlab.load_encoder(tmp_path / "slim.pth")
    with pytest.raises(ValueError, match="for 20 joints"):
        slimlab.load_encoder(tmp_path / "slim.pth", skeleton=COCO)
    assert slimlab.load_encoder(tmp_path / "slim.pth", skeleton=KINECT_V1).config.skeleton == KINECT_V1
    torch.save(checkpoint(Encoder(EncoderConfig(depth=1, skeleton=Skeleton(["a", "b"], [-1, 0])))), tmp_path / "two.pth")
    with pytest.raises(ValueError, match=r"for 2 joints; say which, skeleton=Skeleton\(names, parents\)"):
        slimlab.load_encoder(tmp_path / "two.pth")


def test_released_weights_move_to_another_body(tmp_path):
    torch.save(checkpoint(Encoder(EncoderConfig(depth=1))), tmp_path / "slim.pth")
    assert slimlab.load_encoder(tmp_path / "slim.pth", skeleton=KINECT_V1).config.skeleton == KINECT_V1


def test_every_tensor_of_a_checkpoint_that_does_not_fit_is_named(tmp_path):
    encoder = Encoder(EncoderConfig(depth=2))
    state = checkpoint(encoder, **{"backbone.norm.bias": torch.zeros(3), "backbone.extra": torch.zeros(1)})
    for name in ("blocks.0.attn.qkv.weight", "cls_token"):
        del state["teacher"][f"backbone.{name}"]
    torch.save(state, tmp_path / "slim.pth")
    with pytest.raises(ValueError) as caught:
        slimlab.load_encoder(tmp_path / "slim.pth")
    for part in (
        *("slim.pth", "extra is unexpected", "cls_token is missing", "blocks.0.attn.qkv.weight is missing"),
        "norm.bias is (3,), should be (256,)",
    ):
        assert part in str(caught.value)
    assert "head" not in str(caught.value)


class Trap:
    def __reduce__(self):
        return (print, ("sprung",))


@pytest.mark.parametrize(
    "content, says",
    [
        ({"teacher": {"backbone.cls_token": Trap()}}, "more than plain tensors"),
        ({"teacher": {"backbone.cls_token": 3}}, "cls_token of the teacher's encoder should be tensors"),
        ({"model": {}}, "no released checkpoint.*it holds model"),
        ({"teacher": {"head.weight": torch.zeros(1)}}, "it holds head.weight"),
        ([1, 2], "no released checkpoint"),
    ],
)
def test_other_pth_files_are_refused_unopened(tmp_path, capsys, content, says):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=says) as caught:
        slimlab.load_encoder(tmp_path / "other.pth")
    assert "other.pth" in str(caught.value) and "sprung" not in capsys.readouterr().out
    (tmp_path / "other.pth").write_bytes(b"half a file")
    with pytest.raises(ValueError, match="damaged"):
        slimlab.load_encoder(tmp_path / "other.pth")


@pytest.mark.parametrize("name", ["other.pth", "other.pth.tar"])
def test_another_models_checkpoint_is_not_damaged(tmp_path, name):
    state = {"input_branches.0.init_bn.weight": torch.zeros(3), "classifier.bias": torch.zeros(2)}
    torch.save({"model": state, "best_score": np.float64(0.9)}, tmp_path / name)  # a scalar that torch refuses to open
    with pytest.raises(ValueError, match=r"not SLiM's tensors.*input_branches.0.init_bn.weight") as caught:
        slimlab.load_encoder(tmp_path / name)
    assert "damaged" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_a_missing_subfolder_is_suggested(encoder, tmp_path):
    for name in ("ntu60_xsub", "ntu60_xview"):
        slimlab.save_encoder(encoder, tmp_path / name)
    with pytest.raises(FileNotFoundError, match="subfolder= ntu60_xsub or ntu60_xview"):
        slimlab.load_encoder(tmp_path)


def test_weights_from_the_hubs_cache(encoder, tmp_path, monkeypatch):
    """A cache as huggingface_hub lays it out, and no network."""
    hub = pytest.importorskip("huggingface_hub")
    root, commit = tmp_path / "models--JeonghyeokDo--SLiM", "0123456789abcdef0123456789abcdef01234567"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(commit)
    folder = slimlab.save_encoder(encoder, root / "snapshots" / commit / "ntu60_xsub")
    (folder / "slimlab.json").unlink()
    (folder / "config.json").write_text(json.dumps({"num_heads": 2, "something_else": [1]}))
    cached = hub.snapshot_download
    monkeypatch.setattr(hub, "snapshot_download", lambda *a, **k: cached(*a, **k, cache_dir=tmp_path, local_files_only=True))
    monkeypatch.chdir(tmp_path)
    again = slimlab.load_encoder("JeonghyeokDo/SLiM", subfolder="ntu60_xsub")
    assert torch.equal(again.pos_embed, encoder.pos_embed) and again.config.registers == 1 and again.config.heads == 2
    with pytest.raises(FileNotFoundError, match="runs/typo: no such folder here, and the Hugging Face Hub gives none"):
        slimlab.load_encoder("runs/typo")


def test_only_an_encoders_files_are_asked_of_the_hub(encoder, tmp_path, monkeypatch):
    asked = {}

    def snapshot_download(repository, allow_patterns):
        asked[repository] = allow_patterns
        return str(tmp_path)

    slimlab.save_encoder(encoder, tmp_path / "ntu60_xsub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=snapshot_download))
    slimlab.load_encoder("someone/SLiM", subfolder="ntu60_xsub")
    assert asked == {"someone/SLiM": [f"ntu60_xsub/{n}" for n in ("config.json", "slimlab.json", "model.safetensors")]}


def test_without_the_hub_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(FileNotFoundError, match=r"someone/SLiM: no such folder here; .*pip install 'slimlab\[hub\]'"):
        slimlab.load_encoder("someone/SLiM")


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


HUGE = 10**7  # no machine has the memory for such a width


@pytest.mark.parametrize(
    "file, key, value, tells",
    [
        ("config.json", "embed_dim", HUGE, "16"),
        ("config.json", "depth", 3, "2"),
        ("config.json", "num_register_tokens", 4, "1"),
        ("config.json", "num_joints", 20, "25"),
        ("config.json", "patch_size", [4, 1], "8"),
        ("slimlab.json", "width", HUGE, "16"),
        ("slimlab.json", "depth", HUGE, "2"),
        ("slimlab.json", "mlp_ratio", 1e9, "48"),
        ("slimlab.json", "registers", HUGE, "1"),
        ("slimlab.json", "patch_frames", 4, "8"),
    ],
)
def test_a_size_that_the_tensors_do_not_have_is_refused_before_memory_is_taken(encoder, tmp_path, file, key, value, tells):
    folder = slimlab.save_encoder(encoder, tmp_path / "e")
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | {key: value}))
    if file == "config.json":
        (folder / "slimlab.json").unlink()
    named = {"patch_size": "patch_size[0] 4", "mlp_ratio": "hidden"}.get(key, f"{key} {value}")
    with pytest.raises(ValueError, match=rf"model\.safetensors: {file} says {re.escape(named)}.*, the tensors {tells};"):
        slimlab.load_encoder(folder)


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
    places = match_joints(KINECT_V1, KINECT_V2)
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


@pytest.mark.integration  # not for what it starts, but for its length: 960 clips, five sorts of features, kNN and probe
@pytest.mark.parametrize("protocol", ["cross-subject", "cross-view"])
def test_the_shipped_encoder_beats_its_controls_by_ten_points(protocol):
    """On the default synthetic set, whose subjects it never saw; kNN and probe."""
    table = evaluate.compare(slimlab.pretrained("tiny"), *data.split(data.synthetic(), protocol)).set_index("features")
    ahead = table.loc["pre-trained encoder"] - table.drop("pre-trained encoder").max()
    assert (ahead >= 0.10).all(), table


def test_shipped_weights_come_with_their_record():
    names = sorted(p.name for p in (Path(slimlab.__file__).parent / "weights" / "shipped").iterdir())
    assert names == slimlab.weights.shipped() == ["small", "tiny", "tiny-v1"]
    for name, body in zip(names, (KINECT_V2, KINECT_V2, KINECT_V1), strict=True):
        encoder, record = slimlab.pretrained(name), slimlab.pretrained_record(name)
        config = Config(**record["config"])
        assert encoder.config == config.encoder(body) and record["seconds"] > 60 and "no labels" in record["data"]
        assert any("results" in key for key in record) and name in record["command"]
    with pytest.raises(ValueError, match="no weights called 'large' come with slimlab; there are small, tiny"):
        slimlab.pretrained("large")


def test_no_folder_hides_a_function_of_the_package():
    """`import slimlab.NAME` takes a folder of that name, and the function of that name is gone."""
    folders = {p.name for p in Path(slimlab.__file__).parent.iterdir() if p.is_dir()}
    hidden = [name for name in dir(slimlab) if name in folders and callable(getattr(slimlab, name))]
    assert not hidden
