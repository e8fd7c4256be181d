"""Runs: resumed equals uninterrupted, killed continues, NaN and collapse stop with the last good checkpoint."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from slimlab import data, pretrain
from slimlab.pretrain import Config, Run, RunError, monitor
from slimlab.pretrain.trainer import Trainer
from slimlab.skeleton import KINECT_V1
from tests.conftest import counting_clip, make_store
from tests.systems import kills
from tests.waiting import steps_logged, wait_for

NUMBERS = ["step", "loss", "glcl", "mfp", "koleo", "gradient", "lr", "rank", "knn"]


def same_run(a: Run, b: Run):
    for name in NUMBERS:
        np.testing.assert_array_equal(a.metrics[name], b.metrics[name], err_msg=name)
    for (name, p), q in zip(a.encoder.state_dict().items(), b.encoder.state_dict().values(), strict=True):
        assert torch.equal(p, q), name


@pytest.fixture(scope="module")
def train():
    return data.split(data.synthetic(clips=132, seed=0), "cross-subject")[0]


@pytest.fixture
def whole(train, quick, tmp_path):
    return pretrain.fit(train, quick, folder=tmp_path / "whole", progress=False)


def test_a_run_is_a_folder_with_everything(whole, train, quick):
    assert {p.name for p in whole.folder.iterdir()} == {
        *("config.json", "run.json", "train_clips.csv", "metrics.jsonl", "checkpoint.pt", "encoder", "figures", "snapshots"),
        ".slimlab.lock",
    }
    assert whole.about["status"] == "finished" and whole.step == quick.steps == len(whole.metrics)
    assert whole.config == quick and whole.about["fingerprint"] == train.fingerprint
    assert whole.about["environment"]["torch"] == torch.__version__
    assert whole.seen["clip"].tolist() == train.column("clip").tolist()
    measured = whole.metrics["knn"].notna()
    assert measured.sum() == quick.evaluations and measured.iloc[-1]
    for name in ("glcl_over_lnk", "target_prototypes", "used_prototypes", "cell_target_prototypes", "clips_per_second"):
        assert np.isfinite(whole.metrics[name]).all()


def test_the_saved_encoder_is_the_teachers(whole, train, quick):
    trainer = Trainer(quick, train.skeleton)
    state = torch.load(whole.folder / "checkpoint.pt", weights_only=True)
    trainer.teacher.load_state_dict(state["teacher"])
    for p, q in zip(whole.encoder.state_dict().values(), trainer.teacher.encoder.state_dict().values(), strict=True):
        assert torch.equal(p, q)
    assert whole.encoder.config == quick.encoder(train.skeleton)


@pytest.mark.parametrize("stop_after", [1, 5, 11])
def test_resumed_equals_uninterrupted(whole, train, quick, tmp_path, stop_after):
    for step in pretrain.steps(train, quick, folder=tmp_path / "halves"):
        if step.step + 1 == stop_after:
            break  # closes the generator, which writes a checkpoint
    assert Run(tmp_path / "halves").about["status"] == "interrupted"
    same_run(pretrain.fit(train, quick, folder=tmp_path / "halves", progress=False), whole)


def test_a_change_on_the_way_is_recorded_and_survives_a_kill(train, quick, tmp_path):
    def changed(folder, until=quick.steps):
        for step in pretrain.steps(train, quick, folder=folder):
            if step.step == 4:
                step.run.change(step.step + 1, 0.3)
            if step.step == until:
                yield folder

    list(changed(tmp_path / "whole"))
    for step in pretrain.steps(train, quick, folder=tmp_path / "parts"):
        if step.step == 2:
            break  # a checkpoint of three steps
    alive = changed(tmp_path / "parts", until=7)
    shutil.copytree(next(alive), tmp_path / "killed")  # what a kill would leave: the change, but no checkpoint after it
    alive.close()
    killed, whole = Run(tmp_path / "killed"), Run(tmp_path / "whole")
    assert killed.step == 3 and killed.changes == whole.changes == [{"step": 5, "mask_ratio": 0.3}]
    assert killed.config == replace(quick, mask_ratio=0.3) and killed.began == quick
    assert killed.config_at(4) == quick and killed.config_at(5) == killed.config
    same_run(pretrain.fit(train, quick, folder=killed.folder, progress=False), whole)
    same_run(
        pretrain.fit(train, Run(killed.folder).config, folder=killed.folder, progress=False), whole
    )  # finished; as it is now, too
    with pytest.raises(RunError, match="mask_ratio"):
        pretrain.fit(train, replace(quick, mask_ratio=0.6), folder=killed.folder, progress=False)
    plain = pretrain.fit(train, quick, folder=tmp_path / "plain", progress=False).metrics
    assert (plain["mfp"] == whole.metrics["mfp"]).tolist() == [True] * 5 + [False] * 7  # it does something, from there on


def test_what_cannot_be_changed_is_refused_and_lost_changes_go(whole, train, quick, tmp_path):
    for step in pretrain.steps(train, quick, folder=tmp_path / "run"):
        if step.step == 3:
            step.run.change(9, 0.2)
            with pytest.raises(ValueError, match=r"must lie in 0\.\.1"):
                step.run.change(4, 1.5)
            step.run.change(4, (0.4, 0.6))
            break
    run = Run(tmp_path / "run")
    assert run.changes == [{"step": 4, "mask_ratio": [0.4, 0.6]}] and run.config.mask_bounds == (0.4, 0.6)
    with pytest.raises(ValueError, match="the run has 12"):
        run.change(12, 0.5)
    fresh = pretrain.fit(train, quick, folder=run.folder, resume=False, progress=False)
    assert fresh.changes == [] and fresh.config == quick
    same_run(fresh, whole)


def test_a_run_may_begin_with_given_weights(whole, train, quick, tmp_path):
    """Student and teacher begin there; stopped and resumed it is the same run; other weights are refused."""
    start, config = whole.encoder, replace(quick, momentum=(1.0, 1.0))
    run = pretrain.fit(train, config, folder=tmp_path / "on", progress=False, start=start)
    for p, q in zip(run.encoder.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(p, q)  # a teacher of momentum 1 stays where it began
    assert Trainer(quick, train.skeleton, start=start).student.encoder.norm.weight.equal(start.norm.weight)
    for step in pretrain.steps(train, config, folder=tmp_path / "parted", start=start):
        if step.step == 2:
            break
    same_run(pretrain.fit(train, config, folder=tmp_path / "parted", progress=False, start=start), run)
    with pytest.raises(RunError, match="began with other weights"):
        pretrain.fit(train, config, folder=tmp_path / "on", progress=False)


def test_weights_of_another_size_or_body_are_refused_before_a_folder_is_made(whole, train, quick, tmp_path):
    with pytest.raises(ValueError, match="width 32, not 16"):
        pretrain.fit(train, replace(quick, width=16), folder=tmp_path / "on", progress=False, start=whole.encoder)
    other = data.on_body(train, KINECT_V1)
    with pytest.raises(ValueError, match="another body"):
        pretrain.fit(other, quick, folder=tmp_path / "on", progress=False, start=whole.encoder)
    assert not (tmp_path / "on").exists()


def test_a_run_goes_on_in_another_precision(whole, train, quick, tmp_path, monkeypatch):
    """How it is computed is no part of what it is: same folder, same checkpoint, either way round."""
    halved = replace(quick, precision="bf16")
    for first, then in ((quick, halved), (halved, quick)):
        folder = tmp_path / first.precision
        for step in pretrain.steps(train, first, folder=folder):
            if step.step == 4:
                break
        run = pretrain.fit(train, then, folder=folder, progress=False)
        assert run.about["status"] == "finished" and run.metrics["step"].tolist() == list(range(quick.steps))
        same = np.array(run.metrics["loss"] == whole.metrics["loss"])
        assert same[:5].all() == (first is quick) and not same[5:].any()
    assert pretrain.folder_of(train, quick, folder=None) == pretrain.folder_of(train, halved, folder=None)


def test_finished_runs_make_no_step_and_other_settings_are_refused(whole, train, quick, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", lambda *_: pytest.fail("a finished run makes no step"))
        same_run(pretrain.fit(train, quick, folder=whole.folder, progress=False), whole)
    with pytest.raises(RunError, match="with seed=0, not 1"):
        pretrain.fit(train, replace(quick, seed=1), folder=whole.folder, progress=False)
    with pytest.raises(RunError, match="other clips"):
        pretrain.fit(train[:40], quick, folder=whole.folder, progress=False)
    fresh = pretrain.fit(train, replace(quick, steps=2), folder=whole.folder, resume=False, progress=False)
    assert len(fresh.metrics) == 2


KILLED = """
import os, signal, sys, time, torch
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))  # as the process that goes on: sums round alike
from slimlab import data, pretrain
from slimlab.pretrain import run
from slimlab.pretrain.config import Config
train, _ = data.split(data.synthetic(clips=132, seed=0), "cross-subject")
quick = Config(preset="tiny", steps=12, batch_size=8, width=32, depth=1, prototypes=16, evaluations=2, checkpoint_seconds=0.0,
               targets=sys.argv[3])
