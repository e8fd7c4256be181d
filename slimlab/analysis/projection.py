"""Features in the plane, with measures of how far the picture can be trusted.

PCA and t-SNE (van der Maaten and Hinton 2008): scikit-learn's; UMAP (McInnes et al. 2018, arXiv 1802.03426): umap-learn's. t-SNE
and UMAP see the first 50 principal components. They are kept on disk by the content of their input, so that a picture is
computed once; UMAP's first import takes 15 s, and a seed keeps it to one core.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.linalg import orthogonal_procrustes
from torch import Tensor

from slimlab import _extras
from slimlab._system import cache as disk

METHODS = ("pca", "tsne", "umap")
METRICS = ("euclidean", "cosine")
DEFAULTS: dict[str, dict[str, float | str]] = {
    "pca": {"metric": "euclidean"},
    "tsne": {"metric": "euclidean", "perplexity": 30.0},
    "umap": {"metric": "euclidean", "n_neighbors": 15, "min_dist": 0.1},
}
COMPONENTS = 50  # principal components that t-SNE and UMAP see
KEPT_FILES = 100  # projections kept on disk; the ones used longest ago go first
MEASURED = 2000  # rows that quality is measured on; its cost is quadratic


@dataclass(frozen=True, repr=False)
class Projection:
    """N features in the plane.

    xy       (N, 2) float32
    quality  explained (PCA: share of the variance) and what `quality` measures, all in 0..1
    seconds  what computing it took; 0 where it was read from disk
    """

    xy: np.ndarray
    quality: dict[str, float]
    method: str
    seconds: float = 0.0
    _source: tuple[np.ndarray, dict[str, Any], int] | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{k} {v:.3f}" for k, v in self.quality.items())
        return f"Projection({self.method}, {len(self.xy)} points, {numbers})"

    def transform(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Place other features (n, F) in the same plane: (n, 2) float32. Only PCA and UMAP can; else ValueError.

        After `align`, or where the projection came from disk, UMAP is fitted again first (the same seed gives the same plane).
        """
        if self.method == "tsne" or self._source is None:
            raise ValueError("t-SNE has no map for new points, nor has an aligned projection; use a fitted 'pca' or 'umap'")
        known, settings, seed = self._source
        rows = _measured_by(_rows(x), settings)
        if rows.shape[1] != known.shape[1]:
            raise ValueError(f"features have {rows.shape[1]} columns, the projection was fitted on {known.shape[1]}")
        if self.method == "pca":
            mean, axes, _ = _principal(known, 2)
            return _pad(((rows - mean) @ axes.T).astype(np.float32))
        mean, axes, _ = _principal(known, COMPONENTS)
        model = _umap(settings, seed, len(known)).fit(((known - mean) @ axes.T).astype(np.float32))
        return np.asarray(model.transform(((rows - mean) @ axes.T).astype(np.float32)), dtype=np.float32)


