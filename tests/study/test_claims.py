"""One piece of work, one owner: also when the owner dies."""

import multiprocessing
import os
import signal
import time
from contextlib import ExitStack

import pytest

from slimlab.study.claims import claim
from tests.systems import forks


def take_many(folder, names, out):
    """Claim what can be had and keep it."""
    with ExitStack() as stack:
        out.put([name for name in names if stack.enter_context(claim(folder, name))])
        time.sleep(30)


def hold(folder, ready):
    with claim(folder, "work"):
        ready.set()
        time.sleep(60)


def taken(folder):
    with claim(folder, "work") as ours:
        return ours


@forks
@pytest.mark.integration
def test_every_name_goes_to_one_process(tmp_path):
    names, fork = [f"run{i}" for i in range(40)], multiprocessing.get_context("fork")
    out = fork.Queue()
    workers = [fork.Process(target=take_many, args=(tmp_path, names, out), daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    taken = [out.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.kill()
    assert sorted(name for own in taken for name in own) == sorted(names)


@forks
@pytest.mark.integration
def test_work_that_comes_and_goes_has_one_owner_at_a_time(tmp_path):
    """Claims are released and their files removed while others ask for them; nobody may find another one at work."""
    fork = multiprocessing.get_context("fork")
    out = fork.Queue()
    workers = [fork.Process(target=work_alone, args=(tmp_path, out), daemon=True) for _ in range(4)]
    for worker in workers:
        worker.start()
    met = [out.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    assert met == [0] * 4


def work_alone(folder, out, rounds=200):
    """Do `rounds` pieces of the same work; put how often somebody else was at it at the same time."""
    done = met = 0
    while done < rounds:
        with claim(folder / "claims", "work") as ours:
            if ours:
                try:
                    os.close(os.open(folder / "at work", os.O_CREAT | os.O_EXCL))
                except FileExistsError:
                    met += 1
                else:
                    (folder / "at work").unlink()
                done += 1
    out.put(met)


def test_released_work_can_be_claimed_again(tmp_path):
    with claim(tmp_path, "work") as first:
        assert first and not taken(tmp_path)
        with claim(tmp_path, "other work") as other:
            assert other
    assert taken(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_releases_the_work(tmp_path):
    with pytest.raises(KeyboardInterrupt), claim(tmp_path, "work"):
        raise KeyboardInterrupt
    assert taken(tmp_path) and list(tmp_path.iterdir()) == []


@forks
@pytest.mark.integration
def test_a_killed_owners_work_is_taken_over_at_once(tmp_path):
    fork = multiprocessing.get_context("fork")
    ready = fork.Event()
    owner = fork.Process(target=hold, args=(tmp_path, ready), daemon=True)
    owner.start()
    assert ready.wait(60) and not taken(tmp_path)
    os.kill(owner.pid, signal.SIGKILL)
    owner.join()
    assert taken(tmp_path) and list(tmp_path.iterdir()) == []
