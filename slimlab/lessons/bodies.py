"""Checks of the exercises on bodies and their faults: forward kinematics, mirror pairs, bone lengths, gaps, splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from slimlab.lessons.asking import NotYet, attempt, expect, passed
from slimlab.skeleton import AZURE_KINECT_32, COCO, H36M, KINECT_V1, KINECT_V2, MEDIAPIPE_33, Skeleton

# a chain numbered from the tip to the root: the hardest order there is, as each joint comes before its parent
LINKS = 9
UPSIDE_DOWN = Skeleton(
    [*(f"link {i}" for i in range(1, LINKS)), "root"], (*range(1, LINKS), -1), {"all": range(LINKS)[::-1]}, (), LINKS - 1
)


def _renumbered(body: Skeleton, seed: int) -> Skeleton:
    """The same body with its joints listed in a random order."""
    order: list[int] = np.random.default_rng(seed).permutation(len(body)).tolist()
    place: list[int] = np.argsort(order).tolist()
    return Skeleton(
        [body.names[j] for j in order],
        [-1 if body.parents[j] < 0 else place[body.parents[j]] for j in order],
        {part: [place[j] for j in joints] for part, joints in body.parts.items()},
        [(place[a], place[b]) for a, b in body.mirror],
        int(place[body.center]),
    )


RENUMBERED = _renumbered(KINECT_V2, 7)


class _Parents(list):
    """A list of parents that has no entry -1, so that a walk beyond the root ends with a sentence and not never."""

    def __getitem__(self, index):
        """As a list's. Raises IndexError for a negative index."""
        if not isinstance(index, slice) and index < 0:
            raise IndexError(f"parents[{index}] was read: -1 marks the root and is no joint")
        return super().__getitem__(index)


def check_positions(function: Callable[..., np.ndarray]) -> None:
    """function(bones (V, 3), parents) -> (V, 3): joints' places from the vectors of their bones; the root's is its place.

    Compared with `Skeleton.from_bones` on bodies in the order of the tree, against it and in a random order. Raises NotYet.
    """
    dice = np.random.default_rng(3)
    for body in (KINECT_V1, RENUMBERED, UPSIDE_DOWN, COCO):
        bones = dice.normal(size=(len(body), 3))
        before = bones.copy()
        got = _array(attempt(function, bones, _Parents(body.parents)), "positions", (len(body), 3))
        expect(np.array_equal(bones, before), "positions changes the bones that it was given: work on a copy.")
        wanted = body.from_bones @ bones
        if np.allclose(got, wanted, atol=1e-4):
            continue
        expect(
            not np.allclose(got, bones), "positions gives the bones back: a joint stands where its parent stands, plus its bone."
        )
        expect(
            not np.allclose(got, wanted - bones[body.root], atol=1e-4),
            "positions leaves out the root's own place: every joint's sum ends with it.",
        )
        _name_the_passes(got, bones, body)
        worst = int(np.abs(got - wanted).max(axis=1).argmax())
        expect(
            False,
            f"positions puts '{body.names[worst]}' {np.linalg.norm(got[worst] - wanted[worst]):.2f} m away from its place: "
            "follow the parents up to the root, and add every bone on the way, the root's place too.",
        )
    passed("Forward kinematics: every joint stands where its chain of bones ends, whatever the order of the joints.", function)


def _name_the_passes(got: np.ndarray, bones: np.ndarray, body: Skeleton) -> None:
    """Raise NotYet where the answer is one pass over the joints' numbers, or several that are too few."""
    for begin in (bones, np.zeros_like(bones)):
        places = begin.copy()
        for _ in range(1, len(body)):
            for joint, parent in enumerate(body.parents):
                places[joint] = bones[joint] + (places[parent] if parent >= 0 else 0)
            expect(
                not np.allclose(got, places, atol=1e-4),
                "positions goes through the joints by their numbers, once or a few times: in some bodies a parent comes after "
                "its child. Place a joint once its parent stands, or sum the bones of all its ancestors.",
            )


def check_pairs(function: Callable[..., Sequence[tuple[int, int]]]) -> None:
    """function(names) -> pairs (left, right) of joint numbers, by the names alone.

    Compared with the pairs of seven bodies and with names in other spellings and orders. Raises NotYet.
    """
    for body in (KINECT_V2, KINECT_V1, H36M, COCO, RENUMBERED, AZURE_KINECT_32, MEDIAPIPE_33):
        _same_pairs(attempt(function, list(body.names)), body.mirror, body.names)
    alone = ["right_knee", "head", "left_hip", "left_knee", "right_hip", "left_ear", "right_toe", "tip.right", "tip.left"]
    _same_pairs(attempt(function, list(alone)), ((2, 4), (3, 0), (8, 7)), alone)
    passed("Mirror pairs: each left joint has its right one, and what has no partner is left alone.", function)


