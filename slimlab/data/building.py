"""From blocks of frames to the arrays of a store.

A reader yields `Block`s: some clips' frames one after another. `build` collects them into a `ClipStore` in memory; `write`
(writing.py) streams them into a folder. Both go through `joined`, so that a file opened directly and its converted store hold
the same clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from slimlab.data.errors import DataError
from slimlab.data.store import COLUMNS, ORIGIN, Arrays, ClipStore, check_names, digest_of, pack_seen
from slimlab.skeleton import Skeleton

FAR = 1e4  # metres; a coordinate beyond this is no skeleton in metres
MOST_CLASSES = 100_000  # a label beyond it is no class
UNKNOWN = {"label": -1, "subject": -1, "camera": -1, "setup": -1, "split": ""}


@dataclass(frozen=True)
class Block:
    """Some clips.

    frames      (F, M, V, 3) meters, clip after clip; a joint at 0 0 0 was not seen (but see `find_seen`)
    offsets     (N + 1,): the first frame of each clip, and the end
    table       N-long columns: `clip` (the name) and any of label, subject, camera, setup, split, source_clip, first_frame (what
                is left out is unknown), `flags` (words that the reader has to say of a clip) and `file` (for messages)
    nan_unseen  a joint that is NaN in x, y and z was not seen, by what the format says; else NaN is a fault
    seen        (F, M, V) bool: which joints were seen, where that is known already; None: found by `find_seen`
    """

    frames: np.ndarray
    offsets: np.ndarray
    table: dict[str, Any]
    nan_unseen: bool = False
    seen: np.ndarray | None = None


@dataclass(frozen=True)
class Blocks:
    """Blocks that can be begun anywhere: `start(n)` gives those that follow the first n clips, without reading what is before.

    A reader of one file a clip takes a second argument, how many clips a block has at most, and sets `single`; then one bad file
    can be left out (`readers/skipping.py`).
    """

    start: Callable[..., Iterator[Block]]
    single: bool = False

    def after(self, clips: int, at_a_time: int | None = None) -> Iterator[Block]:
        return self.start(clips, at_a_time) if self.single and at_a_time else self.start(clips)

    def __iter__(self) -> Iterator[Block]:
        return self.after(0)


@dataclass(frozen=True)
class Source:
    """What a reader returns: the body, and the blocks to be read one after another; clips: how many, where that is known.

    The blocks are in meters, y up. scale and up say what the reader took for that: the file's unit in meters, and the file's axis
    that points up. notes: how it knows, a line each ("unit: …", "up: …"); `data.report` shows them. skipped: where bad clips are
    left out, why each of them was; complete once the blocks have been read.
    """

    path: str
    skeleton: Skeleton
    blocks: Iterable[Block]
    label_names: tuple[str, ...] = ()
    fps: float | None = None
    clips: int | None = None
    scale: float = 1.0
    up: str = "y"
    notes: tuple[str, ...] = ()
    skipped: list[str] | None = None

    def after(self, clips: int) -> Iterator[Block]:
        """The blocks that follow the first `clips`."""
        if isinstance(self.blocks, Blocks):
            yield from self.blocks.after(clips)
            return
        for block in self.blocks:
            count = len(block.offsets) - 1
            if count > clips:
                yield later(block, clips)
            clips = max(0, clips - count)


def later(block: Block, first: int) -> Block:
    """The block without its `first` clips."""
    if not first:
        return block
    start = block.offsets[first]
    table = {k: v[first:] for k, v in block.table.items()}
    seen = None if block.seen is None else block.seen[start:]
    return Block(block.frames[start:], block.offsets[first:] - start, table, block.nan_unseen, seen)


def with_people(x: np.ndarray, people: int) -> np.ndarray:
    """x (T, M, ...) padded with zeros to so many people (T, people, ...)."""
    return np.pad(x, [(0, 0), (0, people - x.shape[1]), *[(0, 0)] * (x.ndim - 2)])


@dataclass
class Packed:
    """What is kept of a block."""

    rows: np.ndarray  # (R, V, 3) float32
    seen: np.ndarray  # (R, V) bool
    frames: np.ndarray  # (R,) int32
    tracks: np.ndarray  # (K, 4) int64, clip and row counted from this block's start
    table: pd.DataFrame


def pack(block: Block, source: str, skeleton: Skeleton) -> Packed:
    """Keep the bodies that are there: rows, which joints were seen, frame numbers, tracks and the table with its flags.

    Raises DataError where a coordinate is not a number or absurdly large; merely poor clips are flagged:
    empty (nobody in any frame), one-frame, zero-joints (a joint was not seen), gaps (a person comes and goes).
    """
    frames = check_coordinates(block, source)
    offsets = np.asarray(block.offsets, dtype=np.int64)
    names = [text(n) for n in block.table["clip"]]
    count = len(offsets) - 1
    clip_of = np.repeat(np.arange(count), np.diff(offsets))  # (F,)
    there: np.ndarray = np.any(frames, axis=(2, 3))  # (F, M)
    # order rows by clip, person, frame: one contiguous run is one track
    f, m = np.nonzero(there)
    order = np.lexsort((f, m, clip_of[f]))
    f, m = f[order], m[order]
    c = clip_of[f]
    number = f - offsets[c]  # frame number within the clip
    new = np.flatnonzero(np.r_[True, (np.diff(c) != 0) | (np.diff(m) != 0)]) if len(f) else np.zeros(0, dtype=np.int64)
    lengths = np.diff(np.r_[new, len(f)])
    tracks = np.stack([c[new], m[new], new, lengths], axis=1).astype(np.int64)  # (K, 4)
    # number people 0.. in each clip, so that an empty first slot does not count as a person
    tracks[:, 1] = np.arange(len(new)) - np.searchsorted(tracks[:, 0], tracks[:, 0])
    span = number[new + lengths - 1] - number[new] + 1 if len(new) else lengths

    rows = frames[f, m] + np.float32(0)  # (R, V, 3); minus zero becomes zero, so that copies have one digest
    seen = find_seen(rows, tracks, skeleton) if block.seen is None else block.seen[f, m]  # (R, V)

    def clips_with(which: np.ndarray) -> np.ndarray:
        hit = np.zeros(count, dtype=bool)
        hit[which] = True
        return hit

    table = pd.DataFrame({"clip": names})
    for column, unknown in UNKNOWN.items():
        values = block.table.get(column)
        table[column] = unknown if values is None else np.asarray(values)
    for column in ORIGIN:
        if column in block.table:
            table[column] = np.asarray(block.table[column])
    table["frames"] = np.diff(offsets)
    table["people"] = np.bincount(tracks[:, 0], minlength=count)
    flags = {
        "empty": np.asarray(table["people"]) == 0,
        "one-frame": np.diff(offsets) == 1,
        "zero-joints": clips_with(c[~seen.all(axis=1)]),
        "gaps": clips_with(tracks[span > lengths, 0]),
    }
    said = block.table.get("flags", [""] * count)
    table["flags"] = [" ".join([*str(said[i]).split(), *(k for k, v in flags.items() if v[i])]) for i in range(count)]
    ends = np.searchsorted(c, np.arange(count + 1))
    table["digest"] = [digest_of(rows[a:b]) if b > a else "" for a, b in pairwise(ends)]
    return Packed(rows, seen, number.astype(np.int32), tracks, table)


def find_seen(rows: np.ndarray, tracks: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """(R, V) bool: which joints of rows (R, V, 3) were seen. A joint at exactly 0 0 0 was not, unless the clip is centered on it.

    A person is centered on the root or the center joint where it is at zero in each of the person's rows, or in the first one
    alone, and the origin lies within the body's reach. The center joint of somebody three meters away was never seen.
    """
    seen: np.ndarray = np.any(rows, axis=2)
    for joint in {skeleton.root, skeleton.center}:
        lacking = ~seen[:, joint]
        if not lacking.any():
            continue
        for _, _, start, count in tracks[lacking[tracks[:, 2]]]:  # at zero in the first row
            own = slice(start, start + count)
            if not lacking[own].all() and (lacking[start + 1] or not _near(rows[start + 1 : start + 2, joint], rows[start], 0.1)):
                continue
            everywhere = lacking[own].all()
            if _near(_nearest_joint(rows[own] if everywhere else rows[start : start + 1]), rows[start], 0.5):
                seen[start : start + (count if everywhere else 1), joint] = True
    return seen


def _nearest_joint(rows: np.ndarray) -> np.ndarray:
    """(R, 3): of each row the joint that is nearest to the origin, but not at it."""
    distance = np.linalg.norm(rows, axis=2)  # (R, V)
    return rows[np.arange(len(rows)), np.where(distance > 0, distance, np.inf).argmin(axis=1)]


def _near(places: np.ndarray, body: np.ndarray, part: float) -> bool:
    """Whether the median of places (n, 3) is no farther from the origin than this part of the extent of a body (V, 3)."""
    there = body[np.any(body, axis=1)]
    extent = np.linalg.norm(there.max(axis=0) - there.min(axis=0))
    return bool(np.median(np.linalg.norm(places, axis=1)) <= part * extent)


def check_coordinates(block: Block, source: str) -> np.ndarray:
    """The block's frames (F, M, V, 3) as float32, unseen joints at zero.

    Raises DataError that names file, clip, frame and joint where a coordinate is not a number or absurdly large.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is complained of with its place, like NaN
        frames = np.asarray(block.frames, dtype=np.float32)
    if block.nan_unseen:
        unseen: np.ndarray = np.all(np.isnan(frames), axis=3)
        frames = np.where(unseen[..., None], np.float32(0), frames)
    if block.seen is not None:
        frames = np.where(block.seen[..., None], frames, np.float32(0))
    with np.errstate(invalid="ignore"):
        bad = ~(np.abs(frames) <= FAR)  # also true for NaN
    if not bad.any():
        return frames
    offsets = np.asarray(block.offsets, dtype=np.int64)
    names = [text(n) for n in block.table["clip"]]
    places = list(block.table.get("file", [source] * len(names)))
    frame, person, joint, axis = (int(v) for v in np.argwhere(bad)[0])
    clip = int(np.searchsorted(offsets, frame, side="right")) - 1
    value = frames[frame, person, joint, axis]
    what = "not a number" if not np.isfinite(value) else f"{value:.3g}, which is no length in metres"
    raise DataError(
        f"{places[clip]}: clip {clip} '{names[clip]}', frame {frame - int(offsets[clip])}, person {person}, joint {joint}: "
        f"{'xyz'[axis]} is {what} ({int(bad.sum())} such values here). Remedy: set missing joints to 0 0 0 "
        "(read as absent), give metres, or leave the clip out"
    )