if sys.argv[2].startswith("file:"):
    replaced = os.replace
    def kill(source, target):
        if str(target).endswith(sys.argv[2][5:]) and os.path.exists(str(target)):
            os.kill(os.getpid(), signal.SIGKILL)
        replaced(source, target)
    os.replace = kill
for step in pretrain.steps(train, quick, folder=__import__("pathlib").Path(sys.argv[1])):
    if sys.argv[2] == str(step.step):
        os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(folder, when, targets="sinkhorn") -> int:
    return subprocess.run([sys.executable, "-c", KILLED, str(folder), when, targets], capture_output=True).returncode


@kills
@pytest.mark.integration
@pytest.mark.parametrize("when", ["0", "7", "file:checkpoint.pt", "file:encoder/model.safetensors", "file:run.json"])
def test_killed_at_a_bad_moment_equals_uninterrupted(whole, train, quick, tmp_path, when):
    assert killed(tmp_path / "killed", when) == -signal.SIGKILL
    same_run(pretrain.fit(train, quick, folder=tmp_path / "killed", progress=False), whole)
    assert not list((tmp_path / "killed").glob(".slimlab-tmp*"))  # what the kill left beside is gone


def test_centering_resumes_to_the_same_numbers(whole, train, quick, tmp_path):
    """The running centers are part of the checkpoint: stopped, killed and uninterrupted runs are one."""
    config = replace(quick, targets="centering")
    centered = pretrain.fit(train, config, folder=tmp_path / "whole centered", progress=False)
    assert not np.array_equal(centered.metrics["glcl"], whole.metrics["glcl"])
    state = torch.load(centered.folder / "checkpoint.pt", weights_only=True)["centers"]
    assert set(state) == {"cls.mean", "cells.mean"} and all(v.any() for v in state.values())
    for step in pretrain.steps(train, config, folder=tmp_path / "stopped"):
        if step.step == 4:
            break
    same_run(pretrain.fit(train, config, folder=tmp_path / "stopped", progress=False), centered)