def _same_pairs(got: Sequence[tuple[int, int]], wanted: Sequence[tuple[int, int]], names: Sequence[str]) -> None:
    expect(got is not None, "pairs returned nothing: end it with a line `return …`.")
    try:
        given = [(int(a), int(b)) for a, b in got]
    except (TypeError, ValueError):
        raise NotYet(f"pairs returned {got!r:.60}: a list of pairs of joint numbers (left, right) is asked for.") from None
    pairs, right = set(given), set(wanted)
    for a, b in given:
        known = all(0 <= j < len(names) for j in (a, b))
        expect(known, f"pairs holds {(a, b)}: there are joints 0 to {len(names) - 1}.")
        if (b, a) in right:
            twice = (b, a) in pairs
            what = f"holds {names[b]} and {names[a]} twice, once from each side" if twice else f"gives ({names[a]}, {names[b]})"
            expect(False, f"pairs {what}: each pair is asked for once, the left joint first.")
        expect((a, b) in right, f"pairs holds {(a, b)}, {names[a]} and {names[b]}: that is no left and right.")
    for a, b in sorted(right - pairs):
        expect(False, f"pairs lacks {names[a]} and {names[b]}: look for the name in which 'left' has become 'right'.")
    if len(given) > len(pairs):
        a, b = next(pair for pair in given if given.count(pair) > 1)
        expect(False, f"pairs holds {names[a]} and {names[b]} more than once: each pair is asked for once.")


def check_bone_lengths(function: Callable[..., np.ndarray]) -> None:
    """function(joints (T, V, 3), skeleton) -> (V - 1,): how much each bone's length varies over time, sd over mean.

    In the order of `skeleton.bones`; a frame in which one end is missing (0 0 0) does not count, and a bone that no frame shows
    is NaN. Compared with a loop. Raises NotYet.
    """
    dice = np.random.default_rng(5)
    for body, missing in ((KINECT_V1, ""), (KINECT_V2, ""), (RENUMBERED, "some"), (KINECT_V2, "some"), (UPSIDE_DOWN, "always")):
        x = body.from_bones @ dice.normal(size=(30, len(body), 3)) * dice.uniform(0.9, 1.1, (30, 1, 1)) + 5
        x[10:20, 5, 2] = 0  # seen: one coordinate may be zero
        if missing:
            x[slice(None) if missing == "always" else slice(3, 9), 7] = 0
        got = _array(attempt(function, x.copy(), body), "variation", (len(body) - 1,), unknown=True)
        wanted = _variation(x, body)
        if _like(got, wanted):
            continue
        _name_the_variation_mistake(got, wanted, x, body)
    passed("Bone lengths: a body's bones keep their length, and what varies is the sensor's fault.", function)


def _name_the_variation_mistake(got: np.ndarray, wanted: np.ndarray, x: np.ndarray, body: Skeleton) -> None:
    known = ~np.isnan(wanted)
    expect(
        not (_like(got[known], wanted[known]) and not np.isnan(got[~known]).any()),
        f"variation gives {got[~known][:1]} for a bone that no frame shows: that is unknown, np.nan.",
    )
    ends = np.array([joint for _, joint in body.bones])
    names = [f"{body.names[p]} to {body.names[j]}" for p, j in body.bones]
    if np.isnan(got[known]).any():
        expect(False, f"variation gives NaN for {names[int((known & np.isnan(got)).argmax())]}, which some frames show.")
    expect(
        not _like(got, _variation(x, body, lambda seen: np.ones_like(seen))),
        "variation counts frames in which a joint is missing: at exactly 0 0 0 it was not seen, its bones have no length.",
    )
    expect(
        not _like(got, _variation(x, body, lambda seen: np.broadcast_to(seen.all(axis=1, keepdims=True), seen.shape))),
        "variation drops every frame in which any joint is missing: only that joint's bones have no length there.",
    )
    nonzero = (x != 0).all(axis=2)
    expect(
        not _like(got, _variation(x, body, lambda seen: nonzero)),
        "variation takes a joint for missing where one coordinate is zero: it is missing where all three are.",
    )
    by_number = np.argsort(ends)
    expect(not _like(got, wanted[by_number]), "variation gives the bones by their joints' numbers: the order of skeleton.bones.")
    seen = np.asarray(x.any(axis=2))
    size = [np.linalg.norm(x[s, j] - x[s, p], axis=1) for p, j in body.bones if (s := seen[:, p] & seen[:, j]).any()]
    deviation, mean = (np.array([of(v) for v in size]) for of in (np.std, np.mean))
    expect(
        not any(_like(got[known], wrong) for wrong in (deviation, np.array([v.std(ddof=1) for v in size]))),
        "variation gives meters: divide by the bone's mean length.",
    )
    expect(not _like(got[known], mean), "variation gives mean lengths: the standard deviation over time, divided by the mean.")
    off = np.abs(got - wanted)[known]
    expect(
        False,
        f"variation is off by up to {off.max():.2g}, for {np.array(names)[known][off.argmax()]}: the standard deviation over "
        "time of a bone's length, divided by its mean.",
    )


