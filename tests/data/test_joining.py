import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.data.store import ClipStore
from slimlab.skeleton import KINECT_V1


@pytest.fixture(scope="module")
def two():
    return data.synthetic(clips=24, seed=0), data.varied(clips=9, seed=1, subjects=3)


def same(a, b):
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("joints", "valid", "seen")) and a.name == b.name


def test_every_clip_is_there_as_it_was(two):
    both = data.join(two)
    assert len(both) == 33 and both.max_people == 2 and both.has_unseen == two[1].has_unseen
    assert all(same(a, b) for a, b in zip(both, [*two[0], *two[1]], strict=True))
    assert both.column("digest").tolist() == [d for store in two for d in store.column("digest")]
    part = data.join([two[1][[8, 0]], two[0][5:7]])
    assert all(same(a, b) for a, b in zip(part, [two[1][8], two[1][0], two[0][5], two[0][6]], strict=True))
    assert data.join([two[0]]).fingerprint == two[0].fingerprint


def test_classes_of_one_name_are_one_class(two):
    head, tail = two[0][:10], two[0][10:]
    tail = ClipStore(
        tail.arrays, tail.table.assign(label=21 - tail.labels), tail.skeleton, two[0].label_names[::-1], clips=tail.clips
    )
    both = data.join([head, tail])
    assert both.label_names == two[0].label_names and both.labels.tolist() == two[0].labels.tolist()
    unlabeled = ClipStore(tail.arrays, tail.table.assign(label=-1), tail.skeleton, clips=tail.clips)
    assert data.join([head, unlabeled]).labels[10:].tolist() == [-1] * 14


def test_a_recording_is_known_again_on_another_body(two):
    """What was trained on is found by the recording's digest, whatever joints were left out of it."""
    fewer = [data.on_body(store, KINECT_V1) for store in two]
    joined = data.join(fewer)
    assert joined.recordings().tolist() == [d for store in two for d in store.recordings()]
    assert data.join([fewer[0]])[:5].recordings().tolist() == two[0][:5].recordings().tolist()


def test_columns_that_one_store_lacks_are_left_out():
    people = data.ui_prmd()[:3]
    plain = ClipStore(people.arrays, people.table.drop(columns=["exercise", "correct"]), people.skeleton, clips=people.clips)
    plain.table["clip"] = ["a", "b", "c"]
    assert "exercise" in data.join([people]).table and "exercise" not in data.join([people, plain]).table


def test_windows_keep_their_frames(two):
    cut = data.windows(two[0][:3], 16, 8)
    assert all(same(a, b) for a, b in zip(data.join([two[1], cut])[9:], cut, strict=True))


def test_what_does_not_fit_is_named(two):
    with pytest.raises(DataError, match=r"clip '.*' is in synthetic\(.* and in synthetic\("):
        data.join([two[0], two[0][:1]])
    with pytest.raises(DataError, match="is in"):
        data.join([two[0], two[0]])
    with pytest.raises(DataError, match="has another body than synthetic"):
        data.join([two[0], data.ui_prmd()[:2]])
    with pytest.raises(DataError, match="give at least one"):
        data.join([])


def test_a_clip_without_anybody_stays(two):
    empty = two[0].table.iloc[:2].assign(people=0, frames=0)
    arrays = type(two[0].arrays)(two[0].arrays.joints[:0], two[0].arrays.frames[:0], np.zeros((0, 4), np.int64), None, clips=2)
    nobody = ClipStore(arrays, empty, two[0].skeleton, two[0].label_names, source="nobody")
    assert len(data.join([nobody])) == 2
    both = data.join([nobody, two[1]])
    assert len(both) == 11 and same(both[2], two[1][0]) and not both[0].valid.any()


def test_clips_one_after_another_keep_bodies_and_places(two):
    for store in two:
        chosen = [5, 2, 7, 2]
        whole, parts = data.concatenate(store, chosen)
        long, root = whole[0], store.skeleton.root
        assert len(whole) == 1 and whole.fps == store.fps and parts["clip"].tolist() == store.column("clip")[chosen].tolist()
        assert parts["label"].tolist() == store.labels[chosen].tolist()
        assert len(long.joints) == parts["frames"].sum() == parts["end"].iloc[-1] * store.fps
        for index, part in zip(chosen, parts.itertuples(), strict=True):
            clip, cut = store[index], slice(part.first_frame, part.first_frame + part.frames)
            people = clip.joints.shape[1]
            assert np.array_equal(long.seen[cut, :people], clip.seen) and np.array_equal(long.valid[cut, :people], clip.valid)
            assert not long.valid[cut, people:].any() and not long.joints[cut][~long.seen[cut]].any()
            moved = (long.joints[cut, :people] - clip.joints)[clip.seen]
            np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-5)
            assert abs(moved[:, 1]).max() < 1e-6
            if part.first_frame:  # no jump
                seam = long.joints[part.first_frame - 1 : part.first_frame + 1, 0, root]
                if long.seen[part.first_frame - 1 : part.first_frame + 1, 0, root].all():
                    np.testing.assert_allclose(seam[0, [0, 2]], seam[1, [0, 2]], atol=1e-5)
        cut = data.windows(whole, 1.0, 0.5, 30)
        assert np.array_equal(cut[3].joints, long.joints[45:75, : cut[3].joints.shape[1]])
    with pytest.raises(DataError, match="no clips"):
        data.concatenate(two[0], [])
