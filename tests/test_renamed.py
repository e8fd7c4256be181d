"""What earlier versions wrote under other names is read, shown under today's, and found where digests name it."""

import hashlib
import json
import shutil
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from slimlab import data, evaluate, lessons, pretrain, study
from slimlab._renamed import ADDED, RENAMED, VALUES, new_names, old_names
from slimlab.baselines import mae
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.lessons.training import riddle
from slimlab.pretrain import Config, Run, folder_of
from slimlab.pretrain.config import RUNTIME
from slimlab.study.sweep import planned
from slimlab.weights import load_encoder, pretrained, pretrained_record, save_encoder

FOLDERS = Path(__file__).parent / "pretrain" / "folders"  # runs of an earlier version


@pytest.fixture(scope="module")
def train():
    return data.synthetic(clips=22, seed=0)


def aged(run: Run, folder: Path) -> Path:
    """A copy of a run's folder as earlier versions wrote it."""
    shutil.copytree(run.folder, folder)
    for file in (folder / "config.json", *folder.rglob("slimlab.json")):
        file.write_text(json.dumps(old_names(json.loads(file.read_text())), indent=1))
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    (folder / "metrics.jsonl").write_text("".join(json.dumps(old_names(json.loads(line))) + "\n" for line in lines))
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    torch.save(old_names(state), folder / "checkpoint.pt")
    text = "".join(file.read_text() for file in folder.rglob("*.json*"))
    assert {"mfm_weight", "centring", "mfm"} <= set(text.split('"')) and not set(RENAMED.values()) & set(text.split('"'))
    assert "centres" in torch.load(folder / "checkpoint.pt", weights_only=True)
    return folder


def test_there_and_back_are_the_same():
    settings = Config(targets="centering", released_quirks=("centering", "test_view")).to_dict()
    was = old_names(settings)
    assert was["targets"] == "centring" and was["released_quirks"] == ("centring", "test_view") and "centring" in was
    assert new_names(was) == settings == new_names(settings)
    assert set(VALUES) <= set(settings) and {"mfp_weight", "centering"} <= set(settings)


def test_settings_are_made_from_their_old_names():
    config = Config(mfm_weight=0.5, centring="none", targets="centring", released_quirks="centring")  # pyright: ignore
    assert config == Config(mfp_weight=0.5, centering="none", targets="centering", released_quirks="centering")
    assert config.makes("centering")
    assert Config(preset="paper", mfm_weight=0.5) == Config(preset="paper", mfp_weight=0.5)  # pyright: ignore
    for settings in (EncoderConfig, mae.EncoderConfig, mae.Config):
        assert settings(centring="none") == settings(centering="none")  # pyright: ignore
        assert "centering" in {f.name for f in fields(settings)}
        with pytest.raises(TypeError, match="centring is the old name of centering; give one of the two"):
            settings(centring="none", centering="none")  # pyright: ignore
    with pytest.raises(TypeError, match="mfm_weight is the old name of mfp_weight"):
        Config(mfm_weight=0.5, mfp_weight=0.5)  # pyright: ignore
    with pytest.raises(ValueError, match="mfp_weight -1 "):
        Config(mfm_weight=-1)  # pyright: ignore


@pytest.mark.parametrize("open_run, settings", [(Run, Config), (mae.Run, mae.Config)], ids=["slim", "mae"])
def test_a_run_of_an_earlier_version_opens(open_run, settings, request):
    folder = FOLDERS / request.node.callspec.id
    saved = json.loads((folder / "config.json").read_text())
    assert "centring" in saved and "centering" not in saved
    run = open_run(folder)
    assert run.config == settings(**saved) and run.config.centering == saved["centring"] == run.encoder.config.centering
    new = ADDED if settings is Config else {}
    assert set(run.config.to_dict()) == {RENAMED.get(k, k) for k in saved} | set(new)
    assert {name: getattr(run.config, name) for name in new} == new
    if settings is Config:
        logged = [json.loads(line)["mfm"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
        assert run.metrics["mfp"].tolist() == logged and "mfm" not in run.metrics


def test_a_run_of_paper_that_an_earlier_version_began_is_read_as_it_was(train, tmp_path):
    """Settings that it did not have are not those of today's preset, and it goes on where the caller says what they were."""
    sizes = {"batch_size": 8, "width": 16, "depth": 1, "heads": 2, "prototypes": 16, "head_hidden": 16, "head_bottleneck": 16}
    config = Config(preset="paper", steps=2, evaluations=0, details="plain", rotation=0.3, **sizes)
    begun = pretrain.steps(train, config, folder=tmp_path)
    next(begun)
    begun.close()  # interrupted after its first step
    file = tmp_path / "config.json"
    file.write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k not in ADDED}))
    assert Run(tmp_path).step == 1 and Run(tmp_path).config == config
    assert pretrain.fit(train, config, folder=tmp_path, progress=False).about["status"] == "finished"


