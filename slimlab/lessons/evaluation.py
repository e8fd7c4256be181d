"""Checks of the exercises on evaluation: weighted kNN votes, average precision, standardising without a leak."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed


def check_knn_votes(function: Callable[..., Tensor]) -> None:
    """function(similarity (N, G), labels (G,), classes, k, temperature) -> votes (N, C): each of the k most similar gallery
    clips votes for its class with softmax(similarity / temperature) over those k (Wu et al. 2018, arXiv 1805.01978).

    Compared with a loop over queries. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(3)
    for queries, gallery, classes, k, temperature in ((5, 30, 4, 7, 0.07), (3, 9, 6, 9, 0.5), (4, 20, 3, 1, 0.07)):
        similarity = torch.rand(queries, gallery, generator=dice) * 2 - 1
        labels = torch.randint(classes, (gallery,), generator=dice)
        got = attempt(function, similarity.clone(), labels.clone(), classes, k, temperature)
        got = expect_tensor(got, "knn_votes", (queries, classes), "(N, C)")
        wanted = _votes(similarity, labels, classes, k, temperature)
        if torch.allclose(got.to(wanted), wanted, atol=1e-5):
            continue
        for other, says in (
            (
                _votes(similarity, labels, classes, gallery, temperature),
                "lets the whole gallery vote: take k of it",
            ),
            (
                _votes(-similarity, labels, classes, k, temperature, -1),
                "takes the least similar: it is no distance",
            ),
            (_votes(similarity, labels, classes, k, math.inf), "counts every neighbour alike: weigh them by their similarity"),
            (
                _votes(similarity, labels, classes, k, 1.0),
                "does not divide by the temperature",
            ),
        ):
            expect(not torch.allclose(got.to(wanted), other, atol=1e-5), f"knn_votes {says}.")
        sums = got.sum(dim=1)
        expect(
            torch.allclose(sums, torch.ones_like(sums), atol=1e-3),
            f"the votes of a query sum to {sums.min():.3g}..{sums.max():.3g}: softmax over its k neighbours makes that 1; add up "
            "neighbours of one class (scatter_add_), do not overwrite.",
        )
        expect(False, f"knn_votes differs by up to {(got - wanted).abs().max():.2g}: which class does each weight belong to?")
    passed("kNN: the k most similar clips vote, the nearer the louder, and votes sum to one.", function)


def check_average_precision(function: Callable[..., Any]) -> None:
    """function(relevant (G,) bool, best rank first) -> the mean of the precision at the rank of each relevant clip; NaN where
    none is relevant. Compared with a loop. Raises NotYet."""
    dice = torch.Generator().manual_seed(4)
    lists = [torch.rand(n, generator=dice) < part for n, part in ((12, 0.3), (40, 0.1), (7, 0.8))]
    lists += [torch.tensor([False, True]), torch.tensor([True, False, False, True])]
    for relevant in lists:
        wanted = _average_precision(relevant)
        got = _number(attempt(function, relevant.clone()), "average_precision")
        if math.isnan(wanted) or math.isclose(got, wanted, abs_tol=1e-5):
            continue
        hits, ranks = relevant.double(), torch.arange(len(relevant), dtype=torch.float64) + 1
        precision = hits.cumsum(0) / ranks
        for other, says in (
            (precision.mean(), "averages the precision over all ranks: only those of relevant clips count"),
            ((precision * hits).mean(), "divides by the whole gallery: divide by the number of relevant clips"),
            (hits.mean(), "gives the part of relevant clips, whatever their order"),
            (1 / (1 + hits.argmax()), "looks at the first relevant clip alone (that is the reciprocal rank)"),
        ):
            expect(not math.isclose(got, float(other), abs_tol=1e-5), f"average_precision {says}.")
        expect(False, f"average_precision of {relevant.int().tolist()} is {got:.4g}, should be {wanted:.4g}; ranks begin at 1.")
    got = _number(attempt(function, torch.zeros(5, dtype=torch.bool)), "average_precision")
    expect(
        math.isnan(got),
        f"where no clip is relevant average_precision gives {got:.3g}: such a query says nothing, give NaN.",
    )
    passed("Average precision: relevant clips that come early count most, and a query without any is left out.", function)


def check_standardise(function: Callable[..., tuple[Tensor, Tensor]]) -> None:
    """function(train (N, F), test (M, F)) -> both, standardised by mean and standard deviation (divided by N) of the training
    side alone; columns that never change are only shifted. Raises NotYet."""
    dice = torch.Generator().manual_seed(5)
    train = torch.randn(40, 4, generator=dice) * torch.tensor([1.0, 5.0, 0.1, 0.0]) + torch.tensor([0.0, 3.0, -1.0, 2.0])
    test = torch.randn(25, 4, generator=dice) * 2 + 1
    got = attempt(function, train.clone(), test.clone())
    expect(isinstance(got, tuple | list) and len(got) == 2, "standardise returns two tensors: training and test side.")
    raw = got[0] if isinstance(got[0], Tensor) else torch.zeros(1)
    expect(
        bool(raw[..., :3].isfinite().all()) or not bool(raw.isfinite().any()),
        "standardise gives numbers that are not finite: some are NaN outside the column that never changes.",
    )
    expect(
        bool(raw.isfinite().all()),
        "the last column never changes, its standard deviation is 0: divide by 1 there, not by 0.",
    )
    given = expect_tensor(got[0], "standardise (training side)", (40, 4), "(N, F)")
    asked = expect_tensor(got[1], "standardise (test side)", (25, 4), "(M, F)")
    for mean, sd, says in (
        (
            torch.cat([train, test]).mean(0),
            torch.cat([train, test]).std(0, correction=0),
            "the test side has a say in mean and sd",
        ),
        (test.mean(0), test.std(0, correction=0), "the test side is standardised by itself"),
    ):
        leaked = torch.allclose(asked, (test - mean) / torch.where(sd > 0, sd, 1.0), atol=1e-4)
        expect(not leaked, f"a leak: {says}. A clip that is classified alone has no such statistics: use the training side's.")
    mean, sd = train.mean(0), train.std(0, correction=0)
    sd = torch.where(sd > 1e-6, sd, 1.0)
    wanted = (train - mean) / sd, (test - mean) / sd
    expect(
        not torch.allclose(given[:, :3], ((train - mean) / train.std(0))[:, :3], atol=1e-5),
        "standardise divides by N - 1: scikit-learn's StandardScaler divides by N (correction=0).",
    )
    expect(
        torch.allclose(given, wanted[0], atol=1e-4),
        "the training side should come out with mean 0 and sd 1.",
    )
    expect(torch.allclose(asked, wanted[1], atol=1e-4), "the test side takes the training side's mean and sd.")
    passed("Standardising: both sides by the training side's mean and standard deviation, nothing leaks.", function)


def _votes(similarity: Tensor, labels: Tensor, classes: int, k: int, temperature: float, sign: int = 1) -> Tensor:
    out = torch.zeros(len(similarity), classes)
    for i, row in enumerate(similarity):
        nearest = row.argsort(descending=True)[:k]
        for j, weight in zip(nearest, (sign * row[nearest] / temperature).softmax(dim=0), strict=True):
            out[i, labels[j]] += weight
    return out


def _average_precision(relevant: Tensor) -> float:
    hits, total = 0, 0.0
    for rank, hit in enumerate(relevant.tolist(), start=1):
        hits += hit
        total += hit * hits / rank
    return total / hits if hits else math.nan


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"{name} returned {value!r:.40}: one number is asked for.") from None
