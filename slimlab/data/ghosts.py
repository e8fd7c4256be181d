"""Bodies that a depth camera saw where nobody was: a chair, a shadow, a third arm.

The two signs are those of the NTU RGB+D preprocessing that the field shares (CTR-GCN, `data/ntu/get_raw_denoised_data.py`,
https://github.com/Uason-Chen/CTR-GCN): a body seen in a dozen frames only, or wider than a body is for its height in most.
"""

from __future__ import annotations

import numpy as np

FEW_FRAMES = 11  # a body with no more is a ghost, unless the whole clip is so short
WIDE = 0.8  # width over height from which a frame looks like no upright body
MOSTLY = 0.69754  # a body that wide in this part of its frames is a ghost


def why_ghost(joints: np.ndarray, clip_frames: int) -> str:
    """ "" for a body, else why it is none: "few frames", "too wide". joints (T, V, 3), the frames in which it is there.

    Someone lying down is as wide as a ghost: this marks bodies to look at, it does not prove that nobody was there.
    """
    if len(joints) <= FEW_FRAMES < clip_frames:
        return "few frames"
    seen = joints.any(axis=2, keepdims=True)  # (T, V, 1); an unseen joint, at zero, does not make a body wide
    extent = np.where(seen, joints, -np.inf).max(axis=1) - np.where(seen, joints, np.inf).min(axis=1)  # (T, 3)
    wide: np.ndarray = extent[:, 0] > WIDE * extent[:, 1]
    return "too wide" if len(wide) and wide.mean() >= MOSTLY else ""


def motion(joints: np.ndarray) -> float:
    """Square metres: variance over time, summed over axes, mean over joints. joints (T, V, 3).

    A joint's variance is over the frames that show it; where none does it is 0.
    """
    seen: np.ndarray = np.any(joints, axis=2)  # (T, V)
    if seen.all():
        return float(joints.var(axis=0).sum(axis=-1).mean()) if len(joints) else 0.0
    return float(np.mean([joints[seen[:, j], j].var(axis=0).sum() if seen[:, j].any() else 0.0 for j in range(joints.shape[1])]))
