"""Ragged npz: slimlab's plain exchange format, one uncompressed `.npz` without pickles.

joints (frames, V, 3) or (frames, M, V, 3) metres, y up · frame_offsets (N+1) · labels (N) · subjects (N) · label_names ·
joint_names (V) · parents (V), -1 at the root · optional clip_names, views (cameras), fps. Other keys are ignored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Source
from slimlab.data.errors import DataError
from slimlab.data.npz import Npz, write
from slimlab.data.store import ClipStore
from slimlab.skeleton import Skeleton


def read(path: str | Path) -> Source:
    """Check every header and the offsets, then hand out the one block. Raises DataError."""
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
    npz.number("joint_names", (joint_count,), "U", "names of the joints")
    npz.number("parents", (joint_count,), "iu", "parents of the joints")
    table = {"clip": np.array([f"clip_{i:05d}" for i in range(clips)])}
    for key, column, kinds in (
        ("labels", "label", "iu"),
        ("subjects", "subject", "iu"),
        ("views", "camera", "iu"),
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
    for known in _declared():
        if known.names == skeleton.names and known.parents == skeleton.parents:
            skeleton = known

    def blocks():
        frames = npz.read("joints")
        yield Block(frames if frames.ndim == 4 else frames[:, None], offsets, table)  # (F, M, V, 3)

    names = tuple(str(n) for n in npz.read("label_names")) if "label_names" in npz else ()
    fps = float(npz.read("fps")) if "fps" in npz and npz.shapes["fps"][0] == () else None
    return Source(str(path), skeleton, blocks(), names, fps)


def _declared() -> tuple[Skeleton, ...]:
    from slimlab import skeleton

    return skeleton.KINECT_V2, skeleton.KINECT_V1, skeleton.H36M, skeleton.COCO


def save(store: ClipStore, path: str | Path) -> None:
    """Write a store (or the part of one that a split left) as ragged npz."""
    clips = [store[i] for i in range(len(store))]
    people = store.max_people
    frames = [np.pad(c.joints, ((0, 0), (0, people - c.joints.shape[1]), (0, 0), (0, 0))) for c in clips]
    joints = np.concatenate(frames)  # (F, M, V, 3)
    arrays = {
        "joints": joints[:, 0] if people == 1 else joints,
        "frame_offsets": np.cumsum([0, *(len(f) for f in frames)]),
        "labels": store.labels,
        "subjects": store.column("subject").astype(np.int64),
        "views": store.column("camera").astype(np.int64),
        "label_names": np.array(store.label_names, dtype=np.str_),
        "joint_names": np.array(store.skeleton.names, dtype=np.str_),
        "parents": np.array(store.skeleton.parents, dtype=np.int64),
        "clip_names": store.column("clip").astype(np.str_),
    }
    if store.fps is not None:
        arrays["fps"] = np.array(store.fps)
    write(path, arrays)
