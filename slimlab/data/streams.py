"""The field's three input streams: joints, bones, motion.

Joint and bone: two-stream AGCN (Shi et al. 2019, arXiv 1805.07694); with motion, the three streams ("3s") of self-supervised
methods (CrosSCLR, arXiv 2104.14761). One encoder is trained on each stream, and their class scores are added
(`evaluate.fuse`). Every function takes x (B, 3, T, V, M) and returns the same shape. A bone or a motion from or to a joint that
was not seen is zero.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from slimlab import augment
from slimlab.skeleton import Skeleton

STREAMS = ("joint", "bone", "motion")


def of(x: Tensor, skeleton: Skeleton, stream: str, seen: Tensor | None = None) -> Tensor:
    """The stream of this name: "joint" is x itself. Raises ValueError for another name.

    seen  (B, T, V, M) bool, of x as it is here; None: `augment.seen_after(x, skeleton)`
    """
    if stream not in STREAMS:
        raise ValueError(f"stream '{stream}' is unknown; choose one of {', '.join(STREAMS)}")
    if stream == "joint":
        return x
    seen = augment.seen_after(x, skeleton) if seen is None else seen
    return bone(x, skeleton, seen) if stream == "bone" else motion(x, seen)


def seen_in(seen: Tensor, skeleton: Skeleton, stream: str) -> Tensor:
    """(B, T, V, M) bool: where the stream of this name has a value, of joints that were seen (B, T, V, M).

    A bone needs both of its ends, a motion this frame and the next; the last frame's motion is zero and hides nothing.
    """
    if stream == "bone":
        return seen & seen[:, :, _parents(skeleton, seen.device)]
    return torch.cat([seen[:, :-1] & seen[:, 1:], torch.ones_like(seen[:, :1])], dim=1) if stream == "motion" else seen


def bone(x: Tensor, skeleton: Skeleton, seen: Tensor | None = None) -> Tensor:
    """Each joint minus its parent; zero for the root, which has none, and where either was not seen; `seen` as in `of`."""
    seen = augment.seen_after(x, skeleton) if seen is None else seen
    index = _parents(skeleton, x.device)
    return torch.where((seen & seen[:, :, index])[:, None], x - x[:, :, :, index], 0)


def motion(x: Tensor, seen: Tensor | None = None) -> Tensor:
    """The next frame minus this one; zero in the last frame, and where a joint was not seen in either frame.

    seen  (B, T, V, M) bool, of x as it is here; None: where x is not zero. In centered clips the center joint may be at zero
          and seen: give `augment.seen_after(x, skeleton)`
    """
    seen = augment.find_seen(x) if seen is None else seen
    out = torch.zeros_like(x)
    out[:, :, :-1] = torch.where((seen[:, 1:] & seen[:, :-1])[:, None], x[:, :, 1:] - x[:, :, :-1], 0)
    return out


def _parents(skeleton: Skeleton, device: torch.device) -> Tensor:
    """(V,) the parent of each joint, of the root itself."""
    parents = np.array(skeleton.parents)
    parents[skeleton.root] = skeleton.root
    return torch.from_numpy(parents).to(device)
