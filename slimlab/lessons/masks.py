"""Checks of the exercises on masking (SLiM, arXiv 2603.10648, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from slimlab import masking
from slimlab.lessons.asking import attempt, expect, expect_tensor, passed
from slimlab.skeleton import COCO, KINECT_V2, Skeleton

DRAWS = 150


def check_tube_mask(function: Callable[..., Tensor]) -> None:
    """function(steps, skeleton, ratio, generator) -> (steps, V) bool, semantic tubes on one clip's token grid.

    Masks are random, so their statistics are compared with `masking.semantic_tubes`: the budget, how long tubes last, how many
    joints they take, and that a single tube keeps to one part's chain. Raises NotYet.
    """
    for skeleton, steps, ratio in ((KINECT_V2, 8, 0.35), (COCO, 4, 0.5)):
        joints = len(skeleton)
        ours = _drawn(function, steps, skeleton, ratio)
        goal = int(masking.budget(ratio, steps, joints))
        hidden = ours.flatten(1).sum(dim=1).double()
        most = int(hidden.max())
        expect(most <= goal, f"tube_mask hides {most} cells where the budget is {goal}: skip what is too large.")
        expect(
            hidden.mean() >= 0.9 * goal,
            f"tube_mask hides {hidden.mean():.0f} cells on average where {goal} are asked for: go on until ten proposals fail.",
        )
        _compare(ours, masking.semantic_tubes(DRAWS, steps, skeleton, ratio, torch.Generator().manual_seed(2)), skeleton)
    _single_tubes(function, KINECT_V2, 8)
    passed("Tube mask: it keeps to the budget, to time and to the chains of the body, as the library's does.")


def _drawn(function: Callable[..., Tensor], steps: int, skeleton: Skeleton, ratio: float) -> Tensor:
    """(DRAWS, steps, V) masks of the reader's function, after looking at their form."""
    dice, shape = torch.Generator().manual_seed(1), (steps, len(skeleton))
    masks = [expect_tensor(attempt(function, steps, skeleton, ratio, dice), "tube_mask", shape, "(T', V)", torch.bool)]
    again = attempt(function, steps, skeleton, ratio, torch.Generator().manual_seed(1))
    expect(
        torch.equal(masks[0], again),
        "tube_mask gives another mask from the same seed: draw every number with generator=generator.",
    )
    masks += [attempt(function, steps, skeleton, ratio, dice) for _ in range(DRAWS - 1)]
    expect(
        any(not torch.equal(masks[0], m) for m in masks[1:]),
        "tube_mask always gives the same mask: part, run, area and start are all drawn.",
    )
    return torch.stack(masks)


def _compare(ours: Tensor, library: Tensor, skeleton: Skeleton) -> None:
    """How alike hidden cells are to their neighbours in time and along the chain, ours against the library's."""
    got, wanted = (_agreement(m[:, 1:], m[:, :-1]) for m in (ours, library))
    said = f"hidden cells stay hidden in the next step in {got:.0%} of cases, the library's in {wanted:.0%}"
    expect(got > wanted - 0.06, f"{said}: a tube lasts for a stretch of consecutive steps, its area divided by its joints.")
    expect(got < wanted + 0.06, f"{said}: a tube's duration is its area divided by its joints, not all the time.")
    a, b = (list(side) for side in zip(*_links(skeleton), strict=True))
    got, wanted = (_agreement(m[:, :, a], m[:, :, b]) for m in (ours, library))
    said = f"the next joint of a chain is hidden too in {got:.0%} of cases, the library's in {wanted:.0%}"
    expect(got > wanted - 0.06, f"{said}: a tube takes a contiguous run of joints along a part's chain.")
    expect(got < wanted + 0.06, f"{said}: draw the run's length from 1 to the part's size.")
    for name, chain in skeleton.parts.items():
        share = ours[:, :, list(chain)].float().mean() / ours.float().mean()
        expect(share > 0.5, f"the {name} is hidden in {share:.0%} of its share: draw uniformly among all parts.")


def _single_tubes(function: Callable[..., Tensor], skeleton: Skeleton, steps: int) -> None:
    """With a budget of one full-length joint, most masks are one tube: a run of one chain times a stretch of time."""
    ratio = 1 / len(skeleton)
    tubes = crossing = 0
    for mask in _drawn(function, steps, skeleton, ratio):
        joints, times = mask.any(dim=0), mask.any(dim=1)
        if not torch.equal(mask, times[:, None] & joints[None, :]):
            continue  # two tubes that met
        tubes += 1
        expect(
            _contiguous(times.nonzero().flatten().tolist()), "a tube of tube_mask has gaps in time: its steps are consecutive."
        )
        chains = [[joints[j].item() for j in chain] for chain in skeleton.parts.values()]
        touched = [c for c in chains if any(c)]
        crossing += len(touched) > 1
        if len(touched) == 1:
            run = [i for i, hidden in enumerate(touched[0]) if hidden]
            expect(
                _contiguous(run),
                "a tube of tube_mask skips joints of its chain: slice skeleton.parts[…], which is in the chain's order.",
            )
    expect(
        crossing <= tubes // 5,
        f"{crossing} of {tubes} tubes take joints of several parts: choose one part, then a contiguous run of its chain.",
    )
    expect(
        tubes >= DRAWS // 3,
        f"at a budget of {steps} cells only {tubes} of {DRAWS} masks are one tube: hide a whole tube at a time.",
    )


def _links(skeleton: Skeleton) -> list[tuple[int, int]]:
    return [(a, b) for chain in skeleton.parts.values() for a, b in pairwise(chain)]


def _agreement(first: Tensor, second: Tensor) -> float:
    """The share of hidden cells whose neighbour is hidden too."""
    return float((first & second).sum() / first.sum().clamp(min=1))


def _contiguous(numbers: Sequence[int]) -> bool:
    return len(numbers) == 0 or numbers[-1] - numbers[0] + 1 == len(numbers)
