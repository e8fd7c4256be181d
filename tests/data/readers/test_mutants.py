"""Whatever happens to a file's bytes: it opens as sound clips, or there is one DataError; nothing else, for every reader."""

import io
import pickle
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from slimlab import data
from slimlab.data import DataError
from tests.data.readers import test_bvh, test_pku_mmd, test_pyskl, test_ucla
from tests.data.readers.mutation import check_mutants
from tests.data.readers.writers import skeleton_text
from tests.systems import limits

RNG = np.random.default_rng(0)
NAME = "S001C002P003R002A013"


def ragged(folder, few):
    return data.export(few, folder / "clips.npz")


def ragged_compressed(folder, few):
    data.export(few, folder / "plain.npz")
    with np.load(folder / "plain.npz") as file:
        np.savez_compressed(folder / "clips.npz", **file)
    return folder / "clips.npz"


def ntu_npz(folder, few):
    x, y = RNG.normal(size=(2, 9, 150)).astype(np.float32), np.eye(3)[[0, 1]]
    np.savez(folder / "ntu.npz", x_train=x, y_train=y, x_test=x + 1, y_test=y)
    return folder / "ntu.npz"


def skeleton(folder, few):
    bodies = [(1, {t: few[0].joints[t, 0] for t in range(4)}), (2, {t: few[1].joints[t, 0] for t in range(2)})]
    (folder / f"{NAME}.skeleton").write_text(skeleton_text(bodies, 4))
    return folder / f"{NAME}.skeleton"


def skeleton_zip(folder, few):
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as z:
        z.write(skeleton(folder, few), f"{NAME}.skeleton")
    return folder / "a.zip"


def pyskl(protocol):
    def write(folder, few):
        entries = [test_pyskl.annotation(c) | {"keypoint": c.joints[:2].transpose(1, 0, 2, 3)} for c in few]
        names = list(few.column("clip"))
        return test_pyskl.written(folder, {"annotations": entries, "split": {"train": names[:1], "val": names[1:]}}, protocol)

    return write


def ucla(folder, few):
    test_ucla.write(folder, "a01_s01_e00_v01", RNG.normal(size=(3, 20, 3)))
    return folder / "a01_s01_e00_v01.json"


def utd_mhad(folder, few):
    savemat(folder / "a1_s1_t1_skeleton.mat", {"d_skel": RNG.normal(size=(20, 3, 30))})
    return folder / "a1_s1_t1_skeleton.mat"


def pku_mmd(folder, few):
    test_pku_mmd.write(folder / "pku", "0002-L", RNG.normal(size=(6, 2, 25, 3)), [(3, 0, 2), (7, 2, 6)])
    return folder / "pku"


def bvh(folder, few):
    return test_bvh.write(folder / "a.bvh")


def csv_wide(folder, few):
    return data.export(few[:1], folder / "wide.csv", long=False)


def csv_long(folder, few):
    return data.export(few[:1], folder / "long.csv", long=True)


def npy(folder, few):
    np.save(folder / "x.npy", RNG.normal(size=(1, 3, 4, 20, 1)).astype(np.float32))
    return folder / "x.npy"


def st_gcn(folder, few):
    (folder / "ntu").mkdir()
    for side in ("train", "val"):
        np.save(folder / "ntu" / f"{side}_data.npy", RNG.normal(size=(2, 3, 4, 25, 2)).astype(np.float32))
        names = [
            f"S001C001P00{i}R001A00{i}{'.skeleton' if side == 'train' else ''}" for i in ((1, 2) if side == "train" else (3, 4))
        ]
        (folder / "ntu" / f"{side}_label.pkl").write_bytes(pickle.dumps((names, [int(n[19]) - 1 for n in names]), 2))
    return folder / "ntu"


def store(folder, few):
    return data.export(few, folder / "store")


# name -> (writer, the least part that is refused: bytes of float arrays are mostly sound whatever they are)
READERS = {
    "ragged": (ragged, 0.1),
    "ragged, compressed": (ragged_compressed, 0.2),
    "ntu-npz": (ntu_npz, 0.2),
    "ntu-skeleton": (skeleton, 0.2),
    "ntu-skeleton, zipped": (skeleton_zip, 0.2),
    "pyskl, protocol 2": (pyskl(2), 0.1),
    "pyskl, protocol 4": (pyskl(4), 0.1),
    "ucla": (ucla, 0.2),
    "utd-mhad": (utd_mhad, 0.05),
    "pku-mmd": (pku_mmd, 0.2),
    "bvh": (bvh, 0.2),
    "csv, wide": (csv_wide, 0.1),
    "csv, long": (csv_long, 0.1),
    "npy": (npy, 0.05),
    "npy and label.pkl": (st_gcn, 0.1),
    "store": (store, 0.1),
}


@pytest.fixture(scope="module")
def few():
    """Two clips of a few frames."""
    return data.clean.smooth(
        data.from_arrays(np.stack([c.joints[:5, :1].transpose(3, 0, 2, 1) for c in data.synthetic(4)])[:2]), 1
    )


@pytest.mark.parametrize("count", [100, pytest.param(10_000, marks=pytest.mark.full)])
@pytest.mark.parametrize("reader", READERS)
def test_mutants_are_read_or_refused(reader, count, tmp_path, few):
    write, least = READERS[reader]
    check_mutants(write(tmp_path, few), count, least=least)


@limits
@pytest.mark.full
def test_bombs_are_refused_in_bounded_memory(tmp_path):
    """Small files that unpack to, or speak of, far more: each one DataError, within 1 GB beyond what the process had."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("bombs.py"), tmp_path], capture_output=True, text=True, timeout=900
    )
    print(done.stdout)
    assert done.returncode == 0 and "bounded" in done.stdout and "READ" not in done.stdout, done.stdout + done.stderr[-2000:]


def test_numpy_says_nothing_of_what_is_read_or_refused(tmp_path):
    """A header as Python 2 wrote it is read, one with an unknown escape is refused, and so is a number beyond float32."""
    file = io.BytesIO()
    np.save(file, np.zeros((2, 3, 30, 25, 1), dtype=np.float32))
    sound = file.getvalue()
    (tmp_path / "old.npy").write_bytes(sound.replace(b"(2, 3, 30,", b"(2L,3, 30,"))
    (tmp_path / "damaged.npy").write_bytes(sound.replace(b"'shape'", rb"'sh\:e'"))
    huge = np.zeros((2, 3, 30, 25, 1))
    huge[0, 0, 3, 5] = 1e200
    np.save(tmp_path / "huge.npy", huge)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(data.open(tmp_path / "old.npy")) == 2
        with pytest.raises(DataError, match=r"damaged\.npy: no readable \.npy file"):
            data.open(tmp_path / "damaged.npy")
        with pytest.raises(DataError, match=r"huge\.npy"):
            data.open(tmp_path / "huge.npy")
        with pytest.raises(DataError, match=r"damaged\.npy: no readable \.npy file"):
            data.convert(tmp_path / "damaged.npy", tmp_path / "store")
