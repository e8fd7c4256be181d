"""Synthetic motion: Kinect-v2 bodies moved by forward kinematics, so that everything runs without a download.

22 actions (four with two people, _motions.py), subjects who differ in size, proportions, handedness, tempo, amplitude and
posture, three cameras, repetitions that differ in onset, count, idle time and heading, and Kinect's faults. Axes as Kinect's: y
up, z away from the camera, x to the camera's left. Difficulty is checked by benchmarks/synthetic_difficulty.py. Results on these
clips are results on synthetic data and have to be called that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slimlab.data.building import Block, Source, build
from slimlab.data.store import ClipStore
from slimlab.data.synthetic._kinematics import body, rotation
from slimlab.data.synthetic._motions import ACTIONS, Action
from slimlab.skeleton import KINECT_V2

FPS = 30.0
LONGEST = 300  # frames, as in NTU RGB+D
CAMERAS = ((-1.3, 1.1, 0.007), (0.0, 1.4, 0.005), (1.0, 0.8, 0.006))  # yaw (rad), height (m), noise (m) of a still joint
IDLE = 0.4  # part of a recording, at most, before the action and after it
TRIM = 0.17  # part of a recording, at most: each camera starts late and stops early by its own
HEADING = 0.6  # rad, sd: people do not face the middle camera exactly
SWAYING = "middle_spine neck left_shoulder right_shoulder left_elbow right_elbow left_hip right_hip".split()
BELOW_ELBOW = "wrist hand hand_tip thumb".split()


@dataclass(frozen=True)
class Subject:
    """size, arms, legs: factors of lengths; tempo, amplitude: of motion; stoop, arms_out, stance: rad of the usual posture;
    restless: how much a body moves that does nothing."""

    size: float
    arms: float
    legs: float
    tempo: float
    amplitude: float
    stoop: float
    arms_out: float
    stance: float
    restless: float
    left_handed: bool

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Subject:
        return cls(
            size=rng.normal(1.0, 0.08),
            arms=rng.normal(1.0, 0.05),
            legs=rng.normal(1.0, 0.05),
            tempo=rng.uniform(0.7, 1.4),
            amplitude=rng.uniform(0.7, 1.15),
            stoop=rng.uniform(-0.2, 0.1),
            arms_out=rng.uniform(0.0, 0.3),
            stance=rng.uniform(0.0, 0.15),
            restless=rng.uniform(0.5, 1.5),
            left_handed=bool(rng.random() < 0.3),
        )


def synthetic(clips: int = 960, seed: int = 0, subjects: int = 10) -> ClipStore:
    """A labelled set with subjects, cameras and setups; the same seed gives the same bytes.

    Clips come in whole recordings (one motion seen by three cameras): 66 clips hold every action, 132 have an odd and an even
    subject for each, 660 every subject (of the default ten). Names are NTU's,
    SsssCcccPpppRrrrAaaa. Raises ValueError for fewer than one clip or subject.
    """
    if clips < 1 or subjects < 1:
        raise ValueError(f"clips is {clips}, subjects {subjects}; ask for at least one")
    people = [Subject.drawn(np.random.default_rng([seed, 1, p])) for p in range(subjects)]
    frames, names = [], []
    columns: dict[str, list[int]] = {"label": [], "subject": [], "camera": [], "setup": []}
    motion = np.zeros(0)
    for number in range(clips):
        recording, camera = divmod(number, len(CAMERAS))
        turn, action = divmod(recording, len(ACTIONS))
        repetition, subject = turn // subjects, (action + turn) % subjects
        setup = subject // 5 + 1
        if camera == 0:  # one motion, seen by all cameras
            partner = people[(subject + 1 + repetition) % subjects]
            motion = recorded(ACTIONS[action], people[subject], partner, np.random.default_rng([seed, 2, recording]))
        frames.append(seen(motion, CAMERAS[camera], np.random.default_rng([seed, 3, number])))
        names.append(f"S{setup:03d}C{camera + 1:03d}P{subject + 1:03d}R{repetition + 1:03d}A{action + 1:03d}")
        for column, value in zip(columns, (action, subject + 1, camera + 1, setup), strict=True):
            columns[column].append(value)
    offsets = np.cumsum([0, *map(len, frames)])
    block = Block(np.concatenate(frames), offsets, {"clip": names, **columns})
    return build(
        Source(
            f"synthetic(clips={clips}, seed={seed}, subjects={subjects})",
            KINECT_V2,
            [block],
            tuple(a.name for a in ACTIONS),
            FPS,
        )
    )


def recorded(action: Action, first: Subject, second: Subject, rng: np.random.Generator) -> np.ndarray:
    """(T, 2, 25, 3) metres, the floor at y = 0, both people around the origin; the second is zero where nobody is."""
    cycles = int(rng.integers(1, action.repeats + 1))
    active = np.clip((16 + 30 * cycles) / first.tempo * rng.uniform(0.85, 1.2), 32, 130)  # frames
    before, after = rng.uniform(0.05, IDLE, 2)
    length = min(round(active / (1 - before - after)), LONGEST)
    before *= (1 - active / length) / (before + after)
    t = np.clip((np.arange(length) - before * length) / active, 0, 1)
    # people are neither steady nor exact: progress is warped, strength and axis differ from time to time
    t = t + rng.uniform(-0.05, 0.05) * np.sin(2 * np.pi * t)
    strength = rng.uniform(0.8, 1.2)
    out = np.zeros((length, 2, len(KINECT_V2), 3))
    out[:, 0] = _performed(action.first, first, t, cycles, strength, rng)
    if action.second is not None:
        other = _performed(action.second, second, t, cycles, strength, rng)
        out[:, 0, :, 2] += action.gap / 2
        other[..., [0, 2]] *= -1  # turned about, facing the first
        out[:, 1] = other
        out[:, 1, :, 2] -= action.gap / 2
        out = out @ rotation(0, np.pi / 2, 0).T  # side on to the middle camera, so that both are seen
    return out @ rotation(0, rng.normal(0, HEADING), 0).T


def _performed(does, who: Subject, t: np.ndarray, cycles: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """(T, 25, 3): one person's action in that person's manner."""
    pose = dict(does(t, 2 * np.pi * cycles * t, who.amplitude * strength))
    sway = {name: _wander(len(t), 0.07 * who.restless, rng) for name in SWAYING}
    sway["middle_spine"][:, 0] += who.stoop
    for side, out in (("left", -1), ("right", 1)):
        sway[f"{side}_shoulder"][:, 2] += out * who.arms_out
        sway[f"{side}_hip"][:, 2] += out * who.stance
    joints = body(pose, len(t), who.size, who.arms, who.legs, sway)
    if who.left_handed:
        joints = joints[:, KINECT_V2.mirror_index] * np.array([-1, 1, 1])
    joints[..., 1] += np.broadcast_to(pose.get("lift", 0.0), len(t))[:, None]
    joints[..., 2] -= np.broadcast_to(pose.get("ahead", 0.0), len(t))[:, None]
    return joints


def _wander(frames: int, sd: float, rng: np.random.Generator) -> np.ndarray:
    """(frames, 3) slow random motion: a few sines of random phase, period one to six seconds."""
    time = np.arange(frames) / FPS
    period, phase = rng.uniform(1.0, 6.0, (3, 3)), rng.uniform(0, 2 * np.pi, (3, 3))
    waves = np.sin(2 * np.pi * time[:, None, None] / period + phase)  # (frames, 3, waves)
    return waves.sum(axis=2) * sd * rng.uniform(0.4, 1.0)


def seen(motion: np.ndarray, camera: tuple[float, float, float], rng: np.random.Generator) -> np.ndarray:
    """(T', 2, 25, 3) as a Kinect reports it: in the camera's coordinates, with its faults; who is absent stays zero.

    Jitter grows with a joint's speed and where the body hides it; in one recording in four a burst of up to four frames is
    lost; in one in eight the arms below the elbow are taken for each other for a while; in one in five the second body is lost
    for a while.
    """
    yaw, height, noise = camera
    early, late = (rng.uniform(0, TRIM, 2) * len(motion)).astype(int)
    motion = motion[early : len(motion) - late]
    there = motion.any(axis=(2, 3), keepdims=True)
    turned = motion @ rotation(0, yaw + rng.normal(0, 0.15), 0).T
    x = turned + np.array([rng.normal(0, 0.3), -height, rng.uniform(2.4, 3.8)])
    speed = np.linalg.norm(np.gradient(x, axis=0), axis=-1, keepdims=True) if len(x) > 1 else 0.0  # metres a frame
    hidden = x[..., 2:] > x[:, :, :1, 2:] + 0.08  # behind the spine, away from the camera
    x = x + rng.normal(0, 1, x.shape) * noise * (1 + 25 * speed) * np.where(hidden, 3.0, 1.0)
    frames = len(x)
    if rng.random() < 1 / 8:
        start, stop = _interval(frames, 5, 20, rng)
        for name in BELOW_ELBOW:
            left, right = (KINECT_V2.names.index(f"{side}_{name}") for side in ("left", "right"))
            x[start:stop, :, [left, right]] = x[start:stop, :, [right, left]]
    x = (x * there).astype(np.float32)
    if rng.random() < 1 / 5:
        start, stop = _interval(frames, 8, 40, rng)
        x[start:stop, 1] = 0
    if rng.random() < 1 / 4:
        start, stop = _interval(frames, 1, 5, rng)
        x = np.delete(x, np.s_[start:stop], axis=0)
    return x


def _interval(frames: int, shortest: int, longest: int, rng: np.random.Generator) -> tuple[int, int]:
    length = int(rng.integers(shortest, longest))
    start = int(rng.integers(0, max(1, frames - length)))
    return start, start + length
