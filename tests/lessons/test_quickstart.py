"""The checks of the quickstart's exercises take right answers and name the mistakes that readers make."""

import math

import pytest
import torch
import torch.nn.functional as F

from slimlab import lessons


def nearest(x, labels, queries):
    return labels[(F.normalize(queries, dim=1) @ F.normalize(x, dim=1).T).argmax(dim=1)]


def test_right_answers(capsys):
    lessons.check_visible_tokens(lambda t, v, r: t * v - round(r * t * v))
    lessons.check_nearest_label(nearest)
    assert capsys.readouterr().out.count("✓") == 2


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda t, v, r: round(r * t * v), "are hidden"),
        (lambda t, v, r: t * v - r * t * v, "whole"),
        (lambda t, v, r: t * v - math.ceil(r * t * v) + 3, "the library leaves"),
        (lambda t, v, r: None, "returned nothing"),
        (lambda t, v: 0, "stopped"),
    ],
)
def test_visible_tokens_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_visible_tokens(function)


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda x, y, q: y[(q @ x.T).argmax(dim=1)], "long features"),
        (lambda x, y, q: y[torch.cdist(q, x).argmin(dim=1)], "distance"),
        (lambda x, y, q: (F.normalize(q, dim=1) @ F.normalize(x, dim=1).T).argmax(dim=1), "place"),
        (lambda x, y, q: y[(F.normalize(q, dim=1) @ F.normalize(x, dim=1).T).argmin(dim=1)], "plain loop"),
        (lambda x, y, q: nearest(x, y, q)[:, None], "shape"),
    ],
)
def test_nearest_label_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_nearest_label(function)
