"""Stores and settings that many tests share. Real recordings are used where SLIMLAB_TEST_DATA names their folder."""

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from slimlab import data
from slimlab._system.doctor import chromium
from slimlab.data.building import Block, Source, build
from slimlab.pretrain.config import Config
from slimlab.skeleton import KINECT_V2, Skeleton

# One thread, also in children, unless OMP_NUM_THREADS says otherwise: sums round alike on every machine, and the two workers
# of `make test` do not wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
# The same examples on every machine; `make test-full` draws new ones (SLIMLAB_HYPOTHESIS=random).
settings.register_profile("fixed", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("random", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("SLIMLAB_HYPOTHESIS", "fixed"))
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job, whose children would ignore Ctrl-C as well
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["SLIMLAB_CACHE"] = "off"  # what a test computes is computed; tests of the cache name a folder


@pytest.fixture(autouse=True)
def same_dice():
    """The global generator of torch as no other test left it: a test alone and a test among others draw the same numbers."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def synthetic():
    """132 synthetic clips: every action by an odd and an even subject, 3 cameras."""
    return data.synthetic(clips=132, seed=0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(os.environ.get("SLIMLAB_TEST_DATA", "unset"))
    if not folder.is_dir():
        pytest.skip("needs real recordings: set SLIMLAB_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def utd(real_data):
    return data.open(real_data / "utd_mhad.npz")


def needs_program(name: str, package: str) -> None:
    """Skip a test that runs this program where it is missing; fail where SLIMLAB_REQUIRE_BROWSER is set."""
    if shutil.which(name) is None:
        if os.environ.get("SLIMLAB_REQUIRE_BROWSER"):
            pytest.fail(f"SLIMLAB_REQUIRE_BROWSER is set, but there is no {name}")
        pytest.skip(f"needs {name}: apt-get install {package}")


@pytest.fixture(scope="module")  # not longer: Playwright keeps an event loop running, in which async tests cannot run
def browser():
    """Chromium, driven by Playwright."""
    if not chromium():
        if os.environ.get("SLIMLAB_REQUIRE_BROWSER"):
            pytest.fail("SLIMLAB_REQUIRE_BROWSER is set, but there is no Chromium")
        pytest.skip("needs Chromium: apt-get install chromium, or set SLIMLAB_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def quick() -> Config:
    """The whole method at a size that takes a fraction of a second a step."""
    return Config(preset="tiny", steps=12, batch_size=8, width=32, depth=1, prototypes=16, evaluations=2, checkpoint_seconds=1e9)


def make_store(clips, skeleton: Skeleton = KINECT_V2, **table):
    """A store from a list of (T, M, V, 3) arrays."""
    people = max(c.shape[1] for c in clips)
    frames = [np.pad(c, ((0, 0), (0, people - c.shape[1]), (0, 0), (0, 0))) for c in clips]
    columns = {"clip": [f"clip{i}" for i in range(len(clips))]} | table
    block = Block(np.concatenate(frames), np.cumsum([0, *map(len, frames)]), columns)
    return build(Source("made here", skeleton, [block]))


def counting_clip(frames: int, people: int = 1, joints: int = 25) -> np.ndarray:
    """(T, M, V, 3): every coordinate is the frame's number plus one, so that a view shows which frames it was cut from."""
    return np.broadcast_to(np.arange(1, frames + 1, dtype=np.float32)[:, None, None, None], (frames, people, joints, 3)).copy()
