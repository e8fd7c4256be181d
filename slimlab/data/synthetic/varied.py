"""Synthetic motion for pre-training: many scripts with continuous variation, cameras anywhere, a pose estimator's faults.

A script is what arms, legs, trunk and head do together; its numbers are drawn once and are its class. A recording performs one in
the manner of its subject (see `clips`): with other speeds, strengths, sides, onsets and posture, and often before or after a part
of another script. `data.synthetic` is the set that results are reported on; this one is for training. Both are kinematics without
forces: nobody keeps balance, and objects are not there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slimlab.data.building import Block, Source, build
from slimlab.data.store import ClipStore
from slimlab.data.synthetic._kinematics import ELBOW_POINTS, body, rotation
from slimlab.data.synthetic._motions import SIDES, _from_rest, _pulse, _up
from slimlab.data.synthetic.clips import FPS, LONGEST, SWAYING, Subject, _interval, _wander
from slimlab.skeleton import KINECT_V2

SEATED, JOINED = 0.2, 0.5  # of recordings: the person sits; a part of another script comes before or after
PAIRED, LYING, STILL_LEGS, BENT = (
    0.15,
    0.04,
    0.4,
    0.3,
)  # of scripts: two people; on the floor; arms alone; each joint of the trunk
Vector = tuple[float, float, float]
Moves = dict[str, Any]  # a `Pose`, and what the whole body does: the names of WHOLE -> a number or an array over time


@dataclass(frozen=True)
class Reach:
    """A hand goes to a place and comes back, or is held there; place: in arm lengths from the shoulder (out, up, back)."""

    side: str
    place: Vector
    held: bool

    def pose(self, t: np.ndarray, u: np.ndarray, a: float) -> Moves:
        return {self.side: _from_rest(_up(t) if self.held else _pulse(u), *(a * c for c in self.place))}


@dataclass(frozen=True)
class Orbit:
    """A raised hand moves about a place, along a line or an ellipse; turns: in a repetition."""

    side: str
    place: Vector
    along: Vector
    across: Vector
    turns: int

    def pose(self, t: np.ndarray, u: np.ndarray, a: float) -> Moves:
        first, second = a * np.sin(self.turns * u), a * np.cos(self.turns * u)
        at = [p + d * first + e * second for p, d, e in zip(self.place, self.along, self.across, strict=True)]
        return {self.side: _from_rest(_up(t), *at)}


@dataclass(frozen=True)
class Path:
    """A hand passes through places, one after the other, with a stop at each."""

    side: str
    places: tuple[Vector, ...]

    def pose(self, t: np.ndarray, u: np.ndarray, a: float) -> Moves:
        goals = a * np.array([self.places[0], *self.places, self.places[-1]])  # (K + 2, 3)
        at = np.clip(t, 0, 1) * (len(goals) - 1)
        first = np.minimum(at.astype(int), len(goals) - 2)
        part = at - first
        part = (part * part * (3 - 2 * part))[:, None]
        placed = goals[first] * (1 - part) + goals[first + 1] * part  # (frames, 3)
        return {self.side: _from_rest(_up(t, 0.12), *placed.T)}


@dataclass(frozen=True)
class Swing:
    """A joint turns to and fro about its axes (rad), from rest to `far` (`both`: also to the other side)."""

    joint: str
    far: Vector
    both: bool
    late: float  # of a repetition

    def pose(self, t: np.ndarray, u: np.ndarray, a: float) -> Moves:
        now = u - 2 * np.pi * self.late * _up(t)
        wave = np.sin(now) * _up(t) if self.both else _pulse(now) * _up(t, 0.1)
        return {self.joint: tuple(a * f * wave for f in self.far)}


@dataclass(frozen=True)
class Bend:
    """Knees bend, on one leg or both; hold: how long the lowest place is kept; jump: height of a jump after it (meters)."""

    sides: tuple[str, ...]
    depth: float
    hold: float
    jump: float

    def pose(self, t: np.ndarray, u: np.ndarray, a: float) -> Moves:
        down = np.clip(_pulse(u) * (1 + self.hold), 0, 1) * self.depth * a
        pose: Moves = {f"{side}_{joint}": (k * down, 0, 0) for side in self.sides for joint, k in (("hip", 1.0), ("knee", -1.7))}
        return pose | {"base_spine": (-0.3 * down, 0, 0), "lift": self.jump * np.clip(-np.sin(u), 0, 1)}


@dataclass(frozen=True)
class Walk:
    """Steps in place or ahead; ahead: meters a second; side: meters to the right in all, and back."""

    lift: float
    ahead: float
    side: float

    def pose(self, t: np.ndarray, u: np.ndarray, a: float) -> Moves:
        swing, amount = np.sin(3 * u), _up(t, 0.1) * a
        pose: Moves = {}
        for name, phase in (("right", 1), ("left", -1)):
            raised = np.clip(phase * swing, 0, 1) * amount * self.lift
            pose |= {f"{name}_hip": (raised - 0.2 * phase * swing * amount * (self.ahead > 0), 0, 0)}
            pose |= {f"{name}_knee": (-1.2 * raised, 0, 0)}
        return pose | {"ahead": self.ahead * np.cumsum(amount * (t > 0) * (t < 1)) / FPS, "aside": self.side * _pulse(u)}


@dataclass(frozen=True)
class Turn:
    """The whole body turns about the vertical by `far` rad, and back or not."""

    far: float
    back: bool

    def pose(self, t: np.ndarray, u: np.ndarray, a: float) -> Moves:
        part = np.clip(t, 0, 1)
        return {"heading": a * self.far * (_pulse(u) if self.back else part * part * (3 - 2 * part))}


Part = Reach | Orbit | Path | Swing | Bend | Walk | Turn


@dataclass(frozen=True)
class Script:
    """first: what the first person does; second: what the other does, empty where nobody is there; repeats: at most."""

    first: tuple[Part, ...]
    second: tuple[Part, ...]
    repeats: int
    gap: float  # meters between two people
    lying: bool


def varied(clips: int = 13_200, seed: int = 1000, subjects: int = 100, scripts: int = 400) -> ClipStore:
    """Synthetic recordings to pre-train on: `scripts` classes, every one by many subjects, 25 joints (Kinect v2).

    Clip i is of script i % scripts; the same seed gives the same bytes, and a smaller set is the beginning of a larger one. In
    half of the recordings limbs are lost for a while (`Clip.seen`). Raises ValueError for fewer than one clip, subject or script.
    """
    if min(clips, subjects, scripts) < 1:
        raise ValueError(f"clips is {clips}, subjects {subjects}, scripts {scripts}; ask for at least one")
    people = [Subject.drawn(np.random.default_rng([seed, 1, p])) for p in range(subjects)]
    known = [drawn_script(np.random.default_rng([seed, 2, s])) for s in range(scripts)]
    frames, columns = [], {"clip": [], "label": [], "subject": []}
    for number in range(clips):
        rng = np.random.default_rng([seed, 3, number])
        turn, script = divmod(number, scripts)
        who = int(rng.integers(subjects))
        motion = performed(known[script], known, people[who], people[int(rng.integers(subjects))], rng)
        frames.append(estimated(motion, rng))
        for column, value in zip(columns, (f"script{script:04d}_{turn:03d}", script, who + 1), strict=True):
            columns[column].append(value)
    block = Block(np.concatenate(frames), np.cumsum([0, *map(len, frames)]), columns)
    names = tuple(f"script {s}" for s in range(scripts))
    source = f"varied(clips={clips}, seed={seed}, subjects={subjects}, scripts={scripts})"
    return build(Source(source, KINECT_V2, [block], names, FPS))


def drawn_script(rng: np.random.Generator) -> Script:
    """A script with numbers of its own."""
    first = _parts(rng)
    paired = rng.random() < PAIRED
    same = rng.random() < 0.4
    second = () if not paired else first if same else _parts(rng)
    return Script(first, second, int(rng.integers(1, 4)), rng.uniform(0.7, 1.6), not paired and rng.random() < LYING)


def _parts(rng: np.random.Generator) -> tuple[Part, ...]:
    """What one person does: arms in most scripts, legs and trunk in many."""
    parts: list[Part] = []
    arms = rng.choice(["none", "right", "both", "two"], p=[0.15, 0.4, 0.25, 0.2])
    if arms != "none":
        parts.append(right := _arm("right", rng))
        if arms == "both":
            parts.append(_of_left(right))
        elif arms == "two":
            parts.append(_arm("left", rng))
    if arms == "none" or rng.random() > STILL_LEGS:
        parts.append(_legs(rng))
    for joint, most in (("base_spine", (0.7, 0.2, 0.3)), ("middle_spine", (0.3, 0.6, 0.3)), ("neck", (0.5, 0.9, 0.4))):
        if rng.random() < BENT:
            parts.append(_swing(joint, most, rng))
    return tuple(parts)


def _of_left(part: Part) -> Part:
    """What the right arm does, for the left one, in the mirror; places count outward on both sides."""
    if isinstance(part, Swing):
        return replace(part, joint=part.joint.replace("right", "left"), far=(part.far[0], -part.far[1], -part.far[2]))
    assert isinstance(part, (Reach, Orbit, Path))
    return replace(part, side="left")


def _arm(side: str, rng: np.random.Generator) -> Part:
    kind = rng.choice(["reach", "orbit", "path", "swing"])
    place = _place(rng)
    if kind == "reach":
        return Reach(side, place, bool(rng.random() < 0.4))
    if kind == "orbit":
        along, across = rng.normal(0, 0.3, 3), rng.normal(0, 0.3, 3) * (rng.random() < 0.5)
        return Orbit(side, place, tuple(along), tuple(across), int(rng.integers(1, 4)))
    if kind == "path":
        return Path(side, (place, *(_place(rng) for _ in range(int(rng.integers(1, 4))))))
    return _swing(f"{side}_shoulder", (2.4, 0.8, 2.0), rng)


def _place(rng: np.random.Generator) -> Vector:
    """Where a hand can be, in arm lengths from its shoulder: from the other shoulder outward, from hip to overhead, in front.

    Not near the shoulder, nor where the bent elbow points, since an arm that passes there turns over from one frame to the next.
    """
    elbow = ELBOW_POINTS / np.linalg.norm(ELBOW_POINTS)
    while True:
        place = np.array([rng.uniform(-0.5, 0.8), rng.uniform(-0.8, 0.95), rng.uniform(-0.95, -0.1)])
        length = np.linalg.norm(place)
        if length > 0.5 and place @ elbow < 0.6 * length:
            return tuple(place * min(1.0, 0.95 / length))


def _swing(joint: str, most: Vector, rng: np.random.Generator) -> Swing:
    far = rng.uniform(-1, 1, 3) * most * (rng.random(3) < 0.6)
    far = far if far.any() else np.array(most) * [1, 0, 0]
    side = -1 if joint.startswith("left") else 1
    far = np.array([abs(far[0]), far[1], abs(far[2]) * side]) if "shoulder" in joint else far  # to the front and outward
    return Swing(joint, tuple(far), bool(rng.random() < 0.5) and "shoulder" not in joint, rng.uniform(0, 0.5))


def _legs(rng: np.random.Generator) -> Part:
    kind = rng.choice(["bend", "one", "kick", "walk", "turn"], p=[0.25, 0.15, 0.2, 0.25, 0.15])
    if kind == "bend":
        return Bend(SIDES, rng.uniform(0.3, 1.3), rng.uniform(0, 1), rng.uniform(0.05, 0.25) * (rng.random() < 0.3))
    if kind == "one":
        return Bend(("right",), rng.uniform(0.5, 1.4), rng.uniform(0, 1), 0.0)
    if kind == "kick":
        return _swing("right_hip", (1.2, 0.3, 0.7), rng)
    if kind == "walk":
        moves = rng.random()
        return Walk(rng.uniform(0.4, 1.2), rng.uniform(0.3, 1.0) * (moves < 0.5), rng.uniform(-0.6, 0.6) * (moves > 0.75))
    return Turn(rng.choice([-1, 1]) * rng.uniform(0.5, np.pi), bool(rng.random() < 0.5))


def performed(script: Script, others: list[Script], first: Subject, second: Subject, rng: np.random.Generator) -> np.ndarray:
    """(T, 2, 25, 3) meters, the floor at y = 0, people around the origin; the second is zero where nobody is."""
    cycles = int(rng.integers(1, script.repeats + 1))
    active = int(np.clip((20 + 28 * cycles) / first.tempo * rng.uniform(0.85, 1.6), 30, 180))  # frames
    idle = rng.integers(0, 25, 2)
    before, after = (int(n) for n in idle)
    joined = others[int(rng.integers(len(others)))].first if rng.random() < JOINED else ()
    extra = int(rng.integers(20, 70)) if joined else 0
    early = bool(rng.random() < 0.5)  # the other script comes first
    start = before + extra * early
    length = min(start + active + extra * (not early) + after, LONGEST)
    t = np.clip((np.arange(length) - start) / active, 0, 1)
    t = t + rng.uniform(-0.06, 0.06) * np.sin(2 * np.pi * t)  # people are not steady
    at = before if early else start + active
    then = np.clip((np.arange(length) - at) / max(extra, 1), 0, 1)
    arms = any(isinstance(part, (Reach, Orbit, Path)) for part in script.first)  # what a seated person still does
    seated = rng.random() < SEATED and arms and not script.second and not script.lying
    out = np.zeros((length, 2, len(KINECT_V2), 3))
    out[:, 0] = _one(script.first, joined, first, t, then, cycles, seated, rng)
    if script.second:
        other = _one(script.second, (), second, np.roll(t, int(rng.integers(0, 8))), then, cycles, False, rng)
        out[:, 0, :, 2] += script.gap / 2
        other[..., [0, 2]] *= -1  # turned about, facing the first
        out[:, 1] = other
        out[:, 1, :, 2] -= script.gap / 2
    if script.lying:
        out[:, 0] = out[:, 0] @ rotation(np.pi / 2 * rng.choice([-1, 1]), 0, 0).T
        out[:, 0, :, 1] -= out[:, 0, :, 1].min() - 0.08
    return out


def _one(parts, joined, who: Subject, t, then, cycles: int, seated: bool, rng: np.random.Generator) -> np.ndarray:
    """(T, 25, 3): one person's parts at progress t, and those of another script at progress `then`, in that person's manner."""
    strength = who.amplitude * rng.uniform(0.8, 1.2)
    pose: Moves = {}
    for part in parts:
        _add(pose, _varied_part(part, rng).pose(t, 2 * np.pi * cycles * t, strength), None)
    now = (then > 0) & (then < 1)
    for part in joined:
        _add(pose, part.pose(then, 2 * np.pi * then, strength), now)
    pose = {name: _eased(value, len(t)) for name, value in pose.items()}
    if seated:
        pose |= {f"{side}_{joint}": (k, 0, 0) for side in SIDES for joint, k in (("hip", 1.5), ("knee", -1.5))}
        pose |= {"lift": 0.0, "ahead": 0.0, "aside": 0.0, "heading": 0.0}
    frames = len(t)
    sway = {name: _wander(frames, 0.08 * who.restless, rng) for name in SWAYING}
    sway["middle_spine"][:, 0] += who.stoop
    for side, out in (("left", -1), ("right", 1)):
        sway[f"{side}_shoulder"][:, 2] += out * who.arms_out
        sway[f"{side}_hip"][:, 2] += out * who.stance
        if rng.random() < 0.15:  # something is carried
            sway[f"{side}_elbow"][:, 0] += rng.uniform(0.4, 1.5)
    joints = body({k: v for k, v in pose.items() if k not in WHOLE}, frames, who.size, who.arms, who.legs, sway)
    lift, ahead, aside, heading = (np.broadcast_to(pose.get(name, 0.0), frames) for name in WHOLE)
    joints = joints @ rotation(np.zeros(frames), heading, np.zeros(frames)).swapaxes(1, 2)
    joints[..., 1] += lift[:, None]
    joints[..., 2] -= (ahead - ahead.mean())[:, None]
    joints[..., 0] += aside[:, None]
    if who.left_handed:
        joints = joints[:, KINECT_V2.mirror_index] * np.array([-1, 1, 1])
    return joints


EASED = 11  # frames
HANN = np.hanning(EASED + 2)[1:-1] / np.hanning(EASED + 2).sum()
WHOLE = ("lift", "ahead", "aside", "heading")  # of a pose: what the whole body does


def _add(pose: Moves, more: Moves, now: np.ndarray | None) -> None:
    """Add angles and moves; a hand's place is taken over, in the frames `now` alone where another script has it already."""
    for name, value in more.items():
        if name in SIDES:
            if name in pose and now is not None:
                value = tuple(np.where(now, new, old) for new, old in zip(value, pose[name], strict=True))
            pose[name] = value
        elif name in WHOLE:
            pose[name] = pose.get(name, 0.0) + value
        else:
            pose[name] = tuple(np.add(old, new) for old, new in zip(pose.get(name, (0, 0, 0)), value, strict=True))


