import numpy as np
import pytest
import torch

from slimlab import evaluate
from slimlab.evaluate.result import score

SCORES = torch.randn(3, 40, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(40) % 5


def result(scores, labels=LABELS):
    return score(scores.argmax(dim=1), labels, 5, scores=scores)


@pytest.mark.parametrize("weights", [None, (0.6, 0.6, 0.4)])
def test_it_is_the_naive_sum_of_probabilities(weights):
    fused = evaluate.fuse([result(s) for s in SCORES], weights)
    right = 0
    for i in range(40):
        total = np.zeros(5)
        for s, w in zip(SCORES.double().numpy(), weights or (1, 1, 1), strict=True):
            total += w * np.exp(s[i]) / np.exp(s[i]).sum()
        assert int(fused.predictions[i]) == total.argmax()
        np.testing.assert_allclose(fused.scores[i].softmax(dim=0), total / total.sum(), atol=1e-9)
        right += total.argmax() == LABELS[i]
    assert fused.accuracy == pytest.approx(right / 40)
    assert torch.equal(evaluate.fuse(list(SCORES), weights, LABELS).predictions, fused.predictions)


def test_one_classifier_keeps_its_predictions_and_a_weight_of_zero_does_not_count():
    for results, weights in (([SCORES[0]], None), (SCORES[:2], (1, 0))):
        assert torch.equal(evaluate.fuse(list(results), weights, LABELS).predictions, SCORES[0].argmax(dim=1))


def test_classes_without_a_vote_stay_without_one():
    """kNN's scores hold minus infinity; no NaN comes of it."""
    votes = torch.tensor([[0.0, 1.0, 0.0], [0.5, 0.5, 0.0]]).log()
    fused = evaluate.fuse([votes, votes], labels=torch.tensor([1, 0]))
    assert fused.predictions.tolist() == [1, 0] and not fused.scores.isnan().any()


def test_what_does_not_match_is_refused():
    for call, says in (
        (lambda: evaluate.fuse([]), "nothing to fuse"),
        (lambda: evaluate.fuse([SCORES[0]]), "give labels="),
        (lambda: evaluate.fuse([result(SCORES[0])], [1, 2]), "one weight a result"),
        (lambda: evaluate.fuse([score(LABELS, LABELS, 5)]), "result 0 has no scores"),
        (lambda: evaluate.fuse([result(SCORES[0]), result(SCORES[1], LABELS.flip(0))]), "labels of result 1 are others"),
        (lambda: evaluate.fuse([SCORES[0], SCORES[1, :7]], labels=LABELS), r"scores 1 are \(7, 5\), those before \(40, 5\)"),
    ):
        with pytest.raises(ValueError, match=says):
            call()
