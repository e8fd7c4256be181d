"""How well hidden tokens can be guessed from their visible neighbours, without any learning: what a mask leaves to be copied.

The argument against masking random tokens: motion is smooth in time and along the body, so that a lone hidden token is an
average of what surrounds it (SLiM, arXiv 2603.10648, section 3.2; for video, VideoMAE, arXiv 2203.12602, section 3.2).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from slimlab import augment, masking
from slimlab.data import ClipStore, test_view
from slimlab.skeleton import Skeleton

GUESSES = {"time": (1.0, 0.0), "body": (0.0, 1.0), "time and body": (1.0, 1.0)}  # weights of neighbours in time, along bones
PULL = 1e-4  # towards the average pose, where no visible token is connected with a hidden one


def cells(x: Tensor, patch_frames: int = 8) -> Tensor:
    """(B, T', V, 3) metres: mean place of a joint over each cell's frames, from one-person x (B, 3, T, V, 1)."""
    return x[..., 0].unflatten(2, (-1, patch_frames)).mean(dim=3).permute(0, 2, 3, 1)


def guess(values: Tensor, mask: Tensor, skeleton: Skeleton, by: str = "time and body") -> Tensor:
    """Fill hidden tokens (mask (B, T', V), True: hidden) of values (B, T', V, C) from visible ones, by linear interpolation.

    by  "time": each joint's neighbours in time, which between two visible tokens is a straight line; "body": neighbours along
        bones in the same step; "time and body": both. Each hidden token becomes the mean of its neighbours (the discrete
        harmonic function through the visible ones); where nothing visible is connected with it, zero.
    Give deviations from an average pose, so that zero is a fair guess. Raises KeyError for another `by`.
    """
    steps, joints = mask.shape[1:]
    hidden = mask.flatten(1)
    system = _neighbours(steps, skeleton, *GUESSES[by]).to(values)  # (N, N)
    among = torch.where(hidden[:, :, None] & hidden[:, None, :], system, 0) + torch.diag_embed((~hidden).to(values))  # (B, N, N)
    known = torch.where(hidden[..., None], 0, values.flatten(1, 2))  # (B, N, C)
    wanted = torch.where(hidden[..., None], -system @ known, known)
    return torch.cholesky_solve(wanted, torch.linalg.cholesky(among)).unflatten(1, (steps, joints))  # (B, T', V, C)


def guess_errors(
    store: ClipStore,
    ratios: Iterable[float] = (0.7,),
    strategies: Iterable[str] = tuple(masking.STRATEGIES),
    guesses: Iterable[str] = tuple(GUESSES),
    clips: int = 64,
    seed: int = 0,
    frames: int = 64,
    patch_frames: int = 8,
) -> pd.DataFrame:
    """Mean distance (cm) between hidden tokens and their guesses: a line for each ratio, strategy and guess, on the same clips.

    Columns: ratio, strategy, guess, error, standard_error (over clips). The guess "average pose", over all clips drawn, uses no
    neighbour: the control, which shows whether a strategy merely hides what moves more.
    """
    store = store[np.flatnonzero(store.column("people") > 0)]
    rng = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(store), generator=rng)[:clips].numpy()
    x, _, seen = test_view(store, chosen, frames)
    x, seen = x[..., :1], seen[..., :1]  # (B, 3, T, V, 1), (B, T, V, 1)
    x = augment.fill_unseen(augment.center(x, store.skeleton, seen=augment.shown(x, seen)), seen)
    x = x[(x != 0).flatten(1).any(dim=1)]  # the first person of a clip may be the one who is absent
    values = cells(x, patch_frames).double()  # (B, T', V, 3)
    values = values - values.mean(dim=(0, 1))
    lines = []
    for ratio in ratios:
        for strategy in strategies:
            known = masking.known_of(strategy, x, patch_frames)
            mask = masking.STRATEGIES[strategy](len(x), values.shape[1], store.skeleton, ratio, generator=rng, **known)
            made = {by: guess(values, mask, store.skeleton, by) for by in guesses} | {"average pose": torch.zeros_like(values)}
            for name, guessed in made.items():
                off = (100 * (guessed - values).norm(dim=-1) * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))  # (B,) cm
                lines.append((ratio, strategy, name, float(off.mean()), float(off.std() / len(off) ** 0.5)))
    return pd.DataFrame(lines, columns=["ratio", "strategy", "guess", "error", "standard_error"])


def _neighbours(steps: int, skeleton: Skeleton, in_time: float, along_bones: float) -> Tensor:
    """(N, N) float64: the graph Laplacian of T' x V tokens, with a slight pull to zero."""
    joints = len(skeleton)
    cell = torch.arange(steps * joints).view(steps, joints)
    parents, children = (torch.tensor([bone[i] for bone in skeleton.bones]) for i in (0, 1))
    pairs = [(cell[1:], cell[:-1], in_time), (cell[:, parents], cell[:, children], along_bones)]
    weights = torch.zeros(cell.numel(), cell.numel(), dtype=torch.float64)
    for a, b, weight in pairs:
        weights[a.flatten(), b.flatten()] = weights[b.flatten(), a.flatten()] = weight
    return torch.diag(weights.sum(dim=1) + PULL) - weights
