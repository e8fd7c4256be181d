"""The clip store: skeleton clips as ragged, memory-mappable arrays with a table beside them.

One row of `joints` is one body in one frame; only bodies that are there have a row (a body whose coordinates are all
zero is absent). A track is one person's rows in one clip, in frame order; a clip is one track per person.

A joint that was not seen has coordinates 0 0 0 and its bit in `seen` is off; where every joint was seen there are no bits.

On disk a store is a folder, version 2 of the format (version 1, without seen.npy, is read too):

    store.json      version, skeleton, label names, frames per second, source
    joints.npy      (R, V, 3) float32 or float16, metres, y up
    seen.npy        (R, ceil(V / 8)) uint8, a bit a joint, the first joint in the lowest bit; only where a joint was not seen
    frames.npy      (R,) int32, the row's frame number within its clip
    tracks.npy      (K, 4) int64: clip, person, first row, rows; sorted by clip, then person
    table.parquet   one line per clip: clip label label_name subject camera setup split frames people flags digest; of
                    windows also source_clip first_frame

The arrays are opened as memory maps, so that a store of any size opens at once and is shared between processes.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
import pandas as pd

from slimlab.data.errors import DataError
from slimlab.skeleton import Skeleton

ORIGIN = ("source_clip", "first_frame")  # of windows: where each was cut from
COLUMNS = "clip label label_name subject camera setup split frames people flags digest".split()


@dataclass(frozen=True)
class Clip:
    """One recording.

    joints  (T, M, V, 3) float32 meters; zeros where the person is absent or the joint was not seen
    valid   (T, M) bool: who is there
    label   -1: none
    seen    (T, M, V) bool: joints that were seen, of people who are there. None: those of them that are not at zero
    """

    joints: np.ndarray
    valid: np.ndarray
    label: int
    name: str
    seen: np.ndarray = None  # pyright: ignore[reportAssignmentType]  # is set below

    def __post_init__(self) -> None:
        if self.seen is None:
            object.__setattr__(self, "seen", self.valid[:, :, None] & np.any(self.joints, axis=3))

    def __repr__(self) -> str:
        frames, people, joints, _ = self.joints.shape
        return f"Clip({self.name!r}, {frames} frames, {people} people, {joints} joints, label {self.label})"


@dataclass(frozen=True)
class Arrays:
    """What all views of one store share (see the module's docstring); seen: packed bits, or None where all joints were seen."""

    joints: np.ndarray
    frames: np.ndarray
    tracks: np.ndarray
    seen: np.ndarray | None
    first_track: np.ndarray = field(init=False)  # (clips + 1,) into tracks
    clips: int = 0
    reduced: bool = False  # made of other coordinates by leaving joints out; the table's digests are then those of the whole
    first_frame: np.ndarray | None = None  # (clips,) the number in `frames` that is a clip's frame 0, where that is not 0
    _digests: dict[int, str] = field(init=False, repr=False, compare=False, default_factory=dict)

    def numbers(self, rows: np.ndarray | slice, clip: np.ndarray | int) -> np.ndarray:
        """Frame numbers of rows of a clip, from the clip's own frame 0."""
        return self.frames[rows] if self.first_frame is None else self.frames[rows] - self.first_frame[clip]

    def __post_init__(self) -> None:
        first = np.searchsorted(self.tracks[:, 0], np.arange(self.clips + 1))
        object.__setattr__(self, "first_track", first)

    def seen_in(self, rows: np.ndarray | slice) -> np.ndarray:
        """(n, V) bool: the joints that were seen in these rows."""
        if self.seen is None:
            return np.ones((len(self.frames[rows]), self.joints.shape[1]), dtype=bool)
        return unpack_seen(np.asarray(self.seen[rows]), self.joints.shape[1])

    def digest(self, clip: int) -> str:
        """`digest_of` the clip's rows, "" where it has none. Computed once; make new Arrays for other coordinates."""
        if clip not in self._digests:
            tracks = self.tracks[self.first_track[clip] : self.first_track[clip + 1]]
            rows = [self.joints[start : start + count] for _, _, start, count in tracks]
            self._digests[clip] = digest_of(np.concatenate(rows)) if rows else ""
        return self._digests[clip]


def pack_seen(seen: np.ndarray) -> np.ndarray | None:
    """seen (R, V) bool -> its bits (R, ceil(V / 8)) uint8, None where every joint was seen."""
    return None if seen.all() else seen_bits(seen)


def seen_bits(seen: np.ndarray) -> np.ndarray:
    """seen (R, V) bool -> (R, ceil(V / 8)) uint8, the first joint in the lowest bit."""
    return np.packbits(seen, axis=1, bitorder="little")


def all_seen(joints: int) -> np.ndarray:
    """(ceil(V / 8),) uint8: the bits of a row in which every joint was seen."""
    return seen_bits(np.ones((1, joints), dtype=bool))[0]


def unpack_seen(bits: np.ndarray, joints: int) -> np.ndarray:
    """The reverse of `pack_seen`: bits (R, ceil(V / 8)) -> (R, V) bool."""
    return np.unpackbits(bits, axis=1, count=joints, bitorder="little").astype(bool)


def digest_of(rows: np.ndarray) -> str:
    """16 hex digits of a clip's coordinates: rows (R, V, 3) by person, then frame."""
    return hashlib.blake2b(np.asarray(rows, dtype=np.float32).tobytes(), digest_size=8).hexdigest()


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """start, start+1, …, for every pair, one after another."""
    ends = np.cumsum(lengths)
    if not len(ends):
        return np.zeros(0, dtype=np.int64)
    return np.arange(ends[-1]) + np.repeat(starts - np.r_[0, ends[:-1]], lengths)


class ClipStore:
    """Clips with their skeleton and table. `store[i]` is a `Clip`; a list, slice or mask gives a smaller store.

    skeleton     the body of every clip
    table        pandas, one line per clip (columns: see the module's docstring; empty text: unknown, -1: unknown). Its columns
                 are kept as arrays once they are read: to change one, make a new store with the changed table
    label_names  names of the classes 0..C-1
    max_people   most people in one clip of the whole store: the M of everything batched, also after a split
    notes        what is to be known of the whole set: unit and up axis and how they are known, what was skipped
    fingerprint  16 hex digits of the contents; two stores with the same one hold the same clips in the same order
    """

    def __init__(
        self,
        arrays: Arrays,
        table: pd.DataFrame,
        skeleton: Skeleton,
        label_names: Sequence[str] = (),
        fps: float | None = None,
        source: str = "",
        clips: np.ndarray | None = None,
        max_people: int | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.arrays = arrays
        self.skeleton = skeleton
        self.label_names = tuple(str(n) for n in label_names)
        self.fps = fps
        self.source = source
        self.notes = tuple(str(n) for n in notes)
        self.clips = np.arange(arrays.clips) if clips is None else np.asarray(clips, dtype=np.int64)
        self.table = table.reset_index(drop=True)
        self.max_people = max_people or int(np.max(np.asarray(table["people"]), initial=1))
        self._columns: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.clips)

    def __repr__(self) -> str:
        people = "1 person" if self.max_people == 1 else f"up to {self.max_people} people"
        classes, subjects = (len(np.unique(v[v >= 0])) for v in (self.labels, self.column("subject")))
        where = f", from {self.source}" if self.source else ""
        return (
            f"ClipStore({len(self)} clips, {classes} classes, {subjects} subjects, {people}, {len(self.skeleton)} joints{where})"
        )

    @overload
    def __getitem__(self, index: int | np.integer) -> Clip: ...

    @overload
    def __getitem__(self, index: slice | np.ndarray | Sequence[int]) -> ClipStore: ...

    def __getitem__(self, index):
        if isinstance(index, slice):
            return self._part(np.arange(len(self))[index])
        try:
            number = None if isinstance(index, (bool, np.bool_)) else operator.index(index)
        except TypeError:  # a list or a mask, or no index at all
            number = None
        if number is None:
            return self._part(self.positions(index))  # pyright: ignore[reportArgumentType]
        if not -len(self) <= number < len(self):
            raise IndexError(f"clip {number} of {len(self)}; clips are numbered from 0")
        return self._clip(number % len(self))

    def positions(self, index: np.ndarray | Sequence[int]) -> np.ndarray:
        """(n,) int64: the clips that a flat list of numbers (negative ones count from the end) or a mask of bools names.

        Raises IndexError where a number is beyond the clips or a mask is not as long as the store, TypeError for anything else.
        """
        try:
            chosen = np.asarray(index)
        except ValueError as error:  # lists of different lengths
            raise TypeError("clips are chosen by a flat list of numbers, or a mask; this list holds lists") from error
        if chosen.ndim != 1 or (chosen.dtype.kind not in "biu" and len(chosen)):
            raise TypeError(
                f"clips are chosen by a flat list of whole numbers, or a mask of {len(self)} bools; this is {chosen.dtype} of "
                f"shape {chosen.shape}"
            )
        if chosen.dtype == bool:
            if len(chosen) != len(self):
                raise IndexError(f"the mask has {len(chosen)} entries for {len(self)} clips; give one for each clip")
            return np.flatnonzero(chosen)
        beyond = (chosen < -len(self)) | (chosen >= len(self))
        if beyond.any():
            raise IndexError(f"clip {chosen[beyond][0]} of {len(self)}; clips are numbered from 0")
        return np.where(chosen < 0, chosen + len(self), chosen).astype(np.int64)

    def _part(self, chosen: np.ndarray) -> ClipStore:
        return ClipStore(
            self.arrays,
            self.table.iloc[chosen],
            self.skeleton,
            self.label_names,
            self.fps,
            self.source,
            self.clips[chosen],
            self.max_people,
            self.notes,
        )

    def with_people(self, people: int) -> ClipStore:
        """The same clips with `max_people` of at least `people`, so that they go with a store of more people in a clip."""
        if people <= self.max_people:
            return self
        wider = self._part(np.arange(len(self)))
        wider.max_people = people
        return wider

    def __iter__(self):
        return (self._clip(i) for i in range(len(self)))

    def _clip(self, i: int) -> Clip:
        a = self.arrays
        frames, people = int(self.column("frames")[i]), max(1, int(self.column("people")[i]))
        joints = np.zeros((frames, people, len(self.skeleton), 3), dtype=np.float32)
        seen = np.zeros((frames, people, len(self.skeleton)), dtype=bool)
        valid = np.zeros((frames, people), dtype=bool)
        g = self.clips[i]
        for _, person, start, rows in a.tracks[a.first_track[g] : a.first_track[g + 1]]:
            at = a.numbers(slice(start, start + rows), g)
            if at.min() < 0 or at.max() >= frames:
                raise DataError(f"{self.source}: damaged store (clip '{self.column('clip')[i]}'); convert the source again")
            joints[at, person] = a.joints[start : start + rows]
            if not np.isfinite(joints[at, person]).all():
                raise DataError(f"{self.source}: damaged store (clip '{self.column('clip')[i]}'); convert the source again")
            seen[at, person] = a.seen_in(slice(start, start + rows))
            valid[at, person] = True
        return Clip(joints, valid, int(self.column("label")[i]), str(self.column("clip")[i]), seen)

    def column(self, name: str) -> np.ndarray:
        """One column of the table as an array (N,) that cannot be written to; it is read from the table once."""
        if name not in self._columns:
            self._columns[name] = np.array(self.table[name])
            self._columns[name].flags.writeable = False
        return self._columns[name]

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64, -1 where unknown."""
        return self.column("label").astype(np.int64)

    def digests(self) -> np.ndarray:
        """(N,) text: 16 hex digits of each clip's coordinates, "" where nobody is there. Computed from the arrays, whatever the
        table says, once for all stores over the same arrays."""
        return np.array([self.arrays.digest(int(clip)) for clip in self.clips], dtype=object)

    def recordings(self) -> np.ndarray:
        """(N,) text: what tells that two clips are one recording. It is `digests`, save where the coordinates were rounded to
        float16 or joints were left out: there it is the table's digest, which is that of the recording before."""
        rounded = self.arrays.joints.dtype != np.float32
        return self.column("digest") if rounded or self.arrays.reduced else self.digests()

    @property
    def fingerprint(self) -> str:
        text = self.skeleton.to_json() + "|".join(self.column("clip")) + "|".join(self.digests())
        text += ",".join(map(str, self.labels))
        if self.has_unseen:
            text += "|".join(self._seen_digests())
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def has_unseen(self) -> bool:
        """Whether a joint may be unseen in these clips; False: every joint of everybody was seen in every frame."""
        return self.arrays.seen is not None

    def _seen_digests(self) -> list[str]:
        """16 hex digits for each clip in which a joint was not seen, "" for the others."""
        a, digests = self.arrays, []
        for clip in self.clips:
            tracks = a.tracks[a.first_track[clip] : a.first_track[clip + 1]]
            seen = [a.seen_in(slice(start, start + rows)) for _, _, start, rows in tracks]
            bits = pack_seen(np.concatenate(seen)) if seen else None
            digests.append("" if bits is None else hashlib.blake2b(bits.tobytes(), digest_size=8).hexdigest())
        return digests

    def frame_counts(self) -> np.ndarray:
        """(N,) int64: rows of each clip's longest track; 0 where nobody is ever there."""
        a = self.arrays
        longest = np.zeros(a.clips, dtype=np.int64)
        np.maximum.at(longest, a.tracks[:, 0], a.tracks[:, 3])
        return longest[self.clips]


def check_names(names: Sequence[str], source: str) -> None:
    """Raises DataError where two clips of `source` share a name."""
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in first:
            raise DataError(
                f"{source}: clips {first[name]} and {i} are both called '{name}'; rename one, so that every result can be "
                "traced to its clip"
            )
        first[name] = i


def own_arrays(store: ClipStore) -> Arrays:
    """Copies of the arrays of this store's clips alone, in its order."""
    a = store.arrays
    counts = a.first_track[store.clips + 1] - a.first_track[store.clips]
    tracks = a.tracks[ranges(a.first_track[store.clips], counts)]
    rows = ranges(tracks[:, 2], tracks[:, 3])
    frames = a.numbers(rows, np.repeat(tracks[:, 0], tracks[:, 3]))
    tracks[:, 0] = np.repeat(np.arange(len(store)), counts)
    tracks[:, 2] = np.cumsum(tracks[:, 3]) - tracks[:, 3]
    seen = None if a.seen is None else np.asarray(a.seen[rows])
    return Arrays(np.asarray(a.joints[rows]), np.asarray(frames), tracks, seen, clips=len(store))
