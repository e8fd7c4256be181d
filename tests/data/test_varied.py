"""Synthetic motion for pre-training: deterministic, made of bodies, and as varied as it says."""

import numpy as np
import pytest

from slimlab import data
from slimlab.data.synthetic.clips import Subject
from slimlab.data.synthetic.varied import Bend, Orbit, Path, Reach, Swing, Turn, Walk, drawn_script, estimated, performed
from slimlab.skeleton import KINECT_V2


@pytest.fixture(scope="module")
def store():
    return data.varied(clips=120, seed=5, subjects=12, scripts=40)


@pytest.fixture(scope="module")
def scripts():
    return [drawn_script(np.random.default_rng(s)) for s in range(200)]


def motion(script, scripts, seed):
    rng = np.random.default_rng(seed)
    return performed(script, scripts, Subject.drawn(rng), Subject.drawn(rng), rng)


def test_same_seed_same_bytes_and_a_smaller_set_begins_a_larger(store):
    again = data.varied(clips=120, seed=5, subjects=12, scripts=40)
    assert again.fingerprint == store.fingerprint != data.varied(clips=120, seed=6, subjects=12, scripts=40).fingerprint
    few = data.varied(clips=10, seed=5, subjects=12, scripts=40)
    assert few.column("digest").tolist() == store.column("digest")[:10].tolist()


def test_every_script_is_a_class_that_several_people_perform(store):
    assert np.bincount(store.labels).tolist() == [3] * 40 and len(store.label_names) == 40
    assert len(np.unique(store.column("subject"))) > 8
    together = [len(set(store.column("subject")[store.labels == label])) for label in range(40)]
    assert np.mean(together) > 2


def test_recordings_of_a_script_differ_and_have_two_people_or_one(store):
    assert len(set(store.column("digest"))) == 120 and store.column("frames").max() <= 300
    people = store.column("people").reshape(3, 40)
    assert (people == people[0]).all() and 0 < (people[0] == 2).sum() < 20


def test_joints_that_a_camera_lost_are_not_seen(store):
    lost = np.array([not clip.seen[clip.valid].all() for clip in store])
    assert 0.3 < lost.mean() < 0.7
    clip = store[int(np.flatnonzero(lost)[0])]
    assert not clip.joints[~clip.seen].any() and clip.seen[:, 0, KINECT_V2.center].all()


def test_every_kind_of_part_is_drawn(scripts):
    kinds = {type(part) for script in scripts for part in script.first}
    assert kinds == {Reach, Orbit, Path, Swing, Bend, Walk, Turn}
    assert all(script.first for script in scripts)
    assert {script.lying for script in scripts} == {True, False} and any(script.second == script.first for script in scripts)


def test_motion_is_smooth_whole_and_on_the_floor(scripts):
    """Before noise and faults: bones of constant length, no jumps, nobody below the floor."""
    speeds = []
    for number, script in enumerate(scripts[:60]):
        joints = motion(script, scripts, number)
        people = [0, 1] if script.second else [0]
        assert joints[:, people].any(axis=(2, 3)).all() and (script.second or not joints[:, 1].any())
        x = joints[:, people]
        for parent, joint in KINECT_V2.bones:
            length = np.linalg.norm(x[:, :, joint] - x[:, :, parent], axis=-1)
            assert length.std(axis=0).max() < 1e-9 and length.min() > 0.01
        speeds.append(np.linalg.norm(np.diff(x, axis=0), axis=-1).ravel())  # meters a frame
        assert x[..., 1].min() > -1e-6
    speeds = np.concatenate(speeds)
    assert np.quantile(speeds, 0.999) < 0.2 and speeds.max() < 0.6  # an arm that turns over, in one recording of a hundred


def test_a_camera_stands_anywhere_and_its_noise_differs(scripts):
    joints = np.repeat(motion(scripts[0], scripts, 0)[:1], 60, axis=0)  # who stands still
    noise, facing = [], []
    for seed in range(30):
        x = estimated(joints, np.random.default_rng(seed))
        hip = x[:, 0, KINECT_V2.names.index("left_hip")]
        seen = hip.any(axis=1)
        if seen.sum() > 10:
            noise.append(np.diff(hip[seen][:10], axis=0).std())
        across = np.median(
            x[:, 0, KINECT_V2.names.index("right_shoulder")] - x[:, 0, KINECT_V2.names.index("left_shoulder")], axis=0
        )
        facing.append(np.arctan2(across[2], across[0]))
    assert max(noise) > 4 * min(noise) and np.ptp(np.cos(facing)) > 1.5 and np.ptp(np.sin(facing)) > 1.5


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"subjects": 0}, {"scripts": 0}])
def test_nothing_cannot_be_asked_for(wrong):
    with pytest.raises(ValueError, match="ask for at least one"):
        data.varied(**wrong)
