"""The finished study, and checks of the exercises on it: which variant may be chosen by what, intervals over subjects, pairs."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pandas as pd

from slimlab import evaluate, study
from slimlab.lessons.asking import NotYet, attempt, expect, passed


def finished_study() -> pd.DataFrame:
    """The mask-ratio study of docs/studies.md, a line a run, as `python benchmarks/studies.py mask-ratio UTD_MHAD` made it."""
    with as_file(files("slimlab").joinpath("lessons", "runs", "mask-ratio.csv")) as path:
        return study.load(path)


def check_chosen(function: Callable[[pd.DataFrame], Any]) -> None:
    """function(table) -> (variant, its mean test accuracy `knn`): chosen by the mean of `held_out_knn` over seeds.

    Raises NotYet.
    """
    for seed in range(4):
        table = _made_up(np.random.default_rng(seed))
        got = attempt(function, table.copy())
        expect(isinstance(got, tuple) and len(got) == 2, "chosen should return two things: the variant, and its test accuracy.")
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
                "chosen takes the variant that is best on the test side: that figure is no longer about new people.",
            )
            expect(
                variant != one_run,
                "chosen takes the variant of the single best run: average over seeds first, luck is not a setting.",
            )
            raise NotYet(
                f"chosen takes '{variant}': take the variant whose mean `held_out_knn` over seeds is highest, '{right}' here."
            )
        expect(
            abs(accuracy - float(means.loc[right, "held_out_knn"])) > 1e-9,
            "chosen reports the held-out accuracy that it chose by, which flatters: report the mean of `knn`, the test side's.",
        )
        wanted = float(means.loc[right, "knn"])
        expect(
            abs(accuracy - wanted) < 1e-9, f"chosen reports {accuracy:.4f} where the mean of `knn` over seeds is {wanted:.4f}."
        )
    passed("Chosen: by held-out training subjects over seeds, reported on the test side.", function)


def check_subject_interval(function: Callable[..., Any]) -> None:
    """function(accuracy (P,), clips (P,), rng, draws) -> (low, high): 95 % bootstrap interval of the accuracy over clips when
    subjects are drawn with replacement. Compared with `evaluate.over_subjects`. Raises NotYet."""
    for seed, count in ((0, 4), (1, 6), (2, 9)):
        rng = np.random.default_rng(seed)
        accuracy, clips = rng.uniform(0.3, 0.9, count).round(2), rng.integers(20, 200, count)
        got = attempt(function, accuracy.copy(), clips.copy(), np.random.default_rng(seed), 8000)
        expect(isinstance(got, tuple) and len(got) == 2, "interval should return two numbers: low, high.")
        low, high = (_number(value, "what interval returns") for value in got)
        per_clip, who = np.repeat(accuracy, clips), np.repeat(np.arange(count), clips)
        wanted = evaluate.over_subjects(per_clip, who)
        room = 0.25 * (wanted.high - wanted.low)
        expect(high - low > 1e-9, "interval has no width: draw subjects with replacement, so that each draw has others.")
        if abs(low - wanted.low) < room / 3 and abs(high - wanted.high) < room / 3:
            continue
        expect(
            (high - low) > 0.5 * (wanted.high - wanted.low),
            f"interval is {(high - low) / (wanted.high - wanted.low):.1f} times as wide as it should be: draw whole subjects, "
            "not single clips, and take the percentiles of all draws.",
        )
        equal = np.quantile(accuracy[rng.integers(0, count, (8000, count))].mean(axis=1), [0.025, 0.975])
        expect(
            abs(low - equal[0]) > room / 3 or abs(high - equal[1]) > room / 3 or np.ptp(clips) == 0,
            "interval lets every subject count alike: weigh each by its clips, in the numerator and in the denominator.",
        )
        raise NotYet(
            f"interval is {low:.3f} to {high:.3f}; {wanted.low:.3f} to {wanted.high:.3f} is right: take the 2.5 and 97.5 % point."
        )
    passed("Interval: subjects are drawn whole, with replacement, and weighed by their clips.", function)


def check_sign_flips(function: Callable[..., Any]) -> None:
    """function(a (S,), b (S,)) -> p, two-sided, by all 2^S sign flips of the paired differences. Compared with
    `evaluate.paired_seeds`. Raises NotYet."""
    for seed, count in ((0, 3), (1, 5), (2, 8), (3, 4)):
        rng = np.random.default_rng(seed)
        shared = rng.normal(0.7, 0.05, count)  # what a and b share: a pair is one seed
        a, b = shared + rng.normal(0.02, 0.01, count), shared + rng.normal(0, 0.01, count)
        a, b = (b, a) if seed % 2 else (a, b)
        got = _number(attempt(function, a.copy(), b.copy()), "what p_value returns")
        wanted = evaluate.paired_seeds(a.tolist(), b.tolist()).p
        if abs(got - wanted) < 1e-9:
            continue
        expect(0 <= got <= 1, f"p_value returns {got:.3g}: a p-value is a part of the 2^{count} patterns, between 0 and 1.")
        expect(
            got > 0, "p_value returns 0: the pattern that was seen is one of those that are counted, so p is at least 1 / 2^S."
        )
        expect(
            abs(2 * got - wanted) > 1e-9,
            "p_value counts one side alone: compare absolute values, a difference the other way counts as much.",
        )
        expect(
            abs(got + 2 / 2**count - wanted) > 1e-9,
            "p_value leaves out patterns that give the same difference as was seen: count with >=, and allow for rounding.",
        )
        raise NotYet(f"p_value gives {got:.4f} where {wanted:.4f} is right: flip the sign of each pair's difference in all ways.")
    passed("Sign flips: all patterns of the paired differences, two-sided.", function)


def _number(value: Any, what: str) -> float:
    """A finite number. Raises NotYet where it is something else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise NotYet(f"{what} is {type(value).__name__}, should be a number.") from None
    expect(np.isfinite(number), f"{what} is {number}: look for a division by zero or an empty mean.")
    return number


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