def _variation(x: np.ndarray, body: Skeleton, change: Callable[[np.ndarray], np.ndarray] = lambda seen: seen) -> np.ndarray:
    """The right answer; `change` makes a wrong one out of what was seen (T, V)."""
    seen, out = change(np.asarray(x.any(axis=2))), np.full(len(body) - 1, np.nan)
    for i, (parent, joint) in enumerate(body.bones):
        both = seen[:, parent] & seen[:, joint]
        if both.any():
            length = np.linalg.norm(x[both, joint] - x[both, parent], axis=1)
            out[i] = length.std() / length.mean() if length.any() else 0.0
    return out


def _like(got: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether both agree up to the divisor of the standard deviation, N or N - 1, the same for all."""
    both = ~np.isnan(wanted)
    if not np.array_equal(np.isnan(got), ~both):
        return False
    ratio = got[both] / np.where(wanted[both] == 0, 1, wanted[both])
    return bool(((ratio > 1 - 1e-3) & (ratio < (30 / 29) ** 0.5 + 0.02)).all()) and (
        np.allclose(ratio, 1, atol=1e-3) or bool((ratio > 1.01).all())
    )


def check_fill(function: Callable[..., np.ndarray]) -> None:
    """function(x (T,), there (T,) bool) -> (T,): missing values between two seen ones on a straight line, the rest as it is.

    Compared with NumPy's interpolation; before the first and after the last seen value nothing is made up. A seen value may be
    zero, and a missing one any number: `there` decides. Raises NotYet.
    """
    dice = np.random.default_rng(2)
    for frames, some in ((12, 3), (30, 9), (8, 1), (5, 0)):
        there = np.zeros(frames, dtype=bool)
        there[2 + dice.permutation(frames - 4)[:some]] = True
        x = np.where(there, dice.normal(size=frames), 99.0)  # what a sensor writes where it sees nothing
        if some > 2:
            x[np.flatnonzero(there)[1]] = 0.0
        got = _array(attempt(function, x.copy(), there.copy()), "fill", (frames,))
        seen, time = np.flatnonzero(there), np.arange(frames)
        wanted, inside = x, np.zeros(frames, dtype=bool)
        if some:
            inside = (time > seen[0]) & (time < seen[-1]) & ~there
            wanted = np.where(inside, np.interp(time, seen, x[seen]), x)
        if np.allclose(got, wanted, atol=1e-5):
            continue
        expect(
            np.allclose(got[there], x[there], atol=1e-5), "fill changes values that were seen: only the missing ones are made up."
        )
        outside = ~inside & ~there
        expect(
            np.allclose(got[outside], x[outside], atol=1e-5),
            "fill changes values before the first or after the last one seen: nothing is known there, leave them as they are.",
        )
        expect(
            not np.allclose(got[inside], x[inside]),
            "fill leaves a gap as it was: `there` says what is missing, whatever number stands in x.",
        )
        expect(False, "fill's gaps are no straight line from the last seen value to the next one.")
    passed("Gaps: filled between what was seen, and nowhere else.", function)


def _array(value: object, name: str, shape: tuple[int, ...], unknown: bool = False) -> np.ndarray:
    """The answer as float64 of this shape, finite; `unknown`: or NaN."""
    expect(value is not None, f"{name} returned nothing: end it with a line `return …`.")
    try:
        got = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise NotYet(f"{name} returned a {type(value).__name__}: an array of numbers is asked for.") from None
    expect(got.shape == shape, f"{name} returned the shape {got.shape}: {shape} is asked for.")
    fine = ~np.isinf(got) if unknown else np.isfinite(got)
    expect(
        bool(fine.all()), f"{name} returned numbers that are infinite or NaN." if not unknown else f"{name} returned infinity."
    )
    return got
