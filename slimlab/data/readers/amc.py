"""AMC motions with their ASF bodies, as the CMU motion capture database has them; places by forward kinematics.

Format: http://mocap.cs.cmu.edu and https://research.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/ASF-AMC.html. A joint is
the end of the bone whose name it has, `root` the root. A bone's turn is C M C⁻¹, C from its `axis`, M from the frame's angles;
both turn about the fixed axes x, y, z in the order that the file names. Lengths are in inches divided by the ASF's `length`
(CMU: 0.45).
The body is `12.asf` for `12_01.amc`, or the only .asf in the motion's folder.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.data.readers.recordings import Recording, check_size, source
from slimlab.skeleton import Skeleton

FPS = 120.0
INCH = 0.0254
DEGREES_OF_FREEDOM = ("tx", "ty", "tz", "rx", "ry", "rz", "l")


class _Bone:
    def __init__(self, name: str) -> None:
        self.name, self.parent = name, -1
        self.offset, self.axis, self.dof = np.zeros(3), np.eye(3), list[str]()


def read(path: str | Path) -> Source:
    """An `.amc`, or a folder or zip of them with their `.asf`. Raises DataError, naming file and line."""
    found = files.find(path, ".amc")
    one = Path(path).is_file() and not found[0].member
    near = files.find(Path(path).resolve().parent if one else path, "")
    bodies = [f for f in near if f.name.lower().endswith(".asf") and (not one or f.path.parent == Path(path).resolve().parent)]
    known: dict[str, tuple[list[_Bone], float, bool]] = {}

    def parse(file: files.File, raw: bytes) -> Recording:
        body = _body_of(file, bodies, one)
        if body.place not in known:
            ((_, text),) = files.contents([body])
            known[body.place] = _asf(text, body.place)
        bones, scale, degrees = known[body.place]
        joints = _places(bones, _amc(raw, file.place, bones), degrees) * scale
        try:
            skeleton = Skeleton([b.name for b in bones], [b.parent for b in bones])
        except ValueError as error:
            raise DataError(f"{body.place}: {error}") from error
        notes = (
            f"unit: {scale:.6g} m, by the .asf's length in inches",
            "up: y, the format's own",
            "frame rate: 120, CMU's; none is in the file",
        )
        return Recording(joints[:, None], skeleton, FPS, scale, "y", notes)

    return source(path, found, parse)


def _body_of(file: files.File, bodies: list[files.File], one: bool) -> files.File:
    """The .asf of a motion. Raises DataError."""
    here = [b for b in bodies if one or b.folder == file.folder]
    named = [b for b in here if file.stem == b.stem or file.stem.startswith(b.stem + "_")]
    if not named and len(here) != 1:
        raise DataError(
            f"{file.place}: {len(here)} .asf files beside it, none called {file.stem.rsplit('_', 1)[0]}.asf; an .amc holds "
            "angles alone: put the .asf of its body into the same folder"
        )
    return max(named, key=lambda b: len(b.stem)) if named else here[0]


def _matrix(order: str, angles: np.ndarray) -> np.ndarray:
    """(..., 3, 3): turns about the fixed axes in the order of `order`, such as "xyz". angles (..., 3) rad, so ordered."""
    out = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for i, axis in enumerate(order):
        c, s = np.cos(angles[..., i]), np.sin(angles[..., i])
        turn = np.zeros((*angles.shape[:-1], 3, 3))
        k = "xyz".index(axis)
        a, b = (k + 1) % 3, (k + 2) % 3
        turn[..., k, k] = 1
        turn[..., a, a] = turn[..., b, b] = c
        turn[..., b, a], turn[..., a, b] = s, -s
        out = turn @ out
    return out


def _numbers(words: list[str], count: int) -> np.ndarray:
    """The first `count` words. Raises ValueError where they are fewer, or no finite numbers."""
    values = np.array([float(w) for w in words[:count]])
    if len(values) < count or not np.isfinite(values).all():
        raise ValueError(f"{count} finite numbers belong here")
    return values


def _order(text: str) -> str:
    if sorted(text.lower()) != ["x", "y", "z"]:
        raise ValueError(f"axis order {text[:20]!r}")
    return text.lower()


def _asf(raw: bytes, place: str) -> tuple[list[_Bone], float, bool]:
    """(bones, the root first and parents before children, meters per unit, angles in degrees). Raises DataError."""
    root = _Bone("root")
    bones, above = {"root": root}, dict[str, str]()
    section, length, degrees, current = "", 1.0, True, root
    axes: dict[str, tuple[np.ndarray, str]] = {}
    direction = dict[str, np.ndarray]()
    size = dict[str, float]()
    root_axis, root_angles = "xyz", np.zeros(3)
    number = 0
    try:
        for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):  # noqa: B007  (for the message)
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0].startswith(":"):
                section = words[0].lower()
                continue
            key, rest = words[0].lower(), words[1:]
            if section == ":units":
                if key == "length":
                    length = float(_numbers(rest, 1)[0])
                elif key == "angle":
                    degrees = rest[0].lower().startswith("deg")
            elif section == ":root":
                if key == "order":
                    root.dof = [w.lower() for w in rest]
                elif key == "axis":
                    root_axis = _order(rest[0])
                elif key == "position":
                    root.offset = _numbers(rest, 3)
                elif key == "orientation":
                    root_angles = _numbers(rest, 3)
            elif section == ":bonedata":
                if key == "name":
                    current = _Bone(rest[0])
                    if rest[0] in bones or len(bones) > 1000:
                        raise ValueError(f"two bones are called {rest[0][:40]}")
                    bones[rest[0]] = current
                elif key == "direction":
                    direction[current.name] = _numbers(rest, 3)
                elif key == "length":
                    size[current.name] = float(_numbers(rest, 1)[0])
                elif key == "axis":
                    axes[current.name] = (_numbers(rest, 3), _order(rest[3]))
                elif key == "dof":
                    current.dof = [w.lower() for w in rest]
            elif section == ":hierarchy" and key not in ("begin", "end"):
                for child in rest:
                    if child in above or child == "root":
                        raise ValueError(f"{child[:40]} hangs from two bones")
                    above[child] = words[0]
        if not 1e-6 < length < 1e6:
            raise ValueError(f"length {length}")
        if any(d not in DEGREES_OF_FREEDOM for b in bones.values() for d in b.dof) or len(bones) < 2:
            raise ValueError("degrees of freedom that are none, or no bones")
        return _ordered(bones, above, axes, direction, size, (root_angles, root_axis), degrees), INCH / length, degrees
    except (ValueError, IndexError, KeyError) as error:
        text = " ".join(str(error).split())[:200] or "it ends early"
        raise DataError(f"{place}: line {number}: no sound ASF body ({text}); download it again") from error


def _ordered(bones, above, axes, direction, size, root_turn, degrees) -> list[_Bone]:
    """Bones with parents before children, offsets and axes filled in."""
    factor = np.pi / 180 if degrees else 1.0
    axes = {"root": root_turn} | axes
    out, waiting = [bones["root"]], [n for n in bones if n != "root"]
    place = {"root": 0}
    while waiting:
        ready = [n for n in waiting if above[n] in place]
        if not ready:
            raise ValueError(f"{waiting[0][:40]} does not hang from the root")
        for name in ready:
            bone = bones[name]
            bone.parent = place[above[name]]
            bone.offset = direction[name] * size[name]
            place[name] = len(out)
            out.append(bone)
        waiting = [n for n in waiting if n not in place]
    for bone in out:
        angles, order = axes.get(bone.name, (np.zeros(3), "xyz"))
        bone.axis = _matrix(order, angles * factor)
    return out


def _amc(raw: bytes, place: str, bones: list[_Bone]) -> dict[str, np.ndarray]:
    """Each bone's values (T, degrees of freedom). Raises DataError, naming the line."""
    freedom = {b.name: len(b.dof) for b in bones if b.dof}
    values: dict[str, list[list[float]]] = {n: [] for n in freedom}
    frames, number = 0, 0
    try:
        for number, line in enumerate(raw.decode("ascii", "replace").splitlines(), 1):  # noqa: B007  (for the message)
            words = line.split("#")[0].split()
            if not words or words[0].startswith(":"):
                if words and words[0].lower() == ":radians":
                    raise ValueError("angles in radians; slimlab reads degrees")
                continue
            if len(words) == 1 and re.fullmatch(r"\d{1,9}", words[0]):
                if any(len(v) != frames for v in values.values()):
                    raise ValueError("a bone of the frame before is missing")
                frames += 1
                continue
            if words[0] not in freedom or len(words) != 1 + freedom[words[0]] or len(values[words[0]]) != frames - 1:
                raise ValueError(f"'{' '.join(words)[:60]}' is no bone of the .asf with its number of angles, once a frame")
            values[words[0]].append([float(w) for w in words[1:]])
        if not frames or any(len(v) != frames for v in values.values()):
            raise ValueError("the last frame is not whole")
        check_size(frames, len(bones), place)
        out = {n: np.array(v) for n, v in values.items()}
        if not all(np.isfinite(v).all() for v in out.values()):
            raise ValueError("an angle is not a number")
        return out
    except DataError:
        raise
    except ValueError as error:
        text = " ".join(str(error).split())[:200]
        raise DataError(f"{place}: line {number}: no sound AMC motion ({text}); download it again") from error


def _places(bones: list[_Bone], values: dict[str, np.ndarray], degrees: bool) -> np.ndarray:
    """(T, V, 3) in the files' unit."""
    frames = len(next(iter(values.values())))
    turns, places = np.zeros((len(bones), frames, 3, 3)), np.zeros((frames, len(bones), 3))
    for i, bone in enumerate(bones):
        x = values.get(bone.name, np.zeros((frames, 0)))
        order = [d[1] for d in bone.dof if d[0] == "r"]
        angles = x[:, [k for k, d in enumerate(bone.dof) if d[0] == "r"]] * (np.pi / 180 if degrees else 1.0)
        turn = bone.axis @ _matrix("".join(order), angles) @ bone.axis.T
        if bone.parent < 0:
            turns[i], places[:, i] = turn @ np.eye(3), bone.offset
            for k, d in enumerate(bone.dof):
                if d[0] == "t":
                    places[:, i, "xyz".index(d[1])] += x[:, k]
        else:
            turns[i] = turns[bone.parent] @ turn
            places[:, i] = places[:, bone.parent] + turns[i] @ bone.offset
    return places
