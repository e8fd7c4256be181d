"""Checks of the exercises on pictures of features: agreement among neighbors, shuffled labels, Procrustes."""

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
            "agreement takes one neighbor more than k.": (labels[order[:, 1 : k + 2]] == labels[:, None]).mean(),
            "agreement takes one neighbor too few: after leaving out the point itself, k are left.": (
                labels[order[:, 1:k]] == labels[:, None]
            ).mean()
            if k > 1
            else -1,
            "agreement takes the farthest points: sort ascending.": (labels[order[:, -k:]] == labels[:, None]).mean(),
            "agreement asks whether most neighbors agree: the share of them is asked for.": (same.mean(axis=1) > 0.5).mean(),
            "agreement asks whether any neighbor agrees: the share of them is asked for.": same.any(axis=1).mean(),
        }
        for sentence, value in mistakes.items():
            expect((k == 1 and "most" in sentence) or abs(got - value) > 1e-6, sentence)
        raise NotYet(
            f"agreement is {got:.3f} where {same.mean():.3f} is right (k = {k}): share of neighbors, then the mean over points."
        )
    passed("Agreement: the share of neighbors with the same label, the point itself left out.", function)


def check_shuffled(function: Callable[..., Any]) -> None:
    """function(measure, labels, groups, times, seed) -> (times,) values of measure(labels shuffled within each group)."""
    sizes = {"a": (2, 8, 3, 9, 2), "b": (6, 1, 5, 2, 6), "c": (3, 3, 9, 0, 1)}  # of five classes in each group
    labels = np.concatenate([np.repeat(np.arange(5), n) for n in sizes.values()])
    groups = np.repeat(list(sizes), [sum(n) for n in sizes.values()])
    order = np.random.default_rng(3).permutation(len(labels))
    labels, groups, seen = labels[order], groups[order], []

    def measure(other: np.ndarray) -> float:
        seen.append(np.array(other))
        return float((np.asarray(other) * np.arange(len(labels))).sum())

    def ask(seed: int) -> np.ndarray:
        seen.clear()
        given, which = labels.copy(), groups.copy()
        values = attempt(function, measure, given, which, 12, seed)
        try:
            got = np.asarray(values, dtype=float)
        except (TypeError, ValueError):
            raise NotYet(f"shuffled_control returned a {type(values).__name__}: a list of 12 numbers is asked for.") from None
        expect(got.shape == (12,), f"shuffled_control returned {got.shape} numbers: one for each of the 12 times is asked for.")
        expect(len(seen) == 12, f"shuffled_control measured {len(seen)} times: once for each of the 12 shuffles.")
        expect(
            np.array_equal(given, labels) and np.array_equal(which, groups),
            "shuffled_control changed what it was given: work on a copy; rng.permutation makes a new array.",
        )
        return got

    first = ask(0)
    shuffles = list(seen)
    expect(all(s.shape == labels.shape for s in shuffles), "shuffled_control leaves clips out: every clip keeps a label.")
    expect(
        not any(np.array_equal(s, labels) for s in shuffles),
        "shuffled_control measures the labels as they are: put them in another order.",
    )
    for other in shuffles:
        expect(
            np.array_equal(np.sort(other), np.sort(labels)),
            "shuffled_control draws new labels, so that classes change their sizes: put the same labels in another order.",
        )
    turned = sum(_shifted(s, labels) for s in shuffles)
    turned += sum(all(_shifted(s[groups == g], labels[groups == g]) for g in sizes) for s in shuffles)
    expect(
        turned < 3,
        "shuffled_control shifts the labels in a circle, so that clips that stand together keep theirs: use rng.permutation.",
    )
    for other in shuffles:
        kept = all(np.array_equal(np.sort(other[groups == g]), np.sort(labels[groups == g])) for g in sizes)
        expect(kept, "shuffled_control exchanges labels between groups: shuffle the clips of one group at a time.")
    alike = np.mean([s == labels for s in shuffles])
    expect(bool(alike < 0.5), f"shuffled_control leaves {alike:.0%} of the labels where they were: shuffle all of each group.")
    right = np.allclose(first, [measure(s) for s in shuffles])
    expect(right, "shuffled_control does not return what `measure` says of each shuffle.")
    expect(len(np.unique(first)) > 6, "shuffled_control uses the same order every time: make the generator before the loop.")
    expect(np.array_equal(first, ask(0)), "shuffled_control gives other numbers for the same seed: np.random.default_rng(seed).")
    expect(not np.array_equal(first, ask(1)), "shuffled_control gives the same numbers for another seed: use the argument.")
    passed("Shuffled labels: the same labels in other orders within each group, repeatable by their seed.", function)


