import numpy as np
import pytest
import torch

from slimlab import analysis


def test_rankme_between_collapse_and_full_rank():
    x = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    assert analysis.rankme(torch.ones(50, 10)) == pytest.approx(1.0, abs=0.01)
    assert 9.5 < analysis.rankme(x) <= 10.001  # ten seeds: 9.92 to 9.96
    turn = torch.linalg.qr(torch.randn(10, 10, generator=torch.Generator().manual_seed(1))).Q
    three = x.clone()
    three[:, 3:] = 0
    assert analysis.rankme(three @ turn) == pytest.approx(analysis.rankme(three), rel=1e-3)  # a rotation changes nothing
    assert 2.5 < analysis.rankme(three) <= 3.001
    p = np.linalg.svd(x.numpy(), compute_uv=False)
    p = p / p.sum()
    assert analysis.rankme(x) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-4)


def test_prototype_counts():
    assert analysis.effective_prototypes(torch.full((4, 8), 1 / 8)) == pytest.approx(8)
    assert analysis.effective_prototypes(torch.eye(8)) == pytest.approx(1)
    assert analysis.used_prototypes(torch.eye(8)) == pytest.approx(8)
    assert analysis.used_prototypes(torch.eye(8)[[0, 0, 0, 0]]) == pytest.approx(1)
    assert analysis.used_prototypes(torch.eye(8)[[0, 0, 1, 1]]) == pytest.approx(2)
