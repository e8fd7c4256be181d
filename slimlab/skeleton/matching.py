"""The same joint on two bodies, by what it is called."""

from __future__ import annotations

from slimlab.skeleton import Skeleton
from slimlab.skeleton.inference import words_of

# words without a side -> the joint that bodies call by several names
SAME = {
    "base spine": "pelvis",
    "spine base": "pelvis",
    "hip center": "pelvis",
    "mid hip": "pelvis",  # OpenPose's
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


# Bodies that call a joint by the bone that begins there (BVH, Mixamo, CMU): their shoulder is the collar bone's
BY_BONE = {
    "shoulder": "collar",
    "arm": "shoulder",
    "fore arm": "elbow",
    "hand": "wrist",
    "up leg": "hip",
    "leg": "knee",
    "foot": "ankle",
    "toe base": "foot",
}
# Bodies that call a joint by the bone that ends there (ASF)
BY_END = {
    "hipjoint": "hip",
    "femur": "knee",
    "tibia": "ankle",
    "clavicle": "shoulder",
    "humerus": "elbow",
    "radius": "wrist",
    "wrist": "hand",
    "hand": "palm",
}
SIDES = {"left": "left", "l": "left", "right": "right", "r": "right"}
# joints that follow from others: the middle of the two
MIDDLES = {
    "pelvis": (("left", "hip"), ("right", "hip")),
    "chest": (("left", "shoulder"), ("right", "shoulder")),
    "spine": (("", "pelvis"), ("", "chest")),
}


def _plain(name: str) -> tuple[str, str]:
    """(side or "", words without the side and without a namespace such as mixamorig:)."""
    words = words_of(name.rsplit(":", 1)[-1])
    side = next((SIDES[w] for w in words if w in SIDES), "")
    return side, " ".join(w for w in words if w not in SIDES)


def _keys(body: Skeleton) -> list[tuple[str, str]]:
    """Of each joint (side or "", its usual name), by the convention of the whole body's names."""
    plain = [_plain(n) for n in body.names]
    sided = {rest for side, rest in plain if side}
    limbs = SAME_LIMB | (BY_BONE if sided >= {"arm", "fore arm", "leg"} else BY_END if sided >= {"femur", "humerus"} else {})
    ankle, foot = "ankle" in sided or limbs.get("tibia") == "ankle", bool({"foot", "feet"} & sided)
    if foot and not ankle:
        limbs = limbs | {"foot": "ankle", "toe base": "foot"}  # Human3.6M's feet are ankles
    if ankle and not foot:
        limbs = limbs | {"toe": "foot"}
    return [(side, (limbs if side else SAME).get(rest, rest)) for side, rest in plain]


def match_joints(body: Skeleton, other: Skeleton) -> list[int | None]:
    """For each joint of `body` the index of the same joint of `other`, by name (hip_center is base_spine), or None."""
    places = {key: i for i, key in reversed(list(enumerate(_keys(other))))}
    return [places.get(key) for key in _keys(body)]


def derived(body: Skeleton, other: Skeleton) -> list[tuple[int, ...] | None]:
    """For each joint of `body` the joints of `other` whose mean it is: itself, or those that it follows from (the pelvis is the
    middle of the hips, the chest of the shoulders, the spine of pelvis and chest); None where neither is there."""
    places: dict[tuple[str, str], tuple[int, ...]] = {key: (i,) for i, key in reversed(list(enumerate(_keys(other))))}
    for name, pair in MIDDLES.items():  # the spine after those that it follows from
        if ("", name) not in places and all(p in places for p in pair):
            first, second = (places[p] for p in pair)
            # of equal weight: pelvis and chest may themselves be one joint or the middle of two
            size = max(len(first), len(second))
            places["", name] = first * (size // len(first)) + second * (size // len(second))
    return [places.get(key) for key in _keys(body)]
