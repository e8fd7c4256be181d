"""Features in the plane, with a measure of how far the picture can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Projection:
    """xy (N, 2) float32; quality: explained (PCA's share of the variance) and trustworthiness in 0..1 (sklearn, k = 5)."""

    xy: np.ndarray
    quality: dict[str, float]
    method: str


def fit(x: Tensor | np.ndarray, method: str = "pca", seed: int = 0) -> Projection:
    """Project features (N, F), N >= 2, to the plane. Signs are fixed, so the same features give the same picture.

    Raises ValueError for another method than "pca" or too few rows.
    """
    if method != "pca":
        raise ValueError(f"projection '{method}' is not there; choose pca")
    x = torch.as_tensor(x).double()
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"features are {tuple(x.shape)}, should be (N, F) with N >= 2")
    centred = x - x.mean(dim=0)
    u, s, v = torch.linalg.svd(centred, full_matrices=False)
    u, s, v = u[:, :2], s, v[:2]
    sign = torch.sign(v.gather(1, v.abs().argmax(dim=1, keepdim=True))).squeeze(1)
    xy = (u * s[:2] * sign).float().numpy()  # (N, 2)
    if xy.shape[1] == 1:
        xy = np.pad(xy, ((0, 0), (0, 1)))
    quality = {"explained": float(s[:2].square().sum() / s.square().sum().clamp(min=1e-30))}
    if len(x) > 11:
        from sklearn.manifold import trustworthiness

        chosen = np.random.default_rng(seed).permutation(len(x))[:2000]  # its cost is quadratic
        quality["trustworthiness"] = float(trustworthiness(x.numpy()[chosen], xy[chosen], n_neighbors=5))
    return Projection(xy, quality, method)
