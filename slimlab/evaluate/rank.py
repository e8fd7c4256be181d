"""What a representation does: rank, use of prototypes."""

from __future__ import annotations

import torch
from torch import Tensor

from slimlab._system import distributed

ROWS = 256  # of targets at a time, so that no second matrix of their size is made


@torch.no_grad()
def rankme(features: Tensor) -> float:
    """RankMe of features (N, F): exp of the entropy of the normalised singular values (arXiv 2210.02885).

    1 when all features point the same way (collapse), min(N, F) at most.
    """
    singular = torch.linalg.svdvals(features.float())
    p = singular / singular.sum().clamp(min=1e-12) + 1e-7
    return float((-(p * p.log()).sum()).exp())


@torch.no_grad()
def effective_prototypes(*targets: Tensor) -> float:
    """Prototypes that one target (rows of (N, K), summing to one) spreads over: exp of the mean row entropy, 1..K."""
    total = torch.stack([entropy(rows.float()) for part in targets for rows in part.split(ROWS)]).sum()
    total, rows = distributed.all_reduce_sum(torch.stack([total, total.new_tensor(sum(map(len, targets)))]))
    return float((total / rows).exp())


@torch.no_grad()
def used_prototypes(assignments: Tensor) -> float:
    """Prototypes in use over a batch (N, K): exp of the entropy of the hard assignments' histogram, 1..min(N, K)."""
    counts = distributed.all_reduce_sum(torch.bincount(assignments.argmax(dim=1), minlength=assignments.shape[1]).float())
    return float(entropy(counts / counts.sum().clamp(min=1)).exp())


def entropy(p: Tensor) -> Tensor:
    """Sum of -p log p, in nats; 0 log 0 counts zero. torch.special.entr is on MPS from torch 2.7 on."""
    return -torch.xlogy(p, p).sum()
