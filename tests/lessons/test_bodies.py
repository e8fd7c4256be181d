"""The checks on bodies take right answers and name the mistakes that readers make."""

import itertools

import numpy as np
import pytest
import torch

from slimlab import lessons
from slimlab.lessons.bodies import RENUMBERED, UPSIDE_DOWN
from slimlab.skeleton import KINECT_V2


def positions(bones, parents):
    out = np.zeros_like(bones)
    for joint in range(len(bones)):
        at = joint
        while at >= 0:
            out[joint] += bones[at]
            at = parents[at]
    return out


def placed_when_the_parent_stands(bones, parents):
    places = {parents.index(-1): bones[parents.index(-1)]}
    while len(places) < len(bones):
        places |= {j: places[p] + bones[j] for j, p in enumerate(parents) if p in places}
    return [list(places[j]) for j in range(len(bones))]


def passes(count, zeros=False):
    def by_number(bones, parents):
        out = np.zeros_like(bones) if zeros else bones.copy()
        for _ in range(count):
            for joint, parent in enumerate(parents):
                out[joint] = bones[joint] + (out[parent] if parent >= 0 else 0)
        return out

    return by_number


def without_root(bones, parents):
    return positions(bones, parents) - bones[list(parents).index(-1)]


def beyond_the_root(bones, parents):
    out = np.zeros_like(bones)
    for joint in range(len(bones)):
        at = joint
        while at != 0:
            out[joint] += bones[at]
            at = parents[at]
        out[joint] += bones[0]
    return out


def in_place(bones, parents):
    bones[:] = positions(bones, parents)
    return bones


def pairs(names):
    other = {i: n.replace("left", "right") for i, n in enumerate(names) if "left" in n}
    return [(i, names.index(n)) for i, n in other.items() if n in names]


def of_prefix(names):
    return [(i, names.index("right_" + n[5:])) for i, n in enumerate(names) if n[:5] == "left_" and "right_" + n[5:] in names]


def without_a_partner(names):
    return [(i, names.index(n.replace("left", "right"))) for i, n in enumerate(names) if "left" in n]


def in_order(names):
    return list(zip(*([i for i, n in enumerate(names) if side in n] for side in ("left", "right")), strict=False))


def variation(joints, skeleton, ddof=0, unknown=np.nan, missing=lambda x: ~x.any(axis=2)):
    seen, out = ~missing(joints), []
    for parent, joint in skeleton.bones:
        both = seen[:, parent] & seen[:, joint]
        length = np.linalg.norm(joints[both, joint] - joints[both, parent], axis=1)
        out.append(length.std(ddof=ddof) / length.mean() if both.any() else unknown)
    return out


def variation_of_all(joints, skeleton):
    parents, ends = np.array(skeleton.bones).T
    length = np.linalg.norm(joints[:, ends] - joints[:, parents], axis=2)
    return length.std(axis=0) / length.mean(axis=0)


def masked_variation(joints, skeleton):
    parents, ends = np.array(skeleton.bones).T
    length = np.linalg.norm(joints[:, ends] - joints[:, parents], axis=2)
    seen = joints.any(axis=2)
    length = np.ma.array(length, mask=~(seen[:, ends] & seen[:, parents]))
    return (length.std(axis=0) / length.mean(axis=0)).filled(np.nan)


def by_number(joints, skeleton):
    return np.array(variation(joints, skeleton))[np.argsort([joint for _, joint in skeleton.bones])]


def meters(joints, skeleton):
    parents, ends = np.array(skeleton.bones).T
    return np.linalg.norm(joints[:, ends] - joints[:, parents], axis=2).std(axis=0)


def whole_frames(joints):
    return np.broadcast_to((~joints.any(axis=2)).any(axis=1, keepdims=True), joints.shape[:2])


def fill(x, there):
    seen, time = np.flatnonzero(there), np.arange(len(x))
    if len(seen) == 0:
        return x
    return np.where((time >= seen[0]) & (time <= seen[-1]), np.interp(time, seen, x[seen]), x)


def fill_slowly(x, there):
    """Gap by gap, without NumPy's interpolation, in a list."""
    out, seen = list(x), [i for i, known in enumerate(there) if known]
    for a, b in itertools.pairwise(seen):
        for i in range(a + 1, b):
            out[i] = x[a] + (x[b] - x[a]) * (i - a) / (b - a)
    return out


def repeated(x, there):
    seen, time = np.flatnonzero(there), np.arange(len(x))
    return np.where(there, x, np.interp(time, seen, x[seen])) if len(seen) else x


def last_seen(x, there):
    out, seen = x.copy(), np.flatnonzero(there)
    for i in np.flatnonzero(~there):
        if len(seen) and seen[0] < i < seen[-1]:
            out[i] = x[seen[seen < i][-1]]
    return out


