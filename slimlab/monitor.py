"""What a run knows so far: held-out kNN and feature rank, on the training side alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from slimlab import evaluate, inspection
from slimlab.config import Config
from slimlab.data import ClipStore

MONITOR_CLIPS = 512  # per side of the held-out kNN


def monitor(trainer: Any, store: ClipStore) -> dict[str, float]:
    """kNN on held-out training performers (the last one against the others; labels serve this alone) and feature rank."""
    encoder, performers = trainer.encoder, np.unique(store.column("subject"))
    known = store.labels >= 0
    last = store.column("subject") == performers[-1]
    if len(performers) < 2:
        last = np.arange(len(store)) % 2 == 1

    def some(which: np.ndarray) -> ClipStore:
        places = np.flatnonzero(which)
        return store[places[np.linspace(0, len(places) - 1, min(len(places), MONITOR_CLIPS)).round().astype(int)]]

    faulty = isinstance(trainer.config, Config) and trainer.config.makes("test_view")  # the MAE has none
    gallery = evaluate.features(encoder, some(known & ~last if known.any() else ~last), released_quirks=faulty, cache=None)
    out = {"rank": inspection.rankme(gallery.x[:, : trainer.config.width])}
    if (known & last).any() and (known & ~last).any():
        out["knn"] = evaluate.knn(
            gallery, evaluate.features(encoder, some(known & last), released_quirks=faulty, cache=None)
        ).accuracy
    return out
