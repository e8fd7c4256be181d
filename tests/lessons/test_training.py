"""The checks of the exercises on a run: schedule, rank, diagnosis."""

import math

import pytest
import torch

from slimlab import lessons


def rate(step, steps, highest, lowest, warmup):
    rise = (step + 1) / max(1.0, warmup * steps)
    if rise < 1:
        return highest * rise
    part = max(0.0, (step / steps - warmup) / (1 - warmup))
    return lowest + (highest - lowest) * 0.5 * (1 + math.cos(math.pi * part))


def late(step, steps, highest, lowest, warmup):
    return highest * step / (warmup * steps) if step < warmup * steps else rate(step, steps, highest, lowest, warmup)


def no_warmup(step, steps, highest, lowest, warmup):
    return highest if step < warmup * steps else rate(step, steps, highest, lowest, warmup)


def from_zero(step, steps, highest, lowest, warmup):
    whole = lowest + (highest - lowest) * 0.5 * (1 + math.cos(math.pi * step / steps))
    return rate(step, steps, highest, lowest, warmup) if step < warmup * steps else whole


def straight(step, steps, highest, lowest, warmup):
    down = (step / steps - warmup) / (1 - warmup)
    return rate(step, steps, highest, lowest, warmup) if down < 0 else highest + (lowest - highest) * down


def to_zero(step, steps, highest, lowest, warmup):
    return rate(step, steps, highest, 0.0, warmup)


def whole_period(step, steps, highest, lowest, warmup):
    down = (step / steps - warmup) / (1 - warmup)
    fall = lowest + (highest - lowest) * 0.5 * (1 + math.cos(2 * math.pi * down))
    return rate(step, steps, highest, lowest, warmup) if down < 0 else fall


def twice(step, steps, highest, lowest, warmup):
    return 2 * rate(step, steps, highest, lowest, warmup)


def test_the_right_schedule_passes(capsys):
    lessons.check_schedule(rate)
    assert "Schedule" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (late, "rate is 0 in step 0"),
        (no_warmup, "within the warm-up"),
        (from_zero, "jumps when the warm-up ends"),
        (straight, "straight line"),
        (to_zero, "falls to zero"),
        (whole_period, "half a period"),
        (twice, "where the library has"),
        (lambda *a: None, "a number is asked for"),
        (lambda *a: 1 / 0, "stopped"),
    ],
)
def test_mistakes_of_a_schedule_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_schedule(wrong)


def entropy(p):
    return torch.special.entr(p / p.sum()).sum()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda x: float(entropy(torch.linalg.svdvals(x))), "that is the entropy"),
        (lambda x: float(entropy(torch.linalg.svdvals(x) ** 2).exp()), "not their squares"),
        (lambda x: float(entropy(torch.linalg.svdvals(x - x.mean(dim=0))).exp()), "mean is not taken away"),
        (lambda x: int(torch.linalg.matrix_rank(x)), "not zero"),
        (lambda x: float(2 ** entropy(torch.linalg.svdvals(x))), "natural logarithm"),
        (lambda x: 3.0, "singular values over their sum"),
        (lambda x: float("nan"), "not finite"),
        (lambda x: torch.linalg.svdvals(x), "one number"),
    ],
)
def test_mistakes_of_a_rank_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_rank(wrong)


def test_the_right_rank_passes(capsys):
    lessons.check_rank(lambda x: entropy(torch.linalg.svdvals(x)).exp())
    assert "RankMe" in capsys.readouterr().out


def diagnose(metrics):
    first, last = metrics.iloc[0], metrics.tail(10).mean()
    if last["used_prototypes"] < 3:
        return "collapsed"
    if last["glcl_over_lnk"] < 0.95:
        return "healthy"
    return "too warm" if first["target_prototypes"] > 0.5 * last["target_prototypes"] else "rate too high"


def test_the_riddle_is_told_by_a_right_diagnosis(capsys):
    lessons.check_diagnosis(diagnose)
    assert "every run is told" in capsys.readouterr().out
    runs = lessons.riddle()
    assert list(runs) == ["A", "B", "C", "D"] and all(len(t) == 80 for t in runs.values())
    assert sorted(map(diagnose, runs.values())) == ["collapsed", "healthy", "rate too high", "too warm"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda m: "healthy", "look at it"),
        (lambda m: "fine", "give one of"),
        (lambda m: "healthy" if m["loss"].iloc[-1] < 5 else "too warm", "in use: everybody agrees|first step"),
    ],
)
def test_wrong_diagnoses_are_told_what_to_look_at(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_diagnosis(wrong)
