"""Cleaning: each step does what it says, to that alone, and says so; nothing happens to the store that it is given."""

import itertools

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError, clean
from slimlab.skeleton import KINECT_V2
from tests.conftest import make_store


@pytest.fixture(scope="module")
def walk():
    """(40, 2, 25, 3): two people on straight lines, so that what fills a gap is known."""
    pose = data.synthetic(clips=1, seed=0)[0].joints[0, 0]
    t = np.arange(40, dtype=np.float32)[:, None, None]
    one = pose + t * np.float32([0.01, 0, 0])
    return np.stack([one, one + np.float32([1, 0, 0])], axis=1)


def test_short_gaps_are_filled_and_long_ones_are_not(walk):
    x = walk.copy()
    x[5:8, 0] = 0  # three frames
    x[20:35, 1] = 0  # fifteen
    x[10, 0, 3] = 0  # one joint
    store = make_store([x, walk])
    filled = clean.fill_gaps(store, longest=5)
    np.testing.assert_allclose(filled[0].joints[:, 0], walk[:, 0], atol=1e-6)
    np.testing.assert_array_equal(filled[0].joints[:, 1], x[:, 1])
    np.testing.assert_array_equal(filled[1].joints, walk)
    assert filled.table["flags"].tolist() == ["filled gaps", ""] and filled.source == "made here | fill_gaps(5)"
    assert store.table["flags"][0] == "zero-joints gaps" and not store[0].joints[5:8, 0].any()  # as it was
    np.testing.assert_allclose(clean.fill_gaps(store, longest=15)[0].joints, walk, atol=1e-5)


def test_ghosts_are_dropped_but_not_the_last_body(walk):
    wide = walk.copy()
    wide[:, 1, :, 1] *= 0.05
    alone = wide[:, 1:]
    brief = walk.copy()
    brief[8:, 0] = 0
    store = clean.drop_ghosts(make_store([wide, alone, brief, walk], flags=["ghost", "ghost", "ghost", ""]))
    assert store.table["people"].tolist() == [1, 1, 1, 2]
    assert store.table["flags"].tolist() == ["ghost-dropped", "ghost", "ghost-dropped", ""]
    np.testing.assert_array_equal(store[0].joints[:, 0], walk[:, 0])
    np.testing.assert_array_equal(store[2].joints[:, 0], walk[:, 1])


@pytest.mark.parametrize("window", [1, 3, 7])
def test_smoothing_is_the_mean_around(window):
    x = np.random.default_rng(0).normal(size=(12, 1, 25, 3)).astype(np.float32)
    x[4:6] = 0
    got = clean.smooth(make_store([x]), window)[0].joints
    for t in range(12):
        near = [x[s] for s in range(max(0, t - window // 2), min(12, t + window // 2 + 1)) if x[s].any()]
        expected = np.mean(near, axis=0, dtype=np.float64) if x[t].any() else 0
        np.testing.assert_allclose(got[t], np.broadcast_to(expected, got[t].shape), atol=1e-6)
    with pytest.raises(DataError, match="odd"):
        clean.smooth(make_store([x]), 4)


def test_aligned_clips_do_not_depend_on_the_camera(walk):
    angle = 0.7
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    seen = (walk @ turn.T + np.array([0.3, -1, 2])).astype(np.float32)
    a, b = clean.align_view(make_store([walk, seen]))
    np.testing.assert_allclose(a.joints, b.joints, atol=1e-5)
    left, right = (KINECT_V2.names.index(f"{side}_hip") for side in ("left", "right"))
    across = a.joints[0, 0, left] - a.joints[0, 0, right]
    assert across[0] > 0 and abs(across[2]) < 1e-6 and np.abs(a.joints[0, 0, KINECT_V2.center]).max() < 2e-6
    distance = np.linalg.norm(walk[:, 0] - walk[:, 1], axis=2)
    np.testing.assert_allclose(np.linalg.norm(a.joints[:, 0] - a.joints[:, 1], axis=2), distance, atol=1e-5)
    assert a.valid.all()


def test_steps_follow_each_other_and_keep_the_table(synthetic):
    few = synthetic[:12]
    done = clean.smooth(clean.fill_gaps(few), 3)
    assert done.source.endswith("| fill_gaps(10) | smooth(3)") and len(done) == 12
    for column in ("clip", "label", "label_name", "subject", "camera", "setup", "frames"):
        assert done.table[column].tolist() == few.table[column].tolist()
    assert done.fingerprint != few.fingerprint and done.fps == few.fps


def test_gaps_are_filled_as_numpy_interpolates(synthetic):
    """Two people, holes at random, of joints and of whole frames: joint by joint with np.interp, and only short holes inside."""
    dice, clips, longest = np.random.default_rng(0), [], 3
    for clip in synthetic[:6]:
        x = clip.joints.copy()
        x[dice.random(x.shape[:3]) < 0.4] = 0
        x[dice.random(len(x)) < 0.2] = 0
        clips.append(x)
    store = make_store(clips)
    for before, after in zip(store, clean.fill_gaps(store, longest), strict=True):
        expected, known = before.joints.copy(), before.seen
        for m, v in np.ndindex(known.shape[1:]):
            seen = np.flatnonzero(known[:, m, v])
            for first, last in itertools.pairwise(seen):
                if 1 < last - first <= longest + 1:
                    inside = np.arange(first + 1, last)
                    for axis in range(3):
                        y = before.joints[[first, last], m, v, axis]
                        expected[inside, m, v, axis] = np.interp(inside, [first, last], y)
        assert np.array_equal(after.joints, expected) and not np.array_equal(after.joints, before.joints)
