"""The same joint on two bodies, by what it is called."""

from __future__ import annotations

from slimlab.skeleton import Skeleton
from slimlab.skeleton.inference import words_of

# words without a side -> the joint that bodies call by several names
SAME = {
    "base spine": "pelvis",
    "spine base": "pelvis",
    "hip center": "pelvis",
    "hip": "pelvis",  # without a side
    "waist": "pelvis",
    "hips": "pelvis",
    "middle spine": "spine",
    "spine mid": "spine",
    "spine middle": "spine",
    "spine shoulder": "chest",
    "shoulder center": "chest",
    "thorax": "chest",
}
SAME_LIMB = {  # with a side
    "upper arm": "shoulder",
    "forearm": "elbow",
    "upper leg": "hip",
    "lower leg": "knee",
    "leg toes": "toes",
}


def _key(name: str) -> tuple[str, str]:
    """(side or "", the joint's usual name)."""
    sides = {"left": "left", "l": "left", "right": "right", "r": "right"}
    words = words_of(name)
    side = next((sides[w] for w in words if w in sides), "")
    rest = " ".join(w for w in words if w not in sides)
    return side, (SAME_LIMB if side else SAME).get(rest, rest)


def counterparts(body: Skeleton, other: Skeleton) -> list[int | None]:
    """For each joint of `body` the index of the same joint of `other`, by name (hip_center is base_spine), or None."""
    places = {_key(n): i for i, n in reversed(list(enumerate(other.names)))}
    return [places.get(_key(n)) for n in body.names]
