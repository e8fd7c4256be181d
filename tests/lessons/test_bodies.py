"""The checks on bodies take right answers and name the mistakes that readers make."""

import numpy as np
import pytest

from slimlab import lessons


def positions(bones, parents):
    out = np.zeros_like(bones)
    for joint in range(len(bones)):
        at = joint
        while at >= 0:
            out[joint] += bones[at]
            at = parents[at]
    return out


def by_number(bones, parents):
    out = bones.copy()
    for joint, parent in enumerate(parents):
        if parent >= 0:
            out[joint] += out[parent]
    return out


def without_root(bones, parents):
    out = positions(bones, parents)
    return out - bones[list(parents).index(-1)]


def pairs(names):
    return [
        (i, names.index(n.replace("left", "right")))
        for i, n in enumerate(names)
        if "left" in n and n.replace("left", "right") in names
    ]


def variation(joints, skeleton):
    out = []
    for parent, joint in skeleton.bones:
        seen = joints[:, parent].any(axis=1) & joints[:, joint].any(axis=1)
        length = np.linalg.norm(joints[seen, joint] - joints[seen, parent], axis=1)
        out.append(length.std() / length.mean())
    return out


def variation_of_all(joints, skeleton):
    parents, ends = np.array(skeleton.bones).T
    length = np.linalg.norm(joints[:, ends] - joints[:, parents], axis=2)
    return length.std(axis=0) / length.mean(axis=0)


def fill(x, there):
    seen, time = np.flatnonzero(there), np.arange(len(x))
    return np.where((time >= seen[0]) & (time <= seen[-1]), np.interp(time, seen, x[seen]), x)


def sides(subjects, digests, held_out):
    testing = np.isin(subjects, held_out)
    copied = np.isin(digests, [d for d in digests[testing] if d])
    return np.flatnonzero(~testing & ~copied), np.flatnonzero(testing)


def with_copies(subjects, digests, held_out):
    testing = np.isin(subjects, held_out)
    return np.flatnonzero(~testing), np.flatnonzero(testing)


def test_right_answers_pass(capsys):
    lessons.check_positions(positions)
    lessons.check_pairs(pairs)
    lessons.check_bone_lengths(variation)
    lessons.check_fill(fill)
    lessons.check_sides(sides)
    assert capsys.readouterr().out.count("✓") == 5


@pytest.mark.parametrize(
    "check, wrong, says",
    [
        (lessons.check_positions, by_number, "hang from joint 20"),
        (lessons.check_positions, lambda b, p: b, "gives the bones back"),
        (lessons.check_positions, without_root, "the root's place too"),
        (lessons.check_positions, lambda b, p: None, "returned nothing"),
        (lessons.check_positions, lambda b, p: positions(b, p)[:3], "shape"),
        (lessons.check_pairs, lambda n: [(b, a) for a, b in pairs(n)], "left joint comes first"),
        (lessons.check_pairs, lambda n: pairs(n)[1:], "lacks left_shoulder and right_shoulder"),
        (lessons.check_pairs, lambda n: [*pairs(n), (0, 1)], "no left and right"),
        (lessons.check_pairs, lambda n: 5, "a list of pairs"),
        (lessons.check_bone_lengths, variation_of_all, "at exactly 0 0 0 it was not seen"),
        (lessons.check_bone_lengths, lambda x, s: variation(x, s)[::-1], "variation"),
        (lessons.check_fill, lambda x, t: np.interp(np.arange(len(x)), np.flatnonzero(t), x[t]), "nothing is known there"),
        (lessons.check_fill, lambda x, t: x, "straight line"),
        (lessons.check_fill, lambda x, t: x * 2, "changes values"),
        (lessons.check_sides, with_copies, "has the digest of a test clip"),
        (lessons.check_sides, lambda s, d, h: sides(s, d, h)[::-1], "the test side is"),
        (lessons.check_sides, lambda s, d, h: (sides(s, d, h)[0][:1], sides(s, d, h)[1]), "leave out copies"),
        (lessons.check_sides, lambda s, d, h: np.isin(s, h), "two arrays"),
    ],
)
def test_mistakes_are_named(check, wrong, says):
    with pytest.raises(lessons.NotYet) as told:
        check(wrong)
    assert says in str(told.value), told.value
