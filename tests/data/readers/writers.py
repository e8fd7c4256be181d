"""Clips written in the formats that others use, for the readers' tests. Nothing here is shared with slimlab's readers."""

from pathlib import Path

import numpy as np


def skeleton_text(bodies: list[tuple[int, dict[int, np.ndarray]]], frames: int, end: str = "\r\n") -> str:
    """An NTU `.skeleton` file. bodies: (id, frame -> (25, 3) metres), in the order in which a frame lists them."""
    lines = [str(frames)]
    for t in range(frames):
        here = [(body, places[t]) for body, places in bodies if t in places]
        lines.append(str(len(here)))
        for body, joints in here:
            lines += [f"{body} 0 1 1 0 0 0 0.0213 -0.1 2", "25"]
            lines += [
                " ".join(f"{float(np.float32(v))!r}" for v in xyz) + " 277.4 191.8 1036.3 519.1 -0.2 0.04 0.9 0.01 2"
                for xyz in joints
            ]
    return end.join(lines) + end


def whole(
    clip_joints: np.ndarray, valid: np.ndarray, first_id: int = 72057594037931101
) -> list[tuple[int, dict[int, np.ndarray]]]:
    """The bodies of a Clip, for `skeleton_text`: joints (T, M, 25, 3), valid (T, M)."""
    return [(first_id + m, {t: clip_joints[t, m] for t in np.flatnonzero(valid[:, m])}) for m in range(valid.shape[1])]


def write_skeletons(folder: Path, store, **renamed: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for clip in store:
        (folder / f"{clip.name}.skeleton").write_text(skeleton_text(whole(clip.joints, clip.valid), len(clip.joints)))
