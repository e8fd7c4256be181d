"""Checks of the exercises on views and augmentations (SLiM, arXiv 2603.10648, sections 3.1 and 3.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slimlab import augment
from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.lessons.bodies import RENUMBERED, UPSIDE_DOWN
from slimlab.released import naive
from slimlab.skeleton import H36M, KINECT_V2, Skeleton

DRAWS = 4000
CLOSE = 1e-4  # m

released_scaling = naive.scale_bones_by_index  # for the lesson, under a name that does not give the case away


def check_bone_scaling(function: Callable[..., Tensor]) -> None:
    """function(joints (T, V, 3), parents, factors (V,)) -> (T, V, 3): every bone times the factor of the joint at its end.

    parents is a list, -1 at the root, in any order. Compared with `augment.scale_bones` on bodies whose index order is
    topological, is not, is random and is reversed. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(3)
    for body in (H36M, KINECT_V2, RENUMBERED, UPSIDE_DOWN):
        joints = torch.randn(4, len(body), 3, generator=dice)
        for factors in (torch.ones(len(body)), 0.85 + 0.3 * torch.rand(len(body), generator=dice)):
            given = joints.clone()
            got = attempt(function, given, list(body.parents), factors.clone())
            got = expect_tensor(got, "scale_bones", tuple(joints.shape), "(T, V, 3)").to(joints.dtype)
            expect(torch.equal(given, joints), "scale_bones changes the joints that it was given: work on a new tensor.")
            _name_the_scaling_mistake(got, joints, body, factors)
    passed(
        "Bone scaling: bones change by their factor, directions and the root's path stay, whatever the order of the joints.",
        function,
    )


