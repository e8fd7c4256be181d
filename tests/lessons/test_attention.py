"""The checks of the exercises on attention: softmax of q and k, distance, roll-out."""

import pytest
import torch

from slimlab import lessons


def scores(q, k):
    return q @ k.transpose(-2, -1)


def test_the_right_attention_passes(capsys):
    lessons.check_attention(lambda q, k: (scores(q, k) / q.shape[-1] ** 0.5).softmax(dim=-1))
    assert "Attention" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda q, k: scores(q, k) / q.shape[-1] ** 0.5, "a softmax over the keys"),
        (lambda q, k: scores(q, k).softmax(dim=-1), "not scaled"),
        (lambda q, k: (scores(q, k) / q.shape[-1]).softmax(dim=-1), "square root"),
        (lambda q, k: (scores(q, k) / (q.shape[-1] * q.shape[-3]) ** 0.5).softmax(dim=-1), "whole width"),
        (lambda q, k: (scores(q, k) / q.shape[-1] ** 0.5).softmax(dim=-2), "over the queries"),
        (lambda q, k: (scores(k, q) / q.shape[-1] ** 0.5).softmax(dim=-1), "swapped"),
        (lambda q, k: torch.ones(*q.shape[:-1], q.shape[-2]) / q.shape[-2], "differs from the library"),
        (lambda q, k: q, "heads, N, N"),
    ],
)
def test_mistakes_of_attention_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_attention(wrong)


def test_right_answers_in_float64_pass():
    lessons.check_attention(lambda q, k: (scores(q.double(), k.double()) / q.shape[-1] ** 0.5).softmax(dim=-1))
    lessons.check_distance(lambda a, h, s: distance(a.double(), h.double(), s))
    lessons.check_rollout(lambda a: rolled(a.double(), lambda x: (x + torch.eye(len(x)).double()) / 2, dtype=torch.float64))


def rolled(attention, mix=lambda a: (a + torch.eye(len(a))) / 2, flip=False, dtype=torch.float32):
    layers = attention.mean(dim=1)
    out = torch.eye(attention.shape[-1], dtype=dtype)
    for layer in layers.flip(0) if flip else layers:
        out = mix(layer) @ out
    return out


def test_the_right_rollout_passes(capsys):
    lessons.check_rollout(rolled)
    assert "Roll-out" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda a: rolled(a, lambda x: x), "leaves out the residual"),
        (lambda a: rolled(a, flip=True), "wrong order"),
        (lambda a: (a.mean(dim=(0, 1)) + torch.eye(a.shape[-1])) / 2, "averages the layers"),
        (lambda a: rolled(a, lambda x: x + torch.eye(len(x))), "without halving"),
        (lambda a: rolled(a.amax(dim=1, keepdim=True)), "heads are averaged"),
        (lambda a: 3 * rolled(a), "rows of rollout"),
        (lambda a: torch.eye(a.shape[-1]), "differs from the library"),
        (lambda a: rolled(a)[0], "N, N"),
        (lambda a: None, "returned nothing"),
    ],
)
def test_mistakes_of_a_rollout_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_rollout(wrong)


def distance(attention, hops, steps, first=None, renormal=True, over=-1, lay="repeat", mean=True):
    count = steps * len(hops)
    cells = attention[:, :count, :count] if first else attention[:, -count:, -count:]
    if over == -2:
        cells = attention.transpose(-2, -1)[:, -count:, -count:]
    far = hops.repeat(steps, steps) if lay == "repeat" else hops.repeat_interleave(steps, 0).repeat_interleave(steps, 1)
    cells = cells / cells.sum(dim=-1, keepdim=True) if renormal else cells
    each = (cells * far).sum(dim=-1)
    return each.mean(dim=-1) if mean else each.sum(dim=-1)


def test_the_right_distance_passes(capsys):
    lessons.check_distance(distance)
    assert "distance" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"renormal": False}, "does not renormalize"),
        ({"mean": False}, "mean over the queries"),
        ({"first": True}, "first tokens"),
        ({"over": -2}, "wrong axis"),
        ({"lay": "interleave"}, "repeat_interleave"),
    ],
)
def test_mistakes_of_a_distance_are_named(changed, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_distance(lambda a, h, s: distance(a, h, s, **changed))
    with pytest.raises(lessons.NotYet, match="where the library has"):
        lessons.check_distance(lambda a, h, s: distance(a, h, s) + 1)
