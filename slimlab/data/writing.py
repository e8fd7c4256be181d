"""A store on disk: written by streaming, resumed where it was interrupted, opened as memory maps.

While it is written, a store is a hidden folder beside its place. Arrays and table only grow; every few seconds
`progress.json` says how far all of them are sound. A conversion that is killed goes on from there when it is asked for again
with the same source, and gives the same bytes. The last act is to rename the folder: a store is whole, or it is not there.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from slimlab.data.building import Source, find_seen, joined, label_names
from slimlab.data.errors import DataError
from slimlab.data.store import COLUMNS, ORIGIN, Arrays, ClipStore, all_seen, check_names, seen_bits
from slimlab.skeleton import Skeleton

VERSION = 2
READABLE = (1, 2)
SECONDS = 2.0  # between two notes of how far the conversion is
NUMBERS = ("label", "subject", "camera", "setup", "frames", "people", "first_frame")  # the table's columns of integers
LONGEST = 1 << 31  # frames of a clip


def write(source: Source, destination: str | Path, dtype: str = "float32", key: str = "", progress: bool = False) -> None:
    """Stream a source into a store folder (see store.py for the format).

    key       what the result depends on (source, format, dtype); an interrupted conversion with the same key goes on, another
              starts anew; "": always anew
    progress  a bar, where it takes longer than a second

    Raises DataError where the destination exists, cannot be written, or another process is writing it; then, and where the
    source is at fault, nothing is left behind.
    """
    destination = Path(destination)
    if destination.exists():
        raise DataError(f"{destination}: exists already; choose another name or remove it first")
    beside = destination.with_name(f".{destination.name}.part")
    try:
        beside.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{destination}: cannot be written ({error.strerror}); choose a folder you may write to") from error
    with _only_one(beside, destination):
        try:
            _write_into(beside, source, np.dtype(dtype), key, progress)
            for file in beside.iterdir():  # a store under its own name is whole, also after the power failed
                with open(file, "r+b") as written:
                    os.fsync(written.fileno())
            os.replace(beside, destination)
        except OSError as error:
            shutil.rmtree(beside, ignore_errors=True)
            raise DataError(f"{destination}: writing failed ({error.strerror}); nothing was left behind") from error
        except Exception:
            shutil.rmtree(beside, ignore_errors=True)
            raise


@contextmanager
def _only_one(folder: Path, destination: Path) -> Iterator[None]:
    """Holds the folder's lock, which ends with the process. Windows has none: there, two conversions at once are not noticed."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise DataError(f"{destination}: another process is writing it; wait for it, or choose another name") from error
    try:
        yield
    finally:
        os.close(handle)


class _Growing:
    """An `.npy` file whose first axis grows; what lies behind the first `rows` is cut off."""

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...], rows: int) -> None:
        self.dtype, self.shape, self.rows = dtype, shape, rows
        self.file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115  (closed by its user)
        self.header()
        self.file.truncate(self.file.tell() + rows * int(np.prod(shape)) * dtype.itemsize)
        self.file.seek(0, os.SEEK_END)

    def header(self) -> None:
        """NumPy pads it, so that it keeps its length."""
        descr = {"descr": np.lib.format.dtype_to_descr(self.dtype), "fortran_order": False, "shape": (self.rows, *self.shape)}
        self.file.seek(0)
        np.lib.format.write_array_header_1_0(self.file, descr)

    def append(self, x: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(x, dtype=self.dtype).data)
        self.rows += len(x)


