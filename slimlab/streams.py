"""The field's three input streams: joints, bones, motion.

Joint and bone: two-stream AGCN (Shi et al. 2019, arXiv 1805.07694); with motion, the three streams ("3s") of self-supervised
methods (CrosSCLR, arXiv 2104.14761). One encoder is trained on each stream, and their class scores are added
(`evaluate.fuse`). Every function takes x (B, 3, T, V, M) and returns the same shape.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from slimlab.skeleton import Skeleton

STREAMS = ("joint", "bone", "motion")


def of(x: Tensor, skeleton: Skeleton, stream: str) -> Tensor:
    """The stream of this name: "joint" is x itself. Raises ValueError for another name."""
    if stream not in STREAMS:
        raise ValueError(f"stream '{stream}' is unknown; choose one of {', '.join(STREAMS)}")
    if stream == "bone":
        return bone(x, skeleton)
    return motion(x) if stream == "motion" else x


def bone(x: Tensor, skeleton: Skeleton) -> Tensor:
    """Each joint minus its parent; the root, which has none, is zero."""
    parents = np.array(skeleton.parents)
    parents[skeleton.root] = skeleton.root
    return x - x[:, :, :, torch.from_numpy(parents).to(x.device)]


def motion(x: Tensor) -> Tensor:
    """The next frame minus this one; the last frame is zero, and so are frames from or to which a person is absent (all zero)."""
    there = (x != 0).any(dim=3, keepdim=True).any(dim=1, keepdim=True)  # (B, 1, T, 1, M)
    both = there[:, :, 1:] & there[:, :, :-1]
    out = torch.zeros_like(x)
    out[:, :, :-1] = (x[:, :, 1:] - x[:, :, :-1]) * both
    return out
