"""TRC, in OpenSim's layout and in Pose2Sim's (no empty line below the header, tabs at the ends of lines)."""

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.skeleton import Skeleton

RNG = np.random.default_rng(0)
NAMES = ["LASI", "RASI", "SACR", "LKNE", "RKNE", "LANK", "RANK", "C7", "LSHO", "RSHO", "LELB", "RELB"]
HEIGHTS = [1, 1, 1.05, 0.5, 0.5, 0.1, 0.1, 1.5, 1.4, 1.4, 1.1, 1.1]


def standing(frames=6, up=1):
    """(T, V, 3) in meters, upright along the axis `up`."""
    x = RNG.normal(size=(frames, len(NAMES), 3)) * 0.05
    x[:, :, up] += HEIGHTS
    return x.round(4)


def write(path, x, names=NAMES, unit="mm", rate="100", end="", empty=True):
    """x (T, V, 3) in the file's unit; what is NaN is an empty cell."""
    keys = "DataRate CameraRate NumFrames NumMarkers Units OrigDataRate OrigDataStartFrame OrigNumFrames".split()
    values = [rate, rate, str(len(x)), str(len(names)), unit, rate, "1", str(len(x))]
    lines = [f"PathFileType\t4\t(X/Y/Z)\t{path.name}", "\t".join(keys), "\t".join(values)]
    lines.append("Frame#\tTime\t" + "\t\t\t".join(names) + end)
    lines.append("\t\t" + "\t".join(f"{a}{i + 1}" for i in range(len(names)) for a in "XYZ"))
    lines += [""] * empty
    for t, frame in enumerate(x):
        lines.append("\t".join([str(t + 1), f"{t / 100:.3f}", *("" if np.isnan(v) else f"{v:.5f}" for v in frame.ravel())]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("layout", [dict(), dict(end="\t\t\t", empty=False)], ids=["OpenSim", "Pose2Sim"])
@pytest.mark.parametrize(("unit", "scale"), [("mm", 0.001), ("m", 1.0), ("in", 0.0254)])
def test_places_are_in_meters_and_empty_cells_were_not_seen(tmp_path, layout, unit, scale):
    x = standing()
    x[2, 3] = np.nan
    x[4, -1] = np.nan  # the row ends in empty cells
    store = data.open(write(tmp_path / "walk.trc", x / scale, unit=unit, **layout))
    assert store.fps == 100 and store.notes == (f"unit: {unit}, from the file", "up: y, seen from head and feet")
    found = np.stack([store[0].joints[:, 0, store.skeleton.names.index(n)] for n in NAMES], axis=1)
    np.testing.assert_allclose(found, np.nan_to_num(x), atol=1e-5)
    bones = {(store.skeleton.names[a], store.skeleton.names[b]) for a, b in store.skeleton.bones}
    assert {("LASI", "LKNE"), ("LKNE", "LANK"), ("C7", "RSHO"), ("RSHO", "RELB")} <= bones


def test_the_up_axis_is_that_of_the_first_file_for_all(tmp_path):
    x, lying = standing(up=2), standing(up=0)
    write(tmp_path / "a.trc", x * 1000)
    write(tmp_path / "b.trc", lying * 1000)  # somebody who lies: seen alone, x would be up
    store = data.open(tmp_path)
    for clip, source in zip(store, (x, lying), strict=True):
        pelvis = clip.joints[:, 0, store.skeleton.names.index("SACR")]
        np.testing.assert_allclose(pelvis, source[:, 2][:, [0, 2, 1]] * [1, 1, -1], atol=1e-6)


def test_other_markers_need_a_tree(tmp_path):
    x = RNG.normal(size=(4, 3, 3)).round(4)
    path = write(tmp_path / "a.trc", x, ["R.ASIS", "R.Knee.Lat", "R.Heel"], unit="m")
    with pytest.raises(DataError, match=r"a.trc: 3 markers \(R.ASIS, R.Knee.Lat, R.Heel\).*data.from_markers"):
        data.open(path)
    store = data.from_markers(path, Skeleton(["R.ASIS", "R.Heel"], [-1, 0]))  # the advice, followed
    np.testing.assert_allclose(store[0].joints[:, 0], x[:, [0, 2]], atol=1e-5)
    assert "OpenSim's usual one" in store.notes[1]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("PathFileType", "Path", "no TRC file"),
        ("\tmm\t", "\tmiles\t", "line 3 tells no DataRate and Units"),
        ("100\t100\t6", "none\t100\t6", "line 3 tells no DataRate"),
        ("100\t100\t6", "100\t100\t7", "6 frames, line 3 says 7"),
        ("RASI", "LASI", "line 4 is not Frame#"),
        ("\n4\t0.030", "\nfour\t0.030", "line 10 begins with 'four'"),
        ("\n4\t0.030\t", "\n4\t0.030\tx", "line 10: could not convert"),
        ("\n4\t0.030\t", "\n4\t0.030\t1.0\t", "line 10 has 39 columns of numbers, line 4 names 38"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path, old, new, says):
    path = write(tmp_path / "a.trc", standing() * 1000)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=says) as caught:
        data.open(path)
    assert str(path) in str(caught.value)
