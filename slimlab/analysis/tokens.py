"""What tokens are like: their first three principal components as colours, and their likeness to one token.

PCA of patch tokens as red, green, blue: Oquab et al. 2023 (DINOv2, arXiv 2304.07193, figure 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class TokenPCA:
    """Three components (3, D) of centered tokens, mean (D,), explained (3,) share of the variance, and the scores' range.

    low, high  (3,) 1st and 99th percentile of the scores it was fitted on: the colours' ends
    """

    mean: Tensor
    components: Tensor
    explained: Tensor
    low: Tensor
    high: Tensor

    def scores(self, tokens: Tensor) -> Tensor:
        """(…, 3) from tokens (…, D)."""
        return (tokens.float() - self.mean) @ self.components.T

    def colours(self, tokens: Tensor) -> Tensor:
        """(…, 3) red, green, blue in 0..1 from tokens (…, D)."""
        return ((self.scores(tokens) - self.low) / (self.high - self.low).clamp(min=1e-12)).clamp(0, 1)


@torch.no_grad()
def token_pca(tokens: Tensor) -> TokenPCA:
    """Fit on tokens (…, D), of one clip or many; each component's largest entry is positive, so colours do not flip.

    Raises ValueError where there are fewer than four tokens or three dimensions.
    """
    flat = tokens.detach().float().flatten(0, -2)  # (tokens, D)
    if flat.shape[0] < 4 or flat.shape[1] < 3:
        raise ValueError(f"tokens are {tuple(tokens.shape)}; three components need at least 4 cells and 3 dimensions")
    mean = flat.mean(dim=0)
    exact = (flat - mean).cpu().double()  # MPS has no float64
    values, vectors = torch.linalg.eigh(exact.T @ exact)  # ascending
    components = vectors[:, -3:].flip(1).T.to(flat)  # (3, D)
    components = components * components.gather(1, components.abs().argmax(dim=1, keepdim=True)).sign()
    explained = (values[-3:].flip(0) / values.sum().clamp(min=1e-30)).to(flat)
    scores = (flat - mean) @ components.T
    some = scores[torch.linspace(0, len(scores) - 1, min(len(scores), 100_000)).long()]
    low, high = torch.quantile(some, LIMITS.to(some), dim=0)
    return TokenPCA(mean, components, explained, low, high)


LIMITS = torch.tensor([0.01, 0.99])


def token_similarity(tokens: Tensor, step: int, joint: int) -> Tensor:
    """(…, T', V) in -1..1: cosine of every token with the one at (step, joint), from tokens (…, T', V, D)."""
    unit = F.normalize(tokens.float(), dim=-1)
    return (unit * unit[..., step : step + 1, joint : joint + 1, :]).sum(dim=-1)
