"""The checks of lesson 02 take right answers and name the mistakes that readers make."""

import math

import numpy as np
import pytest
import torch

from slimlab import augment, lessons
from slimlab.skeleton import KINECT_V2, Skeleton


def parents_first(parents):
    order = [parents.index(-1)]
    while len(order) < len(parents):
        order += [j for j, p in enumerate(parents) if p in order and j not in order]
    return order


def scale_bones(joints, parents, factors, order=parents_first):
    out = torch.zeros_like(joints)
    for joint in order(parents):
        parent = parents[joint]
        if parent < 0:
            out[:, joint] = joints[:, joint]
        else:
            out[:, joint] = out[:, parent] + factors[joint] * (joints[:, joint] - joints[:, parent])
    return out


def by_index(joints, parents, factors):
    return scale_bones(joints, parents, factors, lambda parents: range(len(parents)))


def in_place(joints, parents, factors):
    joints[:] = scale_bones(joints, parents, factors)
    return joints


def old_parent(joints, parents, factors):
    out = joints.clone()
    for j, p in enumerate(parents):
        if p >= 0:
            out[:, j] = joints[:, p] + factors[j] * (joints[:, j] - joints[:, p])
    return out


def moves_the_root(joints, parents, factors):
    return scale_bones(joints, parents, factors) + 0.1


def parents_factor(joints, parents, factors):
    return scale_bones(joints, parents, torch.stack([factors[max(p, 0)] for p in parents]))


def repeated(count, begin=torch.zeros_like):
    def function(joints, parents, factors):
        out = begin(joints)
        for joint, parent in [*enumerate(parents)] * count:
            bone = joints[:, joint] - joints[:, parent]
            out[:, joint] = joints[:, joint] if parent < 0 else out[:, parent] + factors[joint] * bone
        return out

    return function


def by_parents_number(joints, parents, factors):
    return scale_bones(joints, parents, factors, lambda parents: sorted(range(len(parents)), key=parents.__getitem__))


def by_ancestors(joints, parents, factors):
    """Along the way to the root, scaled bones added up; as double."""

    def place(joint):
        parent = parents[joint]
        if parent < 0:
            return joints[:, joint].double()
        return place(parent) + factors[joint] * (joints[:, joint] - joints[:, parent]).double()

    return torch.stack([place(joint) for joint in range(len(parents))], dim=1)


def places(joints, parents, factors):
    return joints * factors[:, None]


def places_around_the_root(joints, parents, factors):
    root = joints[:, [parents.index(-1)]]
    return root + (joints - root) * factors[:, None]


def test_bone_scaling_right(capsys):
    lessons.check_bone_scaling(scale_bones)
    lessons.check_bone_scaling(by_ancestors)
    lessons.check_bone_scaling(repeated(30))
    assert capsys.readouterr().out.count("✓") == 3


def test_bone_scaling_by_the_library_is_right():
    """The check's own reference agrees with `augment.scale_bones`."""

    def library(joints, parents, factors):
        body = Skeleton(
            [f"j{i}" for i in range(len(parents))],
            parents,
            {f"p{i}": (i,) for i in range(len(parents))},
            (),
            parents.index(-1),
        )
        return augment.scale_bones(joints.permute(2, 0, 1)[None, ..., None], body, factors[None])[0, ..., 0].permute(1, 2, 0)

    lessons.check_bone_scaling(library)


@pytest.mark.parametrize(
    "function, says",
    [
        (by_index, "moves 14 of 25 joints although every factor is 1: it rebuilds joints in index order"),
        (repeated(2), "2 times, which does not suffice"),
        (repeated(4), "4 times, which does not suffice"),
        (repeated(1, torch.clone), "takes the old place of a parent that comes later"),
        (repeated(3, torch.clone), "3 times, which does not suffice"),
        (by_parents_number, "in the order of their parents' numbers"),
        (in_place, "work on a new tensor"),
        (old_parent, "parent's old place"),
        (moves_the_root, "moves the root"),
        (parents_factor, "the parent's factor"),
        (places, "scales places|moves the root"),
        (places_around_the_root, "scales places"),
        (lambda joints, parents, factors: joints + 0.0, "beside its place"),
        (lambda *a: scale_bones(*a)[0], "shape"),
        (lambda *a: None, "returned nothing"),
    ],
)
def test_bone_scaling_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_bone_scaling(function)


def mirror(joints, pairs):
    index = list(range(joints.shape[1]))
    for a, b in pairs:
        index[a], index[b] = b, a
    return joints[:, index] * torch.tensor([-1.0, 1.0, 1.0])


def no_swap(joints, pairs):
    return joints * torch.tensor([-1.0, 1.0, 1.0])


def no_sign(joints, pairs):
    return -mirror(joints, pairs) * torch.tensor([1.0, -1.0, -1.0])


def wrong_axis(axis):
    sign = torch.ones(3)
    sign[0], sign[axis] = -1, -1
    return lambda joints, pairs: mirror(joints, pairs) * sign


