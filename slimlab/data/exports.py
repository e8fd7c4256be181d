"""A store in the formats that others read: another store, ragged `.npz`, NTU's `.npz`, `.csv`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from slimlab.data import splits, writing
from slimlab.data.building import Block, Source, with_people
from slimlab.data.errors import DataError
from slimlab.data.readers import ntu_npz, ragged
from slimlab.data.store import ORIGIN, Clip, ClipStore
from slimlab.skeleton import DECLARED

FORMATS = ("store", "ragged", "ntu-npz", "csv")
CLIPS_AT_A_TIME = 64
ABOUT = ("subject", "camera", "setup", "split")
HOW = (
    "the endings .csv and .npz, a folder's name for a store, or format="
    + "|".join(FORMATS)
    + "; a player is plot.save(…, '….html')"
)


def export(store: ClipStore, path: str | Path, format: str | None = None, long: bool | None = None) -> Path:
    """Write a store, or the part of one that a split or a cleaning step left. A file that is there is replaced, a folder is not.

    format  "store": memory-mapped folder (the default for a name without an ending); "ragged": .npz of any body (the default for
            .npz); "ntu-npz": .npz of Kinect v2 bodies in two sides, the store's own where it has any (clips on neither are
            then left out), else cross-subject;
            "csv": a table
    long    of "csv": a row a joint with its parent, instead of a row a person and frame; by default for bodies that slimlab does
            not know by their joints' names

    `data.open(path)` reads each of them back. Raises DataError where the format cannot hold these clips or the path cannot be
    written; then nothing is left behind. Returns the path.
    """
    path = Path(path).expanduser()
    endings = {".csv": "csv", ".npz": "ragged", "": "store"}
    format = format or endings.get(path.suffix)
    if format not in FORMATS:
        raise DataError(f"{path}: in which format? Known are {HOW}")
    if format == "store":
        writing.write(source_of(store), path)
    elif format == "ragged":
        ragged.save(store, path)
    elif format == "ntu-npz":
        own = (store.column("split") != "").any()
        ntu_npz.save(*splits.split(store, "file" if own else "cross-subject", allow=("duplicates", "subjects")), path)
    else:
        _save_csv(store, path, long)
    return path


def source_of(store: ClipStore) -> Source:
    """The clips of a store as a source, some at a time."""

    def blocks() -> Iterator[Block]:
        own = [name for name in ORIGIN if name in store.table]
        columns = {name: store.column(name) for name in ("clip", "label", *ABOUT, *own, "flags")}
        columns["flags"] = np.array([_said(f) for f in columns["flags"]], dtype=object)
        for start in range(0, len(store), CLIPS_AT_A_TIME):
            part = slice(start, start + CLIPS_AT_A_TIME)
            clips = list(store[part])
            people = max(c.joints.shape[1] for c in clips)
            frames, seen = (
                np.concatenate([with_people(x, people) for x in of])
                for of in zip(*((c.joints, c.seen) for c in clips), strict=True)
            )
            offsets = np.cumsum([0, *(len(c.joints) for c in clips)])
            yield Block(frames, offsets, {k: v[part] for k, v in columns.items()}, seen=seen)

    return Source(store.source, store.skeleton, blocks(), store.label_names, store.fps, clips=len(store), notes=store.notes)


def _said(flags: str) -> str:
    """The flags that do not follow from the coordinates alone; those are found anew."""
    return " ".join(f for f in flags.split() if f not in ("empty", "one-frame", "zero-joints", "gaps"))


def _save_csv(store: ClipStore, path: Path, long: bool | None) -> None:
    """One table, clip after clip, written beside its place and renamed."""
    if long is None:
        long = store.skeleton not in DECLARED or any(set(n) & set(',;\t"\r\n ') for n in store.skeleton.names)
    names = {n.lower() for n in ("clip", "frame", "person", "label", *ABOUT)} & {n.lower() for n in store.skeleton.names}
    if names and not long:
        raise DataError(f"{store.source}: a joint is called {', '.join(names)}, like a column; give long=True")
    table = {name: store.column(name) for name in ("label_name", *ABOUT)}
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "w", encoding="utf-8", newline="") as file:
            for i, clip in enumerate(store):
                about = {"clip": clip.name, "label": table["label_name"][i]} | {c: table[c][i] for c in ABOUT}
                rows = _long(clip, store) if long else _wide(clip, store)
                for place, (name, value) in enumerate(about.items()):
                    rows.insert(place, name, "" if isinstance(value, np.integer) and value < 0 else value)
                rows.to_csv(file, index=False, header=i == 0)
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); nothing was left behind") from error
    finally:
        beside.unlink(missing_ok=True)


def _present(clip: Clip) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(frame (R,), person (R,), joints (R, V, 3)) of everyone who is there, and of one absent person where nobody is."""
    there = clip.valid.copy()
    there[~there.any(axis=1), 0] = True  # a frame without a row would be lost at the clip's ends
    frame, person = np.nonzero(there)
    return frame, person, np.where(clip.seen[..., None], clip.joints, np.nan)[frame, person]


def _wide(clip: Clip, store: ClipStore) -> pd.DataFrame:
    frame, person, joints = _present(clip)
    columns = [f"{name}_{axis}" for name in store.skeleton.names for axis in "xyz"]
    places = pd.DataFrame(joints.reshape(len(frame), -1), columns=columns)
    return pd.concat([pd.DataFrame({"frame": frame, "person": person}), places], axis=1)


def _long(clip: Clip, store: ClipStore) -> pd.DataFrame:
    frame, person, joints = _present(clip)
    names, parents = store.skeleton.names, store.skeleton.parents
    each = len(names)
    above = ["" if p < 0 else names[p] for p in parents]
    rows = {"frame": np.repeat(frame, each), "person": np.repeat(person, each)}
    rows |= {"joint": np.tile(names, len(frame)), "parent": np.tile(above, len(frame))}
    return pd.DataFrame(rows | dict(zip("xyz", joints.reshape(-1, 3).T, strict=True)))
