"""Bodies as data: joints, bones, parts, mirror pairs.

Everything that depends on a body (masking, augmentation, joint embeddings, pictures) reads it from a `Skeleton`.
Kinect v2 joints, parents, parts and pairs: Shahroudy et al. 2016 (NTU RGB+D, https://arxiv.org/abs/1604.02808);
semantic parts as in SLiM, arXiv 2603.10648, section 3.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from slimlab.skeleton import inference

INFER: Any = None  # a field's default: proposed from names and tree


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A body of V joints.

    names    V joint names, all different.
    parents  V indices, -1 at the one root; index order need not be topological.
    parts    name -> joints in chain order; together they hold every joint once. None: inferred from names and tree.
    mirror   pairs (left, right) of joints; None: inferred from names, no pairs where no name says left or right.
    center   index of the joint that clips are centered on; None: the middle of the spine, or the root.

    Raises ValueError that names the joint which breaks one of these rules.
    """

    names: Sequence[str]
    parents: Sequence[int]
    parts: Mapping[str, Sequence[int]] = INFER
    mirror: Sequence[tuple[int, int]] = INFER
    center: int = INFER

    def __post_init__(self) -> None:
        put = lambda field, value: object.__setattr__(self, field, value)  # noqa: E731  (the dataclass is frozen)
        put("names", tuple(str(n) for n in self.names))
        put("parents", tuple(int(p) for p in self.parents))
        _check_tree(self.names, self.parents)
        mirror = inference.mirror_pairs(self.names) if self.mirror is None else self.mirror
        put("mirror", tuple((int(a), int(b)) for a, b in mirror))
        _check_mirror(self.names, self.mirror)
        parts = self.parts
        if parts is None:
            parts = inference.parts(self.names, self.parents, self.order, self.mirror)
        put("parts", {str(k): tuple(int(j) for j in v) for k, v in parts.items()})
        _check_parts(self.names, self.parts)
        center = inference.center(self.names, self.parents) if self.center is None else int(self.center)
        if not 0 <= center < len(self.names):
            raise ValueError(f"skeleton: center {center} is no joint; give an index in 0..{len(self.names) - 1}")
        put("center", center)

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Skeleton) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def __repr__(self) -> str:
        return f"Skeleton({len(self)} joints, parts: {', '.join(f'{k} {len(v)}' for k, v in self.parts.items())})"

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Topological order: depth first from the root, every parent before its children."""
        children: dict[int, list[int]] = {}
        for joint, parent in enumerate(self.parents):
            children.setdefault(parent, []).append(joint)
        order, stack = [], list(reversed(children.get(-1, [])))
        while stack:
            joint = stack.pop()
            order.append(joint)
            stack.extend(reversed(children.get(joint, [])))
        return tuple(order)

    @property
    def root(self) -> int:
        """Index of the joint without a parent."""
        return self.order[0]

    @property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, joint) of the V - 1 bones, in topological order."""
        return tuple((self.parents[j], j) for j in self.order[1:])

    @cached_property
    def mirror_index(self) -> np.ndarray:
        """(V,) int64: where each joint goes when left and right change places."""
        index = np.arange(len(self))
        for a, b in self.mirror:
            index[a], index[b] = b, a
        return index

    @cached_property
    def part_of(self) -> np.ndarray:
        """(V,) int64: index of each joint's part in the order of `parts`."""
        part = np.zeros(len(self), dtype=np.int64)
        for i, joints in enumerate(self.parts.values()):
            part[list(joints)] = i
        return part

    @cached_property
    def part_groups(self) -> np.ndarray:
        """(parts,) int64: parts that mirror each other share a number, so that both arms are scaled alike."""
        group = np.arange(len(self.parts))
        for i, joints in enumerate(self.parts.values()):
            partner = self.part_of[self.mirror_index[joints[0]]]
            group[i] = min(i, partner)
        return np.unique(group, return_inverse=True)[1]

    @cached_property
    def to_bones(self) -> np.ndarray:
        """(V, V) float32: positions -> bone vectors (joint minus parent; the root keeps its position)."""
        matrix = np.eye(len(self), dtype=np.float32)
        for parent, joint in self.bones:
            matrix[joint, parent] = -1.0
        return matrix

    @cached_property
    def from_bones(self) -> np.ndarray:
        """(V, V) float32, inverse of `to_bones`: forward kinematics as a sum over each joint's ancestors."""
        matrix = np.eye(len(self), dtype=np.float32)
        for parent, joint in self.bones:  # topological, so the parent's row is complete
            matrix[joint] += matrix[parent]
        return matrix

    def side(self, joint: int) -> str:
        """ "left", "right" or "middle", by the mirror pairs."""
        for left, right in self.mirror:
            if joint in (left, right):
                return "left" if joint == left else "right"
        return "middle"

    def to_dict(self) -> dict:
        """Plain lists and numbers, for JSON; `Skeleton(**d)` makes it again."""
        return {
            "names": list(self.names),
            "parents": list(self.parents),
            "parts": {k: list(v) for k, v in self.parts.items()},
            "mirror": [list(pair) for pair in self.mirror],
            "center": self.center,
        }

    def to_json(self) -> str:
        return json.dumps(self.to_dict())


