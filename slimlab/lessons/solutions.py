"""The solutions of the exercises that lessons 08 and 09 build methods from, and the check of each.

`own` takes one where the reader has kept none. They are the folded solutions of lessons 03, 04, 05 and 07 to 09; a test holds
them equal to those and to what the library computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimlab.lessons.evaluation import check_knn_votes
from slimlab.lessons.landscape import check_byol, check_info_nce
from slimlab.lessons.losses import check_masked_loss, check_sinkhorn
from slimlab.lessons.masks import check_tube_mask
from slimlab.lessons.own_slim import check_attend, check_block, check_glcl, check_prototype_logits
from slimlab.lessons.teacher import check_ema
from slimlab.lessons.tokens import check_patchify, check_rotary
from slimlab.skeleton import Skeleton


def patchify(x: Tensor, patch_frames: int) -> Tensor:
    """x (B, 3, T, V) -> (B, T/patch_frames, V, 3*patch_frames): first the frames of x, then of y, then of z."""
    cut = x.unflatten(2, (-1, patch_frames))  # (B, 3, T/P, P, V)
    return cut.permute(0, 2, 4, 1, 3).flatten(3)  # (B, T/P, V, 3*P)


def rotary(x: Tensor, time: Tensor, base: float = 10000.0) -> Tensor:
    """x (N, D), time (N,) -> (N, D): the pair (i, i + D/2) turned by time * base^(-2i/D) rad, for i in 0..D/2-1."""
    half = x.shape[1] // 2
    angle = time[:, None] * base ** (-torch.arange(half) / half)  # (N, D/2)
    a, b = x[:, :half], x[:, half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=1)


def tube_mask(steps: int, skeleton: Skeleton, ratio: float, generator: torch.Generator) -> Tensor:
    """(steps, V) bool, True is hidden: semantic tubes on one clip's grid."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=generator))

    mask = torch.zeros(steps, len(skeleton), dtype=torch.bool)
    goal, failed = round(ratio * steps * len(skeleton)), 0
    parts = list(skeleton.parts.values())
    while mask.sum() < goal and failed < 10:
        missing = goal - int(mask.sum())
        chain = parts[int(uniform(0, len(parts)))]
        length = int(uniform(1, len(chain) + 1))
        first = int(uniform(0, len(chain) - length + 1))
        most = min(missing, 4 * len(skeleton))
        area = uniform(min(steps, most), max(steps, most))
        duration = min(max(round(area / length), 1), steps)
        start = int(uniform(0, steps - duration + 1))
        tube = torch.zeros_like(mask)
        tube[start : start + duration, list(chain[first : first + length])] = True
        added = int((tube & ~mask).sum())
        if 0 < added <= missing:
            mask, failed = mask | tube, 0
        else:
            failed += 1
    return mask


def sinkhorn(logits: Tensor, temperature: float, iterations: int = 3) -> Tensor:
    """Logits (N, K) -> assignments (N, K): rows sum to one, prototypes are used evenly."""
    scaled = logits.double() / temperature
    q = (scaled - scaled.amax()).exp()
    for _ in range(iterations):
        q = q / q.sum(dim=0, keepdim=True)
        q = q / q.sum(dim=1, keepdim=True)
    return q.to(logits.dtype)


def masked_loss(student_logits: Tensor, teacher_targets: Tensor, mask: Tensor, temperature: float = 0.1) -> Tensor:
    """Logits and targets (tokens, K) in the order of mask.nonzero(); mask (views, T', V) bool -> a scalar."""
    loss = -(teacher_targets * (student_logits / temperature).log_softmax(dim=-1)).sum(dim=-1)
    tokens = mask.flatten(1).sum(dim=1)
    view = mask.nonzero()[:, 0]
    return (loss / tokens[view]).sum() / len(mask)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Move every parameter of the teacher in place, towards the student's."""
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t.mul_(momentum).add_(s, alpha=1 - momentum)


