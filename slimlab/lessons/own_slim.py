"""Lesson 08: what holds the weights of a SLiM that the reader computes, the library's training beside it, and four checks.

SLiM, arXiv 2603.10648, section 3; pre-norm transformer blocks with SwiGLU: arXiv 2002.05202.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimlab import losses
from slimlab.data import ClipStore
from slimlab.encoder import Attention, Block, EncoderConfig, rotary_tables, rotate, unseen_tokens
from slimlab.evaluate import inputs
from slimlab.lessons.asking import attempt, expect, expect_tensor, passed
from slimlab.pretrain.config import Config
from slimlab.pretrain.gradcache import Piece
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer
from slimlab.skeleton import COCO, Skeleton


class Weights(nn.Module):
    """Parameters, layers and settings under the names that they are given. It computes nothing."""

    def __init__(self, **parts: Any) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def head_weights(config: Config) -> Weights:
    """The weights of a prototype head, under the names of `losses.PrototypeHead`; prototypes and norms are zero until loaded."""
    width, hidden, size = config.width, config.head_hidden, config.head_bottleneck
    mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, size))
    prototypes, norms = torch.zeros(config.prototypes, size), torch.zeros(config.prototypes, 1)
    return Weights(prototypes=nn.Parameter(prototypes), norms=nn.Parameter(norms), mlp=mlp)


class Library(Trainer):
    """The library's trainer with masks from a function of the reader; a step's views and masks are there for others as well."""

    def __init__(self, config: Config, store: ClipStore, tube_mask: Callable[..., Tensor]) -> None:
        super().__init__(config, store.skeleton)
        self.store, self.tube_mask, self._made = store, tube_mask, (-1, [])

    def batch(self, step: int) -> Piece:
        """Views and masks of this step."""
        return self.sample(self.store, self._clips(step), step=step)[0]

    def learn(self, step: int) -> dict[str, float]:
        """One update on this step's batch; what `Trainer.step` returns."""
        return self.step(self.store, self._clips(step), step)

    def sample(self, store: ClipStore, clips: np.ndarray, *, step: int) -> list[Piece]:
        if self._made[0] != step:
            self._made = step, super().sample(store, clips, step=step)
        return self._made[1]

    def _clips(self, step: int) -> np.ndarray:
        return clips_of_step(len(self.store), self.config.batch_size, self.config.seed, step)

    def _strategy(self, name: str) -> Callable[..., Tensor]:
        def drawn(n: int, steps: int, skeleton: Skeleton, ratios: Tensor, generator: torch.Generator, **_: Any) -> Tensor:
            return torch.stack([self.tube_mask(steps, skeleton, float(r), generator) for r in ratios])

        return drawn


def people_of(weights: Weights, store: ClipStore) -> tuple[Tensor, Tensor | None, Tensor]:
    """The test views of all people of all clips, as `weights.encoder.config` wants them.

    Returns:
        x (P, 3, T, V); mask (P, T', V) bool of tokens whose joint was not seen, or None where every joint was; clip (P,) int64.
    """
    encoder: Any = weights.encoder  # it has the `config` that `inputs` asks for
    x, people, seen = inputs(encoder, store, np.arange(len(store)))
    mask = None if seen is None else unseen_tokens(seen, encoder.config.patch_frames)[people]
    return x.permute(0, 4, 1, 2, 3)[people], mask, people.nonzero()[:, 0]