def _eased(value, frames: int):
    """A hand's place, angles or a move over time, without corners: a weighted mean over a third of a second."""
    if isinstance(value, tuple):
        return tuple(_eased(v, frames) for v in value)
    half = EASED // 2
    return np.convolve(np.pad(np.broadcast_to(value, frames), half, mode="edge"), HANN, mode="valid")


def _varied_part(part: Part, rng: np.random.Generator) -> Part:
    """The same part as it comes out this time: places a hand's breadth apart, angles a tenth."""
    if isinstance(part, (Reach, Orbit)):
        return replace(part, place=tuple(np.add(part.place, rng.normal(0, 0.08, 3))))
    if isinstance(part, Path):
        return replace(part, places=tuple(tuple(np.add(p, rng.normal(0, 0.08, 3))) for p in part.places))
    if isinstance(part, Swing):
        return replace(part, far=tuple(np.multiply(part.far, rng.normal(1, 0.12, 3))))
    return part


def estimated(motion: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(T, 2, 25, 3) as a camera anywhere and a pose estimator give it; what was not seen and who is absent are zero.

    Noise of 2 to 25 mm for joints at rest, more in depth, with speed and where the body hides a joint; a slow drift; limbs that
    are lost for a while in half of the recordings.
    """
    there = motion.any(axis=(2, 3), keepdims=True)
    turned = motion @ rotation(0, rng.uniform(-np.pi, np.pi), 0).T
    tilt = rng.normal(0, 0.12)
    x = turned - [0, rng.uniform(0.5, 2.0), 0]
    x = x @ rotation(tilt, 0, 0).T + np.array([rng.normal(0, 0.4), 0, rng.uniform(2.0, 4.5)])
    frames = len(x)
    noise = np.exp(rng.uniform(np.log(0.002), np.log(0.025)))
    speed = np.linalg.norm(np.gradient(x, axis=0), axis=-1, keepdims=True)  # meters a frame
    hidden = x[..., 2:] > x[:, :, :1, 2:] + 0.08  # behind the spine, away from the camera
    depth = np.array([1.0, 1.0, rng.uniform(1.0, 2.5)])
    x = x + rng.normal(0, 1, x.shape) * noise * depth * (1 + 10 * speed) * np.where(hidden, 2.0, 1.0)
    x = x + np.stack([_wander(frames, 0.5 * noise, rng) for _ in range(x.shape[2])], axis=1)[:, None]  # (T, 1, V, 3)
    x = (x * there).astype(np.float32)
    if rng.random() < 0.5:
        limbs = [joints for joints in KINECT_V2.parts.values() if KINECT_V2.center not in joints]
        for _ in range(int(rng.integers(1, 3))):
            limb = np.array(limbs[int(rng.integers(len(limbs)))])
            lost = limb[rng.random(len(limb)) < 0.7]
            start, stop = _interval(frames, 5, max(6, frames // 2), rng)
            x[start:stop, :, lost] = 0
    return x
