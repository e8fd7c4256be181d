"""Texts that the explorers of what is inside share."""

from __future__ import annotations

import numpy as np

from slimlab.data import ClipStore


def percent_texts(values: np.ndarray) -> list[list[str]]:
    """Values (T', V) in words, for hovering."""
    return [[f"{v:.2f} %" for v in row] for row in values]


def clip_name(store: ClipStore, index: int) -> str:
    """ "wave (S001C001P001R001A001)", or the name alone where the class is unknown."""
    label, name = int(store.labels[index]), str(store.column("clip")[index])
    return f"{store.label_names[label]} ({name})" if 0 <= label < len(store.label_names) else name