def joined(source: Source, clips: int = 0, rows: int = 0) -> Iterator[Packed]:
    """Blocks with running clip and row numbers, and labels named; those after the first `clips`, which had so many rows."""
    for block in source.after(clips):
        packed = pack(block, source.path, source.skeleton)
        packed.tracks += np.array([clips, 0, rows, 0])
        labels = np.asarray(packed.table["label"], dtype=np.int64)
        names = np.array([*map(text, source.label_names), ""], dtype=object)
        bad = (labels < -1) | (labels >= (len(source.label_names) or MOST_CLASSES))
        if bad.any():
            worst = int(np.argmax(bad))
            raise DataError(
                f"{source.path}: clip {clips + worst} '{packed.table['clip'][worst]}' has label {labels[worst]}; there are "
                f"{len(source.label_names) or 'no'} label names; labels run from 0, -1 is unlabelled"
            )
        packed.table["label_name"] = names[labels] if source.label_names else [str(v) if v >= 0 else "" for v in labels]
        packed.table = packed.table.reindex(columns=[*COLUMNS, *(c for c in ORIGIN if c in packed.table)])
        clips, rows = clips + len(packed.table), rows + len(packed.rows)
        yield packed


def build(source: Source) -> ClipStore:
    """Read every block into memory."""
    parts = list(joined(source))
    if not parts or not sum(len(p.table) for p in parts):
        raise DataError(f"{source.path}: holds no clips")
    table = pd.concat([p.table for p in parts], ignore_index=True)
    check_names(list(table["clip"]), source.path)
    arrays = Arrays(
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.frames for p in parts]),
        np.concatenate([p.tracks for p in parts]),
        pack_seen(np.concatenate([p.seen for p in parts])),
        clips=len(table),
    )
    return ClipStore(arrays, table, source.skeleton, label_names(source, table), source.fps, source.path, notes=source.notes)


def text(value: object) -> str:
    """Text that every file can hold: what UTF-8 cannot write becomes a question mark."""
    return str(value).encode("utf-8", "replace").decode()


def label_names(source: Source, table: pd.DataFrame) -> tuple[str, ...]:
    """A file without class names gets their numbers as names."""
    return tuple(map(text, source.label_names)) or tuple(str(i) for i in range(int(np.max(np.asarray(table["label"]))) + 1))
