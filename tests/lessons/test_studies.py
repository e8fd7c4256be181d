"""The checks of the study's exercises take right answers and name the mistakes that readers make."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch

from slimlab import evaluate, lessons, study
from tests.processes import ROOT


def chosen(table):
    means = table.groupby("variant")[["held_out_knn", "knn"]].mean()
    variant = means["held_out_knn"].idxmax()
    return variant, means.loc[variant, "knn"]


def by_test(table):
    means = table.groupby("variant")["knn"].mean()
    return means.idxmax(), means.max()


def best_run(table):
    line = table.loc[table["held_out_knn"].idxmax()]
    return line["variant"], line["knn"]


def held_out_reported(table):
    means = table.groupby("variant")["held_out_knn"].mean()
    return means.idxmax(), means.max()


def interval(accuracy, clips, rng, draws, replace=True, weigh=True, each=False):
    if each:  # clips instead of subjects
        hits = np.repeat(accuracy, clips) > rng.random(clips.sum())
        values = rng.choice(hits, (draws, len(hits))).mean(axis=1)
    else:
        drawn = np.stack([rng.choice(len(accuracy), len(accuracy), replace=replace) for _ in range(draws)])
        weights = clips[drawn] if weigh else np.ones_like(drawn)
        values = (accuracy[drawn] * weights).sum(axis=1) / weights.sum(axis=1)
    return tuple(np.quantile(values, [0.025, 0.975]))


def p_value(a, b, one_sided=False, strict=False):
    d = a - b
    flips = np.array(list(itertools.product([1, -1], repeat=len(d)))) @ d
    seen = d.sum() if one_sided else abs(d.sum())
    flips = flips if one_sided else np.abs(flips)
    return float((flips > seen + 1e-12).mean() if strict else (flips >= seen - 1e-12).mean())


def level(percent):
    """The answer with another level than 95 %."""
    tail = (1 - percent / 100) / 2

    def other(accuracy, clips, rng, draws):
        drawn = rng.integers(0, len(clips), (draws, len(clips)))
        values = (accuracy * clips)[drawn].sum(axis=1) / clips[drawn].sum(axis=1)
        return tuple(np.quantile(values, [tail, 1 - tail]))

    return other


def every_draw(accuracy, clips, rng, draws):
    """Without chance: all ordered draws of up to six subjects, and the usual number of nine."""
    if len(clips) > 6:
        return interval(accuracy, clips, rng, draws)
    drawn = np.array(list(itertools.product(range(len(clips)), repeat=len(clips))))
    return np.quantile((accuracy * clips)[drawn].sum(axis=1) / clips[drawn].sum(axis=1), [0.025, 0.975]).tolist()


def no_margin(a, b):
    d = a - b
    return (np.abs(np.array(list(itertools.product([1, -1], repeat=len(d)))) @ d) >= abs(d.sum())).mean()


def sign_test(a, b):
    ahead, n = int((a > b).sum()), len(a)
    flips = np.array([sum(p) for p in itertools.product([0, 1], repeat=n)])
    return float((np.abs(flips - n / 2) >= abs(ahead - n / 2)).mean())


def test_right_answers():
    lessons.check_chosen(chosen)
    lessons.check_subject_interval(interval)
    lessons.check_sign_flips(p_value)
    lessons.check_sign_flips(lambda a, b: evaluate.paired_seeds(a, b).p)


@pytest.mark.parametrize("form", [list, np.array, lambda pair: torch.tensor([float(v) for v in pair])])
def test_right_answers_in_another_form(form):
    lessons.check_subject_interval(lambda *a: form(interval(*a)))
    lessons.check_subject_interval(every_draw)
    lessons.check_sign_flips(lambda a, b: torch.tensor(p_value(a, b)))
    lessons.check_sign_flips(lambda a, b: np.float32(p_value(a, b)))
    lessons.check_chosen(lambda table: list(chosen(table)))
    lessons.check_chosen(lambda table: np.array(chosen(table), dtype=object))
    lessons.check_chosen(lambda table: (chosen(table)[0], np.float32(chosen(table)[1])))


@pytest.mark.parametrize(
    "check, function, says",
    [
        (lessons.check_chosen, by_test, "best on the test side"),
        (lessons.check_chosen, best_run, "single best run"),
        (lessons.check_chosen, held_out_reported, "flatters"),
        (lessons.check_chosen, lambda t: chosen(t)[0], "two things"),
        (lessons.check_chosen, lambda t: t["variant"].iloc[0], "two things"),
        (lessons.check_chosen, lambda t: ("none", 0.5), "no variant"),
        (lessons.check_subject_interval, lambda *a: interval(*a, replace=False), "no width"),
        (lessons.check_subject_interval, lambda *a: interval(*a, weigh=False), "count alike"),
        (lessons.check_subject_interval, lambda *a: interval(*a, each=True), "whole subjects"),
        (lessons.check_subject_interval, lambda *a: 0.5, "two things"),
        (lessons.check_subject_interval, lambda *a: None, "returned nothing"),
        (lessons.check_subject_interval, level(92), "not 95 %"),
        (lessons.check_subject_interval, level(90), "about 90 %"),
        (lessons.check_subject_interval, level(98), "not 95 %"),
        (lessons.check_subject_interval, level(68), "not 95 %"),
        (lessons.check_sign_flips, lambda a, b: p_value(a, b, one_sided=True), "one side alone|p_value gives"),
        (lessons.check_sign_flips, lambda a, b: p_value(a, b, strict=True), "returns 0|>="),
        (lessons.check_sign_flips, lambda a, b: 7, "between 0 and 1"),
        (lessons.check_sign_flips, no_margin, "allow for rounding"),
        (lessons.check_sign_flips, sign_test, "flip the sign of each pair"),
        (lessons.check_sign_flips, lambda a, b: None, "should be a number"),
        (lessons.check_chosen, lambda t: None, "returned nothing"),
        (lessons.check_chosen, lambda t: "mask_ratio=0.3", "two things"),
    ],
)
def test_wrong_answers_are_named(check, function, says):
    with pytest.raises(lessons.NotYet, match=says):
        check(function)


def test_the_finished_study_is_the_one_in_docs():
    pd.testing.assert_frame_equal(lessons.finished_study(), study.load(ROOT / "docs" / "studies" / "mask-ratio.csv"))
    pd.testing.assert_frame_equal(lessons.finished_study("labels"), study.load(ROOT / "docs" / "studies" / "labels.csv"))
    with pytest.raises(ValueError, match="no study 'bones'; choose mask-ratio or labels"):
        lessons.finished_study("bones")
