"""Which joints were seen, from the reader to the view: the rule, the store on disk, what travels with clips."""

import json
import shutil

import numpy as np
import pytest
import torch

from slimlab import data, evaluate
from slimlab.data import clean
from slimlab.data.errors import DataError
from slimlab.skeleton import KINECT_V1, KINECT_V2
from tests.conftest import make_store

V, CENTER, ROOT = len(KINECT_V2), KINECT_V2.center, KINECT_V2.root


def person(frames=12, away=3.0, seed=0):
    """(T, 1, V, 3) meters: a body whose middle moves about `away` meters from the origin."""
    rng = np.random.default_rng(seed)
    pose = rng.normal(size=(1, 1, V, 3)) * 0.1
    path = rng.normal(size=(frames, 1, 1, 3)).cumsum(axis=0) * 0.01
    return (pose + path + np.array([0, 0, away])).astype(np.float32)


def seen_of(*clips):
    return [clip.seen for clip in make_store(list(clips))]


def test_a_joint_at_zero_was_not_seen_and_all_others_were():
    clip = person()
    clip[3:6, 0, 7] = 0
    expected = np.ones((12, 1, V), dtype=bool)
    expected[3:6, 0, 7] = False
    np.testing.assert_array_equal(seen_of(clip)[0], expected)


@pytest.mark.parametrize("joint", [CENTER, ROOT])
def test_the_joint_that_clips_are_centered_on_was_seen(joint):
    every = person() - person()[:, :, joint : joint + 1]
    first = person() - person()[:1, :, joint : joint + 1]
    assert not every[:, 0, joint].any() and not first[0, 0, joint].any() and first[1, 0, joint].any()
    for seen in seen_of(every, first):
        assert seen.all()


def test_a_center_that_no_camera_saw_is_no_origin():
    never, late = person(), person()
    never[:, 0, CENTER] = 0
    late[:1, 0, CENTER] = 0
    for clip, seen in zip((never, late), seen_of(never, late), strict=True):
        np.testing.assert_array_equal(seen, clip.any(axis=3))


def test_in_a_clip_centered_on_a_joint_others_may_be_unseen():
    clip = person() - person()[:, :, CENTER : CENTER + 1]
    clip[4:, 0, 20] = 0
    seen = seen_of(clip)[0]
    assert seen[:, 0, CENTER].all() and seen[:4, 0, 20].all() and not seen[4:, 0, 20].any()


def test_who_is_away_is_not_seen():
    clip = np.concatenate([person(), person(seed=1)], axis=1)
    clip[:5, 1] = 0
    store = make_store([clip])
    assert not store[0].seen[~store[0].valid].any() and store[0].seen[store[0].valid].all()
    assert not store.has_unseen  # who is away hides nothing
    x, people, seen = data.test_view(store, [0], 12)
    assert people.all() and seen.all() and not x[0, :, :4, :, 1].any()


def unseen_clips():
    clips = [person(9 + i, seed=i) for i in range(4)]
    clips[1][2:7, 0, [5, 22]] = 0
    clips[3][:, 0, 11] = 0
    return clips


@pytest.fixture
def store():
    return make_store(unseen_clips())


def test_a_store_on_disk_keeps_the_bits_and_has_none_where_all_was_seen(store, tmp_path):
    data.export(store, tmp_path / "few.npz")
    data.convert(tmp_path / "few.npz", tmp_path / "few")
    data.export(store[[0, 2]], tmp_path / "whole.npz")
    data.convert(tmp_path / "whole.npz", tmp_path / "whole")
    assert (tmp_path / "few" / "seen.npy").exists() and not (tmp_path / "whole" / "seen.npy").exists()
    for before, after in zip(store, data.open(tmp_path / "few"), strict=True):
        np.testing.assert_array_equal(after.seen, before.seen)
        np.testing.assert_array_equal(after.joints, before.joints)
    whole = data.open(tmp_path / "whole")
    assert not whole.has_unseen and all(clip.seen.all() for clip in whole)
    assert data.open(tmp_path / "few")[[1, 3]].has_unseen and data.open(tmp_path / "few").fingerprint == store.fingerprint


def test_a_store_of_version_1_gives_the_same(store, tmp_path):
    data.export(store, tmp_path / "few.npz")
    data.convert(tmp_path / "few.npz", tmp_path / "few")
    new = data.open(tmp_path / "few")
    shutil.copytree(tmp_path / "few", tmp_path / "old")
    (tmp_path / "old" / "seen.npy").unlink()
    about = json.loads((tmp_path / "old" / "store.json").read_text())
    (tmp_path / "old" / "store.json").write_text(json.dumps(about | {"version": 1}))
    old = data.open(tmp_path / "old")
    assert old.fingerprint == new.fingerprint and old.has_unseen
    for a, b in zip(old, new, strict=True):
        np.testing.assert_array_equal(a.seen, b.seen)


