"""Synthetic motion: Kinect-v2 bodies moved by forward kinematics, so that everything runs without a download.

A first set: eight actions (two with two people), performers who differ in size, proportions, handedness, tempo, amplitude
and posture, three cameras, repetitions. Axes as Kinect's: y up, z away from the camera, x to the camera's left; people face
the camera of yaw 0. Results on these clips are results on synthetic data and have to be called that.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slimlab.data.building import Block, Source, build
from slimlab.data.store import ClipStore
from slimlab.skeleton import KINECT_V2

FPS = 30.0
PERFORMERS = 10
CAMERAS = ((-0.8, 1.1, 0.008), (0.0, 1.4, 0.006), (0.8, 0.8, 0.008))  # yaw (rad), height (m), noise (m)
JOINT = {name: i for i, name in enumerate(KINECT_V2.names)}
# metres from the parent, arms hanging, facing the camera: the person's right is +x, the front -z
REST = {
    "base_spine": (0, 0, 0),
    "middle_spine": (0, 0.29, 0),
    "spine_shoulder": (0, 0.22, 0),
    "neck": (0, 0.07, 0),
    "head": (0, 0.14, -0.02),
    "shoulder": (0.17, -0.04, 0),
    "elbow": (0.02, -0.27, 0),
    "wrist": (0, -0.24, 0),
    "hand": (0, -0.08, 0),
    "hand_tip": (0, -0.08, 0),
    "thumb": (-0.04, -0.03, -0.03),
    "hip": (0.08, -0.05, 0),
    "knee": (0.01, -0.40, 0),
    "ankle": (0, -0.38, 0),
    "foot": (0.01, -0.06, -0.11),
}

Angles = dict[str, tuple]  # joint -> rotation of all that hangs from it: rad about x, y, z; arrays over time or numbers


def _wave(u: np.ndarray, a: float) -> Angles:
    return {"right_shoulder": (-0.3, 0, 2.3 * a), "right_elbow": (0, 0, 0.5 + 0.6 * a * np.sin(2 * u))}


def _punch(u: np.ndarray, a: float) -> Angles:
    out = np.clip(np.sin(u), 0, 1) * a
    return {"right_shoulder": (0.5 + 0.9 * out, 0, 0.1), "right_elbow": (1.9 - 1.6 * out, 0, 0), "base_spine": (0, 0.5 * out, 0)}


def _squat(u: np.ndarray, a: float) -> Angles:
    bend = (1 - np.cos(u)) / 2 * 1.3 * a
    legs = {f"{s}_{j}": v for s in ("left", "right") for j, v in (("hip", (1.1 * bend, 0, 0)), ("knee", (-1.8 * bend, 0, 0)))}
    return legs | {f"{s}_shoulder": (1.2 * bend, 0, 0) for s in ("left", "right")} | {"base_spine": (-0.4 * bend, 0, 0)}


def _jumping_jack(u: np.ndarray, a: float) -> Angles:
    part = (1 - np.cos(u)) / 2 * a
    return {
        "right_shoulder": (0, 0, 2.5 * part),
        "left_shoulder": (0, 0, -2.5 * part),
        "right_hip": (0, 0, 0.45 * part),
        "left_hip": (0, 0, -0.45 * part),
    }


def _bow(u: np.ndarray, a: float) -> Angles:
    bend = (1 - np.cos(u)) / 2 * a
    back = {"base_spine": (-0.7 * bend, 0, 0), "middle_spine": (-0.5 * bend, 0, 0), "neck": (-0.3 * bend, 0, 0)}
    return back | {f"{s}_hip": (0.7 * bend, 0, 0) for s in ("left", "right")}


def _kick(u: np.ndarray, a: float) -> Angles:
    swing = np.sin(u) * a
    knee = np.clip(-swing, 0, 1) * 1.2
    return {"right_hip": (1.2 * swing, 0, 0), "right_knee": (-knee, 0, 0), "left_shoulder": (0.5 * swing, 0, -0.3)}


def _handshake(u: np.ndarray, a: float) -> Angles:
    return {"right_shoulder": (0.7, 0, 0), "right_elbow": (0.8 + 0.25 * a * np.sin(3 * u), 0, 0), "base_spine": (-0.1, 0, 0)}


def _push(u: np.ndarray, a: float) -> Angles:
    out = np.clip(np.sin(u), 0, 1) * a
    arms = {f"{s}_shoulder": (0.4 + 1.0 * out, 0, 0) for s in ("left", "right")}
    return arms | {f"{s}_elbow": (1.8 - 1.6 * out, 0, 0) for s in ("left", "right")} | {"base_spine": (-0.25 * out, 0, 0)}


def _pushed(u: np.ndarray, a: float) -> Angles:
    out = np.clip(np.sin(u - 0.4), 0, 1) * a
    arms = {f"{s}_shoulder": (0.8 * out, 0, 0.4 * out * (1 if s == "right" else -1)) for s in ("left", "right")}
    return arms | {"base_spine": (0.3 * out, 0, 0), "right_knee": (-0.5 * out, 0, 0)}


# name -> what the first person does, what the second does (None: nobody there)
ACTIONS: dict[str, tuple[Callable[..., Angles], Callable[..., Angles] | None]] = {
    "wave": (_wave, None),
    "punch": (_punch, None),
    "squat": (_squat, None),
    "jumping jack": (_jumping_jack, None),
    "bow": (_bow, None),
    "kick": (_kick, None),
    "shake hands": (_handshake, _handshake),
    "push": (_push, _pushed),
}


def synthetic(clips: int = 960, seed: int = 0) -> ClipStore:
    """A labelled set with performers, cameras and setups; the same seed gives the same bytes.

    Clips come in whole recordings (one motion seen by three cameras), performers and actions evenly; names as NTU's,
    SsssCcccPpppRrrrAaaa. Raises ValueError for fewer than one clip.
    """
    if clips < 1:
        raise ValueError(f"clips is {clips}; ask for at least one")
    performers = [_performer(np.random.default_rng([seed, 1, p])) for p in range(PERFORMERS)]
    frames, names = [], []
    columns: dict[str, list[int]] = {"label": [], "subject": [], "camera": [], "setup": []}
    for number in range(clips):
        recording, camera = divmod(number, len(CAMERAS))
        rest, action = divmod(recording, len(ACTIONS))
        repetition, subject = divmod(rest, PERFORMERS)
        setup = subject // 5 + 1
        if camera == 0:  # one motion, seen by all cameras
            partner = performers[(subject + 1 + repetition) % PERFORMERS]
            motion = _motion(action, performers[subject], partner, np.random.default_rng([seed, 2, recording]))
        frames.append(_seen(motion, CAMERAS[camera], np.random.default_rng([seed, 3, number])))
        names.append(f"S{setup:03d}C{camera + 1:03d}P{subject + 1:03d}R{repetition + 1:03d}A{action + 1:03d}")
        for column, value in zip(columns, (action, subject + 1, camera + 1, setup), strict=True):
            columns[column].append(value)
    offsets = np.cumsum([0, *map(len, frames)])
    block = Block(np.concatenate(frames), offsets, {"clip": names, **columns})
    return build(Source(f"synthetic(clips={clips}, seed={seed})", KINECT_V2, [block], tuple(ACTIONS), FPS))


def _performer(rng: np.random.Generator) -> dict:
    return {
        "size": rng.normal(1.0, 0.06),
        "arms": rng.normal(1.0, 0.05),
        "legs": rng.normal(1.0, 0.04),
        "tempo": rng.uniform(0.75, 1.3),
        "amplitude": rng.uniform(0.75, 1.15),
        "stoop": rng.uniform(-0.12, 0.08),
        "left_handed": rng.random() < 0.25,
    }


def _motion(action: int, first: dict, second: dict, rng: np.random.Generator) -> np.ndarray:
    """(T, 2, 25, 3) metres, the floor at y = 0, both people around the origin; the second is zero where nobody is."""
    does, answers = list(ACTIONS.values())[action]
    cycles = rng.integers(1, 4)
    length = int(np.clip(36 * cycles / first["tempo"] * rng.uniform(0.85, 1.15), 30, 150))
    idle = rng.uniform(0.0, 0.2, 2)
    part = np.clip((np.linspace(0, 1, length) - idle[0]) / (1 - idle.sum()), 0, 1)
    u = 2 * np.pi * cycles * part
    strength = rng.uniform(0.85, 1.15)
    out = np.zeros((length, 2, 25, 3), dtype=np.float32)
    out[:, 0] = _body(does(u, first["amplitude"] * strength), first, u, rng)
    if answers is not None:
        other = _body(answers(u, second["amplitude"] * strength), second, u, rng)
        out[:, 0, :, 2] += 0.45
        other[..., [0, 2]] *= -1  # turned about, facing the first
        out[:, 1] = other
        out[:, 1, :, 2] -= 0.45
        turn = _rotation(0, np.pi / 2, 0)  # side on to the middle camera, so that both are seen
        out = out @ turn.T
    return out


def _body(angles: Angles, who: dict, u: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(T, 25, 3): forward kinematics over the tree, then feet on the floor."""
    sway = rng.normal(0, 0.03, 3)
    frames = len(u)
    positions = np.zeros((frames, 25, 3))
    turns = np.zeros((frames, 25, 3, 3))
    for joint in KINECT_V2.order:
        name, parent = KINECT_V2.names[joint], KINECT_V2.parents[joint]
        side, _, limb = name.partition("_")
        offset = np.array(REST[limb if side in ("left", "right") else name], dtype=float) * who["size"]
        offset[0] *= -1 if side == "left" else 1
        offset *= who["arms"] if limb in ("elbow", "wrist") else who["legs"] if limb in ("knee", "ankle") else 1
        x, y, z = (np.broadcast_to(a, frames) for a in angles.get(name, (0, 0, 0)))
        if name == "middle_spine":
            x = x + who["stoop"] + sway[0] * np.sin(0.5 * u)
        own = _rotation(x, y, z)
        if parent < 0:
            turns[:, joint] = own
            continue
        positions[:, joint] = positions[:, parent] + np.einsum("tij,j->ti", turns[:, parent], offset)
        turns[:, joint] = turns[:, parent] @ own
    feet = [JOINT["left_foot"], JOINT["right_foot"]]
    positions[..., 1] -= positions[:, feet, 1].min(axis=1)[:, None]
    if who["left_handed"]:
        positions = positions[:, KINECT_V2.mirror_index] * np.array([-1, 1, 1])
    return positions


def _seen(motion: np.ndarray, camera: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
    """(T, 2, 25, 3) in the camera's coordinates, with noise; who is absent stays zero."""
    yaw, height, noise = camera
    there = motion.any(axis=(2, 3), keepdims=True)
    turned = motion @ _rotation(0, yaw + rng.normal(0, 0.1), 0).T
    place = np.array([rng.normal(0, 0.15), -height, rng.uniform(2.6, 3.4)])
    return ((turned + place + rng.normal(0, noise, motion.shape)) * there).astype(np.float32)


def _rotation(x, y, z) -> np.ndarray:
    """(…, 3, 3): about x, then y, then z."""
    x, y, z = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (x, y, z)))
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (x, y, z))
    rows = [
        [cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz],
        [cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz],
        [-sy, sx * cy, cx * cy],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
