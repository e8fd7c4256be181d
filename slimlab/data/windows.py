"""Long recordings cut into windows that know where they came from."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from slimlab.data.errors import DataError
from slimlab.data.store import ClipStore

FOUND_ANEW = ("empty", "one-frame", "zero-joints", "gaps")  # flags that follow from the coordinates


def windows(store: ClipStore, seconds: float, stride: float | None = None, fps: float | None = None) -> ClipStore:
    """Cut every clip into windows, without copying the clips' arrays.

    Args:
        store: the recordings.
        seconds: a window's length.
        stride: seconds from one window's start to the next one's; None: windows side by side.
        fps: frames per second, where the store does not know.

    Returns:
        A store whose clips are called "name@first"; label, subject, camera, setup and split are the recording's. Two more
        columns of its table say where a window came from: `source_clip` and `first_frame`. Frames behind the last whole window
        are left out; a clip that is shorter than a window stays whole. Windows that overlap share frames, and windows of one
        recording share a subject: split by subject, not by window.

    Raises:
        DataError: no frame rate is known, or length or stride are under one frame.
    """
    fps = fps or store.fps
    if not fps:
        raise DataError(f"{store.source}: no frame rate is known; give data.windows(store, seconds, stride, fps=30)")
    length, step = (int(round(float(v) * fps)) for v in (seconds, seconds if stride is None else stride))
    if length < 1 or step < 1:
        raise DataError(f"{store.source}: windows of {seconds} s every {stride} s are under a frame at {fps:g} frames a second")
    a, tracks = store.arrays, []
    source, first, people, flags, digests = [], [], [], [], []
    frames, names, given = (store.column(c) for c in ("frames", "clip", "flags"))
    digest_of = store.column("digest")
    for clip, g in enumerate(store.clips):
        own = a.tracks[a.first_track[g] : a.first_track[g + 1]]
        numbers = [np.asarray(a.numbers(slice(start, start + rows), int(g))) for _, _, start, rows in own]
        said = [f for f in str(given[clip]).split() if f not in FOUND_ANEW]
        for begin in range(0, max(1, int(frames[clip]) - length + 1), step):
            gaps, there = False, 0
            for (_, _, start, _), number in zip(own, numbers, strict=True):
                low, high = np.searchsorted(number, [begin, begin + length])
                if high > low:
                    tracks.append((len(source), there, start + low, high - low))
                    gaps |= number[high - 1] - number[low] + 1 > high - low
                    there += 1
            size = min(length, int(frames[clip]))
            found = {
                "empty": not there,
                "one-frame": size == 1,
                "zero-joints": "zero-joints" in str(given[clip]).split(),
                "gaps": gaps,
            }
            flags.append(" ".join([*said, *(k for k, v in found.items() if v)]))
            text = f"{digest_of[clip]} window {begin} {size}"
            digests.append(hashlib.blake2b(text.encode(), digest_size=8).hexdigest() if there else "")
            source.append(clip)
            first.append(begin)
            people.append(there)
    which, begins = np.array(source, dtype=np.int64), np.array(first, dtype=np.int64)
    offset = begins if a.first_frame is None else begins + a.first_frame[store.clips[which]]
    arrays = replace(a, tracks=np.array(tracks, dtype=np.int64).reshape(-1, 4), clips=len(which), first_frame=offset)
    table = store.table.iloc[which].reset_index(drop=True)
    table["source_clip"], table["first_frame"] = names[which], begins
    table["clip"] = [f"{n}@{b}" for n, b in zip(names[which], begins, strict=True)]
    table["frames"] = np.minimum(length, frames[which])
    table["people"], table["flags"], table["digest"] = people, flags, digests
    return ClipStore(
        arrays, table, store.skeleton, store.label_names, fps, store.source, max_people=store.max_people, notes=store.notes
    )
