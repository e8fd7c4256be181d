"""The checks of the exercises on a run: schedule, rank, diagnosis."""

import math

import numpy as np
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


def without_guard(step, steps, highest, lowest, warmup):
    return (
        highest * (step + 1) / (warmup * steps)
        if step < warmup * steps or not warmup
        else rate(step, steps, highest, lowest, warmup)
    )


@pytest.mark.parametrize("kind", [float, np.float64, np.float32, torch.tensor, lambda v: torch.tensor([v], dtype=torch.float64)])
def test_the_right_schedule_passes_whatever_holds_its_number(kind, capsys):
    lessons.check_schedule(lambda *a: kind(rate(*a)))
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
        (without_guard, "ZeroDivisionError"),
        (lambda *a: None, "one number is asked for"),
        (lambda *a: torch.ones(3), "one number is asked for"),
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


def with_numpy(x):
    singular = np.linalg.svd(x.numpy().astype(np.float64), compute_uv=False)
    p = singular / singular.sum()
    return np.exp(-(p[p > 0] * np.log(p[p > 0])).sum())


@pytest.mark.parametrize(
    "right",
    [
        lambda x: entropy(torch.linalg.svdvals(x)).exp(),
        lambda x: float(entropy(torch.linalg.svdvals(x.double())).exp()),
        lambda x: entropy(torch.linalg.svdvals(x.double())).exp()[None],
        with_numpy,
    ],
)
def test_right_ranks_pass(right, capsys):
    lessons.check_rank(right)
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


def by_symptoms(metrics):
    """Another right way: ranks and K instead of the first step."""
    last, prototypes = metrics.tail(5).mean(), math.exp(metrics["glcl"].iloc[0] / metrics["glcl_over_lnk"].iloc[0])
    if last["used_prototypes"] < 0.05 * prototypes and last["target_prototypes"] < 0.05 * prototypes:
        return "collapsed"
    if last["target_prototypes"] < 0.5 * prototypes:
        return "healthy"
    return "too warm" if metrics["rank"].dropna().iloc[-1] > 25 else "rate too high"


def test_another_right_diagnosis_passes():
    lessons.check_diagnosis(by_symptoms)


def test_the_tables_do_not_tell_the_setting():
    assert all("lr" not in table for seed in (0, 1) for table in lessons.riddle(seed).values())


def by_rate(m):
    first = m.iloc[0]
    if first["used_prototypes"] < 20:
        return "collapsed"
    return "too warm" if first["target_prototypes"] > 50 else "rate too high" if first["lr"] > 0.01 else "healthy"


def by_first_step(m):
    first = m.iloc[0]
    if first["glcl_over_lnk"] < 0.9:
        return "collapsed"
    return "too warm" if first["target_prototypes"] > 50 else diagnose(m) if m["koleo"].iloc[-1] > 1.5 else "healthy"


def by_loss(m):
    loss = m["loss"].iloc[-1]
    return "collapsed" if loss < 1 else "healthy" if loss < 5 else "too warm" if loss < 5.47 else "rate too high"


def by_knn(m):
    knn = m["knn"].dropna().iloc[-1]
    return "healthy" if knn > 0.4 else "collapsed" if knn > 0.32 else "too warm" if knn > 0.28 else "rate too high"


def by_counts(m):
    last = m.tail(10).mean()
    if last["used_prototypes"] < 3:
        return "collapsed"
    return "healthy" if last["used_prototypes"] > 45 else diagnose(m)


def by_nats(m):
    return "collapsed" if m["glcl"].iloc[-1] < 1 else "healthy" if m["glcl"].iloc[-1] < 4.5 else diagnose(m)


def ever_collapsed(m):
    return "collapsed" if m["used_prototypes"].min() < 3 else diagnose(m)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda m: "healthy", "look at it"),
        (lambda m: "fine", "give one of"),
        (lambda m: None, "give one of"),
        (lambda m: ["healthy"], "give one of"),
        (lambda m: "healthy" if m["loss"].iloc[-1] < 5 else "too warm", "in use: everybody agrees|first step"),
        (by_rate, "a setting; judge a run by its symptoms"),
        (by_first_step, "last steps"),
        (by_loss, "fixed numbers"),
        (by_knn, "look at it"),
        (by_counts, "fixed numbers"),
        (by_nats, "fixed numbers"),
        (ever_collapsed, "last steps"),
    ],
)
def test_wrong_diagnoses_are_told_what_to_look_at(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_diagnosis(wrong)
