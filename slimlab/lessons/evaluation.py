"""Checks of the exercises on evaluation: kNN votes, average precision, standardizing without a leak, a split by subject."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
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
        wanted = _votes(similarity, labels, classes, k, temperature)
        got = expect_tensor(got, "knn_votes", (queries, classes), "(N, C)").to(wanted)
        if torch.allclose(got, wanted, atol=1e-5):
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
            (_votes(similarity, labels, classes, k, math.inf), "counts every neighbor alike: weigh them by their similarity"),
            (
                _votes(similarity, labels, classes, k, 1.0),
                "does not divide by the temperature",
            ),
        ):
            expect(not torch.allclose(got, other, atol=1e-5), f"knn_votes {says}.")
        sums = got.sum(dim=1)
        expect(
            torch.allclose(sums, torch.ones_like(sums), atol=1e-3),
            f"the votes of a query sum to {sums.min():.3g}..{sums.max():.3g}: softmax over its k neighbors makes that 1; add up "
            "neighbors of one class (scatter_add_), do not overwrite.",
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


def check_standardize(function: Callable[..., tuple[Tensor, Tensor]]) -> None:
    """function(train (N, F), test (M, F)) -> both, standardized by mean and standard deviation (divided by N) of the training
    side alone; columns that never change are only shifted. Raises NotYet."""
    dice = torch.Generator().manual_seed(5)
    train = torch.randn(40, 4, generator=dice) * torch.tensor([1.0, 5.0, 0.1, 0.0]) + torch.tensor([0.0, 3.0, -1.0, 2.0])
    test = torch.randn(25, 4, generator=dice) * 2 + 1
    kept = train.clone(), test.clone()
    got = attempt(function, train, test)
    same = torch.equal(train, kept[0]) and torch.equal(test, kept[1])
    expect(same, "standardize changes the features that it was given: make new ones.")
    expect(isinstance(got, tuple | list) and len(got) == 2, "standardize returns two tensors: training and test side.")
    sides = [torch.from_numpy(side) if isinstance(side, np.ndarray) else side for side in got]
    raw = sides[0] if isinstance(sides[0], Tensor) else torch.zeros(1)
    expect(
        bool(raw[..., :3].isfinite().all()) or not bool(raw.isfinite().any()),
        "standardize gives numbers that are not finite: some are NaN outside the column that never changes.",
    )
    expect(
        bool(raw.isfinite().all()),
        "the last column never changes, its standard deviation is 0: divide by 1 there, not by 0.",
    )
    given = expect_tensor(sides[0], "standardize (training side)", (40, 4), "(N, F)").to(train)
    asked = expect_tensor(sides[1], "standardize (test side)", (25, 4), "(M, F)").to(test)
    for mean, sd, says in (
        (
            torch.cat([train, test]).mean(0),
            torch.cat([train, test]).std(0, correction=0),
            "the test side has a say in mean and sd",
        ),
        (test.mean(0), test.std(0, correction=0), "the test side is standardized by itself"),
    ):
        leaked = torch.allclose(asked, (test - mean) / torch.where(sd > 0, sd, 1.0), atol=1e-4)
        expect(not leaked, f"a leak: {says}. A clip that is classified alone has no such statistics: use the training side's.")
    mean, sd = train.mean(0), train.std(0, correction=0)
    sd = torch.where(sd > 1e-6, sd, 1.0)
    wanted = (train - mean) / sd, (test - mean) / sd
    expect(
        not torch.allclose(given[:, :3], ((train - mean) / train.std(0))[:, :3], atol=1e-5),
        "standardize divides by N - 1: scikit-learn's StandardScaler divides by N (correction=0).",
    )
    expect(
        torch.allclose(given, wanted[0], atol=1e-4),
        "the training side should come out with mean 0 and sd 1.",
    )
    constant = torch.allclose(asked[:, 3], wanted[1][:, 3], atol=1e-4)
    expect(constant, "a column that never changes in training is only shifted, on the test side too: by the training mean.")
    expect(torch.allclose(asked, wanted[1], atol=1e-4), "the test side takes the training side's mean and sd.")
    passed("Standardizing: both sides by the training side's mean and standard deviation, nothing leaks.", function)


def check_across_subjects(function: Callable[..., Any]) -> None:
    """function(x (N, F), labels (N,), subjects (N,)) -> (N,): whether the most similar clip (cosine) of another subject has the
    clip's label. Compared with a loop, on features in which a person's own clips are the most similar. Raises NotYet."""
    dice = torch.Generator().manual_seed(6)
    for people, apart in ((4, 2.0), (2, 6.0), (5, 0.5)):
        labels, subjects = (a.flatten() for a in torch.meshgrid(torch.arange(3), torch.arange(people), indexing="ij"))
        labels, subjects = labels.repeat(4), subjects.repeat(4)
        order = torch.randperm(len(labels), generator=dice)
        labels, subjects = labels[order], subjects[order]
        class_means, own = torch.randn(3, 6, generator=dice), torch.randn(people, 6, generator=dice)
        own = own - own.mean(dim=0)  # two people lie on opposite sides: cosines between them are negative
        x = class_means[labels] + apart * own[subjects] + 0.8 * torch.randn(len(labels), 6, generator=dice)
        x = x * (0.2 + 3 * torch.rand(len(x), 1, generator=dice))  # of all lengths
        got = _flags(attempt(function, x.clone(), labels.clone(), subjects.clone()), len(x))
        wanted = _nearest_has_its_label(x, labels, subjects)
        if torch.equal(got, wanted):
            continue
        alone, cosine = torch.arange(len(x)), F.normalize(x, dim=1) @ F.normalize(x, dim=1).T
        masked = cosine.masked_fill(subjects[:, None] == subjects, 0.0)
        far = torch.cdist(x, x).masked_fill(subjects[:, None] == subjects, torch.inf)
        dot = (x @ x.T).masked_fill(subjects[:, None] == subjects, -torch.inf)
        for other, says in (
            (torch.ones_like(wanted), "finds each clip itself, which always has its label: exclude its whole subject"),
            (_nearest_has_its_label(x, labels, alone), "excludes the clip alone: the other clips of its subject have to go, too"),
            (
                _nearest_has_its_label(x, labels, labels),
                "excludes the clips of the same class: exclude those of the same subject",
            ),
            (
                labels[masked.argmax(dim=1)] == labels,
                "sets excluded cosines to 0, which is larger than a negative one: take -inf",
            ),
            (labels[dot.argmax(dim=1)] == labels, "does not scale features to length 1: long ones win"),
            (labels[far.argmin(dim=1)] == labels, "compares by Euclidean distance: the cosine is asked for"),
            (~wanted, "says the opposite: True where the label is the same"),
        ):
            expect(not torch.equal(got, other), f"across_subjects {says}.")
        wrong = int((got != wanted).nonzero()[0, 0])
        expect(False, f"across_subjects is wrong for {int((got != wanted).sum())} of {len(x)} clips, the first is clip {wrong}.")
    passed("Across subjects: every clip is judged by other people's clips alone.", function)


def _nearest_has_its_label(x: Tensor, labels: Tensor, groups: Tensor) -> Tensor:
    """(N,) bool: whether the most similar row of another group has the row's label."""
    unit, out = F.normalize(x.double(), dim=1), []
    for i in range(len(x)):
        others = (groups != groups[i]).nonzero().flatten()
        out.append(labels[others[(unit[others] @ unit[i]).argmax()]] == labels[i])
    return torch.stack(out)


def _flags(value: Any, count: int) -> Tensor:
    """(count,) bool, from a tensor, an array or a list of flags or of zeros and ones."""
    if value is None:
        raise NotYet("across_subjects returned nothing: end it with a line `return …`.")
    try:
        flags = value if isinstance(value, Tensor) else torch.as_tensor(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        raise NotYet(f"across_subjects returned a {type(value).__name__}: a flag for each clip is asked for.") from None
    shape = tuple(flags.shape)
    expect(shape == (count,), f"across_subjects returned the shape {shape}: a flag for each clip, {(count,)}, is asked for.")
    expect(bool(((flags == 0) | (flags == 1)).all()), "across_subjects returned other values than True and False.")
    return flags.bool()


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
