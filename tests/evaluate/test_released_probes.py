"""Linear probes from files: every accepted layout, scored as they are, and what is refused."""

import pytest
import torch
from safetensors.torch import save_file

from slimlab import data, evaluate
from slimlab.encoder import EncoderConfig

ONE, FOUR = "classifier_1_blocks_avgpool_False_lr_0_00010", "classifier_2_blocks_avgpool_True_lr_0_02500"
WIDTH, CLASSES = 16, 12


def tensors(linear=".linear", prefix=""):
    rng = torch.Generator().manual_seed(0)
    return {
        f"{prefix}{name}{linear}.{kind}": torch.randn(shape, generator=rng)
        for name, blocks in ((ONE, 1), (FOUR, 3))
        for kind, shape in (("weight", (CLASSES, blocks * WIDTH)), ("bias", (CLASSES,)))
    }


def nested():
    return {"model": {"classifiers_dict": tensors()}, "optimizer": {"state": {}, "steps": [1]}, "iteration": 3}


@pytest.mark.parametrize(
    "state",
    [tensors(), tensors(""), tensors(prefix="module.classifiers_dict."), nested()],
    ids=["linear", "plain", "prefix", "nested"],
)
def test_every_accepted_layout_is_read(tmp_path, state):
    torch.save(state, tmp_path / "probes.pth")
    probes = evaluate.load_probes(tmp_path / "probes.pth")
    assert list(probes) == [ONE, FOUR]
    assert [(p.blocks, p.pool, p.lr) for p in probes.values()] == [(1, "cls", 1e-4), (2, "cls+mean", 0.025)]
    for name, probe in probes.items():
        assert torch.equal(probe.weight, tensors("")[f"{name}.weight"]) and torch.equal(probe.bias, tensors("")[f"{name}.bias"])


def test_safetensors_too(tmp_path):
    save_file(tensors(), tmp_path / "probes.safetensors")
    assert list(evaluate.load_probes(tmp_path / "probes.safetensors")) == [ONE, FOUR]


def test_scores_are_weight_times_features(tmp_path, synthetic):
    torch.save(tensors(), tmp_path / "probes.pth")
    encoder = evaluate.random_encoder(EncoderConfig(width=WIDTH, depth=3, heads=2, frames=16, init_std=None))
    store = synthetic[synthetic.labels < CLASSES][:9]
    every = evaluate.features(encoder, store, blocks=3, pool="cls+mean", combine="sum")
    for probe in evaluate.load_probes(tmp_path / "probes.pth").values():
        alone = evaluate.features(encoder, store, blocks=probe.blocks, pool=probe.pool, combine="sum")
        result = evaluate.score_probe(probe, alone)
        for i, x in enumerate(alone.x):
            naive = [float((w.double() * x.double()).sum() + b) for w, b in zip(probe.weight, probe.bias, strict=True)]
            torch.testing.assert_close(result.scores[i].double(), torch.tensor(naive).double(), atol=1e-4, rtol=1e-4)
            assert int(result.predictions[i]) == max(range(CLASSES), key=naive.__getitem__)
        torch.testing.assert_close(evaluate.score_probe(probe, every, blocks=3).scores, result.scores, atol=1e-4, rtol=1e-4)
        with pytest.raises(ValueError, match=rf"{probe.name}: features are \(N, 64\), the probe takes"):
            evaluate.score_probe(probe, every)
    two = evaluate.features(encoder, store, blocks=1, pool="cls+mean", combine="sum")
    with pytest.raises(ValueError, match="do not serve a probe of 2 blocks"):
        evaluate.score_probe(probe, two, blocks=1)


def test_a_file_of_probes_is_scored_by_the_released_protocol(tmp_path, synthetic):
    torch.save(tensors(), tmp_path / "probes.pth")
    encoder = evaluate.random_encoder(EncoderConfig(width=WIDTH, depth=3, heads=2, frames=16, init_std=None))
    store = synthetic[synthetic.labels < CLASSES]
    table = evaluate.score_probes(encoder, store, tmp_path / "probes.pth").set_index("probe")
    for name, probe in evaluate.load_probes(tmp_path / "probes.pth").items():
        read = evaluate.features(
            encoder, store, blocks=probe.blocks, pool=probe.pool, combine="sum", view=data.released_test_view, cache=None
        )
        row = table.loc[name]
        assert row["accuracy"] == evaluate.score_probe(probe, read).accuracy and row["low"] <= row["accuracy"] <= row["high"]
        assert (row["blocks"], row["pool"], row["lr"]) == (probe.blocks, probe.pool, probe.lr)


class Hostile:
    def __reduce__(self):
        return print, ("never run",)


def test_files_that_are_no_probes_are_refused_by_name(tmp_path, capsys):
    file = tmp_path / "probes.pth"
    good = tensors()
    for state, says in (
        ({k: v for k, v in good.items() if k != f"{ONE}.linear.bias"}, rf"the bias beside {ONE}.linear.weight is missing"),
        (good | {f"{ONE}.linear.weight": torch.zeros(CLASSES)}, rf"{ONE}.linear.weight is \(12,\), should be \(classes, 1 x"),
        (good | {f"{FOUR}.linear.weight": torch.zeros(CLASSES, 50)}, rf"{FOUR}.linear.weight is \(12, 50\).*3 x width"),
        (good | {f"{ONE}.linear.bias": torch.zeros(3)}, rf"{ONE}.linear.bias is \(3,\), should be \(12,\)"),
        (good | {f"other.{ONE}.weight": torch.zeros(CLASSES, 16)}, rf"other.{ONE}.weight stands beside {ONE}.linear.weight"),
        ({"backbone.norm.weight": torch.zeros(3)}, "no linear probe in it"),
        ([torch.zeros(3)], "holds a list"),
        ({"classifier": Hostile()}, "cannot be read as plain tensors"),
    ):
        torch.save(state, file)
        with pytest.raises(ValueError, match=says) as error:
            evaluate.load_probes(file)
        assert str(file) in str(error.value)
    file.write_bytes(b"not a zip")
    with pytest.raises(ValueError, match="cannot be read"):
        evaluate.load_probes(file)
    with pytest.raises(FileNotFoundError, match="no such file"):
        evaluate.load_probes(tmp_path / "absent.pth")
    assert "never run" not in capsys.readouterr().out