@pytest.mark.parametrize("bits", [np.zeros((3, 4), np.uint8), np.zeros((42, 1), np.uint8), np.zeros((42, 4), np.int64)])
def test_bits_that_do_not_fit_are_refused(store, tmp_path, bits):
    data.export(store, tmp_path / "few.npz")
    data.convert(tmp_path / "few.npz", tmp_path / "few")
    assert np.load(tmp_path / "few" / "seen.npy").shape == (42, 4)
    np.save(tmp_path / "few" / "seen.npy", bits)
    with pytest.raises(DataError, match=r"few: damaged store .*seen.npy.*convert the source again"):
        data.open(tmp_path / "few")


def test_the_fingerprint_knows_what_was_seen(store):
    other = make_store(unseen_clips())
    assert other.fingerprint == store.fingerprint
    declared, as_zeros = (evaluate.corruption.missing_joints(store, 0.2, given=g) for g in ("declared", "zeros"))
    assert list(declared.digests()) == list(as_zeros.digests())  # the same coordinates
    assert declared.fingerprint != as_zeros.fingerprint


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_exports_come_back_with_what_was_seen(store, tmp_path, kind):
    back = data.open(data.export(store, tmp_path / f"clips.{kind}"))
    for before, after in zip(store, back, strict=True):
        np.testing.assert_array_equal(after.seen, before.seen)


def test_cleaning_keeps_and_fills(store):
    filled = clean.fill_gaps(store, longest=10)
    assert filled[1].seen.all() and "filled" in filled.column("flags")[1]
    assert not filled[3].seen[:, 0, 11].any()  # never seen: nothing to fill it from
    smooth = clean.smooth(store, 3)
    for before, after in zip(store, smooth, strict=True):
        np.testing.assert_array_equal(after.seen, before.seen)
    aligned = clean.align_view(store)
    for before, after in zip(store, aligned, strict=True):
        np.testing.assert_array_equal(after.seen, before.seen)
        assert not after.joints[~after.seen].any()


def test_windows_and_other_bodies_carry_it(store):
    cut = data.windows(store, seconds=4 / 30, fps=30)
    for window in cut:
        name, first = window.name.rsplit("@", 1)
        whole = next(clip for clip in store if clip.name == name)
        np.testing.assert_array_equal(window.seen, whole.seen[int(first) : int(first) + len(window.seen)])
    fewer = data.on_body(store, KINECT_V1)
    elbow, thumb = KINECT_V1.names.index("left_elbow"), KINECT_V2.names.index("left_thumb")
    np.testing.assert_array_equal(fewer[1].seen[:, :, elbow], store[1].seen[:, :, KINECT_V2.names.index("left_elbow")])
    assert not store[1].seen[:, :, thumb].all() and fewer[1].seen.sum() == fewer[1].seen.size - 5  # the thumb is not among them


@pytest.mark.parametrize("frames", [9, 32])
def test_views_say_what_they_show(store, frames):
    x, people, seen = data.test_view(store, [0, 1, 3], frames)
    assert seen.shape == (3, frames, V, store.max_people) and seen.dtype == torch.bool and people.all()
    assert seen[0].all() and not seen[2, :, 11].any() and not seen[1, :, 5].all() and seen[1, :, 5].any()
    assert not torch.where(seen[:, None], 0, x).any()
    others = [j for j in range(V) if j not in (5, 22)]
    assert seen[1][:, others].all()


def test_a_moment_between_a_frame_that_shows_a_joint_and_one_that_does_not():
    clip = person(3)
    clip[1, 0, 9] = 0
    x, _, seen = data.resampled(make_store([clip]), [0], 9)  # at 0, 1/4, … 2 frames
    assert seen[0, :, 9, 0].tolist() == [True, True, False, False, False, False, True, True, True]
    np.testing.assert_allclose(x[0, :, 1, 9, 0], clip[0, 0, 9])  # where the one that shows it has it
    np.testing.assert_allclose(x[0, :, 1, 8, 0], 0.75 * clip[0, 0, 8] + 0.25 * clip[1, 0, 8], rtol=1e-6)


def test_pretraining_views_say_it_too(store):
    views = data.sample_views(store, [0, 1, 3], torch.Generator().manual_seed(0))
    for group, seen in zip([views.globals, *views.locals], views.seen, strict=True):
        assert seen.shape == (*group.shape[:2], *group.shape[3:])
        assert seen[:, 0].all() and not seen[:, 2, :, 11].any()
        assert not torch.where(seen[:, :, None], 0, group).any()


def test_a_clip_made_by_hand_knows_its_seen_joints():
    joints = person(4)
    joints[1, 0, 3] = 0
    valid = np.array([[True], [True], [True], [False]])
    clip = data.Clip(joints, valid, -1, "by hand")
    assert clip.seen[0].all() and not clip.seen[1, 0, 3] and not clip.seen[3].any()