def _shifted(values: np.ndarray, of: np.ndarray) -> bool:
    """Whether values are `of`, shifted in a circle."""
    return any(np.array_equal(np.roll(of, n), values) for n in range(len(of)))


def check_procrustes(function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
    """function(xy (N, 2), reference (N, 2)) -> xy rotated, reflected, scaled, shifted onto the reference; `projection.align`."""
    rng = np.random.default_rng(7)
    for mirrored, noise in ((False, 0.0), (True, 0.0), (True, 0.3), (False, 0.3)):
        xy = rng.normal(size=(50, 2)) * (2.0, 0.7) + 3
        turn = np.array([[np.cos(2.2), -np.sin(2.2)], [np.sin(2.2), np.cos(2.2)]]) @ np.diag([1, -1 if mirrored else 1])
        reference = 1.7 * xy @ turn + (5, -4) + noise * rng.normal(size=xy.shape)
        got = _array(attempt(function, xy.copy(), reference.copy()), xy.shape)
        wanted = projection.align(Projection(xy, {}, "pca"), reference).xy
        if np.allclose(got, wanted, atol=1e-3):
            continue
        for sentence, value in _procrustes_mistakes(xy, reference).items():
            expect(not np.allclose(got, value, atol=1e-3), sentence)
        kept = np.linalg.norm(got - got.mean(axis=0), axis=1) / np.linalg.norm(xy - xy.mean(axis=0), axis=1)
        expect(np.ptp(kept) < 1e-2, "procrustes changes the plane's proportions: rotation, reflection and one scale keep them.")
        far, near = (np.sqrt(((a - reference) ** 2).mean()) for a in (got, wanted))
        raise NotYet(
            f"procrustes ends {far:.3f} from the reference, where {near:.3f} is possible: svd of xyᵀ @ reference, centered."
        )
    passed("Procrustes: rotated, reflected, scaled and shifted as near as possible.", function)


def _procrustes_mistakes(xy: np.ndarray, reference: np.ndarray) -> dict[str, np.ndarray]:
    a, b = xy - xy.mean(axis=0), reference - reference.mean(axis=0)
    u, s, v = np.linalg.svd(a.T @ b)
    scale, middle = s.sum() / (a**2).sum(), reference.mean(axis=0)
    proper = np.diag([1, np.sign(np.linalg.det(u @ v))])
    return {
        "procrustes does not move: rotate and shift it onto the reference.": xy,
        "procrustes leaves the result at the origin: add the reference's mean.": scale * a @ u @ v,
        "procrustes does not scale: multiply by the sum of the singular values over the sum of squares.": a @ u @ v + middle,
        "procrustes scales by the ratio of the sizes, which noise makes too large: divide the sum of the singular values by the "
        "sum of squares.": np.linalg.norm(b) / np.linalg.norm(a) * a @ u @ v + middle,
        "procrustes rotates the wrong way: with u, s, v = svd(xyᵀ @ reference) it is xy @ (u @ v).": scale * a @ (u @ v).T
        + middle,
        "procrustes only rotates: reflection is allowed too (leave the determinant as it is).": scale * a @ (u @ proper @ v)
        + middle,
        "procrustes only shifts: the plane has to be rotated too.": a + middle,
    }


def _array(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    try:
        got = np.asarray(value, dtype=float)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"procrustes returned a {type(value).__name__}: an array {shape} is asked for.") from None
    expect(got.shape == shape, f"procrustes returned the shape {got.shape}: an array {shape} is asked for.")
    expect(bool(np.isfinite(got).all()), "procrustes returned numbers that are infinite or NaN.")
    return got


def _number(value: Any, name: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"{name} returned a {type(value).__name__}: one number is asked for.") from None
