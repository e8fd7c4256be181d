"""The actions of the synthetic set: functions of progress, phase and amplitude that give a pose (see _kinematics.py).

t (frames,) runs from 0 to 1 through the action, u = 2 pi * repetitions * t, a is the subject's amplitude around 1. "lift" in a
pose is how far the feet leave the floor, "ahead" how far the body moves forward, both in metres.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slimlab.data.synthetic._kinematics import HANGING, Pose

SIDES = ("left", "right")


@dataclass(frozen=True)
class Action:
    """first: what the first person does; second: what the other does (None: nobody there); at most `repeats` times in one
    clip; two people stand `gap` metres apart."""

    name: str
    first: Callable[..., Pose]
    second: Callable[..., Pose] | None = None
    repeats: int = 3
    gap: float = 0.9


def _up(t: np.ndarray, ramp: float = 0.18) -> np.ndarray:
    """0 -> 1 -> 0: raised soon after the start, held, lowered before the end."""
    x = np.clip(np.minimum(t, 1 - t) / ramp, 0, 1)
    return x * x * (3 - 2 * x)


def _pulse(u: np.ndarray) -> np.ndarray:
    """0 -> 1 -> 0 in every repetition."""
    return (1 - np.cos(u)) / 2


def _from_rest(part: np.ndarray, x, y, z) -> tuple:
    """A wrist on its way from hanging (part 0) to a goal (part 1), around the shoulder by the front."""
    goal = [np.asarray(g, dtype=float) for g in (x, y, z)]
    path = [h + part * (g - h) for h, g in zip(HANGING, goal, strict=True)]
    path[2] = path[2] - 1.8 * part * (1 - part) * np.clip(1 - np.abs(goal[2]), 0, 1)
    return tuple(path)


def _both(value: tuple) -> Pose:
    return {"left": value, "right": value}


def wave(t, u, a):
    return {"right": _from_rest(_up(t), 0.35 + 0.3 * a * np.sin(2 * u), 0.72, -0.25)}


def drink(t, u, a):
    return {"right": _from_rest(_pulse(u), -0.28, 0.3 + 0.06 * a, -0.38), "neck": (0.25 * _pulse(u), 0, 0)}


def phone(t, u, a):
    return {"right": _from_rest(_up(t), -0.14, 0.36, -0.1), "neck": (0, 0, -0.15 * a * _up(t))}


def throw(t, u, a):
    back, out = np.clip(np.sin(u), 0, 1), np.clip(-np.sin(u), 0, 1)
    aim = _from_rest(_up(t), 0.3 - 0.35 * out, 0.2 + 0.5 * back + 0.2 * out, 0.35 * back - 0.9 * a * out)
    return {"right": aim, "middle_spine": (0.15 * out, 0.5 * a * (out - back), 0), "right_hip": (-0.25 * back, 0, 0)}


def punch(t, u, a):
    out, guard = np.clip(np.sin(2 * u), 0, 1), _up(t, 0.12)
    right = _from_rest(guard, -0.15 - 0.1 * out, -0.1 + 0.2 * out, -0.4 - 0.55 * a * out)
    other = _from_rest(guard, -0.15, -0.05, -0.42)
    return {"right": right, "left": other, "middle_spine": (0.1 * out, 0.35 * a * out, 0)}


def clap(t, u, a):
    apart = (1 + np.cos(3 * u)) / 2 * a
    return _both(_from_rest(_up(t), -0.33 + 0.4 * apart, 0.0, -0.68))


def circle(t, u, a):
    return {"right": _from_rest(_up(t), -0.1 + 0.35 * a * np.sin(u), 0.15 + 0.35 * a * np.cos(u), -0.72)}


def swipe(t, u, a):
    return {"right": _from_rest(_up(t), 0.6 * a * np.cos(u), 0.05, -0.68), "middle_spine": (0, -0.15 * a * np.cos(u), 0)}


def hands_up(t, u, a):
    raised = _pulse(u) * a  # to the front and up
    return {f"{s}_shoulder": (2.7 * raised, 0, 0.2 * raised * k) for s, k in (("left", -1), ("right", 1))}


def jumping_jack(t, u, a):
    part = _pulse(u)
    legs = {"right_hip": (0, 0, 0.45 * a * part), "left_hip": (0, 0, -0.45 * a * part)}
    arms = {f"{s}_shoulder": (0, 0, 2.5 * a * part * k) for s, k in (("left", -1), ("right", 1))}  # to the sides and up
    return arms | legs | {"lift": 0.08 * np.abs(np.sin(u))}


def squat(t, u, a):
    bend = _pulse(u) * 1.25 * a
    legs = {f"{s}_{j}": (k * bend, 0, 0) for s in SIDES for j, k in (("hip", 1.1), ("knee", -1.8))}
    return legs | _both(_from_rest(_pulse(u), 0.0, 0.0, -0.9)) | {"base_spine": (-0.35 * bend, 0, 0)}


def pick_up(t, u, a):
    down = _pulse(u)
    legs = {f"{s}_{j}": (k * down, 0, 0) for s in SIDES for j, k in (("hip", 0.9), ("knee", -1.4))}
    back = {"base_spine": (-0.6 * a * down, 0, 0), "middle_spine": (-0.5 * a * down, 0, 0)}
    return legs | back | {"right": _from_rest(down, -0.1, -0.85, -0.45)}


def bow(t, u, a):
    down = _pulse(u) * a
    return {"base_spine": (-0.75 * down, 0, 0), "middle_spine": (-0.4 * down, 0, 0), "neck": (-0.3 * down, 0, 0)}


def kick(t, u, a):
    swing = np.sin(u) * a
    legs = {"right_hip": (np.where(swing > 0, 1.4, 0.5) * swing, 0, 0), "right_knee": (-1.1 * np.clip(-swing, 0, 1), 0, 0)}
    return legs | {"left": _from_rest(np.abs(swing) * 0.5, 0.5, -0.5, -0.6), "base_spine": (0.12 * swing, 0, 0)}


def march(t, u, a):
    swing, amount = np.sin(2 * u), _up(t, 0.1) * a
    pose: Pose = {}
    for side, phase in (("right", 1), ("left", -1)):
        raised = np.clip(phase * swing, 0, 1) * amount
        pose |= {f"{side}_hip": (1.2 * raised, 0, 0), f"{side}_knee": (-1.3 * raised, 0, 0)}
        pose[f"{side}_shoulder"] = (-0.6 * phase * swing * amount, 0, 0)
        pose[f"{side}_elbow"] = (0.7 * amount, 0, 0)
    return pose


def sit_down(t, u, a):
    s = np.clip((t - 0.15) / 0.6, 0, 1)
    s = s * s * (3 - 2 * s)
    lean = -0.5 * a * np.sin(np.pi * s) - 0.05 * s
    legs = {f"{s_}_{j}": (k * s, 0, 0) for s_ in SIDES for j, k in (("hip", 1.5), ("knee", -1.5))}
    return legs | _both(_from_rest(s, -0.1, -0.75, -0.5)) | {"base_spine": (lean, 0, 0)}


def stand_up(t, u, a):
    return sit_down(1 - t, u, a)


def jump(t, u, a):
    crouch, air = np.clip(np.sin(u), 0, 1), np.clip(-np.sin(u), 0, 1)
    legs = {f"{s}_{j}": (k * crouch, 0, 0) for s in SIDES for j, k in (("hip", 0.8), ("knee", -1.3))}
    arms = _both(_from_rest(_up(t, 0.08), 0.2, -0.6 + 1.1 * air, 0.5 * crouch - 0.6 * air))
    return legs | arms | {"lift": 0.22 * a * air, "base_spine": (-0.35 * crouch, 0, 0)}


def shake_hands(t, u, a):
    return {"right": _from_rest(_up(t), -0.2, -0.3 + 0.14 * a * np.sin(3 * u), -0.75), "base_spine": (-0.08 * _up(t), 0, 0)}


def push(t, u, a):
    out = np.clip(np.sin(u), 0, 1)
    return _both(_from_rest(_up(t, 0.1), -0.05, 0.0, -0.4 - 0.55 * a * out)) | {"base_spine": (-0.25 * a * out, 0, 0)}


def pushed(t, u, a):
    hit = np.clip(np.sin(u - 0.5), 0, 1)
    arms = _both(_from_rest(hit, 0.5, -0.3, -0.4))
    return arms | {"base_spine": (0.3 * hit, 0, 0), "right_hip": (-0.3 * hit, 0, 0), "ahead": -0.2 * a * hit}


def hug(t, u, a):
    near = _up(t, 0.3)
    return _both(_from_rest(near, -0.25, 0.05, -0.8)) | {"ahead": 0.2 * near, "base_spine": (-0.12 * a * near, 0, 0)}


def high_five(t, u, a):
    hit = _pulse(u) ** 2
    return {"right": _from_rest(_up(t, 0.12), 0.1 - 0.1 * hit, 0.55 + 0.15 * a * hit, -0.2 - 0.5 * hit)}


ACTIONS = (
    Action("wave", wave),
    Action("drink", drink),
    Action("phone call", phone, repeats=1),
    Action("throw", throw, repeats=2),
    Action("punch", punch),
    Action("clap", clap),
    Action("draw circle", circle),
    Action("swipe", swipe),
    Action("hands up", hands_up),
    Action("jumping jack", jumping_jack),
    Action("squat", squat),
    Action("pick up", pick_up, repeats=1),
    Action("bow", bow, repeats=2),
    Action("kick", kick),
    Action("march", march),
    Action("sit down", sit_down, repeats=1),
    Action("stand up", stand_up, repeats=1),
    Action("jump", jump),
    Action("shake hands", shake_hands, shake_hands, gap=0.85),
    Action("push", push, pushed, gap=0.75),
    Action("hug", hug, hug, repeats=1, gap=0.75),
    Action("high five", high_five, high_five, gap=0.9),
)
