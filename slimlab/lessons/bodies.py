"""Checks of the exercises on bodies and their faults: forward kinematics, parts along a chain, gaps, a split by subjects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from slimlab.lessons.asking import NotYet, attempt, expect, passed
from slimlab.skeleton import COCO, H36M, KINECT_V1, KINECT_V2, Skeleton


def check_positions(function: Callable[..., np.ndarray]) -> None:
    """function(bones (V, 3), parents) -> (V, 3): joints' places from the vectors of their bones; the root's is its place.

    Compared with `Skeleton.from_bones` on bodies whose order is topological and on Kinect v2, whose order is not. Raises NotYet.
    """
    dice = np.random.default_rng(3)
    for body in (KINECT_V1, KINECT_V2, COCO):
        bones = dice.normal(size=(len(body), 3))
        before = bones.copy()
        got = _array(attempt(function, bones, list(body.parents)), "positions", (len(body), 3))
        expect(np.array_equal(bones, before), "positions changes the bones that it was given: work on a copy.")
        wanted = body.from_bones @ bones
        if np.allclose(got, wanted, atol=1e-5):
            continue
        expect(
            not np.allclose(got, bones), "positions gives the bones back: a joint stands where its parent stands, plus its bone."
        )
        in_order = bones.copy()
        for joint, parent in enumerate(body.parents):
            if parent >= 0:
                in_order[joint] += in_order[parent]
        expect(
            not np.allclose(got, in_order),
            "positions goes through the joints by their numbers: on Kinect v2 joints 2, 4 and 8 hang from joint 20, which is not "
            "placed yet. Place a joint when its parent stands, or sum the bones of all its ancestors.",
        )
        worst = int(np.abs(got - wanted).max(axis=1).argmax())
        expect(
            False,
            f"positions puts '{body.names[worst]}' {np.linalg.norm(got[worst] - wanted[worst]):.2f} m away from its place: "
            "follow the parents up to the root, and add every bone on the way, the root's place too.",
        )
    passed("Forward kinematics: every joint stands where its chain of bones ends, whatever the order of the joints.", function)


def check_pairs(function: Callable[..., Sequence[tuple[int, int]]]) -> None:
    """function(names) -> pairs (left, right) of joint numbers, by the names alone.

    Compared with the declared pairs of four bodies and with names in other spellings. Raises NotYet.
    """
    for body in (KINECT_V2, KINECT_V1, H36M, COCO):
        _same_pairs(attempt(function, list(body.names)), body.mirror, body.names)
    shuffled = ["right_knee", "head", "left_hip", "left_knee", "right_hip", "left_ear"]
    _same_pairs(attempt(function, list(shuffled)), ((2, 4), (3, 0)), shuffled)
    passed("Mirror pairs: each left joint has its right one, and what has no partner is left alone.", function)


def _same_pairs(got: Sequence[tuple[int, int]], wanted: Sequence[tuple[int, int]], names: Sequence[str]) -> None:
    try:
        pairs = {(int(a), int(b)) for a, b in got}
    except (TypeError, ValueError):
        raise NotYet(f"pairs returned {got!r:.60}: a list of pairs of joint numbers (left, right) is asked for.") from None
    flipped = pairs - set(wanted) & {(b, a) for a, b in wanted}
    expect(not flipped or pairs != {(b, a) for a, b in wanted}, "pairs gives (right, left): the left joint comes first.")
    for a, b in pairs - set(wanted):
        known = all(0 <= j < len(names) for j in (a, b))
        expect(
            False, f"pairs holds {(a, b)}" + (f", {names[a]} and {names[b]}" if known else "") + ": that is no left and right."
        )
    missing = set(wanted) - pairs
    if missing:
        a, b = sorted(missing)[0]
        expect(False, f"pairs lacks {names[a]} and {names[b]}: look for the name in which 'left' has become 'right'.")


def check_bone_lengths(function: Callable[..., np.ndarray]) -> None:
    """function(joints (T, V, 3), skeleton) -> (V - 1,): how much each bone's length varies over time, sd over mean.

    In the order of `skeleton.bones`; a frame in which one end is missing (0 0 0) does not count. Compared with a loop.
    Raises NotYet.
    """
    dice = np.random.default_rng(5)
    for body, missing in ((KINECT_V1, False), (KINECT_V2, False), (KINECT_V2, True)):
        x = body.from_bones @ dice.normal(size=(30, len(body), 3)) * dice.uniform(0.9, 1.1, (30, 1, 1)) + 5
        if missing:
            x[3:9, 7] = 0
        got = _array(attempt(function, x.copy(), body), "variation", (len(body) - 1,))
        wanted, careless = (_variation(x, body, skip) for skip in (True, False))
        if np.allclose(got, wanted, rtol=0.03, atol=1e-6):  # sd with N or N - 1
            continue
        expect(
            not np.allclose(got, careless, rtol=0.03, atol=1e-6),
            "variation counts frames in which a joint is missing: at exactly 0 0 0 it was not seen, its bones have no length.",
        )
        sizes = np.array([np.linalg.norm(x[:, j] - x[:, p], axis=1).std() for p, j in body.bones])
        expect(not np.allclose(got, sizes, rtol=0.05), "variation gives metres: divide by the bone's mean length.")
        expect(
            False, f"variation is off by up to {np.abs(got - wanted).max():.2g}: sd over time of a bone's length, over its mean."
        )
    passed("Bone lengths: a body's bones keep their length, and what varies is the sensor's fault.", function)


def _variation(x: np.ndarray, body: Skeleton, skip: bool) -> np.ndarray:
    out = []
    for parent, joint in body.bones:
        seen = x[:, parent].any(axis=1) & x[:, joint].any(axis=1) if skip else np.ones(len(x), dtype=bool)
        length = np.linalg.norm(x[seen, joint] - x[seen, parent], axis=1)
        out.append(length.std() / length.mean())
    return np.array(out)


def check_fill(function: Callable[..., np.ndarray]) -> None:
    """function(x (T,), there (T,) bool) -> (T,): missing values between two seen ones on a straight line, the rest as it is.

    Compared with NumPy's interpolation; before the first and after the last seen value nothing is made up. Raises NotYet.
    """
    dice = np.random.default_rng(2)
    for frames in (12, 30):
        x = dice.normal(size=frames)
        there = dice.random(frames) < 0.6
        there[[0, 1, frames - 1]] = False
        there[[2, 6, frames - 3]] = True
        given = np.where(there, x, 0.0)
        got = _array(attempt(function, given.copy(), there.copy()), "fill", (frames,))
        seen = np.flatnonzero(there)
        inside = (np.arange(frames) > seen[0]) & (np.arange(frames) < seen[-1])
        wanted = np.where(inside | there, np.interp(np.arange(frames), seen, x[seen]), 0.0)
        expect(np.allclose(got[there], given[there]), "fill changes values that were seen: only the missing ones are made up.")
        expect(
            np.allclose(got[~inside & ~there], 0),
            "fill makes up values before the first or after the last one seen: nothing is known there, leave the zeros.",
        )
        expect(np.allclose(got, wanted), "fill's gaps are no straight line from the last seen value to the next one.")
    passed("Gaps: filled between what was seen, and nowhere else.", function)


def check_sides(function: Callable[..., tuple]) -> None:
    """function(subjects (N,), digests (N,), held_out) -> (train, test), arrays of clip numbers: nobody and nothing on both sides.

    held_out subjects test, the others train; a training clip whose digest also tests is left out. Raises NotYet.
    """
    subjects = np.array([1, 1, 2, 3, 3, 4, 2, 4])
    digests = np.array(["a", "b", "c", "d", "a", "e", "e", ""], dtype=object)
    for held_out in ([3, 4], [1]):
        got = attempt(function, subjects.copy(), digests.copy(), list(held_out))
        expect(isinstance(got, tuple) and len(got) == 2, "sides has to return two arrays: (train, test), numbers of clips.")
        try:
            train, test = ({int(i) for i in np.asarray(side).ravel()} for side in got)
        except (TypeError, ValueError):
            raise NotYet("sides has to return two arrays of clip numbers.") from None
        masks = any(np.asarray(side).dtype == bool for side in got)
        expect(not masks, "sides returned masks: give the clips' numbers, with np.flatnonzero.")
        wanted_test = {i for i, s in enumerate(subjects) if s in held_out}
        expect(test == wanted_test, f"the test side is {sorted(test)}: all clips of the subjects {held_out}, and no other.")
        both = {int(subjects[i]) for i in train} & set(held_out)
        expect(not both, f"subject {min(both, default=0)} is on both sides: who tests does not train.")
        copies = {i for i in train if digests[i] and digests[i] in {digests[j] for j in test}}
        expect(
            not copies,
            f"training clip {min(copies, default=0)} has the digest of a test clip: the very same coordinates are on both sides.",
        )
        wanted = {
            i for i in range(len(subjects)) if i not in test and (not digests[i] or digests[i] not in {digests[j] for j in test})
        }
        expect(train == wanted, f"the training side is {sorted(train)}: leave out copies of test clips and nothing else.")
    passed("Sides: no subject and no copy on both of them.", function)


def _array(value: object, name: str, shape: tuple[int, ...]) -> np.ndarray:
    expect(value is not None, f"{name} returned nothing: end it with a line `return …`.")
    try:
        got = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise NotYet(f"{name} returned a {type(value).__name__}: an array of numbers is asked for.") from None
    expect(got.shape == shape, f"{name} returned the shape {got.shape}: {shape} is asked for.")
    expect(bool(np.isfinite(got).all()), f"{name} returned numbers that are infinite or NaN.")
    return got
