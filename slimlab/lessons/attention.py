"""Checks of the exercises on attention: the softmax of q and k, roll-out (arXiv 2005.00928), mean distance (arXiv 2010.11929),
and of what hiding changes (arXiv 1311.2901)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from slimlab import analysis
from slimlab.encoder import Attention
from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.skeleton import COCO, KINECT_V2, Skeleton


def check_attention(function: Callable[[Tensor, Tensor], Tensor]) -> None:
    """function(q, k), both (…, heads, N, d) -> weights (…, heads, N, N); compared with an attention layer of the encoder."""
    dice = torch.Generator().manual_seed(6)
    for batch, length, width, heads in ((1, 7, 16, 2), (3, 12, 24, 3)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            layer = Attention(width, heads)
        x = 3 * torch.randn(batch, length, width, generator=dice)
        with torch.no_grad():
            q, k, _ = layer.qkv(x).view(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            _, wanted = layer(x, None, True)
        assert wanted is not None
        shape = (batch, heads, length, length)
        got = expect_tensor(attempt(function, q.clone(), k.clone()), "attention", shape, "(…, heads, N, N)").to(wanted)
        if torch.allclose(got, wanted, atol=1e-5):
            continue
        scores, d = q @ k.transpose(-2, -1), width // heads
        mistakes = {
            "attention gives the scores themselves: a softmax over the keys makes weights of them.": scores / math.sqrt(d),
            "attention is not scaled: divide the scores by the square root of d, the width of a head.": scores.softmax(dim=-1),
            "attention is scaled by d: it is the square root of d.": (scores / d).softmax(dim=-1),
            "attention divides by the root of the whole width: d is one head's.": (scores / width**0.5).softmax(dim=-1),
            "the softmax goes over the queries: each query's weights sum to one over the keys, the last axis.": (
                scores / math.sqrt(d)
            ).softmax(dim=-2),
            "queries and keys are swapped: row i holds what query i pays to each key (q @ k transposed).": (
                scores.transpose(-2, -1) / math.sqrt(d)
            ).softmax(dim=-1),
        }
        for sentence, value in mistakes.items():
            expect(not torch.allclose(got, value, atol=1e-5), sentence)
        worst = (got - wanted).abs().max()
        expect(False, f"attention differs from the library's by up to {worst:.2g}: softmax(q kᵀ / √d), over the last axis.")
    passed("Attention: as the encoder's own layer has it.", function)


def check_rollout(function: Callable[[Tensor], Tensor]) -> None:
    """function(attention (L, heads, N, N)) -> (N, N), roll-out through all layers; `analysis.rollout(attention)[-1]`."""
    dice = torch.Generator().manual_seed(9)
    for layers, heads, length in ((1, 2, 5), (3, 2, 6), (4, 1, 9)):
        attention = (4 * torch.randn(layers, heads, length, length, generator=dice)).softmax(dim=-1)
        wanted = analysis.rollout(attention)[-1]
        got = expect_tensor(attempt(function, attention.clone()), "rollout", (length, length), "(N, N)").to(wanted)
        if torch.allclose(got, wanted, atol=1e-5):
            continue
        same = torch.eye(length)
        mean = attention.mean(dim=1)  # (L, N, N)
        halves = (mean + same) / 2
        mistakes = {
            "rollout leaves out the residual connection: mix each layer half and half with the identity.": _product(mean),
            "rollout multiplies in the wrong order: later layers stand to the left.": _product(halves.flip(0)),
            "rollout averages the layers: it multiplies them.": halves.mean(dim=0),
            "rollout adds the identity without halving: rows have to sum to one again.": _product(mean + same),
            "rollout takes the strongest head: heads are averaged.": _product((attention.amax(dim=1) + same) / 2),
        }
        for sentence, value in mistakes.items():
            expect((layers == 1 and "order" in sentence) or not torch.allclose(got, value, atol=1e-5), sentence)
        rows = got.sum(dim=-1)
        expect(
            torch.allclose(rows, torch.ones(length), atol=1e-4),
            f"the rows of rollout sum to {rows.min():.3g}..{rows.max():.3g}, not to one: every factor's rows have to.",
        )
        expect(False, "rollout differs from the library's: mean over heads, (A + I) / 2 in each layer, multiplied up.")
    passed("Roll-out: attention followed through all layers, rows still sum to one.", function)


def check_distance(function: Callable[..., Tensor]) -> None:
    """function(attention (heads, N, N), hops (V, V), steps) -> (heads,) mean hops, as `analysis.attention_distance` has them.

    N = 1 + registers + steps * V; joints' tokens alone count, as queries and as keys.
    """
    dice = torch.Generator().manual_seed(10)
    for body, steps, registers, heads in ((KINECT_V2, 2, 4, 3), (COCO, 3, 0, 2), (_backwards(KINECT_V2), 4, 1, 2)):
        joints = len(body)
        length = 1 + registers + steps * joints
        attention = (2 * torch.randn(heads, length, length, generator=dice)).softmax(dim=-1)
        hops = analysis.hops(body)
        wanted = analysis.attention_distance(attention, body, steps)[0]
        got = attempt(function, attention.clone(), hops.clone(), steps)
        got = expect_tensor(got, "mean_distance", (heads,), "(heads,)").to(wanted)
        if torch.allclose(got, wanted, atol=1e-4):
            continue
        cells = attention[:, -steps * joints :, -steps * joints :]
        far = hops.float().repeat(steps, steps)
        turned = attention.transpose(-2, -1)[:, -steps * joints :, -steps * joints :]
        first = attention[:, : steps * joints, : steps * joints]
        mistakes = {
            "mean_distance does not renormalize: divide each row by what is left without CLS and registers.": (
                cells * far
            ).sum(dim=-1).mean(dim=-1),
            "mean_distance sums over queries and tokens: take the mean over the queries.": _mean_far(cells, far) * steps * joints,
            "mean_distance takes the first tokens: CLS and the registers stand before those of joints.": _mean_far(first, far),
            "mean_distance goes along the wrong axis: row i is query i, and its keys are the last axis.": _mean_far(turned, far),
            "mean_distance lays time steps out joint by joint: tokens go step by step (repeat, not repeat_interleave).":
                _mean_far(cells, hops.float().repeat_interleave(steps, 0).repeat_interleave(steps, 1)),
        }  # fmt: skip
        for sentence, value in mistakes.items():
            expect(not torch.allclose(got, value, atol=1e-4), sentence)
        expect(False, f"mean_distance is {got[0]:.3f} for the first head where the library has {wanted[0]:.3f} hops.")
    passed("Mean attention distance: as the library has it, on three bodies.", function)


def check_hiding(function: Callable[..., Any]) -> None:
    """function(encode, tokens (N, T', V, D), fill (D,), units (U, T', V) bool) -> (U,) mean over clips of 1 - cosine.

    encode  tokens (N, T', V, D) -> features (N, F). A unit's tokens are replaced by `fill`, and the features of every clip are
            compared with those of the same clip as it was (`analysis.occlude` does the same to an encoder).
    """
    dice = torch.Generator().manual_seed(11)
    for clips, steps, joints, size, count in ((5, 3, 4, 6, 3), (1, 2, 5, 4, 4), (8, 4, 3, 5, 2)):
        tokens = torch.randn(clips, steps, joints, size, generator=dice)
        fill = 1.5 * torch.randn(size, generator=dice)
        units = torch.rand(count, steps, joints, generator=dice) < 0.4
        units[:, 0, 0], units[:, -1, -1] = True, False  # no unit is empty, none is everything
        weight = torch.randn(steps * joints * size, 7, generator=dice).double() / 4

        def encode(x: Tensor, weight: Tensor = weight) -> Tensor:
            return (x.flatten(1).double() @ weight).tanh() + 0.3

        given, wanted = tokens.clone(), _hiding(encode, tokens, fill, units)
        got = _numbers(attempt(function, encode, given, fill.clone(), units.clone()), "hiding_effect")
        got = expect_tensor(got, "hiding_effect", (count,), "(U,)").to(wanted)
        expect(
            torch.equal(given, tokens),
            "hiding_effect changes the tokens that it was given: later units then find earlier ones hidden; work on a copy.",
        )
        if torch.allclose(got, wanted, atol=1e-5):
            continue
        clean, hidden, all_so_far, others = encode(tokens), [], tokens.clone(), []
        for unit in units:
            all_so_far = torch.where(unit[..., None], fill, all_so_far)
            hidden.append(all_so_far)
            others.append(torch.where(unit[..., None], tokens, fill))
        zeros = _hiding(encode, tokens, torch.zeros_like(fill), units)
        shown = [encode(torch.where(unit[..., None], fill, tokens)) for unit in units]
        mistakes = {
            "hiding_effect hides one unit on top of the other: begin each with the tokens as they were.": [
                _apart(encode(x), clean).mean() for x in hidden
            ],
            "hiding_effect hides all but the unit: True in units means hidden.": [
                _apart(encode(x), clean).mean() for x in others
            ],
            "hiding_effect puts zeros where tokens are hidden: zeros are numbers, too; put `fill`.": zeros,
            "hiding_effect returns cosines: 1 minus the cosine is zero where nothing changes.": 1 - wanted,
            "hiding_effect compares mean features: take the cosine of each clip, then the mean.": [
                _apart(x.mean(dim=0), clean.mean(dim=0)) for x in shown
            ],
            "hiding_effect sums over clips: the mean is asked for.": wanted * clips,
            "hiding_effect measures a Euclidean distance: 1 minus the cosine is asked for.": [
                (x - clean).norm(dim=1).mean() for x in shown
            ],
            "hiding_effect compares the units with each other: compare with the clip in which nothing is hidden.": [
                _apart(x, shown[0]).mean() for x in shown
            ],
        }
        for sentence, value in mistakes.items():
            same = torch.allclose(got, torch.as_tensor([float(v) for v in value]).to(wanted), atol=1e-5)
            expect(not same, sentence)
        wrong = int((got - wanted).abs().argmax())
        expect(
            False, f"hiding_effect is {got[wrong]:.4f} for unit {wrong} where {wanted[wrong]:.4f} is right (of {clips} clips)."
        )
    passed("What hiding changes: each unit alone, against the clip as it was.", function)


def _hiding(encode: Callable[[Tensor], Tensor], tokens: Tensor, fill: Tensor, units: Tensor) -> Tensor:
    clean = encode(tokens)
    return torch.stack([_apart(encode(torch.where(unit[..., None], fill, tokens)), clean).mean() for unit in units])


def _apart(a: Tensor, b: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(a, b, dim=-1)


def _numbers(value: Any, name: str) -> Tensor | None:
    """A tensor, from a tensor, an array or a list of numbers; None stays None."""
    if value is None or isinstance(value, Tensor):
        return value  # `expect_tensor` speaks of None
    try:
        return torch.as_tensor(np.array([float(v) for v in value]))
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"{name} returned {type(value).__name__}: one number for each unit is asked for.") from None


def _backwards(body: Skeleton) -> Skeleton:
    """The same tree with its joints numbered from the other end, so that the root comes last."""
    last = len(body) - 1
    parents = [last - p if p >= 0 else -1 for p in reversed(body.parents)]
    return Skeleton(names=tuple(reversed(body.names)), parents=tuple(parents))


def _product(layers: Tensor) -> Tensor:
    out = layers[0]
    for layer in layers[1:]:
        out = layer @ out
    return out


def _mean_far(cells: Tensor, far: Tensor) -> Tensor:
    return (cells / cells.sum(dim=-1, keepdim=True) * far).sum(dim=-1).mean(dim=-1)
