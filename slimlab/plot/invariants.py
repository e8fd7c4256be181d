"""What an augmentation must leave alone, measured on one clip before and after; drawn: `plot.augmented`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from slimlab import augment
from slimlab.skeleton import Skeleton

TOLERANCE = 1e-3  # of a length, or m: well above float32, well below what an eye sees
SHORTEST = 0.01  # m; shorter bones have no length worth a ratio


def invariants(before: Tensor, after: Tensor, skeleton: Skeleton, mirrored: bool = False) -> pd.DataFrame:
    """One line a check: name, value, limit, holds, says. before, after (1, 3, T, V, M) metres; mirrored: left changed places
    with right, so that limbs are compared across.

    bones of <part>  how much the bones' length ratios after/before differ within a limb, over bones and frames (max - min)
    left = right     how much mirrored limbs' ratios differ
    sides            part of the frames in which left has become right (`same_sides`)
    nobody moved in  absent people and joints stay at zero: the farthest that is not
    Bones below 1 cm and joints that a sensor reports at the origin are left out.
    """
    lines = []
    before = augment.mirror(before, skeleton) if mirrored else before
    ratios = _ratios(before, after, skeleton)  # (V, samples), NaN where there is nothing to compare
    middle = {}
    for part, joints in skeleton.parts.items():
        of_part = ratios[[j for j in joints if j != skeleton.root]]
        known = of_part[np.isfinite(of_part)]
        if known.size:
            middle[part] = float(np.median(known))
            spread = float(known.max() - known.min())
            lines.append(_line(f"bones of {part}", spread, TOLERANCE, f"x {known.min():.3f} to {known.max():.3f}"))
    pairs = [(a, b) for a, b in _mirrored_parts(skeleton) if a in middle and b in middle]
    if pairs:
        worst = max(abs(middle[a] - middle[b]) for a, b in pairs)
        lines.append(_line("left = right", worst, TOLERANCE, f"limb factors differ by {worst:.3f}"))
    sides = same_sides(before, after, skeleton)
    if (sides != 0).any():
        wrong = float((sides[sides != 0] < 0).mean())
        lines.append(_line("sides", wrong, 0.0, f"left is right in {wrong:.0%} of the frames"))
    absent = (before == 0).all(dim=1, keepdim=True).all(dim=3, keepdim=True).expand_as(before)
    appeared = float(after[absent].abs().max()) if bool(absent.any()) else 0.0
    lines.append(_line("nobody moved in", appeared, 0.0, f"{appeared:.3f} m"))
    return pd.DataFrame(lines)


def laws(x: Tensor, skeleton: Skeleton, angles: Tensor) -> pd.DataFrame:
    """What `augment` promises of itself, on this clip: mirroring twice is the identity, rotation preserves distances."""
    twice = float((augment.mirror(augment.mirror(x, skeleton), skeleton) - x).abs().max())
    apart = float((_distances(augment.rotate(x, angles)) - _distances(x)).abs().max())
    return pd.DataFrame(
        [
            _line("mirror twice", twice, 1e-6, f"{twice:.1e} m from where it was"),
            _line("rotation", apart, TOLERANCE, f"distances change by {apart:.1e} m"),
        ]
    )


def same_sides(before: Tensor, after: Tensor, skeleton: Skeleton) -> np.ndarray:
    """(T * M,) 1 where left is still left, -1 where it has become right, 0 where that cannot be told.

    The sign of the determinant of the joints' covariance before and after: positive where a rotation takes one pose closest to
    the other, negative where that takes a reflection (Kabsch 1976, doi:10.1107/S0567739476001873). Zeros where a body is flat or
    has no mirror pairs.
    """
    old, new = (x[0].permute(1, 3, 2, 0).reshape(-1, len(skeleton), 3).double().numpy() for x in (before, after))  # (T*M, V, 3)
    if not skeleton.mirror:
        return np.zeros(len(old))
    old, new = (p - p.mean(axis=1, keepdims=True) for p in (old, new))
    volume = np.linalg.det(old.swapaxes(1, 2) @ new)  # (T*M,)
    size = ((old**2).sum(axis=(1, 2)) * (new**2).sum(axis=(1, 2))) ** 1.5
    return np.sign(np.where(np.abs(volume) <= 1e-9 * size, 0, volume))


def _line(name: str, value: float, limit: float, says: str) -> dict:
    return {"check": name, "value": value, "limit": limit, "holds": bool(value <= limit), "says": says}


def _ratios(before: Tensor, after: Tensor, skeleton: Skeleton) -> np.ndarray:
    """(V, T*M) bone length after / before; row of the joint at its end, NaN for the root and where a joint is missing."""
    out = np.full((len(skeleton), before.shape[2] * before.shape[4]), np.nan)
    old, new = (t[0].permute(2, 1, 3, 0).double().numpy() for t in (before, after))  # (V, T, M, 3)
    for parent, joint in skeleton.bones:
        length, now = (np.linalg.norm(t[joint] - t[parent], axis=-1).ravel() for t in (old, new))
        there = (old[joint].any(axis=-1) & old[parent].any(axis=-1)).ravel() & (length > SHORTEST)
        out[joint, there] = now[there] / length[there]
    return out


def _mirrored_parts(skeleton: Skeleton) -> list[tuple[str, str]]:
    names, groups = list(skeleton.parts), skeleton.part_groups
    return [(names[a], names[b]) for a in range(len(names)) for b in range(a + 1, len(names)) if groups[a] == groups[b]]


def _distances(x: Tensor) -> Tensor:
    """(T, V, V) between the first person's joints."""
    points = x[0, :, :, :, 0].permute(1, 2, 0).double()  # (T, V, 3)
    return torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
