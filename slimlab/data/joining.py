"""Several stores of one body as one, to pre-train on all of them at once; several clips as one long recording."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from slimlab.data.errors import DataError
from slimlab.data.store import Arrays, ClipStore, own_arrays, pack_seen


def join(stores: Sequence[ClipStore]) -> ClipStore:
    """The clips of all stores, one store after the other; classes of one name are one class, columns that one lacks are left out.

    Subjects keep their numbers, so two people with one number become one: renumber them first where a split goes by subject.

    Raises DataError, naming both stores, for other bodies (`data.on_body` moves one), for a clip's name that is there twice, and
    where there is no store.
    """
    if not stores:
        raise DataError("join: no store; give at least one")
    names = tuple(dict.fromkeys(name for store in stores for name in store.label_names))
    _check_names(stores)
    parts: list[Arrays] = []
    tables, tracks, rows, clips = [], [], 0, 0
    columns = set.intersection(*({str(c) for c in store.table.columns} for store in stores))  # what all of them know
    for store in stores:
        if store.skeleton != stores[0].skeleton:
            raise DataError(
                f"join: {store.source} has another body than {stores[0].source}; data.on_body(store, skeleton) moves it"
            )
        own = own_arrays(store)
        parts.append(own)
        tracks.append(own.tracks + np.array([clips, 0, rows, 0]))
        rows += len(own.frames)
        labels = np.array([names.index(name) for name in store.label_names] + [-1])[store.labels]
        tables.append(store.table.assign(label=labels, digest=store.recordings()))
        clips += len(store)
    arrays = Arrays(
        np.concatenate([part.joints for part in parts]),
        np.concatenate([part.frames for part in parts]),
        np.concatenate(tracks),
        pack_seen(np.concatenate([part.seen_in(slice(None)) for part in parts])),
        clips=clips,
        # then the table's digests count: those of the recordings, before joints were left out or coordinates rounded
        reduced=any(store.arrays.reduced or store.arrays.joints.dtype != np.float32 for store in stores),
    )
    rates = {store.fps for store in stores}
    source = " + ".join(store.source for store in stores)
    notes = [f"{store.source}: {note}" for store in stores for note in store.notes]
    fps = rates.pop() if len(rates) == 1 else None
    table = pd.concat(tables, ignore_index=True)
    table = table.drop(columns=[c for c in table.columns if c not in columns])
    return ClipStore(arrays, table, stores[0].skeleton, names, fps, source, notes=notes)


def concatenate(store: ClipStore, indices: Sequence[int] | np.ndarray, name: str = "recording") -> tuple[ClipStore, pd.DataFrame]:
    """Clips one after another as one long recording, and where each of them lies in it.

    Each clip is moved on the floor so that its first person's root joint begins where that of the clip before ended; heights
    and directions stay. People keep their places, so the first person of all clips is one track.

    Returns:
        A store of one clip without a label, and a table with a line for each clip: clip, label, label_name, subject,
        first_frame, frames, and start and end in seconds (NaN where the store's frame rate is unknown).

    Raises:
        DataError: No clip is given, or one of them has nobody in it.
    """
    chosen = store.positions(indices)
    if not len(chosen):
        raise DataError(f"concatenate: no clips of {store.source}; give at least one")
    root, at = store.skeleton.root, np.zeros(2, dtype=np.float32)
    people = max(1, int(store.column("people")[chosen].max()))
    joints, seen, valid = [], [], []
    for place, index in enumerate(chosen):
        clip = store[int(index)]
        shown = np.flatnonzero(clip.seen[:, 0, root])
        if not len(shown):
            raise DataError(f"concatenate: '{clip.name}' of {store.source} never shows its first person's root; leave it out")
        floor = clip.joints[..., [0, 2]]  # (T, M, V, 2)
        moved = np.where(clip.seen[..., None], floor - floor[shown[0], 0, root] + (at if place else floor[shown[0], 0, root]), 0)
        at = moved[shown[-1], 0, root]
        x = clip.joints.copy()
        x[..., [0, 2]] = moved
        pad = ((0, 0), (0, people - x.shape[1]))
        joints.append(np.pad(x, (*pad, (0, 0), (0, 0))))
        seen.append(np.pad(clip.seen, (*pad, (0, 0))))
        valid.append(np.pad(clip.valid, pad))
    x, known, there = np.concatenate(joints), np.concatenate(seen), np.concatenate(valid)
    lengths = np.array([len(v) for v in valid])
    tracks, rows, frames = [], [], 0
    for person in range(people):
        own = np.flatnonzero(there[:, person])
        tracks.append((0, person, frames, len(own)))
        rows.append((x[own, person], known[own, person], own))
        frames += len(own)
    coordinates, bits, numbers = (np.concatenate(part) for part in zip(*rows, strict=True))
    arrays = Arrays(coordinates, numbers.astype(np.int32), np.array(tracks), pack_seen(bits), clips=1)
    line = {"clip": name, "label": -1, "label_name": "", "subject": -1, "camera": -1, "setup": -1, "split": ""}
    subjects = np.unique(store.column("subject")[chosen])
    line |= {"subject": int(subjects[0]) if len(subjects) == 1 else -1}
    gaps = bool((np.diff(np.flatnonzero(there.any(axis=1)), prepend=-1) > 1).any())
    line |= {"frames": len(x), "people": people, "flags": "gaps" if gaps else "", "digest": arrays.digest(0)}
    segments = store.table.iloc[chosen][["clip", "label", "label_name", "subject"]].reset_index(drop=True)
    segments["first_frame"], segments["frames"] = np.cumsum(lengths) - lengths, lengths
    rate = store.fps or np.nan
    segments["start"], segments["end"] = segments["first_frame"] / rate, (segments["first_frame"] + lengths) / rate
    whole = ClipStore(
        arrays, pd.DataFrame([line]), store.skeleton, store.label_names, store.fps, store.source, max_people=store.max_people
    )
    return whole, segments


def _check_names(stores: Sequence[ClipStore]) -> None:
    owner: dict[str, int] = {}
    for place, store in enumerate(stores):
        for name in map(str, store.column("clip")):
            if (other := owner.setdefault(name, place)) != place:
                raise DataError(
                    f"join: clip '{name}' is in {stores[other].source} and in {store.source}; rename it in one of them"
                )
