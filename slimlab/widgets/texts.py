"""Texts that the explorers of what is inside share."""

from __future__ import annotations

import numpy as np

from slimlab.data import ClipStore


def percent_texts(values: np.ndarray) -> list[list[str]]:
    """Values (T', V) in words, for hovering."""
    return [[f"{v:.2f} %" for v in row] for row in values]


def clip_names(store: ClipStore) -> list[str]:
    """ "wave (S001C001P001R001A001)" for every clip, or the name alone where the class is unknown."""
    known = range(len(store.label_names))
    pairs = zip(store.labels.tolist(), store.column("clip").tolist(), strict=True)
    return [f"{store.label_names[label]} ({name})" if label in known else str(name) for label, name in pairs]
