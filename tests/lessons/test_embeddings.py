"""The checks of the exercises on pictures of features: agreement, shuffled labels, Procrustes."""

import numpy as np
import pytest
import torch

from slimlab import lessons


def ordered(xy, own=False):
    distance = ((xy[:, None] - xy) ** 2).sum(axis=2)
    if not own:
        np.fill_diagonal(distance, np.inf)
    return distance.argsort(axis=1)


def same(xy, labels, k, own=False, start=0):
    return labels[ordered(xy, own)[:, start : start + k]] == labels[:, None]


def test_the_right_agreement_passes(capsys):
    lessons.check_agreement(lambda xy, labels, k: same(xy, labels, k).mean())
    assert "Agreement" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda xy, labels, k: same(xy, labels, k, own=True).mean(), "own nearest"),
        (lambda xy, labels, k: same(xy, labels, k + 1).mean(), "one neighbor more"),
        (lambda xy, labels, k: same(xy, labels, k - 1).mean(), "too few"),
        (lambda xy, labels, k: (labels[ordered(xy, own=True)[:, -k:]] == labels[:, None]).mean(), "farthest"),
        (lambda xy, labels, k: (same(xy, labels, k).mean(axis=1) > 0.5).mean(), "most neighbors"),
        (lambda xy, labels, k: same(xy, labels, k).any(axis=1).mean(), "any neighbor"),
        (lambda xy, labels, k: 0.123, "is right"),
        (lambda xy, labels, k: None, "one number"),
    ],
)
def test_mistakes_of_an_agreement_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_agreement(wrong)


def within(labels, groups, reorder):
    """Labels reordered in each group: reorder(members) gives the places that their labels come from."""
    other = labels.copy()
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        other[members] = labels[reorder(members)]
    return other


def shuffled(measure, labels, groups, times, seed):
    rng = np.random.default_rng(seed)
    return [measure(within(labels, groups, rng.permutation)) for _ in range(times)]


def redrawn(measure, labels, groups, times, seed):
    rng = np.random.default_rng(seed)
    return [measure(within(labels, groups, lambda m: rng.choice(m, len(m)))) for _ in range(times)]


def new_numbers(measure, labels, groups, times, seed):
    rng = np.random.default_rng(seed)
    return [measure(rng.integers(0, 5, len(labels))) for _ in range(times)]


def in_place(measure, labels, groups, times, seed):
    rng, out = np.random.default_rng(seed), []
    for _ in range(times):
        labels[:] = within(labels, groups, rng.permutation)
        out.append(measure(labels))
    return out


def one_order(measure, labels, groups, times, seed):
    return [measure(within(labels, groups, np.random.default_rng(seed).permutation)) for _ in range(times)]


def across_groups(measure, labels, groups, times, seed):
    rng = np.random.default_rng(seed)
    return [measure(rng.permutation(labels)) for _ in range(times)]


def in_a_circle(measure, labels, groups, times, seed):
    return [measure(np.roll(labels, seed + n + 1)) for n in range(times)]


def in_circles(measure, labels, groups, times, seed):
    return [measure(within(labels, groups, lambda m, n=n: np.roll(m, seed + n + 1))) for n in range(times)]


def a_few(measure, labels, groups, times, seed):
    rng, out = np.random.default_rng(seed), []
    for _ in range(times):
        other = labels.copy()
        while np.array_equal(other, labels):
            a, b = rng.choice(np.flatnonzero(groups == "b"), 2, replace=False)
            other[[a, b]] = other[[b, a]]
        out.append(measure(other))
    return out


def other_seed(measure, labels, groups, times, seed):
    return shuffled(measure, labels, groups, times, 0)


def unseeded(measure, labels, groups, times, seed):
    return shuffled(measure, labels, groups, times, None)


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda v: np.array(v, dtype=np.float32).astype(np.float64)])
def test_right_shuffles_pass(kind, capsys):
    lessons.check_shuffled(lambda *a: kind(shuffled(*a)))
    assert "Shuffled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (redrawn, "draws new labels"),
        (new_numbers, "draws new labels"),
        (in_place, "changed what it was given"),
        (one_order, "same order every time"),
        (across_groups, "between groups"),
        (in_a_circle, "in a circle"),
        (in_circles, "in a circle"),
        (a_few, "where they were"),
        (other_seed, "another seed"),
        (unseeded, "other numbers for the same seed"),
        (lambda measure, labels, *a: [measure(labels)] * 12, "measured 1 times"),
        (lambda measure, labels, *a: [measure(labels) for _ in range(12)], "as they are"),
        (lambda *a: shuffled(*a)[0], "one for each"),
        (lambda *a: None, "one for each"),
        (lambda *a: (v for v in shuffled(*a)), "list of 12 numbers"),
        (lambda *a: [2 * v for v in shuffled(*a)], "does not return"),
    ],
)
def test_mistakes_of_a_shuffle_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_shuffled(wrong)


def procrustes(xy, reference, turn=lambda u, v: u @ v, scaled=True, back=True):
    x, y = xy - xy.mean(axis=0), reference - reference.mean(axis=0)
    u, s, v = np.linalg.svd(x.T @ y)
    return (s.sum() / (x**2).sum() if scaled else 1) * x @ turn(u, v) + (reference.mean(axis=0) if back else 0)


def only_turns(u, v):
    return u @ np.diag([1, np.sign(np.linalg.det(u @ v))]) @ v


def stretched(xy, reference):
    return (xy - xy.mean(axis=0)) / xy.std(axis=0) * reference.std(axis=0) + reference.mean(axis=0)


def by_ratio(xy, reference):
    sizes = [np.linalg.norm(p - p.mean(axis=0)) for p in (xy, reference)]
    return procrustes((xy - xy.mean(axis=0)) * sizes[1] / sizes[0], reference, scaled=False)


@pytest.mark.parametrize("kind", [np.array, torch.from_numpy, np.ndarray.tolist, lambda p: p.astype(np.float32)])
def test_right_procrustes_pass_whatever_holds_them(kind):
    lessons.check_procrustes(lambda xy, ref: kind(procrustes(xy, ref)))


@pytest.mark.parametrize("kind", [float, np.float32, torch.tensor, np.array])
def test_right_agreements_pass_whatever_holds_their_number(kind):
    lessons.check_agreement(lambda xy, labels, k: kind(same(xy, labels, k).mean()))


def test_the_right_procrustes_passes(capsys):
    lessons.check_procrustes(procrustes)
    assert "Procrustes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda xy, ref: procrustes(xy, ref, back=False), "at the origin"),
        (lambda xy, ref: procrustes(xy, ref, scaled=False), "does not scale"),
        (lambda xy, ref: procrustes(xy, ref, lambda u, v: (u @ v).T), "wrong way"),
        (lambda xy, ref: procrustes(xy, ref, only_turns), "reflection is allowed"),
        (lambda xy, ref: xy - xy.mean(axis=0) + ref.mean(axis=0), "only shifts"),
        (lambda xy, ref: xy, "does not move"),
        (by_ratio, "ratio of the sizes"),
        (stretched, "proportions"),
        (lambda xy, ref: "here", "is asked for"),
        (lambda xy, ref: xy * np.nan, "infinite or NaN"),
        (lambda xy, ref: procrustes(xy, ref) + 0.1, "is possible"),
        (lambda xy, ref: xy[:3], "is asked for"),
    ],
)
def test_mistakes_of_a_procrustes_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_procrustes(wrong)
