import numpy as np
import pytest
from scipy.io import loadmat, savemat

from slimlab.data.readers.mat5 import read_array

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i4", "u2", "i1"])
def test_it_reads_what_scipy_writes(tmp_path, compressed, kind):
    arrays = {
        "other": np.arange(7.0),
        "d_skel": (RNG.normal(size=(4, 3, 5)) * 50).astype(kind),
        "text": "words",
        "one": np.ones((1, 1)),
    }
    savemat(tmp_path / "a.mat", arrays, do_compression=compressed)
    for name in ("d_skel", "other", "one"):
        np.testing.assert_array_equal(read_array(tmp_path / "a.mat", name), loadmat(tmp_path / "a.mat")[name])


def test_a_real_file(real_data):
    file = real_data / "raw_samples" / "utdmhad_a13_s5_t2_skeleton.mat"
    np.testing.assert_array_equal(read_array(file, "d_skel"), loadmat(file)["d_skel"])


@pytest.mark.parametrize(
    "arrays, says",
    [
        ({"other": np.ones(3)}, "no array 'd_skel', but other"),
        ({"d_skel": np.ones(3) * 1j}, "no real numeric array"),
        ({"d_skel": "words"}, "no real numeric array"),
        ({"d_skel": {"a": 1}}, "no real numeric array"),
    ],
)
def test_what_is_no_such_array_is_named(tmp_path, arrays, says):
    savemat(tmp_path / "a.mat", arrays)
    with pytest.raises(ValueError, match=says):
        read_array(tmp_path / "a.mat", "d_skel")


def test_other_versions_are_named(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"MATLAB 7.3 MAT-file" + b" " * 200)
    with pytest.raises(ValueError, match="save it with -v7"):
        read_array(tmp_path / "a.mat", "d_skel")


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    from slimlab.data.readers import mat5

    savemat(tmp_path / "a.mat", {"d_skel": np.zeros((200, 200))}, do_compression=True)
    monkeypatch.setattr(mat5, "LIMIT", 10_000)
    with pytest.raises(ValueError, match="larger than"):
        read_array(tmp_path / "a.mat", "d_skel")
