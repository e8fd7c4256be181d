"""The check of the EMA exercise: passes what is right, names each common mistake."""

import pytest
import torch

from slimlab import lessons


@torch.no_grad()
def right(teacher, student, momentum):
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t.lerp_(s, 1 - momentum)


def empty(teacher, student, momentum):
    raise NotImplementedError


def renames(teacher, student, momentum):
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t = momentum * t + (1 - momentum) * s


@torch.no_grad()
def swapped(teacher, student, momentum):
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t.lerp_(s, momentum)


def other_way(teacher, student, momentum):
    right(student, teacher, momentum)


def graph(teacher, student, momentum):
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t.mul_(momentum).add_((1 - momentum) * s)


def copies(teacher, student, momentum):
    teacher.load_state_dict(student.state_dict())


def shares(teacher, student, momentum):
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t.data = s.data


@torch.no_grad()
def first_only(teacher, student, momentum):
    next(teacher.parameters()).lerp_(next(student.parameters()), 1 - momentum)


@torch.no_grad()
def weights_only(teacher, student, momentum):
    for (name, t), s in zip(teacher.named_parameters(), student.parameters(), strict=True):
        if name.endswith("weight"):
            t.lerp_(s, 1 - momentum)


def new_parameters(teacher, student, momentum):
    """Without no_grad, and with new parameters that remember where they came from."""
    for mine, other in zip(teacher, student, strict=True):
        for name, s in other.named_parameters():
            setattr(mine, name, torch.nn.Parameter(momentum * getattr(mine, name) + (1 - momentum) * s))


@torch.no_grad()
def freezes_the_student(teacher, student, momentum):
    right(teacher, student.requires_grad_(False), momentum)


@torch.no_grad()
def own_momentum(teacher, student, momentum):
    right(teacher, student, 0.994)


@torch.no_grad()
def twice(teacher, student, momentum):
    right(teacher, student, momentum)
    right(teacher, student, momentum)


def by_state(teacher, student, momentum):
    mixed = {n: momentum * t + (1 - momentum) * student.state_dict()[n] for n, t in teacher.state_dict().items()}
    teacher.load_state_dict(mixed)


def by_data(teacher, student, momentum):
    for t, s in zip(teacher.parameters(), student.parameters(), strict=True):
        t.data = (momentum * t.data.double() + (1 - momentum) * s.data.double()).float()


@torch.no_grad()
def by_copy(teacher, student, momentum):
    """With a return value, which nobody asked for and which does no harm."""
    named = dict(student.named_parameters())
    for name, t in teacher.named_parameters():
        t.copy_(t + (1 - momentum) * (named[name] - t))
    return teacher


@pytest.mark.parametrize("function", [right, by_state, by_data, by_copy])
def test_right_ones_pass(function, capsys):
    lessons.check_ema(function)
    assert "EMA" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (empty, "still empty"),
        (renames, "did not move"),
        (swapped, "momentum goes with the student"),
        (other_way, "the student changed"),
        (graph, "no_grad"),
        (copies, "became the student"),
        (shares, "share their memory"),
        (first_only, "some parameters did not move"),
        (twice, "changed once"),
        (own_momentum, "momentum that is given"),
        (freezes_the_student, "cannot learn any more"),
        (weights_only, "some parameters did not move"),
        (new_parameters, "no_grad"),
    ],
)
def test_mistakes_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_ema(wrong)
