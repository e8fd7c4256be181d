import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from slimlab import data, pretrain
from slimlab.baselines import mae
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.pretrain.run import ROBUSTNESS, Run, RunError, replace_file
from slimlab.weights import load_encoder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    config = pretrain.Config(steps=2, batch_size=8, width=32, depth=1, prototypes=16, evaluations=1)
    store = data.synthetic(clips=132, seed=0)
    train, test = data.split(store, "cross-subject")
    return pretrain.fit(train, config, folder=tmp_path_factory.mktemp("runs") / "run", progress=False), train, test


def test_clips_that_were_seen_are_known_by_content(made):
    run, train, test = made
    run.check_unseen(test)
    with pytest.raises(RunError, match=f"trained on {len(train)} of these {len(train)} test clips"):
        run.check_unseen(train)
    renamed = data.store.ClipStore(train.arrays, train.table.assign(clip=[f"x{i}" for i in range(len(train))]), train.skeleton)
    renamed.clips = train.clips
    with pytest.raises(RunError, match="trained on"):
        run.check_unseen(renamed)
    relabeled = data.ClipStore(train.arrays, train.table.assign(digest="none"), train.skeleton, clips=train.clips)
    with pytest.raises(RunError, match="trained on"):  # whatever the table's column says
        run.check_unseen(relabeled)
    moved = replace(train.arrays, joints=train.arrays.joints + np.float32(1))
    run.check_unseen(data.ClipStore(moved, train.table, train.skeleton, clips=train.clips))
    mixed = data.synthetic(clips=132, seed=0)[np.r_[: len(test)]]
    with pytest.raises(RunError, match="Evaluate with the split"):
        run.check_unseen(mixed)


def test_metrics_survive_a_torn_last_line(made):
    run, *_ = made
    file = run.folder / "metrics.jsonl"
    text = file.read_text()
    file.write_text(text + '{"step": 2, "lo')
    assert isinstance(run.metrics, pd.DataFrame) and run.metrics["step"].tolist() == [0, 1]
    file.write_text(text)


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(RunError, match="no run there"):
        Run(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunError, match="damaged run"):
        Run(tmp_path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    file = tmp_path / "a"
    replace_file(file, lambda f: f.write(b"old"))

    def fails(f):
        f.write(b"new")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        replace_file(file, fails)
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]


def test_the_teacher_has_its_heads_and_snapshots_their_step(made):
    run, *_ = made
    teacher = run.teacher
    for (name, a), (other, b) in zip(teacher.encoder.state_dict().items(), run.encoder.state_dict().items(), strict=True):
        assert name == other and a.equal(b)
    assert teacher.cls_head(torch.zeros(1, 32)).shape == (1, 16) and not teacher.training
    assert list(run.snapshots) == [1, 2]
    last = load_encoder(run.snapshots[2])
    assert all(a.equal(b) for a, b in zip(last.parameters(), run.encoder.parameters(), strict=True))
    with pytest.raises(RunError, match="heads are in the checkpoint"):
        file = run.folder / "checkpoint.pt"
        try:
            file.rename(file.with_suffix(".away"))
            run.teacher  # noqa: B018
        finally:
            file.with_suffix(".away").rename(file)


FOLDERS = Path(__file__).parent / "folders"  # runs of both methods, two steps each, from before runs had a `Method`


@pytest.mark.parametrize("open_run, width", [(Run, 8), (mae.Run, 8)], ids=["slim", "mae"])
def test_folders_of_earlier_versions_open(open_run, width, request):
    run = open_run(FOLDERS / request.node.callspec.id)
    assert run.config.width == run.encoder.config.width == width and run.step == len(run.metrics) == 2
    assert run.began == run.config and len(run.seen) == 22
    assert all(torch.isfinite(p).all() for p in run.encoder.parameters())


def test_a_folder_that_does_not_name_its_method_is_slims(tmp_path):
    shutil.copytree(FOLDERS / "slim", tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    (tmp_path / "run" / "run.json").write_text(json.dumps({k: v for k, v in about.items() if k != "method"}))
    assert Run(tmp_path / "run").config == Run(FOLDERS / "slim").config
    with pytest.raises(RunError, match="of the method 'slim', not of 'mae'"):
        mae.Run(tmp_path / "run")


def test_another_methods_run_has_no_teacher_and_the_advice_of_a_refusal_works():
    with pytest.raises(
        RunError, match=r"of the method 'mae', not of 'slim'; open it with its own method: Run\(folder, method="
    ) as no:
        Run(FOLDERS / "mae")
    assert str(FOLDERS / "mae") in str(no.value)
    run = Run(FOLDERS / "mae", method=mae.METHOD)
    with pytest.raises(RunError, match="'mae' has no teacher and student"):
        run.teacher  # noqa: B018


HOLD = """
import sys
from pathlib import Path
from slimlab.pretrain import run
with run.owned(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.integration
def test_a_folder_belongs_to_one_process_at_a_time(tmp_path, synthetic, quick):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout and process.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="another process trains in this folder"):
        pretrain.fit(synthetic, quick, folder=tmp_path / "run", progress=False)
    process.kill()  # the system lets go of the lock
    process.wait()
    assert pretrain.fit(synthetic, replace(quick, steps=1), folder=tmp_path / "run", progress=False).step == 1


def test_a_later_call_takes_a_folder_over_and_the_earlier_one_writes_no_more(tmp_path, synthetic, quick):
    config = replace(quick, steps=3)
    earlier = pretrain.steps(synthetic, config, folder=tmp_path / "run")
    next(earlier)
    done = pretrain.fit(synthetic, config, folder=tmp_path / "run", progress=False)
    earlier.close()
    assert Run(tmp_path / "run").step == done.step == 3 and Run(tmp_path / "run").about["status"] == "finished"


def test_starting_again_leaves_nothing_of_the_run_before_and_all_that_is_not_ours(tmp_path, synthetic, quick, monkeypatch):
    folder, config = tmp_path / "run", replace(quick, steps=1)
    pretrain.fit(synthetic, config, folder=folder, progress=False)
    (folder / "evaluation.csv").write_text("old")
    (folder / "robustness").mkdir()
    for name in ROBUSTNESS:
        (folder / "robustness" / name).write_text("old")
    for name in (".env", ".git/config", "encoder/notes.txt", "figures/mine.pdf"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("not ours")

    def fails(*_):
        raise OSError("no GPU left")

    monkeypatch.setattr("slimlab.pretrain.trainer.Trainer.step", fails)
    with pytest.raises(OSError):
        pretrain.fit(synthetic, config, folder=folder, resume=False, progress=False)
    assert not (folder / "evaluation.csv").exists() and not (folder / "robustness").exists()
    assert all(
        (folder / name).read_text() == "not ours" for name in (".env", ".git/config", "encoder/notes.txt", "figures/mine.pdf")
    )
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert state["step"] == 0  # the new run's own start, and no weights of the old one


def test_a_call_that_is_refused_leaves_no_folder(tmp_path, synthetic, quick):
    other = Encoder(EncoderConfig(width=16, heads=2, depth=1))
    with pytest.raises(ValueError):
        pretrain.fit(synthetic, quick, folder=tmp_path / "run", start=other, progress=False)
    assert list(tmp_path.iterdir()) == []
