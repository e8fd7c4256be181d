"""Retrieval: every test clip asks for training clips of its class, ranked by cosine similarity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from slimlab._system import distributed
from slimlab.evaluate.result import labelled


@dataclass(frozen=True)
class Retrieval:
    """mean_average_precision in 0..1 over the queries whose class is in the gallery at all; recall[k]: part of those with a
    clip of their class among the k nearest; average_precision (N,) float64 of each query, NaN where its class is not there."""

    mean_average_precision: float
    recall: dict[int, float]
    average_precision: Tensor

    def __repr__(self) -> str:
        recall = ", ".join(f"recall@{k} {v:.3f}" for k, v in self.recall.items())
        return f"Retrieval(mAP {self.mean_average_precision:.3f}, {recall}, {len(self.average_precision)} queries)"


@torch.inference_mode()
def retrieval(train, test, recall_at: Iterable[int] = (1, 5, 10), chunk: int = 512) -> Retrieval:
    """Rank the training features (the gallery) for each test feature; two `Features`, or anything with x and labels.

    Average precision is the mean, over the gallery's clips of the query's class, of the precision at their rank; the whole
    gallery is ranked. `chunk` test rows at a time. Raises DataError where labels are missing, a feature is not finite
    or no query has its class in the gallery, ValueError where a k of recall_at is not 1..training clips.
    """
    from slimlab.data import DataError

    x, labels, queries, truth, _ = labelled(train, test)
    recall_at = list(recall_at)
    for k in recall_at:
        if not 1 <= k <= len(x):
            raise ValueError(f"recall@{k}: should be within 1..{len(x)}, the training clips")
    x, queries = F.normalize(x, dim=1), F.normalize(queries, dim=1)
    rank = torch.arange(1, len(x) + 1, dtype=torch.float64)
    precisions, first = [], []
    own = distributed.shard(len(queries))  # of several processes, each ranks for its test rows
    for part, query_labels in zip(queries[own].split(chunk), truth[own].split(chunk), strict=True):
        order = (part @ x.T).argsort(dim=1, descending=True, stable=True)  # (n, training clips)
        relevant = labels[order] == query_labels[:, None]
        precision = relevant.cumsum(dim=1) / rank
        precisions.append((precision * relevant).sum(dim=1) / relevant.sum(dim=1))  # 0 / 0 = NaN: the class is not there
        first.append(torch.where(relevant.any(dim=1), relevant.int().argmax(dim=1), len(x)))  # place of the first hit
    average, place = (distributed.all_gather(torch.cat(parts)) for parts in (precisions, first))
    known = ~average.isnan()
    if not known.any():
        raise DataError("no class of the test features is among the training features; nothing can be retrieved")
    recall = {k: float((place[known] < k).double().mean()) for k in recall_at}
    return Retrieval(float(average[known].mean()), recall, average)
