"""The checks of the exercises on pictures of features: agreement, shuffled labels, Procrustes."""

import numpy as np
import pytest

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
        (lambda xy, labels, k: same(xy, labels, k + 1).mean(), "one neighbour more"),
        (lambda xy, labels, k: same(xy, labels, k - 1).mean(), "too few"),
        (lambda xy, labels, k: (labels[ordered(xy, own=True)[:, -k:]] == labels[:, None]).mean(), "farthest"),
        (lambda xy, labels, k: (same(xy, labels, k).mean(axis=1) > 0.5).mean(), "most neighbours"),
        (lambda xy, labels, k: same(xy, labels, k).any(axis=1).mean(), "any neighbour"),
        (lambda xy, labels, k: 0.123, "is right"),
        (lambda xy, labels, k: None, "one number"),
    ],
)
def test_mistakes_of_an_agreement_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_agreement(wrong)


def shuffled(measure, labels, times, seed):
    rng = np.random.default_rng(seed)
    return [measure(rng.permutation(labels)) for _ in range(times)]


def redrawn(measure, labels, times, seed):
    rng = np.random.default_rng(seed)
    return [measure(rng.choice(labels, len(labels))) for _ in range(times)]


def in_place(measure, labels, times, seed):
    rng, out = np.random.default_rng(seed), []
    for _ in range(times):
        rng.shuffle(labels)
        out.append(measure(labels))
    return out


def one_order(measure, labels, times, seed):
    return [measure(np.random.default_rng(seed).permutation(labels)) for _ in range(times)]


def other_seed(measure, labels, times, seed):
    return shuffled(measure, labels, times, 0)


def unseeded(measure, labels, times, seed):
    return shuffled(measure, labels, times, None)


def test_the_right_shuffle_passes(capsys):
    lessons.check_shuffled(shuffled)
    assert "Shuffled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (redrawn, "draws new labels"),
        (in_place, "changed the labels"),
        (one_order, "same order every time"),
        (other_seed, "another seed"),
        (unseeded, "other numbers for the same seed"),
        (lambda measure, labels, times, seed: [measure(labels)] * times, "measured 1 times"),
        (lambda measure, labels, times, seed: [measure(labels) for _ in range(times)], "as they are"),
        (lambda measure, labels, times, seed: shuffled(measure, labels, times, seed)[0], "one for each"),
        (lambda measure, labels, times, seed: [2 * v for v in shuffled(measure, labels, times, seed)], "does not return"),
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


def test_the_right_procrustes_passes(capsys):
    lessons.check_procrustes(procrustes)
    assert "Procrustes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda xy, ref: procrustes(xy, ref, back=False), "at the origin"),
        (lambda xy, ref: procrustes(xy, ref, scaled=False), "does not scale"),
        (lambda xy, ref: procrustes(xy, ref, lambda u, v: (u @ v).T), "wrong way"),
        (lambda xy, ref: procrustes(xy, ref, only_turns), "mirroring is allowed"),
        (lambda xy, ref: xy - xy.mean(axis=0) + ref.mean(axis=0), "only shifts"),
        (lambda xy, ref: xy, "does not move"),
        (stretched, "proportions"),
        (lambda xy, ref: procrustes(xy, ref) + 0.1, "can be had"),
        (lambda xy, ref: xy[:3], "is asked for"),
    ],
)
def test_mistakes_of_a_procrustes_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_procrustes(wrong)
