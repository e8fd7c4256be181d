"""How far a number can be trusted: intervals over subjects and over seeds, and paired tests on the same clips.

The unit that a cross-subject figure generalises over is the subject: clips of one subject resemble each other, so an
interval over clips is as a rule too narrow. Bootstrap: Efron and Tibshirani 1993, chapter 13 (percentile interval); sign
flips: Fisher's randomisation test for pairs; McNemar 1947 in its exact form. SciPy draws and flips; resamples of few
subjects are enumerated here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import special
from torch import Tensor

from slimlab.evaluate.result import Result

ENUMERATED = 9  # subjects; up to so many all resamples are gone through (24,310 of 9), above they are drawn
FLIPPED = 16  # subjects; up to so many all sign patterns are gone through (65,536)

Scores = Result | Tensor | np.ndarray | Sequence[float]


@dataclass(frozen=True)
class Interval:
    """mean with low..high at `level`; sd: sample standard deviation of the units (NaN for one of them); `units` of them, of a
    `kind` (subjects, seeds); method: bootstrap or t; exact: every resample was gone through; note: what it is worth."""

    mean: float
    low: float
    high: float
    sd: float
    units: int
    kind: str
    method: str
    level: float = 0.95
    exact: bool = False
    note: str = ""

    def __repr__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}] ({self.level:.0%} {self.method}, {self.units} {self.kind})"


@dataclass(frozen=True)
class Paired:
    """Two results on the same clips, a minus b.

    difference  of the means over clips, with low..high: bootstrap over subjects (or over seeds)
    p           two-sided, by flipping the sign of whole subjects (or seeds); smallest_p: the least that so few can give
    mcnemar_p   two-sided exact McNemar test over clips; only_a, only_b: clips that a, or b, alone has right. It takes clips
                as independent, which clips of one subject are not, so it is too sure. NaN, -1 where scores are no hits
    table       one line a subject (or seed): a, b, difference
    """

    difference: float
    low: float
    high: float
    p: float
    smallest_p: float
    units: int
    kind: str
    exact: bool
    mcnemar_p: float
    only_a: int
    only_b: int
    table: pd.DataFrame
    level: float = 0.95

    def __repr__(self) -> str:
        return (
            f"{self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}], p {self.p:.3g} by {self.units} {self.kind} "
            f"(smallest possible {self.smallest_p:.3g}), McNemar p {self.mcnemar_p:.3g} by clips"
        )


def over_seeds(values: Sequence[float] | np.ndarray, level: float = 0.95) -> Interval:
    """Mean and sample standard deviation of one figure a seed, with Student's t interval: mean ± t * sd / sqrt(seeds).

    It speaks of other seeds on the same data and split alone, and takes the figures as normally distributed. One seed: NaN
    bounds. Raises ValueError for no values or values that are not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise ValueError(f"over_seeds: give one finite figure a seed, not {values!r}")
    mean, low, high, sd = _student(values, level)
    note = "one seed: no spread is known" if len(values) == 1 else "the spread over seeds, not over subjects or data"
    return Interval(mean, low, high, sd, len(values), "seeds", "t", level, False, note)


def by_subject(results: Scores | Sequence[Result], subjects: Any) -> pd.DataFrame:
    """subject, clips, accuracy: one line a subject of the test side; several results (seeds): their mean.

    results     a `Result`, a list of them (one a seed, the same clips), or a score for every clip (N,), NaN left out
    subjects  (N,) a number each, or what has them in its table: the test side's store or features
    Raises ValueError where lengths differ or a subject is unknown (-1).
    """
    names, clips, sums = _per_subject(_per_clip(results), subjects)
    return pd.DataFrame({"subject": names, "clips": clips, "accuracy": sums / clips})