def check_mirror(function: Callable[..., Tensor]) -> None:
    """function(joints (T, V, 3), pairs [(left, right), …]) -> (T, V, 3): x negated, left and right joints in each other's place.

    Compared with `augment.mirror` on three bodies. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(4)
    for body in (KINECT_V2, H36M, RENUMBERED):
        joints = torch.randn(4, len(body), 3, generator=dice)
        given, pairs = joints.clone(), [tuple(pair) for pair in body.mirror]
        got = expect_tensor(attempt(function, given, pairs), "mirror", tuple(joints.shape), "(T, V, 3)").to(joints.dtype)
        wanted = augment.mirror(_batch(joints), body)[0, ..., 0].permute(1, 2, 0)
        left, right = (torch.tensor([pair[i] for pair in pairs]) for i in (0, 1))
        swapped = joints[:, body.mirror_index.tolist()]
        negated = torch.tensor([-1.0, 1.0, 1.0])
        wrong = {
            "mirror gives back what it was given: negate x, and let left and right joints change places.": joints,
            "mirror negates x, but the joint called left hand is now where the right hand was: swap the pairs too.": joints
            * negated,
            "mirror swaps the pairs, but x is as it was: negate the first coordinate of every joint.": swapped,
        }
        for sentence, answer in wrong.items():
            expect(not torch.allclose(got, answer, atol=CLOSE), sentence)
        expect(
            not torch.allclose(got[:, left], got[:, right], atol=CLOSE),
            "after mirror both sides are the same: the second assignment reads what the first one has overwritten; "
            "take both from the joints that were given, or swap with one index.",
        )
        for axis, name in ((1, "y, which points up"), (2, "z, which points away from the camera")):
            turned = torch.where(torch.arange(3) == axis, -swapped, swapped)
            expect(not torch.allclose(got, turned, atol=CLOSE), f"mirror negates {name}: it is x that points to the side.")
        middle = [j for j in range(len(body)) if body.side(j) == "middle"]
        expect(
            torch.allclose(got[:, middle], wanted[:, middle], atol=CLOSE),
            "mirror forgets the joints without a partner, such as the head: their x is negated too.",
        )
        expect(
            torch.allclose(got, wanted, atol=CLOSE),
            "mirror differs from the library's: joint a of a pair gets the place of joint b with x negated, and b that of a.",
        )
        expect(torch.equal(given, joints), "mirror changes the joints that it was given: work on a new tensor.")
    passed("Mirroring: x is negated, left and right have changed places, twice is the identity.", function)


def check_local_interval(function: Callable[..., tuple[int, int]]) -> None:
    """function(start, span, low, high, shortest, rng) -> (begin, length) of a local view inside the interval start, span.

    length is a part of span, uniform in low..high, rounded, no shorter than `shortest` and no longer than span; begin is
    uniform among all that keep the view inside. rng is a numpy Generator. The frequencies of thousands of draws are compared with
    those of this rule. Raises NotYet.
    """
    settings = (
        (5, 10, 0.36, 0.64, 1),  # 3.6 to 6.4 frames: rounded 4 to 6
        (20, 100, 0.15, 0.4, 16),
        (7, 40, 0.05, 0.2, 8),
        (3, 12, 0.35, 0.7, 16),
        (11, 24, 0.5, 0.5, 8),  # always 12 frames, 13 places
    )
    for start, span, low, high, shortest in settings:
        rng = np.random.default_rng(0)
        drawn = [_interval(attempt(function, start, span, low, high, shortest, rng)) for _ in range(DRAWS)]
        begin, length = np.array(drawn).T
        shown = f"for start {start}, span {span}, {low} to {high} and at least {shortest} frames"
        expect(length.min() > 0, f"local_interval gives a length of {length.min()} frames {shown}.")
        _name_the_length_mistake(length, start, span, low, high, shortest, shown)
        _name_the_place_mistake(begin, length, start, span, shown)
    passed("Local interval: inside its global view, every length and every place has its chance.", function)


def _name_the_scaling_mistake(got: Tensor, joints: Tensor, body: Skeleton, factors: Tensor) -> None:
    """Raise NotYet that says what is wrong; return where nothing is."""
    parents, root = list(body.parents), body.root
    wanted = _rebuilt(joints, parents, factors, body.order)
    if torch.allclose(got, wanted, atol=CLOSE):
        return
    by_index = _rebuilt(joints, parents, factors, range(len(body)))
    moved = int(((by_index - joints).abs().amax(dim=(0, 2)) > CLOSE).sum())
    said = f"scale_bones moves {moved} of {len(body)} joints" + (" although every factor is 1" if (factors == 1).all() else "")
    expect(
        not torch.allclose(got, by_index, atol=CLOSE),
        f"{said}: it rebuilds joints in index order, and some come before their parent; take parents first.",
    )
    for sentence, order, begin in _careless_orders(joints, parents):
        wrong = _rebuilt(joints, parents, factors, order, begin)
        expect(not torch.allclose(got, wrong, atol=CLOSE), f"scale_bones {sentence}; take parents first.")
    expect(
        torch.allclose(got[:, root], joints[:, root], atol=CLOSE),
        "scale_bones moves the root: it has no bone, and its path stays.",
    )
    expect(
        not torch.allclose(got, joints * factors[:, None], atol=CLOSE)
        and not torch.allclose(got - got[:, [root]], (joints - joints[:, [root]]) * factors[:, None], atol=CLOSE),
        "scale_bones scales places: scale bones, a joint's place minus its parent's, and add them up from the root.",
    )
    bones = joints - joints[:, parents]
    one_level = joints + bones * (factors[:, None] - 1)
    one_level[:, root] = joints[:, root]
    expect(
        not torch.allclose(got, one_level, atol=CLOSE),
        "scale_bones adds a bone to the parent's old place: it belongs on the place where the parent is now.",
    )
    of_parent = _rebuilt(joints, parents, factors[[max(p, 0) for p in parents]], body.order)
    expect(
        not torch.allclose(got, of_parent, atol=CLOSE),
        "scale_bones takes the parent's factor for a bone: it is that of the joint at the bone's end.",
    )
    worst = int((got - wanted).abs().amax(dim=(0, 2)).argmax())
    raise NotYet(
        f"scale_bones puts joint {worst} ({body.names[worst]}) {(got - wanted).abs().max():.2g} m beside its place on a body"
        f" of {len(body)} joints: place = parent's new place + factor x (joint - parent), parents first."
    )


def _name_the_length_mistake(length, start: int, span: int, low: float, high: float, shortest: int, shown: str) -> None:
    least, most = (min(span, max(shortest, round(part * span))) for part in (low, high))
    expect(
        length.max() <= span,
        f"local_interval gives {length.max()} frames {shown}: no view is longer than the interval that it lies in.",
    )
    whole = round(high * (start + span))
    expect(
        length.max() <= most + 1 or length.max() != whole,
        f"local_interval gives up to {length.max()} frames {shown}: the part is of span, not of the clip.",
    )
    cut, up = (min(span, max(shortest, int(edge))) for edge in (np.floor(low * span), np.ceil(high * span)))
    beyond = length.min() < least or length.max() > most
    expect(
        not beyond or length.min() < cut or length.max() > up,
        f"local_interval gives {length.min()} to {length.max()} frames {shown}, should be {least} to {most}: the length is "
        "rounded to the nearest whole number, neither cut off nor rounded up.",
    )
    expect(
        length.min() >= least,
        f"local_interval gives {length.min()} frames {shown}: at least {least}, which is low x span, or `shortest` where that "
        "is more.",
    )
    expect(length.max() <= most, f"local_interval gives up to {length.max()} frames {shown}: at most {most}.")
    expect(
        least == most or len(np.unique(length)) > 1,
        f"local_interval always gives {length[0]} frames {shown}: draw the part uniformly in low..high.",
    )
    values = np.arange(least, most + 1)
    edges = np.clip(np.append(values - 0.5, most + 0.5), low * span, high * span)
    edges[0], edges[-1] = low * span, high * span  # what is clipped counts at the ends
    chance = np.diff(edges) / (high - low) / span if high > low else np.ones(1)
    expect(
        _as_expected(length, values, chance),
        f"the mean length of local_interval is {length.mean():.1f} frames {shown}, should be {(values * chance).sum():.1f}, and "
        "every length has its chance: uniform in low..high, then rounded, then clipped.",
    )


def _name_the_place_mistake(begin, length, start: int, span: int, shown: str) -> None:
    expect(
        begin.min() >= start,
        f"local_interval begins at frame {begin.min()} {shown}: begin counts from the clip's first frame, so add start.",
    )
    over = int((begin + length).max() - start - span)
    expect(over <= 0, f"local_interval ends {over} frames after the global view {shown}: the room is span - length.")
    room = span - length
    if room.max() == 0:
        return
    free = room > 0
    place = (begin - start)[free] / room[free]  # 0 to 1
    expect(
        len(np.unique(begin)) > 1 and not np.allclose(begin, start + room / 2, atol=1),
        f"local_interval always takes the same place {shown}: draw begin uniformly.",
    )
    expect(
        not ((place == 0) | (place == 1)).all() or room.max() == 1,
        f"local_interval begins at either end and nowhere between {shown}: draw begin uniformly among all places.",
    )
    expect(
        abs(place.mean() - 0.5) < 0.03 or place.max() < 1,
        f"local_interval favors one end (mean place {place.mean():.2f}, should be 0.50) {shown}.",
    )
    expect(
        place.max() == 1,
        f"in {DRAWS} draws local_interval never reaches the last frame {shown}: there are span - length + 1 places to begin, "
        "and rng.integers(n) gives 0 to n - 1.",
    )
    for room_of in np.unique(room[free]):
        own = (begin - start)[room == room_of]
        places = np.arange(room_of + 1)
        middle = np.abs(own / room_of - 0.5).mean() < np.abs(places / room_of - 0.5).mean()
        expect(
            _as_expected(own, places, np.full(len(places), 1 / len(places))),
            f"local_interval favors {'the middle' if middle else 'some places'} {shown}: each of the {len(places)} places to "
            f"begin a view of {span - room_of} frames has the same chance.",
        )


def _as_expected(drawn: np.ndarray, values: np.ndarray, chance: np.ndarray) -> bool:
    """Whether the frequencies of `values` fit their chances: Pearson's chi-square, some six standard deviations from its mean."""
    expected = len(drawn) * chance
    count = np.array([(drawn == value).sum() for value in values])
    often = expected >= 5
    freedom = max(1, int(often.sum()) - 1)
    return bool(((count - expected)[often] ** 2 / expected[often]).sum() < freedom + 7 * (2 * freedom) ** 0.5 + 10)


