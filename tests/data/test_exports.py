"""What is exported comes back: every format, every kind of clip, through the files that others read."""

import os
import random
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlab import data
from slimlab.__main__ import main
from slimlab.data import DataError
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2, SMPL_22, Skeleton
from tests.conftest import make_store
from tests.systems import kills

OWN = Skeleton(["root joint", "a,b", 'q"q', "left_x", "right_x"], [-1, 0, 1, 0, 0])
BODIES = [COCO, KINECT_V1, SMPL_22, OWN]


@st.composite
def stores(draw, bodies=BODIES, most_people=3):
    """Any store: people who come and go, empty frames at either end, missing joints, odd names, unknown labels and subjects."""
    body, dice = draw(st.sampled_from(bodies)), np.random.default_rng(draw(st.integers(0, 999)))
    count = draw(st.integers(1, 4))
    clips = []
    for _ in range(count):
        frames, people = draw(st.integers(1, 9)), draw(st.integers(1, most_people))
        x = (dice.normal(size=(frames, people, len(body), 3)) * 10.0 ** dice.integers(-6, 3)).astype(np.float32)
        x *= dice.random((frames, people, 1, 1)) < draw(st.sampled_from([1.0, 0.5, 0.0]))
        x *= dice.random((frames, people, len(body), 1)) < draw(st.sampled_from([1.0, 0.9]))
        clips.append(x)
    letters = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=6)
    names = draw(st.lists(letters, min_size=count, max_size=count, unique=True))
    small = st.lists(st.integers(-1, 5), min_size=count, max_size=count)
    columns = {c: draw(small) for c in ("label", "subject", "camera", "setup")}
    columns["split"] = draw(st.lists(st.sampled_from(["", "train", "test"]), min_size=count, max_size=count))
    return make_store(clips, body, clip=names, **columns)


def same(a, b, columns="clip label label_name subject camera setup split frames people flags digest"):
    for column in columns.split():
        assert a.table[column].tolist() == b.table[column].tolist(), column
    assert a.skeleton == b.skeleton
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.joints, y.joints)
        np.testing.assert_array_equal(x.valid, y.valid)


@given(stores())
@settings(max_examples=40, deadline=None)
def test_ragged_comes_back(tmp_path_factory, store):
    path = tmp_path_factory.mktemp("e") / "clips.npz"
    same(data.open(data.export(store, path)), store)


@given(stores())
@settings(max_examples=25, deadline=None)
def test_a_store_comes_back(tmp_path_factory, store):
    path = tmp_path_factory.mktemp("e") / "store"
    read = data.open(data.export(store, path))
    same(read, store)
    assert read.fingerprint == store.fingerprint