def fit(
    x: Tensor | np.ndarray,
    method: str = "pca",
    seed: int = 0,
    labels: Tensor | np.ndarray | None = None,
    cache: str | Path | None = "default",
    **settings: float | str,
) -> Projection:
    """Project features (N, F), N >= 2, to the plane; the same features, settings and seed give the same picture.

    method    "pca" (signs fixed), "tsne" (perplexity=30), "umap" (n_neighbors=15, min_dist=0.1)
    metric    "euclidean", or "cosine": rows are brought to length 1 first, where the squared distance is 2 - 2 cosine; quality
              is measured in the same metric. kNN and retrieval compare by cosine
    labels    (N,) classes, for `label_agreement` in the quality; unknown ones (-1) are left out
    cache     folder of finished t-SNE and UMAP projections; None: nothing is kept. Default: $SLIMLAB_CACHE or the user's cache
    Raises ValueError for another method, metric or setting, too few rows, or features that are not finite; for t-SNE
    and UMAP also where all features are nearly the same, which would end the process.
    """
    if method not in METHODS:
        raise ValueError(f"projection '{method}' is not there; choose {', '.join(METHODS)}")
    for name in settings:
        if name not in DEFAULTS[method]:
            raise ValueError(f"projection '{method}' has no setting '{name}'; it has: {', '.join(DEFAULTS[method]) or 'none'}")
    if method == "umap":
        _extras.require("umap", "UMAP projections", "umap")
    rows = _rows(x)
    if len(rows) < 2:
        raise ValueError(f"features are {rows.shape}, should be (N, F) with N >= 2")
    chosen = DEFAULTS[method] | settings
    if chosen["metric"] not in METRICS:
        raise ValueError(f"metric '{chosen['metric']}' is not there; choose {' or '.join(METRICS)}")
    for name, least in (("perplexity", 1), ("n_neighbors", 2), ("min_dist", 0)):
        if name in chosen and not least <= float(chosen[name]) < float("inf"):
            raise ValueError(f"{name} is {chosen[name]}, should be a number of at least {least}")
    rows = _measured_by(rows, chosen)
    if method != "pca" and np.abs(rows - rows.mean(axis=0)).max() <= 1e-6 * np.abs(rows).max():
        raise ValueError(
            f"all {len(rows)} features are the same or nearly the same, which {method} cannot place; the encoder may have "
            "collapsed. Look at its feature rank, or use method='pca'"
        )
    begin, seconds = time.perf_counter(), 0.0
    file = None if method == "pca" else _file(rows, method, chosen, seed, cache)
    xy = None if file is None else disk.read(file)
    if xy is None or xy.shape != (len(rows), 2):
        xy = _compute(rows, method, chosen, seed)
        seconds = time.perf_counter() - begin
        if file is not None:
            disk.keep(file, xy, KEPT_FILES)
    measured = quality(rows, xy, labels, seed)
    if method == "pca":
        measured = {"explained": _principal(rows, 2)[2]} | measured
    return Projection(xy, measured, method, seconds, (rows, chosen, seed))