def test_right_answers_pass(capsys):
    lessons.check_positions(positions)
    lessons.check_positions(placed_when_the_parent_stands)
    lessons.check_positions(passes(40))
    lessons.check_positions(lambda b, p: torch.from_numpy(positions(b, p)).float())
    lessons.check_pairs(pairs)
    lessons.check_pairs(lambda n: np.array(pairs(n)))
    lessons.check_pairs(lambda n: {(a, b) for a, b in reversed(pairs(n))})
    lessons.check_bone_lengths(variation)
    lessons.check_bone_lengths(lambda x, s: np.float32(variation(x, s, ddof=1)))
    lessons.check_bone_lengths(masked_variation)
    lessons.check_fill(fill)
    lessons.check_fill(fill_slowly)
    lessons.check_fill(lambda x, t: np.float32(fill(x, t)))
    assert capsys.readouterr().out.count("✓") == 13


def test_bodies_in_unusual_orders_are_the_same_bodies():
    assert sorted(RENUMBERED.names) == sorted(KINECT_V2.names) and RENUMBERED.names != KINECT_V2.names
    for body in (RENUMBERED, UPSIDE_DOWN):
        assert body.root != 0 and any(parent > joint for joint, parent in enumerate(body.parents))
    tree = {(RENUMBERED.names[p], RENUMBERED.names[j]) for p, j in RENUMBERED.bones}
    assert tree == {(KINECT_V2.names[p], KINECT_V2.names[j]) for p, j in KINECT_V2.bones}


@pytest.mark.parametrize(
    "check, wrong, says",
    [
        (lessons.check_positions, passes(1), "by their numbers, once or a few times"),
        (lessons.check_positions, passes(1, zeros=True), "by their numbers, once or a few times"),
        (lessons.check_positions, passes(2), "by their numbers, once or a few times"),
        (lessons.check_positions, passes(5, zeros=True), "by their numbers, once or a few times"),
        (lessons.check_positions, lambda b, p: b, "gives the bones back"),
        (lessons.check_positions, without_root, "leaves out the root's own place"),
        (lessons.check_positions, beyond_the_root, "-1 marks the root"),
        (lessons.check_positions, in_place, "work on a copy"),
        (lessons.check_positions, lambda b, p: positions(b, p)[::-1], "away from its place"),
        (lessons.check_positions, lambda b, p: None, "returned nothing"),
        (lessons.check_positions, lambda b, p: positions(b, p)[:3], "shape"),
        (lessons.check_pairs, lambda n: [(b, a) for a, b in pairs(n)], "the left joint first"),
        (lessons.check_pairs, lambda n: pairs(n) + [(b, a) for a, b in pairs(n)], "twice, once from each side"),
        (lessons.check_pairs, lambda n: pairs(n) * 2, "more than once"),
        (lessons.check_pairs, lambda n: pairs(n)[1:], "lacks left_shoulder and right_shoulder"),
        (lessons.check_pairs, of_prefix, "lacks clavicle_left and clavicle_right"),
        (lessons.check_pairs, in_order, "no left and right"),
        (lessons.check_pairs, without_a_partner, "stopped in the line"),
        (lessons.check_pairs, lambda n: [*pairs(n), (0, 1)], "no left and right"),
        (lessons.check_pairs, lambda n: [*pairs(n), (0, 99)], "there are joints 0 to 24"),
        (lessons.check_pairs, lambda n: [(n[a], n[b]) for a, b in pairs(n)], "a list of pairs"),
        (lessons.check_pairs, lambda n: 5, "a list of pairs"),
        (lessons.check_pairs, lambda n: None, "returned nothing"),
        (lessons.check_bone_lengths, variation_of_all, "at exactly 0 0 0 it was not seen"),
        (lessons.check_bone_lengths, lambda x, s: variation(x, s, unknown=0.0), "that no frame shows: that is unknown"),
        (
            lessons.check_bone_lengths,
            lambda x, s: variation(x, s, missing=lambda x: (x == 0).any(axis=2)),
            "one coordinate is zero",
        ),
        (lessons.check_bone_lengths, lambda x, s: variation(x, s, missing=whole_frames), "drops every frame"),
        (lessons.check_bone_lengths, by_number, "by their joints' numbers"),
        (lessons.check_bone_lengths, meters, "gives meters"),
        (lessons.check_bone_lengths, lambda x, s: np.full(len(s) - 1, np.nan), "which some frames show"),
        (lessons.check_bone_lengths, lambda x, s: np.full(len(s) - 1, np.inf), "infinity"),
        (lessons.check_bone_lengths, lambda x, s: variation(x, s)[::-1], "variation"),
        (lessons.check_bone_lengths, lambda x, s: np.sqrt(variation(x, s)), "is off by up to"),
        (lessons.check_fill, repeated, "nothing is known there"),
        (lessons.check_fill, lambda x, t: np.where(t, x, 0), "nothing is known there"),
        (lessons.check_fill, lambda x, t: fill(x, x != 0), "values that were seen|there. says what is missing"),
        (lessons.check_fill, lambda x, t: x, "`there` says what is missing"),
        (lessons.check_fill, last_seen, "straight line"),
        (lessons.check_fill, lambda x, t: x * 2, "changes values"),
    ],
)
def test_mistakes_are_named(check, wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        check(wrong)
