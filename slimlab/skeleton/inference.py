"""Proposals for an unknown body: mirror pairs from joint names, parts and center from names and the tree.

What is proposed is shown to the user to correct (`Skeleton(..., parts=, mirror=, center=)` overrides each).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

ARM = "shoulder elbow wrist hand thumb finger index middlefinger pinky arm uparm forearm lowarm clavicle collar palm".split()
ARM += ["humerus", "radius", "fingers"]  # CMU's bones
LEG = "hip knee ankle foot feet toe toes toebase leg upleg lowleg thigh shin calf heel femur tibia hipjoint".split()
SWAP = {"left": "right", "right": "left", "l": "r", "r": "l"}


def words_of(name: str) -> list[str]:
    """'LeftUpLeg', 'l_hip', 'hip.L', 'LHip' and 'lhip' -> lower-case words, the side apart."""
    spaced = re.sub(r"([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])", r"\1\3 \2\4", name)
    words: list[str] = []
    for word in re.split(r"[^A-Za-z0-9]+", spaced.lower()):
        glued = re.fullmatch(r"(left|right|l|r)(.+)", word)
        if glued and glued[2].rstrip("0123456789") in ARM + LEG + ["eye", "ear", "up", "low"]:
            words += [glued[1], glued[2]]
        elif (tail := re.fullmatch(r"(.+?)(left|right)", word)) is not None:
            words += [tail[1], tail[2]]
        elif word:
            words.append(word)
    return words


def _swapped(name: str) -> tuple[str, ...] | None:
    words = words_of(name)
    out = tuple(SWAP.get(w, w) for w in words)
    return out if out != tuple(words) else None


def _is_left(name: str) -> bool:
    return bool({"left", "l"} & set(words_of(name)))


def mirror_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (left, right) by name. Branches that look alike are no pair unless their names say so: fingers look alike, too."""
    by_words = {tuple(words_of(n)): i for i, n in enumerate(names)}
    pairs = []
    for joint, name in enumerate(names):
        other = by_words.get(_swapped(name) or ())
        if other is not None and _is_left(name):
            pairs.append((joint, other))
    return pairs


def _limb(name: str) -> str | None:
    words = {w.rstrip("0123456789") for w in words_of(name)}
    if words & set(LEG):
        return "leg"
    return "arm" if words & set(ARM) else None


def parts(
    names: Sequence[str], parents: Sequence[int], order: Sequence[int], mirror: Sequence[tuple[int, int]]
) -> dict[str, list[int]]:
    """Trunk, arms and legs; joints in chain order (parents first). Limbs without a telling name get numbers."""
    side = {j: s for pair in mirror for j, s in zip(pair, ("left", "right"), strict=True)}
    kind: dict[int, str] = {}
    for joint in order:
        above = kind.get(parents[joint], "trunk")
        if joint not in side:
            # an unsided joint below a limb (a nameless finger, say) belongs to that limb
            kind[joint] = above
        elif (limb := _limb(names[joint])) is not None:
            kind[joint] = f"{side[joint]} {limb}"
        else:
            kind[joint] = above
    if set(kind.values()) == {"trunk"}:
        kind = _branches(parents, order, side)
    found: dict[str, list[int]] = {}
    for joint in order:
        found.setdefault(kind[joint], []).append(joint)
    usual = ["trunk", "left arm", "right arm", "left leg", "right leg"]
    return {k: found[k] for k in usual + [k for k in found if k not in usual] if k in found}


def _branches(parents: Sequence[int], order: Sequence[int], side: dict[int, str]) -> dict[int, str]:
    """Names say nothing: each mirrored branch is a limb; with no mirrored branch, each branch below a fork is one."""
    forks = {p for p in parents if p >= 0 and list(parents).count(p) > 1}
    kind: dict[int, str] = {}
    limbs: list[str] = []
    for joint in order:
        parent = parents[joint]
        starts = (joint in side and parent not in side) if side else parent in forks
        if starts:
            limbs.append(f"limb {len(limbs) + 1}")
            kind[joint] = limbs[-1]
        else:
            kind[joint] = kind.get(parent, "trunk")
    return kind


def center(names: Sequence[str], parents: Sequence[int]) -> int:
    """The middle of the spine where a name says so, else the root."""
    words = [set(words_of(n)) for n in names]
    for wanted in ({"spine", "mid"}, {"spine", "middle"}, {"spine"}, {"torso"}, {"spine1"}, {"pelvis"}):
        for joint, have in enumerate(words):
            if wanted <= have and not have & {"shoulder", "base", "left", "right"}:
                return joint
    return list(parents).index(-1)
