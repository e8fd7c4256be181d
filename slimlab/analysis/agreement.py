"""Where a masked student finds the teacher's prototypes again: the task of masked feature prediction, token by token.

SLiM, arXiv 2603.10648, section 3.3: teacher and student are compared over prototypes, at the same token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from slimlab.data import ClipStore, DataError, test_view
from slimlab.evaluate import check_body, inputs_of
from slimlab.skeleton import Skeleton


@dataclass(frozen=True)
class Agreement:
    """One person of a clip before teacher (unmasked) and student (masked), at each of T'*V tokens.

    joints     (T, 1, V, 3) metres, the view as recorded
    values     (T', V) in 0..1: the part of the prototypes that the student puts behind the teacher's nearest one; 1 where it is
               the student's nearest, too, 0.5 by chance
    same       (T', V) bool: whether it is the student's nearest, too
    elsewhere  the control: the same with the teacher's prototypes of the other masked tokens, mean
    mask       (T', V) bool, what was hidden from the student
    """

    joints: Tensor
    values: Tensor
    same: Tensor
    elsewhere: float
    mask: Tensor
    skeleton: Skeleton
    name: str

    @property
    def masked(self) -> float:
        """Mean of `values` over the masked tokens; NaN where there are none."""
        return float(self.values[self.mask].mean())

    @property
    def patch_frames(self) -> int:
        return len(self.joints) // len(self.values)


@torch.inference_mode()
def agreement(student: Any, teacher: Any, store: ClipStore, index: int, mask: Tensor) -> Agreement:
    """Teacher and student before the test view of clip `index`, its first person; results are on the CPU.

    student, teacher  each with .encoder and .token_head: `Run.student` and `Run.teacher`, or those of a `Trainer`
    mask              (T', V) bool, hidden from the student alone
    Raises ValueError where body or mask do not fit, DataError where nobody is there.
    """
    encoder = teacher.encoder
    check_body(encoder, store)
    view = test_view(store, [index], encoder.config.frames)
    x, people, _ = view
    if not people.any():
        raise DataError(f"clip '{store.column('clip')[index]}' has nobody in it; there is nothing to look at")
    person = int(people[0].nonzero()[0])
    every = inputs_of(view, encoder, store)
    given = every.x[..., person : person + 1]  # (1, 3, T, V, 1)
    seen = None if every.seen is None else every.seen[..., person : person + 1]
    hidden = mask.to(given.device)
    expected = (1, x.shape[2] // encoder.config.patch_frames, len(store.skeleton))
    if (1, *mask.shape) != expected:
        raise ValueError(f"mask is {tuple(mask.shape)}, should be (T', V) = {expected[1:]}")
    was = student.training, teacher.training
    student.eval()
    teacher.eval()
    targets = teacher.token_head(teacher.encoder(given, seen=seen).tokens[0, 0]).argmax(dim=-1)  # (T', V)
    logits = student.token_head(student.encoder(given, mask=hidden, seen=seen).tokens[0, 0])  # (T', V, K)
    student.train(was[0])
    teacher.train(was[1])
    place = logits.argsort(dim=-1).argsort(dim=-1) / max(1, logits.shape[-1] - 1)  # (T', V, K): 0 the farthest, 1 the nearest
    values = place.gather(-1, targets[..., None])[..., 0]  # (T', V)
    cells, theirs = place[hidden], targets[hidden]  # (C, K), (C,)
    others = cells[:, theirs]  # (C, C): row a cell's student, column another cell's teacher
    apart = others.sum() - others.diagonal().sum()
    count = max(1, len(cells) * (len(cells) - 1))
    return Agreement(
        joints=x[0, ..., person : person + 1].permute(1, 3, 2, 0),  # (T, 1, V, 3)
        values=values.cpu(),
        same=(logits.argmax(dim=-1) == targets).cpu(),
        elsewhere=float(apart / count),
        mask=mask.cpu(),
        skeleton=store.skeleton,
        name=str(store.column("clip")[index]),
    )