def _write_into(folder: Path, source: Source, dtype: np.dtype, key: str, progress: bool) -> None:
    done = _progress(folder, key)
    arrays = {
        "joints": _Growing(folder / "joints.npy", dtype, (len(source.skeleton), 3), done["joints"]),
        "seen": _Growing(folder / "seen.npy", np.dtype(np.uint8), (-(-len(source.skeleton) // 8),), done["seen"]),
        "frames": _Growing(folder / "frames.npy", np.dtype(np.int32), (), done["frames"]),
        "tracks": _Growing(folder / "tracks.npy", np.dtype(np.int64), (4,), done["tracks"]),
    }
    lines = open(folder / "table.jsonl", "a+b")  # noqa: SIM115  (closed below); a line per block: column -> values
    lines.truncate(done["table"])
    bar = tqdm(total=source.clips, initial=done["clips"], unit="clip", delay=1, disable=not progress, desc=folder.name[1:-5])
    noted = time.monotonic()
    try:
        for packed in joined(source, done["clips"], done["joints"]):
            arrays["joints"].append(packed.rows)
            arrays["seen"].append(seen_bits(packed.seen))
            arrays["frames"].append(packed.frames)
            arrays["tracks"].append(packed.tracks)
            if len(packed.table):
                lines.write(json.dumps(packed.table.to_dict("list")).encode() + b"\n")
            done["clips"] += len(packed.table)
            bar.update(len(packed.table))
            if time.monotonic() - noted > SECONDS:
                _note(folder, done, arrays, lines)
                noted = time.monotonic()
        for array in arrays.values():
            array.header()
        lines.flush()
    finally:
        bar.close()
        lines.close()
        for array in arrays.values():
            array.file.close()
    _finish(folder, source)


def _progress(folder: Path, key: str) -> dict[str, Any]:
    """How far an earlier conversion with this key came; the folder is emptied where there is none."""
    start = {"key": key, "clips": 0, "joints": 0, "seen": 0, "frames": 0, "tracks": 0, "table": 0}
    try:
        found = json.loads((folder / "progress.json").read_text())
        if key and found["key"] == key and found.keys() == start.keys():
            return found
    except (OSError, ValueError, KeyError):
        pass
    for file in folder.iterdir():
        file.unlink()
    return start


def _note(folder: Path, done: dict[str, Any], arrays: dict[str, _Growing], lines) -> None:
    """First everything on the disk, then the note that says so."""
    for file in (*(a.file for a in arrays.values()), lines):
        file.flush()
        os.fsync(file.fileno())
    done |= {name: array.rows for name, array in arrays.items()} | {"table": lines.tell()}
    with open(folder / "progress.new", "w") as note:
        json.dump(done, note)
        note.flush()
        os.fsync(note.fileno())
    os.replace(folder / "progress.new", folder / "progress.json")


def _finish(folder: Path, source: Source) -> None:
    bits = np.load(folder / "seen.npy", mmap_mode="r")
    if (bits == all_seen(len(source.skeleton))).all():
        (folder / "seen.npy").unlink()
    with open(folder / "table.jsonl", "rb") as lines:
        tables = [pd.DataFrame(json.loads(line)) for line in lines]
    if not tables:
        raise DataError(f"{source.path}: holds no clips")
    table = pd.concat(tables, ignore_index=True)
    check_names(list(table["clip"]), source.path)
    table.to_parquet(folder / "table.parquet", write_page_checksum=True)
    about = {
        "version": VERSION,
        "skeleton": source.skeleton.to_dict(),
        "label_names": list(label_names(source, table)),
        "fps": source.fps,
        "clips": len(table),
        "source": Path(source.path).name,
    }
    if source.notes:
        about["notes"] = list(source.notes)
    if source.skipped:
        pd.DataFrame({"reason": source.skipped}).to_csv(folder / "skipped.csv", index=False)
        about["notes"] = [*source.notes, f"skipped: {len(source.skipped)}, listed in skipped.csv of the store's folder"]
    (folder / "store.json").write_text(json.dumps(about, indent=1))
    for name in ("table.jsonl", "progress.json", "progress.new"):
        (folder / name).unlink(missing_ok=True)


def open_folder(folder: Path) -> ClipStore:
    """Open a store folder as memory maps. Raises DataError where a file is missing, damaged or of another version."""
    try:
        about = json.loads((folder / "store.json").read_text())
        if about.get("version") not in READABLE:
            raise DataError(
                f"{folder}: store version {about.get('version')}, this slimlab reads {' and '.join(map(str, READABLE))}; convert "
                "the source again"
            )
        joints, frames, tracks = (
            np.load(folder / f"{n}.npy", mmap_mode="r", allow_pickle=False) for n in ("joints", "frames", "tracks")
        )
        skeleton, names, fps = Skeleton(**about["skeleton"]), about["label_names"], about["fps"]
        notes = about.get("notes", [])
        table = _table(folder / "table.parquet", about["clips"])
        tracks = np.array(tracks)
        _check(joints, frames, tracks, table, skeleton)
        seen = _seen(folder, about["version"], joints, tracks, table, skeleton)
        if (
            not isinstance(notes, list)
            or not all(isinstance(n, str) for n in [*names, *notes])
            or not (fps is None or 0 < float(fps) < 1e6)
        ):
            raise ValueError("label names or frame rate")
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file provokes in json, numpy or parquet
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{folder}: damaged store ({why}); convert the source again") from error
    return ClipStore(
        Arrays(joints, frames, tracks, seen, clips=len(table)), table, skeleton, names, fps, str(folder), notes=notes
    )


def _seen(
    folder: Path, version: int, joints: np.ndarray, tracks: np.ndarray, table: Any, skeleton: Skeleton
) -> np.ndarray | None:
    """The store's bits, or None where every joint was seen. Version 1 has none: they are found in clips flagged zero-joints.

    Raises ValueError where they do not fit the coordinates.
    """
    if version == 1:
        flagged = np.array([i for i, flags in enumerate(table["flags"]) if "zero-joints" in flags.split()], dtype=np.int64)
        own = tracks[np.isin(tracks[:, 0], flagged)]
        bits = np.repeat(all_seen(len(skeleton))[None], len(joints), axis=0)  # (R, ceil(V / 8))
        for track in own:  # one person of one clip
            rows = slice(track[2], track[2] + track[3])
            seen = find_seen(np.asarray(joints[rows], dtype=np.float32), np.array([[0, 0, 0, track[3]]]), skeleton)
            bits[rows] = seen_bits(seen)
        return bits if (bits != all_seen(len(skeleton))).any() else None
    if not (folder / "seen.npy").exists():
        return None
    bits = np.load(folder / "seen.npy", mmap_mode="r", allow_pickle=False)
    if bits.dtype != np.uint8 or bits.shape != (len(joints), -(-len(skeleton) // 8)):
        raise ValueError("seen.npy does not fit the joints")
    return bits


def _table(path: Path, clips: int) -> pd.DataFrame:
    """The table. Raises ValueError where it is no table of this many clips."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        rows = file.metadata.num_rows
        if rows != clips or rows > path.stat().st_size or file.schema_arrow.names[: len(COLUMNS)] != COLUMNS:
            raise ValueError(f"a table of {rows} lines for {clips} clips")
        columns = [*COLUMNS, *(c for c in ORIGIN if c in file.schema_arrow.names)]
        table: Any = file.read(columns).to_pandas()
    if any(table[c].dtype.kind not in "iu" for c in columns if c in NUMBERS) or not all(
        isinstance(v, str) for c in columns if c not in NUMBERS for v in table[c].iloc[[0, -1]]
    ):
        raise ValueError("columns of the wrong kind")
    return table


def _check(joints: np.ndarray, frames: np.ndarray, tracks: np.ndarray, table: Any, skeleton: Skeleton) -> None:
    """Raises ValueError where the arrays do not fit each other."""
    whole = joints.shape == (len(frames), len(skeleton), 3) and frames.ndim == 1 and tracks.ndim == 2 and tracks.shape[1] == 4
    kinds = joints.dtype.kind == "f" and frames.dtype.kind == "i" and tracks.dtype.kind == "i"
    if not (whole and kinds):
        raise ValueError("the arrays do not fit each other")
    clip, person, start, rows = tracks.astype(np.int64).T
    lengths = table["frames"].to_numpy()
    if len(clip) and not 0 <= clip.min() <= clip.max() < len(table):
        raise ValueError("tracks of clips that are not there")
    fits = (
        np.array_equal(np.bincount(clip, minlength=len(table)), table["people"]),
        (np.diff(clip) >= 0).all(),
        np.array_equal(person, np.arange(len(clip)) - np.searchsorted(clip, clip)),
        ((lengths >= 0) & (lengths < LONGEST)).all() and ((rows >= 1) & (rows <= lengths[clip])).all(),
        np.array_equal(start, np.cumsum(rows) - rows) and rows.sum() == len(frames),
        table["label"].min() >= -1,
    )
    if not all(fits):
        raise ValueError("tracks and table do not fit each other")
