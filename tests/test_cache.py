"""What is kept on disk: named by content, whole, bounded, shared by processes."""

import multiprocessing
import os

import numpy as np
import pytest
import torch

from slimlab import cache
from tests.systems import forks


def test_a_name_depends_on_everything():
    a = np.arange(6, dtype=np.float32)
    names = [
        cache.digest(a),
        cache.digest(a.astype(np.float64)),
        cache.digest(a.reshape(2, 3)),
        cache.digest(a + 1),
        cache.digest(a, 1),
        cache.digest(a, "1"),
        cache.digest(torch.from_numpy(a)),
        cache.digest(torch.from_numpy(a).to(torch.bfloat16)),
        cache.digest("ab", "c"),
        cache.digest("a", "bc"),
        cache.digest(torch.zeros(0)),
    ]
    assert len(set(names)) == len(names)
    assert cache.digest(torch.from_numpy(a)[::2]) == cache.digest(torch.from_numpy(a[::2].copy()))
    assert cache.digest(a.reshape(2, 3).T) == cache.digest(np.ascontiguousarray(a.reshape(2, 3).T))


def test_where_it_lies(monkeypatch, tmp_path):
    assert cache.folder("features", None) is None and cache.folder("features", tmp_path) == tmp_path
    monkeypatch.setenv("SLIMLAB_CACHE", "off")
    assert cache.folder("features") is None
    monkeypatch.setenv("SLIMLAB_CACHE", str(tmp_path))
    assert cache.folder("features") == tmp_path / "features"
    monkeypatch.delenv("SLIMLAB_CACHE")
    assert "slimlab" in str(cache.folder("features"))


def test_what_is_kept_is_read_and_damage_is_absence(tmp_path):
    file, array = tmp_path / "deep" / "a.npy", np.arange(12.0).reshape(3, 4)
    assert cache.read(file) is None
    cache.keep(file, array)
    np.testing.assert_array_equal(cache.read(file), array)
    assert [f.name for f in file.parent.iterdir()] == ["a.npy"]  # nothing lies beside
    file.write_bytes(file.read_bytes()[:100])
    assert cache.read(file) is None
    np.save(file, np.array([{"code": 1}], dtype=object), allow_pickle=True)
    assert cache.read(file) is None  # never unpickled


def test_what_was_used_longest_ago_goes_first(tmp_path):
    for i in range(4):
        cache.keep(tmp_path / f"{i}.npy", np.zeros(1000))
        os.utime(tmp_path / f"{i}.npy", (0, 1000 + i))
    cache.read(tmp_path / "0.npy")  # used just now
    cache.keep(tmp_path / "4.npy", np.zeros(1000), most_files=3)
    assert {f.name for f in tmp_path.iterdir()} == {"0.npy", "3.npy", "4.npy"}
    cache.keep(tmp_path / "5.npy", np.zeros(1000), most_bytes=4 * 8128)
    assert len(list(tmp_path.iterdir())) == 4
    cache.keep(tmp_path / "big.npy", np.zeros(10_000), most_bytes=100_000)  # more than a quarter of the room
    assert not (tmp_path / "big.npy").exists()


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="a result cannot be kept"):
        cache.keep(tmp_path / "file" / "a.npy", np.zeros(3))


def _hammer(folder, worker):
    for i in range(60):
        file = folder / f"{i % 5}.npy"
        found = cache.read(file)
        assert found is None or (found == i % 5).all(), "a torn file was read"
        cache.keep(file, np.full(20_000, i % 5), most_files=3)


@forks
@pytest.mark.integration
def test_several_processes_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_hammer, args=(tmp_path, w)) for w in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [w.exitcode for w in workers] == [0, 0, 0]
    assert all(f.suffix == ".npy" and not f.name.startswith(".") for f in tmp_path.iterdir())


def test_a_kill_while_writing_leaves_the_old_file(tmp_path):
    file = tmp_path / "a.npy"
    cache.keep(file, np.ones(3))

    def fails(f):
        f.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cache.replace_file(file, fails)
    np.testing.assert_array_equal(cache.read(file), np.ones(3))
    assert len(list(tmp_path.iterdir())) == 1
