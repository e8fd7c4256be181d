"""What a row of a table needs, so that its number can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

import slimlab
from slimlab.data import ClipStore
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.features import weights_digest


def provenance(
    train: ClipStore, test: ClipStore, seed: int, encoder: FeatureEncoder | None = None, about: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Columns: clips and fingerprint of train and test, their subjects ("1 3 5"), digest of the weights, seed, versions, and what
    else the caller knows: about={"split": "cross-subject", "run": "runs/utd"}."""
    return {
        **(about or {}),
        "train_clips": len(train),
        "test_clips": len(test),
        "train_subjects": _subjects(train),
        "test_subjects": _subjects(test),
        "train": train.fingerprint,
        "test": test.fingerprint,
        "weights": "" if encoder is None else weights_digest(encoder),
        "seed": seed,
        "slimlab": slimlab.__version__,
        "torch": torch.__version__,
    }


def _subjects(store: ClipStore) -> str:
    return " ".join(str(p) for p in np.unique(store.column("subject")) if p >= 0)
