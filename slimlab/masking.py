"""Masks on the token grid (n, T', V): True is masked, and the budget round(ratio * T' * V) is reached exactly.

Semantic tube masking: SLiM (arXiv 2603.10648), section 3.2. A tube is a run of joints along one body part over a stretch of
time steps. The authors' code gives up after ten failed proposals and misses its budget in 18 % of draws at 0.5
(`released.faults.semantic_tubes`); here the last tubes are trimmed to what is missing. So do the other structured strategies: the
last joint, part or step is trimmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from slimlab import _tubes
from slimlab._tubes import PATIENCE
from slimlab.skeleton import Skeleton


def budget(ratio: float | Tensor, steps: int, joints: int) -> Tensor:
    """Masked tokens for each ratio: round(ratio * steps * joints), int64. Raises ValueError outside 0..1."""
    ratio = torch.as_tensor(ratio, dtype=torch.float64)
    if not bool(((ratio >= 0) & (ratio <= 1)).all()):
        raise ValueError(f"mask ratio {ratio.tolist()} must lie in 0..1")
    return (ratio * steps * joints).round().long()


def semantic_tubes(
    n: int,
    steps: int,
    skeleton: Skeleton,
    ratio: float | Tensor,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    tubes: Tensor | None = None,
) -> Tensor:
    """(n, steps, V) bool: semantic tubes. ratio a number or (n,). All n masks grow side by side, one tube a round.

    A proposal: a part, uniformly; a contiguous run of its joints; an area, uniform between one full-length joint and what is
    missing (at most 4 V tokens, half of the paper's grid); the duration that gives this area; a uniform start. It is taken if it
    adds a new token and no more than is missing. After ten failures in a row, a tube that is too large is trimmed; after 200
    proposals, random tokens complete the mask. `one_semantic_tube_mask` states this step by step. tubes, an integer tensor like
    the result, is filled with the number of the proposal that masked each token, from 1; random tokens keep what was there.
    """
    goal, rng, device = prepare(n, steps, len(skeleton), ratio, generator, device)

    def draw() -> np.ndarray:
        return torch.rand(_tubes.DRAWS, 6, n, generator=generator, device=rng).cpu().numpy()

    number = None if tubes is None else tubes.cpu().numpy().copy()
    mask = _tubes.grow(goal.cpu().numpy(), steps, skeleton=skeleton, draw=draw, tubes=number)  # (n, T', V)
    if tubes is not None:
        tubes.copy_(torch.from_numpy(number))
    return _complete(torch.from_numpy(mask).to(rng), goal, generator).to(device)


def one_semantic_tube_mask(steps: int, skeleton: Skeleton, *, masked: int, draws: Iterable[np.ndarray]) -> np.ndarray:
    """Semantic tube masking of one clip, proposal by proposal: (steps, V) bool. The paper's, but for the trimming at the end.

    `semantic_tubes` draws the same masks for many clips at once (`slimlab._tubes`); a test holds the two equal, bit by bit.

    Args:
        steps: Time steps T' of the token grid.
        skeleton: The body, whose parts are chains of joints.
        masked: Tokens to mask.
        draws: For each proposal at least five numbers, float32, uniform in 0..1.

    Returns:
        The mask, with `masked` tokens unless the draws run out first.
    """
    mask = np.zeros((steps, len(skeleton)), dtype=bool)
    parts, failures = list(skeleton.parts.values()), 0
    for part, length, place, area, begin, *_ in draws:
        missing = masked - int(mask.sum())
        if missing == 0:
            break
        # a body part, a run of its joints along the chain
        chain = parts[int(part * len(parts))]
        joints = int(length * len(chain)) + 1
        first = int(place * (len(chain) - joints + 1))
        # an area between one joint over all time and what is missing, and the duration that gives it
        most = min(missing, 4 * len(skeleton))  # half of the paper's grid of 8 x V
        low, high = min(most, steps), max(most, steps)  # the bounds swap where less is missing
        duration = min(max(round((low + (high - low) * area) / joints), 1), steps)
        start = int(begin * (steps - duration + 1))
        tube = np.zeros_like(mask)
        tube[start : start + duration, list(chain[first : first + joints])] = True
        new = tube & ~mask
        # taken where it adds a token and no more than is missing; after ten failures in a row what is too much is trimmed
        if new.sum() > missing and failures >= PATIENCE:
            new = _tubes.first_cells(new[None], np.array([missing]))[0]
        if 0 < new.sum() <= missing:
            mask, failures = mask | new, 0
        else:
            failures += 1
    return mask


def random_cells(
    n: int,
    steps: int,
    skeleton: Skeleton,
    ratio: float | Tensor,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """(n, steps, V) bool: tokens at random without any structure, as masked autoencoders take them (arXiv 2111.06377)."""
    joints = len(skeleton)
    goal, rng, device = prepare(n, steps, joints, ratio, generator, device)
    return _complete(torch.zeros(n, steps, joints, dtype=torch.bool, device=rng), goal, generator).to(device)


def joint_tubes(
    n: int,
    steps: int,
    skeleton: Skeleton,
    ratio: float | Tensor,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """(n, steps, V) bool: random joints over all time (tube masking, VideoMAE, arXiv 2203.12602).

    The last joint is trimmed to the budget: it is masked from one end of the clip, drawn at random, as far as the budget goes.
    """
    goal, rng, device = prepare(n, steps, len(skeleton), ratio, generator, device)
    rank = torch.rand(n, len(skeleton), generator=generator, device=rng).argsort(dim=1)  # (n, V)
    return _joint_by_joint(rank, goal, steps, generator).to(device)


def body_parts(
    n: int,
    steps: int,
    skeleton: Skeleton,
    ratio: float | Tensor,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """(n, steps, V) bool: random body parts over all time (as in SkeletonMAE, arXiv 2307.08476).

    The last part is trimmed to the budget: its joints are taken along the chain, and the last joint as in `joint_tubes`.
    """
    goal, rng, device = prepare(n, steps, len(skeleton), ratio, generator, device)
    part_rank = torch.rand(n, len(skeleton.parts), generator=generator, device=rng).argsort(dim=1)  # (n, parts)
    place = torch.empty(len(skeleton), dtype=torch.long)
    for chain in skeleton.parts.values():
        place[list(chain)] = torch.arange(len(chain))
    of_joint = torch.from_numpy(skeleton.part_of).to(rng)
    order = part_rank[:, of_joint] * len(skeleton) + place.to(rng)  # (n, V), all different
    return _joint_by_joint(order.argsort(dim=1).argsort(dim=1), goal, steps, generator).to(device)


def time_blocks(
    n: int,
    steps: int,
    skeleton: Skeleton,
    ratio: float | Tensor,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """(n, steps, V) bool: one block of consecutive time steps, all joints; its place is drawn uniformly.

    The block's last step (or, as likely, its first) is trimmed to the budget: random joints of it.
    """
    joints = len(skeleton)
    goal, rng, device = prepare(n, steps, joints, ratio, generator, device)
    draw = torch.rand(2, n, generator=generator, device=rng)
    start = (draw[0] * (steps - (goal + joints - 1).div(joints, rounding_mode="floor") + 1)).long()
    into = torch.arange(steps, device=rng) - start[:, None]  # (n, T') steps into the block
    rank = torch.rand(n, joints, generator=generator, device=rng).argsort(dim=1)  # (n, V)
    order = into[:, :, None] * joints + rank[:, None, :]  # (n, T', V)
    mask = (into >= 0)[:, :, None] & (order < goal[:, None, None])
    return torch.where((draw[1] < 0.5)[:, None, None], mask.flip(1), mask).to(device)


def motion_aware(
    n: int,
    steps: int,
    skeleton: Skeleton,
    ratio: float | Tensor,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    motion: Tensor | None = None,
    temperature: float = 0.8,
) -> Tensor:
    """(n, steps, V) bool: tokens that move more are masked more often (MAMP, arXiv 2308.07092).

    motion  (n, steps, V) magnitudes >= 0, such as `motion_magnitude` gives; divided by each clip's largest, so that their unit
            does not matter. None: nothing is known to move, and all tokens are alike
    Tokens are drawn without replacement with probabilities softmax(motion / temperature): the largest of log-probability plus
    Gumbel noise (arXiv 1903.06059). Raises ValueError where motion has another shape.
    """
    joints = len(skeleton)
    goal, rng, device = prepare(n, steps, joints, ratio, generator, device)
    if motion is None:
        motion = torch.zeros(n, steps, joints)
    if motion.shape != (n, steps, joints):
        raise ValueError(f"motion is {tuple(motion.shape)}, should be (n, T', V) = {(n, steps, joints)}")
    logits = motion.to(rng, torch.float32).flatten(1)  # (n, T'*V)
    logits = logits / (temperature * logits.amax(dim=1, keepdim=True).clamp(min=1e-10))
    uniform = torch.rand(logits.shape, generator=generator, device=rng).clamp(min=1e-20)
    keys = logits - (-uniform.log()).log()
    rank = keys.argsort(dim=1, descending=True).argsort(dim=1)
    return (rank < goal[:, None]).view(n, steps, joints).to(device)


def motion_magnitude(x: Tensor, patch_frames: int) -> Tensor:
    """(B, T/patch_frames, V): how far each cell's joint moves from frame to frame on average, from one-person x (B, 3, T, V, 1).

    In x's unit a frame. The last frame has no successor and counts as still, as in MAMP.
    """
    moved = (x[:, :, 1:] - x[:, :, :-1]).norm(dim=1).squeeze(-1)  # (B, T-1, V)
    moved = F.pad(moved, (0, 0, 0, 1))  # (B, T, V)
    return moved.unflatten(1, (-1, patch_frames)).mean(dim=2)  # (B, T', V)


STRATEGIES: dict[str, Callable[..., Tensor]] = {
    "semantic_tubes": semantic_tubes,
    "random_cells": random_cells,
    "joint_tubes": joint_tubes,
    "body_parts": body_parts,
    "time_blocks": time_blocks,
    "motion_aware": motion_aware,
}


def known_of(strategy: str, x: Tensor, patch_frames: int) -> dict[str, Tensor]:
    """What this strategy wants to know of the views x (B, 3, T, V, 1) that it masks: further arguments of it."""
    return {"motion": motion_magnitude(x, patch_frames)} if strategy == "motion_aware" else {}


def stratified_ratios(n: int, bounds: tuple[float, float], generator: torch.Generator, shuffle: bool = True) -> Tensor:
    """(n,) ratios in random order, one from each of n equal bins of the range, so that every batch spans it."""
    bins = (torch.arange(n) + torch.rand(n, generator=generator)) / max(1, n)
    ratios = bounds[0] + (bounds[1] - bounds[0]) * bins
    return ratios[torch.randperm(n, generator=generator)] if shuffle else ratios


def prepare(n, steps, joints, ratio, generator, device) -> tuple[Tensor, torch.device, torch.device]:
    """Masked tokens for each mask; where to draw (the generator's device); where the result goes."""
    out = torch.device(device) if device is not None else generator.device if generator is not None else torch.device("cpu")
    rng = generator.device if generator is not None else out
    return budget(ratio, steps, joints).expand(n).to(rng), rng, out


def _joint_by_joint(rank: Tensor, goal: Tensor, steps: int, generator: torch.Generator | None) -> Tensor:
    """Whole joints in the order of rank (n, V); the last one from either end of time, as far as the budget goes."""
    order = rank[:, None, :] * steps + torch.arange(steps, device=rank.device)[:, None]  # (n, T', V)
    mask = order < goal[:, None, None]
    backwards = torch.rand(len(rank), generator=generator, device=rank.device) < 0.5
    return torch.where(backwards[:, None, None], mask.flip(1), mask)


def _complete(mask: Tensor, goal: Tensor, generator: torch.Generator | None) -> Tensor:
    """Mask random visible tokens until each budget is reached."""
    missing = goal - mask.sum(dim=(1, 2))
    if not bool((missing > 0).any()):
        return mask
    keys = torch.rand(mask.shape, generator=generator, device=mask.device).masked_fill(mask, 2.0).flatten(1)
    rank = keys.argsort(dim=1).argsort(dim=1)  # (n, T'*V)
    return mask | (rank < missing[:, None]).view_as(mask)
