import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.skeleton import COCO, KINECT_V1


def padded(store, frames=300, people=2):
    x = np.zeros((len(store), 3, frames, len(store.skeleton), people), np.float32)
    for i, clip in enumerate(store):
        t, m = clip.joints.shape[:2]
        x[i, :, :t, :, :m] = clip.joints.transpose(3, 0, 2, 1)
    return x


def test_clips_come_back_without_their_tail(tmp_path, synthetic, monkeypatch):
    from slimlab.data import arrays

    monkeypatch.setattr(arrays, "BYTES_AT_A_TIME", 4 * 300_000)
    some = synthetic[:10]
    x = padded(some, 500)
    np.save(tmp_path / "x.npy", x)
    about = {"labels": some.labels, "subjects": some.column("subject"), "names": some.column("clip")}
    stores = (data.from_arrays(x, **about, label_names=some.label_names), data.open(tmp_path / "x.npy"))
    for store in stores:
        for a, b in zip(store, some, strict=True):
            np.testing.assert_array_equal(a.joints, b.joints)
    assert stores[0].fingerprint == some.fingerprint and stores[1].labels.tolist() == [-1] * 10
    assert len(data.from_arrays(x[0])) == 1
    with pytest.raises(DataError, match=r"\(10,\) entries of 'label' for 3 clips"):
        data.from_arrays(x[:3], labels=some.labels)


def test_bodies_are_settled_or_asked_for(tmp_path):
    assert data.from_arrays(np.ones((2, 3, 4, 20, 1))).skeleton == KINECT_V1
    assert data.from_arrays(np.ones((2, 3, 4, 17, 1)), skeleton=COCO).skeleton == COCO
    for shape, says in (((2, 3, 4, 17, 1), "not settled"), ((2, 2, 4, 25, 1), "transpose"), ((0, 3, 4, 25, 1), "transpose")):
        with pytest.raises(DataError, match=says):
            data.from_arrays(np.ones(shape))
    np.save(tmp_path / "x.npy", np.array([{}], dtype=object))
    with pytest.raises(DataError, match="without pickled objects"):
        data.open(tmp_path / "x.npy")
