"""`open` and `convert`: every format gives the clips that went in, every bad file one clear error, nothing half-written."""

import json
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError, writing
from slimlab.skeleton import KINECT_V1, KINECT_V2
from tests.conftest import counting_clip, make_store
from tests.systems import kills, limits


def same(a, b):
    assert a.fingerprint == b.fingerprint and len(a) == len(b) and a.skeleton == b.skeleton
    assert a.label_names == b.label_names
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.joints, y.joints)
        np.testing.assert_array_equal(x.valid, y.valid)


@pytest.fixture
def ragged(tmp_path, synthetic):
    path = tmp_path / "clips.npz"
    data.save_ragged(synthetic[:24], path)
    return path


def arrays(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_ragged_round_trip(ragged, synthetic):
    store = data.open(ragged)
    same(store, synthetic[:24])
    for column in ("label", "label_name", "subject", "camera", "frames", "people"):
        assert store.table[column].tolist() == synthetic[:24].table[column].tolist()
    assert store.fps == synthetic.fps


def test_a_converted_store_is_the_file(ragged, tmp_path):
    store = data.convert(ragged, tmp_path / "store")
    same(store, data.open(ragged))
    same(data.open(tmp_path / "store"), store)
    assert isinstance(store.arrays.joints, np.memmap)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clips.npz", "store"]  # nothing beside it


def test_half_precision_is_close(ragged, tmp_path):
    half = data.convert(ragged, tmp_path / "half", dtype="float16")
    assert half[3].joints.dtype == np.float32 and half.arrays.joints.dtype == np.float16
    np.testing.assert_allclose(half[3].joints, data.open(ragged)[3].joints, atol=2e-3)
    with pytest.raises(DataError, match="float32 or float16"):
        data.convert(ragged, tmp_path / "x", dtype="int8")


def test_one_person_may_leave_the_people_axis_out(tmp_path):
    store = make_store([counting_clip(4), counting_clip(7)], label=[0, 1])
    data.save_ragged(store, tmp_path / "one.npz")
    assert arrays(tmp_path / "one.npz")["joints"].shape == (11, 25, 3)
    assert data.open(tmp_path / "one.npz")[1].joints.shape == (7, 1, 25, 3)


def test_unknown_keys_are_ignored(ragged):
    np.savez(ragged, **arrays(ragged), remark=np.array(["anything"]))
    assert len(data.open(ragged)) == 24


def write_mat(folder, name, d_skel):
    from scipy.io import savemat

    folder.mkdir(exist_ok=True)
    savemat(folder / name, {"d_skel": d_skel})


def test_utd_mhad_folder(tmp_path):
    rng = np.random.default_rng(0)
    clips = {
        (3, 2, 1): rng.normal(size=(20, 3, 50)),
        (27, 8, 4): rng.normal(size=(20, 3, 33)),
        (3, 1, 1): rng.normal(size=(20, 3, 41)),
    }
    for (a, s, t), x in clips.items():
        write_mat(tmp_path / "Skeleton", f"a{a}_s{s}_t{t}_skeleton.mat", x)
    store = data.open(tmp_path / "Skeleton")
    assert store.table["clip"].tolist() == ["a3_s1_t1_skeleton", "a3_s2_t1_skeleton", "a27_s8_t4_skeleton"]
    assert store.table["label_name"].tolist() == ["wave", "wave", "squat"] and store.table["subject"].tolist() == [1, 2, 8]
    np.testing.assert_allclose(store[2].joints[:, 0], clips[27, 8, 4].transpose(2, 0, 1), rtol=1e-6)
    same(data.convert(tmp_path / "Skeleton", tmp_path / "store"), store)
    same(data.open(tmp_path, "utd-mhad"), store)  # the folder above will do
    with zipfile.ZipFile(tmp_path / "UTD-MHAD.zip", "w") as z:
        for file in (tmp_path / "Skeleton").iterdir():
            z.write(file, f"Skeleton/{file.name}")
    same(data.open(tmp_path / "UTD-MHAD.zip"), store)


def test_a_real_mat_file_is_the_ragged_clip(real_data, utd):
    store = data.open(real_data / "raw_samples" / "utdmhad_a1_s1_t1_skeleton.mat")
    assert store.table["subject"].tolist() == [1] and store.table["label_name"].tolist() == ["swipe left"]
    like = [i for i in range(len(utd)) if utd.table["subject"][i] == 1 and utd.table["label"][i] == 0]
    assert any(
        utd[i].joints.shape == store[0].joints.shape and np.allclose(utd[i].joints, store[0].joints, atol=1e-5) for i in like
    )
    assert len(store.skeleton) == len(KINECT_V1) and set(store.skeleton.parts) == set(KINECT_V1.parts)


@pytest.fixture
def ntu(tmp_path, synthetic):
    """Two people x 25 joints in 60 frames, zero-padded, as the benchmark's file has it."""
    x = np.zeros((10, 500, 2, 25, 3), np.float32)
    for i in range(10):
        clip = synthetic[i * 3]
        x[i, : len(clip.joints), : clip.joints.shape[1]] = clip.joints
    y = np.eye(22, dtype=np.float64)[synthetic.labels[:30:3]]
    path = tmp_path / "ntu.npz"
    flat = x.reshape(10, 500, 150)
    np.savez(path, x_train=flat[:6], y_train=y[:6], x_test=flat[6:], y_test=y[6:])
    return path


def test_ntu_npz(ntu, synthetic, monkeypatch):
    from slimlab.data.readers import ntu_npz

    monkeypatch.setattr(ntu_npz, "CLIPS_AT_A_TIME", 4)  # several blocks
    store = data.open(ntu)
    train, test = data.split(store, "file")
    assert (len(train), len(test)) == (6, 4) and store.skeleton == KINECT_V2
    for i in range(10):
        np.testing.assert_array_equal(store[i].joints, synthetic[i * 3].joints)
    assert store.labels.tolist() == synthetic.labels[:30:3].tolist()


def test_ntu_npz_written_and_read_again(tmp_path, synthetic):
    sides = data.split(synthetic[:66], "cross-subject")
    data.save_ntu_npz(*sides, tmp_path / "again.npz")
    with np.load(tmp_path / "again.npz") as file:
        assert file["x_train"].shape == (len(sides[0]), 300, 150) and file["y_test"].shape == (len(sides[1]), 22)
    for side, read in zip(sides, data.split(data.open(tmp_path / "again.npz"), "file"), strict=True):
        assert read.labels.tolist() == side.labels.tolist()
        for a, b in zip(side, read, strict=True):
            np.testing.assert_array_equal(a.joints, b.joints)
    with pytest.raises(DataError, match="Kinect v2"):
        data.save_ntu_npz(*(data.on_body(side, KINECT_V1) for side in sides), tmp_path / "no.npz")
    long = make_store([counting_clip(301)], label=[0], label_name=["a"])
    with pytest.raises(DataError, match="'clip0' has 301 frames, more than 300"):
        data.save_ntu_npz(long, long, tmp_path / "no.npz")
    assert not (tmp_path / "no.npz").exists()


def test_ntu_labels_must_be_one_hot(ntu):
    a = arrays(ntu)
    a["y_test"][2, 3] = 1 - a["y_test"][2, 3]
    np.savez(ntu, **a)
    with pytest.raises(DataError, match=r"y_test\[2\] is not one-hot"):
        data.open(ntu)


class Trap:
    """What a hostile pickle does when it is loaded."""

    def __reduce__(self):
        return (os._exit, (3,))


def damage(kind, path):
    a = arrays(path)
    if kind == "truncated":
        path.write_bytes(path.read_bytes()[:-20_000])
    elif kind == "not a zip":
        path.write_bytes(b"PK\x03\x04" + b"no" * 500)
    elif kind == "empty file":
        path.write_bytes(b"")
    elif kind == "flipped bytes":
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        path.write_bytes(bytes(raw))
    elif kind == "pickled array":
        np.savez(path, **{**a, "joints": np.array([Trap()], dtype=object)})
    elif kind == "pickled extra":
        np.savez(path, **a, extra=np.array([Trap()], dtype=object))
    elif kind == "absurd shape":
        with zipfile.ZipFile(path, "w") as z:
            for name, value in a.items():
                with z.open(f"{name}.npy", "w") as f:
                    if name == "joints":
                        header = {"descr": "<f4", "fortran_order": False, "shape": (2**62, 25, 3)}
                        np.lib.format.write_array_header_1_0(f, header)
                    else:
                        np.lib.format.write_array(f, value)
    elif kind == "wrong joint count":
        np.savez(path, **{**a, "joint_names": a["joint_names"][:-1]})
    elif kind == "no tree":
        np.savez(path, **{**a, "parents": np.roll(np.arange(25), 1)})
    elif kind == "two coordinates":
        np.savez(path, **{**a, "joints": a["joints"][..., :2]})
    elif kind == "text for joints":
        np.savez(path, **{**a, "joints": a["joints"].astype("U8")})
    elif kind == "offsets fall":
        np.savez(path, **{**a, "frame_offsets": a["frame_offsets"][::-1]})
    elif kind == "offsets end early":
        np.savez(path, **{**a, "frame_offsets": a["frame_offsets"][:-1], "labels": a["labels"][:-1]})
    elif kind == "labels too few":
        np.savez(path, **{**a, "labels": a["labels"][:-1]})
    elif kind == "label without a name":
        np.savez(path, **{**a, "labels": a["labels"] + 20})
    elif kind == "no parents":
        a.pop("parents")
        np.savez(path, **a)
    elif kind == "other arrays":
        np.savez(path, a=np.zeros(3))
    elif kind == "NaN":
        a["joints"][17, 0, 2] = np.nan
        np.savez(path, **a)
    elif kind == "no text":
        raw = bytearray(a["clip_names"].tobytes())
        raw[8:12] = b"\xff\xff\xff\x7f"
        np.savez(path, **{**a, "clip_names": np.frombuffer(bytes(raw), a["clip_names"].dtype)})
    elif kind == "duplicate names":
        a["clip_names"][4] = a["clip_names"][0]
        np.savez(path, **a)


KINDS = {
    "truncated": "write it again",
    "not a zip": "write it again",
    "empty file": "write it again",
    "flipped bytes": "write the file again",
    "pickled array": "never unpickles",
    "pickled extra": "never unpickles",
    "absurd shape": "truncated or damaged",
    "wrong joint count": "joint_names",
    "no tree": "joint",
    "two coordinates": "joint positions",
    "text for joints": "joint positions",
    "offsets fall": "frame_offsets must rise",
    "offsets end early": "frame_offsets must rise",
    "labels too few": "'labels'",
    "label without a name": "label names",
    "no parents": "'parents' is missing",
    "other arrays": "slimlab reads",
    "NaN": "not a number",
    "no text": "no text",
    "duplicate names": "both called",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_bad_file_gets_one_error_and_leaves_nothing(kind, ragged, tmp_path):
    damage(kind, ragged)
    for use in (lambda: data.open(ragged), lambda: data.convert(ragged, tmp_path / "store")):
        with pytest.raises(DataError) as caught:
            use()
        assert str(ragged) in str(caught.value) and KINDS[kind] in str(caught.value), caught.value
        assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["clips.npz"]


@pytest.mark.parametrize("shape, says", [((21, 3, 40), "should be (20, 3, frames)"), ((20, 4, 40), "should be (20, 3, frames)")])
def test_a_wrong_mat_file_is_named(tmp_path, shape, says):
    write_mat(tmp_path / "S", "a1_s1_t1_skeleton.mat", np.ones(shape))
    with pytest.raises(DataError) as caught:
        data.open(tmp_path / "S")
    assert "a1_s1_t1_skeleton.mat" in str(caught.value) and says in str(caught.value)


def test_a_damaged_mat_file_and_a_strange_name_are_named(tmp_path):
    (tmp_path / "a1_s1_t1_skeleton.mat").write_bytes(b"MATLAB 5.0" + b"\0" * 200)
    with pytest.raises(DataError, match="download it again"):
        data.open(tmp_path)
    (tmp_path / "x_skeleton.mat").write_bytes(b"")
    with pytest.raises(DataError, match="name is not like"):
        data.open(tmp_path)


def test_what_is_no_data_gets_a_list_of_what_is(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path / "notes.txt", tmp_path):
        with pytest.raises(DataError, match="UTD-MHAD"):
            data.open(path)
    with pytest.raises(DataError, match=r"absent: no such file or folder, seen from .*; data/README.md says what can be read"):
        data.open(tmp_path / "absent")
    with pytest.raises(DataError, match="format 'fbx' is unknown; choose one of"):
        data.open(tmp_path / "notes.txt", format="fbx")


def test_an_existing_destination_is_kept(ragged, tmp_path):
    (tmp_path / "store").mkdir()
    with pytest.raises(DataError, match="exists already"):
        data.convert(ragged, tmp_path / "store")


@limits
@pytest.mark.integration
def test_disk_full_leaves_nothing(ragged, tmp_path):
    """A real ENOSPC-like failure: the process may write no file beyond 100 kB."""
    code = (
        "import resource, signal, sys; from slimlab import data\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: data.convert(sys.argv[1], sys.argv[2])\n"
        "except data.DataError as e: print(e)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, ragged, tmp_path / "store"], capture_output=True, text=True)
    assert "writing failed (File too large); nothing was left behind" in done.stdout, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["clips.npz"]


def test_a_folder_that_cannot_be_written_is_named(ragged, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        data.convert(ragged, tmp_path / "file" / "store")


def test_what_a_store_or_a_note_says_is_on_the_disk_before_it_is_said(ragged, tmp_path, monkeypatch):
    """Every file is flushed as it is when it, or the folder it lies in, gets its name: a power failure leaves no half of one."""
    flushed, named, flush, rename = {}, [], os.fsync, os.replace

    def fsync(handle):
        flush(handle)
        about = os.fstat(handle)
        flushed[about.st_ino] = about.st_size

    def replace(source, target):
        source = tmp_path / source
        for file in source.iterdir() if source.is_dir() else [source]:
            assert flushed.get(file.stat().st_ino) == file.stat().st_size, file
        named.append(source.name)
        rename(source, target)

    monkeypatch.setattr(writing, "SECONDS", -1)  # a note after every block
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    data.convert(ragged, tmp_path / "store", progress=False)
    assert named == ["progress.new"] * (len(named) - 1) + [".store.part"] and len(named) > 1


@kills
@pytest.mark.integration
def test_a_killed_conversion_leaves_no_store(ragged, tmp_path):
    """SIGKILL while the arrays are being written: the destination is not there, and a second try succeeds."""
    code = (
        "import os, signal, sys; from slimlab import data; from slimlab.data import writing\n"
        "writing.check_names = lambda *a: os.kill(os.getpid(), signal.SIGKILL)\n"
        "data.convert(sys.argv[1], sys.argv[2])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, ragged, tmp_path / "store"], capture_output=True)
    assert done.returncode == -signal.SIGKILL and not (tmp_path / "store").exists()
    same(data.convert(ragged, tmp_path / "store"), data.open(ragged))


@pytest.mark.parametrize("name", ["joints.npy", "frames.npy", "tracks.npy", "table.parquet", "store.json"])
def test_a_damaged_store_is_refused(ragged, tmp_path, name):
    data.convert(ragged, tmp_path / "store")
    file = tmp_path / "store" / name
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DataError, match="damaged store"):
        data.open(tmp_path / "store")
    file.unlink()
    with pytest.raises(DataError):
        data.open(tmp_path / "store")


def test_a_store_of_the_future_is_refused(ragged, tmp_path):
    data.convert(ragged, tmp_path / "store")
    about = json.loads((tmp_path / "store" / "store.json").read_text())
    (tmp_path / "store" / "store.json").write_text(json.dumps(about | {"version": writing.VERSION + 1}))
    with pytest.raises(DataError, match="this slimlab reads 1"):
        data.open(tmp_path / "store")
