import json
from dataclasses import replace

import pytest
import torch

from slimlab import analysis, data, evaluate, pretrain
from slimlab.pretrain import Run, RunError, pack
from slimlab.weights import load_encoder

CONFIG = pretrain.Config(steps=5, batch_size=8, width=32, depth=1, prototypes=16, evaluations=2)


@pytest.fixture(scope="module")
def store():
    return data.synthetic(clips=66, seed=0)


@pytest.fixture(scope="module")
def made(store, tmp_path_factory):
    return pretrain.fit(store, CONFIG, folder=tmp_path_factory.mktemp("runs") / "run", progress=False)


def test_a_packed_run_shows_what_the_run_shows(made, store, tmp_path):
    packed = pack(made, tmp_path / "packed")
    assert packed.packed and not made.packed and packed.config == made.config and packed.step == 5
    assert not list(packed.folder.glob("*.pt")) and not packed.snapshots
    for which in ("teacher", "student"):
        a, b = (getattr(run, which).state_dict() for run in (made, packed))
        assert a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)
    assert not torch.equal(packed.teacher.encoder.cls_token, packed.student.encoder.cls_token)
    assert packed.metrics.equals(made.metrics) and packed.seen.equals(made.seen)
    with pytest.raises(RunError, match="was trained on 66 of these 66"):
        packed.check_unseen(store)
    assert evaluate.weights_digest(load_encoder(packed.folder)) == evaluate.weights_digest(made.encoder)
    teacher = packed.teacher
    assert len(analysis.prototypes(teacher.encoder, teacher.token_head, store[:2], "cells").usage()) == 16


def test_every_so_many_steps_and_those_that_were_measured_are_kept(made, tmp_path):
    kept = pack(made, tmp_path / "packed", every=4).metrics
    measured = made.metrics[made.metrics["knn"].notna()]["step"].tolist()
    assert kept["step"].tolist() == sorted({0, 4, *measured}) and kept["knn"].notna().sum() == len(measured) == 2
    assert "NaN" not in (tmp_path / "packed" / "metrics.jsonl").read_text()


def test_it_tells_nothing_of_the_machine_it_was_made_on(made, tmp_path):
    about = json.loads((pack(made, tmp_path / "packed").folder / "run.json").read_text())
    assert not {"command", "platform"} & about["environment"].keys() and about["environment"]["torch"] == torch.__version__


def test_it_cannot_go_on_and_what_is_advised_can(made, store, tmp_path):
    packed = pack(made, tmp_path / "packed")
    before = {file: file.read_bytes() for file in packed.folder.rglob("*") if file.is_file()}
    with pytest.raises(RunError, match=r"a packed run.* cannot go on.*start=Run\(folder\).encoder"):
        pretrain.fit(store, CONFIG, folder=packed.folder, progress=False)
    for file, content in before.items():
        assert file.read_bytes() == content
    again = pretrain.fit(
        store, replace(CONFIG, steps=1), folder=tmp_path / "new", start=Run(packed.folder).encoder, progress=False
    )
    assert again.about["began_with"]
    with pytest.raises(RunError, match="holds something already"):
        pack(made, packed.folder)
    anew = pretrain.fit(store, replace(CONFIG, steps=1), folder=packed.folder, resume=False, progress=False)
    assert not anew.packed and anew.step == 1 and (packed.folder / "checkpoint.pt").exists()


def test_a_damaged_file_is_named(made, tmp_path):
    packed = pack(made, tmp_path / "packed")
    file = packed.folder / "teacher.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(RunError, match=r"teacher\.safetensors: cannot be loaded"):
        packed.teacher  # noqa: B018
    assert packed.student is not None


def test_a_run_that_does_not_come_with_slimlab_is_refused():
    with pytest.raises(ValueError, match="no run called 'tiny' comes with slimlab; there is"):
        pretrain.pretrained_run("tiny")
