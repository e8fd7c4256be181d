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


def hiding(encode, tokens, fill, units, value=None, among=None):
    clean = encode(tokens)
    out = []
    for unit in units if among is None else among(units):
        x = tokens.clone()
        x[:, unit] = fill if value is None else value
        out.append(1 - torch.nn.functional.cosine_similarity(encode(x), clean, dim=1).mean())
    return torch.stack(out)


def in_place(encode, tokens, fill, units):
    clean, out = encode(tokens), []
    for unit in units:
        tokens[:, unit] = fill
        out.append(1 - torch.nn.functional.cosine_similarity(encode(tokens), clean, dim=1).mean())
    return torch.stack(out)


def of_means(encode, tokens, fill, units):
    shown = [encode(torch.where(unit[..., None], fill, tokens)).mean(dim=0) for unit in units]
    return torch.stack([1 - torch.nn.functional.cosine_similarity(x, encode(tokens).mean(dim=0), dim=0) for x in shown])


def euclidean(encode, tokens, fill, units):
    shown = [encode(torch.where(unit[..., None], fill, tokens)) for unit in units]
    return torch.stack([(x - encode(tokens)).norm(dim=1).mean() for x in shown])


def against_the_first(encode, tokens, fill, units):
    shown = [encode(torch.where(unit[..., None], fill, tokens)) for unit in units]
    return torch.stack([1 - torch.nn.functional.cosine_similarity(x, shown[0], dim=1).mean() for x in shown])


@pytest.mark.parametrize(
    "right",
    [
        hiding,
        lambda e, t, f, u: hiding(e, t, f, u).float(),
        lambda e, t, f, u: hiding(e, t.double(), f.double(), u),
        lambda e, t, f, u: hiding(e, t, f, u).tolist(),
        lambda e, t, f, u: list(hiding(e, t, f, u)),
        lambda e, t, f, u: hiding(e, t, f, u).numpy(),
    ],
)
def test_right_answers_of_hiding_pass(right, capsys):
    lessons.check_hiding(right)
    assert "hiding" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (in_place, "changes the tokens that it was given"),
        (lambda e, t, f, u: in_place(e, t.clone(), f, u), "on top of the other"),
        (lambda e, t, f, u: hiding(e, t, f, ~u), "all but the unit"),
        (lambda e, t, f, u: hiding(e, t, f, u, value=0.0), "puts zeros"),
        (lambda e, t, f, u: 1 - hiding(e, t, f, u), "returns cosines"),
        (of_means, "mean features"),
        (lambda e, t, f, u: hiding(e, t, f, u) * len(t), "sums over clips"),
        (euclidean, "Euclidean"),
        (against_the_first, "with each other"),
        (lambda e, t, f, u: hiding(e, t, f, u).flip(0), "is right"),
        (lambda e, t, f, u: hiding(e, t, f, u)[:, None], "is asked for"),
        (lambda e, t, f, u: float(hiding(e, t, f, u)[0]), "one number for each unit"),
        (lambda e, t, f, u: None, "returned nothing"),
    ],
)
def test_mistakes_of_hiding_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_hiding(wrong)
