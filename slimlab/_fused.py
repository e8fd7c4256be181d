"""The large products of the losses, with gradients made by hand: the numbers of autograd in less time and memory.

`slimlab.losses` has the definitions; tests hold values and gradients equal to them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 1 << 24  # logits held at once by `prototype_cross_entropy`: 64 MB


def directions(prototypes: Tensor, norms: Tensor) -> Tensor:
    """(K, E) of unit length, times norms (K, 1): `normalize(prototypes) * norms`."""
    return _Directions.apply(prototypes, norms)  # pyright: ignore[reportReturnType]


class _Directions(torch.autograd.Function):
    """(K, E) of unit length, times norms (K, 1); a fraction of the passes over K x E that autograd would make."""

    @staticmethod
    def forward(ctx, prototypes: Tensor, norms: Tensor) -> Tensor:
        inverse = torch.linalg.vector_norm(prototypes, dim=1, keepdim=True).clamp_(min=1e-12).reciprocal_()  # (K, 1)
        ctx.save_for_backward(prototypes, norms, inverse)
        return prototypes * (inverse * norms)

    @staticmethod
    @once_differentiable
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        prototypes, norms, inverse = ctx.saved_tensors
        along = torch.linalg.vecdot(gradients[0], prototypes).unsqueeze(1) * inverse  # (K, 1): what would change the norm
        return torch.addcmul(gradients[0] * (norms * inverse), prototypes, -norms * inverse.square() * along), along


def prototype_cross_entropy(
    embedding: Tensor, directions: Tensor, targets: Tensor, weights: Tensor, temperature: float = 0.1
) -> Tensor:
    """sum_n weight_n * cross_entropy(embedding_n @ directions.T, target_n), a scalar, without the logits of all rows at once.

    embedding (N, E) and directions (K, E) are a head's, targets (N, K) rows that sum to one, weights (N,). Logits and their
    gradient are made for some rows at a time and forgotten, so that beside the targets hardly anything of size N x K exists;
    the gradients of embedding and directions are worked out on the way forward, which costs no product more than autograd's.
    The same numbers as GLCL and MFP from logits (`losses.global_local_loss`, `losses.masked_feature_loss`).
    """
    learns = torch.is_grad_enabled() and (embedding.requires_grad or directions.requires_grad)
    return _ChunkedCrossEntropy.apply(embedding, directions, targets, weights, temperature, learns)  # pyright: ignore


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, embedding, directions, targets, weights, temperature: float, learns: bool) -> Tensor:
        half = torch.get_autocast_dtype(embedding.device.type) if torch.is_autocast_enabled(embedding.device.type) else None
        e, d = (x if half is None else x.to(half) for x in (embedding / temperature, directions))
        loss = weights.new_zeros(())
        by_embedding, by_directions = [], torch.zeros_like(d) if learns else None
        with torch.autocast(embedding.device.type, enabled=False):
            many, few = max(1, CHUNK // len(d)), max(1, CHUNK // 8 // len(d))  # rows of a product, and of what stays in the cache
            room = e.new_empty(min(many, len(e)), len(d))  # used again: fresh memory is slow to come by
            for part, target, weight in zip(*(x.split(many) for x in (e, targets, weights)), strict=True):
                product = torch.mm(part, d.T, out=room[: len(part)])  # (n, K)
                logits = product.float() if half is not None else product
                for row, t, w in zip(*(x.split(few) for x in (logits, target, weight)), strict=True):
                    hit = torch.linalg.vecdot(t, row)  # (few,)
                    top = row.amax(dim=1, keepdim=True)
                    norm = row.sub_(top).exp_().sum(dim=1, keepdim=True)
                    loss += w @ (top + norm.log()).squeeze(1).sub_(hit)
                    if by_directions is not None:
                        row.mul_(w.unsqueeze(1) / norm).addcmul_(t, w.unsqueeze(1), value=-1)  # the gradient by the logits
                if by_directions is not None:
                    gradient = logits.to(d.dtype)
                    by_embedding.append(gradient @ d)
                    torch.addmm(by_directions, gradient.T, part, out=by_directions)
        if by_directions is not None:
            by_e = torch.cat(by_embedding).to(embedding.dtype) / temperature
            ctx.save_for_backward(by_e, by_directions.to(directions.dtype))
        return loss

    @staticmethod
    def backward(ctx, *gradients: Tensor):
        by_embedding, by_directions = ctx.saved_tensors
        return by_embedding * gradients[0], by_directions * gradients[0], None, None, None, None
