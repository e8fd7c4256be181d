"""The store: what goes in comes out, poor clips are flagged, bad ones refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlab import data
from slimlab.data import DataError
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2
from tests.conftest import counting_clip, make_store


def clip_arrays(max_clips: int = 4):
    """Lists of (T, M, V, 3) clips in which anybody may be away at any time."""

    @st.composite
    def draw(pick):
        people = pick(st.integers(1, 3))
        clips = []
        for _ in range(pick(st.integers(1, max_clips))):
            frames = pick(st.integers(1, 12))
            there = np.array(pick(st.lists(st.booleans(), min_size=frames * people, max_size=frames * people)))
            x = np.random.default_rng(frames).normal(size=(frames, people, len(COCO), 3)).astype(np.float32)
            clips.append(x * there.reshape(frames, people, 1, 1))
        return clips

    return draw()


@given(clip_arrays())
@settings(max_examples=60, deadline=None)
def test_clips_come_back_as_they_went_in(clips):
    store = make_store(clips, COCO)
    for put, got in zip(clips, store, strict=True):
        present = [m for m in range(put.shape[1]) if put[:, m].any()]
        assert got.joints.shape[0] == len(put) and store.table["people"].sum() >= 0
        for m, person in enumerate(present):  # people are numbered without gaps
            np.testing.assert_array_equal(got.joints[:, m], put[:, person])
            np.testing.assert_array_equal(got.valid[:, m], put[:, person].any(axis=(1, 2)))
        assert not got.joints[:, len(present) :].any()


def test_a_clip_has_the_documented_shapes(synthetic):
    clip = synthetic[5]
    frames, people = clip.valid.shape
    assert clip.joints.shape == (frames, people, 25, 3) and clip.joints.dtype == np.float32
    assert clip.label == synthetic.table["label"][5] and clip.name == synthetic.table["clip"][5]
    assert list(synthetic.table.columns) == "clip label label_name subject camera setup split frames people flags digest".split()


def test_slices_lists_and_masks_give_smaller_stores(synthetic):
    names = synthetic.column("clip")
    for index in (slice(3, 30, 4), [5, 1, 1 + 6], synthetic.labels == 2, np.array([-1])):
        part = synthetic[index]
        assert part.column("clip").tolist() == names[index].tolist()
        assert part[0].name == part.table["clip"][0]
        np.testing.assert_array_equal(part[0].joints, synthetic[int(np.flatnonzero(names == part[0].name)[0])].joints)
        assert part.max_people == synthetic.max_people  # both sides of a split have the same M
    with pytest.raises(IndexError):
        synthetic[len(synthetic)]


def test_the_fingerprint_follows_contents_and_order(synthetic):
    assert synthetic.fingerprint == data.synthetic(clips=132, seed=0).fingerprint
    assert synthetic.fingerprint != data.synthetic(clips=132, seed=1).fingerprint
    assert synthetic[[0, 1]].fingerprint != synthetic[[1, 0]].fingerprint
    moved = counting_clip(5), counting_clip(5) + np.float32(1e-6)
    assert make_store([moved[0]]).fingerprint != make_store([moved[1]]).fingerprint


def test_poor_clips_are_accepted_and_flagged():
    gone = counting_clip(6)
    gone[2:4] = 0
    headless = counting_clip(6)
    headless[1, 0, 3] = 0
    store = make_store([counting_clip(9), counting_clip(1), np.zeros((4, 1, 25, 3), np.float32), headless, gone])
    assert store.table["flags"].tolist() == ["", "one-frame", "empty", "zero-joints", "gaps"]
    assert store.table["people"].tolist() == [1, 1, 0, 1, 1]
    assert store.frame_counts().tolist() == [9, 1, 0, 6, 4]
    assert store[2].joints.shape == (4, 1, 25, 3) and not store[2].valid.any()


@pytest.mark.parametrize("value, says", [(np.nan, "not a number"), (np.inf, "not a number"), (5e5, "no length in metres")])
def test_impossible_coordinates_are_refused_with_their_place(value, says):
    bad = counting_clip(4)
    bad[2, 0, 7, 1] = value
    with pytest.raises(DataError) as caught:
        make_store([counting_clip(3), bad])
    text = str(caught.value)
    for part in ("made here", "clip 1 'clip1'", "frame 2", "joint 7", ": y is", says, "Remedy"):
        assert part in text


def test_duplicate_names_are_refused():
    with pytest.raises(DataError, match="clips 0 and 2 are both called 'a'"):
        make_store([counting_clip(2)] * 3, clip=["a", "b", "a"])


def test_labels_out_of_range_are_refused():
    with pytest.raises(DataError, match="clip 1 'clip1' has label -3"):
        make_store([counting_clip(2)] * 2, label=[0, -3])


def test_unlabelled_clips_are_fine():
    store = make_store([counting_clip(3)] * 2)
    assert store.labels.tolist() == [-1, -1] and store.label_names == ()
    assert store.table["label_name"].tolist() == ["", ""] and store.skeleton == KINECT_V2


@pytest.mark.parametrize(
    "index, error, says",
    [
        (np.ones(3, dtype=bool), IndexError, "3 entries for 132 clips"),
        (np.ones((132, 1), dtype=bool), TypeError, "flat"),
        ([0, 132], IndexError, "clip 132 of 132"),
        ([-133], IndexError, "clip -133 of 132"),
        ([0.0, 1.5], TypeError, "whole numbers"),
        ([[0, 1], [2, 3]], TypeError, "flat"),
        ([[0, 1], [2]], TypeError, "flat|lists"),
        (["clip"], TypeError, "whole numbers"),
        (1.0, TypeError, "whole numbers"),
        (True, TypeError, "flat"),
    ],
)
def test_an_index_that_names_no_clips_is_refused(synthetic, index, error, says):
    with pytest.raises(error, match=says):
        synthetic[index]
    if not np.isscalar(index):
        with pytest.raises(error, match=says):
            data.test_view(synthetic, index)


@given(st.lists(st.integers(-132, 131), max_size=6), st.lists(st.booleans(), min_size=132, max_size=132))
@settings(max_examples=30, deadline=None)
def test_numbers_and_masks_choose_what_numpy_would(synthetic, numbers, mask):
    names = synthetic.column("clip")
    assert synthetic[numbers].column("clip").tolist() == names[np.array(numbers, dtype=int)].tolist()
    assert synthetic[np.array(mask)].column("clip").tolist() == names[np.array(mask)].tolist()


def test_a_single_clip_reads_no_column_anew(synthetic, monkeypatch):
    """Work is counted, not time: a pass over the clips reads each column of the table once, however many clips there are."""
    read = []
    take = pd.DataFrame.__getitem__
    monkeypatch.setattr(pd.DataFrame, "__getitem__", lambda self, key: (read.append(key), take(self, key))[1])
    store = synthetic[:]
    read.clear()
    assert len([clip.name for clip in store]) == 132 and store[3].name == store.column("clip")[3]
    assert len(read) == len(set(read)) <= 4
    assert not store.column("clip").flags.writeable and store.column("frames") is store.column("frames")


def test_digests_are_of_the_coordinates_whatever_the_table_says(synthetic):
    few = synthetic[:4]
    assert few.digests().tolist() == few.table["digest"].tolist()
    moved = replace(few.arrays, joints=few.arrays.joints + np.float32(1))
    changed = data.ClipStore(moved, few.table, few.skeleton, few.label_names, clips=few.clips)
    assert not set(changed.digests()) & set(few.digests()) and changed.fingerprint != few.fingerprint
    lying = data.ClipStore(few.arrays, few.table.assign(digest="0" * 16), few.skeleton, few.label_names, clips=few.clips)
    assert lying.fingerprint == few.fingerprint
    with pytest.raises(DataError, match="same coordinates on both sides"):
        data.split(make_store([counting_clip(5)] * 2, subject=[1, 2], digest=["a", "b"]))


def test_digests_are_computed_once_for_all_parts_of_a_store(synthetic, monkeypatch):
    from slimlab.data import store as module

    made = []
    real = module.digest_of
    monkeypatch.setattr(module, "digest_of", lambda rows: (made.append(1), real(rows))[1])
    whole = data.ClipStore(replace(synthetic.arrays), synthetic.table, synthetic.skeleton)
    assert len(whole[:5].digests()) == 5 and len(made) == 5
    assert len(whole.digests()) == 132 and whole[3:9].fingerprint and len(made) == 132


def test_fewer_joints_or_float16_are_still_known_as_the_recording(synthetic, tmp_path):
    few = synthetic[:3]
    fewer = data.on_body(few, KINECT_V1)
    data.export(few, tmp_path / "clips.npz")
    half = data.convert(tmp_path / "clips.npz", tmp_path / "half", dtype="float16", progress=False)
    for store in (fewer, half):
        assert store.recordings().tolist() == few.recordings().tolist() == few.digests().tolist()
        assert not set(store.digests()) & set(few.digests())
