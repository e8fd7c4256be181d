"""Checks of the exercises on the paper's table: what a block costs, and what an honest choice is worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch

from slimlab import cost
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.lessons.asking import attempt, expect, passed


def check_block_flops(function: Callable[[int, int, int], float]) -> None:
    """function(tokens, width, hidden) -> FLOPs of one transformer block with SwiGLU, a multiply-add being two.

    Compared with `cost.flops` of encoders that differ by one block. Raises NotYet.
    """
    for width, frames in ((256, 64), (256, 16), (64, 32)):
        one, two = (Encoder(EncoderConfig(width=width, heads=4, depth=depth)) for depth in (1, 2))
        wanted = cost.flops(two, frames=frames) - cost.flops(one, frames=frames)
        config, block = one.config, cast(Any, one.blocks[0])
        tokens = 1 + config.registers + frames // config.patch_frames * len(config.skeleton)
        hidden = block.mlp.w3.in_features
        got = attempt(function, tokens, width, hidden)
        expect(isinstance(got, int | float), "block_flops returned no number: end it with a line `return …`.")
        _name_the_mistake(float(got), wanted, tokens, width, hidden)
    passed(f"FLOPs of a block: {wanted / 1e6:.1f} million at {tokens} tokens of width {width}, as the library counts.")


def _name_the_mistake(got: float, wanted: float, n: int, d: int, h: int) -> None:
    near = lambda value: abs(got / value - 1) < 1e-3  # noqa: E731
    mistakes = {
        wanted / 2: "counts a multiply-add once: it is two FLOPs.",
        wanted - 4 * n * n * d: "leaves out attention's two products: queries with keys, and weights with values.",
        wanted - 2 * n * n * d: "counts one of attention's two products: queries with keys, and weights with values.",
        wanted - 2 * n * d * h: "takes the first product of SwiGLU for as wide as hidden: w12 is twice that.",
        wanted - 2 * n * d * d: "leaves out the projection after attention.",
        wanted - 4 * n * d * d: "counts one of queries, keys and values: the product qkv is three times the width.",
        wanted / n: "counts one token: every product runs over all of them.",
    }
    for value, says in mistakes.items():
        expect(near(wanted) or not near(value), f"block_flops {says}")
    expect(near(wanted), f"block_flops gives {got:.4g} for {n} tokens, width {d} and hidden {h}, the library {wanted:.4g}.")


def check_honest_choice(function: Callable[..., tuple[float, float]]) -> None:
    """function(held_out (C,), test (C,)) -> (honest, flattered): the accuracy on the test split of the candidate chosen on
    held-out performers, and of the one chosen on the test split itself. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(5)
    for count in (2, 13, 52):
        test = torch.rand(count, generator=dice, dtype=torch.float64) * 0.3 + 0.4
        held_out = test + 0.1 + 0.05 * torch.randn(count, generator=dice, dtype=torch.float64)
        got = attempt(function, held_out.clone(), test.clone())
        expect(isinstance(got, tuple | list) and len(got) == 2, "honest_choice returns two numbers: honest, flattered.")
        honest, flattered = (float(v) for v in got)
        chosen, best = float(test[held_out.argmax()]), float(test.max())
        expect(
            abs(honest - float(held_out.max())) > 1e-9,
            "honest is the accuracy on the held-out performers: they choose the candidate, the test split scores it.",
        )
        expect(abs(flattered - best) < 1e-9, "flattered is the best of all candidates on the test split: test.max().")
        expect(
            abs(honest - chosen) < 1e-9,
            "honest is the test accuracy of the candidate that is best on held-out performers: test[held_out.argmax()].",
        )
    passed("An honest choice: held-out performers choose, the test split scores.")
