"""k nearest neighbours by cosine, votes weighted by softmax(similarity / temperature).

Wu et al. 2018 (arXiv 1805.01978), as SLiM evaluates (arXiv 2603.10648, section 4).
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F

from slimlab._system import distributed
from slimlab.evaluate.result import Result, labelled, score


def knn(train, test, k: int = 1, temperature: float = 0.07, chunk: int = 2048) -> Result:
    """Classify each test feature by its k nearest training features; two `Features`, or anything with x and labels.

    chunk  test rows at a time, so that the similarity matrix stays small
    Raises DataError where labels are missing or a feature is not finite, ValueError where k is not 1..training clips.
    """
    return knn_grid(train, test, [k], [temperature], chunk)[k, temperature]


@torch.inference_mode()
def knn_grid(
    train, test, ks: Iterable[int] = (1, 10, 20, 100, 200), temperatures: Iterable[float] = (0.07,), chunk: int = 2048
) -> dict[tuple[int, float], Result]:
    """`knn` for every (k, temperature), in the order given; the neighbours are looked for once. Raises as `knn` does.

    Of several processes (`distributed.processes`) all call this with the same features; each takes its share of the test rows,
    and all have the results.
    """
    x, labels, queries, truth, classes = labelled(train, test)
    ks, temperatures = list(ks), list(temperatures)
    for k in ks:
        if not 1 <= k <= len(x):
            raise ValueError(f"k is {k}, should be 1..{len(x)}, the training clips")
    x, queries = F.normalize(x, dim=1), F.normalize(queries, dim=1)
    own = queries[distributed.shard(len(queries))]
    found = [(part @ x.T).topk(max(ks), dim=1) for part in own.split(chunk)]
    # (N, largest k) each, nearest first
    similarity, nearest = (distributed.all_gather(torch.cat(parts)) for parts in zip(*found, strict=True))
    out = {}
    for k in ks:
        for temperature in temperatures:
            weights = (similarity[:, :k] / temperature).softmax(dim=1)
            votes = weights.new_zeros(len(queries), classes).scatter_add_(1, labels[nearest[:, :k]], weights)
            out[k, temperature] = score(votes.argmax(dim=1), truth, classes, nearest[:, :k], votes.log())
    return out
