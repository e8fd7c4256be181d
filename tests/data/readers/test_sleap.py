"""SLEAP's analysis files, written with h5py in its layout, and what else is called `.h5`."""

import sys

import numpy as np
import pytest

from slimlab import data
from slimlab._extras import MissingExtra
from slimlab.data import DataError

h5py = pytest.importorskip("h5py")
RNG = np.random.default_rng(0)
NAMES = ["nose", "ear_left", "ear_right", "tail"]


def write(path, frames=6, people=2, names=NAMES, scores=True):
    """The file, its tracks (people, 2, points, frames) and scores; the second animal comes late, one point has a low score."""
    tracks = RNG.uniform(50, 900, size=(people, 2, len(names), frames))
    tracks[1:, :, :, :2] = np.nan
    tracks[0, :, -1, 1] = np.nan
    score = np.where(np.isnan(tracks[:, 0]), np.nan, 0.9)
    score[0, -2, 4] = 0.1
    with h5py.File(path, "w") as file:
        file.create_dataset("tracks", data=tracks, compression="gzip")
        file["node_names"] = [n.encode() for n in names]
        file["track_names"] = [f"track_{i}".encode() for i in range(people)]
        file["track_occupancy"] = (~np.isnan(tracks).all(axis=(1, 2))).astype(np.uint8).T
        if scores:
            file.create_dataset("point_scores", data=score, compression="gzip")
    return path, tracks, score


@pytest.mark.parametrize("scores", [True, False])
def test_animals_points_and_scores(tmp_path, scores):
    path, tracks, _ = write(tmp_path / "mice.h5", scores=scores)
    store = data.open(path, unit=1)
    clip = store[0]
    assert store.skeleton.names == tuple(NAMES) and store.skeleton.mirror == ((1, 2),) and "2d" in store.table["flags"][0].split()
    assert clip.joints.shape == (6, 2, 4, 3) and clip.valid[:, 1].tolist() == [False, False, True, True, True, True]
    expected = np.nan_to_num(tracks.transpose(3, 0, 2, 1) * [1, -1])
    if scores:
        expected[4, 0, 2] = 0
    np.testing.assert_allclose(clip.joints[..., :2], expected, rtol=1e-6)
    if scores:
        assert data.open(path, unit=1, min_score=0.05)[0].joints[4, 0, 2].any()


def test_a_folder_of_files_is_converted_to_the_same(tmp_path):
    for label in ("run", "sit"):
        (tmp_path / "mice" / label).mkdir(parents=True)
        write(tmp_path / "mice" / label / "a.h5")
    store = data.open(tmp_path / "mice")
    assert store.table["label_name"].tolist() == ["run", "sit"]
    converted = data.convert(tmp_path / "mice", tmp_path / "store", progress=False)
    assert converted.table["digest"].tolist() == store.table["digest"].tolist()
    write(tmp_path / "mice" / "sit" / "b.h5", names=["a", "b"])
    with pytest.raises(DataError, match=r"b.h5: 2 joints .*other joints than in .*a.h5"):
        data.open(tmp_path / "mice")


def test_tables_of_pandas_are_refused_because_their_names_are_pickled(tmp_path):
    with h5py.File(tmp_path / "dlc.h5", "w") as file:
        group = file.create_group("df_with_missing")
        group.attrs["pandas_type"] = "frame_table"
        group.attrs["non_index_axes"] = np.void(b"(lp0\n.")
        group.create_dataset("table", data=np.zeros(3, dtype=[("index", "i8"), ("values_block_0", "f8", (6,))]))
    with pytest.raises(DataError, match=r"dlc.h5: a table of pandas.*never unpickles.*save_as_csv=True"):
        data.open(tmp_path / "dlc.h5")


def test_values_of_other_files_are_not_read(tmp_path):
    path, tracks, _ = write(tmp_path / "a.h5")
    (tmp_path / "secret").write_bytes(tracks.tobytes())

    def changed(name, change):
        copy = tmp_path / name
        copy.write_bytes(path.read_bytes())
        with h5py.File(copy, "r+") as file:
            del file["tracks"]
            change(file)
        return copy

    def outside(file):
        file.create_dataset("tracks", tracks.shape, "f8", external=[(str(tmp_path / "secret"), 0, tracks.nbytes)])

    def virtual(file):
        layout = h5py.VirtualLayout(tracks.shape, "f8")
        layout[...] = h5py.VirtualSource(str(path), "tracks", tracks.shape)
        file.create_virtual_dataset("tracks", layout)

    def linked(file):
        file["tracks"] = h5py.ExternalLink(str(path), "tracks")

    def enormous(file):
        file.create_dataset("tracks", (2, 2, 4, 1 << 40), "f8", chunks=(2, 2, 4, 1))

    for name, change, says in (
        ("outside.h5", outside, "'tracks' lies in another file"),
        ("virtual.h5", virtual, "'tracks' lies in another file"),
        ("linked.h5", linked, "no dataset 'tracks'"),
        ("enormous.h5", enormous, "'tracks' has the shape"),
        ("none.h5", lambda file: None, "no dataset 'tracks'"),
    ):
        with pytest.raises(DataError, match=says) as caught:
            data.open(changed(name, change))
        assert name in str(caught.value) and "Export Analysis" in str(caught.value)
    (tmp_path / "empty.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DataError, match=r"empty.h5: no analysis file of SLEAP"):
        data.open(tmp_path / "empty.h5")


def test_a_missing_package_is_named_in_one_sentence(tmp_path, monkeypatch):
    path, *_ = write(tmp_path / "a.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"^SLEAP's .h5 files need h5py: pip install 'slimlab\[formats\]'$"):
        data.open(path)


def test_a_missing_ezc3d_is_named_too(tmp_path, monkeypatch):
    (tmp_path / "a.c3d").write_bytes(bytes(1024))
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(MissingExtra, match=r"^C3D files need ezc3d: pip install 'slimlab\[formats\]'$"):
        data.open(tmp_path / "a.c3d")
