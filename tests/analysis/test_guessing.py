"""Hidden cells guessed from their neighbours: interpolation where it is one, zero where nothing is connected."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlab import analysis, masking
from slimlab.skeleton import KINECT_V1, KINECT_V2


def values(steps=8, joints=25, seed=0):
    return torch.randn(2, steps, joints, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_in_time_it_is_numpys_linear_interpolation():
    x = values()
    mask = torch.zeros(2, 8, 25, dtype=torch.bool)
    mask[:, [1, 2, 4, 5, 6], 3] = True
    got = analysis.guess(x, mask, KINECT_V2, "time")
    for axis in range(3):
        line = np.interp([1, 2, 4, 5, 6], [0, 3, 7], x[0, [0, 3, 7], 3, axis])
        np.testing.assert_allclose(got[0, [1, 2, 4, 5, 6], 3, axis], line, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), ratio=st.floats(0.1, 0.9), by=st.sampled_from(["time", "body", "time and body"]))
def test_visible_cells_stay_and_hidden_ones_are_means_of_neighbours(seed, ratio, by):
    x, body = values(4, 20, seed), KINECT_V1
    mask = masking.random_cells(2, 4, body, ratio, torch.Generator().manual_seed(seed))
    got = analysis.guess(x, mask, body, by)
    torch.testing.assert_close(got[~mask], x[~mask])
    t, v = (int(i) for i in mask[0].nonzero()[0])
    around = [got[0, s, v] for s in (t - 1, t + 1) if 0 <= s < 4] if "time" in by else []
    around += [got[0, t, a if b == v else b] for a, b in body.bones if v in (a, b)] if "body" in by else []
    torch.testing.assert_close(got[0, t, v], torch.stack(around).mean(dim=0), atol=2e-3, rtol=2e-3)


def test_where_nothing_visible_is_connected_the_guess_is_zero():
    mask = torch.zeros(2, 8, 25, dtype=torch.bool)
    mask[:, :, 5] = True  # over all time
    mask[:, 2] = True  # the whole body
    assert analysis.guess(values(), mask, KINECT_V2, "time")[:, :, 5].abs().max() == 0
    assert analysis.guess(values(), mask, KINECT_V2, "body")[:, 2].abs().max() == 0
    assert analysis.guess(values(), mask, KINECT_V2)[:, 3, 5].abs().max() > 0.01
    with pytest.raises(KeyError):
        analysis.guess(values(), mask, KINECT_V2, "luck")


def test_cells_are_means_over_their_frames():
    x = torch.arange(16.0).view(1, 1, 16, 1, 1).expand(1, 3, 16, 25, 1)
    cells = analysis.cells(x)
    assert cells.shape == (1, 2, 25, 3) and cells[0, 0, 0, 0] == 3.5 and cells[0, 1, 0, 0] == 11.5


def test_random_cells_are_easier_than_tubes_and_the_control_is_not(synthetic):
    table = analysis.guess_errors(synthetic, strategies=("semantic_tubes", "random_cells"), clips=24)
    error = table.set_index(["strategy", "guess"])["error"]
    for by in ("time", "body", "time and body"):  # ten sets: 1.28 to 1.66, 1.55 to 1.66, 1.72 to 2.00
        assert error["semantic_tubes", by] > 1.1 * error["random_cells", by]
    control = error["semantic_tubes", "average pose"] / error["random_cells", "average pose"]
    assert control == pytest.approx(1, abs=0.1)  # ten sets: 0.994 to 1.033
    assert len(table) == 8 and (table["standard_error"] > 0).all()
    again = analysis.guess_errors(synthetic, strategies=("semantic_tubes", "random_cells"), clips=24)
    assert table.equals(again)