def quality(
    x: Tensor | np.ndarray, xy: np.ndarray, labels: Tensor | np.ndarray | None = None, seed: int = 0, k: int = 10
) -> dict[str, float]:
    """How far a plane xy (N, 2) can be trusted for features x (N, F); all in 0..1, {} for fewer than 12 rows.

    trustworthiness   scikit-learn's, k = 5: near in the plane means near among the features
    neighbours_kept   share of each point's k nearest features that are among its k nearest in the plane
    with labels: label_agreement  share of a point's k nearest in the plane that have its label; of_features  the same among the
    features; of_chance  in the plane with labels shuffled, the control
    Measured on at most 2,000 rows drawn by `seed`.
    """
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(xy))[:MEASURED]
    if len(rows) < 12:
        return {}
    x, xy = _rows(x)[rows], np.asarray(xy)[rows]
    k = min(k, len(rows) // 2 - 1)
    far, near = (NearestNeighbors(n_neighbors=k).fit(v).kneighbors(return_distance=False) for v in (x, xy))  # (n, k)
    kept = (far[:, :, None] == near[:, None, :]).any(axis=2).mean()
    out = {"trustworthiness": float(trustworthiness(x, xy, n_neighbors=5)), "neighbours_kept": float(kept)}
    if labels is not None:
        own = np.asarray(labels)[rows]
        known = own >= 0
        if known.sum() >= 12:

            def agreement(neighbours: np.ndarray, own: np.ndarray) -> float:
                return float((own[neighbours] == own[:, None])[known].mean())

            shuffled = own.copy()
            shuffled[known] = rng.permutation(own[known])
            out |= {"label_agreement": agreement(near, own), "of_features": agreement(far, own)}
            out |= {"of_chance": agreement(near, shuffled)}
    return out


def align(projection: Projection, reference: np.ndarray) -> Projection:
    """Turn, mirror, scale and shift a projection onto `reference` (N, 2) of the same points (Procrustes), so that a row of
    pictures does not jump. Distances keep their proportions; quality is unchanged. Raises ValueError for another N."""
    if projection.xy.shape != np.shape(reference):
        raise ValueError(f"reference is {np.shape(reference)}, should be {projection.xy.shape}: the same points")
    xy, target = projection.xy.astype(np.float64), np.asarray(reference, dtype=np.float64)
    center, center_target = xy.mean(axis=0), target.mean(axis=0)
    xy, target = xy - center, target - center_target
    turn, singular_values = orthogonal_procrustes(xy, target)
    scale = singular_values / max(float((xy**2).sum()), 1e-30)
    moved = (scale * xy @ turn + center_target).astype(np.float32)
    return replace(projection, xy=moved, _source=None)


def _rows(x: Tensor | np.ndarray) -> np.ndarray:
    rows = torch.as_tensor(x).detach().cpu().double().numpy()
    if rows.ndim != 2:
        raise ValueError(f"features are {rows.shape}, should be (N, F) with N >= 2")
    if not np.isfinite(rows).all():
        bad = int(np.argmax(~np.isfinite(rows).all(axis=1)))
        raise ValueError(f"features of row {bad} are not finite; leave such rows out")
    return rows


def _measured_by(rows: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """Rows of which the Euclidean distance is the one that the metric means; a row of zeros stays."""
    if settings["metric"] == "euclidean":
        return rows
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30)


def _principal(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean (F,), the first `count` axes (count, F) with their largest entry positive, their share of the variance.

    scikit-learn's PCA, which fixes the signs in this way. It forms the covariance of many rows before it centers them, which
    loses digits where the mean is large, so that the rows are centered first.
    """
    from sklearn.decomposition import PCA

    mean = rows.mean(axis=0)
    solver = "full" if len(rows) < rows.shape[1] else "covariance_eigh"
    with np.errstate(invalid="ignore"):  # rows that are all the same have no variance to share
        model = PCA(min(count, *rows.shape), svd_solver=solver).fit(rows - mean)
    axes: Any = model.components_  # scikit-learn is loosely typed
    return mean, axes, float(np.nan_to_num(model.explained_variance_ratio_).sum())


def _compute(rows: np.ndarray, method: str, settings: dict[str, Any], seed: int) -> np.ndarray:
    mean, axes, _ = _principal(rows, 2 if method == "pca" else COMPONENTS)
    reduced = (rows - mean) @ axes.T
    if method == "pca":
        return _pad(reduced.astype(np.float32))
    largest = np.abs(reduced).max()
    if not 1e-9 < largest < 1e9:  # squares of such numbers leave float32, which ends the process
        reduced = reduced / largest
    reduced = reduced.astype(np.float32)
    if len(rows) < 5:
        raise ValueError(f"{method} of {len(rows)} points says nothing; use pca")
    if method == "tsne":
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        reduced = _pad(reduced)  # its beginning is two principal components
        perplexity = min(settings["perplexity"], (len(rows) - 1) / 3)
        model = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
        with threadpool_limits(1 if len(rows) < 2000 else None):  # few points: threads wait for each other most of the time
            return np.asarray(model.fit_transform(reduced), dtype=np.float32)
    return np.asarray(_umap(settings, seed, len(rows)).fit_transform(reduced), dtype=np.float32)


def _umap(settings: dict[str, Any], seed: int, rows: int) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its TensorFlow variant is not installed, nor wanted
        umap = import_module("umap")  # by name: it declares no types, which pyright would take half a minute to work out
    neighbours = int(min(settings["n_neighbors"], rows - 1))
    return umap.UMAP(n_neighbors=neighbours, min_dist=settings["min_dist"], random_state=seed, n_jobs=1)


def _pad(xy: np.ndarray) -> np.ndarray:
    return np.pad(xy, ((0, 0), (0, max(0, 2 - xy.shape[1]))))


def _file(rows: np.ndarray, method: str, settings: dict[str, Any], seed: int, where: str | Path | None) -> Path | None:
    kept = disk.folder("projections", where)
    settings_text = sorted(settings.items())
    return kept and kept / f"{disk.digest(rows, method, settings_text, seed, _version(method))}.npy"


def _version(method: str) -> str:
    from importlib.metadata import version

    return version("umap-learn" if method == "umap" else "scikit-learn")
