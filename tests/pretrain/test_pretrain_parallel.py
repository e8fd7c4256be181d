"""Pre-training in two processes: the numbers of one, checkpoints that either goes on from, and ends that are clean."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from slimlab import data, pretrain
from slimlab.pretrain import Config, Run
from tests.processes import ROOT, torchrun
from tests.systems import kills
from tests.waiting import steps_logged, wait_for

pytestmark = pytest.mark.integration

SCRIPT = """
import sys, json
from slimlab import data, pretrain
train, _ = data.split(data.synthetic(clips=132, seed=0), "cross-subject")
pretrain.fit(train, pretrain.Config(**json.loads(sys.argv[2])), folder=sys.argv[1], progress=False)
"""
CURVES = ["loss", "glcl", "mfp", "koleo", "gradient", "lr", "target_prototypes", "used_prototypes", "cell_target_prototypes"]


@pytest.fixture(scope="module")
def train():
    return data.split(data.synthetic(clips=132, seed=0), "cross-subject")[0]


def fit_by_two(tmp_path, config: Config, folder):
    (tmp_path / "script.py").write_text(SCRIPT)
    return torchrun(2, tmp_path / "script.py", folder, json.dumps(config.to_dict()))


def same_curves(a: Run, b: Run, tolerance: float = 2e-3):
    assert a.metrics["step"].tolist() == b.metrics["step"].tolist()
    for name in set(CURVES) & set(a.metrics):
        np.testing.assert_allclose(a.metrics[name], b.metrics[name], rtol=tolerance, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"targets": "centering", "masking": "motion_aware", "mask_locals": True},
        {"mfp_weight": 0.0, "mask_globals": 0.25, "local_views": ((16, 1, (0.35, 0.7), 1),)},
    ],
    ids=["tiny", "centering and motion", "without MFP"],
)
def test_two_processes_give_the_curves_of_one(train, quick, tmp_path, changes):
    config = replace(quick, **changes)
    alone = pretrain.fit(train, config, folder=tmp_path / "alone", progress=False)
    done = fit_by_two(tmp_path, config, tmp_path / "two")
    assert done.returncode == 0, done.stderr[-3000:]
    two = Run(tmp_path / "two")
    assert two.about["status"] == "finished" and two.config == alone.config
    same_curves(alone, two)
    first = slice(0, 3)  # before rounding has had time to grow
    np.testing.assert_allclose(alone.metrics["loss"][first], two.metrics["loss"][first], rtol=1e-5)


def test_either_goes_on_from_the_others_checkpoint(train, quick, tmp_path):
    alone = pretrain.fit(train, quick, folder=tmp_path / "alone", progress=False)
    for step in pretrain.steps(train, quick, folder=tmp_path / "parted"):
        if step.step == 4:
            break
    assert fit_by_two(tmp_path, quick, tmp_path / "parted").returncode == 0
    same_curves(alone, Run(tmp_path / "parted"))


def test_a_batch_that_cannot_be_shared_is_refused_before_anything_is_written(quick, tmp_path):
    done = fit_by_two(tmp_path, replace(quick, batch_size=9), tmp_path / "run")
    assert done.returncode != 0 and "batch_size 9 cannot be shared evenly by 2 processes" in done.stderr
    assert not (tmp_path / "run").exists()


UNMASKED = """
import sys, json, torch
from slimlab import data
from slimlab._system import distributed
from slimlab.pretrain.config import Config
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer

def weights(config):
    store = data.synthetic(clips=22, seed=0)
    trainer = Trainer(config, store.skeleton)
    for step, clips in enumerate((4, 8, 4)):  # of 8, 16 and 8 global views: none, one and none are masked
        trainer.step(store, clips_of_step(len(store), clips, 0, step), step)
    return trainer.student.state_dict()

if __name__ == "__main__":
    with distributed.processes():
        found = weights(Config(**json.loads(sys.argv[2])))
        if distributed.rank() == 0:
            torch.save(found, sys.argv[1])
