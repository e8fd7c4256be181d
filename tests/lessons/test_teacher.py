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
def twice(teacher, student, momentum):
    right(teacher, student, momentum)
    right(teacher, student, momentum)


def test_the_right_one_passes(capsys):
    lessons.check_ema(right)
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
    ],
)
def test_mistakes_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_ema(wrong)
