"""Check of the exercise on the teacher (SLiM, arXiv 2603.10648, section 3.2; mean teacher, arXiv 1703.01780)."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from slimlab.lessons.asking import attempt, expect, passed


def check_ema(function: Callable[..., None]) -> None:
    """function(teacher, student, momentum) moves the teacher in place to momentum * teacher + (1 - momentum) * student.

    Compared with a plain loop on small networks, at several momenta. Raises NotYet.
    """
    for momentum in (0.9, 0.994, 0.0, 1.0):
        teacher, student = _networks()
        before, wanted_student = _values(teacher), _values(student)
        attempt(function, teacher, student, momentum)
        after, now_student = _values(teacher), _values(student)
        _look_at(student, teacher, now_student, wanted_student)
        wanted = {n: momentum * before[n] + (1 - momentum) * wanted_student[n] for n in before}
        swapped = {n: (1 - momentum) * before[n] + momentum * wanted_student[n] for n in before}
        wrong = [n for n in wanted if not torch.allclose(after[n], wanted[n], atol=1e-6)]
        if not wrong:
            continue
        expect(
            not all(torch.equal(after[n], before[n]) for n in before),
            "the teacher did not move: change its parameters in place (mul_, add_, lerp_); `t = …` only names a new tensor.",
        )
        expect(
            not all(torch.allclose(after[n], swapped[n], atol=1e-6) for n in swapped),
            "momentum goes with the student here: it is the part of the teacher that stays.",
        )
        expect(
            not all(torch.equal(after[n], wanted_student[n]) for n in before),
            "the teacher became the student: only the part 1 - momentum comes from it.",
        )
        still = [n for n in wrong if torch.equal(after[n], before[n])]
        expect(not still, f"some parameters did not move, such as {still[:1]}: go through all of teacher.parameters().")
        expect(
            False,
            f"at momentum {momentum} the parameter {wrong[0]} is not momentum * teacher + (1 - momentum) * student; "
            "is every one changed once, and by the momentum that is given?",
        )
    passed("EMA: the teacher follows in place, the student is untouched, no gradient is kept.", function)


def _look_at(student: nn.Module, teacher: nn.Module, now: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    expect(
        all(torch.equal(now[n], wanted[n]) for n in wanted),
        "the student changed: the teacher follows the student, not the other way round.",
    )
    expect(
        all(p.requires_grad for p in student.parameters()),
        "the student cannot learn any more: leave requires_grad of its parameters alone.",
    )
    expect(
        not any(p.requires_grad or p.grad_fn is not None for p in teacher.parameters()),
        "the teacher now remembers how it was computed: put the update under torch.no_grad().",
    )
    shared = {p.data_ptr() for p in student.parameters()} & {p.data_ptr() for p in teacher.parameters()}
    expect(not shared, "teacher and student share their memory: copy numbers, do not assign the student's tensors.")


def _networks() -> tuple[nn.Module, nn.Module]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        student = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Linear(6, 3))
        teacher = copy.deepcopy(student).requires_grad_(False)
        for p in teacher.parameters():
            p.add_(torch.randn_like(p))
    return teacher, student


def _values(network: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in network.named_parameters()}
