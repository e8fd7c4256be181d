"""Arrays of (N,) 3, T, V, M, as ST-GCN and its descendants keep them: in memory (`from_arrays`) or one `.npy` file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Source, build
from slimlab.data.errors import DataError
from slimlab.data.npz import LIMIT
from slimlab.data.store import ClipStore
from slimlab.skeleton import KINECT_V1, KINECT_V2, Skeleton

CLIPS_AT_A_TIME = 64
BODIES = {25: KINECT_V2, 20: KINECT_V1}
REMEDY = "give it with data.from_arrays(array, skeleton=…): slimlab.skeleton.H36M, COCO or Skeleton(names, parents)"


def from_arrays(
    x: np.ndarray,
    labels: Sequence[int] | None = None,
    subjects: Sequence[int] | None = None,
    cameras: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    label_names: Sequence[str] = (),
    skeleton: Skeleton | None = None,
    fps: float | None = None,
) -> ClipStore:
    """A store from an array (N, 3, T, V, M), or (3, T, V, M) for one clip: metres, y up, zero where a joint or person is absent.

    The zeros behind a clip's last frame are trimmed. labels (N,) from 0, -1 unlabelled; subjects, cameras (N,) integers;
    names (N,) text, all different. skeleton: by default Kinect v2 for 25 joints and Kinect v1 for 20.
    Raises DataError where shapes do not fit, the body is not settled, or a coordinate is impossible.
    """
    columns = {"label": labels, "subject": subjects, "camera": cameras, "clip": names}
    table = {k: np.asarray(v) for k, v in columns.items() if v is not None}
    return build(_source(np.asarray(x), table, "array", tuple(label_names), skeleton, fps))


def read(path: str | Path) -> Source:
    """One `.npy` file, memory-mapped. Raises DataError."""
    try:
        size = Path(path).stat().st_size
        x = np.load(path, mmap_mode="r", allow_pickle=False) if size < LIMIT else np.zeros(0)
    except Exception as error:  # whatever damaged bytes provoke in NumPy
        text = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: no readable .npy file ({text}); save it with numpy.save, without pickled objects") from error
    return _source(x, {}, str(path), (), None, None)


def _source(x: np.ndarray, table: dict, place: str, label_names: tuple[str, ...], skeleton: Skeleton | None, fps: float | None):
    if x.ndim == 4:
        x = x[None]
    if x.ndim != 5 or x.shape[1] != 3 or x.dtype.kind not in "fiu" or 0 in x.shape:
        raise DataError(f"{place}: {x.dtype} {x.shape} is no array of numbers (N, 3, frames, joints, people); transpose it")
    clips, _, _, joints, people = x.shape
    body = skeleton or BODIES.get(joints)
    if body is None or len(body) != joints:
        given = f"the skeleton has {len(body)}" if body else "which body that is, is not settled"
        raise DataError(f"{place}: {joints} joints, {given}; {REMEDY}")
    if people > 64:
        raise DataError(f"{place}: {people} people in a frame; the last axis of (N, 3, frames, joints, people) is people")
    table.setdefault("clip", np.array([f"clip_{i:06d}" for i in range(clips)]))
    for column, values in table.items():
        if values.shape != (clips,):
            raise DataError(f"{place}: {values.shape} entries of '{column}' for {clips} clips; give one per clip")
        if column != "clip" and values.dtype.kind not in "iu":
            raise DataError(f"{place}: '{column}' is {values.dtype}; give integers, and the classes' names as label_names")

    def blocks() -> Iterator[Block]:
        for start in range(0, clips, CLIPS_AT_A_TIME):
            part = slice(start, start + CLIPS_AT_A_TIME)
            frames = np.asarray(x[part]).transpose(0, 2, 4, 3, 1)  # (n, T, M, V, 3)
            lengths = trimmed(frames)
            keep = np.arange(frames.shape[1]) < lengths[:, None]  # (n, T)
            yield Block(frames[keep], np.r_[0, np.cumsum(lengths)], {k: v[part] for k, v in table.items()})

    return Source(place, body, blocks(), label_names, fps)


def trimmed(frames: np.ndarray) -> np.ndarray:
    """(n,) frames of each clip up to the last that is not all zero, at least one. frames (n, T, M, V, 3)."""
    used = (frames != 0).any(axis=(2, 3, 4))  # (n, T); NaN counts as used, and is complained of later
    return np.where(used.any(axis=1), frames.shape[1] - used[:, ::-1].argmax(axis=1), 1)
