"""Checks of the exercises on a training run: its schedule, its features' rank, and which of some runs are broken."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from math import cos, exp, isfinite, log, pi
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from slimlab import analysis
from slimlab._renamed import RENAMED
from slimlab.lessons.asking import NotYet, attempt, expect, passed
from slimlab.pretrain.config import Config
from slimlab.pretrain.schedules import learning_rate

DIAGNOSES = ("healthy", "collapsed", "too warm", "rate too high")
SYMPTOMS = {
    "healthy": "GLCL falls below ln K, a target spreads over few prototypes and many are in use",
    "collapsed": "GLCL is near zero and about one prototype is in use: everybody agrees on one answer",
    "too warm": "a target spreads over most prototypes from the first step on, so GLCL has nowhere to go",
    "rate too high": "targets are sharp in the first step and nearly even a few steps later, at GLCL = ln K: features went flat",
}


def riddle(seed: int = 0) -> dict[str, pd.DataFrame]:
    """Metrics of four short runs, named by letters: one healthy, three broken in different ways. seed 0 or 1: other runs.

    80 steps of `tiny` on 330 synthetic clips each, shipped with slimlab; made by benchmarks/make_riddle.py. Without the learning
    rate, which is a setting and would tell one of them.
    """
    return {letter: _table(kind, seed) for letter, kind in zip("ABCD", _order(seed), strict=True)}


def check_diagnosis(function: Callable[[pd.DataFrame], str]) -> None:
    """function(metrics) -> "healthy", "collapsed", "too warm" or "rate too high", on runs as `riddle` gives them.

    Also on runs of another seed, on the same curves for other numbers of prototypes, and on two runs that change their mind: one
    begins well and collapses, one begins like a collapsed run and recovers.
    """
    for seed in (0, 1):
        for letter, kind in zip("ABCD", _order(seed), strict=True):
            which = f"run {letter}" if seed == 0 else "a run with another seed"
            _told(function, _table(kind, seed), kind, which, f"but look at it: {SYMPTOMS[kind]}")
    for seed in (0, 1):
        late, early = (_spliced(*kinds, seed) for kinds in (("healthy", "collapsed"), ("collapsed", "healthy")))
        _told(function, late, "collapsed", "a run that begins well and collapses", "judge a collapse by its last steps")
        _told(function, early, "healthy", "a run that recovers after a few steps", "judge a collapse by its last steps")
        for prototypes in (32, 1024):
            why = "compare with ln K and with K, not with fixed numbers; ln K is glcl / glcl_over_lnk"
            for kind in DIAGNOSES:
                _told(function, _with_prototypes(_table(kind, seed), prototypes), kind, f"a run with K = {prototypes}", why)
    passed("Diagnosis: every run is told, with other seeds and other numbers of prototypes, too.", function)


def _told(function: Callable[[pd.DataFrame], str], metrics: pd.DataFrame, kind: str, which: str, why: str) -> None:
    try:
        said = attempt(function, metrics.copy())
    except NotYet as error:
        expect("'lr'" not in str(error), "diagnose reads the learning rate: that is a setting; judge a run by its symptoms.")
        raise
    known = isinstance(said, str) and said in DIAGNOSES
    expect(known, f"diagnose returned {said!r:.60} for {which}: give one of {', '.join(DIAGNOSES)}.")
    expect(said == kind, f"diagnose calls {which} {said!r}, {why}.")


def _spliced(first: str, then: str, seed: int, steps: int = 12) -> pd.DataFrame:
    """A run that looks like one kind for some steps and like another afterwards."""
    return pd.concat([_table(first, seed).iloc[:steps], _table(then, seed).iloc[steps:]], ignore_index=True)


def _with_prototypes(metrics: pd.DataFrame, prototypes: int) -> pd.DataFrame:
    """The same run with another number of prototypes: entropies keep their share of ln K, and counts are exp of entropies.

    A collapse to one prototype stays one.
    """
    step = metrics.iloc[0]
    ratio = log(prototypes) / (step["glcl"] / step["glcl_over_lnk"])
    glcl, counts = metrics["glcl"] * ratio, metrics[["target_prototypes", "used_prototypes"]]
    counts = counts.where(counts < 3, counts**ratio)
    loss = metrics["loss"] + glcl - metrics["glcl"]
    return metrics.assign(loss=loss, glcl=glcl, **{name: counts[name] for name in counts})


def check_schedule(function: Callable[..., float]) -> None:
    """function(step, steps, highest, lowest, warmup) -> learning rate: linear warm-up, then half a cosine, as in `trainer`."""
    for steps, warmup, highest, lowest in (
        (100, 0.1, 4e-3, 1e-5),
        (2000, 0.05, 2e-4, 1e-6),
        (40, 0.5, 1.0, 0.0),
        (50, 0.0, 0.3, 0.1),
    ):
        config = Config(steps=steps, warmup=warmup, min_lr=lowest, base_lr=highest * (1024 / 32) ** 0.5, batch_size=32)
        for step in (0, 1, round(warmup * steps) // 2, round(warmup * steps), (steps * 3) // 4, steps - 1):
            got = _number(attempt(function, step, steps, highest, lowest, warmup), "rate")
            wanted = learning_rate(config, step)
            if abs(got - wanted) > 1e-6 * highest + 1e-3 * wanted:
                _name_the_rate(got, wanted, step, steps, highest, lowest, warmup)
    passed("Schedule: it rises to its highest, falls on half a cosine, and ends at its lowest.", function)


def check_rank(function: Callable[[Tensor], float]) -> None:
    """function(features (N, F)) -> RankMe, exp of the entropy of the normalized singular values; `analysis.rankme`."""
    dice = torch.Generator().manual_seed(2)
    wide = torch.randn(80, 20, generator=dice)
    slanted = wide * torch.logspace(0, -3, 20) + 0.5
    flat = torch.outer(torch.rand(30, generator=dice) + 1, torch.randn(12, generator=dice))  # all features point one way
    for name, x in (("even", wide), ("slanted", slanted), ("one-way", flat), ("wide", wide[:8])):
        got, wanted = _number(attempt(function, x.clone()), "rank"), analysis.rankme(x)
        expect(
            isfinite(got),
            "rank is not finite where singular values are zero: there 0 * log 0 counts zero (torch.special.entr).",
        )
        if abs(got - wanted) > 0.01 * wanted:
            _name_the_rank(got, wanted, name, x)
    passed("RankMe: one for collapsed features, as many as there are directions for even ones.", function)


def _name_the_rate(got: float, wanted: float, step: int, steps: int, highest: float, lowest: float, warmup: float) -> None:
    rising, part = warmup * steps, step / steps
    if step < rising:
        expect(
            step > 0 or got > 0,
            "rate is 0 in step 0, a step for nothing: rise with (step + 1) / (warmup * steps).",
        )
        expect(abs(got - highest) > 1e-6 * highest, f"rate is at its highest in step {step}, within the warm-up.")
        late = abs(got - highest * step / rising) < 1e-6 * highest
        expect(not late, "the warm-up is one step late: (step + 1) / (warmup * steps), so that step 0 learns too.")
    else:
        whole = lowest + (highest - lowest) * 0.5 * (1 + cos(pi * part))
        expect(
            warmup == 0 or abs(got - whole) > 1e-6 * highest,
            "the cosine starts at step 0, so the rate jumps when the warm-up ends: it starts where the warm-up ends.",
        )
        down = (part - warmup) / (1 - warmup)
        expect(
            abs(got - (highest + (lowest - highest) * down)) > 1e-6 * highest or down in (0.0, 0.5),
            "the rate falls along a straight line: half a cosine is asked for.",
        )
        to_zero = highest * 0.5 * (1 + cos(pi * down))
        expect(lowest == 0 or abs(got - to_zero) > 1e-6 * highest, "the rate falls to zero: it ends at `lowest`.")
        twice = lowest + (highest - lowest) * 0.5 * (1 + cos(2 * pi * down))
        expect(
            down in (0.0, 1.0) or abs(got - twice) > 1e-6 * highest,
            "the cosine goes down and up: half a period is asked for.",
        )
    raise NotYet(f"rate({step}, {steps}, {highest}, {lowest}, {warmup}) is {got:.3g} where the library has {wanted:.3g}.")


def _name_the_rank(got: float, wanted: float, name: str, x: Tensor) -> None:
    singular = torch.linalg.svdvals(x)
    squares = singular**2 / (singular**2).sum()
    centered = analysis.rankme(x - x.mean(dim=0))
    full = int(torch.linalg.matrix_rank(x))
    said = f"rank of {name} features is {got:.2f} where the library has {wanted:.2f}"

    def near(value: float) -> bool:
        return abs(got - value) < 0.01 * abs(value) + 1e-3

    expect(not near(log(wanted)), f"{said}: that is the entropy; RankMe is exp of it.")
    expect(
        not near(exp(float(torch.special.entr(squares).sum()))),
        f"{said}: take the singular values, not their squares.",
    )
    expect(not near(centered), f"{said}: the mean is not taken away, or collapse onto one direction could not be seen.")
    expect(not near(full), f"{said}: that counts singular values that are not zero; RankMe weighs them by their entropy.")
    expect(not near(2 ** (log(wanted))), f"{said}: exp goes with the natural logarithm; is one of them to base 2?")
    raise NotYet(f"{said}: p = singular values over their sum, then exp(-sum p log p).")


def _order(seed: int) -> list[str]:
    return [DIAGNOSES[i] for i in torch.randperm(len(DIAGNOSES), generator=torch.Generator().manual_seed(40 + seed)).tolist()]


def _table(kind: str, seed: int) -> pd.DataFrame:
    with files("slimlab").joinpath("lessons", "runs", f"{kind.replace(' ', '_')}-{seed}.csv").open() as file:
        return pd.read_csv(file).rename(columns=RENAMED).drop(columns="lr")


def _number(value: Any, name: str) -> float:
    """One number, whatever holds it: Python's, NumPy's, a tensor with one element."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"{name} returned a {type(value).__name__}: one number is asked for.") from None
