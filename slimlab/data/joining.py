"""Several stores of one body as one, to pre-train on all of them at once."""

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


def _check_names(stores: Sequence[ClipStore]) -> None:
    owner: dict[str, int] = {}
    for place, store in enumerate(stores):
        for name in map(str, store.column("clip")):
            if (other := owner.setdefault(name, place)) != place:
                raise DataError(
                    f"join: clip '{name}' is in {stores[other].source} and in {store.source}; rename it in one of them"
                )