def knn_votes(similarity: Tensor, labels: Tensor, classes: int, k: int, temperature: float) -> Tensor:
    """similarity (N, G), labels (G,) -> votes (N, classes); each row sums to 1."""
    near, place = similarity.topk(k, dim=1)
    weights = (near / temperature).softmax(dim=1)
    votes = torch.zeros(len(similarity), classes)
    return votes.scatter_add_(1, labels[place], weights)


def attend(x: Tensor, layer: Any, turn: Callable[[Tensor], Tensor]) -> Tensor:
    """x (B, N, D) -> (B, N, D): attention with the weights layer.qkv, layer.proj and layer.heads heads; turn rotates."""
    batch, length, width = x.shape
    q, k, v = layer.qkv(x).view(batch, length, 3, layer.heads, -1).permute(2, 0, 3, 1, 4)  # each (B, heads, N, d)
    q, k = turn(q), turn(k)
    weights = (q @ k.transpose(-2, -1) / math.sqrt(width / layer.heads)).softmax(dim=-1)  # (B, heads, N, N)
    return layer.proj((weights @ v).transpose(1, 2).reshape(batch, length, width))


def block(x: Tensor, layer: Any, attend: Callable[[Tensor], Tensor]) -> Tensor:
    """x (B, N, D) -> (B, N, D): pre-norm attention, then a pre-norm SwiGLU, each added to what came in."""
    x = x + attend(layer.norm1(x))
    gate, value = layer.mlp.w12(layer.norm2(x)).chunk(2, dim=-1)
    return x + layer.mlp.w3(F.silu(gate) * value)


def prototype_logits(x: Tensor, head: Any) -> Tensor:
    """x (…, D) -> (…, K): cosines with the prototypes, times the prototypes' norms."""
    embedding = F.normalize(head.mlp(x), dim=-1)
    return embedding @ (F.normalize(head.prototypes, dim=-1) * head.norms).T


def glcl(student_logits: Sequence[Tensor], teacher_targets: Sequence[Tensor], temperature: float = 0.1) -> Tensor:
    """Views of the student, globals first, each (B, K); targets of the global views, each (B, K) -> a scalar."""
    terms = []
    for t, target in enumerate(teacher_targets):
        for s, logits in enumerate(student_logits):
            if s != t:
                log_p = (logits / temperature).log_softmax(dim=-1)
                terms.append(-(target * log_p).sum(dim=-1).mean())
    return torch.stack(terms).mean()


def info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    """Embeddings (B, E) of two views of the same clips -> a scalar."""
    scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature  # (B, B)
    own = torch.arange(len(a))
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


def byol(predicted: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Two predictions and two targets (B, E), of the same two views -> a scalar."""
    cosines = [F.cosine_similarity(predicted[v], targets[1 - v].detach(), dim=1).mean() for v in (0, 1)]
    return 2 - 2 * (cosines[0] + cosines[1]) / 2


class Solved(NamedTuple):
    """A solution, the check that it passes, and the exercise that asks for it."""

    solution: Callable[..., Any]
    check: Callable[..., None]
    asked_in: str


SOLVED = {
    "patchify": Solved(patchify, check_patchify, "lesson 03"),
    "rotary": Solved(rotary, check_rotary, "lesson 03"),
    "tube_mask": Solved(tube_mask, check_tube_mask, "lesson 04"),
    "sinkhorn": Solved(sinkhorn, check_sinkhorn, "lesson 05"),
    "masked_loss": Solved(masked_loss, check_masked_loss, "lesson 05"),
    "follow": Solved(follow, check_ema, "lesson 05"),
    "knn_votes": Solved(knn_votes, check_knn_votes, "lesson 07"),
    "attend": Solved(attend, check_attend, "lesson 08"),
    "block": Solved(block, check_block, "lesson 08"),
    "prototype_logits": Solved(prototype_logits, check_prototype_logits, "lesson 08"),
    "glcl": Solved(glcl, check_glcl, "lesson 08"),
    "info_nce": Solved(info_nce, check_info_nce, "lesson 09"),
    "byol": Solved(byol, check_byol, "lesson 09"),
}
