import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from slimlab import analysis


def test_it_is_scikit_learns_pca_with_fixed_signs():
    tokens = torch.randn(3, 8, 25, 12, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 13)
    got, reference = analysis.token_pca(tokens), PCA(3).fit(tokens.reshape(-1, 12).numpy())
    np.testing.assert_allclose(got.explained, reference.explained_variance_ratio_, rtol=1e-3)
    np.testing.assert_allclose(got.components.abs(), np.abs(reference.components_), atol=1e-3)
    assert (got.components.gather(1, got.components.abs().argmax(dim=1, keepdim=True)) > 0).all()
    colours = got.colours(tokens)
    assert colours.shape == (3, 8, 25, 3) and colours.min() == 0 and colours.max() == 1
    shifted = analysis.token_pca(tokens * 3 + 7)  # colours depend on neither place nor scale
    np.testing.assert_allclose(shifted.colours(tokens * 3 + 7), colours, atol=1e-3)


def test_too_little_for_three_components():
    with pytest.raises(ValueError, match="at least 4 cells and 3 dimensions"):
        analysis.token_pca(torch.randn(3, 8))
    with pytest.raises(ValueError, match="at least 4 cells and 3 dimensions"):
        analysis.token_pca(torch.randn(9, 2))
    assert torch.isfinite(analysis.token_pca(torch.ones(9, 5)).colours(torch.ones(9, 5))).all()


def test_similarity_cell_by_cell():
    tokens = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    got = analysis.token_similarity(tokens, 2, 1)
    for layer in range(2):
        for t in range(3):
            for v in range(4):
                expected = torch.cosine_similarity(tokens[layer, t, v], tokens[layer, 2, 1], dim=0)
                assert float(got[layer, t, v]) == pytest.approx(float(expected), abs=1e-6)
