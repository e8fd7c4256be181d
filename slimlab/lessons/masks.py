"""Checks of the exercises on masking (SLiM, arXiv 2603.10648, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from slimlab import masking
from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.released import faults
from slimlab.skeleton import KINECT_V2, Skeleton

DRAWS = 150
REFERENCE = 3000  # draws of the library that the reader's are compared with
LUCK = 4.5  # standard errors between the reader's statistic and the library's; a right answer is seldom more than 3 away


def check_tube_mask(function: Callable[..., Tensor]) -> None:
    """function(steps, skeleton, ratio, generator) -> (steps, V) bool, semantic tubes on one clip's token grid.

    Masks are random, so single tubes are looked at one by one, and of many masks the statistics are compared with those of the
    same rules in `released.faults.semantic_tubes`: how often the budget is missed, how long tubes last, how many joints they
    take, where they lie in time and on the chains, and how often each part is hidden. One of the bodies has parts of very
    different sizes and joints in no order, one of the grids is so long that the limit of an area shows. Raises NotYet.
    """
    for skeleton in (KINECT_V2, LOPSIDED):
        _single_tubes(function, skeleton, 8)
    for skeleton, steps, ratio, draws in ((KINECT_V2, 8, 0.35, 150), (LOPSIDED, 8, 0.3, 150), (KINECT_V2, 8, 0.9, 150), TALL):
        ours = _drawn(function, steps, skeleton, ratio, draws)
        goal = int(masking.budget(ratio, steps, len(skeleton)))
        wanted = faults.semantic_tubes(REFERENCE, steps, skeleton, ratio, torch.Generator().manual_seed(2))
        _compare(_statistics(ours, goal, skeleton), _statistics(wanted, goal, skeleton), skeleton, steps)
    passed("Tube mask: it keeps to the budget, to time and to the chains of the body, and gives up where it should.", function)


def _lopsided() -> Skeleton:
    """Twelve joints in no order: a tail of nine, an arm of two, a crest of one."""
    chains = {"tail": (7, 2, 11, 0, 9, 4, 5, 10, 1), "arm": (8, 3), "crest": (6,)}
    parents, names = [-1] * 12, [""] * 12
    for (name, chain), root in zip(chains.items(), (-1, 9, 7), strict=True):
        for place, (parent, joint) in enumerate(pairwise((root, *chain))):
            parents[joint], names[joint] = parent, f"{name}_{place}"
    return Skeleton(names, parents, chains, (), 7)


LOPSIDED = _lopsided()
TALL = (LOPSIDED, 32, 0.6, 100)  # an area is at most 48 tokens there, the budget 230


def _drawn(function: Callable[..., Tensor], steps: int, skeleton: Skeleton, ratio: float, draws: int = DRAWS) -> Tensor:
    """(draws, steps, V) masks of the reader's function, after looking at their form."""
    dice, form = torch.Generator().manual_seed(1), ("tube_mask", (steps, len(skeleton)), "(T', V)", torch.bool)
    masks = [expect_tensor(attempt(function, steps, skeleton, ratio, dice), *form)]
    again = expect_tensor(attempt(function, steps, skeleton, ratio, torch.Generator().manual_seed(1)), *form)
    expect(
        torch.equal(masks[0], again),
        "tube_mask gives another mask from the same seed: draw every number with generator=generator.",
    )
    masks += [expect_tensor(attempt(function, steps, skeleton, ratio, dice), *form) for _ in range(draws - 1)]
    expect(
        any(not torch.equal(masks[0], m) for m in masks[1:]),
        "tube_mask always gives the same mask: part, run, area and start are all drawn.",
    )
    goal, most = int(masking.budget(ratio, steps, len(skeleton))), max(int(m.sum()) for m in masks)
    budget = f"the budget is round({ratio:.2g} * {steps} * {len(skeleton)}) = {goal}"
    others = steps * len(skeleton) - goal
    expect(
        2 * goal >= goal + others or min(int(m.sum()) for m in masks) < others,
        f"tube_mask hides {most} tokens where {budget}: True means hidden, not visible.",
    )
    expect(most <= goal, f"tube_mask hides {most} tokens where {budget}: skip a tube with more new tokens than are missing.")
    expect(
        most != goal - 1,
        f"tube_mask hides {most} tokens at most in {draws} masks where {budget}: round the budget, and accept a tube that hides "
        "exactly what is missing.",
    )
    return torch.stack(masks)


