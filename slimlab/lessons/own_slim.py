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
from slimlab.lessons.losses import cross_entropy_slips
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

    def forward(self, *_: Any, **__: Any) -> None:
        parts = ", ".join(vars(self)["_modules"] | vars(self)["_parameters"])
        raise NotImplementedError(
            f"this object holds weights and computes nothing: write the computation with its parts ({parts})"
        )


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

    layer  has qkv and proj (nn.Linear) and heads; turn(q) rotates queries or keys (…, N, D/heads). Values and gradients are
           compared
    """
    for seed, (batch, length, width, heads) in enumerate(((2, 7, 16, 2), (1, 5, 24, 3), (3, 4, 8, 1))):
        dice = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            library = Attention(width, heads)
        layer = Weights(qkv=library.qkv, proj=library.proj, heads=heads)
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

        x.requires_grad_()
        got = attempt(function, x.clone(), layer, turn)
        got = expect_tensor(got, "attend", tuple(x.shape), "(B, N, D)").to(x)
        wanted = library(x, tables, True)[0]
        if not torch.allclose(got, wanted, atol=1e-4):
            with torch.no_grad():
                _name_the_attention(got, x, library, tables)
        _same_gradients("attend", got, wanted, {"x": x} | dict(layer.named_parameters()))
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
    strided = layer.qkv(x).view(batch, length, 3, size, heads).permute(2, 0, 4, 1, 3)
    viewed = [y.reshape(batch, heads, length, size) for y in layer.qkv(x).chunk(3, dim=-1)]
    mistakes = {
        "attend views the tokens as heads: view (B, N, heads, d) first, then bring the heads in front with a transpose.": (
            layer.proj(out(rotate(viewed[0], tables), rotate(viewed[1], tables), viewed[2]))
        ),
        "attend cuts each head's numbers with a stride: the heads come before d, so view (B, N, 3, heads, d).": layer.proj(
            out(rotate(strided[0], tables), rotate(strided[1], tables), strided[2])
        ),
        "attend takes the keys first: the order in layer.qkv's output is queries, keys, values.": layer.proj(out(tk, tq, v)),
        "attend takes the values before the keys: the order in layer.qkv's output is queries, keys, values.": layer.proj(
            out(tq, rotate(v, tables), k)
        ),
        "attend takes the softmax over the heads: a query's weights sum to one over the keys, the last axis.": layer.proj(
            out(tq, tk, v, over=1)
        ),
        "attend multiplies by the root of a head's width: divide by it.": layer.proj(out(tq, tk, v, size**0.5)),
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
        same = torch.allclose(value, layer.proj(right), atol=1e-4)  # with one head there is nothing to confuse
        expect(same or not torch.allclose(got, value, atol=1e-4), sentence)
    expect(False, "attend differs from the library's layer: proj(softmax(turn(q) turn(k)ᵀ / √d) v), head by head.")


def _same_gradients(name: str, got: Tensor, wanted: Tensor, of: dict[str, Tensor]) -> None:
    """Raise NotYet unless both depend on all of these, and in the same way."""
    expect(
        got.requires_grad,
        f"no gradient comes out of {name}: the network learns through it (no detach, no torch.no_grad()).",
    )
    probe = torch.randn(got.shape, generator=torch.Generator().manual_seed(0))
    ours = torch.autograd.grad((got * probe).sum(), list(of.values()), allow_unused=True)
    theirs = torch.autograd.grad((wanted * probe).sum(), list(of.values()))
    for where, a, b in zip(of, ours, theirs, strict=True):
        expect(
            a is not None and torch.allclose(a, b, rtol=1e-3, atol=1e-3),
            f"the value of {name} is right but the gradient of {where} is not: every part of it learns (no detach, no .data).",
        )


def check_block(function: Callable[..., Tensor]) -> None:
    """function(x (B, N, D), layer, attend) -> (B, N, D), as the library's `Block` with the same weights. Raises NotYet.

    layer  has norm1, norm2, mlp.w12 and mlp.w3; attend(x) -> (B, N, D) stands for the attention. Values and gradients are
           compared
    """
    for seed, (width, heads) in enumerate(((16, 2), (24, 3))):
        dice = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            library = Block(EncoderConfig(skeleton=COCO, width=width, heads=heads))
            for norm in (library.norm1, library.norm2):
                nn.init.normal_(norm.weight, 1, 0.5)
                nn.init.normal_(norm.bias)
        mlp = Weights(w12=library.mlp.w12, w3=library.mlp.w3)
        layer = Weights(norm1=library.norm1, norm2=library.norm2, mlp=mlp)
        x, mix = torch.randn(2, 5, width, generator=dice), torch.randn(width, width, generator=dice)

        def attend(y: Tensor, mix=mix) -> Tensor:
            return y.mean(dim=1, keepdim=True) + (y @ mix).tanh()

        x.requires_grad_()
        given = x.clone()
        got = expect_tensor(attempt(function, given, layer, attend), "block", tuple(x.shape), "(B, N, D)").to(x)
        expect(torch.equal(given, x), "block changes the tokens that it was given: x = x + …, not x += ….")
        wanted = _block(x, library, attend)
        if not torch.allclose(got, wanted, atol=1e-4):
            with torch.no_grad():
                _name_the_block(got, x, library, attend)
        _same_gradients("block", got, wanted, {"x": x} | dict(layer.named_parameters()))
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
    w12 = layer.mlp.w12(layer.norm2(after))
    crossed = layer.mlp.w3(F.silu(w12[..., ::2]) * w12[..., 1::2])
    normed = layer.norm1(x) + attend(layer.norm1(x))
    added = w12.chunk(2, dim=-1)
    mistakes = {
        "block adds the MLP to what came in: it adds to the result of the attention step, y.": x + layer.mlp(layer.norm2(after)),
        "block adds to the normalized tokens: the residual is the input as it came, x + attend(norm1(x)).": (
            layer.norm2(normed) + layer.mlp(layer.norm2(normed))
        ),
        "block adds to the normalized tokens: the residual is y as it is, y + MLP(norm2(y)).": (
            layer.norm2(after) + layer.mlp(layer.norm2(after))
        ),
        "block leaves out both norms: norm1 stands in front of the attention, norm2 in front of the MLP.": (
            x + attend(x) + layer.mlp(x + attend(x))
        ),
        "block takes every other number as the gate: the gate is the first half of w12's output, the value the second.": (
            after + crossed
        ),
        "block adds gate and value: they are multiplied.": after + layer.mlp.w3(F.silu(added[0]) + added[1]),
        "block sends the product through SiLU: the gate alone goes through it.": after
        + layer.mlp.w3(F.silu(added[0] * added[1])),
        "block's gate is a ReLU (ReGLU): SwiGLU's is SiLU.": _block(x, layer, attend, gated(F.relu)),
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
        held = Weights(mlp=head.mlp, prototypes=head.prototypes, norms=head.norms)
        x.requires_grad_()
        given = attempt(function, x.clone(), held)
        got = expect_tensor(given, "prototype_logits", (*shape, 11), "(…, K)").to(x)
        z, c = head.mlp(x), head.prototypes
        unit, ways = F.normalize(z, dim=-1), F.normalize(c, dim=-1)
        mistakes = {
            "prototype_logits does not bring the embeddings to length one.": z @ (ways * head.norms).T,
            "prototype_logits does not bring the prototypes to length one: only their direction counts.": unit
            @ (c * head.norms).T,
            "prototype_logits brings nothing to length one: logits are cosines, times the norms.": z @ (c * head.norms).T,
            "prototype_logits leaves out head.norms, one learned number for each prototype, or normalizes after multiplying with "
            "the norms, which undoes them.": unit @ ways.T,
            "prototype_logits normalizes over the batch: each row has length one, so dim=-1.": F.normalize(z, dim=0)
            @ (ways * head.norms).T,
            "prototype_logits normalizes the prototypes' columns: each row is a prototype, so dim=-1.": unit
            @ (F.normalize(c, dim=0) * head.norms).T,
            "prototype_logits brings nothing to length one and leaves out head.norms: logits are cosines, times the norms.": z
            @ c.T,
            "prototype_logits normalizes axis 1, the default of F.normalize: here x has more axes, so dim=-1.": F.normalize(z)
            @ (ways * head.norms).T,
            "prototype_logits divides by head.norms: the cosines are multiplied by them.": unit @ (ways / head.norms).T,
            "prototype_logits divides by a temperature: that comes later, in the losses.": unit @ (ways * head.norms).T / 0.1,
            "prototype_logits ends in a softmax: logits are asked for.": (unit @ (ways * head.norms).T).softmax(dim=-1),
        }
        wanted = head(x)
        for sentence, value in mistakes.items():
            same = torch.allclose(value, wanted, atol=1e-5)  # axis 1 is the last one of two
            expect(same or not torch.allclose(got, value, atol=1e-5), sentence)
        expect(
            torch.allclose(got, wanted, atol=1e-4),
            "prototype_logits differs from the library's: cosines of head.mlp(x) with the prototypes, times head.norms.",
        )
        _same_gradients("prototype_logits", got, wanted, {"x": x} | dict(held.named_parameters()))
    passed("Prototype head: cosines times norms, as the library's.", function)


def check_glcl(function: Callable[..., Tensor]) -> None:
    """function(student_logits, teacher_targets, temperature=0.1) -> scalar, as `losses.global_local_loss`. Raises NotYet.

    student_logits, teacher_targets  sequences of (B, K), the global views first
    """
    for seed, (views, batch, prototypes, temperature) in enumerate(((4, 5, 6, 0.1), (2, 5, 4, 0.5), (8, 2, 7, 0.2))):
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
    pairs = [(s, t) for i, t in enumerate(targets) for j, s in enumerate(logits) if i != j]
    late_logs = [-(t * (s / temperature).softmax(dim=-1)).sum(-1).mean().log() for s, t in pairs]
    own_clip = torch.stack([terms[t, s] for t in range(2) for s in range(views) if s != t and (s < 2 or s % 2 == t)])
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
        "glcl divides by the clips once more: each term is a mean over them already.": right / batch,
        "glcl lets each local view predict one teacher view: it predicts both.": own_clip.mean(),
        "glcl takes the logarithm of a mean: log_softmax first, then sum and mean.": torch.stack(late_logs).mean(),
    }
    slips = []
    for found in zip(*(cross_entropy_slips(s, t, temperature) for s, t in pairs), strict=True):
        slips.append((f"glcl {found[0][0]}", torch.stack([value.mean() for _, value in found]).mean()))
    for sentence, value in (*mistakes.items(), *slips):
        same = torch.allclose(value, right, atol=1e-4)  # here this mistake changes nothing
        expect(same or not torch.allclose(got, value, atol=1e-4), sentence)
    expect(
        False,
        f"glcl is {got:.4f} where the library has {right:.4f}: cross-entropy of each teacher view's targets with every other "
        "view of the student, mean over the batch, then over the pairs.",
    )