@kills
@pytest.mark.integration
def test_centering_killed_resumes_to_the_same_numbers(train, quick, tmp_path):
    config = replace(quick, targets="centering")
    centered = pretrain.fit(train, config, folder=tmp_path / "whole centered", progress=False)
    assert killed(tmp_path / "killed", "7", "centering") == -signal.SIGKILL
    same_run(pretrain.fit(train, config, folder=tmp_path / "killed", progress=False), centered)


def test_killed_between_the_last_checkpoint_and_its_encoder(whole, train, quick, tmp_path):
    def fails(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        method = replace(pretrain.SLIM, save=fails)
        pretrain.fit(train, quick, folder=tmp_path / "late", progress=False, method=method)
    late = pretrain.fit(train, quick, folder=tmp_path / "late", progress=False)
    assert late.about["status"] == "finished"
    same_run(late, whole)


@kills
@pytest.mark.full
def test_fifty_kills_at_random_moments(whole, train, quick, tmp_path):
    """Killed again and again, some time after its log has grown by as many steps as are drawn, until it is through."""
    rng, folder = random.Random(0), tmp_path / "killed"
    for _ in range(50):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder), "never", "sinkhorn"])
        aim = min(steps_logged(folder) + rng.randint(0, 3), quick.steps)
        wait_for(
            lambda process=process, aim=aim: process.poll() is not None or steps_logged(folder) >= aim, "more steps in the log"
        )
        time.sleep(rng.uniform(0, 0.2))  # anywhere in a step, a checkpoint or the import: nothing depends on where
        process.send_signal(signal.SIGKILL)
        process.wait()
        if rng.random() < 0.2:  # begin again now and then, so that every phase is hit
            shutil.rmtree(folder, ignore_errors=True)
    same_run(pretrain.fit(train, quick, folder=folder, progress=False), whole)


