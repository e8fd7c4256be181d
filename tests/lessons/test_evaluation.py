"""The checks of lesson 07 take right answers and name the mistakes that readers make."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from slimlab import lessons


def votes(similarity, labels, classes, k, temperature, dtype=torch.float32):
    near, place = similarity.topk(k, dim=1)
    weights = (near / temperature).softmax(dim=1)
    return torch.zeros(len(similarity), classes, dtype=dtype).scatter_add_(1, labels[place], weights)


def farthest(similarity, labels, classes, k, temperature):
    far, place = similarity.topk(k, dim=1, largest=False)
    weights = (far / temperature).softmax(dim=1)
    return torch.zeros(len(similarity), classes).scatter_add_(1, labels[place], weights)


def ap(relevant):
    rank = torch.arange(1, len(relevant) + 1)
    return ((relevant.cumsum(0) / rank) * relevant).sum() / relevant.sum()


def standardize(train, test):
    mean, sd = train.mean(0), train.std(0, correction=0)
    sd = torch.where(sd > 1e-6, sd, 1.0)
    return (train - mean) / sd, (test - mean) / sd


def own(x):
    return standardize(x, x)[0]


def without_guard(train, test):
    return (train - train[:1]) / (train - train[:1]).std(0, correction=0), test


def both(train, test):
    return tuple(standardize(torch.cat([train, test]), side)[1] for side in (train, test))


def by_sample(train, test):
    sd = torch.where(train.std(0) > 1e-6, train.std(0), 1.0)
    return (train - train.mean(0)) / sd, (test - train.mean(0)) / sd


def across(x, labels, subjects, excluded=-torch.inf, scaled=True, among=None):
    x = F.normalize(x, dim=1) if scaled else x
    same = subjects[:, None] == subjects if among is None else among(labels, subjects)
    return labels[(x @ x.T).masked_fill(same, excluded).argmax(dim=1)] == labels


def nearest(x, labels, subjects):
    return labels[torch.cdist(x, x).masked_fill(subjects[:, None] == subjects, torch.inf).argmin(dim=1)] == labels


def itself(labels, subjects):
    return torch.eye(len(labels), dtype=torch.bool)


def overwritten(similarity, labels, classes, k, temperature):
    near, place = similarity.topk(k, dim=1)
    out = torch.zeros(len(similarity), classes)
    out[torch.arange(len(out))[:, None], labels[place]] = (near / temperature).softmax(dim=1)
    return out


def over_the_gallery(similarity, labels, classes, k, temperature):
    near, place = (similarity / temperature).softmax(dim=1).topk(k, dim=1)
    return torch.zeros(len(similarity), classes).scatter_add_(1, labels[place], near)


def from_zero(relevant):
    return ((relevant.cumsum(0) / torch.arange(len(relevant))) * relevant).sum() / relevant.sum()


def unshifted(train, test):
    sd = torch.where(train.std(0, correction=0) > 1e-6, train.std(0, correction=0), 1.0)
    return standardize(train, test)[0], torch.where(sd == 1, test, (test - train.mean(0)) / sd)


def in_place(train, test):
    test.sub_(train.mean(0))
    return standardize(train, test)


def test_right_answers_pass_in_float64_and_as_arrays():
    lessons.check_knn_votes(lambda s, y, c, k, t: votes(s.double(), y, c, k, t, torch.float64))
    lessons.check_average_precision(lambda r: ap(r.double()))
    lessons.check_average_precision(lambda r: np.float64(ap(r)))
    lessons.check_average_precision(lambda r: ap(r)[None])
    lessons.check_standardize(lambda a, b: standardize(a.double(), b.double()))
    lessons.check_standardize(lambda a, b: [x.numpy() for x in standardize(a, b)])
    lessons.check_across_subjects(lambda x, y, s: across(x.double(), y, s).double())
    lessons.check_across_subjects(lambda x, y, s: across(x, y, s).numpy())
    lessons.check_across_subjects(lambda x, y, s: across(x, y, s).tolist())


def test_right_answers_pass():
    lessons.check_across_subjects(across)
    lessons.check_knn_votes(votes)
    lessons.check_average_precision(ap)
    lessons.check_standardize(standardize)


@pytest.mark.parametrize(
    "check, function, says",
    [
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, s.shape[1], t), "whole gallery"),
        (lessons.check_knn_votes, farthest, "least similar"),
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, k, 1e9), "counts every neighbor alike"),
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, k, 1.0), "does not divide by the temperature"),
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, k, t) * 2, "sum to 2"),
        (lessons.check_knn_votes, lambda s, y, c, k, t: votes(s, y, c, k, t).argmax(1), "shape"),
        (lessons.check_knn_votes, overwritten, "do not overwrite"),
        (lessons.check_knn_votes, over_the_gallery, "softmax over its k neighbors"),
        (lessons.check_average_precision, from_zero, "ranks begin at 1"),
        (lessons.check_average_precision, lambda r: (r.cumsum(0) / torch.arange(1, len(r) + 1)).mean(), "over all ranks"),
        (lessons.check_average_precision, lambda r: ap(r) * r.double().mean(), "divides by the whole gallery"),
        (lessons.check_average_precision, lambda r: r.double().mean(), "whatever their order"),
        (lessons.check_average_precision, lambda r: 1 / (1 + r.int().argmax()), "first relevant clip alone"),
        (lessons.check_average_precision, lambda r: torch.nan_to_num(ap(r)), "give NaN"),
        (lessons.check_average_precision, lambda r: r, "one number"),
        (lessons.check_standardize, both, "has a say"),
        (lessons.check_standardize, lambda a, b: (own(a), own(b)), "by itself"),
        (lessons.check_standardize, by_sample, "N - 1"),
        (lessons.check_standardize, without_guard, "divide by 1 there"),
        (lessons.check_standardize, lambda a, b: a, "two tensors"),
        (lessons.check_standardize, unshifted, "only shifted"),
        (lessons.check_standardize, in_place, "changes the features"),
        (lessons.check_standardize, lambda a, b: (a, b), "mean 0 and sd 1"),
        (lessons.check_across_subjects, lambda x, y, s: across(x, y, s, among=itself), "other clips of its subject"),
        (lessons.check_across_subjects, lambda x, y, s: y == y, "finds each clip itself"),
        (lessons.check_across_subjects, lambda x, y, s: across(x, y, y), "same class"),
        (lessons.check_across_subjects, lambda x, y, s: across(x, y, s, excluded=0.0), "larger than a negative one"),
        (lessons.check_across_subjects, lambda x, y, s: across(x, y, s, scaled=False), "long ones win"),
        (lessons.check_across_subjects, nearest, "Euclidean"),
        (lessons.check_across_subjects, lambda x, y, s: ~across(x, y, s), "the opposite"),
        (lessons.check_across_subjects, lambda x, y, s: across(x, y, s).double().mean(), "flag for each clip"),
        (lessons.check_across_subjects, lambda x, y, s: None, "returned nothing"),
        (lessons.check_across_subjects, lambda x, y, s: "all", "flag for each clip"),
        (lessons.check_across_subjects, lambda x, y, s: y.double() + 0.5, "other values"),
        (lessons.check_across_subjects, lambda x, y, s: across(x, y, s).roll(1), "is wrong for"),
    ],
)
def test_mistakes_are_named(check, function, says):
    with pytest.raises(lessons.NotYet, match=says):
        check(function)
