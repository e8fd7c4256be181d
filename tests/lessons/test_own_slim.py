"""The checks of lesson 08 take right answers and name the mistakes that readers make; its trainer is the library's."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from slimlab import lessons, losses, pretrain
from slimlab.lessons import own_slim, solutions
from slimlab.pretrain.trainer import Trainer


def attend(x, layer, turn, q_turn=True, k_turn=True, v_turn=False, scale=None, over=-1, merge=True, proj=True, by_head=False):
    b, n, d = x.shape
    qkv = layer.qkv(x)
    if by_head:
        q, k, v = qkv.view(b, n, layer.heads, 3, -1).permute(3, 0, 2, 1, 4)
    else:
        q, k, v = qkv.view(b, n, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)
    q, k, v = turn(q) if q_turn else q, turn(k) if k_turn else k, turn(v) if v_turn else v
    size = {"none": 1, "d": q.shape[-1] ** 2, "D": d}.get(scale, q.shape[-1])
    out = ((q @ k.mT) / math.sqrt(size)).softmax(over) @ v
    out = (out.transpose(1, 2) if merge else out).reshape(b, n, d)
    return layer.proj(out) if proj else out


def fused(x, layer, turn):
    b, n, _ = x.shape
    q, k, v = (y.view(b, n, layer.heads, -1).transpose(1, 2) for y in layer.qkv(x).chunk(3, dim=-1))
    return layer.proj(F.scaled_dot_product_attention(turn(q), turn(k), v).transpose(1, 2).flatten(2)).double()


def head_after_head(x, layer, turn):
    size = x.shape[-1] // layer.heads
    q, k, v = layer.qkv(x).chunk(3, dim=-1)
    out = []
    for h in range(layer.heads):
        own = slice(h * size, (h + 1) * size)
        weights = (turn(q[..., own]) @ turn(k[..., own]).mT / size**0.5).softmax(-1)
        out.append(weights @ v[..., own])
    return layer.proj(torch.cat(out, dim=-1))


@pytest.mark.parametrize("right", [attend, fused, head_after_head, solutions.attend])
def test_attend_right(right, capsys):
    lessons.check_attend(right)
    assert capsys.readouterr().out.count("✓") == 1


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(q_turn=False, k_turn=False), "rotation out"),
        (dict(k_turn=False), "one of queries and keys only"),
        (dict(q_turn=False), "keys only"),
        (dict(v_turn=True), "values as well"),
        (dict(scale="none"), "does not scale"),
        (dict(scale="d"), "square root"),
        (dict(scale="D"), "whole width"),
        (dict(over=-2), "over the queries"),
        (dict(merge=False), "joins the heads"),
        (dict(proj=False), "leaves out layer.proj"),
        (dict(by_head=True), "head by head"),
    ],
)
def test_attend_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_attend(lambda x, layer, turn: attend(x, layer, turn, **wrong))


def unsplit(x, layer, turn):
    q, k, v = layer.qkv(x).chunk(3, dim=-1)
    return layer.proj((turn(q) @ turn(k).mT).softmax(-1) @ v)


def attended(q, k, v, x, layer, turn):
    weights = (turn(q) @ turn(k).mT / math.sqrt(q.shape[-1])).softmax(-1)
    return layer.proj((weights @ v).transpose(1, 2).reshape(x.shape))


def viewed_as_heads(x, layer, turn):
    b, n, _ = x.shape
    return attended(*(y.reshape(b, layer.heads, n, -1) for y in layer.qkv(x).chunk(3, dim=-1)), x, layer, turn)


def with_a_stride(x, layer, turn):
    return attended(*layer.qkv(x).unflatten(-1, (3, -1, layer.heads)).permute(2, 0, 4, 1, 3), x, layer, turn)


def other_order(*order):
    def function(x, layer, turn):
        parts = layer.qkv(x).unflatten(-1, (3, layer.heads, -1)).permute(2, 0, 3, 1, 4)
        return attended(*(parts[i] for i in order), x, layer, turn)

    return function


@pytest.mark.parametrize("order, says", [((1, 0, 2), "keys first"), ((0, 2, 1), "values before the keys")])
def test_attend_names_another_order_of_queries_keys_and_values(order, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_attend(other_order(*order))


def heads_behind(x, layer, turn):
    q, *_ = layer.qkv(x).unflatten(-1, (3, layer.heads, -1)).unbind(2)
    return turn(q)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (unsplit, "split D into heads first"),
        (heads_behind, "heads in front"),
        (torch.no_grad()(attend), "no gradient"),
        (lambda x, layer, turn: attend(x, layer, lambda q: turn(q).detach()), "gradient of x"),
        (lambda x, layer, turn: layer(x, turn), "weights and computes nothing"),
        (viewed_as_heads, "views the tokens as heads"),
        (with_a_stride, "with a stride"),
        (lambda *a: attend(*a, over=1), "over the heads"),
        (lambda x, layer, turn: None, "returned nothing"),
        (lambda x, layer, turn: x[:, :1], "shape"),
        (lambda x, layer, turn: x, "differs from the library's layer"),
        (lambda x, layer, turn: layer.queries(x), "stopped"),
    ],
)
def test_attend_of_another_kind(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_attend(wrong)


def block(x, layer, attend, act=F.silu, swap=False, norm1=True, norm2=True, skip1=True, skip2=True, again=None):
    after = attend(layer.norm1(x) if norm1 else x) + (x if skip1 else 0)
    given = after if again is None else x
    gate, value = layer.mlp.w12(layer.norm2(given) if norm2 else given).chunk(2, -1)
    gate, value = (value, gate) if swap else (gate, value)
    return layer.mlp.w3(act(gate) * value) + (after if skip2 else 0)


def mlp(layer, y, gated=lambda g, u: F.silu(g) * u):
    return layer.mlp.w3(gated(*layer.mlp.w12(y).chunk(2, -1)))


def post_norm(x, layer, attend):
    x = layer.norm1(x + attend(x))
    return layer.norm2(x + mlp(layer, x))


def in_place(x, layer, attend):
    x += attend(layer.norm1(x))
    return x + mlp(layer, layer.norm2(x))


def norm1_twice(x, layer, attend):
    x = x + attend(layer.norm1(x))
    return x + mlp(layer, layer.norm1(x))


def back_to_x(x, layer, attend):
    return x + mlp(layer, layer.norm2(x + attend(layer.norm1(x))))


def normed_residual(x, layer, attend):
    y = layer.norm2(x + attend(layer.norm1(x)))
    return y + mlp(layer, y)


def normed_residuals(x, layer, attend):
    x = layer.norm1(x)
    y = layer.norm2(x + attend(x))
    return y + mlp(layer, y)


def calls_the_mlp(x, layer, attend):
    x = x + attend(layer.norm1(x))
    return x + layer.mlp(layer.norm2(x))


def by_hand(x, layer, attend):
    """Token by token, with a SiLU of its own."""
    y = attend(layer.norm1(x)) + x
    rows = []
    for token in y.flatten(0, 1):
        w = layer.mlp.w12(layer.norm2(token))
        gate, value = w[: len(w) // 2], w[len(w) // 2 :]
        rows.append(token + layer.mlp.w3(gate * gate.sigmoid() * value))
    return torch.stack(rows).view_as(x)


@pytest.mark.parametrize("right", [block, by_hand, solutions.block, lambda x, layer, attend: block(x, layer, attend).double()])
def test_block_right(right):
    lessons.check_block(right)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (post_norm, "post-norm"),
        (in_place, "changes the tokens"),
        (norm1_twice, "norm1 twice"),
        (lambda x, layer, attend: x + attend(layer.norm1(x)), "ends after the attention"),
        (lambda *a: block(*a, act=torch.sigmoid), "sigmoid"),
        (lambda *a: block(*a, act=F.gelu), "GELU"),
        (lambda *a: block(*a, act=lambda y: y), "no nonlinearity"),
        (lambda *a: block(*a, swap=True), "swaps gate and value"),
        (lambda *a: block(*a, norm1=False, norm2=False), "leaves out both norms"),
        (lambda *a: block(*a, act=F.relu), "ReLU"),
        (back_to_x, "adds the MLP to what came in"),
        (normed_residual, "the residual is y"),
        (normed_residuals, "adds to the normalized tokens"),
        (calls_the_mlp, r"weights and computes nothing.*\(w12, w3\)"),
        (torch.no_grad()(block), "no gradient"),
        (lambda x, layer, attend: block(x, layer, lambda y: attend(y).detach()), "gradient of x"),
        (lambda *a: block(*a, norm1=False), "leaves out norm1"),
        (lambda *a: block(*a, norm2=False), "leaves out norm2"),
        (lambda *a: block(*a, skip1=False), "residual of the attention"),
        (lambda *a: block(*a, skip2=False), "residual of the MLP"),
        (lambda *a: block(*a, again=True), "what came in"),
        (lambda x, layer, attend: x, "differs from the library's"),
    ],
)
def test_block_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_block(wrong)


def logits(x, head, z=lambda z: F.normalize(z, dim=-1), c=lambda c: F.normalize(c, dim=-1), norms=True):
    return z(head.mlp(x)) @ (c(head.prototypes) * (head.norms if norms else 1)).T


def one_by_one(x, head):
    z = head.mlp(x)
    return torch.stack(
        [n * F.cosine_similarity(z, c, dim=-1) for c, n in zip(head.prototypes, head.norms[:, 0], strict=True)], -1
    )


@pytest.mark.parametrize("right", [logits, one_by_one, solutions.prototype_logits, lambda x, head: logits(x, head).double()])
def test_prototype_logits_right(right):
    lessons.check_prototype_logits(right)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(z=lambda z: z), "embeddings to length one"),
        (dict(c=lambda c: c), "prototypes to length one"),
        (dict(z=lambda z: z, c=lambda c: c), "nothing to length one"),
        (dict(norms=False), "leaves out head.norms"),
        (dict(z=lambda z: F.normalize(z, dim=0)), "over the batch"),
        (dict(c=lambda c: F.normalize(c, dim=0)), "prototypes' columns"),
        (dict(z=F.normalize), "axis 1"),
        (dict(z=lambda z: z, c=lambda c: c, norms=False), "nothing to length one and leaves out"),
        (dict(z=lambda z: F.normalize(z, dim=-1).detach()), "gradient of x"),
        (dict(c=lambda c: F.normalize(c, dim=-1).detach()), "gradient of prototypes"),
    ],
)
def test_prototype_logits_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_prototype_logits(lambda x, head: logits(x, head, **wrong))


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda x, head: logits(x, head).softmax(-1), "ends in a softmax"),
        (lambda x, head: logits(x, head).detach(), "no gradient"),
        (lambda x, head: logits(x, head) / 0.1, "divides by a temperature"),
        (lambda x, head: head(x), "weights and computes nothing"),
        (lambda x, head: logits(x, head).T, "shape"),
        (lambda x, head: logits(x, head) + 1, "differs from the library's"),
        (
            lambda x, head: F.normalize(head.mlp(x), dim=-1) @ F.normalize(head.prototypes * head.norms, dim=-1).T,
            "undoes them",
        ),
    ],
)
def test_prototype_logits_of_another_kind(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_prototype_logits(wrong)


def glcl(student, targets, temperature=0.1, pairs=lambda s, t: s != t, end=lambda terms: terms.mean(), log=True, over=-1):
    terms = []
    for t, q in enumerate(targets):
        for s, x in enumerate(student):
            if pairs(s, t):
                p = (x / temperature).log_softmax(-1) if log else (x / temperature).softmax(-1)
                terms.append(-(q * p).sum(over).mean())
    return end(torch.stack(terms))


def by_library(student, targets, temperature=0.1):
    return losses.global_local_loss(student, targets, temperature).double()


@pytest.mark.parametrize("right", [glcl, by_library, solutions.glcl])
def test_glcl_right(right):
    lessons.check_glcl(right)


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(pairs=lambda s, t: True), "predict itself"),
        (dict(pairs=lambda s, t: s > 1 or s == t == 9), "leaves out the other global view|stopped"),
        (dict(pairs=lambda s, t: s != t and s < 2), "global views alone"),
        (dict(pairs=lambda s, t: s != t and t == 0), "two"),
        (dict(end=lambda terms: terms.sum()), "sums its terms"),
        (dict(end=lambda terms: terms.sum() / 4), "divides by the views"),
        (dict(end=lambda terms: terms.sum() / (len(terms) + 2)), "divides by all pairs"),
        (dict(over=()), "sums over the batch|gradient|mean over the prototypes|differs|is "),
        (dict(log=False), "log_softmax"),
        (dict(end=lambda terms: -terms.mean()), "wrong sign"),
    ],
)
def test_glcl_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_glcl(lambda s, t, temperature=0.1: glcl(s, t, temperature, **wrong))


def reversed_cross_entropy(student, targets, temperature=0.1):
    terms = [
        -((x / temperature).softmax(-1) * q.clamp(min=1e-9).log()).sum(-1).mean()
        for t, q in enumerate(targets)
        for s, x in enumerate(student)
        if s != t
    ]
    return torch.stack(terms).mean()


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda s, t, temperature=0.1: glcl(s, t, 1.0), "does not use the temperature"),
        (lambda s, t, temperature=0.1: glcl([x.detach() for x in s], t, temperature), "no gradient"),
        (lambda s, t, temperature=0.1: glcl([s[0].detach(), *s[1:]], t, temperature), "gradient of view 0"),
        (lambda s, t, temperature=0.5: glcl(s, t, temperature), "takes 0.1"),
        (lambda s, t, temperature=0.1: glcl(s, t, 0.1), "always takes a temperature of 0.1"),
        (lambda s, t, temperature=0.1: glcl(s, t, 1 / temperature), "multiplies by the temperature"),
        (lambda s, t, temperature=0.1: glcl(s, [q.softmax(-1) for q in t], temperature), "shares already"),
        (lambda s, t, temperature=0.1: glcl(s, [F.one_hot(q.argmax(-1), q.shape[-1]) for q in t], temperature), "likeliest"),
        (lambda s, t, temperature=0.1: glcl(s, t, temperature) / len(s[0]), "divides by the clips"),
        (lambda s, t, temperature=0.1: glcl(s, t, temperature) * len(s[0]), "sums over the batch"),
        (lambda s, t, temperature=0.1: glcl(s, t, temperature) / s[0].shape[1], "mean over the prototypes"),
        (lambda s, t, temperature=0.1: glcl(s, t, temperature) + 1, "where the library has"),
        (reversed_cross_entropy, "swaps the two"),
        (lambda s, t, temperature=0.1: float(glcl(s, t, temperature).detach()), "torch tensor"),
    ],
)
def test_glcl_of_another_kind(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_glcl(wrong)


# what the lesson compares with


def test_the_library_with_other_masks_is_the_trainer_and_hands_out_its_batch(synthetic):
    config = pretrain.Config(preset="tiny", steps=4, batch_size=8, prototypes=16, head_hidden=16, head_bottleneck=8)
    library = own_slim.Library(config, synthetic, solutions.tube_mask)
    batch = library.batch(0)
    assert library.batch(0) is batch and len(batch) == 8
    assert batch.predicted is not None and batch.predicted.any()
    values = library.learn(0)
    assert values["loss"] > 0 and library.batch(1) is not batch

    plain = Trainer(config, synthetic.skeleton)  # the control: same views, masks of the library
    clips = library._clips(0)
    again = plain.sample(synthetic, clips, step=0)[0]
    assert torch.equal(again.views[0], batch.views[0]) and not torch.equal(again.masks[0], batch.masks[0])


def test_updates_are_compared_by_the_name_of_the_weights():
    before = nn.Linear(3, 2)
    start = own_slim.state(before)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    for network, by in ((ours, 1.0), (theirs, 2.0)):
        network.load_state_dict({name: value + by for name, value in start.items()})
    assert own_slim.update_apart(start, ours, theirs) == pytest.approx(0.5)
    assert own_slim.update_apart(start, theirs, theirs) == 0


def test_weights_hold_what_they_are_given_and_load_by_name():
    held = own_slim.Weights(first=nn.Linear(2, 2), inner=own_slim.Weights(number=nn.Parameter(torch.zeros(3))), heads=4)
    assert set(held.state_dict()) == {"first.weight", "first.bias", "inner.number"} and held.heads == 4
    with pytest.raises(NotImplementedError, match=r"computes nothing.*\(first, inner\)"):
        held(torch.zeros(2))