async def test_stream_is_the_same_loop(whole, train, quick, tmp_path):
    seen = [s.step async for s in pretrain.stream(train, quick, folder=tmp_path / "stream")]
    assert seen == list(range(quick.steps))
    same_run(Run(tmp_path / "stream"), whole)


async def test_leaving_a_stream_keeps_what_was_done(whole, train, quick, tmp_path):
    stream = pretrain.stream(train, quick, folder=tmp_path / "stream")
    async for step in stream:
        if step.step == 4:
            break
    await stream.aclose()
    assert Run(tmp_path / "stream").step == 5
    assert [s.step async for s in pretrain.stream(train, quick, folder=tmp_path / "stream")] == list(range(5, quick.steps))
    same_run(Run(tmp_path / "stream"), whole)


def test_interrupting_writes_a_checkpoint(train, quick, tmp_path, monkeypatch):
    step = Trainer.step

    def interrupted(self, store, clips, number):
        if number == 6:
            raise KeyboardInterrupt
        return step(self, store, clips, number)

    monkeypatch.setattr(Trainer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pretrain.fit(train, quick, folder=tmp_path / "run", progress=False)
    assert Run(tmp_path / "run").step == 6 and Run(tmp_path / "run").about["status"] == "interrupted"


def test_nan_stops_and_keeps_the_last_good_checkpoint(train, quick, tmp_path, monkeypatch):
    backward = Trainer.backward

    def poisoned(self, pieces, targets):
        values = backward(self, pieces, targets)
        return values | {"glcl": float("nan")} if self.at == 4 else values

    step = Trainer.step

    def counted(self, store, clips, number):
        self.at = number
        return step(self, store, clips, number)

    monkeypatch.setattr(Trainer, "backward", poisoned)
    monkeypatch.setattr(Trainer, "step", counted)
    config = replace(quick, checkpoint_seconds=0.0)
    with pytest.raises(FloatingPointError, match="step 4: glcl is nan"):
        pretrain.fit(train, config, folder=tmp_path / "run", progress=False)
    run = Run(tmp_path / "run")
    assert run.about["status"] == "failed" and "glcl" in run.about["error"] and run.step == 4
    assert all(torch.isfinite(p).all() for p in run.encoder.state_dict().values())


def test_collapse_stops_and_says_what_to_try(train, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrain.loop, "monitor", lambda *_: {"rank": 1.01, "knn": 0.1})
    with pytest.raises(RunError, match=r"collapsed at step .*: feature rank 1.01 twice in a row.*a lower teacher_temperature"):
        pretrain.fit(train, quick, folder=tmp_path / "run", progress=False)
    assert Run(tmp_path / "run").about["status"] == "failed"


def test_collapsed_answers_stop_a_run_at_one_step_interrupted_or_not(train, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(monitor, "PATIENCE", 5)  # enough here, where nothing is to recover
    config = replace(quick, steps=40, targets="softmax", koleo_weight=0.0, evaluations=0)
    with pytest.raises(pretrain.Collapsed, match=r"run: collapsed at step \d+: the answers: 1\.\d\d prototypes in use") as whole:
        pretrain.fit(train, config, folder=tmp_path / "run", progress=False)
    assert whole.value.kind == "answers" and whole.value.value < 2 and 4 <= whole.value.step < 39
    assert Run(tmp_path / "run").about["error"] == str(whole.value)

    loop = pretrain.steps(train, config, folder=tmp_path / "parts")
    while next(loop).step < whole.value.step - 2:  # in the middle of the row of steps that count
        pass
    loop.close()
    with pytest.raises(pretrain.Collapsed) as resumed:
        pretrain.fit(train, config, folder=tmp_path / "parts", progress=False)
    assert (resumed.value.step, resumed.value.value) == (whole.value.step, whole.value.value)


def test_a_full_disk_keeps_the_checkpoint_before(train, quick, tmp_path, monkeypatch):
    from slimlab.pretrain import run

    config, save, calls = replace(quick, checkpoint_seconds=0.0), torch.save, []

    def full(state, file):
        calls.append(state["step"])
        if len(calls) > 3:
            file.write(b"half of it")
            raise OSError(28, "No space left on device")
        save(state, file)

    monkeypatch.setattr(run.torch, "save", full)
    with pytest.raises(RunError, match=r"No space left.*the one before is kept"):
        pretrain.fit(train, config, folder=tmp_path / "run", progress=False)
    monkeypatch.undo()
    assert torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["step"] == 3
    assert pretrain.fit(train, config, folder=tmp_path / "run", progress=False).step == quick.steps


def test_a_folder_that_cannot_be_written_is_named(train, quick, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        pretrain.fit(train, quick, folder=tmp_path / "file" / "run", progress=False)


def test_a_damaged_checkpoint_is_named(whole, train, quick):
    checkpoint = whole.folder / "checkpoint.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(RunError, match=r"damaged.*resume=False"):
        pretrain.fit(train, quick, folder=whole.folder, progress=False)


def test_a_hostile_checkpoint_is_not_executed(whole, train, quick, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "trapped"),))

    torch.save({"step": Trap()}, whole.folder / "checkpoint.pt")
    with pytest.raises(RunError, match="damaged"):
        pretrain.fit(train, quick, folder=whole.folder, progress=False)
    assert not (tmp_path / "trapped").exists()


def test_minutes_become_steps(train, quick, tmp_path, monkeypatch):
    """On a clock that a step moves by a quarter of a second, and nothing else: 4.65 seconds are 18 steps and 3 % on top."""
    clock, step = [0.0], Trainer.step

    def takes_a_quarter(*args):
        clock[0] += 0.25
        return step(*args)

    monkeypatch.setattr(Trainer, "step", takes_a_quarter)
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    config = replace(quick, minutes=0.0775, evaluations=1)
    run = pretrain.fit(train, config, folder=tmp_path / "run", progress=False)
    assert run.config.steps == len(run.metrics) == 18 != quick.steps
    again = pretrain.fit(train, config, folder=tmp_path / "run", progress=False)  # finds itself, though minutes are not steps
    assert again.config.steps == run.config.steps


def test_too_few_clips_are_refused(quick, tmp_path):
    empty = np.zeros((4, 1, 25, 3), np.float32)
    with pytest.raises(data.DataError, match="1 clips with people; pre-training needs at least 2"):
        pretrain.fit(make_store([counting_clip(9), empty]), quick, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_empty_clips_are_left_out(quick, tmp_path):
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(20, 1, 25, 3)).astype(np.float32) for _ in range(9)]
    store = make_store([*clips, np.zeros((4, 1, 25, 3), np.float32)])
    run = pretrain.fit(store, replace(quick, steps=2), folder=tmp_path / "run", progress=False)
    assert len(run.seen) == 9 and "knn" not in run.metrics  # without labels there is no kNN, but the rest is there
    assert run.metrics["rank"].notna().any()