def state(network: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights by name."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def update_apart(before: dict[str, Tensor], ours: nn.Module, theirs: nn.Module) -> float:
    """How far two updates from the same weights are apart: the length of their difference over the length of `theirs`."""
    a, b = ours.state_dict(), theirs.state_dict()
    between = math.sqrt(sum(float((a[n] - b[n]).double().square().sum()) for n in before))
    moved = math.sqrt(sum(float((b[n] - before[n]).double().square().sum()) for n in before))
    return between / moved


def check_attend(function: Callable[..., Tensor]) -> None:
    """function(x (B, N, D), layer, turn) -> (B, N, D), as the library's `Attention` with the same weights. Raises NotYet.

    layer  has qkv and proj (nn.Linear) and heads; turn(q) rotates queries or keys (…, N, D/heads)
    """
    for seed, (batch, length, width, heads) in enumerate(((2, 7, 16, 2), (1, 5, 24, 3), (3, 4, 8, 1))):
        dice = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layer = Attention(width, heads)
        x = 2 * torch.randn(batch, length, width, generator=dice)
        tables = rotary_tables(torch.arange(length), width // heads)
        calls: list[tuple[int, ...]] = []

        def turn(q: Tensor, tables=tables, calls=calls) -> Tensor:
            calls.append(tuple(q.shape))
            expect(
                q.ndim >= 2 and q.shape[-2:] == tables[0].shape,
                f"turn is given {tuple(q.shape)}: queries and keys are (…, N, d), each head's tokens before its {q.shape[-1]} "
                "numbers; split D into heads first, then bring the heads in front of the tokens.",
            )
            return rotate(q, tables)

        with torch.no_grad():
            got = attempt(function, x.clone(), layer, turn)
            got = expect_tensor(got, "attend", tuple(x.shape), "(B, N, D)").to(x)
            wanted = layer(x, tables, True)[0]
            if not torch.allclose(got, wanted, atol=1e-4):
                _name_the_attention(got, x, layer, tables)
    passed("Attention: heads, rotation, softmax and projection, as the library's layer.", function)


def _name_the_attention(got: Tensor, x: Tensor, layer: Attention, tables: tuple[Tensor, Tensor]) -> None:
    heads, (batch, length, width) = layer.heads, x.shape
    qkv = layer.qkv(x).view(batch, length, 3, heads, width // heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4)
    size = width // heads
    tq, tk = rotate(q, tables), rotate(k, tables)

    def out(q: Tensor, k: Tensor, v: Tensor, scale: float = size**-0.5, over: int = -1) -> Tensor:
        return ((q @ k.transpose(-2, -1) * scale).softmax(dim=over) @ v).transpose(1, 2).reshape(batch, length, width)

    right = out(tq, tk, v)
    unmerged = right.view(batch, length, heads, size).transpose(1, 2).reshape(batch, length, width)
    by_head = layer.qkv(x).view(batch, length, heads, 3, size).permute(3, 0, 2, 1, 4)
    mistakes = {
        "attend leaves the rotation out: queries and keys go through turn.": layer.proj(out(q, k, v)),
        "attend turns one of queries and keys only: both go through turn.": layer.proj(out(tq, k, v)),
        "attend turns the keys only: queries go through turn as well.": layer.proj(out(q, tk, v)),
        "attend turns the values as well: only queries and keys are compared, so only they are turned.": layer.proj(
            out(tq, tk, rotate(v, tables))
        ),
        "attend does not scale: divide the scores by the root of a head's width.": layer.proj(out(tq, tk, v, 1.0)),
        "attend divides by a head's width: it is its square root.": layer.proj(out(tq, tk, v, 1 / size)),
        "attend divides by the root of the whole width D: it is that of a head, D / heads.": layer.proj(
            out(tq, tk, v, width**-0.5)
        ),
        "attend takes the softmax over the queries: a query's weights sum to one over the keys, the last axis.": layer.proj(
            out(tq, tk, v, over=-2)
        ),
        "attend leaves out layer.proj, the last linear layer.": right,
        "attend joins the heads without bringing the tokens in front again: transpose (B, heads, N, d) before the reshape.": (
            layer.proj(unmerged)
        ),
        "attend cuts layer.qkv's output head by head: first come the queries of all heads, then the keys, then the values.": (
            layer.proj(out(rotate(by_head[0], tables), rotate(by_head[1], tables), by_head[2]))
        ),
    }
    for sentence, value in mistakes.items():
        same = heads == 1 and ("heads" in sentence or "whole width" in sentence)  # there is nothing to confuse with one head
        expect(same or not torch.allclose(got, value, atol=1e-4), sentence)
    expect(False, "attend differs from the library's layer: proj(softmax(turn(q) turn(k)ᵀ / √d) v), head by head.")


def check_block(function: Callable[..., Tensor]) -> None:
    """function(x (B, N, D), layer, attend) -> (B, N, D), as the library's `Block` with the same weights. Raises NotYet.

    layer  has norm1, norm2, mlp.w12 and mlp.w3; attend(x) -> (B, N, D) stands for the attention
    """
    for seed, (width, heads) in enumerate(((16, 2), (24, 3))):
        dice = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layer = Block(EncoderConfig(skeleton=COCO, width=width, heads=heads))
            for norm in (layer.norm1, layer.norm2):
                nn.init.normal_(norm.weight, 1, 0.5)
                nn.init.normal_(norm.bias)
        x, mix = torch.randn(2, 5, width, generator=dice), torch.randn(width, width, generator=dice)

        def attend(y: Tensor, mix=mix) -> Tensor:
            return y.mean(dim=1, keepdim=True) + (y @ mix).tanh()

        with torch.no_grad():
            given = x.clone()
            got = expect_tensor(attempt(function, given, layer, attend), "block", tuple(x.shape), "(B, N, D)").to(x)
            expect(torch.equal(given, x), "block changes the tokens that it was given: x = x + …, not x += ….")
            wanted = _block(x, layer, attend)
            if not torch.allclose(got, wanted, atol=1e-4):
                _name_the_block(got, x, layer, attend)
    passed("Block: two residual steps, each behind its own norm, as the library's.", function)


def _block(x: Tensor, layer: Block, attend: Callable[[Tensor], Tensor], mlp: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    x = x + attend(layer.norm1(x))
    return x + (mlp or layer.mlp)(layer.norm2(x))


def _name_the_block(got: Tensor, x: Tensor, layer: Block, attend: Callable[[Tensor], Tensor]) -> None:
    def gated(by: Callable[[Tensor], Tensor], swapped: bool = False) -> Callable[[Tensor], Tensor]:
        def mlp(y: Tensor) -> Tensor:
            gate, value = layer.mlp.w12(y).chunk(2, dim=-1)
            return layer.mlp.w3(by(value) * gate if swapped else by(gate) * value)

        return mlp

    after = x + attend(layer.norm1(x))
    first = layer.norm1(x + attend(x))
    mistakes = {
        "block normalizes after each step (post-norm): the norm stands in front, inside the residual.": layer.norm2(
            first + layer.mlp(first)
        ),
        "block leaves out the residual of the attention: x + attend(…).": attend(layer.norm1(x))
        + layer.mlp(layer.norm2(attend(layer.norm1(x)))),
        "block leaves out the residual of the MLP: x + ….": layer.mlp(layer.norm2(after)),
        "block gives the MLP what came in, not what the attention has made of it.": after + layer.mlp(layer.norm2(x)),
        "block leaves out norm1 in front of the attention.": _block_without(x, layer, attend, first=True),
        "block leaves out norm2 in front of the MLP.": _block_without(x, layer, attend, first=False),
        "block uses norm1 twice: the MLP has a norm of its own, norm2.": after + layer.mlp(layer.norm1(after)),
        "block ends after the attention: the MLP is missing.": after,
        "block swaps gate and value: the first half of w12's output is the gate, which goes through SiLU.": _block(
            x, layer, attend, gated(F.silu, swapped=True)
        ),
        "block's gate is a sigmoid: SwiGLU's is SiLU, y times sigmoid(y).": _block(x, layer, attend, gated(torch.sigmoid)),
        "block's gate is a GELU (GEGLU): SwiGLU's is SiLU.": _block(x, layer, attend, gated(F.gelu)),
        "block's gate has no nonlinearity: it goes through SiLU.": _block(x, layer, attend, gated(lambda y: y)),
    }
    for sentence, value in mistakes.items():
        expect(not torch.allclose(got, value, atol=1e-4), sentence)
    expect(False, "block differs from the library's: x + attend(norm1(x)), then x + w3(silu(gate) * value) of norm2(x).")


def _block_without(x: Tensor, layer: Block, attend: Callable[[Tensor], Tensor], *, first: bool) -> Tensor:
    x = x + attend(x if first else layer.norm1(x))
    return x + layer.mlp(layer.norm2(x) if first else x)


def check_prototype_logits(function: Callable[..., Tensor]) -> None:
    """function(x (…, D), head) -> (…, K): as the library's `PrototypeHead` with the same weights. Raises NotYet.

    head  has mlp (nn.Sequential), prototypes (K, E) and norms (K, 1)
    """
    for seed, shape in enumerate(((6,), (2, 3))):
        dice = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = losses.PrototypeHead(8, 11, 16, 5, init_std=None)
            with torch.no_grad():
                head.norms.uniform_(0.5, 3)
                head.prototypes.mul_(torch.rand(11, 1) * 4 + 0.5)
        x = 3 * torch.randn(*shape, 8, generator=dice)
        given = attempt(function, x.clone(), head)
        got = expect_tensor(given, "prototype_logits", (*shape, 11), "(…, K)").to(x)
        z, c = head.mlp(x), head.prototypes
        unit, ways = F.normalize(z, dim=-1), F.normalize(c, dim=-1)
        mistakes = {
            "prototype_logits does not bring the embeddings to length one.": z @ (ways * head.norms).T,
            "prototype_logits does not bring the prototypes to length one: only their direction counts.": unit
            @ (c * head.norms).T,
            "prototype_logits brings nothing to length one: logits are cosines, times the norms.": z @ (c * head.norms).T,
            "prototype_logits leaves out head.norms, one learned number for each prototype.": unit @ ways.T,
            "prototype_logits normalizes over the batch: each row has length one, so dim=-1.": F.normalize(z, dim=0)
            @ (ways * head.norms).T,
            "prototype_logits normalizes the prototypes' columns: each row is a prototype, so dim=-1.": unit
            @ (F.normalize(c, dim=0) * head.norms).T,
            "prototype_logits normalizes after multiplying with the norms, which undoes them.": unit
            @ F.normalize(c * head.norms, dim=-1).T,
            "prototype_logits ends in a softmax: logits are asked for.": (unit @ (ways * head.norms).T).softmax(dim=-1),
        }
        for sentence, value in mistakes.items():
            expect(not torch.allclose(got, value, atol=1e-5), sentence)
        expect(
            torch.allclose(got, head(x), atol=1e-4),
            "prototype_logits differs from the library's: cosines of head.mlp(x) with the prototypes, times head.norms.",
        )
        expect(
            given.requires_grad,
            "no gradient comes out of prototype_logits: head and encoder learn through it (no detach, no no_grad).",
        )
    passed("Prototype head: cosines times norms, as the library's.", function)


def check_glcl(function: Callable[..., Tensor]) -> None:
    """function(student_logits, teacher_targets, temperature=0.1) -> scalar, as `losses.global_local_loss`. Raises NotYet.

    student_logits, teacher_targets  sequences of (B, K), the global views first
    """
    for seed, (views, batch, prototypes, temperature) in enumerate(((4, 5, 6, 0.1), (2, 3, 4, 0.5), (8, 2, 7, 0.2))):
        dice = torch.Generator().manual_seed(seed)
        logits = [torch.randn(batch, prototypes, generator=dice).requires_grad_() for _ in range(views)]
        targets = [losses.sinkhorn_knopp(torch.randn(batch, prototypes, generator=dice), 0.4) for _ in range(2)]
        given = attempt(function, list(logits), list(targets), temperature)
        got = expect_tensor(given, "glcl", (), "a scalar")
        wanted = losses.global_local_loss(logits, targets, temperature)
        if not torch.allclose(got.to(wanted), wanted, atol=1e-4):
            _name_the_glcl(got.detach().to(wanted), [x.detach() for x in logits], targets, temperature)
        expect(got.requires_grad, "no gradient comes out of glcl: leave the student's logits attached (no detach).")
        ours = torch.autograd.grad(got, logits, allow_unused=True)
        theirs = torch.autograd.grad(wanted, logits)
        for view, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            expect(
                a is not None and torch.allclose(a, b, atol=1e-4),
                f"the value of glcl is right but the gradient of view {view} is not.",
            )
    got = attempt(function, logits, targets)
    expect(
        torch.allclose(torch.as_tensor(got).to(wanted), losses.global_local_loss(logits, targets), atol=1e-4),
        "glcl without a temperature takes 0.1: give the argument this default.",
    )
    passed("GLCL: every teacher's view predicted from every other view, with the right gradient.", function)


def _name_the_glcl(got: Tensor, logits: Sequence[Tensor], targets: Sequence[Tensor], temperature: float) -> None:
    terms = torch.stack([torch.stack([losses.cross_entropy(s, t, temperature).mean() for s in logits]) for t in targets])
    views, batch = len(logits), len(logits[0])
    others = torch.ones_like(terms, dtype=torch.bool)
    others[0, 0] = others[1, 1] = False
    right = terms[others].mean()
    shares = [(s / temperature).softmax(dim=-1) for s in logits]
    turned = torch.stack(
        [-(p * t.clamp(min=1e-9).log()).sum(-1).mean() for i, t in enumerate(targets) for j, p in enumerate(shares) if i != j]
    )
    bare = torch.stack([-(t * p).sum(-1).mean() for i, t in enumerate(targets) for j, p in enumerate(shares) if i != j])
    mistakes = {
        "glcl lets a view predict itself: leave out the terms of teacher's view t and student's view t.": terms.mean(),
        "glcl leaves out the other global view: only a view's prediction of itself is left out.": terms[:, 2:].mean()
        if views > 2
        else right + 1,
        "glcl takes the global views alone: local views predict both teacher views.": terms[:, :2][others[:, :2]].mean()
        if views > 2
        else right + 1,
        "glcl lets the first teacher view alone be predicted: there are two.": terms[0][others[0]].mean(),
        "glcl sums its terms: take their mean.": terms[others].sum(),
        "glcl divides by the views: there are 2 + 2n terms, each teacher view with every other view.": terms[others].sum()
        / views,
        "glcl divides by all pairs, those left out too: there are 2 + 2n terms.": terms[others].sum() / terms.numel(),
        "glcl sums over the batch: each term is a mean over the clips.": right * batch,
        "glcl takes a mean over the prototypes as well: a cross-entropy sums over them.": right / logits[0].shape[1],
        "glcl does not use the temperature: divide the student's logits by it.": losses.global_local_loss(logits, targets, 1.0),
        "glcl has the wrong sign: a cross-entropy is minus the sum.": -right,
        "glcl multiplies by the student's shares, not by their logarithm: use log_softmax.": bare.mean(),
        "glcl swaps the two: the target weighs the logarithm of the student's shares.": turned.mean(),
    }
    for sentence, value in mistakes.items():
        same = torch.allclose(value, right, atol=1e-4)  # here this mistake changes nothing
        expect(same or not torch.allclose(got, value, atol=1e-4), sentence)
    expect(
        False,
        f"glcl is {got:.4f} where the library has {right:.4f}: cross-entropy of each teacher view's targets with every other "
        "view of the student, mean over the batch, then over the pairs.",
    )