def _statistics(masks: Tensor, goal: int, skeleton: Skeleton) -> dict[str, Tensor]:
    """What is compared, each (draws,): budgets missed, and shares of the hidden tokens.

    time, chain  the next step's, or the chain's next joint's, token is hidden too
    whole        the whole part is hidden in the token's step
    early, near  in the first step less in the last; first joint of a chain less last
    each part    in this part
    """
    hidden = masks.flatten(1).sum(dim=1).double()
    a, b = (list(side) for side in zip(*_links(skeleton), strict=True))
    per_token, chains = hidden.clamp(min=1), [list(c) for c in skeleton.parts.values() if len(c) > 1]
    ends = [masks[:, :, [c[i] for c in chains]].flatten(1).sum(dim=1) for i in (0, -1)]
    found = {
        "short": (hidden < goal).double(),
        "time": (masks[:, 1:] & masks[:, :-1]).flatten(1).sum(dim=1) / per_token,
        "chain": (masks[:, :, a] & masks[:, :, b]).flatten(1).sum(dim=1) / per_token,
        "whole": sum(len(c) * masks[:, :, c].all(dim=-1).sum(dim=1) for c in chains) / per_token,
        "early": (masks[:, 0].sum(dim=1) - masks[:, -1].sum(dim=1)) / per_token,
        "near": (ends[0] - ends[-1]) / per_token,
    }
    return found | {part: masks[:, :, list(c)].flatten(1).sum(dim=1) / per_token for part, c in skeleton.parts.items()}


def _compare(ours: dict[str, Tensor], theirs: dict[str, Tensor], skeleton: Skeleton, steps: int) -> None:
    """Raise NotYet for the statistic that is farthest from the reference, where that is more than luck explains."""
    apart = {}
    for name, of in theirs.items():
        spread = (ours[name].var() / len(ours[name]) + of.var() / len(of) + 1e-9).sqrt()
        apart[name] = float((ours[name].mean() - of.mean()) / spread)
    worst = max(apart, key=lambda name: abs(apart[name]))
    if abs(apart[worst]) < LUCK:
        return
    got, wanted, more = float(ours[worst].mean()), float(theirs[worst].mean()), apart[worst] > 0
    at = f"on a grid of {steps} steps x {len(skeleton)} joints"
    if skeleton is LOPSIDED:
        at += " (a made-up body with parts of 9, 2 and 1 joints)"
    digits = 0 if f"{got:.0%}" != f"{wanted:.0%}" else 1
    numbers = f"{got:.{digits}%} (the four steps of the lesson: {wanted:.{digits}%})"
    if worst == "short" and more:
        advice = "go on until ten proposals in a row fail; a success sets the count back, and only a tube's new tokens count"
        raise NotYet(f"{at}, the share of masks that miss the budget is {numbers}: {advice}.")
    if worst == "short":
        patience = (
            "give up after ten failed proposals in a row; a tube without a new token fails, too, and the bounds of the area swap "
            "where less than T' tokens are missing"
        )
        raise NotYet(f"{at}, the share of masks that miss the budget is {numbers}: {patience}.")
    if worst == "time":
        said = f"{at}, the share of hidden tokens that stay hidden in the next step is {numbers}"
        if steps > 8:
            raise NotYet(f"{said}: the upper end of an area is what is missing, or 4 V tokens where that is less.")
        raise NotYet(f"{said}: a tube lasts for consecutive steps, as many as its area divided by its joints gives.")
    if worst == "early":
        raise NotYet(
            f"{at}, hidden tokens in the first step less those in the last one are {numbers} of all: a tube of d steps starts "
            f"anywhere from 0 to {steps} - d, both included, equally often."
        )
    if worst == "near":
        raise NotYet(
            f"{at}, hidden first joints of chains less hidden last ones are {numbers} of all hidden tokens: a run of n joints "
            "begins anywhere from 0 to the part's size - n, both included, equally often."
        )
    if worst == "whole":
        raise NotYet(
            f"{at}, the share of hidden tokens whose whole part is hidden in their step is {numbers}: draw the run's length n "
            "uniformly from 1 to the part's size, both included (a rounded uniform number gives both ends half as often), and "
            "its place from 0 to the part's size - n."
        )
    if worst == "chain":
        said = f"{at}, the share of hidden tokens whose next joint on the chain is hidden too is {numbers}"
        raise NotYet(f"{said}: a tube takes a contiguous run along a part's chain; draw its length from 1 to the part's size.")
    raise NotYet(
        f"{at}, the {worst}'s share of the hidden tokens is {numbers}: draw uniformly among all parts, whatever their size."
    )


