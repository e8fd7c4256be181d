"""Teacher against masked student, against a plain loop over cells."""

import numpy as np
import pytest
import torch

from slimlab import analysis, data
from slimlab.data import test_view as view_of  # pytest would take the name for a test
from slimlab.evaluate import prepare
from slimlab.pretrain.config import Config
from slimlab.pretrain.trainer import Networks
from tests.conftest import make_store


@pytest.fixture(scope="module")
def networks(synthetic):
    config = Config(preset="tiny", width=32, depth=1, prototypes=16)
    made = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        made.append(Networks(config, synthetic.skeleton).requires_grad_(False).train())
    return made


@pytest.fixture
def mask():
    return torch.rand(2, 25, generator=torch.Generator().manual_seed(0)) < 0.5


def test_against_a_plain_loop(networks, synthetic, mask):
    student, teacher = networks
    found = analysis.agreement(student, teacher, synthetic, 4, mask)
    assert student.training and teacher.training  # as they were
    x = prepare(view_of(synthetic, [4], 32)[0][..., :1], teacher.encoder.config)[0]
    ours = student.token_head(student.encoder(x, mask=mask).tokens[0, 0])
    theirs = teacher.token_head(teacher.encoder(x).tokens[0, 0])
    cells = [tuple(c) for c in mask.nonzero().tolist()]
    place = lambda cell, prototype: float((ours[cell] < ours[cell][prototype]).sum()) / 15  # noqa: E731
    choice = {(t, j): int(theirs[t, j].argmax()) for t in range(2) for j in range(25)}
    for cell, prototype in choice.items():
        assert float(found.values[cell]) == pytest.approx(place(cell, prototype), abs=1e-6)
        assert bool(found.same[cell]) == (int(ours[cell].argmax()) == prototype)
    others = [place(a, choice[b]) for a in cells for b in cells if a != b]
    assert found.elsewhere == pytest.approx(np.mean(others), abs=1e-6)
    assert found.masked == pytest.approx(np.mean([place(c, choice[c]) for c in cells]), abs=1e-6)
    assert found.joints.shape == (32, 1, 25, 3) and found.patch_frames == 16


def test_the_teacher_agrees_with_itself_where_nothing_is_hidden(networks, synthetic):
    teacher = networks[1]
    found = analysis.agreement(teacher, teacher, synthetic, 0, torch.zeros(2, 25, dtype=torch.bool))
    assert found.same.all() and (found.values == 1).all() and np.isnan(found.masked)


def test_what_does_not_fit_is_named(networks, synthetic, mask):
    with pytest.raises(ValueError, match=r"\(T', V\) = \(2, 25\)"):
        analysis.agreement(*networks, synthetic, 0, mask[:1])
    empty = make_store([np.zeros((5, 1, 25, 3), np.float32), synthetic[0].joints])
    with pytest.raises(data.DataError, match="nobody in it"):
        analysis.agreement(*networks, empty, 0, mask)
