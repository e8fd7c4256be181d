"""Encoders exported to ONNX and torch.export answer as in PyTorch, and what is no such file is refused."""

import io
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

import slimlab
from slimlab import data, evaluate, weights
from slimlab.__main__ import main
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.skeleton import COCO

onnx = pytest.importorskip("onnx", reason="needs the extra: pip install slimlab[onnx]")
pytest.importorskip("onnxruntime", reason="needs the extra: pip install slimlab[onnx]")
pytest.importorskip("onnxscript", reason="needs the extra: pip install slimlab[onnx]")

BARE = EncoderConfig(skeleton=COCO, width=16, depth=1, heads=2, registers=0, patch_frames=4, frames=16, init_std=None)
WHOLE = EncoderConfig(width=16, depth=2, heads=2, registers=2, patch_frames=4, frames=16, init_std=None)
LONG = [pytest.param(name, marks=pytest.mark.integration) for name in ("tiny", "small")]  # 10 s an export


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """An encoder and its file, by name, made when they are asked for; `bare` has no registers and no optional outputs."""
    folder = tmp_path_factory.mktemp("exported")

    @cache
    def of(name):
        torch.manual_seed(0)
        config, inside = {"bare": BARE, "whole": WHOLE}.get(name), name != "bare"
        encoder = weights.pretrained(name) if config is None else Encoder(config).eval()
        return encoder, weights.export_onnx(encoder, folder / f"{name}.onnx", attention=inside, blocks=inside)

    return of


def asked(config, clips: int, people: int, steps: int, seed: int):
    """x, mask, people and seen at random; of several people, the last of the first clip is absent."""
    g = torch.Generator().manual_seed(seed)
    joints, frames = len(config.skeleton), steps * config.patch_frames
    x = torch.randn(clips, 3, frames, joints, people, generator=g)
    there = torch.rand(clips, people, generator=g) < 0.7
    there[0, -1] = people == 1
    x = x * there[:, None, None, None]
    mask = torch.rand(clips, people, steps, joints, generator=g) < 0.4
    seen = torch.rand(clips, frames, joints, people, generator=g) < 0.7
    seen[:, :, 0] = False  # a joint that is never seen
    return x, mask, there, seen


def far(a, b) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max()) if a.numel() else 0.0


