"""Damaged files of motion capture: each opens as sound clips or gives one DataError, in bounded time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.skeleton import HAND_22
from tests.data.readers import test_amc, test_trc
from tests.data.readers.mutation import check_mutants
from tests.systems import limits

RNG = np.random.default_rng(0)


def trc(folder):
    return test_trc.write(folder / "a.trc", test_trc.standing(4) * 1000)


def amc(folder):
    return test_amc.write(folder / "amc")[0]


def shrec(folder):
    rows = [" ".join(f"{v:.6f}" for v in RNG.normal(size=3 * len(HAND_22))) for _ in range(4)]
    (folder / "skeletons_world.txt").write_text("\n".join(rows) + "\n")
    return folder / "skeletons_world.txt"


def mvnx(folder):
    names = ["Pelvis", "L5", "Neck", "Head", "RightUpperLeg", "RightFoot", "LeftUpperLeg", "LeftFoot"]
    parents = [-1, 0, 1, 2, 0, 4, 0, 6]
    segments = "".join(f'<segment label="{n}" id="{i + 1}"><points/></segment>' for i, n in enumerate(names))
    joints = "".join(
        f'<joint label="j{n}"><connector1>{names[p]}/j{n}</connector1><connector2>{n}/j{n}</connector2></joint>'
        for n, p in zip(names, parents, strict=True)
        if p >= 0
    )
    kinds = ("identity", "tpose", "normal", "normal", "normal")
    places = [" ".join(f"{v:.5f}" for v in RNG.normal(size=24)) for _ in kinds]
    frames = "".join(
        f'<frame time="{t}" index="{t}" type="{kind}"><position>{x}</position></frame>\n'
        for t, (kind, x) in enumerate(zip(kinds, places, strict=True))
    )
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<mvnx version="4"><subject label="a" frameRate="60" segmentCount="8">'
        f'<segments>{segments}</segments>\n<joints>{joints}</joints>\n<frames segmentCount="8">{frames}</frames>'
        "</subject></mvnx>\n"
    )
    (folder / "a.mvnx").write_text(text)
    return folder / "a.mvnx"


# writer -> the least part that is refused: a changed digit is mostly another sound place
READERS = {"trc": (trc, 0.2), "amc": (amc, 0.2), "shrec": (shrec, 0.2), "mvnx": (mvnx, 0.2)}


@pytest.mark.parametrize("count", [50, pytest.param(2000, marks=pytest.mark.full)])
@pytest.mark.parametrize("reader", READERS)
def test_mutants_are_read_or_refused(reader, count, tmp_path):
    write, least = READERS[reader]
    check_mutants(write(tmp_path), count, least=least)


@pytest.mark.parametrize(
    ("write", "file", "old", "new", "says"),
    [
        (mvnx, "a.mvnx", "UTF-8", "UTF-9", "a.mvnx: no sound MVNX file .unknown encoding"),
        (amc, "07.asf", "direction 0.6 -0.7 0.4", "direction 0.6 -0.7", r"07.asf: line 19: .*3 finite numbers belong here"),
    ],
)
def test_what_damage_has_found(write, file, old, new, says, tmp_path):
    path = write(tmp_path)
    damaged = path / file if path.is_dir() else path
    text = damaged.read_text()
    assert old in text
    damaged.write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=says):
        data.open(path)


def test_sizes_that_leave_a_c3d_s_records_are_refused_before_they_are_read(tmp_path):
    pytest.importorskip("ezc3d")
    from tests.data.readers.damaged_binaries import c3d

    path = c3d(tmp_path / "a.c3d")
    assert len(data.open(path)[0].joints) == 4
    raw = bytearray(path.read_bytes())
    at = raw.index(b"LABELS") + 6  # way to the next record, type, number of dimensions, dimensions
    for place, value in ((at + 3, 76), (at + 4, 255), (at, 1), (at + 2, 3)):
        damaged = bytearray(raw)
        damaged[place] = value
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"a.c3d: damaged parameters of a C3D file .number"):
            data.open(path)


@limits
@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.full)])
@pytest.mark.parametrize(("kind", "package"), [("c3d", "ezc3d"), ("h5", "h5py")])
def test_mutants_of_binaries_are_read_or_refused_in_bounded_memory(kind, package, count, tmp_path):
    """In a process of its own, with limits of time and memory: C libraries read them."""
    pytest.importorskip(package)
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.readers.damaged_binaries", kind, tmp_path, str(count)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0 and "bounded" in done.stdout, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
