"""Checks of the quickstart's exercises: hidden tokens beside a visible one, and the label of the nearest clip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.lessons.bodies import RENUMBERED, UPSIDE_DOWN
from slimlab.skeleton import H36M, KINECT_V2, Skeleton


def with_visible_neighbor(masks: Tensor, skeleton: Skeleton) -> Tensor:
    """Find the masked tokens beside a visible one.

    A token's neighbors are the same joint one time step before and after, and at the same step the joint's parent and children.

    Args:
        masks: (n, T', V) bool, True is masked.
        skeleton: The body of the V joints.

    Returns:
        (n, T', V) bool: True where a masked token has at least one visible neighbor.
    """
    visible = ~masks
    near = torch.zeros_like(masks)
    near[:, 1:] |= visible[:, :-1]
    near[:, :-1] |= visible[:, 1:]
    for parent, joint in skeleton.bones:
        near[..., joint] |= visible[..., parent]
        near[..., parent] |= visible[..., joint]
    return masks & near


def check_visible_neighbor(function: Callable[[Tensor, list[int]], Tensor]) -> None:
    """function(mask (T', V) bool, parents) -> (T', V) bool: the hidden tokens with at least one visible neighbor.

    Compared with `with_visible_neighbor` on bodies in several joint orders and on one to eight steps. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(6)
    for body in (KINECT_V2, H36M, RENUMBERED, UPSIDE_DOWN):
        for steps, ratio in ((8, 0.7), (3, 0.9), (1, 0.6), (2, 1.0)):
            mask = torch.rand(steps, len(body), generator=dice) < ratio
            given = mask.clone()
            got = _marks(attempt(function, given, list(body.parents)), mask)
            expect(torch.equal(given, mask), "has_visible_neighbor changes the mask that it was given: work on a new tensor.")
            wanted = with_visible_neighbor(mask[None], body)[0]
            if not torch.equal(got, wanted):
                _name_the_neighbor_mistake(got, wanted, mask, body)
    passed("Visible neighbors: found along the body and in time, on four bodies in any joint order.", function)


def check_nearest_label(function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """function(x (N, F), labels (N,), queries (Q, F)) -> (Q,) the label of the row of x with the largest cosine.

    Compared with a loop, on features of very different lengths. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(4)
    for count, width, asked in ((30, 8, 12), (7, 3, 20), (50, 16, 1)):
        length = torch.rand(count, 1, generator=dice) * 20 + 0.1
        x, queries = torch.randn(count, width, generator=dice) * length, torch.randn(asked, width, generator=dice)
        labels = torch.randint(9, (count,), generator=dice)
        got = attempt(function, x.clone(), labels.clone(), queries.clone())
        got = torch.from_numpy(got) if isinstance(got, np.ndarray) else got
        got = expect_tensor(got, "nearest_label", (asked,), "(Q,)")
        place = [int(torch.stack([F.cosine_similarity(q, row, dim=0) for row in x]).argmax()) for q in queries]
        if torch.equal(got.long(), labels[place]):
            continue
        expect(
            not torch.equal(got.long(), torch.tensor(place)),
            "nearest_label returns the index of the nearest clip: look its label up with labels[index].",
        )
        expect(
            not torch.equal(got.long(), labels[(queries @ x.T).argmax(dim=1)]),
            "nearest_label prefers long features: divide every feature by its length before the product (F.normalize).",
        )
        expect(
            not torch.equal(got.long(), labels[torch.cdist(queries, x).argmin(dim=1)]),
            "nearest_label takes the smallest distance: the largest cosine is asked for, so normalize the features first.",
        )
        right = int((got.long() == labels[place]).sum())
        expect(False, f"nearest_label agrees with a plain loop on {right} of {asked} queries: argmax over the training clips.")
    passed("Nearest label: as a plain loop over all pairs finds it.", function)


def _marks(value: object, mask: Tensor) -> Tensor:
    """The answer as (T', V) bool: truth values, or zeros and ones of any type."""
    value = torch.from_numpy(value) if isinstance(value, np.ndarray) else value
    got = expect_tensor(value, "has_visible_neighbor", tuple(mask.shape), "(T', V)")
    expect(((got == 0) | (got == 1)).all(), "has_visible_neighbor returns numbers: True or False is asked for, for each token.")
    return got.bool()


def _name_the_neighbor_mistake(got: Tensor, wanted: Tensor, mask: Tensor, body: Skeleton) -> None:
    name = "has_visible_neighbor"
    expect(not (got & ~mask).any(), f"{name} marks visible tokens: only hidden ones are asked for, so combine it with the mask.")
    visible = ~mask
    before, after = (_shifted(visible, by) for by in (1, -1))
    parents = torch.tensor([body.root if p < 0 else p for p in body.parents])
    of_parent = visible[:, parents]
    of_parent[:, body.root] = False
    of_child = torch.zeros_like(mask)
    for parent, joint in body.bones:
        of_child[:, parent] |= visible[:, joint]
    wrapped = visible[:, torch.tensor(body.parents)]  # the root's parent, -1, is the last joint
    last_from_root = of_child.clone()
    last_from_root[:, -1] |= visible[:, body.root]
    around = visible.roll(1, 0) | visible.roll(-1, 0)
    beside = _shifted(visible.T, 1).T | _shifted(visible.T, -1).T
    bones, time = of_parent | of_child, before | after
    minus_one = "the root has no parent, and the index -1 picks the last joint: leave the root out."
    wrong = {
        "looks at other steps alone: the joint's parent and children at the same step are neighbors, too.": time,
        "looks at other joints alone: the same joint one step before and one step after is a neighbor, too.": bones,
        "forgets the children: a bone has two ends, so the parent gets a neighbor from it as well.": time | of_parent,
        "forgets the parents: a bone has two ends, so the child gets a neighbor from it as well.": time | of_child,
        "looks one step back and not one step ahead.": before | bones,
        "looks one step ahead and not one step back.": after | bones,
        "joins the first step to the last (roll does): they are not neighbors in time.": around | bones,
        "takes joints with consecutive numbers for neighbors: `parents` says which joints a bone connects.": time | beside,
        f"gives the root a parent: {minus_one}": time | wrapped | of_child,
        f"gives the last joint the root as a child: {minus_one}": time | of_parent | last_from_root,
        f"connects the root to the last joint: {minus_one}": time | wrapped | last_from_root,
    }
    for sentence, near in wrong.items():
        expect(not torch.equal(got, mask & near), f"{name} {sentence}")
    step, joint = (got != wanted).nonzero()[0].tolist()
    which = f"{name} is wrong at step {step}, joint {joint} ({body.names[joint]})"
    neighbors = "the same joint one step before and after, its parent and its children at the same step"
    if got[step, joint]:
        raise NotYet(f"{which}: it says True, but no neighbor is visible. Neighbors are {neighbors}.")
    raise NotYet(f"{which}: it says False, but a neighbor is visible. Neighbors are {neighbors}.")


def _shifted(x: Tensor, by: int) -> Tensor:
    """x moved along its first dimension, False where nothing comes in."""
    out = torch.zeros_like(x)
    if by > 0:
        out[by:] = x[:-by]
    else:
        out[:by] = x[-by:]
    return out