def _interval(value: Any) -> tuple[int, int]:
    try:
        begin, length = value
        whole = int(begin), int(length)
        fits = whole == (float(begin), float(length))
    except (TypeError, ValueError, OverflowError):
        fits = False
    expect(fits, f"local_interval returned {value!r:.60}: a pair of whole numbers (begin, length) is asked for.")
    return whole


def _careless_orders(joints: Tensor, parents: list[int]) -> Iterator[tuple[str, list[int], Tensor]]:
    """Orders in which a joint may come before its parent, with what is wrong and what stands in the result before the loop."""
    zeros, numbers = torch.zeros_like(joints), list(range(len(parents)))
    by_parent = sorted(numbers, key=lambda joint: parents[joint])
    for begin in (zeros, joints):
        yield "places joints in the order of their parents' numbers, where some come before their parent", by_parent, begin
    yield "rebuilds joints in index order and takes the old place of a parent that comes later", numbers, joints
    for count in range(2, len(parents)):
        repeated = f"repeats the loop over the joints' numbers {count} times, which does not suffice for every tree"
        yield repeated, numbers * count, zeros
        yield repeated, numbers * count, joints


def _rebuilt(joints: Tensor, parents: list[int], factors: Tensor, order: Iterable[int], begin: Tensor | None = None) -> Tensor:
    """Forward kinematics in this order of joints; who is not placed yet is where `begin` says, or at the origin."""
    out = torch.zeros_like(joints) if begin is None else begin.clone()
    for joint in order:
        parent = parents[joint]
        bone = joints[:, joint] - (joints[:, parent] if parent >= 0 else 0)
        out[:, joint] = bone if parent < 0 else out[:, parent] + factors[joint] * bone
    return out


def _batch(joints: Tensor) -> Tensor:
    """(T, V, 3) -> (1, 3, T, V, 1)."""
    return joints.permute(2, 0, 1)[None, ..., None]
