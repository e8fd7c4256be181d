"""A long recording, window by window: what is going on, how sure that is, how unusual, and where it changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from slimlab.data import ClipStore, windows
from slimlab.evaluate import Features, Predictor

ROWS = 1024  # clips that are compared at once: memory does not grow with the square of a gallery


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording that was read window by window (`read_recording`).

    windows      (N) its windows as clips
    features     of the windows, as the predictor's probe reads them
    table        a line for each window, as `timeline` describes it
    neighbors    (N, k) int64: places in the gallery of the nearest clips, nearest first; None without a gallery
    similarity   (N, k) float32: cosine similarity to them
    """

    windows: ClipStore
    features: Features
    table: pd.DataFrame
    neighbors: np.ndarray | None = None
    similarity: np.ndarray | None = None


def timeline(
    predictor: Predictor,
    store: ClipStore,
    index: int = 0,
    *,
    gallery: ClipStore | None = None,
    seconds: float = 3.0,
    stride: float = 0.5,
    apart: float | None = None,
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
        apart: Seconds between the two windows whose features are compared for `change`; None: the stride, the window before.
            Windows that overlap differ little: a window's length compares what was before a moment with what follows.
        fps: Frames a second, where the store does not know.

    Returns:
        first_frame, time (seconds at the window's middle), label, confidence, change (cosine distance between the features of
        two windows: this and the one before or, with `apart`, one before and one behind, this one in their middle; 0 at the
        ends, where one is missing), boundary (change is a peak: above its neighbors and above the median by more than three
        median absolute deviations). With a gallery: nearest (a clip's name), distance (cosine, to it), novelty (the part of the
        gallery's clips that are nearer to their own nearest neighbor: near 1, nothing like it was seen). A window with nobody
        in it has no label, confidence 0, no change from another such window, and no nearest clip: "" and NaN.

    Raises:
        DataError: No frame rate is known, or the recording holds more people than the predictor knows.
        ValueError: apart is at most half a stride, or a number is not finite.
    """
    return read_recording(predictor, store, index, gallery=gallery, seconds=seconds, stride=stride, apart=apart, fps=fps).table


def read_recording(
    predictor: Predictor,
    store: ClipStore,
    index: int = 0,
    *,
    gallery: ClipStore | Features | None = None,
    seconds: float = 3.0,
    stride: float = 0.5,
    apart: float | None = None,
    fps: float | None = None,
    k: int = 1,
) -> Recording:
    """What `timeline` computes, with the features and the k nearest clips of each window.

    Windows share the recording's arrays, go through the encoder in batches, and are read once; `evaluate.features` keeps what
    it keeps of any clips. gallery: as of `timeline`, or its features (`predictor.features`), where several recordings are read.
    Raises what `timeline` raises, and ValueError where k is not in 1..clips of the gallery.
    """
    for name, value in {"seconds": seconds, "stride": stride, "apart": apart}.items():
        if value is not None and not math.isfinite(value):
            raise ValueError(f"{name} is {value}; give a number of seconds")
    index = range(len(store))[int(index)]
    cut = windows(store[[index]], seconds, stride, fps)
    read = predictor.features(cut)
    said = predictor.label(read)
    change = changes(read, 1 if apart is None else round(apart / stride))
    first = cut.column("first_frame").astype(int)
    rate = float(cut.fps or fps or 1)
    table = pd.DataFrame({"first_frame": first, "time": (first + cut.column("frames") / 2) / rate})
    table["label"], table["confidence"] = said["label"], said["confidence"]
    table["change"], table["boundary"] = change, peaks(change)
    found = Recording(cut, read, table)
    if gallery is None:
        return found
    return compare_with(found, gallery if isinstance(gallery, Features) else predictor.features(gallery), k)


def compare_with(recording: Recording, gallery: Features, k: int = 1) -> Recording:
    """The same recording beside a gallery, or another one, without reading it again: nearest, distance, novelty, neighbors.

    gallery: features of the same encoder, read in the same way (`predictor.features`). Raises ValueError where k is not in
    1..clips of the gallery or the features are of another length.
    """
    if not 1 <= k <= len(gallery):
        raise ValueError(f"k {k} should be 1..{len(gallery)}, the clips of the gallery")
    if gallery.x.shape[1] != recording.features.x.shape[1]:
        raise ValueError(
            f"the gallery has {gallery.x.shape[1]} features a clip, the recording {recording.features.x.shape[1]}; read both by "
            "predictor.features"
        )
    x, known = (F.normalize(f.x, dim=1) for f in (recording.features, gallery))
    similarity, neighbors = _nearest(x, known, k)
    own = _own_nearest(known).sort().values  # (G,)
    nearer = len(own) - torch.searchsorted(own, similarity[:, 0].contiguous(), right=True)  # (N,) clips with a nearer neighbor
    table, there = recording.table.copy(), recording.features.x.any(dim=1).numpy()
    table["nearest"] = np.where(there, gallery.table["clip"].to_numpy()[neighbors[:, 0].numpy()], "")
    table["distance"] = np.where(there, 1 - similarity[:, 0].numpy(), np.nan)
    table["novelty"] = np.where(there, nearer.numpy() / len(own), np.nan)
    return Recording(recording.windows, recording.features, table, neighbors.numpy(), similarity.numpy())


def changes(windows: Features, places: int = 1) -> np.ndarray:
    """(N,) cosine distance between the features of two windows so many places apart, the one at hand in their middle.

    With an odd number of places, the moment between the two is half a stride before the window at hand: with 1, they are the
    window before and itself. 0 at the ends, where one of the two is missing, and where nobody is in both. Raises ValueError
    where places is under 1.
    """
    if places < 1:
        raise ValueError(f"windows that are {places} places apart cannot be compared; give at least one stride")
    x, change = F.normalize(windows.x, dim=1), np.zeros(len(windows))
    if places < len(x):
        one, other = x[places:], x[:-places]
        somebody = (one != 0).any(dim=1) | (other != 0).any(dim=1)  # features of nobody are zero
        change[(places + 1) // 2 : len(x) - places // 2] = (somebody.float() - (one * other).sum(dim=1)).numpy()
    return change


def peaks(values: np.ndarray, deviations: float = 3.0) -> np.ndarray:
    """(N,) bool: above both neighbors, and above the median by more than so many median absolute deviations."""
    values = np.asarray(values, dtype=float)
    middle = np.median(values)
    high = values > middle + deviations * np.median(np.abs(values - middle))
    padded = np.r_[-np.inf, values, -np.inf]
    return high & (values > padded[:-2]) & (values >= padded[2:])


def _nearest(x: Tensor, known: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """(N, k) similarities to the nearest rows of `known`, nearest first, and their places; both of unit length."""
    found = [(rows @ known.T).topk(k, dim=1) for rows in x.split(ROWS)]
    return torch.cat([f.values for f in found]), torch.cat([f.indices for f in found])


def _own_nearest(known: Tensor) -> Tensor:
    """(G,) each clip's similarity to its nearest other clip, -2 where there is none."""
    best = []
    for start in range(0, len(known), ROWS):
        alike = known[start : start + ROWS] @ known.T
        alike[torch.arange(len(alike)), torch.arange(start, start + len(alike))] = -2
        best.append(alike.amax(dim=1))
    return torch.cat(best)