def _check_tree(names: Sequence[str], parents: Sequence[int]) -> None:
    if not names:
        raise ValueError("skeleton: no joints; give at least one name")
    if len(names) != len(parents):
        raise ValueError(f"skeleton: {len(names)} names but {len(parents)} parents; give one parent per joint (-1: root)")
    seen: dict[str, int] = {}
    for joint, (name, parent) in enumerate(zip(names, parents, strict=True)):
        if name in seen:
            raise ValueError(f"skeleton: joints {seen[name]} and {joint} are both called '{name}'; names must differ")
        seen[name] = joint
        if parent == joint or not -1 <= parent < len(names):
            raise ValueError(
                f"skeleton: joint {joint} '{name}' has parent {parent}; give another joint's index, or -1 for the root"
            )
    roots = [i for i, p in enumerate(parents) if p == -1]
    if len(roots) != 1:
        which = ", ".join(f"{i} '{names[i]}'" for i in roots) or "none"
        raise ValueError(f"skeleton: exactly one joint may have parent -1, here: {which}")
    for joint in range(len(names)):
        ancestor, hops = joint, 0
        while ancestor != -1:
            ancestor, hops = parents[ancestor], hops + 1
            if hops > len(names):
                raise ValueError(f"skeleton: joint {joint} '{names[joint]}' hangs in a circle of parents; break the circle")


def _check_mirror(names: Sequence[str], mirror: Sequence[tuple[int, int]]) -> None:
    seen: set[int] = set()
    for pair in mirror:
        for joint in pair:
            if not 0 <= joint < len(names):
                raise ValueError(f"skeleton: mirror pair {pair} names joint {joint}, which does not exist")
            if joint in seen:
                raise ValueError(f"skeleton: joint {joint} '{names[joint]}' stands twice in the mirror pairs")
            seen.add(joint)


def _check_parts(names: Sequence[str], parts: Mapping[str, Sequence[int]]) -> None:
    seen: dict[int, str] = {}
    for part, joints in parts.items():
        if not joints:
            raise ValueError(f"skeleton: part '{part}' is empty; leave it out")
        for joint in joints:
            if not 0 <= joint < len(names):
                raise ValueError(f"skeleton: part '{part}' names joint {joint}, which does not exist")
            if joint in seen:
                raise ValueError(f"skeleton: joint {joint} '{names[joint]}' is in part '{seen[joint]}' and in '{part}'; keep one")
            seen[joint] = part
    for joint, name in enumerate(names):
        if joint not in seen:
            raise ValueError(f"skeleton: joint {joint} '{name}' is in no part; parts must hold every joint once")
