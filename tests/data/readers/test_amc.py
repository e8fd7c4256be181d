"""AMC motions on ASF bodies, against forward kinematics by SciPy's rotations."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from slimlab import data
from slimlab.data import DataError

RNG = np.random.default_rng(0)
BONES = {  # name -> (parent, direction, length, axis in degrees, degrees of freedom)
    "lhipjoint": ("root", (0.6, -0.7, 0.4), 2.4, (0, 0, 0), ""),
    "lfemur": ("lhipjoint", (0.34, -0.94, 0.0), 7.1, (0, 0, 20), "rx ry rz"),
    "ltibia": ("lfemur", (0.34, -0.94, 0.1), 7.4, (10, 5, 20), "rx"),
    "lfoot": ("ltibia", (0.1, -0.2, 0.97), 2.2, (-90, 3, 20), "rx rz"),
    "lowerback": ("root", (0.02, 0.99, -0.08), 2.0, (0, 0, 0), "rx ry rz"),
    "lhumerus": ("lowerback", (1, 0, 0.02), 5.2, (180, 30, -90), "rx ry rz"),
}
ROOT = "TX TY TZ RX RY RZ"


def asf(length="0.45", angle="deg", bones=BONES):
    lines = [
        "# written for a test",
        ":version 1.10",
        ":name test",
        ":units",
        "  mass 1.0",
        f"  length {length}",
        f"  angle {angle}",
    ]
    lines += [":documentation", "  none", ":root", f"   order {ROOT}", "   axis XYZ", "   position 0 0 0", "   orientation 0 0 0"]
    lines.append(":bonedata")
    for number, (name, (_, direction, size, axis, freedom)) in enumerate(bones.items(), 1):
        lines += ["  begin", f"     id {number}", f"     name {name}", f"     direction {' '.join(map(str, direction))}"]
        lines += [f"     length {size}", f"     axis {' '.join(map(str, axis))}  XYZ"]
        if freedom:
            lines += [f"    dof {freedom}", *("    limits (-160.0 20.0)" for _ in freedom.split())]
        lines.append("  end")
    children: dict[str, list[str]] = {}
    for name, (parent, *_) in bones.items():
        children.setdefault(parent, []).append(name)
    return "\n".join([*lines, ":hierarchy", "  begin", *(f"    {p} {' '.join(c)}" for p, c in children.items()), "  end"]) + "\n"


def motion(frames):
    """A frame each: bone -> its values."""
    sizes = {"root": 6} | {n: len(b[4].split()) for n, b in BONES.items() if b[4]}
    return [{n: (RNG.uniform(-90, 90, size=k)).round(4).tolist() for n, k in sizes.items()} for _ in range(frames)]


def amc(frames):
    lines = ["#!OML:ASF test", ":FULLY-SPECIFIED", ":DEGREES"]
    for number, frame in enumerate(frames, 1):
        lines += [str(number), *(f"{n} {' '.join(map(str, v))}" for n, v in frame.items())]
    return "\n".join(lines) + "\n"


def write(folder, frames=4, **about):
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "07.asf").write_text(asf(**about))
    frames = motion(frames)
    (folder / "07_01.amc").write_text(amc(frames))
    return folder, frames


def expected(frame):
    """Each joint's place in the files' unit: lower-case axes of SciPy are fixed, as ASF's are."""
    turns = {"root": Rotation.from_euler("xyz", frame["root"][3:], degrees=True)}
    places = {"root": np.array(frame["root"][:3])}
    for name, (parent, direction, size, axis, freedom) in BONES.items():
        c = Rotation.from_euler("xyz", axis, degrees=True)
        angles = dict(zip(freedom.split(), frame.get(name, []), strict=True))
        m = Rotation.from_euler("xyz", [angles.get(f"r{a}", 0.0) for a in "xyz"], degrees=True)
        turns[name] = turns[parent] * c * m * c.inv()
        places[name] = places[parent] + turns[name].apply(np.array(direction) * size)
    return places


@pytest.mark.parametrize("one", [True, False], ids=["file", "folder"])
def test_places_by_scipy(tmp_path, one):
    folder, frames = write(tmp_path)
    store = data.open(folder / "07_01.amc" if one else folder)
    assert set(store.skeleton.names) == {"root", *BONES} and store.fps == 120 and store[0].name == "07_01"
    for t, frame in enumerate(frames):
        for name, place in expected(frame).items():
            found = store[0].joints[t, 0, store.skeleton.names.index(name)]
            np.testing.assert_allclose(found, place * 0.0254 / 0.45, atol=1e-5)
    assert all(n in ("root", *BONES) and store.skeleton.names[p] == BONES[n][0] for n, p in zip(
        store.skeleton.names[1:], store.skeleton.parents[1:], strict=True
    ))  # fmt: skip


def test_the_body_s_unit_is_its_own(tmp_path):
    folder, frames = write(tmp_path, length="1.0")
    x = data.open(folder)[0].joints[0, 0, 0]
    np.testing.assert_allclose(x, np.array(frames[0]["root"][:3]) * 0.0254, atol=1e-5)


def test_motions_find_the_body_of_their_name(tmp_path):
    folder, _ = write(tmp_path)
    (folder / "08.asf").write_text(asf(bones={n: b for n, b in BONES.items() if n != "lfoot"}))
    assert len(data.open(folder).skeleton) == 7
    (folder / "07.asf").rename(folder / "other.asf")
    with pytest.raises(DataError, match=r"07_01.amc: 2 .asf files beside it, none called 07.asf"):
        data.open(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("07_01.amc", "lfemur", "lfemurs", r"07_01.amc: line 6: .*'lfemurs .* is no bone"),
        ("07_01.amc", ":DEGREES", ":RADIANS", "angles in radians"),
        ("07_01.amc", "\n2\n", "\n2\nltibia 1.0\n", "is no bone of the .asf with its number of angles, once a frame|missing"),
        ("07.asf", "length 7.1", "length long", r"07.asf: line \d+: no sound ASF body"),
        ("07.asf", "    root lhipjoint lowerback\n", "", "no sound ASF body"),
        ("07.asf", "dof rx ry rz", "dof rx ry rw", "degrees of freedom that are none"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path, file, old, new, says):
    folder, _ = write(tmp_path)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=says) as caught:
        data.open(folder)
    assert str(folder / file) in str(caught.value)
