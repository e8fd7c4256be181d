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


def in_double(logits, temperature, iterations=3):
    return sinkhorn(logits.double(), temperature, iterations)


def by_loops(logits, temperature, iterations=3):
    """Column by column and row by row."""
    q = ((logits - logits.max()) / temperature).exp().double()
    for _ in range(iterations):
        q = torch.stack([column / column.sum() for column in q.T], dim=1)
        q = torch.stack([row / row.sum() for row in q])
    return q


def with_factors(logits, temperature, iterations=3):
    """As the equations have it, rows made to sum to one at the end."""
    q = ((logits - logits.max()) / temperature).exp()
    for _ in range(iterations):
        q = q / (q.shape[1] * q.sum(dim=0, keepdim=True))
        q = q / (q.shape[0] * q.sum(dim=1, keepdim=True))
    return q * len(q)


def without_keepdim(logits, temperature, iterations=3):
    q = ((logits - logits.max()) / temperature).exp()
    for _ in range(iterations):
        q = q / q.sum(dim=0)
        q = q / q.sum(dim=1)
    return q


def by_normalize(logits, temperature, iterations=3):
    q = ((logits - logits.max()) / temperature).exp()
    for _ in range(iterations):
        q = torch.nn.functional.normalize(torch.nn.functional.normalize(q, p=1, dim=0), p=1, dim=1)
    return q


def in_logarithms(logits, temperature, iterations=3):
    q = logits / temperature
    for _ in range(iterations):
        q = q - q.logsumexp(dim=0, keepdim=True)
        q = q - q.logsumexp(dim=1, keepdim=True)
    return q.exp()


@pytest.mark.parametrize("function", [sinkhorn, in_logarithms, losses.sinkhorn_knopp, in_double, by_loops, with_factors])
def test_sinkhorn_right(function, capsys):
    lessons.check_sinkhorn(function)
    assert capsys.readouterr().out.count("✓") == 1


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda x, t, n=3: (x / t).softmax(dim=1), "plain softmax"),
        (columns_last, "dividing each row"),
        (lambda x, t, n=3: sinkhorn(x, 1.0, n), "temperature"),
        (lambda x, t, n=3: sinkhorn(x, 1 / t, n), "multiplies by the temperature"),
        (lambda x, t, n=3: sinkhorn(x, t, 3), "iterations"),
        (lambda x, t, n=3: sinkhorn(x.T, t, n).T, "dividing each row"),
        (lambda x, t, n=3: with_factors(x, t, n) / len(x), "sum to 1/N"),
        (lambda x, t, n=3: sinkhorn(x, t, 300), "makes more than"),
        (lambda x, t, n=3: columns_last(x, t, n).double(), "dividing each row"),
        (lambda x, t, n=3: without_shift(x.double(), t, n), "infinite or NaN|100 is added"),
        (lambda x, t, n=3: sinkhorn(x, t, n).numpy(), "torch tensor"),
        (without_shift, "infinite or NaN|100 is added"),
        (lambda x, t, n=3: sinkhorn(x, t, n)[0], "shape"),
        (lambda x, t, n=3: sinkhorn(x - x.amax(dim=1, keepdim=True), t, n), "each row's own largest"),
        (lambda x, t, n=3: sinkhorn((x / t).log_softmax(dim=1) * t, t, n), "begins with the rows"),
        (lambda x, t, n=3: sinkhorn(x.sub_(x.max()), t, n), "changes the logits that it was given"),
        (lambda x, t, n: sinkhorn(x, t, n), "missing 1 required positional argument"),
        (without_keepdim, "stopped in the line.*must match the size"),
        (by_normalize, "F.normalize divides by 1e-12"),
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
