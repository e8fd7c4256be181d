"""The control with labels: how many steps a time allows, with a clock of the test's own."""

import numpy as np
import pytest

from slimlab import evaluate
from slimlab.encoder import EncoderConfig
from tests.conftest import counting_clip, make_store


# A step takes (9 - 5) / 8 s; a quarter of 1 s / 10 where the longer run was hardly longer; 1 ms where no time passed.
@pytest.mark.parametrize(
    ("readings", "seconds", "steps"),
    [((0, 5, 14), 1.0, 2), ((0, 0.9, 1.9), 0.05, 2), ((0, 0, 0), 0.003, 3), ((0, 5, 14), 0.1, 1)],
)
def test_no_timing_becomes_an_unbounded_number_of_steps(readings, seconds, steps):
    clock = iter(readings)  # before, after 2 steps, after 10 more
    store = make_store([counting_clip(9), -counting_clip(9)], label=np.arange(2))
    config = EncoderConfig(width=8, depth=1, heads=1, frames=8)
    encoder = evaluate.supervised(config, store, batch_size=2, seconds=seconds, clock=lambda: float(next(clock)))
    assert encoder.steps == steps