@given(stores(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_csv_comes_back(tmp_path_factory, store, long):
    long = long or store.skeleton == OWN
    path = tmp_path_factory.mktemp("e") / "clips.csv"
    same(data.open(data.export(store, path, long=long)), store)


@given(stores([KINECT_V2], most_people=2))
@settings(max_examples=25, deadline=None)
def test_ntu_npz_comes_back(tmp_path_factory, store):
    """Two sides in a file: clips, labels and sides; zero frames at the end are the format's own padding."""
    path = tmp_path_factory.mktemp("e") / "ntu.npz"
    sides, subjects = store.column("split"), store.column("subject")
    if not any(sides) and (subjects >= 0).all():
        sides = np.where(subjects % 2 == 1, "train", "test")  # cross-subject
    on_a_side = np.isin(sides, ["train", "test"])  # a clip on neither side is not written, so it needs no label
    if (store.labels[on_a_side] < 0).any() or not {"train", "test"} <= set(sides):
        with pytest.raises(DataError):
            data.export(store, path, "ntu-npz")
        return
    read = data.open(data.export(store, path, "ntu-npz"))
    order = [*np.flatnonzero(sides == "train"), *np.flatnonzero(sides == "test")]
    assert read.column("split").tolist() == sides[order].tolist() and read.labels.tolist() == store.labels[order].tolist()
    for clip, i in zip(read, order, strict=True):
        expected = store[i]
        used = np.flatnonzero(expected.valid.any(axis=1))
        last = used[-1] + 1 if len(used) else 1
        np.testing.assert_array_equal(clip.joints, expected.joints[:last])


def test_class_names_come_back_by_name(tmp_path, synthetic):
    few = synthetic[[0, 5, 70]]
    read = data.open(data.export(few, tmp_path / "a.csv"))
    same(read, few, "clip label_name subject camera setup frames people digest")
    assert read.label_names == tuple(sorted(set(few.table["label_name"])))
    assert pd.read_csv(tmp_path / "a.csv").columns[:8].tolist() == "clip label subject camera setup split frame person".split()


def test_what_cannot_be_written_leaves_nothing(tmp_path, synthetic):
    few = synthetic[:2]
    for path, format, says in (
        (tmp_path / "a.c3d", None, "Known are"),
        (tmp_path / "a.csv", "parquet", "Known are"),
        (tmp_path / "no" / "a.csv", None, "cannot be written"),
        (tmp_path / "no" / "a.npz", None, "cannot be written"),
    ):
        with pytest.raises(DataError, match=says):
            data.export(few, path, format)
    with pytest.raises(DataError, match="like a column"):
        data.export(make_store([np.ones((2, 1, 2, 3))], Skeleton(["frame", "b"], [-1, 0])), tmp_path / "a.csv", long=False)
    (tmp_path / "there").mkdir()
    with pytest.raises(DataError, match="exists already"):
        data.export(few, tmp_path / "there")
    assert [p.name for p in tmp_path.iterdir()] == ["there"]


def test_the_command_line_exports(tmp_path, synthetic, capsys):
    data.export(synthetic[:6], tmp_path / "few.npz")
    for name in ("a.csv", "again.npz", "store"):
        assert main(["export", str(tmp_path / "few.npz"), str(tmp_path / name), "--clips", "1", "4"]) == 0
        same(data.open(tmp_path / name), synthetic[[1, 4]], "clip label_name subject frames digest")
    assert main(["export", str(tmp_path / "few.npz"), str(tmp_path / "page.html"), "--clips", "1", "4"]) == 0
    page = (tmp_path / "page.html").read_text()
    assert "Plotly.newPlot" in page and "<script src=" not in page.replace("<script src=''", "") and synthetic[1].name in page
    assert main(["export", "synthetic", str(tmp_path / "a.xyz")]) == 1 and "Known are" in capsys.readouterr().err


CONVERT = (
    "import os, signal, sys; from slimlab import data; from slimlab.data import writing\n"
    "from slimlab.data.readers import ntu_skeleton\n"
    "writing.SECONDS = -1; ntu_skeleton.FILES_AT_A_TIME = 2\n"
    "left, before, replace = int(sys.argv[3]), sys.argv[4] == 'before', os.replace\n"
    "def kills(source, target):\n"
    "    global left\n"
    "    left -= 1\n"
    "    before or replace(source, target)\n"
    "    left or os.kill(os.getpid(), signal.SIGKILL)\n"
    "    before and replace(source, target)\n"
    "os.replace = kills\n"
    "data.convert(sys.argv[1], sys.argv[2], progress=False)\n"
)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory, synthetic):
    from tests.data.readers.writers import write_skeletons

    folder = tmp_path_factory.mktemp("ntu")
    write_skeletons(folder / "raw", synthetic[:60])
    data.convert(folder / "raw", folder / "whole", progress=False)
    return folder


def files_of(store):
    return {f.name: f.read_bytes() for f in store.iterdir()}


@kills
@pytest.mark.integration
@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.full)])
def test_a_killed_conversion_goes_on_and_gives_the_same_bytes(tmp_path, recordings, kills):
    """SIGKILL before or after a note of how far it is, one or two notes on each time; then it is left to end."""
    dice = random.Random(kills)
    for _ in range(kills):
        moment = [str(dice.randint(1, 2)), dice.choice(["before", "after"])]
        command = [sys.executable, "-c", CONVERT, recordings / "raw", tmp_path / "store", *moment]
        assert subprocess.run(command).returncode == -signal.SIGKILL and not (tmp_path / "store").exists()
    data.convert(recordings / "raw", tmp_path / "store", progress=False)
    assert files_of(tmp_path / "store") == files_of(recordings / "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


def stopped_after(blocks, monkeypatch, source, destination):
    """A conversion that is interrupted, as by Stop in a notebook, after so many blocks."""
    from slimlab.data import writing
    from slimlab.data.readers import ntu_skeleton

    monkeypatch.setattr(writing, "SECONDS", 0)
    monkeypatch.setattr(ntu_skeleton, "FILES_AT_A_TIME", 4)
    read, seen = ntu_skeleton._clip, []

    def clip(raw, place):
        seen.append(place)
        if len(seen) > 4 * blocks:
            raise KeyboardInterrupt
        return read(raw, place)

    monkeypatch.setattr(ntu_skeleton, "_clip", clip)
    with pytest.raises(KeyboardInterrupt):
        data.convert(source, destination, progress=False)
    counted: list[str] = []
    monkeypatch.setattr(ntu_skeleton, "_clip", lambda raw, place: (counted.append(place), read(raw, place))[1])
    return counted


def test_what_was_read_is_not_read_again(tmp_path, recordings, monkeypatch):
    counted = stopped_after(9, monkeypatch, recordings / "raw", tmp_path / "store")
    assert not (tmp_path / "store").exists() and (tmp_path / ".store.part" / "progress.json").exists()
    data.convert(recordings / "raw", tmp_path / "store", progress=False)
    assert len(counted) == 60 - 9 * 4
    assert files_of(tmp_path / "store") == files_of(recordings / "whole")


def digests(file, clips):
    """Those of the clips that follow the first `clips`, block by block."""
    from slimlab.data import building, opening

    return [part.table["digest"].tolist() for part in building.joined(opening.READERS[opening.recognise(file)](file), clips)]


@given(st.integers(0, 14), st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_a_file_is_read_on_from_any_clip(tmp_path_factory, done, at_a_time):
    """Every reader: what follows the first clips is the same whether they were read or skipped, in parts of any size."""
    from slimlab.data.readers import arrays, ntu_npz, ntu_skeleton, pyskl, ragged
    from tests.data.readers import test_mutants

    folder, few = tmp_path_factory.mktemp("r"), data.synthetic(14)
    files = {n: w(tmp_path_factory.mktemp("w"), few) for n, (w, _) in test_mutants.READERS.items() if n != "store"}
    files["ragged"] = data.export(few, folder / "a.npz")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrays, "BYTES_AT_A_TIME", 4000 * at_a_time)
        patch.setattr(ragged, "FRAMES_BYTES", 60_000 * at_a_time)
        for module, name in ((ntu_npz, "CLIPS_AT_A_TIME"), (pyskl, "CLIPS_AT_A_TIME"), (ntu_skeleton, "FILES_AT_A_TIME")):
            patch.setattr(module, name, at_a_time)
        for name, file in files.items():
            everything = [d for part in digests(file, 0) for d in part]
            assert [d for part in digests(file, min(done, len(everything))) for d in part] == everything[done:], name


def test_a_changed_source_starts_anew(tmp_path, recordings, monkeypatch):
    import shutil

    shutil.copytree(recordings / "raw", tmp_path / "raw")
    counted = stopped_after(9, monkeypatch, tmp_path / "raw", tmp_path / "store")
    sorted((tmp_path / "raw").iterdir())[0].unlink()
    data.convert(tmp_path / "raw", tmp_path / "store", progress=False)
    assert len(counted) == 59 and len(data.open(tmp_path / "store")) == 59


def test_two_at_once_are_noticed(tmp_path, recordings, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / ".store.part").mkdir()
    handle = os.open(tmp_path / ".store.part", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(DataError, match="another process is writing it"):
        data.convert(recordings / "raw", tmp_path / "store", progress=False)
    os.close(handle)
    assert len(data.convert(recordings / "raw", tmp_path / "store", progress=False)) == 60


def test_a_bar_counts_the_clips(tmp_path, recordings, monkeypatch, capsys):
    from slimlab.data import writing

    made = []
    real = writing.tqdm
    monkeypatch.setattr(writing, "tqdm", lambda **kwargs: made.append(real(**kwargs | {"delay": 0})) or made[-1])
    data.convert(recordings / "raw", tmp_path / "store")
    assert made[0].total == made[0].n == 60 and "60/60" in capsys.readouterr().err
