"""Real files of pose estimators, beside the shared data: the values that independent parsers found in them."""

import shutil

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.data.readers.pickles import Pickle
from slimlab.skeleton import H36M, KINECT_V2, OPENPOSE_25


def near(x, expected):
    np.testing.assert_allclose(x, expected, rtol=1e-5, atol=1e-6)


def test_kinect_dump_without_header(cases):
    store = data.open(cases / "03_kinect2_noheader_csv")
    file = data.open(cases / "03_kinect2_noheader_csv" / "Ges01_wavehand.csv")
    assert store.skeleton == KINECT_V2 and len(store) == 1 and store.fps == pytest.approx(30, rel=0.02)
    for clip in (store[0], file[0]):
        assert clip.joints.shape == (154, 1, 25, 3)
        near(clip.joints[0, 0, [0, 3]], [[0.0111604, -0.367822, 2.69467], [-0.0044746, 0.38078, 2.6453]])
        near(clip.joints[-1, 0, 24], [0.16679, -0.351394, 2.60687])
    assert "zero-joints" not in store.table["flags"][0]


def test_mediapipe_wide_table_in_capitals(cases):
    store = data.open(cases / "05_mediapipe_karate_wide" / "YX_DS07.csv")
    names, x = store.skeleton.names, store[0].joints
    assert x.shape == (1312, 1, 25, 3) and store.fps == pytest.approx(60, rel=0.01)
    np.testing.assert_allclose(x[0, 0, names.index("right_hip")], [1.4367, 0.6869, 4.0318], atol=6e-5)
    np.testing.assert_allclose(x[0, 0, names.index("nose")], [1.5750, 1.2787, 3.9440], atol=6e-5)
    np.testing.assert_allclose(x[-1, 0, names.index("left_thumb")], [1.3797, 1.1042, 4.9583], atol=6e-5)
    assert ("right_hip", "right_knee") in [(names[a], names[b]) for a, b in store.skeleton.bones]


def test_deeplabcut_three_header_rows(cases):
    path = cases / "07_deeplabcut_csv" / "DLC_sample_tracks.csv"
    store = data.open(path, unit=1)
    assert store.skeleton.names == ("head", "stinger") and store.skeleton.mirror == ()
    assert len(store[0].joints) == 1085 and "2d" in store.table["flags"][0].split()
    rows = np.genfromtxt(path, delimiter=",", skip_header=3)[:, 1:].reshape(-1, 2, 3)
    seen = (rows[..., 2] >= 0.3) & rows[..., :2].any(axis=2)
    expected = np.where(seen[..., None], rows[..., :2] * [1, -1], 0)
    np.testing.assert_allclose(store[0].joints[:, 0, :, :2], expected, rtol=1e-5)
    assert not seen[0].any() and not seen[-1].any()  # .053 and .074; the last is all zero


def test_motionbert(cases):
    store = data.open(cases / "12_motionbert_x3d" / "X3D.npy")
    x = store[0].joints
    assert store.skeleton == H36M and x.shape == (434, 1, 17, 3)
    near(x[0, 0, 0, :2], [-0.2722724, -0.1682579])
    np.testing.assert_allclose([x[0, 0, 10, 1], x[0, 0, 3, 1]], [0.5795, -0.991], atol=1e-3)
    near(x[-1, 0, 16], [0.591797, -0.52663153, 0.17283389])  # y and z change their sign: left stays left
    assert any(n.startswith("up: -y") for n in store.notes)


def test_openpose_folder(cases):
    store = data.open(cases / "15_openpose_json_folder", unit=1)
    assert store.skeleton == OPENPOSE_25 and len(store) == 1 and store.table["people"][0] == 1
    clip = store[0]
    assert len(clip.joints) == 32 and np.flatnonzero(clip.valid[:, 0]).tolist() == [0, 31]
    near(clip.joints[0, 0, 0], [462.888, -697.884, 0])
    assert not clip.joints[0, 0, 3].any() and not clip.joints[0, 0, 9].any()  # a score of .227, and 0 0 0
    assert {"2d", "zero-joints"} <= {*store.table["flags"][0].split()}


def test_kinetics_400_without_key_points(cases):
    with pytest.raises(DataError, match=r"Kinetics-400.*kpfiles") as caught:
        data.open(cases / "21_kinetics400_pkl" / "k400_sample.pkl")
    assert "download it again" not in str(caught.value)


def test_triples_with_windows_paths(cases, tmp_path):
    shutil.copy(cases / "24_windows_label_pkl" / "train_label.pkl", tmp_path)
    _, labels, lengths = Pickle(tmp_path / "train_label.pkl").load()  # never executed
    x = np.random.default_rng(0).normal(size=(66, 3, max(lengths), 25, 1)).astype(np.float32)
    x *= (np.arange(max(lengths)) < np.array(lengths)[:, None])[:, None, :, None, None]
    np.save(tmp_path / "train_data.npy", x)
    store = data.open(tmp_path)
    assert store.table["clip"][0] == "S001C002P001R001A001" and store.column("subject").tolist() == [1] * 66
    assert store.column("label").tolist() == labels and store.table["frames"].tolist() == lengths
