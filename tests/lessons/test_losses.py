"""The checks of the losses take right answers and name the mistakes that readers make."""

import pytest
import torch

from slimlab import lessons, losses


def sinkhorn(logits, temperature, iterations=3):
    q = ((logits - logits.max()) / temperature).exp()
    for _ in range(iterations):
        q = q / q.sum(dim=0, keepdim=True)
        q = q / q.sum(dim=1, keepdim=True)
    return q


def without_shift(logits, temperature, iterations=3):
    q = (logits / temperature).exp()
    for _ in range(iterations):
        q = q / q.sum(dim=0, keepdim=True)
        q = q / q.sum(dim=1, keepdim=True)
    return q


def columns_last(logits, temperature, iterations=3):
    q = ((logits - logits.max()) / temperature).exp()
    for _ in range(iterations):
        q = q / q.sum(dim=1, keepdim=True)
        q = q / q.sum(dim=0, keepdim=True)
    return q


def test_sinkhorn_right():
    lessons.check_sinkhorn(sinkhorn)
    lessons.check_sinkhorn(losses.sinkhorn_knopp)


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda x, t, n=3: (x / t).softmax(dim=1), "plain softmax"),
        (columns_last, "dividing each row"),
        (lambda x, t, n=3: sinkhorn(x, 1.0, n), "temperature"),
        (lambda x, t, n=3: sinkhorn(x, t, 3), "iterations"),
        (lambda x, t, n=3: sinkhorn(x.T, t, n).T, "dividing each row"),
        (without_shift, "infinite or NaN|100 is added"),
        (lambda x, t, n=3: sinkhorn(x, t, n)[0], "shape"),
    ],
)
def test_sinkhorn_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_sinkhorn(function)


def test_sinkhorn_leaves_no_trace_in_torchs_dice():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    lessons.check_sinkhorn(sinkhorn)
    assert torch.equal(before, torch.get_rng_state())
