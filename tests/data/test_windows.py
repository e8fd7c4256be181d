"""Windows of recordings: what is in them, where they came from, and what a store on disk keeps of them."""

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from tests.conftest import make_store

RNG = np.random.default_rng(0)


def recordings():
    """Three recordings at 10 frames a second: 25 and 12 frames of one person, and 30 frames whose second person comes late."""
    long, short, two = (RNG.normal(size=(frames, people, 25, 3)) for frames, people in ((25, 1), (12, 1), (30, 2)))
    two[:20, 1] = 0
    long[11] = 0  # nobody in one frame
    return make_store([x.astype(np.float32) for x in (long, short, two)], subject=[4, 5, 6], label=[1, 0, 1])


def test_windows_hold_the_frames_that_their_columns_say():
    store = recordings()
    cut = data.windows(store, seconds=1, stride=0.5, fps=10)
    whole = dict(zip(store.column("clip"), store, strict=True))
    assert cut.column("first_frame").tolist() == [0, 5, 10, 15, 0, 0, 5, 10, 15, 20] and cut.fps == 10
    for clip, source, first in zip(cut, cut.column("source_clip"), cut.column("first_frame"), strict=True):
        assert clip.name == f"{source}@{first}" and clip.label == whole[source].label
        expected = whole[source].joints[first : first + 10]
        people = expected.any(axis=(0, 2, 3)).sum()
        np.testing.assert_array_equal(clip.joints[:, :people], expected[:, :people])
        assert not clip.joints[:, people:].any()
    flags = dict(zip(cut.column("clip"), cut.column("flags"), strict=True))
    assert "gaps" in flags["clip0@5"].split() and "gaps" not in flags["clip0@15"].split()
    assert len(set(cut.column("digest"))) == len(cut)


def test_windows_of_windows_and_of_a_part_count_their_own_frames():
    store = recordings()
    again = data.windows(data.windows(store[[2]], seconds=2, stride=0.5, fps=10), seconds=0.5)
    assert again.column("clip")[5] == "clip2@5@5" and again.column("source_clip")[5] == "clip2@5"
    np.testing.assert_array_equal(again[5].joints[:, 0], store[2].joints[10:15, 0])


def test_a_recording_shorter_than_a_window_stays_whole():
    cut = data.windows(recordings(), seconds=2, fps=10)
    assert cut.column("frames").tolist() == [20, 12, 20]


def test_windows_of_one_subject_stay_on_one_side():
    train, test = data.split(data.windows(recordings(), seconds=1, fps=10), "cross-subject", train_subjects=[4, 6])
    assert set(train.column("source_clip")) == {"clip0", "clip2"} and set(test.column("source_clip")) == {"clip1"}


def test_saved_windows_keep_coordinates_names_and_origin(tmp_path):
    cut = data.windows(recordings(), seconds=1, stride=0.5, fps=10)
    kept = data.open(data.export(cut, tmp_path / "store"))
    assert kept.fps == 10
    for name in ("clip", "source_clip", "first_frame"):
        assert kept.column(name).tolist() == cut.column(name).tolist()
    for a, b in zip(kept, cut, strict=True):
        np.testing.assert_array_equal(a.joints[:, : b.joints.shape[1]], b.joints)


def test_lengths_that_are_none_are_refused():
    store = recordings()
    for arguments, says in (
        (dict(seconds=1), "no frame rate is known"),
        (dict(seconds=0.01, fps=10), "under a frame"),
        (dict(seconds=1, stride=0, fps=10), "under a frame"),
    ):
        with pytest.raises(DataError, match=says):
            data.windows(store, **arguments)