def _single_tubes(function: Callable[..., Tensor], skeleton: Skeleton, steps: int) -> None:
    """With a budget of one full-length joint, most masks are one tube: a run of one chain times a stretch of time."""
    ratio = 1 / len(skeleton)
    tubes = crossing = gaps = skips = 0
    for mask in _drawn(function, steps, skeleton, ratio):
        joints, times = mask.any(dim=0), mask.any(dim=1)
        if not torch.equal(mask, times[:, None] & joints[None, :]):
            continue  # two tubes that met
        tubes += 1
        gaps += not _contiguous(times.nonzero().flatten().tolist())
        chains = [[joints[j].item() for j in chain] for chain in skeleton.parts.values()]
        touched = [c for c in chains if any(c)]
        crossing += len(touched) > 1
        if len(touched) == 1:
            skips += not _contiguous([i for i, hidden in enumerate(touched[0]) if hidden])
    by_chance = tubes // 20  # two small tubes can look like one
    expect(gaps <= by_chance, f"{gaps} of {tubes} tubes have gaps in time: a tube's steps are consecutive.")
    expect(
        skips <= by_chance,
        f"{skips} of {tubes} tubes skip joints of their chain: slice skeleton.parts[…], which is in the chain's order.",
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
            f"{said} gives {draws.min():.3f} to {draws.max():.3f}: (bin number + place in the bin) / n lies in 0..1; scale it by "
            "high - low, then add low.",
        )
        bins = ((draws - low) / (high - low) * n).clamp(0, n - 1e-6).floor().long()  # (draws, n)
        expect(
            torch.equal(bins.sort(dim=1).values, torch.arange(n).expand_as(bins)),
            f"{said} leaves bins empty while others hold two ratios: draw one ratio in each of the n equal bins.",
        )
        expect(
            not torch.equal(draws[0], draws[1]),
            f"{said} gives the same ratios each time: leave the generator's seed alone, so that every batch gets new ones.",
        )
        within = ((draws.sort(dim=1).values - low) / (high - low) * n) - torch.arange(n)  # 0..1 inside the bin, bin by bin
        expect(float(within.std(dim=0).min()) > 0.2, f"{said} always takes the same place inside a bin: draw it uniformly there.")
        expect(
            n == 1 or float(within.std(dim=1).mean()) > 0.15,
            f"{said} takes the same place in every bin of a batch: draw n places, one for each bin (torch.rand(n, …)).",
        )
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
            f"{said} favors some places of the batch: use a random permutation of all n.",
        )
        follow = torch.bincount((bins.diff(dim=1) % n).flatten(), minlength=n) / (len(bins) * max(1, n - 1))
        expect(
            n < 8 or float(follow.max()) < 0.5,
            f"{said} only shifts the bins in a circle, so neighbors in a batch always have neighboring ratios: use a random "
            "permutation (torch.randperm).",
        )
    passed("Stratified ratios: every batch spans the range, in random order.", function)


def _range(numbers: Tensor) -> str:
    low, high = int(numbers.min()), int(numbers.max())
    return f"{low}" if low == high else f"{low} to {high}"


def check_joint_tubes(function: Callable[..., Tensor]) -> None:
    """function(steps, joints, ratio, generator) -> (steps, joints) bool: random joints over all time, the last one trimmed.

    Exactly round(ratio * steps * joints) tokens are hidden, as `masking.joint_tubes` does. Raises NotYet.
    """
    for steps, joints, ratio in ((8, 25, 0.7), (8, 25, 0.5), (4, 17, 0.35)):
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
        whole = masks.all(dim=1)  # (draws, V)
        expect(
            not bool((whole.sum(dim=1) == goal // steps).all()) or int(partly.max()) <= 1,
            f"{said} spreads the leftover tokens over {int(partly.max())} joints: hide them in one more joint, from one end on.",
        )
        expect(
            float(partly.double().mean()) < 2,
            f"{said} hides {partly.double().mean():.0f} joints in some steps only: a chosen joint is hidden over all time.",
        )
        expect(
            bool((hidden == goal).all()),
            f"{said} hides {_range(hidden)} tokens where round({ratio} * {steps} * {joints}) = {goal} are asked for: hide whole "
            "joints while they fit, and of the last one only as many steps as are missing.",
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
        together = whole.double().T @ whole.double() / len(masks)  # (V, V): how often two joints are hidden together
        pairs = together[~torch.eye(joints, dtype=torch.bool)]
        expect(
            float((pairs - pairs.mean()).abs().max()) < 0.16,
            f"{said} hides some joints nearly always together: draw a permutation of all joints, not a shift of their numbers.",
        )
    passed("Joint tubes: whole joints, drawn anew each time, exactly on budget.", function)