"""


@pytest.mark.parametrize("changes", [{}, {"mask_locals": True}], ids=["whole local views", "masked local views"])
def test_steps_without_masked_global_views_are_those_of_one_process(quick, tmp_path, changes):
    config = replace(quick, mask_globals=1 / 16, weight_decay=(0.5, 0.5), **changes)
    (tmp_path / "script.py").write_text(UNMASKED)
    command = tmp_path / "script.py", tmp_path / "two.pt", json.dumps(config.to_dict())
    done = torchrun(2, *command, TORCH_CPP_LOG_LEVEL="WARNING")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "strides" not in done.stderr
    scope: dict[str, Any] = {"__name__": "alone"}
    exec(UNMASKED, scope)
    alone, two = scope["weights"](config), torch.load(tmp_path / "two.pt", weights_only=True)
    for name in [n for n in alone if n.startswith("token_head") and n.endswith(("weight", "prototypes"))] + [
        "encoder.mask_token"
    ]:
        apart = float((two[name] - alone[name]).norm() / alone[name].norm())
        assert apart < 1e-4, f"{name}: {apart}"  # weight decay of two steps that should not be: 2e-3


DIES = """
import os, sys, json
from slimlab import data, pretrain
from slimlab._system import distributed
from slimlab.pretrain import trainer
step = trainer.Trainer.step
def dies(self, store, clips, number):
    if number == 6 and distributed.rank() == int(sys.argv[3]):
        print("out of luck", file=sys.stderr)
        os._exit(7)
    return step(self, store, clips, number)
trainer.Trainer.step = dies
"""


@pytest.mark.parametrize("who", ["0", "1"])
def test_a_workers_death_ends_the_job_and_the_checkpoint_is_intact(train, quick, tmp_path, who):
    config = replace(quick, checkpoint_seconds=0.0)
    (tmp_path / "dies.py").write_text(DIES + SCRIPT)
    done = torchrun(2, tmp_path / "dies.py", tmp_path / "run", json.dumps(config.to_dict()), who)  # it ends: torchrun has a limit
    assert done.returncode != 0
    assert "out of luck" in done.stderr and "exitcode" in done.stderr  # its last words, and torchrun's account of it
    assert Run(tmp_path / "run").step == 6
    run = pretrain.fit(train, config, folder=tmp_path / "run", progress=False)
    assert run.about["status"] == "finished"
    same_curves(pretrain.fit(train, config, folder=tmp_path / "alone", progress=False), run)


def started(command, folder, steps=5, **environment):
    """A process that pre-trains, when its run has come so far."""
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | environment, cwd=ROOT
    )
    wait_for(lambda: process.poll() is not None or steps_logged(folder) >= steps, f"{steps} steps in the log")
    assert process.poll() is None, process.communicate()[1][-2000:]
    return process


COMMAND = ["-m", "slimlab", "pretrain", "synthetic", "--steps", "100000", "--batch-size", "8", "--folder"]


@kills
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_writes_a_checkpoint_and_ends_cleanly(tmp_path, number):
    process = started([sys.executable, *COMMAND, tmp_path / "run"], tmp_path / "run")
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert "the same command goes on from the run's last checkpoint" in err and "Traceback" not in err
    run = Run(tmp_path / "run")
    assert run.about["status"] == "interrupted" and run.step == len(run.metrics) >= 5
    assert torch.load(run.folder / "checkpoint.pt", weights_only=True)["step"] == run.step


@kills
@pytest.mark.parametrize("heard_by", [(0, 1), (0,), (1,)], ids=["all", "the first", "the second"])
def test_a_signal_stops_all_processes_after_the_same_step(tmp_path, heard_by):
    """The processes are started here, not by torchrun, which kills whoever has not ended 30 s after a signal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command = list(map(str, [sys.executable, *COMMAND, tmp_path / "run"]))
    second = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | both | rank(1)
    )
    try:
        processes = [started(command, tmp_path / "run", **both, **rank(0)), second]
        for each in heard_by:
            processes[each].send_signal(signal.SIGTERM)
        errors = [process.communicate(timeout=300)[1] for process in processes]
    finally:
        second.kill()
    assert [process.returncode for process in processes] == [143, 143], errors
    run = Run(tmp_path / "run")
    assert run.about["status"] == "interrupted" and run.step == len(run.metrics) >= 5


def rank(number: int) -> dict[str, str]:
    return {"RANK": str(number), "LOCAL_RANK": str(number)}
