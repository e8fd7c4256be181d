"""The checks of lesson 07 take right answers and name the mistakes that readers make."""

import pytest
import torch

from slimlab import lessons


def votes(similarity, labels, classes, k, temperature):
    near, place = similarity.topk(k, dim=1)
    weights = (near / temperature).softmax(dim=1)
    return torch.zeros(len(similarity), classes).scatter_add_(1, labels[place], weights)


def farthest(similarity, labels, classes, k, temperature):
    far, place = similarity.topk(k, dim=1, largest=False)
    weights = (far / temperature).softmax(dim=1)
    return torch.zeros(len(similarity), classes).scatter_add_(1, labels[place], weights)


def ap(relevant):
    rank = torch.arange(1, len(relevant) + 1)
    return ((relevant.cumsum(0) / rank) * relevant).sum() / relevant.sum()


def standardise(train, test):
    mean, sd = train.mean(0), train.std(0, correction=0)
    sd = torch.where(sd > 1e-6, sd, 1.0)
    return (train - mean) / sd, (test - mean) / sd


def own(x):
    return standardise(x, x)[0]


def without_guard(train, test):
    return (train - train[:1]) / (train - train[:1]).std(0, correction=0), test


def both(train, test):
    return tuple(standardise(torch.cat([train, test]), side)[1] for side in (train, test))


def by_sample(train, test):
    sd = torch.where(train.std(0) > 1e-6, train.std(0), 1.0)
    return (train - train.mean(0)) / sd, (test - train.mean(0)) / sd


def test_right_answers_pass():
    lessons.check_knn_votes(votes)
    lessons.check_average_precision(ap)
    lessons.check_standardise(standardise)


@pytest.mark.parametrize(
    "check, function, says",
    [
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, s.shape[1], t), "whole gallery"),
        (lessons.check_knn_votes, farthest, "least similar"),
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, k, 1e9), "counts every neighbour alike"),
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, k, 1.0), "does not divide by the temperature"),
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, k, t) * 2, "sum to 2"),
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, k, t).argmax(1), "shape"),
        (lessons.check_average_precision, lambda r: (r.cumsum(0) / torch.arange(1, len(r) + 1)).mean(), "over all ranks"),
        (lessons.check_average_precision, lambda r: ap(r) * r.double().mean(), "divides by the whole gallery"),
        (lessons.check_average_precision, lambda r: r.double().mean(), "whatever their order"),
        (lessons.check_average_precision, lambda r: 1 / (1 + r.int().argmax()), "first relevant clip alone"),
        (lessons.check_average_precision, lambda r: torch.nan_to_num(ap(r)), "give NaN"),
        (lessons.check_average_precision, lambda r: r, "one number"),
        (lessons.check_standardise, both, "has a say"),
        (lessons.check_standardise, lambda a, b: (own(a), own(b)), "by itself"),
        (lessons.check_standardise, by_sample, "N - 1"),
        (lessons.check_standardise, without_guard, "divide by 1 there"),
        (lessons.check_standardise, lambda a, b: a, "two tensors"),
        (lessons.check_standardise, lambda a, b: (a, b), "mean 0 and sd 1"),
    ],
)
def test_mistakes_are_named(check, function, says):
    with pytest.raises(lessons.NotYet, match=says):
        check(function)