def test_the_default_folder_finds_its_own_run(train, quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = replace(quick, steps=2)
    first = pretrain.fit(train, config, progress=False)
    assert first.folder.parent.name == "runs" and first.folder == pretrain.fit(train, config, progress=False).folder
    assert pretrain.fit(train, replace(config, seed=3), progress=False).folder != first.folder


def test_the_estimate_is_the_time_of_a_step(train, quick, monkeypatch):
    clock, step = [0.0], Trainer.step

    def takes_a_quarter(*args):
        clock[0] += 0.25
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "step", takes_a_quarter)
        patch.setattr(time, "monotonic", lambda: clock[0])
        guess = pretrain.estimate(train, replace(quick, steps=400))
    assert guess.seconds_per_step == 0.25 and guess.seconds == 100
    assert clock[0] <= 4  # three seconds of steps, and the first ones
    trainer = Trainer(quick, train.skeleton)
    assert guess.weight_bytes == 5 * sum(p.nbytes for p in trainer.student.parameters()) and guess.graph_bytes > 0
    assert "a step" in str(guess) and "GB" in str(guess)


def test_progress_says_what_will_come_and_what_is(train, quick, tmp_path, capfd):
    pretrain.fit(train, replace(quick, steps=4), folder=tmp_path / "run")
    out, err = capfd.readouterr()
    assert "4 steps of 8 clips: about" in out and str(tmp_path / "run") in out
    for word in ("loss=", "GLCL=", "MFP=", "kNN=", "clips/s="):
        assert word in err


