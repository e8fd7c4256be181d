"""An exception at any line of the training loop leaves a run that resumes to the numbers of an uninterrupted one."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from slimlab import data, pretrain, weights
from slimlab._system import cache, signals
from slimlab.pretrain import loop, monitor, run, setup, trainer
from slimlab.pretrain.config import Config
from slimlab.weights import load_encoder
from tests.systems import kills

FILES = {m.__file__ for m in (loop, run, monitor, setup, cache, signals, weights, trainer)}
ERRORS = (RuntimeError, KeyboardInterrupt, OSError, MemoryError)  # in turn, line after line
HEART = ("steps", "_steps", "save", "step", "monitor", "_update_teacher", "save_checkpoint", "save_snapshot", "load_checkpoint")
Line = tuple[str, str, int]  # file, function, number
TINY = Config(
    preset="tiny",
    steps=3,
    batch_size=4,
    width=8,
    heads=1,
    depth=1,
    prototypes=8,
    evaluations=2,
    snapshots=3,
    checkpoint_seconds=0,
)


class Injected:
    """A trace function that raises `error` when the line `at` is reached for the `nth` time; it counts every line."""

    def __init__(self, at: Line | None = None, nth: int = 1, error: type[BaseException] = RuntimeError) -> None:
        self.at, self.nth, self.error, self.seen = at, nth, error, Counter[Line]()

    def __call__(self, frame, event, _):
        return self.line if frame.f_code.co_filename in FILES else None

    def line(self, frame, event, _):
        if event == "line":
            where = frame.f_code.co_filename, frame.f_code.co_name, frame.f_lineno
            self.seen[where] += 1
            if where == self.at and self.seen[where] == self.nth:
                self.act()
        return self.line

    def act(self):
        raise self.error("injected")


class Signalled(Injected):
    """Sends SIGTERM to this process instead."""

    def act(self):
        os.kill(os.getpid(), signal.SIGTERM)


def fit(store, config, folder, trace=None):
    """`pretrain.fit`, traced. It puts the signal handlers back itself: an error injected at the very line that does so in
    `slimlab._system.signals` leaves the run's own in the process, and the next run, which finds a handler, goes another way."""
    before, handlers = sys.gettrace(), {number: signal.getsignal(number) for number in signals.HELD}
    sys.settrace(trace)
    try:
        return pretrain.fit(store, config, folder=folder, device="cpu", progress=False)
    finally:
        sys.settrace(before)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def outcome(folder: Path):
    """Everything of a run that an interruption must not change."""
    found = run.Run(folder)
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    tensors = {f"{n}.{k}": v for n in ("student", "teacher", "centers") for k, v in state[n].items()}
    tensors |= {f"adam.{i}.{k}": v for i, s in state["optimizer"]["state"].items() for k, v in s.items()}
    for name, place in {"encoder": folder, **found.snapshots}.items():
        tensors |= {f"{name}.{k}": v for k, v in load_encoder(place).state_dict().items()}
    about = found.about["status"], found.step, state["step"], "error" in found.about
    return found.metrics.drop(columns="clips_per_second"), tensors, about


def same(a, b):
    assert a[2] == b[2] and a[1].keys() == b[1].keys()
    assert [k for k in a[1] if not torch.equal(a[1][k], b[1][k])] == []
    assert list(a[0]) == list(b[0])
    for name in a[0]:
        np.testing.assert_array_equal(a[0][name], b[0][name], err_msg=name)


@pytest.fixture(scope="module")
def few():
    return data.synthetic(clips=12, seed=0)


@pytest.fixture(scope="module")
def whole(few, tmp_path_factory):
    """A run without an interruption: what comes out, its folder's names, and how often each line is reached."""
    folder, trace = tmp_path_factory.mktemp("whole") / "run", Injected()
    fit(few, TINY, folder, trace)
    return outcome(folder), sorted(str(f.relative_to(folder)) for f in folder.rglob("*")), trace.seen


def injected(problem: BaseException | None) -> bool:
    """Whether this is the error that was injected, or one that says what it led to."""
    return problem is not None and ("injected" in str(problem) or injected(problem.__cause__))


def check(few, whole, folder, place, nth, error):
    """Interrupt a run at this line and call it again: it gives what the whole run gave."""
    expected, names, _ = whole
    trace = Injected(place, nth, error)
    try:
        try:
            fit(few, TINY, folder, trace)
        except BaseException as problem:
            assert injected(problem)
        assert trace.seen[place] >= nth  # the line was reached
        fit(few, TINY, folder)
        same(outcome(folder), expected)
        assert sorted(str(f.relative_to(folder)) for f in folder.rglob("*")) == names
    except BaseException as problem:
        raise AssertionError(f"{error.__name__} at {place}, time {nth}") from problem


def sampled(lines):
    """Every other line of the loop and of what it saves; one in twelve of the rest."""
    heart, rest = [x for x in lines if x[1] in HEART], [x for x in lines if x[1] not in HEART]
    return heart[::2] + rest[::12]


@pytest.mark.parametrize("part", range(4))
def test_an_exception_in_the_loop_leaves_a_run_that_resumes(few, whole, tmp_path, monkeypatch, part):
    monkeypatch.setattr("os.fsync", lambda handle: None)  # nothing here cuts the power
    for i, place in list(enumerate(sampled(sorted(whole[2]))))[part::4]:
        check(few, whole, tmp_path / str(i), place, (whole[2][place] + 1) // 2, ERRORS[i // 4 % 4])


@kills
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.full), 5])
def test_a_signal_at_any_line_of_the_loop_is_heard(few, whole, tmp_path, monkeypatch, every):
    monkeypatch.setattr("os.fsync", lambda handle: None)
    lines = sorted(place for place in whole[2] if place[0] == loop.__file__ and place[1] in ("steps", "_steps", "save"))
    agreeing = [place for place in whole[2] if place[1] == "_agreed"]  # the processes wait for one another there
    assert len(agreeing) > 1
    for i, place in enumerate(agreeing + lines[::every]):
        with pytest.raises(SystemExit) as ended:
            fit(few, TINY, tmp_path / str(i), Signalled(place, (whole[2][place] + 1) // 2))
            pytest.fail(f"nobody heard the signal at {place}")
        assert ended.value.code == 143
        fit(few, TINY, tmp_path / str(i))
        same(outcome(tmp_path / str(i)), whole[0])


@pytest.mark.full
@pytest.mark.parametrize("when", ["first", "middle", "last"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, OSError])
def test_an_exception_at_every_line_leaves_a_run_that_resumes(few, whole, tmp_path, monkeypatch, when, error):
    monkeypatch.setattr("os.fsync", lambda handle: None)
    for i, (place, count) in enumerate(sorted(whole[2].items())):
        check(few, whole, tmp_path / str(i), place, {"first": 1, "middle": (count + 1) // 2, "last": count}[when], error)


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_an_exception_of_who_takes_the_steps_leaves_a_run_that_resumes(few, whole, tmp_path, after):
    with pytest.raises(ZeroDivisionError):
        for step in pretrain.steps(few, TINY, folder=tmp_path / "loop", device="cpu"):
            1 / (after - step.step)
    stream = pretrain.stream(few, TINY, folder=tmp_path / "stream", device="cpu")
    with pytest.raises(ZeroDivisionError):
        async for step in stream:
            1 / (after - step.step)
    await stream.aclose()
    for folder in (tmp_path / "loop", tmp_path / "stream"):
        assert run.Run(folder).step == after + 1
        fit(few, TINY, folder)
        same(outcome(folder), whole[0])
