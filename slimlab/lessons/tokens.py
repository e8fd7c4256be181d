"""Checks of the exercises on tokens and cost (SLiM, arXiv 2603.10648, sections 3.1 and 4; RoPE, arXiv 2104.09864)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from slimlab.analysis import cost
from slimlab.encoder import Encoder, EncoderConfig, rotary_tables, rotate
from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.skeleton import COCO, KINECT_V2


def check_patchify(function: Callable[..., Tensor]) -> None:
    """function(x (B, 3, T, V), patch_frames) -> (B, T/patch_frames, V, 3*patch_frames), axis by axis within a token.

    A linear layer with the weights of the strided convolution must then give the convolution's tokens. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(5)
    for frames, joints, span in ((64, 25, 8), (12, 5, 4)):
        x = torch.randn(2, 3, frames, joints, generator=dice)
        weight, bias = torch.randn(6, 3, span, 1, generator=dice), torch.randn(6, generator=dice)
        shape = (2, frames // span, joints, 3 * span)
        got = expect_tensor(attempt(function, x.clone(), span), "patchify", shape, "(B, T/P, V, 3*P)").to(x)
        cut = x.unflatten(2, (-1, span))  # (B, 3, T/P, P, V)
        wrong = {
            "patchify reshapes without bringing the axes in order, so a token mixes several joints: permute first.": [
                x.reshape(shape),
                cut.transpose(1, 2).reshape(shape),
                x.transpose(1, 2).reshape(shape),
            ],
            "patchify puts each frame's x, y, z together: the convolution's weights (D, 3, P, 1) go through x's frames first, "
            "then y's, then z's.": [cut.permute(0, 2, 4, 3, 1).flatten(3)],
            "patchify takes every T/P-th frame: a token holds P frames that follow each other; unflatten T into (T/P, P).": [
                x.unflatten(2, (span, -1)).permute(0, 3, 4, 1, 2).flatten(3)
            ],
        }
        for sentence, answers in wrong.items():
            expect(not any(torch.allclose(got, answer) for answer in answers), sentence)
        right = cut.permute(0, 2, 4, 1, 3).flatten(3)
        expect(
            not any(torch.allclose(got, right.flip(axis)) for axis in (1, 2)),
            "patchify has the right tokens in the wrong order: time steps and joints stay in the order of x.",
        )
        tokens = F.linear(got, weight.flatten(1), bias)
        wanted = F.conv2d(x, weight, bias, stride=(span, 1)).permute(0, 2, 3, 1)  # (B, T/P, V, D)
        expect(
            torch.allclose(tokens, wanted, atol=1e-4),
            "the tokens differ from the strided convolution's: token (t, v) holds x[:, :, P*t : P*(t+1), v], axis by axis.",
        )
    passed("Patchify: a reshape and one matrix product are the convolution.", function)


def check_rotary(function: Callable[..., Tensor]) -> None:
    """function(x (N, D), time (N,), base=10000) -> (N, D): the pair (i, i + D/2) turned by time * base^(-2i/D) rad.

    Compared with `encoder.rotate`, which the encoder uses. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(6)
    for size, times in ((32, torch.arange(8.0)), (8, torch.tensor([0.0, 3.0, 3.0, 11.0])), (4, torch.tensor([2.0]))):
        x = torch.randn(len(times), size, generator=dice)
        given = x.clone()
        got = expect_tensor(attempt(function, given, times.clone()), "rotary", tuple(x.shape), "(N, D)").to(x)
        expect(torch.equal(given, x), "rotary changes the vectors that it was given: work on a new tensor.")
        _name_the_turn(got, x, times)
        wanted = _turned(x, times)
        expect(
            torch.allclose(got, wanted, atol=1e-4),
            "rotary differs from the encoder's: (a, b) = (x[i], x[i+D/2]) becomes (a cos - b sin, a sin + b cos) with the angle "
            "time * base^(-2i/D).",
        )
    got = expect_tensor(attempt(function, x, times, base=100.0), "rotary", tuple(x.shape), "(N, D)").to(x)
    expect(torch.allclose(got, _turned(x, times, base=100.0), atol=1e-4), "rotary ignores its argument base.")
    passed("Rotary: lengths stay, and q·k depends on the difference in time alone.", function)


def check_block_flops(function: Callable[[int, int, int], float]) -> None:
    """function(tokens, width, hidden) -> FLOPs of one SLiM block on one sequence; a multiply-add is 2, element-wise work is 0.

    Compared with what is counted when such a block runs (`cost.flops`). Raises NotYet.
    """
    for skeleton, width, frames in ((KINECT_V2, 256, 64), (COCO, 64, 32), (KINECT_V2, 64, 8)):
        shape = {"skeleton": skeleton, "width": width, "heads": 8, "frames": frames}
        with_one, without = (cost.flops(Encoder(EncoderConfig(depth=d, **shape))) for d in (1, 0))
        hidden = EncoderConfig(**shape).hidden
        n = 1 + 4 + frames // 8 * len(skeleton)
        wanted = with_one - without
        got = attempt(function, n, width, hidden)
        try:
            got = float(got)
        except (TypeError, ValueError):
            raise NotYet(f"block_flops returned {got!r}: a number is asked for.") from None
        _name_the_count(got, wanted, n, width, hidden)
    passed("FLOPs: your formula is what the counter sees when the block runs.", function)


def _name_the_turn(got: Tensor, x: Tensor, times: Tensor) -> None:
    half = x.shape[1] // 2
    still = not bool((times > 0).any())
    expect(still or not torch.allclose(got, x, atol=1e-5), "rotary leaves the vectors as they were: turn each pair by its angle.")
    expect(
        still or not torch.allclose(got, _turned(x, -times), atol=1e-4),
        "rotary turns backwards: (a, b) becomes (a cos - b sin, a sin + b cos); the sign decides whether released weights fit.",
    )
    cos, sin = (v.to(x) for v in rotary_tables(times, x.shape[1]))
    a, b, c, s = x[:, 0::2], x[:, 1::2], cos[:, :half], sin[:, half:]
    neighbours = torch.stack([a * c - b * s, a * s + b * c], dim=2).flatten(1)
    expect(
        x.shape[1] == 2 or still or not torch.allclose(got, neighbours, atol=1e-4),
        "rotary pairs neighbors (0, 1), (2, 3), …: here number i goes with number i + D/2.",
    )
    expect(
        still or not torch.allclose(got, _turned(x, times, power=1.0), atol=1e-4),
        "rotary's frequencies fall too slowly: the exponent is -2i/D, that is -i/(D/2).",
    )
    expect(
        half == 1 or still or not torch.allclose(got, _turned(x, times, power=0.0), atol=1e-4),
        "rotary turns all pairs by the same angle: pair i has the frequency base^(-2i/D).",
    )
    expect(
        torch.allclose(got.norm(dim=1), x.norm(dim=1), rtol=1e-3),
        "rotary changes the length of vectors, which no rotation does: check the signs in front of the sines and which half "
        "each one multiplies.",
    )


def _turned(x: Tensor, times: Tensor, base: float = 10000.0, power: float = 2.0) -> Tensor:
    """The encoder's own rotation where base and power are its own; otherwise as a product of complex numbers."""
    size, half = x.shape[1], x.shape[1] // 2
    if base == 10000.0 and power == 2.0:
        return rotate(x, tuple(v.to(x) for v in rotary_tables(times, size)))  # type: ignore[arg-type]
    angle = times.double()[:, None] * base ** (-power * torch.arange(half, dtype=torch.float64) / size)
    turned = torch.complex(x[:, :half].double(), x[:, half:].double()) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([turned.real, turned.imag], dim=1).to(x)


def _name_the_count(got: float, wanted: float, n: int, d: int, h: int) -> None:
    if abs(got - wanted) < 1e-6 * wanted:
        return
    products = {"qkv": 6 * n * d * d, "scores": 4 * n * n * d, "proj": 2 * n * d * d, "w12": 4 * n * d * h, "w3": 2 * n * h * d}
    assert abs(sum(products.values()) - wanted) < 1e-6 * wanted
    missing = [
        (products["qkv"], "the product that makes queries, keys and values is missing: 6 N D D"),
        (4 * n * d * d, "qkv makes three vectors of width D for each token, not one"),
        (2 * n * d * d, "2 N D D are missing: the projection after attention, or one of queries, keys and values"),
        (products["scores"], "attention's own two products, scores and weighted values, are missing: 2 N N D each"),
        (products["scores"] / 2, "attention has two products of N x N x D, scores and weighted values"),
        (products["w12"], "SwiGLU's first product is missing"),
        (
            2 * n * d * h,
            "2 N D H are missing: SwiGLU's first layer is twice as wide, a gate and a value, and there is a last one",
        ),
    ]
    says = f"block_flops gives {got:.4g} for {n} tokens of width {d}, counted are {wanted:.4g}: "
    expect(abs(got - wanted / 2) > 1e-6 * wanted, says + "a multiply-add is two FLOPs.")
    for lacking, sentence in missing:
        expect(abs(got - wanted + lacking) > 1e-6 * wanted, says + sentence + ".")
    raise NotYet(says + "add up qkv, scores, weighted values, projection, and SwiGLU's two layers.")
