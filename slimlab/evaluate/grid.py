"""The linear protocol: a grid of linear classifiers on frozen features, all trained in one vectorised pass.

SLiM, arXiv 2603.10648, section 4; grid, names and initialisation are those of DINOv2's linear evaluation
(arXiv 2304.07193, https://github.com/facebookresearch/dinov2), from which the field has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

# 13 learning rates, 1e-5 to 0.1, before they are multiplied by batch / 256
RATES = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)


@dataclass(frozen=True)
class FeatureSpec:
    """Which features to take out of one long vector: CLS tokens of the last `blocks` blocks, and the mean token or not.

    columns (F,) int64: where they stand in `Encoder.features(blocks=most, pool="cls+mean")`, `most` of the whole grid
    """

    blocks: int
    pool: str
    columns: Tensor


def most_blocks(encoder, blocks: Iterable[int]) -> int:
    """How many last blocks have to be read; an encoder without CLS token gives its last one alone."""
    return min(max(blocks), encoder.config.depth) if encoder.has_cls else 1


def encoder_specs(encoder, blocks: Iterable[int], pools: Iterable[str], length: int) -> list[FeatureSpec]:
    """The specs that fit this encoder, which may have fewer blocks; one without CLS token (the MAE) has a single one."""
    if not encoder.has_cls:
        return [FeatureSpec(1, "mean", torch.arange(length))]
    most = most_blocks(encoder, blocks)
    return feature_specs([min(b, most) for b in blocks], pools, encoder.config.width, length)


def feature_specs(blocks: Iterable[int], pools: Iterable[str], width: int, length: int) -> list[FeatureSpec]:
    """Every combination; `length` columns in all, (most + 1) * width for each person that is kept apart."""
    blocks = list(dict.fromkeys(blocks))
    most = max(blocks)
    table = torch.arange(length).view(-1, most + 1, width)  # (people kept apart, CLS of each block and mean, width)
    out = []
    for count in blocks:
        for pool in pools:
            parts = list(range(most - count, most)) if "cls" in pool else []
            parts += [most] if "mean" in pool else []
            out.append(FeatureSpec(count, pool, table[:, parts].flatten()))
    return out


class LinearGrid:
    """Softmax classifiers for each of R specs x L learning rates x S subsets, trained side by side.

    A subset is a set of training clips, such as all of them, and all but the held-out subjects. SGD with momentum 0.9, cosine
    to 0, no weight decay; weights begin as N(0, 0.01), the same for every learning rate and subset, biases at 0.
    """

    def __init__(
        self,
        specs: list[FeatureSpec],
        rates: Iterable[float],
        classes: int,
        steps: int,
        subsets: int = 1,
        momentum: float = 0.9,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.specs, self.rates = specs, tuple(rates)
        self.classes, self.steps, self.momentum, self.subsets = classes, steps, momentum, subsets
        self.lr = torch.tensor(self.rates, device=device)[:, None, None]  # (L, 1, 1)
        self.columns = [r.columns.to(device) for r in specs]
        rng = torch.Generator().manual_seed(seed)
        starts = [0.01 * torch.randn(classes, len(c) + 1, generator=rng) for c in self.columns]
        for start in starts:
            start[:, -1] = 0  # the last column is the bias
        shape = (subsets, len(self.rates), 1, 1)
        self.weights = [s.to(device).repeat(shape) for s in starts]  # each (S, L, C, F + 1)
        self.velocities = [torch.zeros_like(w) for w in self.weights]

    @torch.no_grad()
    def step(self, x: Tensor, labels: Tensor, step: int, members: Tensor | None = None) -> None:
        """One update on features x (B, all columns), labels (B,); members (S, B) bool: which clip belongs to which subset.

        The gradient of the mean cross-entropy is written out: (softmax - one-hot)^T x / B, here for all classifiers at once.
        """
        members = torch.ones(self.subsets, len(x), device=x.device) if members is None else members.to(x)
        share = members / members.sum(dim=1, keepdim=True).clamp(min=1)  # (S, B)
        factor = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        for columns, weight, velocity in zip(self.columns, self.weights, self.velocities, strict=True):
            inputs = _with_one(x[:, columns])  # (B, F + 1)
            error = (inputs @ weight.flatten(0, 2).T).unflatten(1, weight.shape[:3]).softmax(dim=-1)  # (B, S, L, C)
            error[torch.arange(len(x), device=x.device), :, :, labels] -= 1
            error *= share.T[:, :, None, None]
            gradient = (error.flatten(1).T @ inputs).view_as(weight)
            velocity.mul_(self.momentum).add_(gradient)
            weight.sub_(self.lr * factor * velocity)

    @torch.no_grad()
    def scores(self, x: Tensor, subset: int = 0, chunk: int = 2048) -> Tensor:
        """Logits (R, L, N, C) for features x (N, all columns)."""
        out = []
        for part in x.to(self.lr.device).split(chunk):
            logits = [
                torch.einsum("nf,lcf->lnc", _with_one(part[:, c]), w[subset])
                for c, w in zip(self.columns, self.weights, strict=True)
            ]
            out.append(torch.stack(logits).cpu())  # (R, L, n, C)
        return torch.cat(out, dim=2)

    def accuracies(self, x: Tensor, labels: Tensor, subset: int = 0, chunk: int = 2048) -> Tensor:
        """(R, L) float64 in 0..1."""
        right = torch.zeros(len(self.specs), len(self.rates), dtype=torch.float64)
        for part, truth in zip(x.split(chunk), labels.cpu().split(chunk), strict=True):
            right += (self.scores(part, subset).argmax(dim=-1) == truth).sum(dim=-1)
        return right / max(1, len(x))


def _with_one(x: Tensor) -> Tensor:
    return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)  # (B, F + 1): the bias is one more weight
