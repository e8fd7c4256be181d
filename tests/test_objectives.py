"""The losses against loops in float64 that follow the formulas."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlab.objectives import PrototypeHead, global_local_loss, koleo_loss, masked_feature_loss, sinkhorn_knopp


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def naive_sinkhorn(logits, temperature, iterations=3):
    q = torch.exp(logits.double() / temperature).T  # (K, N)
    q = q / q.sum()
    k, n = q.shape
    for _ in range(iterations):
        for row in range(k):
            q[row] = q[row] / q[row].sum() / k
        for column in range(n):
            q[:, column] = q[:, column] / q[:, column].sum() / n
    return (q * n).T


@given(st.integers(1, 20), st.integers(2, 30), st.sampled_from([0.02, 0.07, 0.5]), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_sinkhorn_is_the_naive_loop(samples, prototypes, temperature, seed):
    logits = torch.nn.functional.normalize(randn(samples, prototypes, seed=seed), dim=1)
    targets = sinkhorn_knopp(logits, temperature)
    torch.testing.assert_close(targets.double(), naive_sinkhorn(logits, temperature), atol=2e-5, rtol=1e-3)
    torch.testing.assert_close(targets.sum(1), torch.ones(samples))


def test_sinkhorn_uses_prototypes_equally():
    logits = randn(256, 16) + torch.linspace(0, 3, 16)  # one prototype is preferred by all
    assert logits.argmax(1).bincount(minlength=16).max() > 60
    columns = sinkhorn_knopp(logits, 0.5, iterations=20).sum(0)
    torch.testing.assert_close(columns, torch.full((16,), 16.0), atol=0.2, rtol=0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e6])
def test_sinkhorn_survives_any_scale(scale):
    for dtype in (torch.float32, torch.bfloat16):
        targets = sinkhorn_knopp((randn(12, 8) * scale).to(dtype), 0.02)
        assert torch.isfinite(targets).all()
        torch.testing.assert_close(targets.sum(1), torch.ones(12))
    assert sinkhorn_knopp(torch.zeros(0, 8), 0.02).shape == (0, 8)


def naive_cross_entropy(logits, target, temperature):
    scaled = [v / temperature for v in logits.double().tolist()]
    top = max(scaled)
    log_sum = top + math.log(sum(math.exp(v - top) for v in scaled))
    return -sum(t * (v - log_sum) for t, v in zip(target.double().tolist(), scaled, strict=True))


def test_glcl_is_the_mean_over_all_other_views():
    logits = [randn(4, 10, seed=s) for s in range(6)]
    targets = [sinkhorn_knopp(randn(4, 10, seed=10 + s), 0.1) for s in range(2)]
    terms = [
        sum(naive_cross_entropy(logits[s][b], targets[t][b], 0.1) for b in range(4)) / 4
        for t in range(2)
        for s in range(6)
        if s != t
    ]
    assert len(terms) == 2 + 2 * 4
    assert float(global_local_loss(logits, targets, 0.1)) == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_glcl_of_a_student_that_knows_nothing_is_ln_k():
    targets = [sinkhorn_knopp(randn(4, 32, seed=s), 0.05) for s in range(2)]
    assert float(global_local_loss([torch.zeros(4, 32)] * 4, targets)) == pytest.approx(math.log(32), rel=1e-5)


def test_mfm_is_a_mean_over_cells_then_views():
    mask = torch.rand(5, 4, 6, generator=torch.Generator().manual_seed(2)) < 0.4
    mask[2] = False  # a view without masked cells counts zero
    cells = int(mask.sum())
    logits, targets = randn(cells, 7), sinkhorn_knopp(randn(cells, 7, seed=1), 0.1)
    total, at = 0.0, 0
    for view in mask:
        n = int(view.sum())
        total += sum(naive_cross_entropy(logits[at + i], targets[at + i], 0.1) for i in range(n)) / max(n, 1)
        at += n
    assert float(masked_feature_loss(logits, targets, mask, 0.1)) == pytest.approx(total / 5, rel=1e-5)


def test_koleo_is_the_naive_loop():
    x = randn(7, 5)
    y = torch.nn.functional.normalize(x.double(), dim=1)
    nearest = [min(float((y[i] - y[j]).norm()) for j in range(7) if j != i) for i in range(7)]
    assert float(koleo_loss(x)) == pytest.approx(-sum(math.log(d + 1e-6) for d in nearest) / 7, rel=1e-4)


def test_koleo_spreads():
    x = randn(6, 4).requires_grad_()
    before = koleo_loss(x).item()
    koleo_loss(x).backward()
    assert koleo_loss(x.detach() - 0.05 * x.grad).item() < before
    same = torch.ones(4, 3, requires_grad=True)
    koleo_loss(same).backward()
    assert torch.isfinite(same.grad).all() and float(koleo_loss(torch.ones(1, 3))) == 0.0


def test_the_head_gives_cosines_times_norms():
    torch.manual_seed(0)
    head = PrototypeHead(16, prototypes=12, hidden=32, bottleneck=8, init_std=None)
    logits = head(randn(5, 3, 16))
    assert logits.shape == (5, 3, 12) and logits.abs().max() <= 1 + 1e-6
    with torch.no_grad():
        head.prototypes *= 7  # only directions matter
        torch.testing.assert_close(head(randn(5, 3, 16)), logits)
        head.norms *= 2
        torch.testing.assert_close(head(randn(5, 3, 16)), 2 * logits)


def test_targets_carry_no_gradient():
    logits = randn(4, 6).requires_grad_()
    assert not sinkhorn_knopp(logits, 0.1).requires_grad
