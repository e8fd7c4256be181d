"""Arrays of (N,) 3, T, V, M, as ST-GCN and its descendants keep them: in memory (`from_arrays`), one `.npy`, or a folder.

`train_data.npy` or `train_data_joint.npy` goes with `train_label.pkl`, a pickled (names, labels), or with EfficientGCN's
lengths behind them, and so for val and test (https://github.com/yysijie/st-gcn, https://github.com/lshiwjx/2s-AGCN); the pickle
is read without being run (pickles.py).
Names in NTU's form give performer, camera and setup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slimlab.data.building import MOST_CLASSES, Block, Blocks, Source, build
from slimlab.data.errors import DataError
from slimlab.data.readers import units
from slimlab.data.readers.files import LIMIT
from slimlab.data.readers.ntu_names import about
from slimlab.data.readers.pickles import Array, Pickle
from slimlab.data.store import ClipStore
from slimlab.skeleton import KINECT_V1, KINECT_V2, Skeleton

BYTES_AT_A_TIME = 1 << 24
BODIES = {25: KINECT_V2, 20: KINECT_V1}
SIDE = re.compile(r"(train|val|test)_data(_joint)?\.npy")  # of a folder; bones and motion follow from the joints
REMEDY = "give it with data.from_arrays(array, skeleton=…): slimlab.skeleton.H36M, COCO, SMPL_22 or Skeleton(names, parents)"


@dataclass(frozen=True)
class _Side:
    """x (N, 3, T, V, M), in memory or a memory map of `file`; table: columns of N entries."""

    x: np.ndarray
    place: str
    table: dict[str, Any]
    file: Path | None = None


def from_arrays(
    x: np.ndarray,
    labels: Sequence[int] | None = None,
    subjects: Sequence[int] | None = None,
    cameras: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    label_names: Sequence[str] = (),
    skeleton: Skeleton | None = None,
    fps: float | None = None,
    unit: str | float | None = None,
    up: str | None = None,
) -> ClipStore:
    """A store from an array (N, 3, T, V, M), or (3, T, V, M) for one clip: metres, y up, zero where a joint or person is absent.

    unit, up: where the array is in another unit ("cm", "mm", "inch", or metres in one unit) or has another axis up ("z", "-y").

    The zeros behind a clip's last frame are trimmed. labels (N,) from 0, -1 unlabelled; subjects, cameras (N,) integers;
    names (N,) text, all different. skeleton: by default Kinect v2 for 25 joints and Kinect v1 for 20.
    Raises DataError where shapes do not fit, the body is not settled, or a coordinate is impossible.
    """
    columns = {"label": labels, "subject": subjects, "camera": cameras, "clip": names}
    table = {k: np.asarray(v) for k, v in columns.items() if v is not None}
    x = np.asarray(x)
    source = _source([_Side(x[None] if x.ndim == 4 else x, "array", table)], "array", tuple(label_names), skeleton, fps)
    return build(units.said(source, unit, up))


def read(path: str | Path) -> Source:
    """One `.npy` file, or a folder of `train_data.npy`, `val_data.npy`, … with their labels; memory-mapped. Raises DataError."""
    path = Path(path)
    if not path.is_dir():
        return _read([(path, "")], str(path))
    found = sorted(f for f in path.iterdir() if SIDE.fullmatch(f.name))
    if not found or len({SIDE.fullmatch(f.name)[1] for f in found}) < len(found):  # pyright: ignore[reportOptionalSubscript]
        raise DataError(f"{path}: give a folder with one of train_data.npy and train_data_joint.npy, or one .npy file")
    return _read([(f, "train" if f.name.startswith("train") else "test") for f in found], str(path))


def _read(found: list[tuple[Path, str]], place: str) -> Source:
    sides, names = [], ()
    for file, side in found:
        x = _mapped(file)
        x = x[None] if x.ndim == 4 else x
        table: dict[str, Any] = {"clip": [f"{side}_{i:06d}".lstrip("_") for i in range(len(x))], "split": [side] * len(x)}
        label_file = file.with_name(re.sub(r"data(_joint)?\.npy$", "label.pkl", file.name))
        if label_file.suffix == ".pkl" and label_file.exists():
            named, labels = _labels(label_file)
            known, names = about(named, labels)
            table |= {"clip": named, "label": labels} | known
        elif not side:
            table["clip"] = [f"clip_{i:06d}" for i in range(len(x))]
        sides.append(_Side(x, str(file), {k: np.asarray(v) for k, v in table.items()}, file))
    return _source(sides, place, names, None, None)


def _mapped(file: Path) -> np.ndarray:
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # whatever damaged bytes provoke in NumPy
        text = " ".join(str(error).split())[:200]
        raise DataError(f"{file}: no readable .npy file ({text}); save it with numpy.save, without pickled objects") from error


def _labels(file: Path) -> tuple[list[str], list[int]]:
    """(names, labels) of a `label.pkl`. Raises DataError."""
    pickled = Pickle(file)
    content = pickled.load()
    names, labels = content[:2] if isinstance(content, (tuple, list)) and len(content) in (2, 3) else (None, None)
    try:
        labels = labels.read(pickled).ravel().tolist() if isinstance(labels, Array) else labels
    except ValueError as error:
        raise DataError(f"{file}: {error}; write it again") from error
    if (
        not (isinstance(names, list) and isinstance(labels, list) and len(names) == len(labels))
        or not all(isinstance(n, str) for n in names)
        or not all(isinstance(v, int) and -1 <= v < MOST_CLASSES for v in labels)
    ):
        raise DataError(
            f"{file}: is no pickled pair (names, labels), nor with lengths behind it, of equally long lists; write it again"
        )
    return [re.split(r"[/\\]", n)[-1].removesuffix(".skeleton") for n in names], labels  # Windows' paths too


def _source(sides: list[_Side], place: str, label_names: tuple[str, ...], skeleton: Skeleton | None, fps: float | None) -> Source:
    joints = {_joints(side) for side in sides}
    body = skeleton or BODIES.get(min(joints))
    if body is None or joints != {len(body)}:
        given = f"the skeleton has {len(body)}" if body else "which body that is, is not settled"
        raise DataError(f"{place}: {min(joints)} joints, {given}; {REMEDY}")

    def after(done: int) -> Iterator[Block]:
        for side in sides:
            at_a_time = max(1, BYTES_AT_A_TIME // max(1, side.x[0].nbytes))
            for start in range(min(done, len(side.x)), len(side.x), at_a_time):
                yield _block(side, slice(start, start + at_a_time))
            done = max(0, done - len(side.x))

    return Source(place, body, Blocks(after), label_names, fps, clips=sum(len(side.x) for side in sides))


def _block(side: _Side, part: slice) -> Block:
    x = side.x if side.file is None else _mapped(side.file)  # anew, so that what was read does not stay in memory
    frames = np.asarray((x[None] if x.ndim == 4 else x)[part]).transpose(0, 2, 4, 3, 1)  # (n, T, M, V, 3)
    lengths = trimmed(frames)
    keep = np.arange(frames.shape[1]) < lengths[:, None]  # (n, T)
    return Block(frames[keep], np.r_[0, np.cumsum(lengths)], {k: v[part] for k, v in side.table.items()})


def _joints(side: _Side) -> int:
    """V of a sound side. Raises DataError where shape, type or a column is none."""
    x, place = side.x, side.place
    if x.ndim != 5 or x.shape[1] != 3 or x.dtype.kind not in "fiu" or 0 in x.shape:
        raise DataError(f"{place}: {x.dtype} {x.shape} is no array of numbers (N, 3, frames, joints, people); transpose it")
    if x.shape[4] > 64 or x[0].nbytes > LIMIT:
        raise DataError(f"{place}: {x.shape[2]} frames of {x.shape[4]} people a clip; at most 64 people and {LIMIT:,} bytes")
    side.table.setdefault("clip", np.array([f"clip_{i:06d}" for i in range(len(x))]))
    for column, values in side.table.items():
        if values.shape != x.shape[:1]:
            raise DataError(f"{place}: {values.shape} entries of '{column}' for {len(x)} clips; give one per clip")
        if column not in ("clip", "split") and values.dtype.kind not in "iu":
            raise DataError(f"{place}: '{column}' is {values.dtype}; give integers, and the classes' names as label_names")
    return x.shape[3]


def trimmed(frames: np.ndarray) -> np.ndarray:
    """(n,) frames of each clip up to the last that is not all zero, at least one. frames (n, T, M, V, 3)."""
    used = (frames != 0).any(axis=(2, 3, 4))  # (n, T); NaN counts as used, and is complained of later
    return np.where(used.any(axis=1), frames.shape[1] - used[:, ::-1].argmax(axis=1), 1)
