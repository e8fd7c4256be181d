"""mAP and recall against scikit-learn and against a loop over queries."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from slimlab import evaluate
from slimlab.data import DataError
from slimlab.evaluate import Features
from tests.evaluate.blobs import blobs

GALLERY, QUERIES = blobs(120, 0), blobs(50, 1)


def test_it_is_scikit_learns_average_precision_and_a_naive_recall():
    found = evaluate.retrieval(GALLERY, QUERIES, (1, 3, 10), chunk=7)
    x, q = (f.x.double() / f.x.double().norm(dim=1, keepdim=True) for f in (GALLERY, QUERIES))
    hits = {1: 0, 3: 0, 10: 0}
    for i in range(50):
        similarity = (x @ q[i]).numpy()
        relevant = (GALLERY.labels == QUERIES.labels[i]).numpy()
        assert found.average_precision[i] == pytest.approx(average_precision_score(relevant, similarity), abs=1e-6)
        ranking = np.argsort(-similarity)
        for k in hits:
            hits[k] += relevant[ranking[:k]].any()
    assert found.mean_average_precision == pytest.approx(float(found.average_precision.mean()))
    assert found.recall == pytest.approx({k: n / 50 for k, n in hits.items()})
    assert found.recall[1] == pytest.approx(evaluate.knn(GALLERY, QUERIES, k=1).accuracy)
    assert "mAP" in repr(found)


def test_queries_whose_class_is_not_in_the_gallery_do_not_count():
    without = Features(GALLERY.x[GALLERY.labels > 0], GALLERY.labels[GALLERY.labels > 0], None)
    found = evaluate.retrieval(without, QUERIES)
    alone = evaluate.retrieval(without, Features(QUERIES.x[QUERIES.labels > 0], QUERIES.labels[QUERIES.labels > 0], None))
    assert torch.equal(found.average_precision.isnan(), QUERIES.labels == 0)
    assert found.mean_average_precision == pytest.approx(alone.mean_average_precision) and found.recall == alone.recall


def test_impossible_questions_are_refused():
    with pytest.raises(ValueError, match=r"recall@121: should be within 1..120"):
        evaluate.retrieval(GALLERY, QUERIES, (121,))
    with pytest.raises(DataError, match="no class of the test features"):
        evaluate.retrieval(GALLERY, Features(QUERIES.x, QUERIES.labels + 9, None))
