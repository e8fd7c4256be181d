import pickle
from pathlib import Path

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
    from slimlab.data.readers import arrays

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


def st_gcn(folder, clips, data_name="train_data.npy"):
    x = padded(clips, int(clips.column("frames").max()) + 3)
    folder.mkdir(exist_ok=True)
    np.save(folder / data_name, x)
    names = [f"{n}.skeleton" for n in clips.column("clip")]
    label_file = folder / f"{data_name.split('_')[0]}_label.pkl"
    label_file.write_bytes(pickle.dumps((names, [int(v) for v in clips.labels])))
    return folder / data_name


@pytest.mark.parametrize("data_name", ["train_data.npy", "train_data_joint.npy"])
def test_an_array_finds_its_labels(tmp_path, synthetic, data_name):
    some = synthetic[:8]
    store = data.open(st_gcn(tmp_path / "ntu", some, data_name))
    for column in ("clip", "label", "subject", "camera", "setup", "frames", "people"):
        assert store.table[column].tolist() == some.table[column].tolist(), column
    assert store.table["label_name"][0] == "drink water"  # NTU's, as names and labels agree
    for a, b in zip(store, some, strict=True):
        np.testing.assert_array_equal(a.joints, b.joints)


def test_a_folder_has_two_sides(tmp_path, synthetic):
    st_gcn(tmp_path / "ntu", synthetic[:8], "train_data_joint.npy")
    st_gcn(tmp_path / "ntu", synthetic[8:13], "val_data_joint.npy")
    np.save(tmp_path / "ntu" / "train_data_bone.npy", np.zeros(3))  # follows from the joints; not read
    train, test = data.split(data.open(tmp_path / "ntu"), "file", allow="subjects")
    assert (len(train), len(test)) == (8, 5) and test.column("clip").tolist() == synthetic.column("clip")[8:13].tolist()
    assert data.convert(tmp_path / "ntu", tmp_path / "store").fingerprint == data.open(tmp_path / "ntu").fingerprint
    st_gcn(tmp_path / "ntu", synthetic[:8], "train_data.npy")
    with pytest.raises(DataError, match="give a folder with one of"):
        data.open(tmp_path / "ntu")


@pytest.mark.parametrize(
    "content, says",
    [
        ((["a", "b"], [0]), "equally long"),
        (["a", "b", "c"], "pair"),
        ((["a", 5], [0, 1]), "pair"),
        ((["a", "b"], [0, "x"]), "pair"),
        ((["a", "b"], [0, 10**9]), "pair"),
        ((["a"], [0]), "entries of 'clip' for 2 clips"),
        (Path("/"), "pickle"),
    ],
)
def test_labels_that_do_not_fit_are_named(tmp_path, synthetic, content, says):
    file = st_gcn(tmp_path / "ntu", synthetic[:2])
    (tmp_path / "ntu" / "train_label.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match=says):
        data.open(file)
    (tmp_path / "ntu" / "train_label.pkl").write_bytes(pickle.dumps((["a", "b"], np.array([3, 1]))))
    assert data.open(file).labels.tolist() == [3, 1]
