"""A long recording, window by window: what is going on, how sure that is, how unusual, and where it changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from slimlab.data import ClipStore, windows
from slimlab.evaluate import Features, Predictor, features


def timeline(
    predictor: Predictor,
    store: ClipStore,
    index: int = 0,
    *,
    gallery: ClipStore | None = None,
    seconds: float = 3.0,
    stride: float = 0.5,
    fps: float | None = None,
) -> pd.DataFrame:
    """Slide a window over a recording and read each one: a line for each window.

    Args:
        predictor: An encoder and its probe (`evaluate.fit_predictor`).
        store: Holds the recording.
        index: Which of its clips the recording is.
        gallery: Clips to compare with, such as those that the predictor was fitted on; None: nearest, distance and novelty are
            left out.
        seconds: A window's length.
        stride: Seconds from one window's start to the next one's.
        fps: Frames a second, where the store does not know.

    Returns:
        first_frame, time (seconds at the window's middle), label, confidence, change (cosine distance of the features from those
        of the window before, 0 in the first), boundary (change is a peak: above its neighbors and above the median by more than
        three median absolute deviations). With a gallery: nearest (a clip's name), distance (cosine, to it), novelty (the part
        of the gallery's clips that are nearer to their own nearest neighbor: near 1, nothing like it was seen).

    Raises:
        DataError: No frame rate is known, or the recording holds more people than the predictor knows.
    """
    index = range(len(store))[int(index)]
    cut = windows(store[[index]], seconds, stride, fps)
    said = predictor.predict(cut)
    read = _features(predictor, cut)
    x = F.normalize(read.x, dim=1)  # (N, F)
    change = np.r_[0.0, 1 - (x[1:] * x[:-1]).sum(dim=1).numpy()]
    first = cut.column("first_frame").astype(int)
    rate = float(cut.fps or fps or 1)
    table = pd.DataFrame({"first_frame": first, "time": first / rate + seconds / 2})
    table["label"], table["confidence"] = said["label"], said["confidence"]
    table["change"], table["boundary"] = change, peaks(change)
    if gallery is not None:
        known = F.normalize(_features(predictor, gallery).x, dim=1)  # (G, F)
        alike = x @ known.T  # (N, G)
        own = (known @ known.T).fill_diagonal_(-2).amax(dim=1)  # (G,) each clip's nearest other clip
        best = alike.max(dim=1)
        table["nearest"] = gallery.column("clip")[best.indices.numpy()]
        table["distance"] = 1 - best.values.numpy()
        table["novelty"] = (own[None] > best.values[:, None]).double().mean(dim=1).numpy()
    return table


def peaks(values: np.ndarray, deviations: float = 3.0) -> np.ndarray:
    """(N,) bool: above both neighbors, and above the median by more than so many median absolute deviations."""
    values = np.asarray(values, dtype=float)
    middle = np.median(values)
    high = values > middle + deviations * np.median(np.abs(values - middle))
    padded = np.r_[-np.inf, values, -np.inf]
    return high & (values > padded[:-2]) & (values >= padded[2:])


@torch.inference_mode()
def _features(predictor: Predictor, store: ClipStore) -> Features:
    return features(predictor.encoder, store.with_people(predictor.people), pool=predictor.pool)
