import os

import numpy as np
import pytest
import torch
from scipy.spatial import procrustes

from slimlab.analysis import projection


@pytest.fixture
def clusters():
    """90 points in 3 clusters of 12 dimensions, and their labels."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    return rng.normal(size=(3, 12))[labels] * 4 + rng.normal(size=(90, 12)), labels


@pytest.mark.parametrize("shape", [(60, 9), (20, 40)])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_it_is_the_singular_value_decomposition_with_fixed_signs(shape, offset):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * torch.arange(1, shape[1] + 1)
    x = x.double() + offset
    got, centered = projection.fit(x), (x - x.mean(dim=0)).numpy()
    _, s, axes = np.linalg.svd(centered, full_matrices=False)
    signs = [np.sign(axis[np.abs(axis).argmax()]) for axis in axes[:2]]
    np.testing.assert_allclose(got.xy, centered @ axes[:2].T * signs, rtol=1e-5, atol=1e-5)
    assert got.quality["explained"] == pytest.approx((s[:2] ** 2).sum() / (s**2).sum(), rel=1e-6)
    assert 0 < got.quality["trustworthiness"] <= 1
    np.testing.assert_array_equal(got.xy, projection.fit(x).xy)


def test_few_rows_and_few_columns():
    assert projection.fit(torch.randn(2, 5)).xy.shape == (2, 2)
    assert projection.fit(torch.randn(20, 1)).xy.shape == (20, 2)
    assert np.isfinite(projection.fit(torch.ones(20, 4)).xy).all()


@pytest.mark.parametrize(
    "x, method, settings",
    [
        (torch.randn(1, 4), "pca", {}),
        (torch.randn(4), "pca", {}),
        (torch.randn(9, 4), "magic", {}),
        (torch.full((9, 4), torch.nan), "pca", {}),
        (torch.randn(9, 4), "pca", {"perplexity": 3}),
        (torch.randn(3, 4), "tsne", {}),
    ],
)
def test_what_cannot_be_projected_is_refused(x, method, settings):
    with pytest.raises(ValueError, match=r"should be \(N, F\)|choose pca, tsne, umap|not finite|has no setting|use pca"):
        projection.fit(x, method, cache=None, **settings)


def test_clusters_stay_clusters_and_are_kept_on_disk(clusters, tmp_path):
    (x, labels), method = clusters, "tsne"
    first = projection.fit(x, method, labels=labels, cache=tmp_path)
    # ten seeds: 1.00 and 0.947 to 0.957; labels shuffled 0.27 to 0.34, a random plane 0.48 to 0.54
    assert first.quality["label_agreement"] > 0.9 and first.quality["trustworthiness"] > 0.8 and first.seconds > 0
    again = projection.fit(x, method, labels=labels, cache=tmp_path)
    np.testing.assert_array_equal(again.xy, first.xy)
    assert again.seconds == 0 and again.quality == first.quality and len(list(tmp_path.iterdir())) == 1
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:40])  # damaged: computed again, to the same
    np.testing.assert_array_equal(projection.fit(x, method, cache=tmp_path).xy, first.xy)
    projection.fit(x, method, seed=1, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_the_cache_forgets_what_was_used_longest_ago(clusters, tmp_path, monkeypatch):
    monkeypatch.setattr(projection, "KEPT_FILES", 2)
    monkeypatch.setenv("SLIMLAB_CACHE", str(tmp_path))
    for seed in range(3):
        projection.fit(clusters[0][:12], "tsne", seed=seed)
        for file in (tmp_path / "projections").iterdir():
            os.utime(file, (0, file.stat().st_mtime - 10))
    assert len(list((tmp_path / "projections").iterdir())) == 2
    assert projection.fit(clusters[0][:12], "tsne", seed=2).seconds == 0
    assert projection.fit(clusters[0][:12], "tsne", seed=0).seconds > 0


def test_quality_by_hand(clusters):
    x, labels = clusters
    xy = projection.fit(x).xy
    got = projection.quality(x, xy, labels, k=4)
    kept = agree = agree_far = 0.0
    for i in range(90):
        far = np.argsort(((x - x[i]) ** 2).sum(axis=1))
        near = np.argsort(((xy - xy[i]) ** 2).sum(axis=1))
        far, near = far[far != i][:4], near[near != i][:4]
        kept += len(set(far) & set(near)) / 4 / 90
        agree += (labels[near] == labels[i]).mean() / 90
        agree_far += (labels[far] == labels[i]).mean() / 90
    assert got["neighbours_kept"] == pytest.approx(kept)
    assert got["label_agreement"] == pytest.approx(agree) and got["of_features"] == pytest.approx(agree_far)
    assert got["of_chance"] == pytest.approx(1 / 3, abs=0.08)  # ten seeds: 0.306 to 0.378
    unknown = projection.quality(x, xy, np.where(np.arange(90) < 85, -1, labels), k=4)
    assert "label_agreement" not in unknown
    assert projection.quality(x[:5], xy[:5]) == {}


@pytest.mark.parametrize("method", ["pca", pytest.param("umap", marks=pytest.mark.full)])  # its import compiles for 15 s
def test_known_points_are_placed_where_they_are(clusters, method):
    x, labels = clusters
    p = projection.fit(x, method, labels=labels, cache=None)
    assert p.quality["label_agreement"] > 0.9  # ten seeds: 1.00
    placed = p.transform(x[:20])
    scale = p.xy.std()
    assert np.abs(placed - p.xy[:20]).max() < (1e-3 if method == "pca" else 0.7) * scale  # umap, ten seeds: 0.10 to 0.32
    with pytest.raises(ValueError, match="fitted on 12"):
        p.transform(x[:, :5])


def test_tsne_has_no_map(clusters):
    with pytest.raises(ValueError, match="no map for new points"):
        projection.fit(clusters[0], "tsne", cache=None).transform(clusters[0])


def test_alignment_undoes_a_turn_and_is_scipys_procrustes(clusters):
    p = projection.fit(clusters[0])
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = projection.Projection((p.xy @ turn * [1, -1] * 3 + 5).astype(np.float32), {}, "pca")
    np.testing.assert_allclose(projection.align(turned, p.xy).xy, p.xy, atol=1e-4)
    noisy = p.xy + np.random.default_rng(0).normal(size=p.xy.shape) * 0.5
    aligned = projection.align(turned, noisy)
    _, expected, _ = procrustes(noisy, turned.xy)
    got = (aligned.xy - noisy.mean(axis=0)) / np.linalg.norm(noisy - noisy.mean(axis=0))
    np.testing.assert_allclose(got, expected, atol=1e-5)
    with pytest.raises(ValueError, match="the same points"):
        projection.align(p, p.xy[:5])
    with pytest.raises(ValueError, match="aligned projection"):
        aligned.transform(clusters[0])


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_cosine_does_not_see_how_long_a_feature_is(clusters, method):
    x, labels = clusters
    longer = x * np.random.default_rng(1).uniform(0.1, 10, (90, 1))
    got = projection.fit(x, method, labels=labels, cache=None, metric="cosine")
    stretched = projection.fit(longer, method, labels=labels, cache=None, metric="cosine")
    np.testing.assert_allclose(got.xy, stretched.xy, atol=1e-3 * got.xy.std())
    assert got.quality == pytest.approx(stretched.quality) and got.quality["label_agreement"] > 0.9  # ten seeds: 1.00
    assert not np.allclose(projection.fit(longer, method, cache=None).xy, stretched.xy, atol=0.1)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    by_hand = projection.quality(unit, got.xy, labels)  # neighbours by Euclid among unit vectors are those by cosine
    assert got.quality["neighbours_kept"] == by_hand["neighbours_kept"]
    with pytest.raises(ValueError, match="choose euclidean or cosine"):
        projection.fit(x, method, cache=None, metric="manhattan")


def test_new_points_are_placed_by_the_same_metric(clusters):
    p = projection.fit(clusters[0], metric="cosine")
    np.testing.assert_allclose(p.transform(clusters[0][:9] * 7), p.xy[:9], atol=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_the_unit_of_features_does_not_end_the_process(clusters, scale):
    x, labels = clusters
    p = projection.fit(x * scale, "tsne", labels=labels, cache=None)
    assert np.isfinite(p.xy).all() and p.quality["label_agreement"] > 0.9  # ten seeds: 1.00


@pytest.mark.parametrize("x", [np.arange(6.0)[:, None], np.repeat(np.eye(2, 16), 10, axis=0), np.eye(5, 3), np.eye(20)[:, :1]])
def test_few_columns_few_points_and_duplicates_are_placed(x):
    p = projection.fit(x, "tsne", cache=None)  # with more neighbors asked for than there are points
    assert p.xy.shape == (len(x), 2) and np.isfinite(p.xy).all()


@pytest.mark.parametrize("settings", [{"perplexity": 0}, {"perplexity": float("nan")}, {"perplexity": float("inf")}])
def test_an_impossible_perplexity_is_refused(clusters, settings):
    with pytest.raises(ValueError, match=r"perplexity is .* at least 1"):
        projection.fit(clusters[0], "tsne", cache=None, **settings)


@pytest.mark.parametrize("method", ["tsne", "umap"])
@pytest.mark.parametrize("noise", [0.0, 1e-9])
def test_features_that_are_all_the_same_are_refused_in_words(method, noise):
    x = np.ones((40, 16)) + noise * np.random.default_rng(0).normal(size=(40, 16))
    with pytest.raises(ValueError, match="nearly the same"):
        projection.fit(x, method, cache=None)
