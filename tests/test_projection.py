import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from slimlab import projection


def test_it_is_scikit_learns_pca_up_to_sign():
    x = torch.randn(60, 9, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 10)
    got, reference = projection.fit(x), PCA(2).fit(x.numpy())
    expected = reference.transform(x.numpy())
    for axis in range(2):
        assert abs(np.corrcoef(got.xy[:, axis], expected[:, axis])[0, 1]) == pytest.approx(1, abs=1e-4)
    assert got.quality["explained"] == pytest.approx(reference.explained_variance_ratio_.sum(), rel=1e-4)
    assert 0 < got.quality["trustworthiness"] <= 1
    np.testing.assert_array_equal(got.xy, projection.fit(x).xy)


def test_few_rows_and_few_columns():
    assert projection.fit(torch.randn(2, 5)).xy.shape == (2, 2)
    assert projection.fit(torch.randn(20, 1)).xy.shape == (20, 2)
    assert np.isfinite(projection.fit(torch.ones(20, 4)).xy).all()


@pytest.mark.parametrize("x, method", [(torch.randn(1, 4), "pca"), (torch.randn(4), "pca"), (torch.randn(9, 4), "magic")])
def test_what_cannot_be_projected_is_refused(x, method):
    with pytest.raises(ValueError, match=r"should be \(N, F\)|choose pca"):
        projection.fit(x, method)
