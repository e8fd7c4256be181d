"""Splitting a step for memory, with the gradients of the undivided one.

The graphs of a step are made and used up one after another, so that one at a time is in memory, and a batch may be cut into
pieces that go through the networks one by one. Once the teacher's targets are known, GLCL and MFP are sums over clips, so their
pieces add up. KoLeo compares the clips of the whole batch: a first pass without a graph gives the features and the gradient of
KoLeo by them, and the second pass carries each piece's part of that gradient on to the weights (GradCache, Gao et al. 2021,
arXiv 2101.06983).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from slimlab.losses import koleo_loss

LARGE = 1 << 25  # coordinates of the global views times width, above which the two are encoded one after the other


@dataclass(frozen=True)
class Piece:
    """Some of a batch's clips.

    clips      where they stand in the batch
    views      groups of views, globals first: each (views*b, 3, T, V, 1), view after view
    masks      of each group (views*b, T', V) bool: tokens that the student does not see; None where it sees all
    unseen     (2b, T', V) bool: tokens of the global views whose joint was not seen, which the teacher does not see either; None:
               every joint was seen
    predicted  (2b, T', V) bool: tokens of the global views for which MFP asks, or None
    """

    clips: slice
    views: list[Tensor]
    masks: list[Tensor | None]
    unseen: Tensor | None
    predicted: Tensor | None

    def __len__(self) -> int:
        return self.clips.stop - self.clips.start

    @property
    def terms(self) -> int:
        """Terms of GLCL for one clip: each teacher view with every other view."""
        return 2 * (sum(map(len, self.views)) // len(self) - 1)

    def rows(self, width: int) -> list[slice]:
        """Rows of the global views that are encoded together: all, or view after view where they are large."""
        together = len(self) if self.views[0].numel() * width > LARGE else 2 * len(self)
        return [slice(start, start + together) for start in range(0, 2 * len(self), together)]


class Terms(NamedTuple):
    """What one graph adds to the loss: `total` with the graph, the others for the log, detached scalars."""

    total: Tensor
    glcl: Tensor
    mfp: Tensor
    koleo: Tensor


def split(
    views: list[Tensor], masks: list[Tensor | None], unseen: Tensor | None, predicted: Tensor | None, *, size: int | None
) -> list[Piece]:
    """Cut a batch (see `Piece`) into pieces of `size` clips, the last one of what is left; None: one piece."""
    batch = len(views[0]) // 2
    size = size or batch
    if size >= batch:
        return [Piece(slice(0, batch), views, masks, unseen, predicted)]

    def own(x: Tensor, part: slice) -> Tensor:
        return x.unflatten(0, (-1, batch))[:, part].flatten(0, 1)

    def some(mask: Tensor | None, part: slice) -> Tensor | None:
        return None if mask is None else own(mask, part)

    parts = [slice(first, min(first + size, batch)) for first in range(0, batch, size)]
    return [Piece(p, [own(x, p) for x in views], [some(m, p) for m in masks], some(unseen, p), some(predicted, p)) for p in parts]


def koleo(cls: Tensor) -> Tensor:
    """KoLeo of CLS features (views, B, D), added up over the views."""
    return torch.stack([koleo_loss(view) for view in cls]).sum()


def koleo_by_features(features: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """KoLeo of the whole batch and its gradient (2, B, D), from the features (2b, D) of each piece, made without a graph."""
    whole = torch.cat([f.float().unflatten(0, (2, -1)) for f in features], dim=1)  # (2, B, D)
    with torch.enable_grad():
        loss = koleo(whole.requires_grad_())
    return loss, torch.autograd.grad(loss, whole)[0]


def accumulate(
    graphs: Sequence[Callable[[], Terms]],
    *,
    cast: Callable[[], AbstractContextManager],
    alone: Callable[[], AbstractContextManager],
    unreached: Callable[[], Tensor | float],
) -> Tensor:
    """Make each graph, add its gradients to the weights, and forget it. Where gradients are off, only compute.

    Args:
        graphs: Each makes one part of the loss.
        cast: A context around each graph and its backward pass: the precision.
        alone: A context in which gradients are not yet added up over the processes; all graphs but the last one run in it.
        unreached: Zero, from all weights that the last graph leaves out.

    Returns:
        The sums (3,) of GLCL, MFP and KoLeo.
    """
    sums: Tensor | None = None
    for graph in graphs:
        last = graph is graphs[-1]
        with nullcontext() if last else alone(), cast():
            terms = graph()
            learn(terms.total + unreached() if last else terms.total)
        logged = torch.stack(terms[1:])
        sums = logged if sums is None else sums + logged
        del terms  # and with it the graph
    assert sums is not None  # there are always two global views
    return sums


def learn(loss: Tensor) -> None:
    """Backward, where gradients are on."""
    if torch.is_grad_enabled():
        loss.backward()
