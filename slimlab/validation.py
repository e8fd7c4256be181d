"""Checks of settings: one rule per field of a settings dataclass, all of them applied before any work starts.

A rule takes a field's value and returns what is wrong with it, or "" where the value is possible.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Rule = Callable[[Any], str]


def check(settings: Any, rules: Mapping[str, Rule]) -> None:
    """Apply each rule to the field of its name. Raises ValueError that names field, value and what the field accepts."""
    for name, rule in rules.items():
        value = getattr(settings, name)
        if problem := rule(value):
            raise ValueError(f"{name} {value!r} {problem}")


def integer(least: int, most: int | None = None) -> Rule:
    """A whole number of at least `least`, and at most `most` where that is given."""
    bounds = f"of at least {least}" if most is None else f"in {least}..{most}"

    def rule(value: Any) -> str:
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= (value if most is None else most)
        return "" if fits else f"must be a whole number {bounds}"

    return rule


def number(least: float = 0.0, most: float = math.inf, above: bool = False) -> Rule:
    """A finite number in least..most; above: greater than `least`."""
    if math.isinf(most):
        says = "must be a finite number " + (f"above {least:g}" if above else f"of at least {least:g}")
    else:
        says = f"must lie in {least:g}..{most:g}" + (f", above {least:g}" if above else "")

    def rule(value: Any) -> str:
        real = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        return "" if real and least <= value <= most and not (above and value == least) else says

    return rule


def choice(names: Sequence[str]) -> Rule:
    """One of these names."""

    def rule(value: Any) -> str:
        return "" if isinstance(value, str) and value in names else f"is unknown; choose one of {', '.join(names)}"

    return rule


def boolean(value: Any) -> str:
    """True or False."""
    return "" if isinstance(value, bool) else "must be True or False"


def pair(each: Rule, ordered: bool = False) -> Rule:
    """Two values that both follow `each`; ordered: the first is not above the second."""

    def rule(value: Any) -> str:
        if not isinstance(value, tuple) or len(value) != 2:
            return "must be a pair of numbers"
        for one in value:
            if problem := each(one):
                return f"holds {one!r}, which {problem}"
        return "must be a pair in ascending order" if ordered and value[0] > value[1] else ""

    return rule


def optional(rule: Rule) -> Rule:
    """None, or what follows `rule`."""

    def either(value: Any) -> str:
        problem = "" if value is None else rule(value)
        return f"{problem}, or be None" if problem else ""

    return either
