"""The NTU RGB+D `.npz` that CTR-GCN, CMD, MAMP and SLiM share: x_train, x_test (N, 300, 150), y_train, y_test one-hot.

The last axis is 2 people x 25 joints x 3 (https://github.com/Uason-Chen/CTR-GCN). Read block by block through the zip, so
that memory does not grow with the file. Performers and cameras are not in this format; the split is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slimlab.data.arrays import trimmed
from slimlab.data.building import Block, Source
from slimlab.data.errors import DataError
from slimlab.data.npz import Npz, write
from slimlab.data.store import ClipStore
from slimlab.skeleton import KINECT_V2

CLIPS_AT_A_TIME = 256
FRAMES, PEOPLE = 300, 2


def read(path: str | Path) -> Source:
    """Check the headers, then stream train and test clips. Raises DataError."""
    npz = Npz(path)
    sides = [side for side in ("train", "test") if f"x_{side}" in npz]
    classes = 0
    for side in sides:
        npz.number(f"x_{side}", (None, None, 150), "f", "2 people x 25 joints x 3 coordinates")
        clips = npz.shapes[f"x_{side}"][0][0]
        npz.number(f"y_{side}", (clips, None), "fiu", "one-hot labels")
        classes = max(classes, npz.shapes[f"y_{side}"][0][1])

    def blocks():
        for side in sides:
            start = 0
            labels = npz.stream(f"y_{side}", CLIPS_AT_A_TIME)
            for x, y in zip(npz.stream(f"x_{side}", CLIPS_AT_A_TIME), labels, strict=True):
                yield _block(x, y, side, start, str(path))
                start += len(x)

    return Source(str(path), KINECT_V2, blocks(), tuple(f"A{i + 1:03d}" for i in range(classes)), fps=30.0)


def _block(x: np.ndarray, y: np.ndarray, side: str, start: int, path: str) -> Block:
    one_hot = ((y == 0) | (y == 1)).all(axis=1) & (y.sum(axis=1) == 1)
    if not one_hot.all():
        raise DataError(f"{path}: y_{side}[{start + int(np.argmin(one_hot))}] is not one-hot; rows hold one 1, else 0")
    n, frames, _ = x.shape
    people = x.reshape(n, frames, 2, 25, 3)
    lengths = trimmed(people)
    keep = np.arange(frames) < lengths[:, None]  # (n, T)
    table = {
        "clip": [f"{side}_{start + i:06d}" for i in range(n)],
        "label": y.argmax(axis=1),
        "split": [side] * n,
    }
    return Block(people[keep], np.r_[0, np.cumsum(lengths)], table)


def save(train: ClipStore, test: ClipStore, path: str | Path) -> None:
    """Write both sides of a split in this format, 90 kB a clip: 300 frames, zeros behind the clip's last one, float32.

    Raises DataError where clips are of another body, longer than 300 frames, of more than two people, or not labelled.
    """
    names = train.label_names
    arrays = {}
    for side, store in (("train", train), ("test", test)):
        if store.skeleton.names != KINECT_V2.names or store.max_people > PEOPLE or store.label_names != names:
            raise DataError(f"{store.source}: this format holds Kinect v2 bodies, at most two, and one list of classes")
        x = np.zeros((len(store), FRAMES, PEOPLE * len(KINECT_V2) * 3), dtype=np.float32)
        for i, clip in enumerate(store):
            frames, people = clip.joints.shape[:2]
            if frames > FRAMES or clip.label < 0:
                why = f"has {frames} frames, more than {FRAMES}" if clip.label >= 0 else "has no label"
                raise DataError(f"{store.source}: clip '{clip.name}' {why}; leave it out")
            x[i, :frames, : people * len(KINECT_V2) * 3] = clip.joints.reshape(frames, -1)
        arrays |= {f"x_{side}": x, f"y_{side}": np.eye(len(names), dtype=np.float32)[store.labels]}
    write(path, arrays)
