"""Forward kinematics of the synthetic body, and arms that reach for a point.

Axes of the body: x to its right, y up, z to its back (it faces -z), metres. A pose is a dict: a joint's name -> rotation of
all that hangs from it, in rad about x, y, z; "right" and "left" -> where that wrist goes, in arm lengths from the shoulder.
"""

from __future__ import annotations

import numpy as np

from slimlab.skeleton import KINECT_V2

# metres from the parent, arms hanging
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
HANGING = np.array([0.08, -0.99, 0.0])  # where a wrist hangs, in arm lengths from its shoulder
ELBOW_POINTS = np.array([1.0, -0.6, 0.2])  # a bent elbow points outwards, down and a little back

Pose = dict[str, tuple]  # values: numbers or arrays over time


def rotation(x, y, z) -> np.ndarray:
    """(…, 3, 3): about x, then y, then z."""
    x, y, z = np.broadcast_arrays(*(np.asarray(a, dtype=float) for a in (x, y, z)))
    (cx, sx), (cy, sy), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (x, y, z))
    rows = [
        [cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz],
        [cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz],
        [-sy, sx * cy, cx * cy],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def body(pose: Pose, frames: int, size: float, arms: float, legs: float, sway: dict[str, np.ndarray]) -> np.ndarray:
    """(frames, 25, 3) positions; the lowest foot stands on y = 0. sway: joint -> (frames, 3) added to its rotation."""
    positions = np.zeros((frames, len(KINECT_V2), 3))
    turns = np.zeros((frames, len(KINECT_V2), 3, 3))
    for joint in KINECT_V2.order:
        name, parent = KINECT_V2.names[joint], KINECT_V2.parents[joint]
        side, _, limb = name.partition("_")
        limb = limb if side in ("left", "right") else name
        turns[:, joint] = _turn(name, side, limb, pose, frames, sway)
        if parent < 0:
            continue
        offset = np.array(REST[limb], dtype=float) * size
        offset[0] *= -1 if side == "left" else 1
        offset *= arms if limb in ("elbow", "wrist") else legs if limb in ("knee", "ankle") else 1
        positions[:, joint] = positions[:, parent] + np.einsum("tij,j->ti", turns[:, parent], offset)
        if limb != "hip":  # legs stay upright where the pelvis leans
            turns[:, joint] = turns[:, parent] @ turns[:, joint]
    feet = [KINECT_V2.names.index(f"{side}_foot") for side in ("left", "right")]
    positions[..., 1] -= positions[:, feet, 1].min(axis=1)[:, None]
    return positions


def _turn(name: str, side: str, limb: str, pose: Pose, frames: int, sway: dict[str, np.ndarray]) -> np.ndarray:
    """A joint's own rotation (frames, 3, 3)."""
    angles = np.stack([np.broadcast_to(a, frames) for a in pose.get(name, (0, 0, 0))], axis=-1)
    if name in sway:
        angles = angles + sway[name]
    own = rotation(*angles.T)  # (frames, 3, 3)
    if side in pose and limb in ("shoulder", "elbow"):
        upper, fore = _reach(np.stack([np.broadcast_to(a, frames) for a in pose[side]], axis=-1), side)
        own = own @ (upper if limb == "shoulder" else fore)
    return own


def _reach(target: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Rotations of shoulder and elbow that bring the wrist to `target` (frames, 3), in arm lengths from the shoulder.

    Two bones, solved by the law of cosines; targets out of reach are taken on the edge of what is reached.
    """
    mirror = np.array([-1.0 if side == "left" else 1.0, 1, 1])
    first, second = (np.array(REST[n], dtype=float) * mirror for n in ("elbow", "wrist"))
    a, b = np.linalg.norm(first), np.linalg.norm(second)
    target = target * mirror * (a + b)  # for the left arm x counts outwards too
    distance = np.clip(np.linalg.norm(target, axis=1), 0.35 * (a + b), 0.995 * (a + b))
    along = target / np.maximum(np.linalg.norm(target, axis=1), 1e-6)[:, None]
    pointing = ELBOW_POINTS * mirror
    across = pointing - along * (along @ pointing)[:, None]
    across /= np.maximum(np.linalg.norm(across, axis=1), 1e-6)[:, None]
    part = (a**2 + distance**2 - b**2) / (2 * distance)
    elbow = along * part[:, None] + across * np.sqrt(np.maximum(a**2 - part**2, 0))[:, None]  # (frames, 3)
    upper = _align(first, elbow)
    forearm = np.einsum("tji,tj->ti", upper, along * distance[:, None] - elbow)  # in the upper arm's axes
    return upper, _align(second, forearm)


def _align(rest: np.ndarray, to: np.ndarray) -> np.ndarray:
    """The smallest rotations (frames, 3, 3) that turn the vector `rest` into the directions `to` (frames, 3)."""
    a = rest / np.linalg.norm(rest)
    b = to / np.maximum(np.linalg.norm(to, axis=1, keepdims=True), 1e-9)
    v, c = np.cross(a, b), b @ a
    k = np.zeros((len(b), 3, 3))
    k[:, 0, 1], k[:, 0, 2], k[:, 1, 2] = -v[:, 2], v[:, 1], -v[:, 0]
    k -= k.transpose(0, 2, 1)
    return np.eye(3) + k + k @ k / np.maximum(1 + c, 1e-6)[:, None, None]
