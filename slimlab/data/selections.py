"""What a selection of clips is good for: other labels, or a store without them. The store itself never changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from slimlab.data.store import ClipStore


def relabel(store: ClipStore, clips: np.ndarray | Sequence[int], name: str) -> ClipStore:
    """A copy of the store in which these clips belong to the class `name`, a new one where no class has that name.

    clips  numbers of clips, or a mask of bools

    The motion is shared, not copied. Raises ValueError for an empty name, IndexError for clips that are not there.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"relabel: the name of the class is {name!r}; give a text")
    chosen, name = store.positions(clips), name.strip()
    names = store.label_names
    if name not in names:
        unnamed = range(len(names), int(store.labels.max(initial=-1)) + 1)  # classes that have only a number
        names = (*names, *(str(number) for number in unnamed), name)
    table = store.table.copy()
    table.loc[chosen, "label"] = names.index(name)
    table.loc[chosen, "label_name"] = name
    s = store
    return ClipStore(s.arrays, table, s.skeleton, names, s.fps, s.source, s.clips, s.max_people, s.notes)


def exclude(store: ClipStore, clips: np.ndarray | Sequence[int]) -> ClipStore:
    """The store without these clips (numbers, or a mask of bools). Raises IndexError for clips that are not there."""
    return store[np.setdiff1d(np.arange(len(store)), store.positions(clips))]
