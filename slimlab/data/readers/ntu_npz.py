"""The NTU RGB+D `.npz` that CTR-GCN, CMD, MAMP and SLiM share: x_train, x_test (N, 300, 150), y_train, y_test one-hot.

The last axis is 2 people x 25 joints x 3 (https://github.com/Uason-Chen/CTR-GCN). Read block by block through the zip, so
that memory does not grow with the file. Performers and cameras are not in this format; the split is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimlab.data.building import MOST_CLASSES, Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers.arrays import trimmed
from slimlab.data.readers.npz import Npz, Parts, write
from slimlab.data.store import Clip, ClipStore
from slimlab.skeleton import KINECT_V2

CLIPS_AT_A_TIME = 128
FRAMES, PEOPLE = 300, 2
LONGEST = 10_000  # frames of a clip, zeros behind its end included; the field's files have 300


def read(path: str | Path) -> Source:
    """Check the headers, then stream train and test clips. Raises DataError."""
    npz = Npz(path)
    sides = [side for side in ("train", "test") if f"x_{side}" in npz]
    classes = 0
    for side in sides:
        npz.number(f"x_{side}", (None, None, 150), "f", "2 people x 25 joints x 3 coordinates")
        clips, frames = npz.shapes[f"x_{side}"][0][:2]
        if not 1 <= frames <= LONGEST:
            raise DataError(f"{path}: x_{side} has {frames} frames a clip; 1..{LONGEST} are possible")
        npz.number(f"y_{side}", (clips, None), "fiu", "one-hot labels")
        classes = max(classes, npz.shapes[f"y_{side}"][0][1])

    if classes > MOST_CLASSES:
        raise DataError(f"{path}: {classes} classes in one-hot labels; at most {MOST_CLASSES:,} are possible")
    total = {side: npz.shapes[f"x_{side}"][0][0] for side in sides}

    def after(done: int) -> Iterator[Block]:
        for side in sides:
            first, done = min(done, total[side]), max(0, done - total[side])
            starts = range(first, total[side], CLIPS_AT_A_TIME)
            counts = [min(CLIPS_AT_A_TIME, total[side] - start) for start in starts]
            labels = npz.stream(f"y_{side}", counts, first)
            for x, y, start in zip(npz.stream(f"x_{side}", counts, first), labels, starts, strict=True):
                yield _block(x, y, side, start, str(path))

    names = tuple(f"A{i + 1:03d}" for i in range(classes))
    return Source(str(path), KINECT_V2, Blocks(after), names, fps=30.0, clips=sum(total.values()))


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
    names, arrays = train.label_names, {}
    for side, store in (("train", train), ("test", test)):
        if store.skeleton.names != KINECT_V2.names or store.max_people > PEOPLE or store.label_names != names:
            raise DataError(f"{store.source}: this format holds Kinect v2 bodies, at most two, and one list of classes")
        long, lost = store.column("frames") > FRAMES, store.labels < 0
        if (long | lost).any():
            i = int(np.argmax(long | lost))
            why = "has no label" if lost[i] else f"has {store.column('frames')[i]} frames, more than {FRAMES}"
            raise DataError(f"{store.source}: clip '{store.column('clip')[i]}' {why}; leave it out")
        arrays[f"x_{side}"] = Parts((len(store), FRAMES, PEOPLE * len(KINECT_V2) * 3), np.dtype(np.float32), map(_row, store))
        arrays[f"y_{side}"] = np.eye(len(names), dtype=np.float32)[store.labels]
    write(path, arrays)


def _row(clip: Clip) -> np.ndarray:
    """(1, 300, 150), zeros behind the last frame."""
    frames, people = clip.joints.shape[:2]
    x = np.zeros((1, FRAMES, PEOPLE, len(KINECT_V2), 3), dtype=np.float32)
    x[0, :frames, :people] = clip.joints
    return x.reshape(1, FRAMES, -1)
