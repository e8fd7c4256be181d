"""Ragged npz: slimlab's plain exchange format, one uncompressed `.npz` without pickles.

joints (frames, V, 3) or (frames, M, V, 3) metres, y up · frame_offsets (N+1) · labels (N) · subjects (N) · label_names ·
joint_names (V) · parents (V), -1 at the root · optional clip_names, views (cameras), setups, splits, fps. Other keys are ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers.npz import Npz, Parts, write
from slimlab.data.store import ClipStore
from slimlab.skeleton import Skeleton, declared

FRAMES_BYTES = 1 << 26  # of the joints that are read at a time
MOST_PEOPLE, MOST_CLIPS = 64, 2_000_000


def read(path: str | Path) -> Source:
    """Check every header and the offsets, then stream the clips. Raises DataError."""
    npz = Npz(path)
    people = (None,) if "joints" in npz and len(npz.shapes["joints"][0]) == 4 else ()
    npz.number("joints", (None, *people, None, 3), "f", "joint positions as floats")
    npz.number("frame_offsets", (None,), "iu", "the first frame of each clip and the end")
    joints = npz.shapes["joints"][0]
    offsets = npz.read("frame_offsets").astype(np.int64)
    clips, joint_count = len(offsets) - 1, joints[-2]
    if clips < 1 or offsets[0] != 0 or offsets[-1] != joints[0] or (np.diff(offsets) < 0).any():
        raise DataError(
            f"{path}: frame_offsets must rise from 0 to {joints[0]}, the frames in 'joints'; "
            f"they run from {offsets[:1]} to {offsets[-1:]}"
        )
    longest, people = int(np.diff(offsets).max()), joints[1] if len(joints) == 4 else 1
    if clips > MOST_CLIPS:
        raise DataError(f"{path}: {clips:,} clips; at most {MOST_CLIPS:,} in one file")
    if people > MOST_PEOPLE or longest * people * joint_count * 12 > FRAMES_BYTES * 16:
        raise DataError(f"{path}: a clip of {longest} frames and {people} people; at most {MOST_PEOPLE} people, 1 GB a clip")
    npz.number("joint_names", (joint_count,), "U", "names of the joints")
    npz.number("parents", (joint_count,), "iu", "parents of the joints")
    table = {"clip": np.array([f"clip_{i:05d}" for i in range(clips)])}
    for key, column, kinds in (
        ("labels", "label", "iu"),
        ("subjects", "subject", "iu"),
        ("views", "camera", "iu"),
        ("setups", "setup", "iu"),
        ("splits", "split", "U"),
        ("clip_names", "clip", "U"),
    ):
        if key in npz:
            npz.number(key, (clips,), kinds, "one entry per clip")
            table[column] = npz.read(key)
    if "label_names" in npz:
        npz.number("label_names", (None,), "U", "names of the classes")
    try:
        skeleton = Skeleton([str(n) for n in npz.read("joint_names")], npz.read("parents").tolist())
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    skeleton = declared(skeleton)
    at_a_time = max(1, FRAMES_BYTES // max(1, people * joint_count * 12))  # frames

    def after(done: int) -> Iterator[Block]:
        parts = list(pairwise(_cuts(offsets, done, at_a_time)))
        counts = [int(offsets[b] - offsets[a]) for a, b in parts]
        for frames, (a, b) in zip(npz.stream("joints", counts, int(offsets[done])), parts, strict=True):
            columns = {name: values[a:b] for name, values in table.items()}
            yield Block(frames if frames.ndim == 4 else frames[:, None], offsets[a : b + 1] - offsets[a], columns)  # (F, M, V, 3)

    names = tuple(str(n) for n in npz.read("label_names")) if "label_names" in npz else ()
    fps = float(npz.read("fps")) if "fps" in npz and npz.shapes["fps"][0] == () else None
    return Source(str(path), skeleton, Blocks(after), names, fps, clips=clips)


def _cuts(offsets: np.ndarray, first: int, frames: int) -> list[int]:
    """Clips first = c0 < c1 < … = N such that those from one cut to the next have about `frames` frames, at least one clip."""
    cuts, end = [first], len(offsets) - 1
    while cuts[-1] < end:
        fits = int(np.searchsorted(offsets, offsets[cuts[-1]] + frames, side="right")) - 1
        cuts.append(min(end, max(cuts[-1] + 1, fits)))
    return cuts


def save(store: ClipStore, path: str | Path) -> None:
    """Write a store (or the part of one that a split left) as ragged npz, clip by clip."""
    frames, people, skeleton = store.column("frames"), store.max_people, store.skeleton
    shape = (len(skeleton), 3) if people == 1 else (people, len(skeleton), 3)

    def joints() -> Iterator[np.ndarray]:
        for clip in store:
            x = np.pad(clip.joints, ((0, 0), (0, people - clip.joints.shape[1]), (0, 0), (0, 0)))
            yield x[:, 0] if people == 1 else x

    arrays: dict[str, np.ndarray | Parts] = {
        "joints": Parts((int(frames.sum()), *shape), np.dtype(np.float32), joints()),
        "frame_offsets": np.cumsum([0, *frames]),
        "labels": store.labels,
        "subjects": store.column("subject").astype(np.int64),
        "views": store.column("camera").astype(np.int64),
        "setups": store.column("setup").astype(np.int64),
        "splits": store.column("split").astype(np.str_),
        "label_names": np.array(store.label_names, dtype=np.str_),
        "joint_names": np.array(skeleton.names, dtype=np.str_),
        "parents": np.array(skeleton.parents, dtype=np.int64),
        "clip_names": store.column("clip").astype(np.str_),
    }
    if store.fps is not None:
        arrays["fps"] = np.array(store.fps)
    write(path, arrays)
