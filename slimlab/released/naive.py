"""Augmentations that do what they should not, for contrast: nothing in the library trains with them.

Each takes x (B, 3, T, V, M) in metres, as `augment` does, and leaves absent people (all zero) at zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from slimlab.skeleton import Skeleton


def flip(x: Tensor) -> Tensor:
    """Negate x without letting left and right change places: the joint called left hand is now a right hand."""
    return x * torch.tensor([-1.0, 1.0, 1.0], dtype=x.dtype, device=x.device).view(3, 1, 1, 1)


def stretch(x: Tensor, factors: Tensor) -> Tensor:
    """Scale each axis by its own factor; factors (B, 3). A bone's length then depends on where it points."""
    return x * factors.to(x).view(-1, 3, 1, 1, 1)


def shear(x: Tensor, amount: Tensor) -> Tensor:
    """Add amount * y to x; amount (B,). Common in skeleton pipelines (AimCLR, arXiv 2112.03590); bones change length."""
    return torch.stack([x[:, 0] + amount.to(x).view(-1, 1, 1, 1) * x[:, 1], x[:, 1], x[:, 2]], dim=1)


def scale_bones_by_index(x: Tensor, skeleton: Skeleton, factors: Tensor) -> Tensor:
    """Bone scaling that rebuilds joints in index order, as SLiM's released code does; factors (B, parts).

    A joint whose parent has a higher index is hung on a place that is still zero. On Kinect v2, where 2, 4 and 8 hang from 20,
    14 of 25 joints move even at factor 1; on a body whose indices are in order it equals `augment.scale_bones`.
    """
    of_joint = factors.to(x)[:, torch.from_numpy(skeleton.part_of).to(x.device)]  # (B, V)
    out = torch.zeros_like(x)
    for joint, parent in enumerate(skeleton.parents):
        if parent < 0:
            out[:, :, :, joint] = x[:, :, :, joint]
        else:
            bone = x[:, :, :, joint] - x[:, :, :, parent]  # (B, 3, T, M)
            out[:, :, :, joint] = out[:, :, :, parent] + bone * of_joint[:, joint].view(-1, 1, 1, 1)
    return out
