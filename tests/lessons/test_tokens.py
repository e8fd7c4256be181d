"""The checks of lesson 03 take right answers and name the mistakes that readers make."""

import pytest
import torch

from slimlab import lessons
from slimlab.encoder import rotary_tables, rotate


def patchify(x, patch_frames):
    return x.unflatten(2, (-1, patch_frames)).permute(0, 2, 4, 1, 3).flatten(3)


def test_patchify_right(capsys):
    lessons.check_patchify(patchify)
    assert capsys.readouterr().out.count("✓") == 1


def by_loops(x, p):
    """In float64, and token by token."""
    steps = x.shape[2] // p
    rows = [torch.stack([x[:, :, t * p : (t + 1) * p, v].flatten(1) for v in range(x.shape[3])], 1) for t in range(steps)]
    return torch.stack(rows, dim=1).double()


@pytest.mark.parametrize("function", [by_loops, lambda x, p: torch.stack(patchify(x, p).unbind(2), 2).contiguous()])
def test_patchify_right_in_other_words(function, capsys):
    lessons.check_patchify(function)
    assert capsys.readouterr().out.count("✓") == 1


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda x, p: x.reshape(len(x), -1, x.shape[3], 3 * p), "several joints"),
        (lambda x, p: x.transpose(1, 2).reshape(len(x), -1, x.shape[3], 3 * p), "several joints"),
        (lambda x, p: x.unflatten(2, (-1, p)).permute(0, 2, 4, 3, 1).flatten(3), "each frame's x, y, z"),
        (lambda x, p: x.unflatten(2, (p, -1)).permute(0, 3, 4, 1, 2).flatten(3), "every T/P-th frame"),
        (lambda x, p: patchify(x, p).flip(1), "wrong order"),
        (lambda x, p: patchify(x, p).flip(2), "wrong order"),
        (lambda x, p: patchify(x, p).flip(3), "differ from the strided convolution"),
        (lambda x, p: patchify(x, p).double() + 1, "differ from the strided convolution"),
        (lambda x, p: None, "returned nothing"),
        (lambda x, p: patchify(x, p).transpose(1, 2), "shape"),
        (lambda x, p: patchify(x, p).numpy(), "torch tensor"),
    ],
)
def test_patchify_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_patchify(function)


def rotary(x, time, base=10000.0, sign=1.0, power=2.0):
    half = x.shape[1] // 2
    angle = sign * time[:, None] * base ** (-power * torch.arange(half) / x.shape[1])
    a, b = x[:, :half], x[:, half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=1)


def interleaved(x, time, base=10000.0):
    half = x.shape[1] // 2
    paired = torch.cat([x[:, 0::2], x[:, 1::2]], dim=1)
    turned = rotary(paired, time, base)
    return torch.stack([turned[:, :half], turned[:, half:]], dim=2).flatten(1)


def one_sign(x, time, base=10000.0):
    half = x.shape[1] // 2
    angle = time[:, None] * base ** (-2 * torch.arange(half) / x.shape[1])
    a, b = x[:, :half], x[:, half:]
    return torch.cat([a * angle.cos() + b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=1)


def in_place(x, time, base=10000.0):
    x[:] = rotary(x, time, base)
    return x


def by_pairs(x, time, base=10000.0):
    """With complex numbers, in float64."""
    half = x.shape[1] // 2
    angle = time.double()[:, None] * base ** (-torch.arange(half, dtype=torch.float64) / half)
    turned = torch.complex(x[:, :half].double(), x[:, half:].double()) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], dim=1)


@pytest.mark.parametrize("function", [rotary, by_pairs])
def test_rotary_right(function):
    lessons.check_rotary(function)


def test_rotary_is_the_encoders():
    x, time = torch.randn(5, 16, dtype=torch.float64), torch.tensor([0.0, 1, 2, 2, 7], dtype=torch.float64)
    torch.testing.assert_close(rotate(x, rotary_tables(time, 16)), rotary(x, time))


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda x, t, base=1e4: x.clone(), "as they were"),
        (lambda x, t, base=1e4: rotary(x, t, base, sign=-1.0), "backwards"),
        (lambda x, t, base=1e4: rotary(x, t, base, power=1.0), "fall too slowly"),
        (lambda x, t, base=1e4: rotary(x, t, base, power=0.0), "same angle"),
        (interleaved, "pairs neighbors"),
        (one_sign, "length of vectors"),
        (in_place, "new tensor"),
        (lambda x, t, base=1e4: rotary(x, t), "ignores its argument base"),
        (lambda x, t, base=1e4: rotary(x, t + 1), "differs from the encoder"),
        (lambda x, t, base=1e4: rotary(x, t).T, "shape"),
        (lambda x, t, base=1e4: interleaved(x, t, base).double(), "pairs neighbors"),
        (lambda x, t, base=1e4: rotary(x, t) if base == 1e4 else None, "returned nothing"),
        (lambda x, t, base=1e4: rotary(x, t) if base == 1e4 else rotary(x, t)[:, :1], "shape"),
    ],
)
def test_rotary_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_rotary(function)


def block_flops(tokens, width, hidden, qkv=3, products=2, proj=1, w12=2, w3=1, each=2):
    attention = qkv * tokens * width**2 + products * tokens**2 * width + proj * tokens * width**2
    return each * (attention + (w12 + w3) * tokens * width * hidden)


@pytest.mark.parametrize("form", [int, float, torch.tensor, lambda n: torch.tensor([float(n)], dtype=torch.float64)])
def test_block_flops_right(form):
    lessons.check_block_flops(lambda *a: form(block_flops(*a)))


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(each=1), "two FLOPs"),
        (dict(products=0), "attention's own two products"),
        (dict(products=1), "two products of N x N x D"),
        (dict(qkv=1), "not one"),
        (dict(qkv=2), "one of queries"),
        (dict(qkv=0), "queries, keys and values is missing"),
        (dict(proj=0), "projection after attention"),
        (dict(w12=0), "SwiGLU's first product"),
        (dict(w12=1), "twice as wide"),
        (dict(w3=0), "there is a last one"),
        (dict(qkv=5), "add up"),
    ],
)
def test_block_flops_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_block_flops(lambda *a: block_flops(*a, **wrong))


def test_block_flops_that_is_no_number():
    with pytest.raises(lessons.NotYet, match="a number is asked for"):
        lessons.check_block_flops(lambda *a: None)
