"""The control with labels: how many steps a time allows, with a clock of the test's own."""

import pytest

from slimlab.evaluate.supervised import _steps_within


@pytest.mark.parametrize(("readings", "steps"), [((0, 1, 1.5), 800), ((0, 0.3, 1.4), 100), ((0, 0, 0), 10_000)])
def test_no_timing_becomes_an_unbounded_number_of_steps(readings, steps):
    clock = iter(readings)  # before, after 2 steps, after 10 more
    assert _steps_within(10.0, lambda _: None, lambda: next(clock)) == steps
