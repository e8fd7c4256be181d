"""Intervals and paired tests against naive loops, SciPy and their own claims."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from slimlab import evaluate
from slimlab.evaluate import Features, statistics
from slimlab.evaluate.result import score


def result(right, classes=3):
    labels = torch.arange(len(right)) % classes
    return score(torch.where(torch.as_tensor(right).bool(), labels, (labels + 1) % classes), labels, classes)


def case(subjects: int, each: int = 10, seed: int = 0):
    """Hits of a and b, b better, and whose clips they are (not the same number each)."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(subjects) * 2 + 2, each)[: subjects * each - 3]
    skill = rng.uniform(0.4, 0.8, subjects)[np.unique(who, return_inverse=True)[1]]
    return rng.random(len(who)) < skill, rng.random(len(who)) < skill + 0.15, who


def test_over_seeds_is_scipys_t_interval():
    values = [0.81, 0.84, 0.79, 0.85]
    got = evaluate.over_seeds(values, level=0.9)
    low, high = stats.t.interval(0.9, 3, np.mean(values), stats.sem(values))
    assert (got.low, got.high) == pytest.approx((low, high)) and got.mean == pytest.approx(np.mean(values))
    assert got.sd == pytest.approx(np.std(values, ddof=1)) and got.units == 4 and got.kind == "seeds"
    one = evaluate.over_seeds([0.8])
    assert one.mean == 0.8 and np.isnan([one.low, one.high, one.sd]).all() and "one seed" in one.note
    for bad in ([], [0.5, np.nan], [[0.5]]):
        with pytest.raises(ValueError, match="one finite figure a seed"):
            evaluate.over_seeds(bad)


def test_the_bootstrap_goes_through_every_resample_of_subjects():
    right, _, who = case(4)
    got = evaluate.over_subjects(result(right), who)
    names = np.unique(who)
    values = []
    for drawn in itertools.product(names, repeat=4):  # all 256, with their clips
        values.append(np.concatenate([right[who == p] for p in drawn]).mean())
    low, high = np.quantile(values, [0.025, 0.975], method="inverted_cdf")
    assert (got.low, got.high) == pytest.approx((low, high)) and got.exact and got.units == 4
    assert got.mean == pytest.approx(right.mean()) and got.low < got.mean < got.high
    assert "81% of such intervals over 4 subjects hold the truth" in got.note


def test_many_subjects_are_drawn_as_a_naive_loop_draws_them():
    rng = np.random.default_rng(1)
    per = rng.uniform(0.5, 0.9, 30)
    who, scores = np.repeat(np.arange(30), 5), np.repeat(per, 5)  # equally many clips: the mean of subjects
    got = evaluate.over_subjects(scores, who, draws=20_000)
    reference = np.quantile([rng.choice(per, 30).mean() for _ in range(20_000)], [0.025, 0.975])
    assert (got.low, got.high) == pytest.approx(tuple(reference), abs=0.003) and not got.exact
    assert evaluate.over_subjects(scores, who, seed=5) == evaluate.over_subjects(scores, who, seed=5)
    t = evaluate.over_subjects(scores, who, method="t")
    assert (t.low, t.high) == pytest.approx(stats.t.interval(0.95, 29, per.mean(), stats.sem(per)))


def test_drawing_agrees_with_going_through_all(monkeypatch):
    right, _, who = case(6)
    exact = evaluate.over_subjects(right, who)
    monkeypatch.setattr(statistics, "ENUMERATED", 0)
    drawn = evaluate.over_subjects(right, who, draws=40_000)
    assert exact.exact and not drawn.exact
    assert (drawn.low, drawn.high) == pytest.approx((exact.low, exact.high), abs=0.01)


@pytest.mark.parametrize("units", [3, 4, 6])
def test_what_few_subjects_are_worth_is_what_a_simulation_says(units):
    """Subjects from a normal distribution with mean 0: how often the interval holds 0."""
    rng, held, t_held = np.random.default_rng(units), 0, 0
    for _ in range(1500):
        x = rng.normal(size=units)
        interval = evaluate.over_subjects(x, np.arange(units))
        held += interval.low <= 0 <= interval.high
        t = evaluate.over_subjects(x, np.arange(units), method="t")
        t_held += t.low <= 0 <= t.high
    assert evaluate.bootstrap_coverage(units) == pytest.approx(held / 1500, abs=0.03)
    assert t_held / 1500 == pytest.approx(0.95, abs=0.02)


def test_coverage_rises_to_the_level():
    values = [evaluate.bootstrap_coverage(n) for n in range(2, 200)]
    assert values == sorted(values) and values[-1] == pytest.approx(0.95, abs=0.003) and np.isnan(evaluate.bootstrap_coverage(1))


def test_sign_flips_by_subject_go_through_every_pattern():
    for subjects in (2, 4, 7):
        a, b, who = case(subjects)
        got = evaluate.paired(result(b), result(a), who)
        sums = np.array([(b[who == p].astype(float) - a[who == p]).sum() for p in np.unique(who)])
        flipped = [abs(np.dot(signs, sums)) for signs in itertools.product((1, -1), repeat=subjects)]
        assert got.p == np.mean(np.array(flipped) >= abs(sums.sum())) and got.exact
        assert got.difference == pytest.approx(b.mean() - a.mean()) and got.smallest_p == 2 / 2**subjects
        assert got.low <= got.difference <= got.high and got.p >= got.smallest_p
        assert got.table["difference"].to_numpy() == pytest.approx(sums / got.table["clips"])


def test_four_subjects_cannot_show_a_difference_at_five_per_cent():
    who = np.repeat(np.arange(4), 100)
    got = evaluate.paired(np.ones(400), np.zeros(400), who)
    assert got.difference == 1 and got.p == got.smallest_p == 0.125 and got.mcnemar_p < 1e-100