def test_a_learning_run_learns(tmp_path):
    """The objective falls on synthetic motion: the student comes to know the teacher's assignments."""
    config = Config(preset="tiny", steps=60, batch_size=32, width=32, depth=1, evaluations=1)
    metrics = pretrain.fit(data.synthetic(clips=132), config, folder=tmp_path / "run", progress=False).metrics
    # ten seeds: 0.84 to 0.91, and 1.02 to 1.11 in the first step
    assert metrics["glcl_over_lnk"].iloc[-5:].mean() < 0.95 < metrics["glcl_over_lnk"].iloc[0]


def test_an_exception_in_the_monitor_leaves_a_run_that_resumes_to_the_same_numbers(train, quick, tmp_path, monkeypatch):
    """The step's weights are new by then, its line in the log is not there: the last checkpoint has to stand."""
    from slimlab.pretrain import loop

    config = replace(quick, steps=4, evaluations=4)
    whole = pretrain.fit(train, config, folder=tmp_path / "whole", progress=False)
    monitor, calls = loop.monitor, []

    def failing(trainer, store):
        calls.append(1)
        if len(calls) == 3:
            raise OSError("no space left on device")
        return monitor(trainer, store)

    monkeypatch.setattr(loop, "monitor", failing)
    with pytest.raises(OSError, match="no space"):
        pretrain.fit(train, config, folder=tmp_path / "broken", progress=False)
    (tmp_path / "broken" / ".env").write_text("not ours")
    resumed = pretrain.fit(train, config, folder=tmp_path / "broken", progress=False)
    assert (tmp_path / "broken" / ".env").read_text() == "not ours"
    assert resumed.metrics["loss"].tolist() == whole.metrics["loss"].tolist()
