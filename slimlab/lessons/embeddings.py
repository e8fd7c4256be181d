"""Checks of the exercises on pictures of features: agreement among neighbours, shuffled labels, Procrustes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slimlab.analysis import projection
from slimlab.analysis.projection import Projection
from slimlab.lessons.asking import NotYet, attempt, expect, passed


def check_agreement(function: Callable[..., float]) -> None:
    """function(xy (N, 2), labels (N,), k) -> share of each point's k nearest others that have its label, averaged."""
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(4)
    for count, classes, k in ((60, 3, 5), (80, 8, 1), (40, 4, 10)):
        labels = rng.integers(0, classes, count)
        xy = rng.normal(size=(count, 2)) + 1.2 * np.stack([np.cos(labels), np.sin(labels)], axis=1)
        others = NearestNeighbors(n_neighbors=k).fit(xy).kneighbors(return_distance=False)  # (N, k), not the point itself
        same = labels[others] == labels[:, None]
        got = _number(attempt(function, xy.copy(), labels.copy(), k), "agreement")
        if abs(got - same.mean()) < 1e-6:
            continue
        distance = ((xy[:, None] - xy) ** 2).sum(axis=2)
        order = distance.argsort(axis=1)
        mistakes = {
            "agreement counts each point as its own nearest: leave it out (set the diagonal to infinity).": (
                labels[order[:, :k]] == labels[:, None]
            ).mean(),
            "agreement takes one neighbour more than k.": (labels[order[:, 1 : k + 2]] == labels[:, None]).mean(),
            "agreement takes one neighbour too few: after leaving out the point itself, k are left.": (
                labels[order[:, 1:k]] == labels[:, None]
            ).mean()
            if k > 1
            else -1,
            "agreement takes the farthest points: sort ascending.": (labels[order[:, -k:]] == labels[:, None]).mean(),
            "agreement asks whether most neighbours agree: the share of them is asked for.": (same.mean(axis=1) > 0.5).mean(),
            "agreement asks whether any neighbour agrees: the share of them is asked for.": same.any(axis=1).mean(),
        }
        for sentence, value in mistakes.items():
            expect((k == 1 and "most" in sentence) or abs(got - value) > 1e-6, sentence)
        raise NotYet(
            f"agreement is {got:.3f} where {same.mean():.3f} is right (k = {k}): share of neighbours, then the mean over points."
        )
    passed("Agreement: the share of neighbours with the same label, the point itself left out.", function)


def check_shuffled(function: Callable[..., Any]) -> None:
    """function(measure, labels, times, seed) -> (times,) values of measure(labels in another order), a label score's control."""
    labels, seen = np.repeat(np.arange(5), [3, 9, 4, 12, 2]), []

    def measure(other: np.ndarray) -> float:
        seen.append(np.array(other))
        return float((np.asarray(other) * np.arange(len(labels))).sum())

    def ask(seed: int) -> np.ndarray:
        seen.clear()
        given = labels.copy()
        got = np.asarray(attempt(function, measure, given, 12, seed), dtype=float)
        expect(got.shape == (12,), f"shuffled returned {got.shape} numbers: one for each of the 12 times is asked for.")
        expect(len(seen) == 12, f"shuffled measured {len(seen)} times: once for each of the 12 shuffles.")
        expect(
            np.array_equal(given, labels),
            "shuffled changed the labels that it was given: take rng.permutation, which makes a new array.",
        )
        return got

    first = ask(0)
    expect(
        not any(np.array_equal(s, labels) for s in seen),
        "shuffled measures the labels as they are: put them in another order.",
    )
    for other in seen:
        expect(
            np.array_equal(np.bincount(other, minlength=5), np.bincount(labels)),
            "shuffled draws new labels, so that classes change their sizes: put the same labels in another order (permutation).",
        )
    expect(np.allclose(first, [measure(s) for s in list(seen)]), "shuffled does not return what `measure` says of each shuffle.")
    expect(len(np.unique(first)) > 6, "shuffled uses the same order every time: make the generator once, before the loop.")
    expect(np.array_equal(first, ask(0)), "shuffled gives other numbers for the same seed: np.random.default_rng(seed).")
    expect(not np.array_equal(first, ask(1)), "shuffled gives the same numbers for another seed: use the argument.")
    passed("Shuffled labels: the same labels in other orders, repeatable by their seed.", function)


def check_procrustes(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """function(xy (N, 2), reference (N, 2)) -> xy turned, mirrored, scaled and shifted onto the reference; `projection.align`."""
    rng = np.random.default_rng(7)
    for mirrored, noise in ((False, 0.0), (True, 0.0), (True, 0.3), (False, 0.3)):
        xy = rng.normal(size=(50, 2)) * (2.0, 0.7) + 3
        turn = np.array([[np.cos(2.2), -np.sin(2.2)], [np.sin(2.2), np.cos(2.2)]]) @ np.diag([1, -1 if mirrored else 1])
        reference = 1.7 * xy @ turn + (5, -4) + noise * rng.normal(size=xy.shape)
        got = attempt(function, xy.copy(), reference.copy())
        if not isinstance(got, np.ndarray) or got.shape != xy.shape:
            raise NotYet(f"procrustes returned {getattr(got, 'shape', type(got).__name__)}: an array {xy.shape} is asked for.")
        wanted = projection.align(Projection(xy, {}, "pca"), reference).xy
        if np.allclose(got, wanted, atol=1e-3):
            continue
        for sentence, value in _procrustes_mistakes(xy, reference).items():
            expect(not np.allclose(got, value, atol=1e-3), sentence)
        kept = np.linalg.norm(got - got.mean(axis=0), axis=1) / np.linalg.norm(xy - xy.mean(axis=0), axis=1)
        expect(np.ptp(kept) < 1e-2, "procrustes changes the plane's proportions: turning, mirroring and one scale keep them.")
        far, near = (np.sqrt(((a - reference) ** 2).mean()) for a in (got, wanted))
        raise NotYet(
            f"procrustes ends {far:.3f} from the reference, where {near:.3f} can be had: svd of xyᵀ @ reference, centered."
        )
    passed("Procrustes: turned, mirrored, scaled and shifted as near as can be.", function)


def _procrustes_mistakes(xy: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    a, b = xy - xy.mean(axis=0), reference - reference.mean(axis=0)
    u, s, v = np.linalg.svd(a.T @ b)
    scale, middle = s.sum() / (a**2).sum(), reference.mean(axis=0)
    proper = np.diag([1, np.sign(np.linalg.det(u @ v))])
    return {
        "procrustes does not move: turn and shift it onto the reference.": xy,
        "procrustes leaves the result at the origin: add the reference's mean.": scale * a @ u @ v,
        "procrustes does not scale: multiply by the sum of the singular values over the sum of squares.": a @ u @ v + middle,
        "procrustes turns the wrong way: with u, s, v = svd(xyᵀ @ reference) it is xy @ (u @ v).": scale * a @ (u @ v).T + middle,
        "procrustes only turns: mirroring is allowed too (leave the determinant as it is).": scale * a @ (u @ proper @ v)
        + middle,
        "procrustes only shifts: the plane has to be turned too.": a + middle,
    }


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise NotYet(f"{name} returned a {type(value).__name__}: one number is asked for.") from None