def over_subjects(
    results: Scores | Sequence[Result],
    subjects: Any,
    level: float = 0.95,
    method: str = "bootstrap",
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """An interval for the accuracy on subjects who were not recorded; arguments as in `by_subject`.

    bootstrap  percentiles of the accuracy when subjects (with all their clips) are drawn with replacement. Up to 9 subjects
               every resample is gone through with its probability, above that `draws` are drawn. Too narrow for few subjects:
               the note says what part of such intervals holds the truth (`bootstrap_coverage`)
    t          mean over subjects ± t * sd / sqrt(subjects): wide where they are few, and right where their accuracies are
               normally distributed; every subject counts alike

    `mean` is the accuracy over clips (bootstrap) or the mean of the subjects' accuracies (t); with equally many clips each
    they agree. Raises ValueError for fewer than 2 subjects, an unknown one, or another method.
    """
    if method not in ("bootstrap", "t"):
        raise ValueError(f"over_subjects: method '{method}' is not there; choose bootstrap or t")
    _, clips, sums = _per_subject(_per_clip(results), subjects)
    n = len(clips)
    if n < 2:
        raise ValueError("over_subjects: the test side has one subject; nothing can be said of others")
    if method == "t":
        mean, low, high, sd = _student(sums / clips, level)
        note = "right if subjects' accuracies are normally distributed"
        return Interval(mean, low, high, sd, n, "subjects", "t", level, False, note)
    low, high, exact = _bootstrap(sums, clips, level, draws, seed)
    note = (
        f"about {bootstrap_coverage(n, level):.0%} of such intervals over {n} subjects hold the truth, not {level:.0%}, "
        "if their accuracies are normally distributed"
    )
    sd = float((sums / clips).std(ddof=1))
    return Interval(float(sums.sum() / clips.sum()), low, high, sd, n, "subjects", "bootstrap", level, exact, note)


def bootstrap_coverage(units: int, level: float = 0.95) -> float:
    """What part of percentile bootstrap intervals over so few equal units holds the true mean, if units are normal.

    The bootstrap's spread is sd * sqrt((n - 1) / n) and its quantiles are the normal's, where Student's t with n - 1 degrees
    of freedom is needed: P(|t| < z * sqrt((n - 1) / n)). 81 % for 4 units at a level of 95 %. Within 0.02 of simulation from 3.
    """
    if units < 2:
        return float("nan")
    z = special.ndtri(0.5 + level / 2) * math.sqrt((units - 1) / units)
    return float(1 - 2 * special.stdtr(units - 1, -z))


def paired(
    a: Scores | Sequence[Result],
    b: Scores | Sequence[Result],
    subjects: Any,
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 0,
) -> Paired:
    """Is a better than b on the same test clips? Arguments as in `by_subject`; a and b may each be a list of seeds.

    The test flips the sign of the difference of whole subjects: it assumes that, were a and b alike, a subject's
    difference would be as likely negative as positive, and that subjects are independent; clips need not be. Up to 16
    subjects all 2^n patterns are gone through. With n subjects p cannot fall below 2 / 2^n: 0.125 with 4, so 4
    subjects can never show a difference at 0.05, however large. McNemar's test stands beside, with its assumption.
    Raises ValueError where clips differ.
    """
    left, right = _per_clip(a), _per_clip(b)
    if left.shape != right.shape:
        raise ValueError(f"paired: a has {len(left)} clips, b {len(right)}; compare results on the same clips in the same order")
    _same_clips(a, b)
    known = np.isfinite(left) & np.isfinite(right)
    left, right = np.where(known, left, np.nan), np.where(known, right, np.nan)
    names, clips, of_a = _per_subject(left, subjects)
    _, _, of_b = _per_subject(right, subjects)
    table = pd.DataFrame({"subject": names, "clips": clips, "a": of_a / clips, "b": of_b / clips})
    table["difference"] = table["a"] - table["b"]
    hits = np.isin(left[known], (0, 1)).all() and np.isin(right[known], (0, 1)).all()
    test = mcnemar(left[known], right[known]) if hits else (float("nan"), -1, -1)
    return _compare(of_a - of_b, clips, table, "subjects", test, level, draws, seed)


def paired_seeds(a: Sequence[float], b: Sequence[float], level: float = 0.95, draws: int = 10_000, seed: int = 0) -> Paired:
    """The same for one figure a seed, run i of a beside run i of b (same seed, data and split): bootstrap and sign flips over
    seeds. It says whether the difference outlives the seed, not whether it holds for other subjects. No McNemar."""
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 1 or not len(left) or not np.isfinite([left, right]).all():
        raise ValueError("paired_seeds: give a and b one finite figure for each of the same seeds")
    table = pd.DataFrame({"seed": np.arange(len(left)), "a": left, "b": right, "difference": left - right})
    return _compare(left - right, np.ones(len(left)), table, "seeds", (float("nan"), -1, -1), level, draws, seed)


def mcnemar(a: Scores, b: Scores) -> tuple[float, int, int]:
    """(p, clips that a alone has right, clips that b alone has right): McNemar's test, two-sided and exact.

    Were a and b alike, each clip that one of them alone has right would fall to either with probability 1/2. Clips are taken
    as independent: where several are of one subject, p is too small. a, b: `Result`s, or (N,) of zeros and ones.
    """
    left, right = _per_clip(a), _per_clip(b)
    if left.shape != right.shape or not (np.isin(left, (0, 1)).all() and np.isin(right, (0, 1)).all()):
        raise ValueError("mcnemar: a and b must be right or wrong (1 or 0) on the same clips")
    _same_clips(a, b)
    only_a, only_b = int(((left == 1) & (right == 0)).sum()), int(((left == 0) & (right == 1)).sum())
    from scipy import stats  # as slow to import as half of torch

    n = only_a + only_b
    return float(stats.binomtest(only_a, n).pvalue) if n else 1.0, only_a, only_b


def _compare(d: np.ndarray, clips: np.ndarray, table, kind: str, test: tuple, level: float, draws: int, seed: int) -> Paired:
    """d (n,): summed difference of each unit, clips (n,): of how many clips."""
    from scipy import stats

    n, seen = len(d), abs(float(d.sum()))
    exact = n <= FLIPPED

    def as_large(x: np.ndarray, axis: int) -> np.ndarray:  # equal sums differ by rounding, so the test counts within a margin
        return (np.abs(x.sum(axis=axis)) >= seen - 1e-9 * max(1.0, seen)).astype(float)

    options: dict[str, Any] = {"permutation_type": "samples", "alternative": "greater", "vectorized": True}
    p = 1.0  # one unit: both signs are as large
    if n > 1:
        resamples: Any = np.inf if exact else draws
        rng = np.random.default_rng(seed)
        p = float(stats.permutation_test((d,), as_large, n_resamples=resamples, rng=rng, **options).pvalue)
    low, high, _ = _bootstrap(d, clips, level, draws, seed) if n > 1 else (float("nan"), float("nan"), True)
    smallest = 2 / 2**n if exact else 1 / (draws + 1)
    difference, (mcnemar_p, only_a, only_b) = float(d.sum() / clips.sum()), test
    return Paired(difference, low, high, p, smallest, n, kind, exact, mcnemar_p, only_a, only_b, table, level)


def _bootstrap(sums: np.ndarray, clips: np.ndarray, level: float, draws: int, seed: int) -> tuple[float, float, bool]:
    """Percentiles of sum / clips over resampled units, and whether every resample was gone through, which SciPy does not do."""
    n = len(sums)
    if n > ENUMERATED:
        from scipy import stats

        def ratio(sums: np.ndarray, clips: np.ndarray, axis: int) -> np.ndarray:
            return sums.sum(axis=axis) / clips.sum(axis=axis)

        options: dict[str, Any] = {"paired": True, "vectorized": True, "method": "percentile", "confidence_level": level}
        drawn = stats.bootstrap((sums, clips), ratio, n_resamples=draws, rng=np.random.default_rng(seed), **options)
        return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high), False
    times, orders = _resamples(n)
    values = (times @ sums) / (times @ clips)
    order = values.argsort()
    reached = orders[order].cumsum()
    low, high = (values[order][np.argmax(reached >= q * reached[-1])] for q in (0.5 - level / 2, 0.5 + level / 2))
    return float(low), float(high), True


