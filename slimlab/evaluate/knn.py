"""k nearest neighbours by cosine, votes weighted by softmax(similarity / temperature).

Wu et al. 2018 (arXiv 1805.01978), as SLiM evaluates (arXiv 2603.10648, section 4).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from slimlab.evaluate.result import Result, labelled, score


@torch.inference_mode()
def knn(train, test, k: int = 1, temperature: float = 0.07, chunk: int = 2048) -> Result:
    """Classify each test feature by its k nearest training features; two `Features`, or anything with x and labels.

    chunk  test rows at a time, so that the similarity matrix stays small
    Raises DataError where labels are missing, ValueError where k is not 1..training clips.
    """
    x, labels, queries, truth, classes = labelled(train, test)
    if not 1 <= k <= len(x):
        raise ValueError(f"k is {k}, should be 1..{len(x)}, the training clips")
    x, queries = F.normalize(x, dim=1), F.normalize(queries, dim=1)
    predictions, neighbours = [], []
    for part in queries.split(chunk):
        similarity, nearest = (part @ x.T).topk(k, dim=1)  # (n, k)
        weights = (similarity / temperature).softmax(dim=1)
        votes = weights.new_zeros(len(part), classes).scatter_add_(1, labels[nearest], weights)
        predictions.append(votes.argmax(dim=1))
        neighbours.append(nearest)
    return score(torch.cat(predictions), truth, classes, torch.cat(neighbours))
