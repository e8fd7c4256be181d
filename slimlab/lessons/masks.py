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
        expect(most <= goal, f"tube_mask hides {most} tokens where the budget is {goal}: skip what is too large.")
        expect(
            hidden.mean() >= 0.9 * goal,
            f"tube_mask hides {hidden.mean():.0f} tokens on average where {goal} are asked for: go on until ten proposals fail.",
        )
        _compare(ours, masking.semantic_tubes(DRAWS, steps, skeleton, ratio, torch.Generator().manual_seed(2)), skeleton)
    _single_tubes(function, KINECT_V2, 8)
    passed("Tube mask: it keeps to the budget, to time and to the chains of the body, as the library's does.", function)


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
    """How alike hidden tokens are to their neighbours in time and along the chain, ours against the library's."""
    got, wanted = (_agreement(m[:, 1:], m[:, :-1]) for m in (ours, library))
    said = f"hidden tokens stay hidden in the next step in {got:.0%} of cases, the library's in {wanted:.0%}"
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
        f"at a budget of {steps} tokens only {tubes} of {DRAWS} masks are one tube: hide a whole tube at a time.",
    )


def _links(skeleton: Skeleton) -> list[tuple[int, int]]:
    return [(a, b) for chain in skeleton.parts.values() for a, b in pairwise(chain)]


def _agreement(first: Tensor, second: Tensor) -> float:
    """The share of hidden tokens whose neighbour is hidden too."""
    return float((first & second).sum() / first.sum().clamp(min=1))


def _contiguous(numbers: Sequence[int]) -> bool:
    return len(numbers) == 0 or numbers[-1] - numbers[0] + 1 == len(numbers)


def check_stratified_ratios(function: Callable[..., Tensor]) -> None:
    """function(n, low, high, generator) -> (n,) ratios, one from each of n equal bins of low..high, in random order.

    The bins are those of `masking.stratified_ratios`. Raises NotYet.
    """
    for n, low, high in ((16, 0.5, 0.9), (5, 0.0, 1.0), (1, 0.3, 0.4)):
        dice = torch.Generator().manual_seed(0)
        form = ("stratified_ratios", (n,), "(n,)")
        draws = torch.stack([expect_tensor(attempt(function, n, low, high, dice), *form).double() for _ in range(200)])
        said = f"stratified_ratios({n}, {low}, {high})"
        expect(
            bool((draws >= low - 1e-6).all() and (draws <= high + 1e-6).all()),
            f"{said} gives {draws.min():.3f} to {draws.max():.3f}: scale numbers of 0..1 by high - low, then add low.",
        )
        bins = ((draws - low) / (high - low) * n).clamp(0, n - 1e-6).floor().long()  # (draws, n)
        expect(
            torch.equal(bins.sort(dim=1).values, torch.arange(n).expand_as(bins)),
            f"{said} leaves bins empty while others hold two ratios: draw one ratio in each of the n equal bins.",
        )
        within = (draws - low) / (high - low) * n - bins  # 0..1 inside the bin
        expect(float(within.std()) > 0.2, f"{said} always takes the same place inside a bin: draw it uniformly there.")
        first, again = draws[0], attempt(function, n, low, high, torch.Generator().manual_seed(0))
        expect(
            torch.allclose(first, again.double()),
            "stratified_ratios gives other ratios from the same seed: draw every number with generator=generator.",
        )
        expect(
            n == 1 or not bool((draws.diff(dim=1) > 0).all()),
            f"{said} gives rising ratios: shuffle them, or the first clips of a batch always get the lowest "
            "(the authors' code forgets this for local views).",
        )
        expect(
            n == 1 or float(bins.double().mean(dim=0).std()) < 0.15 * n,
            f"{said} favours some places of the batch: use a random permutation of all n.",
        )
    passed("Stratified ratios: every batch spans the range, in random order.", function)


def check_joint_tubes(function: Callable[..., Tensor]) -> None:
    """function(steps, joints, ratio, generator) -> (steps, joints) bool: random joints over all time, the last one trimmed.

    Exactly round(ratio * steps * joints) tokens are hidden, as `masking.joint_tubes` does. Raises NotYet.
    """
    for steps, joints, ratio in ((8, 25, 0.7), (8, 25, 0.5), (4, 17, 0.33)):
        dice, goal = torch.Generator().manual_seed(0), int(masking.budget(ratio, steps, joints))
        form = ("joint_tubes", (steps, joints), "(T', V)", torch.bool)
        masks = torch.stack([expect_tensor(attempt(function, steps, joints, ratio, dice), *form) for _ in range(DRAWS)])
        hidden = masks.sum(dim=(1, 2))
        partly = (masks.any(dim=1) & ~masks.all(dim=1)).sum(dim=1)  # joints hidden in some steps only
        said = f"joint_tubes({steps}, {joints}, {ratio})"
        expect(
            2 * goal == steps * joints or not bool((hidden == steps * joints - goal).all()),
            f"{said} hides {int(hidden[0])} tokens where {goal} are asked for: True means hidden, not visible.",
        )
        expect(
            float(partly.double().mean()) < 2,
            f"{said} hides {partly.double().mean():.0f} joints in some steps only: a chosen joint is hidden over all time.",
        )
        expect(
            bool((hidden == goal).all()),
            f"{said} hides {int(hidden.min())} to {int(hidden.max())} tokens where {goal} are asked for: hide whole joints while "
            "they fit, and of the last one only as many steps as are missing.",
        )
        expect(int(partly.max()) <= 1, f"{said} trims {int(partly.max())} joints: only the last one is trimmed.")
        trimmed = masks[partly == 1]
        gaps = (trimmed[:, 1:] != trimmed[:, :-1]).sum(dim=1).amax(dim=1) if len(trimmed) else torch.zeros(1)
        expect(int(gaps.max()) <= 1, f"{said} scatters the trimmed joint's steps: take them from one end of the clip.")
        again = attempt(function, steps, joints, ratio, torch.Generator().manual_seed(0))
        expect(
            torch.equal(masks[0], again),
            "joint_tubes gives another mask from the same seed: draw every number with generator=generator.",
        )
        often = masks.double().mean(dim=(0, 1))  # (V,)
        expect(
            float(often.min()) > ratio - 0.25 and float(often.max()) < min(1.0, ratio + 0.25),
            f"{said} hides joint {int(often.argmax())} in {often.max():.0%} of draws and joint {int(often.argmin())} in "
            f"{often.min():.0%}: choose the joints with torch.randperm(joints, generator=generator).",
        )
    passed("Joint tubes: whole joints, drawn anew each time, exactly on budget.", function)
