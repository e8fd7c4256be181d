"""One piece of work, one owner: also when the owner dies or sleeps."""

import json
import multiprocessing
import os
import signal
import time

import pytest

from slimlab.study import claims
from slimlab.study.claims import claim, forget
from tests.systems import forks
from tests.waiting import wait_for


def take_many(folder, names, out):
    """Claim what can be had and keep it."""
    out.put([name for name in names if claim(folder, name) is not None])
    time.sleep(30)


def hold(folder, ready):
    claim(folder, "work")
    ready.set()
    time.sleep(60)


@forks
@pytest.mark.integration
def test_every_name_goes_to_one_process(tmp_path):
    names, fork = [f"run{i}" for i in range(40)], multiprocessing.get_context("fork")
    out = fork.Queue()
    workers = [fork.Process(target=take_many, args=(tmp_path, names, out), daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    taken = [out.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.kill()
    assert sorted(name for own in taken for name in own) == sorted(names)


def test_released_work_can_be_claimed_again(tmp_path):
    first = claim(tmp_path, "work")
    assert first is not None and claim(tmp_path, "work") is None and not first.lost
    assert json.loads(first.file.read_text())["process"] == os.getpid()
    first.release()
    second = claim(tmp_path, "work")
    assert second is not None
    second.release()
    assert list(tmp_path.iterdir()) == []


@forks
@pytest.mark.integration
def test_a_killed_owners_work_is_taken_over_at_once(tmp_path):
    fork = multiprocessing.get_context("fork")
    ready = fork.Event()
    owner = fork.Process(target=hold, args=(tmp_path, ready), daemon=True)
    owner.start()
    assert ready.wait(60) and claim(tmp_path, "work") is None
    os.kill(owner.pid, signal.SIGKILL)
    owner.join()
    ours = claim(tmp_path, "work")
    assert ours is not None and ours.file.name == "work.1" and claim(tmp_path, "work") is None
    ours.release()
    forget(tmp_path, "work")
    assert list(tmp_path.iterdir()) == []


def test_a_sleeping_owner_loses_its_work_and_can_tell(tmp_path):
    sleeper = claim(tmp_path, "work")
    os.utime(sleeper.file, (0, 0))  # as if it had not been touched for years
    taker = claim(tmp_path, "work", stale=60)
    assert taker is not None and sleeper.lost and not taker.lost
    assert claim(tmp_path, "work", stale=60) is None
    sleeper.release()
    taker.release()


def test_a_living_owner_keeps_its_claim_fresh(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT", 0.05)
    ours = claim(tmp_path, "work")
    os.utime(ours.file, (0, 0))
    wait_for(lambda: ours.file.stat().st_mtime > 1, "a claim that its owner touches")
    assert claim(tmp_path, "work", stale=60) is None
    ours.release()
