"""SLEAP's analysis files, `.h5`: points of animals in pixels of an image, with a score each, read by h5py.

Datasets `tracks` (people, 2, points, frames), NaN where not seen, `node_names` (points,) and `point_scores` (people, points,
frames): https://docs.sleap.ai/latest/learnings/export-analysis/. As in SLEAP's `.csv`, all points hang from the first. Links to
other files and values that lie in them are refused, and so are the `.h5` tables of pandas that DeepLabCut writes: their names are
pickled.
"""

from __future__ import annotations

import importlib
import io
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np

from slimlab import _extras
from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files
from slimlab.data.readers.estimates import MIN_SCORE, PIXELS, Person
from slimlab.data.readers.landmark_tables import TREE, star
from slimlab.data.readers.recordings import MOST_PLACES, check_same, check_size, first_sound
from slimlab.skeleton import Skeleton

PICKLED = (
    "a table of pandas, as DeepLabCut writes it, whose names are pickled, which slimlab never unpickles; DeepLabCut writes the "
    "same as .csv with save_as_csv=True or deeplabcut.convert_h5_to_csv: open that"
)
HEAP = 1 << 16  # bytes of a global heap at most
OTHER = "export it again with SLEAP's 'Export Analysis HDF5', or 'Export Analysis CSV'"


def read(path: str | Path, min_score: float = MIN_SCORE) -> Source:
    """A file, a folder or a zip of files of the same points. Raises DataError, and MissingExtra where h5py is not installed."""
    found = files.find(path, ".h5")
    body, origin = first_sound(found, lambda file, raw: _read(file, raw)[0])
    entries, classes = estimates.a_file_each(found, lambda file: _frames(file, body, origin, min_score))
    return estimates.source(str(path), body, entries, notes=PIXELS + TREE, classes=classes)


def _frames(file: files.File, body: Skeleton, origin: str, min_score: float) -> dict[int, list[Person]]:
    ((_, raw),) = files.contents([file])
    here, tracks, scores = _read(file, raw)
    check_same(here, file.place, body, origin)
    missing: np.ndarray = ~np.all(np.isfinite(tracks), axis=1)  # (people, points, frames)
    x, y = np.moveaxis(np.where(missing[:, None], 0, tracks), 1, 0)
    scores = np.where(missing, -1, scores)
    return {
        t: [Person(estimates.flat(x[m, :, t], y[m, :, t], scores[m, :, t], min_score), m) for m in range(len(x))]
        for t in range(x.shape[2])
    }


def _read(file: files.File, raw: bytes) -> tuple[Skeleton, np.ndarray, np.ndarray]:
    """(body, tracks (people, 2, points, frames), scores (people, points, frames)). Raises DataError."""
    if b"pandas_type" in raw or b"df_with_missing" in raw:
        raise DataError(f"{file.place}: {PICKLED}")
    _extras.require("formats", "SLEAP's .h5 files", "h5py")
    h5py: Any = importlib.import_module("h5py")
    try:
        with h5py.File(io.BytesIO(raw), "r") as opened:
            tracks = _values(h5py, opened, "tracks", 4)
            names = _names(raw, _dataset(h5py, opened, "node_names", 1))
            people, _, points, frames = tracks.shape
            scores = np.ones((people, points, frames))
            if "point_scores" in opened:
                scores = _values(h5py, opened, "point_scores", 3)
    except Exception as error:  # whatever a damaged file provokes in h5py
        text = " ".join(str(error).split())[:160]
        raise DataError(f"{file.place}: no analysis file of SLEAP ({text}); {OTHER}") from error
    check_size(frames * max(1, people), points, file.place)
    if tracks.shape[1] != 2 or len(names) != points or scores.shape != (people, points, frames):
        raise DataError(f"{file.place}: {len(names)} names for tracks {tracks.shape} and scores {scores.shape}; {OTHER}")
    if (np.abs(tracks) > 1e9).any():
        raise DataError(f"{file.place}: 'tracks' holds what is no place; {OTHER}")
    return star(names, file.place), tracks, scores


def _dataset(h5py: Any, opened: Any, name: str, axes: int) -> Any:
    """A dataset whose values lie in this file and fit memory. Raises ValueError."""
    if not isinstance(opened.get(name, getlink=True), h5py.HardLink) or not isinstance(opened[name], h5py.Dataset):
        raise ValueError(f"no dataset '{name}' in it")
    found = opened[name]
    if found.external or found.is_virtual:
        raise ValueError(f"'{name}' lies in another file")
    if found.ndim != axes or max(found.size, math.prod(found.chunks or (0,))) > 2 * MOST_PLACES:
        raise ValueError(f"'{name}' has the shape {found.shape}")
    return found


def _names(raw: bytes, found: Any) -> list[str]:
    """The texts of a dataset. Raises ValueError.

    Texts of any length lie in a global heap, in whose damaged copies HDF5 may walk forever; so they are taken from the bytes here
    (HDF5 File Format Specification, "Disk Format: Level 1E - Global Heap")."""
    if found.dtype.kind == "S":
        return [bytes(n).decode("utf-8", "replace") for n in found[()]]
    start, count = found.id.get_offset(), len(found)
    if found.dtype.kind != "O" or start is None or count > 1000:
        raise ValueError("'node_names' are no texts")
    return [_from_heap(raw, *struct.unpack_from("<IQI", raw, start + 16 * i)) for i in range(count)]


def _from_heap(raw: bytes, length: int, heap: int, index: int) -> str:
    """The text number `index` of the heap at this address. Raises ValueError."""
    if raw[heap : heap + 4] != b"GCOL":
        raise ValueError("'node_names' point at no texts")
    end = min(len(raw), heap + min(struct.unpack_from("<Q", raw, heap + 8)[0], HEAP))
    at = heap + 16
    while at + 16 <= end:
        number, _, _, size = struct.unpack_from("<HHIQ", raw, at)
        if number == index and length <= size <= end - at - 16:
            return raw[at + 16 : at + 16 + length].split(b"\0")[0].decode("utf-8", "replace")
        at += 16 + (size + 7) // 8 * 8
    raise ValueError("'node_names' point at no texts")


def _values(h5py: Any, opened: Any, name: str, axes: int) -> np.ndarray:
    found = _dataset(h5py, opened, name, axes)
    if found.dtype.kind not in "fiu" or found.dtype.itemsize > 8:
        raise ValueError(f"'{name}' are no numbers")
    return np.asarray(found[()], dtype=np.float64)
