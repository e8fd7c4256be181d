"""Score fusion: classifiers of several streams (joint, bone, motion) vote together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from slimlab.evaluate.result import Result, score


def fuse(results: Sequence[Result | Tensor], weights: Sequence[float] | None = None, labels: Tensor | None = None) -> Result:
    """Add up the classifiers' probabilities, softmax(scores), times their weights; the largest sum wins.

    results  `Result`s of the same test clips, or scores (N, C); for scores alone give labels (N,)
    weights  one a classifier; None: all alike. Often seen for joint, bone, motion: 0.6, 0.6, 0.4 (CrosSCLR, arXiv 2104.14761)
    Raises ValueError where clips, classes or weights do not match, or a result has no scores.
    """
    if not results:
        raise ValueError("fuse: nothing to fuse; give at least one result")
    weights = [1.0] * len(results) if weights is None else list(weights)
    if len(weights) != len(results) or min(weights) < 0 or sum(weights) == 0:
        raise ValueError(
            f"fuse: {len(results)} results and weights {weights}; give one weight a result, none negative, not all 0"
        )
    scores = []
    for i, result in enumerate(results):
        if isinstance(result, Result):
            if result.scores is None:
                raise ValueError(f"fuse: result {i} has no scores; evaluate it with a classifier that gives them")
            if labels is not None and not torch.equal(labels, result.labels):
                raise ValueError(f"fuse: the labels of result {i} are others; fuse results of the same clips in the same order")
            labels, result = result.labels, result.scores
        if scores and result.shape != scores[0].shape:
            raise ValueError(f"fuse: scores {i} are {tuple(result.shape)}, those before {tuple(scores[0].shape)}")
        scores.append(result)
    if labels is None:
        raise ValueError("fuse: scores alone have no labels; give labels=")
    total = sum(w * s.double().softmax(dim=1) for w, s in zip(weights, scores, strict=True))
    total = torch.as_tensor(total) / sum(weights)  # (N, C), rows sum to 1
    return score(total.argmax(dim=1), labels, total.shape[1], scores=total.log())
