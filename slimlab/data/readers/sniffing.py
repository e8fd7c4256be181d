"""What a file is, by its contents: the formats whose names say too little (`.json`, `.csv`, `.txt`, `.npy`, `.npz`, `.h5`)."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from slimlab.data.readers import estimates, files, kinect_dump, landmark_tables, mediapipe

HEAD = 1 << 16  # bytes of a text that are looked at


def table(path: Path) -> str:
    """The format of a `.csv`."""
    return _table(_head(path))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


def _table(head: bytes) -> str:
    rows = list(zip(range(4), mediapipe.rows_of(head, ""), strict=False))
    cells = [[c.strip() for c in row] for _, row in rows]
    if not cells:
        return "csv"
    if landmark_tables.kind(cells):
        return "landmark-tables"
    if kinect_dump.fits(cells):
        return "kinect-dump"
    return "mediapipe" if mediapipe.fits(cells[0]) else "csv"


def json_format(raw: bytes, place: str) -> str | None:
    """The format of a JSON text; None where slimlab knows none such."""
    content = estimates.loaded(raw, place)
    if isinstance(content, dict):
        if "people" in content:
            return "openpose"
        if "annotations" in content:
            return "coco-results"
        frames = content.get("frames")
        if isinstance(frames, list) and frames and isinstance(frames[0], dict) and "bodies" in frames[0]:
            return "azure-kinect"
        content = frames if isinstance(frames, list) else [content]
    if not isinstance(content, list) or not content:
        return None
    some = next((c for c in content if isinstance(c, dict)), None)
    if some is None:
        inner = [p for c in content if isinstance(c, list) for p in c if isinstance(p, dict)]
        return "yolo" if inner and "keypoints" in inner[0] else None
    if "image_id" in some:
        return "coco-results"
    if isinstance(some.get("keypoints"), dict):
        return "yolo"
    return "mediapipe" if any(k in some for k in (*mediapipe.WORLD, *mediapipe.IMAGE)) else None


def look(path: Path) -> str | None:
    """The format of the first `.json`, `.txt` or `.csv` at the path. Raises DataError where it is damaged."""
    for ending in (".json", ".csv", ".txt"):
        found = [f for f in files.find(path, "") if f.name.endswith(ending) and not f.name.startswith(".")]
        if not found:
            continue
        ((file, raw),) = files.contents(found[:1])
        if ending == ".json":
            format = json_format(raw, file.place)
        elif ending == ".csv":
            format = _table(raw[:HEAD])
            format = None if format == "csv" else format
        else:
            line = raw[:HEAD].decode("ascii", "replace").split("\n", 1)[0].split()
            number = re.compile(r"-?\d+(\.\d+)?([eE][-+]?\d+)?")
            format = "yolo" if len(line) in (39, 40, 56, 57, 58) and all(map(number.fullmatch, line)) else None
        if format:
            return format
    return None


def poses(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Whether an array may be (frames, joints, 3), as MotionBERT, VideoPose3D and HumanML3D keep it."""
    return dtype.kind == "f" and len(shape) == 3 and shape[2] == 3 and shape[0] > 0


def array(path: Path) -> str:
    """The format of a `.npy`."""
    try:
        x = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # whatever damaged bytes provoke in NumPy; the reader says it
        return "npy"
    return "poses" if poses(x.shape, x.dtype) or (x.ndim == 2 and x.shape[1] == 263) else "npy"
