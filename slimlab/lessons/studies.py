"""The finished study, and checks of the exercises on it: which variant may be chosen by what, intervals over subjects, pairs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pandas as pd

from slimlab import evaluate, study
from slimlab.lessons.asking import NotYet, attempt, expect, passed

DRAWS = 20_000  # that the interval's check asks for; the part of them below a bound then has a standard error of 0.0011
TAIL, CLOSE = 0.025, 0.006  # part of the draws outside each end of a 95 % interval; how far from it an answer may be


def finished_study(name: str = "mask-ratio") -> pd.DataFrame:
    """A study of docs/studies.md, a line a run, as `python benchmarks/studies.py NAME UTD_MHAD` made it.

    name  "mask-ratio" or "labels"

    Raises ValueError for another name.
    """
    if name not in ("mask-ratio", "labels"):
        raise ValueError(f"finished_study: there is no study '{name}'; choose mask-ratio or labels")
    with as_file(files("slimlab").joinpath("lessons", "runs", f"{name}.csv")) as path:
        return study.load(path)


def check_chosen(function: Callable[[pd.DataFrame], Any]) -> None:
    """Check function(table) -> (variant, accuracy): chosen by the mean `held_out_knn` over seeds, reported as the mean `knn`.

    Raises:
        NotYet: What is wrong with the answer.
    """
    for seed in range(4):
        table = _made_up(np.random.default_rng(seed))
        got = _two(attempt(function, table.copy()), "chosen", "the variant, and its test accuracy")
        means: Any = table.groupby("variant")[["held_out_knn", "knn"]].mean()  # pandas is loosely typed here
        variant, accuracy = str(got[0]), _number(got[1], "the accuracy that chosen returns")
        expect(
            variant in means.index,
            f"chosen returned '{variant}', which is no variant of the table: return a value of the column `variant`.",
        )
        right = str(means["held_out_knn"].idxmax())
        if variant != right:
            by_test = str(means["knn"].idxmax())
            one_run = str(table.loc[table["held_out_knn"].idxmax(), "variant"])
            expect(
                variant != by_test,
                "chosen takes the variant that is best on the test side: its accuracy there no longer speaks of new people.",
            )
            expect(
                variant != one_run,
                "chosen takes the variant of the single best run: average over seeds first, because one run may be lucky.",
            )
            raise NotYet(
                f"chosen takes '{variant}': take the variant whose mean `held_out_knn` over seeds is highest, '{right}' here."
            )
        expect(
            abs(accuracy - float(means.loc[right, "held_out_knn"])) > 1e-5,
            "chosen reports the held-out accuracy that it chose by, which flatters: report the mean of `knn`, the test side's.",
        )
        wanted = float(means.loc[right, "knn"])
        expect(
            abs(accuracy - wanted) < 1e-5, f"chosen reports {accuracy:.4f} where the mean of `knn` over seeds is {wanted:.4f}."
        )
    passed("Chosen: by held-out training subjects over seeds, reported on the test side.", function)


def check_subject_interval(function: Callable[..., Any]) -> None:
    """Check function(accuracy (P,), clips (P,), rng, draws) -> (low, high), a 95 % bootstrap interval over subjects.

    An answer is judged by the part of all resamples that lies outside each of its ends, so that a way of rounding between two
    resamples makes no difference, but another level does.

    Raises:
        NotYet: What is wrong with the answer.
    """
    for seed, count in ((0, 4), (1, 6), (2, 9)):
        rng = np.random.default_rng(seed)
        accuracy, clips = rng.uniform(0.3, 0.9, count).round(2), rng.integers(20, 200, count)
        answer = attempt(function, accuracy.copy(), clips.copy(), np.random.default_rng(seed), DRAWS)
        low, high = (_number(value, "what interval returns") for value in _two(answer, "interval", "low, high"))
        expect(high - low > 1e-9, "interval has no width: draw subjects with replacement, so that each draw has others.")
        values = _resampled(accuracy, clips, rng)
        below, above = _outside(values, low), _outside(-values, -high)
        if all(part[0] <= TAIL + CLOSE and part[1] >= TAIL - CLOSE for part in (below, above)):
            continue
        wanted = np.quantile(values, [TAIL, 1 - TAIL])
        times = (high - low) / float(np.ptp(wanted))
        expect(
            times > 0.5,
            f"interval is {times:.1f} times as wide as it should be: draw whole subjects, not single clips, and take the "
            "percentiles of all draws.",
        )
        equal = _resampled(accuracy, np.ones_like(clips), rng)
        alike = all(
            part[0] <= TAIL + CLOSE and part[1] >= TAIL - CLOSE for part in (_outside(equal, low), _outside(-equal, -high))
        )
        expect(
            not alike,
            "interval lets every subject count alike: weigh each by its clips, in the numerator and in the denominator.",
        )
        missed = float(np.mean([*below, *above]))
        level = 100 * (1 - 2 * missed)
        even = max(*below, *above) - min(*below, *above) < 0.35 * missed
        expect(
            not (even and 50 < level < 100),
            f"interval holds about {level:.0f} % of the draws, not 95 %: leave out 2.5 % of them at each end.",
        )
        raise NotYet(
            f"interval is {low:.3f} to {high:.3f}; {wanted[0]:.3f} to {wanted[1]:.3f} is right: take the 2.5 and 97.5 % point "
            "of the accuracies of all draws."
        )
    passed("Interval: subjects are drawn whole, with replacement, and weighed by their clips.", function)


def check_sign_flips(function: Callable[..., Any]) -> None:
    """Check function(a (S,), b (S,)) -> p, two-sided, by all 2^S sign flips of the paired differences.

    Compared with `evaluate.paired_seeds`. The last case has differences of whole hundredths, of which several patterns give the
    same sum up to rounding.

    Raises:
        NotYet: What is wrong with the answer.
    """
    for a, b in _pairs():
        count = len(a)
        got = _number(attempt(function, a.copy(), b.copy()), "what p_value returns")
        wanted = evaluate.paired_seeds(a.tolist(), b.tolist()).p
        if abs(got - wanted) < 1e-5:
            continue
        expect(
            -1e-9 <= got <= 1 + 1e-6,
            f"p_value returns {got:.3g}: a p-value is a part of the 2^{count} patterns, between 0 and 1.",
        )
        expect(
            got > 1e-9,
            "p_value returns 0: the pattern that was seen is one of those that are counted, so p is at least 1 / 2^S.",
        )
        expect(
            abs(2 * got - wanted) > 1e-5,
            "p_value counts one side alone: compare absolute values, a difference the other way counts as much.",
        )
        lost = round((wanted - got) * 2**count)
        expect(
            not (lost in (1, 2) or (lost > 0 and _ties(a - b))) or abs((wanted - got) * 2**count - lost) > 1e-3,
            "p_value leaves out patterns that give the same difference as was seen: count with >=, and allow for rounding.",
        )
        raise NotYet(f"p_value gives {got:.4f} where {wanted:.4f} is right: flip the sign of each pair's difference in all ways.")
    passed("Sign flips: all patterns of the paired differences, two-sided.", function)


def _two(got: Any, name: str, what: str) -> tuple[Any, Any]:
    """Two values: of a tuple, a list or an array. Raises NotYet where it is something else."""
    expect(got is not None, f"{name} returned nothing: end it with a line `return …`.")
    values: tuple[Any, ...]
    try:
        values = () if isinstance(got, str | dict) else tuple(got)
    except TypeError:
        values = ()
    expect(len(values) == 2, f"{name} should return two things: {what}.")
    return values[0], values[1]


def _number(value: Any, what: str) -> float:
    """A finite number. Raises NotYet where it is something else."""
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"{what} is {type(value).__name__}, should be a number.") from None
    expect(np.isfinite(number), f"{what} is {number}: look for a division by zero or an empty mean.")
    return number


def _resampled(accuracy: np.ndarray, clips: np.ndarray, rng: np.random.Generator, draws: int = 200_000) -> np.ndarray:
    """(draws,) the accuracy over clips of subjects drawn with replacement."""
    drawn = rng.integers(0, len(clips), (draws, len(clips)))
    return (accuracy * clips)[drawn].sum(axis=1) / clips[drawn].sum(axis=1)


def _outside(values: np.ndarray, bound: float) -> tuple[float, float]:
    """Parts of the values below a bound, and below or at it."""
    return float((values < bound - 1e-6).mean()), float((values <= bound + 1e-6).mean())


def _pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    """Accuracies of two variants, a pair a seed; a is ahead in some, b in others, and in the last some patterns tie."""
    out = []
    for seed, count in ((0, 3), (1, 5), (2, 8), (3, 4)):
        rng = np.random.default_rng(seed)
        shared = rng.normal(0.7, 0.05, count)  # what a and b share: a pair is one seed
        a, b = shared + rng.normal(0.02, 0.01, count), shared + rng.normal(0, 0.01, count)
        out.append((b, a) if seed % 2 else (a, b))
    return [*out, (np.array([0.70, 0.73, 0.77, 0.64, 0.64, 0.56]), np.array([0.67, 0.71, 0.75, 0.65, 0.61, 0.59]))]


def _ties(d: np.ndarray) -> bool:
    """Whether the differences are whole hundredths, so that other patterns give the sum that was seen."""
    return bool(np.allclose(100 * d, np.round(100 * d), atol=1e-6))


def _made_up(rng: np.random.Generator) -> pd.DataFrame:
    """A table with three different variants: best held-out, best on the test side, and that of the best single run."""
    held, test, spread = np.array([0.70, 0.60, 0.64, 0.55]), np.array([0.60, 0.75, 0.62, 0.50]), np.array([0, 0, 0.12, 0])
    order = rng.permutation(4)
    rows = [
        {"variant": f"mask_ratio={ratio}", "mask_ratio": ratio, "seed": seed}
        | {"held_out_knn": held[k] + spread[k] * (seed - 1) + rng.normal(0, 0.002), "knn": test[k] + rng.normal(0, 0.002)}
        for ratio, k in zip((0.3, 0.5, 0.7, 0.9), order, strict=True)
        for seed in range(3)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=int(rng.integers(1000))).reset_index(drop=True)
