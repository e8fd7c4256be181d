"""Linear CKA against the formulas of its papers, written out; what it must not see, and what it must."""

import numpy as np
import pytest
import torch

from slimlab import analysis, evaluate, plot
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import random_encoder


def features(n, f, seed):
    return np.random.default_rng(seed).normal(size=(n, f))


def by_covariances(x, y):
    """Kornblith et al. 2019, eq. 2 for linear kernels: |Y'X|^2 / (|X'X| |Y'Y|), of centered features."""
    x, y = x - x.mean(0), y - y.mean(0)
    norm = np.linalg.norm
    return norm(y.T @ x) ** 2 / (norm(x.T @ x) * norm(y.T @ y))


def unbiased_hsic(k, m):
    """Song et al. 2012, eq. 5, for Gram matrices that are not centered."""
    n, one = len(k), np.ones(len(k))
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    middle = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
    return (np.trace(k @ m) + middle) / (n * (n - 3))


def test_it_is_the_formula_of_the_papers():
    x = features(40, 7, 0)
    y = x @ features(7, 5, 1) + 0.7 * features(40, 5, 2) + 3.0
    assert analysis.cka(x, y, debiased=False) == pytest.approx(by_covariances(x, y), abs=1e-12)
    k, m = x @ x.T, y @ y.T
    expected = unbiased_hsic(k, m) / np.sqrt(unbiased_hsic(k, k) * unbiased_hsic(m, m))
    assert analysis.cka(x, y) == pytest.approx(expected, abs=1e-12)
    assert 0.3 < expected < 0.99


@pytest.mark.parametrize("debiased", [True, False])
def test_turning_and_scaling_change_nothing(debiased):
    x, y = features(30, 6, 0), features(30, 8, 1)
    turn = np.linalg.qr(features(6, 6, 2))[0]
    assert analysis.cka(x, 5 * x @ turn - 2, debiased) == pytest.approx(1, abs=1e-12)
    assert analysis.cka(3 * x @ turn + 1, y, debiased) == pytest.approx(analysis.cka(x, y, debiased), abs=1e-12)
    assert analysis.cka(x, y, debiased) == pytest.approx(analysis.cka(y, x, debiased), abs=1e-12)


def test_features_without_relation_are_at_zero_once_debiased_and_not_before():
    pairs = [(features(60, 500, 2 * seed), features(60, 500, 2 * seed + 1)) for seed in range(10)]
    assert abs(np.mean([analysis.cka(a, b) for a, b in pairs])) < 0.02
    assert min(analysis.cka(a, b, debiased=False) for a, b in pairs) > 0.8


def test_many_clips_are_compared_on_some_of_them():
    x = features(5000, 3, 0)
    y = x + features(5000, 3, 1)
    assert analysis.cka(x, y, debiased=False) == pytest.approx(by_covariances(x, y), abs=0.03)
    with pytest.raises(ValueError, match="5000 rows"):
        analysis.cka(features(2000, 3, 0), x)


def test_layers_and_a_table_of_them(synthetic):
    config = EncoderConfig(width=32, depth=3, heads=2, patch_frames=8, frames=32, init_std=None)
    encoder, store = random_encoder(config, seed=0), synthetic[:20]
    layers = analysis.layer_features(encoder, store, batch_size=7)
    assert list(layers) == ["layer 1", "layer 2", "layer 3"] and all(x.shape == (20, 32) for x in layers.values())
    look = analysis.inside(encoder, store, 3)
    x, people, seen = evaluate.inputs(encoder, store, np.array([3]))
    with torch.inference_mode():
        out = encoder(x, people=people, seen=seen, return_intermediates="tokens")
    tokens = out.intermediates[1].tokens[people][:, 1 + config.registers :]
    torch.testing.assert_close(layers["layer 2"][3], tokens.mean(dim=(0, 1)), atol=1e-5, rtol=1e-4)
    assert len(tokens) == look.joints.shape[1]
    table = analysis.cka_matrix(layers)
    assert list(table.index) == list(table.columns) == list(layers)
    np.testing.assert_allclose(np.diag(table), 1, atol=1e-9)
    assert table.loc["layer 1", "layer 3"] == pytest.approx(analysis.cka(layers["layer 1"], layers["layer 3"]), abs=1e-12)
    wide = analysis.cka_matrix({"one": layers["layer 1"]}, layers)
    np.testing.assert_allclose(wide.loc["one"], table.loc["layer 1"], atol=1e-12)
    figure = plot.cka(wide, title="one against all")
    assert figure.axes[0].get_xticklabels()[2].get_text() == "layer 3" and figure.data.shape == (1, 4)
    np.testing.assert_allclose(np.asarray(figure.axes[0].images[0].get_array()), wide)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.eye(5), np.eye(6), "'b' has 6 rows and 'a' 5"),
        (np.eye(3), np.eye(3), "at least 4 rows"),
        (np.ones(5), np.eye(5), "shape"),
        (np.full((5, 2), np.nan), np.eye(5), "not finite"),
        (np.ones((5, 2)), np.arange(10.0).reshape(5, 2) ** 2, "in 'a' all rows are the same"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, message):
    with pytest.raises(ValueError, match=message):
        analysis.cka(a, b)


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="nothing to compare"):
        analysis.cka_matrix({})


@pytest.mark.parametrize("debiased", [False, True])
@pytest.mark.parametrize("factor", [1e-8, 1e160])
def test_the_scale_of_features_does_not_matter(debiased, factor):
    x, y = features(20, 5, 0), features(20, 4, 1)
    assert analysis.cka(x * factor, y, debiased) == pytest.approx(analysis.cka(x, y, debiased), abs=1e-9)
    with pytest.raises(ValueError, match="all rows are the same"):
        analysis.cka(np.full((20, 5), factor / 3), y, debiased)
