"""Properties of heads, targets and losses; their numbers against naive loops and lightly: test_parity.py."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from slimlab import _fused, losses
from slimlab.losses import (
    PrototypeHead,
    RunningCenter,
    cell_weights,
    cross_entropy,
    global_local_loss,
    koleo_loss,
    masked_feature_loss,
    prototype_cross_entropy,
    sinkhorn_knopp,
)
from tests import reference


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 20), st.integers(2, 30), st.sampled_from([0.02, 0.07, 0.5]), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_sinkhorn_is_the_naive_loop(samples, prototypes, temperature, seed):
    logits = torch.nn.functional.normalize(randn(samples, prototypes, seed=seed), dim=1)
    targets = sinkhorn_knopp(logits, temperature)
    np.testing.assert_allclose(targets.double(), reference.sinkhorn(logits, temperature), atol=2e-5, rtol=1e-3)
    torch.testing.assert_close(targets.sum(1), torch.ones(samples))


def test_sinkhorn_uses_prototypes_equally():
    logits = randn(256, 16) + torch.linspace(0, 3, 16)  # one prototype is preferred by all
    assert logits.argmax(1).bincount(minlength=16).max() > 45  # 16 if all were equal; ten seeds: 63 to 81
    columns = sinkhorn_knopp(logits, 0.5, iterations=20).sum(0)
    torch.testing.assert_close(columns, torch.full((16,), 16.0), atol=0.2, rtol=0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e6])
def test_sinkhorn_survives_any_scale(scale):
    for dtype in (torch.float32, torch.bfloat16):
        targets = sinkhorn_knopp((randn(12, 8) * scale).to(dtype), 0.02)
        assert torch.isfinite(targets).all()
        torch.testing.assert_close(targets.sum(1), torch.ones(12))
    assert sinkhorn_knopp(torch.zeros(0, 8), 0.02).shape == (0, 8)


def test_glcl_of_a_student_that_knows_nothing_is_ln_k():
    targets = [sinkhorn_knopp(randn(4, 32, seed=s), 0.05) for s in range(2)]
    assert float(global_local_loss([torch.zeros(4, 32)] * 4, targets)) == pytest.approx(math.log(32), rel=1e-5)


def test_koleo_spreads():
    x = randn(6, 4).requires_grad_()
    before = koleo_loss(x).item()
    koleo_loss(x).backward()
    assert koleo_loss(x.detach() - 1e-3 * x.grad).item() < before  # a small step against the gradient
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


def test_a_center_moves_only_when_it_follows():
    center = RunningCenter(6)
    first = center(randn(4, 6), 0.1)
    assert torch.equal(center(randn(4, 6), 0.1), first) and not center.mean.any()  # a step broken off leaves no trace
    center.update()
    moved = center.mean.clone()
    center(randn(0, 6), 0.1)  # no masked cell in a batch: nothing to learn from
    center.update()
    assert moved.any() and torch.equal(center.mean, moved) and not first.requires_grad
    torch.testing.assert_close(first.sum(1), torch.ones(4))


@pytest.mark.parametrize("rows", [1, 7, 100], ids="{} rows at a time".format)
def test_cross_entropy_in_chunks_is_that_of_the_logits(monkeypatch, rows):
    """MFP's value and both gradients, whatever the chunk, from embeddings instead of logits."""
    monkeypatch.setattr(_fused, "CHUNK", rows * 12)
    mask = torch.rand(6, 4, 5, generator=torch.Generator().manual_seed(0)) < 0.4
    mask[1] = False
    cells = int(mask.sum())
    embedding, directions = (torch.nn.functional.normalize(randn(n, 8, seed=n), dim=1) for n in (cells, 12))
    targets = sinkhorn_knopp(randn(cells, 12, seed=3), 0.1)
    found = []
    for way in ("logits", "chunks"):
        e, d = embedding.clone().requires_grad_(), directions.clone().requires_grad_()
        if way == "logits":
            loss = masked_feature_loss(e @ d.T, targets, mask, 0.1)
        else:
            loss = prototype_cross_entropy(e, d, targets, cell_weights(mask), 0.1)
        (3 * loss).backward()
        found.append((loss.detach(), e.grad, d.grad))
    for ours, expected in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(prototype_cross_entropy(embedding, directions, targets, cell_weights(mask)), found[0][0])


def test_cross_entropy_in_chunks_takes_no_row_and_half_precision():
    directions, none = randn(12, 8).requires_grad_(), randn(0, 8).requires_grad_()
    prototype_cross_entropy(none, directions, torch.zeros(0, 12), torch.zeros(0)).backward()
    assert not directions.grad.any()
    embedding, targets = torch.nn.functional.normalize(randn(5, 8), dim=1), sinkhorn_knopp(randn(5, 12), 0.1)
    expected = prototype_cross_entropy(embedding, directions, targets, torch.ones(5))
    with torch.autocast("cpu", torch.bfloat16):
        halved = prototype_cross_entropy(embedding, directions, targets, torch.ones(5))
    assert halved.dtype == torch.float32 and halved != expected
    torch.testing.assert_close(halved, expected, rtol=2e-2, atol=0)


def test_sinkhorn_in_place_uses_the_logits_memory():
    logits = randn(6, 4)
    expected, memory = sinkhorn_knopp(logits, 0.1), logits.data_ptr()
    torch.testing.assert_close(logits, randn(6, 4), rtol=0, atol=0)
    targets = sinkhorn_knopp(logits, 0.1, inplace=True)
    assert targets.data_ptr() == memory and torch.equal(targets, expected)


def test_directions_have_the_gradients_of_their_formula():
    head = PrototypeHead(4, prototypes=7, hidden=5, bottleneck=3).double()
    with torch.no_grad():
        head.norms.uniform_(0.5, 2.0)
        head.prototypes[2] = 0.0  # as far as normalize goes
    plain = F.normalize(head.prototypes, dim=-1) * head.norms
    torch.testing.assert_close(head.directions, plain)
    gradient = torch.randn(7, 3, dtype=torch.float64)
    ours = torch.autograd.grad(head.directions, (head.prototypes, head.norms), gradient)
    theirs = torch.autograd.grad(plain, (head.prototypes, head.norms), gradient)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a[[0, 1, 3, 4, 5, 6]], b[[0, 1, 3, 4, 5, 6]])


def test_targets_and_losses_are_float32_under_autocast():
    logits, mask = randn(64, 32), randn(8, 2, 25, seed=1) < 0
    target = sinkhorn_knopp(logits, 0.1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(sinkhorn_knopp(logits, 0.1), target)
    half, cells = logits.bfloat16(), int(mask.sum())
    of_cells, targets = randn(cells, 32, seed=2).bfloat16(), randn(cells, 32, seed=3).softmax(dim=1)
    for got, expected in (
        (cross_entropy(half, target, 0.1), cross_entropy(half.float(), target, 0.1)),
        (global_local_loss([half] * 3, [target] * 2), global_local_loss([half.float()] * 3, [target] * 2)),
        (masked_feature_loss(of_cells, targets, mask), masked_feature_loss(of_cells.float(), targets, mask)),
    ):
        assert got.dtype == torch.float32 and torch.equal(got, expected)


def test_koleo_finds_the_neighbors_of_float32_under_autocast():
    """Similar features, whose order bfloat16 cannot tell: 58 % of the neighbors were wrong."""
    features = 1 + 0.05 * randn(128, 64)
    alone = losses.koleo_loss(features)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(losses.koleo_loss(features), alone)