@pytest.mark.parametrize("name", ["bare", "whole", *LONG])
def test_the_file_answers_as_the_encoder_over_shapes(exported, name):
    encoder, file = exported(name)
    other, inside = weights.load_onnx(file), name != "bare"
    assert other.config == encoder.config
    sizes = [(clips, people, steps) for clips in (1, 2, 5) for people in (1, 2) for steps in (1, 3, 64 // BARE.patch_frames // 2)]
    for seed, size in enumerate(sizes):
        x, mask, there, seen = asked(encoder.config, *size, seed)
        for given in ({}, {"mask": mask}, {"people": there}, {"seen": seen}, {"mask": mask, "people": there, "seen": seen}):
            with torch.no_grad():
                expected, got = (e(x, **given, return_intermediates=inside) for e in (encoder, other))
            for part in ("cls", "registers", "tokens"):
                assert far(getattr(got, part), getattr(expected, part)) < 1e-4, (part, size, given.keys())
            for mine, theirs in zip(got.intermediates or (), expected.intermediates or (), strict=True):
                assert far(mine.tokens, theirs.tokens) < 1e-4 and far(mine.attention, theirs.attention) < 1e-4
    one = mask[0, 0]  # the same for all
    torch.testing.assert_close(other(x, one).tokens, encoder(x, one).tokens.detach(), atol=1e-4, rtol=0)
    with torch.no_grad():
        for how in ({"blocks": encoder.config.depth}, {"pool": "part"}, {"pool": "cls", "combine": "mean"}, {"pool": "time"}):
            assert far(other.features(x, there, seen=seen, **how), encoder.features(x, there, seen=seen, **how)) < 1e-4, how


def test_who_is_absent_cannot_spoil_the_others(exported):
    encoder, file = exported("bare")
    x, _, _, _ = asked(encoder.config, 2, 2, 2, 0)
    x[:, :, :, :, 1] = torch.nan
    there = torch.tensor([[True, False], [True, False]])
    got = weights.load_onnx(file)(x, people=there)
    assert (got.cls[:, 1] == 0).all() and (got.tokens[:, 1] == 0).all()
    assert far(got.cls[:, 0], encoder(x, people=there).cls[:, 0].detach()) < 1e-4


def test_a_torch_program_answers_too_and_comes_back_from_disk(tmp_path):
    torch.manual_seed(1)
    encoder = Encoder(BARE).eval()
    weights.export_program(encoder, tmp_path / "model.pt2", attention=True)
    held = {"slimlab.json": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=held).module()
    assert json.loads(held["slimlab.json"])["config"]["skeleton"]["names"] == list(COCO.names)
    for size in ((1, 1, 2), (1, 2, 3), (3, 1, 2), (3, 2, 5)):
        x, mask, there, seen = asked(BARE, *size, 3)
        with torch.no_grad():
            expected = encoder(x, mask, there, seen, return_intermediates=True)
        cls, registers, tokens, block_cls, attention = program(x, mask, there, seen)
        for got, wanted in ((cls, expected.cls), (registers, expected.registers), (tokens, expected.tokens)):
            assert far(got, wanted) < 1e-5
        assert far(attention[:, :, 0], expected.intermediates[0].attention) < 1e-5 and torch.equal(block_cls[:, :, -1], cls)


@pytest.mark.integration  # several exports, ten seconds each
def test_the_file_says_what_it_is_and_is_the_same_again(exported, tmp_path):
    encoder, file = exported("bare")
    assert weights.export_onnx(encoder, tmp_path / "again.onnx").read_bytes() == file.read_bytes()
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", 18)] and not model.functions
    assert str(Path(slimlab.__file__).parent).encode() not in file.read_bytes()
    config = json.loads({p.key: p.value for p in model.metadata_props}["slimlab"])["config"]
    assert config["skeleton"] == COCO.to_dict() and config["centering"] == encoder.config.centering
    with pytest.raises(ValueError, match=r"model\.bin: give a file name that ends in \.onnx"):
        weights.export_onnx(encoder, tmp_path / "model.bin")
    with pytest.raises(ValueError, match="depth 0"):
        weights.export_onnx(Encoder(EncoderConfig(depth=0)), tmp_path / "none.onnx")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.onnx"]


def test_shapes_and_outputs_that_are_not_there_are_named(exported):
    other = weights.load_onnx(exported("bare")[1])
    x, mask, there, seen = asked(BARE, 2, 1, 2, 0)
    with pytest.raises(ValueError, match=r"x is \(2, 3, 7, 17, 1\), should be"):
        other(x[:, :, :7])
    with pytest.raises(ValueError, match=r"people is torch.float32 .*should be bool of shape \(2, 1\)"):
        other(x, people=there.float())
    with pytest.raises(ValueError, match="mask is"):
        other(x, mask[:, :, :1])
    with pytest.raises(ValueError, match="seen is"):
        other(x, seen=seen[:1])
    with pytest.raises(ValueError, match="holds no blocks and no attention; export it with blocks=True, attention=True"):
        other(x, return_intermediates=True)
    with pytest.raises(ValueError, match=r"blocks 1\.\.1"):
        other.features(x, blocks=2)


def test_what_is_no_exported_encoder_is_refused(exported, tmp_path):
    file = exported("bare")[1]
    whole, bad = file.read_bytes(), tmp_path / "bad.onnx"

    def refused(content: bytes, match: str) -> None:
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=rf"bad\.onnx: {match}"):
            weights.load_onnx(bad)

    for content in (b"", b"no model", whole[: len(whole) // 2], whole[: len(whole) // 7], b"\0" * 99):
        refused(content, "")
    model = onnx.load(file)
    about = json.loads(model.metadata_props[0].value)

    def changed(**entries) -> bytes:
        model.metadata_props[0].value = json.dumps(about | entries)
        return model.SerializeToString()

    refused(changed(format=9), "no encoder .*format 9, this version reads 1")
    refused(changed(config=about["config"] | {"width": -1}), "no encoder")
    refused(changed(config=about["config"] | {"width": 32}), r"no encoder .*tokens has the sizes \[17, 16\]")
    refused(changed(config=about["config"] | {"depth": 3}), "no encoder .*block_cls")
    refused(changed(config=about["config"] | {"patch_frames": 8}), "no encoder .*x has the sizes")
    refused(changed(config=about["config"] | {"skeleton": {"names": ["a"]}}), "no encoder")
    refused(changed(config=[1]), "no encoder")
    model.metadata_props[0].value = "{"
    refused(model.SerializeToString(), "no encoder")
    del model.metadata_props[:]
    refused(model.SerializeToString(), "an ONNX file without slimlab's metadata")
    with pytest.raises(FileNotFoundError, match=r"none\.onnx: no such file"):
        weights.load_onnx(tmp_path / "none.onnx")
    with pytest.raises(ValueError, match=r"open it with weights\.load_onnx"):
        weights.load_encoder(file)


def test_features_of_a_store_are_the_encoders(exported, synthetic, tmp_path):
    encoder, file = exported("whole")
    other, store = weights.load_onnx(file), synthetic[:40]
    for folder in (None, tmp_path, tmp_path):  # the third time they come from the cache
        for blocks in (1, 2):
            got = evaluate.features(other, store, blocks=blocks, cache=folder)
            assert far(got.x, evaluate.features(encoder, store, blocks=blocks, cache=None).x) < 1e-4
    assert evaluate.features(other, store, pool="time+part", cache=None).x.shape[0] == 40
    assert evaluate.weights_digest(other) != evaluate.weights_digest(weights.load_onnx(exported("bare")[1]))
    with pytest.raises(ValueError, match=r"17 joints .*export one for this body"):
        evaluate.features(weights.load_onnx(exported("bare")[1]), store)


@pytest.mark.integration  # several exports, ten seconds each
def test_predictors_from_a_file_and_in_a_file(exported, synthetic, tmp_path):
    encoder, file = exported("small")
    train, test = data.split(synthetic, "cross-subject")
    expected = evaluate.fit_predictor(encoder, train)
    inside = evaluate.load_predictor(expected.export_onnx(tmp_path / "labels.onnx"))
    folder = evaluate.load_predictor(evaluate.fit_predictor(weights.load_onnx(file), train).save(tmp_path / "folder"))
    assert isinstance(folder.encoder, weights.OnnxEncoder) and inside.about == expected.about
    wanted = expected.predict(test)
    for found, off in ((inside, 1e-4), (folder, 1e-2)):  # the second probe was fitted anew, and stops a little elsewhere
        table = found.predict(test)
        assert table["label"].tolist() == wanted["label"].tolist()
        np.testing.assert_allclose(table["confidence"], wanted["confidence"], atol=off)
    live = [evaluate.Live(p, window=64) for p in (expected, inside)]
    for frame in test[0].joints[:64]:
        said = [each.push(frame) for each in live]
    assert said[0]["label"] == said[1]["label"] and said[1]["confidence"] == pytest.approx(said[0]["confidence"], abs=1e-3)
    with pytest.raises(ValueError, match="comes from an ONNX file"):
        inside.export_onnx(tmp_path / "again.onnx")
    with pytest.raises(ValueError, match=r"small\.onnx: an encoder without a probe"):
        evaluate.load_predictor(file)
    model = onnx.load(tmp_path / "labels.onnx")
    about = json.loads(model.metadata_props[0].value)
    for wrong in ("AAAA", "no base64!", 3):
        model.metadata_props[0].value = json.dumps(about | {"predictor": about["predictor"] | {"probe": wrong}})
        onnx.save(model, tmp_path / "wrong.onnx")
        with pytest.raises(ValueError, match=r"wrong\.onnx: no predictor"):
            evaluate.load_predictor(tmp_path / "wrong.onnx")


@pytest.mark.integration  # several exports, ten seconds each
def test_the_command_line_exports_embeds_predicts_and_streams(synthetic, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    weights.save_encoder(evaluate.random_encoder(EncoderConfig(width=16, depth=1, heads=2, frames=16, init_std=None), 1), "net")
    data.export(synthetic[:24], "clips.npz")
    assert main(["export-model", "net", "model.onnx"]) == 0 and capsys.readouterr().out == "model.onnx\n"
    for source, out in (("net", "a.npz"), ("model.onnx", "b.npz")):
        assert main(["embed", source, "clips.npz", "--out", out]) == 0
    np.testing.assert_allclose(np.load("a.npz")["features"], np.load("b.npz")["features"], atol=1e-4)
    assert main(["predict", "net", "clips.npz", "--labels", "clips.npz", "--save", "kept", "--out", "a.csv"]) == 0
    assert main(["export-model", "kept", "kept.onnx"]) == 0
    assert main(["predict", "kept.onnx", "clips.npz", "--out", "b.csv"]) == 0
    assert main(["predict", "model.onnx", "clips.npz", "--labels", "clips.npz", "--out", "c.csv"]) == 0
    labels = [[line.split(",")[1] for line in Path(name).read_text().splitlines()] for name in ("a.csv", "b.csv", "c.csv")]
    assert labels[0] == labels[1] == labels[2]
    capsys.readouterr()
    lines = "\n".join(" ".join(f"{v:.4f}" for v in frame[0].ravel()) for frame in synthetic[0].joints[:24])
    said = []
    for predictor in ("kept", "kept.onnx"):
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        assert main(["stream", predictor, "--window", "16"]) == 0
        said.append([line.split("\t")[:2] for line in capsys.readouterr().out.splitlines()])
    assert said[0] == said[1] and len(said[0]) == 2
    assert main(["stream", "kept", "clips.npz", "--window", "5000"]) == 0
    assert "shorter than the window of 5000 frames" in capsys.readouterr().err
    assert main(["export-model", "net", "coco.onnx", "--body", "coco"]) == 0
    assert weights.load_onnx("coco.onnx").config.skeleton.names == COCO.names
    assert main(["export-model", "net", "mine.onnx", "--body", "clips.npz"]) == 0
    assert weights.load_onnx("mine.onnx").config.skeleton.names == synthetic.skeleton.names
    for wrong in (["net", "x.onnx", "--body", "cat"], ["kept", "x.onnx", "--body", "coco"], ["model.onnx", "x.onnx"]):
        assert main(["export-model", *wrong]) == 1 and not Path("x.onnx").exists()


@pytest.mark.integration  # several exports, ten seconds each
def test_the_example_in_the_docs_needs_no_slimlab(exported, synthetic, tmp_path, monkeypatch):
    encoder, file = exported("small")
    page = (Path(slimlab.__file__).parents[1] / "docs" / "export.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    assert "slimlab" not in "".join(line for line in code.splitlines() if "import" in line) and "torch" not in code
    monkeypatch.chdir(tmp_path)
    Path("model.onnx").write_bytes(file.read_bytes())
    clip = next(c for c in synthetic if c.joints.shape[1] == 1 and c.joints.shape[0] > 64).joints[:64, 0]
    np.save("clip.npy", clip)
    names = {}
    exec(code, names)
    expected = evaluate.features(encoder, data.from_arrays(clip.transpose(2, 0, 1)[..., None]), cache=None).x[0]
    np.testing.assert_allclose(names["features"], expected, atol=1e-4)


def test_an_export_draws_nothing():
    """What is drawn at random afterwards is what would have been drawn without it."""
    encoder = Encoder(BARE)
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    weights.export_program(encoder)
    assert torch.rand(3).equal(expected)


@pytest.mark.integration  # a process of its own, in which nothing was imported or warned of before
def test_exporting_says_its_result_alone(tmp_path):
    command = [sys.executable, "-W", "default", "-m", "slimlab", "export-model", "tiny", str(tmp_path / "model.onnx")]
    done = subprocess.run([*command, "--attention", "--blocks"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'model.onnx'}\n", "")
