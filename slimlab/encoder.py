"""The SLiM encoder: compact tokens -> features. SLiM, arXiv 2603.10648, section 3.1.

A clip of T frames becomes T/8 x V tokens, one per joint and eight frames; a plain pre-norm ViT with SwiGLU
(arXiv 2002.05202), registers (arXiv 2309.16588) and rotary time embedding (arXiv 2104.09864) encodes them. Each person is a
sequence of its own; people who are not there cost nothing. Parameter names are those of the released weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from slimlab._renamed import takes_old_names
from slimlab._validation import Rule, check, choice, integer, number, optional
from slimlab.augment import CENTERINGS, fill_unseen
from slimlab.data.streams import STREAMS
from slimlab.skeleton import KINECT_V2, Skeleton

NOT_COMPUTED: Any = None  # attention, where only tokens were asked for


# How a clip's feature vector is read off an encoder: `Encoder.features`, `pooled`
POOLS = ("cls", "mean", "cls+mean", "time", "part", "time+part", "tokens")

# What each number of an encoder's configuration accepts; the MAE's (slimlab/baselines/mae) has the same ones but `registers`.
RULES: dict[str, Rule] = {
    "width": integer(1),
    "depth": integer(0),
    "heads": integer(1),
    "patch_frames": integer(1),
    "registers": integer(0),
    "mlp_ratio": number(0, above=True),
    "frames": integer(1),
    "init_std": optional(number(0, above=True)),
    "centering": choice(CENTERINGS),
    "input_scale": number(0, above=True),
    "stream": choice(STREAMS),
}


def check_heads(width: int, heads: int) -> None:
    """Raises ValueError where the width does not divide into heads of an even size, which the rotary embedding turns by pairs."""
    if width % (2 * heads):
        raise ValueError(f"width {width} must be an even multiple of heads {heads}")


@takes_old_names
@dataclass(frozen=True)
class EncoderConfig:
    """Sizes (defaults: the paper's) and how its input is prepared.

    frames       length of the views that features are taken from
    init_std     sd of the linear layers' truncated normal; None: 1/sqrt(fan-in), which narrow encoders need
    centering, input_scale  what `augment.center` does to clips before they come here, and the factor after it; they travel
                 with the weights and are applied by `evaluate.features`, not by the encoder
    stream       joint, bone or motion (`slimlab.data.streams`); travels and is applied likewise
    """

    skeleton: Skeleton = KINECT_V2
    width: int = 256
    depth: int = 8
    heads: int = 8
    patch_frames: int = 8
    registers: int = 4
    mlp_ratio: float = 4.0
    frames: int = 64
    init_std: float | None = 0.02
    centering: str = "first_frame"
    input_scale: float = 1.0
    stream: str = "joint"

    def __post_init__(self) -> None:
        check(self, RULES)
        check_heads(self.width, self.heads)
        if self.frames % self.patch_frames:
            raise ValueError(f"frames {self.frames} must be a multiple of patch_frames {self.patch_frames}")

    @property
    def hidden(self) -> int:
        """SwiGLU's width: two thirds of mlp_ratio * width, rounded up to a multiple of 8 (688 for the paper)."""
        return (int(self.mlp_ratio * self.width * 2 / 3) + 7) // 8 * 8


@dataclass(frozen=True)
class Intermediate:
    """After one block: tokens (B, M, N, D) before the final norm, attention (B, M, heads, N, N); N = 1 + R + T/8*V."""

    tokens: Tensor
    attention: Tensor


@dataclass(frozen=True)
class Output:
    """After the final norm; zeros for people who are absent."""

    cls: Tensor  # (B, M, D)
    registers: Tensor  # (B, M, R, D)
    tokens: Tensor  # (B, M, T/8, V, D)
    intermediates: list[Intermediate] | None = None


class PatchEmbed(nn.Module):
    """Eight frames of one joint -> one token."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size = (config.patch_frames, 1)
        self.proj = nn.Conv2d(3, config.width, kernel_size=size, stride=size)

    def forward(self, x: Tensor) -> Tensor:
        # patches do not overlap, so the convolution is a matrix product, which is faster on small machines
        batch, axes, frames, joints = x.shape
        span = self.proj.kernel_size[0]
        x = x.view(batch, axes, frames // span, span, joints).permute(0, 2, 4, 1, 3)  # (B, T/8, V, 3, 8)
        return F.linear(x.flatten(3), self.proj.weight.flatten(1), self.proj.bias)  # (B, T/8, V, D)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(
        self, x: Tensor, rotary: tuple[Tensor, Tensor] | None, explicit: bool, queries: slice = slice(None)
    ) -> tuple[Tensor, Tensor | None]:
        """x (B, N, D) -> what the `queries` of the N attend to (B, Q, D), and the weights (B, heads, Q, N) where `explicit`."""
        batch, length, width = x.shape
        qkv = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, heads, N, D/heads)
        if rotary is not None:
            q, k = rotate(q, rotary), rotate(k, rotary)
            if torch.is_grad_enabled():
                v = v.contiguous()  # as a part of qkv it would keep q and k, which nothing needs any more, in the graph
        q, weights = q[:, :, queries], None  # (B, heads, Q, D/heads)
        if explicit:
            weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(dim=-1)  # (B, heads, Q, N)
            out = weights @ v
        else:
            out = F.scaled_dot_product_attention(q, k, v)
        return self.proj(out.transpose(1, 2).flatten(2)), weights  # (B, Q, D)


class SwiGLU(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.w12 = nn.Linear(config.width, 2 * config.hidden)
        self.w3 = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        # two products instead of one that is cut in half: every tensor stays contiguous, which is faster
        (gate, value), (gate_bias, value_bias) = self.w12.weight.chunk(2), self.w12.bias.chunk(2)
        gate, value = F.linear(x, gate, gate_bias), F.linear(x, value, value_bias)  # (B, N, hidden) each
        if torch.compiler.is_compiling():
            return self.w3(F.silu(gate) * value)
        return self.w3(_Gated.apply(gate, value) if torch.is_grad_enabled() else F.silu(gate, inplace=True).mul_(value))


class _Gated(torch.autograd.Function):
    """silu(gate) * value; the graph keeps these two alone, where autograd would keep silu(gate) as well."""

    @staticmethod
    def forward(ctx, gate: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(gate, value)
        return F.silu(gate).mul_(value)

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        gate, value = ctx.saved_tensors
        return torch.ops.aten.silu_backward(gradients[0] * value, gate), F.silu(gate).mul_(gradients[0])


class Block(nn.Module):
    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = SwiGLU(config)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], explicit: bool) -> tuple[Tensor, Tensor | None]:
        attended, weights = self.attn(self.norm1(x), rotary, explicit)
        x = x + attended
        return x + self.mlp(self.norm2(x)), weights

    def some(self, x: Tensor, rotary: tuple[Tensor, Tensor], tokens: Tensor | None) -> Tensor:
        """What `forward` makes of each sequence's first vector (B, D) and, after them, of those that `tokens` (B, N) bool names
        (B + n, D), the first ones not among them: keys and values of all, the rest for these alone."""
        if tokens is None:
            attended, _ = self.attn(self.norm1(x), rotary, False, slice(0, 1))
            x = x[:, 0] + attended[:, 0]  # (B, D)
        else:
            attended, _ = self.attn(self.norm1(x), rotary, False)
            batch, length = tokens.shape
            first = torch.arange(0, batch * length, length, device=x.device)
            rows = torch.cat([first, tokens.flatten().nonzero().squeeze(1)])  # (B + n,)
            x = (x + attended).flatten(0, 1)[rows]  # (B + n, D)
        return x + self.mlp(self.norm2(x))


class FeatureEncoder(nn.Module):
    """What `evaluate` and the explorers of features take: any `nn.Module` with a parameter and these three, no subclass needed.

    config   how its input is prepared (`skeleton`, `frames`, `centering`, `input_scale`, `stream`) and the sizes of its features
             (`width`, `depth`); `EncoderConfig` has them all
    has_cls  whether it has a CLS token. False: `blocks` is 1, and `pool="cls+mean"` has to mean "mean"
    """

    config: Any
    has_cls: bool

    def features(
        self,
        x: Tensor,
        people: Tensor | None = None,
        blocks: int = 1,
        pool: str = "cls+mean",
        combine: str = "concat",
        seen: Tensor | None = None,
    ) -> Tensor:
        """One vector a clip (B, F), as `Encoder.features`: a vector a person, put together by `combined`."""
        raise NotImplementedError


class Encoder(FeatureEncoder):
    """See the module's docstring. `Encoder(EncoderConfig())` is the paper's: 6,368,768 parameters."""

    config: EncoderConfig
    has_cls = True

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EncoderConfig()
        joints, width = len(config.skeleton), config.width
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.register_tokens = nn.Parameter(torch.zeros(1, config.registers, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + joints, width))
        self.patch_embed = PatchEmbed(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self._rotary: dict[tuple, tuple[Tensor, Tensor]] = {}
        self._init_weights()

    def _init_weights(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                _init_linear(module.weight, self.config.init_std)
                nn.init.zeros_(module.bias)
        if self.config.init_std is None:
            _init_linear(self.patch_embed.proj.weight.flatten(1), None)
        nn.init.trunc_normal_(self.pos_embed, std=self.config.init_std or 0.02)
        nn.init.normal_(self.cls_token, std=1e-6)
        nn.init.normal_(self.register_tokens, std=1e-6)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        people: Tensor | None = None,
        seen: Tensor | None = None,
        return_intermediates: bool | Literal["tokens"] = False,
    ) -> Output:
        """x (B, 3, T, V, M) prepared as the config says; T a multiple of patch_frames (64, 32, 16 or 8).

        mask    (B, M, T/8, V), (B, 1, T/8, V) or (T/8, V) bool, True: the cell's embedding becomes the mask token
        people  (B, M) bool: who is there; the others are not encoded and their features are zero. None: everyone
        seen    (B, T, V, M) bool: joints that were seen. A token whose joint was seen in fewer than half of its frames becomes
                the mask token; in the others, frames that do not show it are filled in (`augment.fill_unseen`), so that no
                coordinate of an unseen joint is ever read. None: every joint was seen
        return_intermediates  also each block's tokens and attention (then computed explicitly, not by the fused kernel);
                "tokens": each block's tokens alone, at the fused kernel's speed
        Raises ValueError where a shape does not fit.
        """
        batch, steps, joints, persons = self._check(x)
        if seen is not None:
            if seen.shape != (batch, *x.shape[2:]):
                raise ValueError(f"seen is {tuple(seen.shape)}, should be (B, T, V, M) = {(batch, *x.shape[2:])}")
            x = fill_unseen(x, seen)
            unseen = unseen_tokens(seen, self.config.patch_frames)  # (B, M, T/8, V)
            mask = unseen if mask is None else unseen | mask
        clips = x.permute(0, 4, 1, 2, 3).flatten(0, 1)  # (B*M, 3, T, V)
        if mask is not None:
            mask = _expand_mask(mask, (batch, persons, steps, joints))  # (B*M, T/8, V)
        there = None
        if people is not None:
            if people.shape != (batch, persons):
                raise ValueError(f"people is {tuple(people.shape)}, should be (B, M) = {(batch, persons)}")
            there = people.flatten().nonzero().squeeze(1)
            clips = clips[there]  # (P, 3, T, V), P people
            mask = None if mask is None else mask[there]
        sequence = self._embed(clips, mask)  # (P, N, D)
        rotary = self._rotary_tables(steps, joints, sequence)
        after, explicit = [], return_intermediates is True
        for block in self.blocks:
            sequence, weights = block(sequence, rotary, explicit)
            if return_intermediates:
                after.append((sequence, weights))
        sequence = self.norm(sequence)

        def per_person(values: Tensor) -> Tensor:
            if there is not None:
                values = values.new_zeros(batch * persons, *values.shape[1:]).index_copy(0, there, values)
            return values.unflatten(0, (batch, persons))

        first_token = 1 + self.config.registers
        return Output(
            cls=per_person(sequence[:, 0]),
            registers=per_person(sequence[:, 1:first_token]),
            tokens=per_person(sequence[:, first_token:]).unflatten(2, (steps, joints)),
            intermediates=[Intermediate(per_person(t), per_person(w) if explicit else NOT_COMPUTED) for t, w in after]
            if return_intermediates
            else None,
        )

    def cls_and_tokens(self, x: Tensor, mask: Tensor | None, tokens: Tensor | None) -> tuple[Tensor, Tensor]:
        """CLS (B, D) of clips x (B, 3, T, V, 1), and of their tokens those (n, D) that `tokens` (B, T/8, V) bool names, in the
        order of `tokens.nonzero()`; None: none. It is what the losses ask for. mask (B, T/8, V) bool or None, as in `forward`.

        Equal to `out = encoder(x, mask=mask[:, None])`, `out.cls[:, 0]`, `out.tokens[:, 0][tokens]`. Nothing comes after the last
        block, so it works out what is asked for alone.
        """
        batch, steps, joints, persons = self._check(x)
        if persons != 1:
            raise ValueError(f"x is {tuple(x.shape)}, should be (B, 3, T, V, 1): one person a clip")
        if not self.blocks:
            out = self(x, mask=None if mask is None else mask[:, None])
            return out.cls[:, 0], out.tokens[:, 0][tokens] if tokens is not None else out.tokens.new_zeros(0, self.config.width)
        sequence = self._embed(x[..., 0], None if mask is None else _expand_mask(mask[:, None], (batch, 1, steps, joints)))
        rotary = self._rotary_tables(steps, joints, sequence)
        for block in self.blocks[:-1]:
            sequence, _ = block(sequence, rotary, False)  # (B, N, D)
        asked = None if tokens is None else F.pad(tokens.flatten(1), (1 + self.config.registers, 0))  # (B, N)
        found = self.norm(cast(Block, self.blocks[-1]).some(sequence, rotary, asked))  # (B + n, D)
        return found[:batch], found[batch:]

    def behind(self, sequence: Tensor, block: int, steps: int) -> Tensor:
        """What the blocks after `block` and the final norm make of its output (P, N, D), whose tokens have so many time steps.

        `forward(return_intermediates="tokens")` gives such outputs; changed on the way, they are interventions.
        """
        rotary = self._rotary_tables(steps, len(self.config.skeleton), sequence)
        for later in self.blocks[block + 1 :]:
            sequence, _ = later(sequence, rotary, False)
        return self.norm(sequence)

    def compile_blocks(self) -> None:
        """Let `torch.compile` translate the blocks at their first use, once for all of them. Needs a C++ compiler."""
        for block in self.blocks:
            block.compile()

    def features(
        self,
        x: Tensor,
        people: Tensor | None = None,
        blocks: int = 1,
        pool: str = "cls+mean",
        combine: str = "concat",
        seen: Tensor | None = None,
    ) -> Tensor:
        """One vector a clip, (B, F); x, people and seen as in `forward`. SLiM's protocols: section 4 of the paper.

        blocks   CLS tokens of the last `blocks` blocks, each through the final norm
        pool     "cls", "mean" (the last block's tokens), "cls+mean" (the paper's), or a reading that keeps when and where
                 something happened: see `pooled`
        combine  people: "concat" (absent: zeros), "sum", "mean" over those who are there
        """
        check_reading(blocks, pool, combine, self.config.depth)
        out = self(x, people=people, seen=seen, return_intermediates="tokens" if blocks > 1 else False)
        parts = []
        if "cls" in pool:
            there = torch.ones_like(out.cls[..., :1]) if people is None else people[..., None].to(out.cls)
            parts += [self.norm(i.tokens[:, :, 0]) * there for i in (out.intermediates or [])[-blocks:-1]]
            parts.append(out.cls)
        if pool != "cls":
            parts.append(pooled(out.tokens, self.config.skeleton, pool.removeprefix("cls+")))
        features = torch.cat(parts, dim=-1)  # (B, M, F)
        return combined(features, people, combine)

    def _check(self, x: Tensor) -> tuple[int, int, int, int]:
        joints, span = len(self.config.skeleton), self.config.patch_frames
        if x.ndim != 5 or x.shape[1] != 3 or x.shape[3] != joints or x.shape[2] % span or not x.shape[2]:
            raise ValueError(
                f"x is {tuple(x.shape)}, should be (B, 3, T, V, M) with V = {joints} joints and T a multiple of {span}"
            )
        return x.shape[0], x.shape[2] // span, joints, x.shape[4]

    def _embed(self, clips: Tensor, mask: Tensor | None) -> Tensor:
        tokens = self.patch_embed(clips)  # (P, T/8, V, D)
        if mask is not None:
            tokens = torch.where(mask[..., None], self.mask_token.to(tokens.dtype), tokens)
        tokens = (tokens + self.pos_embed[:, None, 1:]).flatten(1, 2)  # (P, T/8*V, D)
        cls = self.cls_token + self.pos_embed[:, :1]
        # along the first axis: along the second, gradients of several processes would have other strides than the parameters
        first = torch.cat([cls.squeeze(0), self.register_tokens.squeeze(0)])  # (1+R, D)
        return torch.cat([first.expand(tokens.shape[0], -1, -1).to(tokens.dtype), tokens], dim=1)  # (P, N, D)

    def _rotary_tables(self, steps: int, joints: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin (N, D/heads); CLS and registers are not turned, all joints of a time step alike. Cached."""
        key = (steps, joints, like.device, like.dtype)
        if key not in self._rotary:
            with torch.inference_mode(False):  # kept for later calls, which may need a gradient
                time = torch.arange(steps).repeat_interleave(joints)  # (T/8*V,)
                time = torch.cat([torch.zeros(1 + self.config.registers), time])  # (N,)
                cos, sin = rotary_tables(time, self.config.width // self.config.heads)
                self._rotary[key] = (cos.to(like), sin.to(like))
        return self._rotary[key]


def check_reading(blocks: int, pool: str, combine: str, depth: int) -> None:
    """Raises ValueError where `Encoder.features` of an encoder of `depth` blocks does not know how to read features so."""
    combines = ("concat", "sum", "mean")
    if pool not in POOLS or combine not in combines or not 1 <= blocks <= depth:
        raise ValueError(
            f"features: pool is one of {POOLS}, combine one of {combines}, blocks 1..{depth}; not {pool!r}, {combine!r}, {blocks}"
        )


def pooled(tokens: Tensor, skeleton: Skeleton, pool: str) -> Tensor:
    """One vector a person (B, M, F) from the tokens (B, M, T/8, V, D).

    "mean"       of all tokens, F = D: neither when nor where
    "time"       of each time step's tokens, F = T/8 * D: when
    "part"       of each body part's tokens, F = P * D, parts in the skeleton's order: where
    "time+part"  of each time step's and part's tokens, F = T/8 * P * D: both
    "tokens"     every token as it is, F = T/8 * V * D: both, joint by joint
    Readings with time can be compared between views of one length, those with parts also between bodies of the same parts.
    """
    if pool == "mean":
        return tokens.mean(dim=(2, 3))
    if "part" in pool:
        share = tokens.new_zeros(len(skeleton.parts), tokens.shape[3])  # (P, V)
        for row, joints in zip(share, skeleton.parts.values(), strict=True):
            row[list(joints)] = 1 / len(joints)
        tokens = share @ tokens  # (B, M, T/8, P, D)
    elif pool != "tokens":
        tokens = tokens.mean(dim=3, keepdim=True)  # (B, M, T/8, 1, D)
    if "time" not in pool and pool != "tokens":
        tokens = tokens.mean(dim=2, keepdim=True)  # (B, M, 1, P, D)
    return tokens.flatten(2)


def combined(features: Tensor, people: Tensor | None, how: str) -> Tensor:
    """One vector a clip from one a person (B, M, F): "concat" (B, M*F), or "sum" or "mean" over those who are there (B, F)."""
    if how == "concat":
        return features.flatten(1)  # (B, M*F)
    total = features.sum(dim=1)  # (B, F)
    if how == "mean":
        total = total / (features.shape[1] if people is None else people.sum(dim=1, keepdim=True).clamp(min=1))
    return total


def unseen_tokens(seen: Tensor, patch_frames: int) -> Tensor:
    """(B, M, T/8, V) bool: tokens whose joint was seen (B, T, V, M) in fewer than half of their frames."""
    shown = seen.unflatten(1, (-1, patch_frames)).sum(dim=2)  # (B, T/8, V, M)
    return (2 * shown < patch_frames).permute(0, 3, 1, 2)


def rotary_tables(time: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """cos and sin (N, size) float64 of rotary position embedding (arXiv 2104.09864) at times (N,), as `rotate` takes them.

    Numbers i and i + size/2 of a vector are a pair, turned by time * 10000^(-2i/size) rad. The sign of the half-split rotation
    is folded into sin: its first half is negative.
    """
    half = size // 2
    frequency = 10000.0 ** (-torch.arange(half, dtype=torch.float64, device=time.device) / half)
    angle = (time.double()[:, None] * frequency).repeat(1, 2)  # (N, size)
    sin = angle.sin()
    sin[:, :half] *= -1
    return angle.cos(), sin


def rotate(x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Queries or keys (…, N, size) turned by the tables of `rotary_tables`."""
    cos, sin = rotary[0].to(x.dtype), rotary[1].to(x.dtype)
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return _Turned.apply(x, cos, sin)
    return _turn(x, cos, sin)


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    return (x * cos).addcmul_(x.roll(x.shape[-1] // 2, dims=-1), sin)


class _Turned(torch.autograd.Function):
    """`_turn`, whose gradient is turned back by the same angle: one pass less than autograd's."""

    @staticmethod
    def forward(ctx, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(gradients[0], cos, -sin), None, None


def _init_linear(weight: Tensor, std: float | None) -> None:
    nn.init.trunc_normal_(weight, std=std or weight.shape[1] ** -0.5)


def _expand_mask(mask: Tensor, shape: tuple[int, int, int, int]) -> Tensor:
    if mask.dtype != torch.bool or mask.ndim not in (2, 4) or mask.shape[-2:] != shape[-2:]:
        raise ValueError(
            f"mask is {mask.dtype} {tuple(mask.shape)}, should be bool of shape (B, M, T/8, V) or (T/8, V), here {shape}"
        )
    return mask.expand(shape).flatten(0, 1)