def test_many_subjects_are_flipped_at_random():
    a, b, who = case(20)
    got, again = (evaluate.paired(b, a, who, draws=20_000, seed=3) for _ in range(2))
    sums = np.bincount(np.unique(who, return_inverse=True)[1], weights=b.astype(float) - a)
    flipped = np.random.default_rng(0).choice([1, -1], size=(20_000, 20)) @ sums
    reference = np.mean(np.abs(flipped) >= abs(sums.sum()))
    assert not got.exact and got.p == pytest.approx(reference, abs=0.01) and got.p == again.p > 0


def test_patterns_that_tie_but_for_rounding_count_as_ties():
    got = evaluate.paired_seeds([0.3, 0.4, 0.5, 0.6], [0.2, 0.2, 0.8, 0.6])  # 0.1 + 0.2 - 0.3 + 0 is 0 but for rounding
    assert sum([0.3 - 0.2, 0.4 - 0.2, 0.5 - 0.8]) != 0 and got.p == 1


@given(st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_mcnemar_is_the_binomial_test(only_a, only_b):
    a = np.r_[np.ones(only_a), np.zeros(only_b), np.ones(5), np.zeros(5)]
    b = np.r_[np.zeros(only_a), np.ones(only_b), np.ones(5), np.zeros(5)]
    p, first, second = evaluate.mcnemar(a, b)
    assert (first, second) == (only_a, only_b)
    n, fewer = only_a + only_b, min(only_a, only_b)
    assert p == pytest.approx(min(1.0, 2 * sum(math.comb(n, i) for i in range(fewer + 1)) / 2**n))


@given(st.integers(2, 6), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_a_and_b_change_places_and_subjects_are_only_names(subjects, seed):
    a, b, who = case(subjects, seed=seed)
    one, other = evaluate.paired(a, b, who), evaluate.paired(b, a, who)
    assert one.p == other.p and one.difference == pytest.approx(-other.difference)
    assert (one.only_a, one.only_b) == (other.only_b, other.only_a)
    order = np.random.default_rng(seed).permutation(len(who))
    mixed = evaluate.paired(a[order], b[order], 100 - who[order])
    assert mixed.p == pytest.approx(one.p) and (mixed.low, mixed.high) == pytest.approx((one.low, one.high))
    same = evaluate.paired(a, a, who)
    assert same.p == 1 and same.difference == same.low == same.high == 0 and same.mcnemar_p == 1


def test_several_seeds_of_one_method_are_averaged_clip_by_clip():
    (a, b, who), (c, _, _) = case(4), case(4, seed=1)
    got = evaluate.over_subjects([result(a), result(c)], who)
    assert got.mean == pytest.approx((a.mean() + c.mean()) / 2)
    assert got == evaluate.over_subjects((a.astype(float) + c) / 2, who)
    both = evaluate.paired([result(a), result(c)], result(b), who)
    assert np.isnan(both.mcnemar_p) and both.only_a == -1 and both.difference == pytest.approx(got.mean - b.mean())
    table = evaluate.by_subject([result(a), result(c)], who)
    assert table["clips"].sum() == len(who) and (table["accuracy"] * table["clips"]).sum() / len(who) == pytest.approx(got.mean)


def test_runs_are_paired_by_seed():
    a, b = [0.80, 0.82, 0.79, 0.85], [0.75, 0.80, 0.78, 0.80]
    got = evaluate.paired_seeds(a, b)
    assert got.p == got.smallest_p == 0.125 and got.kind == "seeds" and got.difference == pytest.approx(0.0325)
    one = evaluate.paired_seeds([0.8], [0.7])
    assert one.p == 1 and np.isnan([one.low, one.high]).all()
    with pytest.raises(ValueError, match="each of the same seeds"):
        evaluate.paired_seeds([0.8], [0.7, 0.6])


def test_subjects_come_from_a_table_and_average_precision_is_a_score_too():
    right, _, who = case(4)
    f = Features(torch.zeros(len(who), 2), torch.zeros(len(who)).long(), pd.DataFrame({"subject": who}))
    assert evaluate.over_subjects(right, f) == evaluate.over_subjects(right, who)
    scores = np.where(np.arange(len(who)) < 5, np.nan, right)  # queries whose class is not in the gallery
    assert evaluate.over_subjects(scores, f) == evaluate.over_subjects(scores[5:], who[5:])
    assert np.isnan(evaluate.paired(scores, right * 0.5, f).mcnemar_p)


def test_what_cannot_be_compared_is_refused():
    a, b, who = case(4)
    for call, match in (
        (lambda: evaluate.over_subjects(a, np.zeros(len(a))), "one subject"),
        (lambda: evaluate.over_subjects(a, np.full(len(a), -1)), "no known subject"),
        (lambda: evaluate.over_subjects(a, who[1:]), "a subject for every test clip"),
        (lambda: evaluate.over_subjects(a, who, method="normal"), "choose bootstrap or t"),
        (lambda: evaluate.over_subjects(a, Features(torch.zeros(2, 2), torch.zeros(2), None)), "carry no table"),
        (lambda: evaluate.over_subjects(np.zeros((2, 2)), who), r"should be \(N,\)"),
        (lambda: evaluate.paired(a, b[1:], who), "the same clips"),
        (lambda: evaluate.paired(result(a), result(b, 2), who), "other labels"),
        (lambda: evaluate.mcnemar(a * 0.5, b), "right or wrong"),
        (lambda: evaluate.over_subjects([result(a), result(b, 2)], who), "different clips"),
    ):
        with pytest.raises(ValueError, match=match):
            call()
