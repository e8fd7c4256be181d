"""BVH motion capture: one file or a folder or zip of files with one hierarchy; places by forward kinematics.

Format: https://research.cs.wisc.edu/graphics/Courses/cs-838-1999/Jeff/BVH.html. Our own because pybvh (0.9) reads no position
channels below the root, which Bandai-Namco's files have. Each joint of the hierarchy is a joint, end sites are not; a root that
stays at the origin and bears one joint is a scene node and left out. The unit is guessed from the longest chain of bones of the
rest pose: up to 3 it is metres, up to 300 centimetres, beyond that millimetres; CMU's bodies are known by their names and have
CMU's own unit. The guess is in the table's flags ("unit-cm") and in the store's notes; `unit=` of `data.open` overrides it.
A file's class is the folder it lies in, where the files lie in several folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.data.readers.recordings import by_folder, check_same, clip_names, first_sound
from slimlab.skeleton import Skeleton

UNITS = (("m", 3.0, 1.0), ("cm", 300.0, 0.01), ("mm", np.inf, 0.001))  # name, longest chain, metres
CMU = {"LHipJoint", "RHipJoint", "LowerBack", "LeftFingerBase", "LThumb"}  # joints of the CMU database's bodies
CMU_UNIT, CMU_CHAIN = 0.0254 / 0.45, (12.0, 40.0)  # metres; longest chain of a person in it
MOST_JOINTS, MOST_PLACES, LONGEST_HEAD = 1000, 10_000_000, 1 << 20
FRAMES_AT_A_TIME = 2000


@dataclass
class _Motion:
    names: list[str]
    parents: list[int]
    offsets: np.ndarray  # (V, 3)
    channels: list[list[str]]  # of each joint, "Xposition" … "Zrotation" in their order
    values: np.ndarray  # (T, channels)
    frame_time: float


def read(path: str | Path) -> Source:
    """Read the first file for body, unit and frame rate, then stream all. Raises DataError."""
    found = files.find(path, ".bvh")
    first, origin = first_sound(found, lambda file, raw: _parsed(raw, file.place))
    dropped = _scene_node(first)
    names, parents = first.names[dropped:], [max(-1, p - dropped) for p in first.parents[dropped:]]
    try:
        skeleton = Skeleton(names, parents)
    except ValueError as error:
        raise DataError(f"{origin}: {error}") from error
    unit, metres, note = _unit(first)
    names_of_clips = clip_names(found)
    classes, labels = by_folder([f.folder for f in found])

    def after(done: int, at_a_time: int = 1) -> Iterator[Block]:
        for name, label, (file, raw) in zip(names_of_clips[done:], labels[done:], files.contents(found[done:]), strict=True):
            motion = _parsed(raw, file.place)
            if motion.names != first.names or motion.parents != first.parents:
                body = Skeleton(motion.names, motion.parents, parts={"all": range(len(motion.names))}, mirror=())
                check_same(body, file.place, Skeleton(first.names, first.parents), origin)
            joints = _places(motion)[:, dropped:] * metres
            table = {"clip": [name], "label": [label], "flags": [f"unit-{unit}"], "file": [file.place]}
            seen = np.ones((len(joints), 1, joints.shape[1]), dtype=bool)  # joints follow from rotations: none can be unseen
            yield Block(joints[:, None], np.array([0, len(joints)]), table, seen=seen)

    blocks, fps = Blocks(after, single=True), 1 / first.frame_time
    return Source(str(path), skeleton, blocks, classes, fps, len(found), metres, "y", (note, "up: y, the format's usual one"))


def _unit(motion: _Motion) -> tuple[str, float, str]:
    """(name, metres, how it is known)."""
    chain = _longest_chain(motion)
    if set(motion.names) >= CMU and CMU_CHAIN[0] <= chain <= CMU_CHAIN[1]:
        return "cmu", CMU_UNIT, f"unit: {CMU_UNIT:.6g} m, CMU's own, by the joints' names and a longest chain of {chain:.3g}"
    unit, _, metres = next(u for u in UNITS if chain <= u[1])
    return unit, metres, f"unit: {unit}, guessed from the rest pose's longest chain of bones, {chain:.3g} units"


def _parsed(raw: bytes, place: str) -> _Motion:
    """Raises DataError where the text is no sound BVH."""
    try:
        head, separator, tail = raw.partition(b"MOTION")
        if not separator:
            raise ValueError("it has no MOTION section")
        if len(head) > LONGEST_HEAD:
            raise ValueError(f"{len(head):,} bytes of hierarchy")
        motion = _hierarchy(head.decode("utf-8", "replace").split())
        begin = re.match(rb"\s*Frames:\s+(\d{1,15})\s+Frame\s+Time:\s+(\S{1,30})", tail)
        if not begin:
            raise ValueError("MOTION does not begin with Frames: and Frame Time:")
        frames, motion.frame_time = int(begin[1]), float(begin[2])
        values, width = files.numbers(tail[begin.end() :], place), sum(map(len, motion.channels))
        if not (frames > 0 and width > 0 and len(values) == frames * width and 1e-5 < motion.frame_time < 100):
            raise ValueError(f"{len(values)} numbers are not {frames} frames of {width} channels, or the frame time is absurd")
        if frames * len(motion.names) > MOST_PLACES:
            raise ValueError(f"{frames} frames of {len(motion.names)} joints; split it")
        motion.values = values.reshape(frames, width)
        if not np.isfinite(motion.values).all():
            raise ValueError("a channel is not a number")
    except DataError:
        raise
    except (ValueError, IndexError) as error:
        text = "it ends early" if isinstance(error, IndexError) else " ".join(str(error).split())
        raise DataError(f"{place}: no sound BVH file ({text}); export it again") from error
    return motion


def _hierarchy(words: list[str]) -> _Motion:
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[list[str]] = []
    open_joints: list[int] = []  # the joints whose braces are open; -1: an end site
    if words[0] != "HIERARCHY":
        raise ValueError("it does not begin with HIERARCHY")
    at = 1
    while at < len(words):
        word = words[at]
        if word in ("ROOT", "JOINT", "End"):
            brace = words.index("{", at)
            if word != "End":
                parents.append(open_joints[-1] if open_joints else -1)
                names.append(" ".join(words[at + 1 : brace]))
                offsets.append([0.0, 0.0, 0.0])
                channels.append([])
            if len(names) > MOST_JOINTS or not names or (open_joints and open_joints[-1] < 0):
                raise ValueError("no tree of joints")
            open_joints.append(len(names) - 1 if word != "End" else -1)
            at = brace + 1
        elif word == "OFFSET":
            place = [float(v) for v in words[at + 1 : at + 4]]
            if len(place) != 3 or not np.isfinite(place).all():
                raise ValueError("an OFFSET is not three numbers")
            if open_joints[-1] >= 0:
                offsets[open_joints[-1]] = place
            at += 4
        elif word == "CHANNELS":
            count = int(words[at + 1])
            kinds = words[at + 2 : at + 2 + count]
            if not 0 <= count <= 6 or len(kinds) != count or any(k not in KINDS for k in kinds) or open_joints[-1] < 0:
                raise ValueError(f"CHANNELS {' '.join(kinds)[:80]}")
            channels[open_joints[-1]] = kinds
            at += 2 + count
        elif word == "}":
            open_joints.pop()
            at += 1
        else:
            raise ValueError(f"'{word[:40]}' in the hierarchy")
    if open_joints or not names:
        raise ValueError("its braces do not match")
    return _Motion(names, parents, np.array(offsets), channels, np.zeros((0, 0)), 0.0)


KINDS = {f"{axis}{what}": (what, i) for what in ("position", "rotation") for i, axis in enumerate("XYZ")}


def _places(motion: _Motion) -> np.ndarray:
    """(T, V, 3) in the file's unit. A joint's rotations act in the order of its channels; positions replace its offset."""
    parts = np.split(motion.values, range(FRAMES_AT_A_TIME, len(motion.values), FRAMES_AT_A_TIME))
    return np.concatenate([_places_of(motion, part) for part in parts])


def _places_of(motion: _Motion, values: np.ndarray) -> np.ndarray:
    frames, column = len(values), 0
    places = np.zeros((frames, len(motion.names), 3))
    turns = np.zeros((frames, len(motion.names), 3, 3))
    for joint, parent in enumerate(motion.parents):  # parents come first in the file
        local = np.repeat(motion.offsets[joint][None], frames, axis=0)  # (T, 3)
        turn = np.broadcast_to(np.eye(3), (frames, 3, 3))
        for kind in motion.channels[joint]:
            what, axis = KINDS[kind]
            if what == "position":
                local[:, axis] = values[:, column]
            else:
                turn = turn @ _about(axis, np.radians(values[:, column]))
            column += 1
        if parent < 0:
            places[:, joint], turns[:, joint] = local, turn
        else:
            places[:, joint] = places[:, parent] + np.einsum("tij,tj->ti", turns[:, parent], local)
            turns[:, joint] = turns[:, parent] @ turn
    return places.astype(np.float32)


def _about(axis: int, angle: np.ndarray) -> np.ndarray:
    """(T, 3, 3): turns about one axis by `angle` (T,) rad."""
    turn = np.zeros((len(angle), 3, 3))
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turn[:, axis, axis] = 1
    turn[:, a, a] = turn[:, b, b] = np.cos(angle)
    turn[:, b, a] = np.sin(angle)
    turn[:, a, b] = -turn[:, b, a]
    return turn


def _scene_node(motion: _Motion) -> int:
    """1 where the root is a node of the scene, not of the body, else 0."""
    still = not motion.offsets[0].any() and not motion.values[:, : len(motion.channels[0])].any()
    return int(still and motion.parents.count(0) == 1 and len(motion.names) > 2)


def _longest_chain(motion: _Motion) -> float:
    """Length of the longest way from the root to a joint in the rest pose, in the file's unit."""
    length = np.zeros(len(motion.names))
    for joint, parent in enumerate(motion.parents):
        if parent >= 0:
            length[joint] = length[parent] + np.linalg.norm(motion.offsets[joint])
    return float(length.max())