def overwritten(joints, pairs):
    out = no_swap(joints, pairs)
    for a, b in pairs:
        out[:, a], out[:, b] = out[:, b], out[:, a]  # both sides of the assignment are views of `out`
    return out


def middle_forgotten(joints, pairs):
    out = joints.clone()
    for a, b in pairs:
        out[:, a], out[:, b] = (joints[:, i] * torch.tensor([-1.0, 1.0, 1.0]) for i in (b, a))
    return out


def changes_its_input(joints, pairs):
    out = mirror(joints, pairs)
    joints[:, :, 0] *= -1
    return out


def test_mirror_right():
    lessons.check_mirror(mirror)
    lessons.check_mirror(lambda joints, pairs: mirror(joints.double(), pairs).double())


@pytest.mark.parametrize(
    "function, says",
    [
        (no_swap, "swap the pairs too"),
        (no_sign, "negate the first coordinate"),
        (lambda joints, pairs: joints, "gives back"),
        (wrong_axis(1), "y, which points up"),
        (wrong_axis(2), "z, which points away"),
        (overwritten, "overwritten"),
        (middle_forgotten, "without a partner"),
        (changes_its_input, "new tensor"),
        (lambda joints, pairs: mirror(joints, pairs[:-1]), "differs from the library"),
    ],
)
def test_mirror_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_mirror(function)


def local_interval(start, span, low, high, shortest, rng):
    length = min(span, max(shortest, round(rng.uniform(low, high) * span)))
    return start + rng.integers(span - length + 1), length


def changed(**wrong):
    def function(start, span, low, high, shortest, rng):
        whole = start + span if wrong.get("of_clip") else span
        part = low if wrong.get("fixed") else rng.uniform(low, high) ** wrong.get("power", 1)
        part = rng.choice([low, high]) if wrong.get("two_lengths") else part
        length = wrong.get("whole", round)(part * whole)
        length = length if wrong.get("too_short") else max(shortest, length)
        length = min(span, length)
        places = span - length + (0 if wrong.get("off_by_one") else 1)
        begin = rng.integers(span + 1) if wrong.get("too_far") else rng.integers(max(1, places))
        begin = (span - length) // 2 if wrong.get("centered") else begin
        begin = min(begin, rng.integers(max(1, places))) if wrong.get("early") else begin
        begin = rng.choice([0, span - length]) if wrong.get("ends") else begin
        begin = round((begin + rng.integers(max(1, places))) / 2) if wrong.get("middle") else begin
        begin = round(rng.uniform(0, span - length)) if wrong.get("rounded_place") else begin
        return begin + (0 if wrong.get("from_zero") else start), length

    return function


def other_draws(start, span, low, high, shortest, rng):
    """The same rule with other calls of the generator, and a list of floats."""
    begins_from = rng.random()
    length = int(np.clip(np.floor((low + (high - low) * rng.random()) * span + 0.5), min(shortest, span), span))
    return [float(start + int(begins_from * (span - length + 1))), float(length)]


def test_local_interval_right():
    lessons.check_local_interval(local_interval)
    lessons.check_local_interval(lambda *a: tuple(np.array(local_interval(*a))))
    lessons.check_local_interval(lambda *a: torch.tensor(local_interval(*a)))
    lessons.check_local_interval(other_draws)


@pytest.mark.parametrize(
    "function, says",
    [
        (changed(from_zero=True), "add start"),
        (changed(too_far=True), "the room is span - length"),
        (changed(off_by_one=True), "never reaches the last frame"),
        (changed(of_clip=True), "of span, not of the clip|at most|mean length"),
        (changed(fixed=True), "draw the part uniformly"),
        (changed(two_lengths=True), "every length has its chance"),
        (changed(whole=int), "neither cut off nor rounded up"),
        (changed(whole=math.ceil), "neither cut off nor rounded up"),
        (changed(too_short=True), "at least"),
        (changed(ends=True), "begins at either end and nowhere between"),
        (changed(middle=True), "favors the middle"),
        (changed(rounded_place=True), "favors the middle"),
        (changed(centered=True), "same place"),
        (changed(early=True), "favors one end"),
        (changed(power=2), "at least|mean length"),
        (lambda *a: (a[0] + 0.5, a[1]), "a pair of whole numbers"),
        (lambda *a: 3, "a pair of whole numbers"),
        (lambda *a: (a[0], a[1] + 5), "no view is longer"),
    ],
)
def test_local_interval_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_local_interval(function)


def test_the_story_of_the_lesson_is_about_kinect_v2():
    assert [j for j, p in enumerate(KINECT_V2.parents) if p > j] == [2, 4, 8]
    x = torch.randn(1, 3, 5, 25, 1, generator=torch.Generator().manual_seed(0))
    off = (lessons.released_scaling(x, KINECT_V2, torch.ones(1, 5)) - x).abs().amax(dim=(0, 1, 2, 4))
    assert int((off > 1e-3).sum()) == 14