@lru_cache
def _resamples(n: int) -> tuple[np.ndarray, np.ndarray]:
    """(multisets, n) how often each of n units is in it, (multisets,) how many of the n^n ordered draws give it."""
    chosen = np.array(list(itertools.combinations_with_replacement(range(n), n)))
    times = (chosen[:, :, None] == np.arange(n)).sum(axis=1)
    factorial = np.array([math.factorial(i) for i in range(n + 1)])
    return times, factorial[n] // np.prod(factorial[times], axis=1)


def _student(values: np.ndarray, level: float) -> tuple[float, float, float, float]:
    """mean, low, high, sd; NaN for what one value cannot tell."""
    mean, n = float(values.mean()), len(values)
    if n < 2:
        return mean, float("nan"), float("nan"), float("nan")
    sd = float(values.std(ddof=1))
    half = float(special.stdtrit(n - 1, 0.5 + level / 2)) * sd / math.sqrt(n)
    return mean, mean - half, mean + half, sd


def _per_clip(results: Any) -> np.ndarray:
    """(N,) float64: 1 where right, 0 where wrong, the mean over several results."""
    if isinstance(results, Result):
        return (results.predictions == results.labels).double().numpy()
    if isinstance(results, Sequence) and len(results) and all(isinstance(r, Result) for r in results):
        if any(not torch.equal(r.labels, results[0].labels) for r in results):
            raise ValueError("these results are of different clips; give results of the same clips in the same order")
        return np.mean([_per_clip(r) for r in results], axis=0)
    out = np.asarray(results, dtype=np.float64)
    if out.ndim != 1 or not len(out):
        raise ValueError(f"scores are {out.shape}, should be (N,): a Result, a list of Results, or a score for every clip")
    return out


def _same_clips(a: Any, b: Any) -> None:
    first = [
        r if isinstance(r, Result) else r[0] if isinstance(r, list) and r and isinstance(r[0], Result) else None for r in (a, b)
    ]
    if first[0] is not None and first[1] is not None and not torch.equal(first[0].labels, first[1].labels):
        raise ValueError("a and b have other labels; compare results on the same clips in the same order")


def _per_subject(right: np.ndarray, subjects: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Their numbers (P,), clips (P,), sums of `right` (P,); clips with NaN are left out."""
    table = getattr(subjects, "table", None)
    if table is None and (hasattr(subjects, "table") or subjects is None):
        raise ValueError("subjects are unknown: these features carry no table; give (N,) subjects")
    who = np.asarray(subjects if table is None else table["subject"])
    if who.shape != right.shape:
        raise ValueError(f"subjects are {who.shape}, the clips {right.shape}; give a subject for every test clip")
    if who.dtype.kind in "iuf" and (who < 0).any():
        raise ValueError(f"{int((who < 0).sum())} of {len(who)} clips have no known subject; leave them out")
    known = np.isfinite(right)
    if not known.any():
        raise ValueError("no clip has a score; nothing can be said")
    names, place = np.unique(who[known], return_inverse=True)
    return names, np.bincount(place), np.bincount(place, weights=right[known])