def test_the_default_folder_is_the_one_that_earlier_versions_chose(train):
    saved = json.loads((FOLDERS / "slim" / "config.json").read_text())
    what = {k: v for k, v in saved.items() if k not in RUNTIME}
    digest = hashlib.blake2b((json.dumps(what, sort_keys=True) + train.fingerprint).encode(), digest_size=4).hexdigest()
    assert folder_of(train, Config(**saved)) == Path("runs") / f"tiny-{digest}"


def test_an_interrupted_run_of_an_earlier_version_goes_on_to_the_same_numbers(train, quick, tmp_path):
    config = replace(quick, targets="centering")
    whole = pretrain.fit(train, config, folder=tmp_path / "whole", progress=False)
    for step in pretrain.steps(train, config, folder=tmp_path / "begun"):
        if step.step == 4:
            break
    old = Run(aged(Run(tmp_path / "begun"), tmp_path / "old"))
    assert old.step == 5 and old.config == config and old.metrics["mfp"].tolist() == whole.metrics["mfp"][:5].tolist()
    done = pretrain.fit(train, Config(**old_names(config.to_dict())), folder=old.folder, progress=False)
    assert done.about["status"] == "finished"
    for name in ("loss", "glcl", "mfp", "koleo", "gradient"):
        np.testing.assert_array_equal(done.metrics[name], whole.metrics[name])
    for of in ("student", "teacher", "encoder"):
        assert all(map(torch.equal, getattr(done, of).parameters(), getattr(whole, of).parameters()))
    assert "mfm" not in (done.folder / "metrics.jsonl").read_text()  # one name in one file
    assert set(torch.load(done.folder / "checkpoint.pt", weights_only=True)["centers"]) == {"cls.mean", "cells.mean"}


@pytest.mark.parametrize("library", ["slimlab", "mae"])
def test_an_encoder_of_an_earlier_version_loads(library, tmp_path):
    save: Any  # of this library's encoder
    sizes = {"width": 16, "depth": 1, "heads": 2, "centering": "every_frame"}
    if library == "mae":
        encoder, save, load, name = (
            mae.Encoder(mae.EncoderConfig(**sizes)),
            mae.save_encoder,
            mae.load_encoder,
            "mae.json",
        )
    else:
        encoder, save, load, name = Encoder(EncoderConfig(**sizes)), save_encoder, load_encoder, "slimlab.json"
    save(encoder, tmp_path)
    file = tmp_path / name
    saved = json.loads(file.read_text())
    file.write_text(json.dumps(old_names(saved)))
    assert "centring" in json.loads(file.read_text())
    again = load(tmp_path)
    assert again.config == encoder.config and evaluate.weights_digest(again) == evaluate.weights_digest(encoder)
    file.write_text(json.dumps(saved | old_names(saved)))
    with pytest.raises(ValueError, match=rf"{tmp_path}.*old name of centering"):
        load(tmp_path)


def test_shipped_weights_and_their_records_have_todays_names():
    assert pretrained().config.centering == "every_frame"
    assert evaluate.weights_digest(pretrained()) == "20d63ed4a40776b08e5ea11d"  # as in tables of earlier versions
    settings = pretrained_record()["config"]
    assert settings["mfp_weight"] == 0.25 and not set(RENAMED) & set(settings)


def test_tables_of_a_sweep_have_todays_names(tmp_path):
    now = pd.DataFrame(
        {
            "variant": ["mfp_weight=0.0, targets=centering", "released_quirks=('centering', 'test_view')"],
            "mfp_weight": [0.0, 0.25],
            "targets": ["centering", "sinkhorn"],
            "released_quirks": [False, "('centering', 'test_view')"],
            "seed": [0, 0],
            "error": ["", "collapsed"],
            "changes": ['{"mfp_weight": 0.0, "targets": "centering"}', '{"released_quirks": ["centering", "test_view"]}'],
        }
    )
    now.to_csv(tmp_path / "now.csv", index=False)
    was = (tmp_path / "now.csv").read_text().replace("mfp", "mfm").replace("centering", "centring")
    (tmp_path / "old.csv").write_text(was)
    pd.testing.assert_frame_equal(study.load(tmp_path / "old.csv"), study.load(tmp_path / "now.csv"))
    assert study.load(tmp_path / "old.csv")["variant"].tolist() == now["variant"].tolist()
    shipped = lessons.finished_study()
    assert "mfp_weight" in shipped and not shipped["variant"].str.contains("mfm").any()


def test_a_sweep_finds_the_runs_of_earlier_versions(train):
    was, now = [{"mfm_weight": 0.0}, {"targets": "centring"}], [{"mfp_weight": 0.0}, {"targets": "centering"}]
    jobs = planned(now, 1, Config(), train, train)
    assert [variant for variant, _ in jobs.values()] == now and planned(was, 1, Config(), train, train) == jobs
    texts = [json.dumps(changes) + 2 * train.fingerprint for changes in was]
    assert list(jobs) == [f"{hashlib.blake2b(t.encode(), digest_size=5).hexdigest()}-seed0" for t in texts]


def test_curves_of_the_lessons_have_todays_names():
    assert all("mfp" in table and "mfm" not in table for table in riddle().values())
