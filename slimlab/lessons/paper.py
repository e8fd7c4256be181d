"""Checks of the exercises on the paper's table: what an honest choice is worth, and what people make of a ratio of costs."""

from __future__ import annotations

from collections.abc import Callable

import torch

from slimlab.lessons.asking import attempt, expect, passed


def check_honest_choice(function: Callable[..., tuple[float, float]]) -> None:
    """function(held_out (C,), test (C,)) -> (honest, flattered): the accuracy on the test split of the candidate chosen on
    held-out subjects, and of the one chosen on the test split itself. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(5)
    for count in (2, 13, 52):
        test = torch.rand(count, generator=dice, dtype=torch.float64) * 0.3 + 0.4
        held_out = test + 0.1 + 0.05 * torch.randn(count, generator=dice, dtype=torch.float64)
        got = attempt(function, held_out.clone(), test.clone())
        expect(isinstance(got, tuple | list) and len(got) == 2, "honest_choice returns two numbers: honest, flattered.")
        honest, flattered = (float(v) for v in got)
        chosen, best = float(test[held_out.argmax()]), float(test.max())
        expect(
            abs(honest - float(held_out.max())) > 1e-9,
            "honest is the accuracy on the held-out subjects: they choose the candidate, the test split scores it.",
        )
        expect(abs(flattered - best) < 1e-9, "flattered is the best of all candidates on the test split: test.max().")
        expect(
            abs(honest - chosen) < 1e-9,
            "honest is the test accuracy of the candidate that is best on held-out subjects: test[held_out.argmax()].",
        )
    passed("An honest choice: held-out subjects choose, the test split scores.", function)


def check_people_ratios(function: Callable[..., tuple[float, float]]) -> None:
    """function(slim, mamp, people) -> (MAMP as released, with two people, over SLiM with those who are there; both with those who
    are there); slim and mamp are GFLOPs for one person. Raises NotYet.
    """
    for slim, mamp, people in ((2.94, 14.05, 1.2), (2.94, 14.05, 2.0), (1.0, 6.0, 1.5)):
        got = attempt(function, slim, mamp, people)
        expect(isinstance(got, tuple | list) and len(got) == 2, "people_ratios returns two numbers: as released, same trick.")
        released, fair = (float(v) for v in got)
        wanted = 2 * mamp / (people * slim)
        alike = people == 2.0  # everybody is there: the two ratios are one
        expect(
            alike or abs(released - mamp / slim) > 1e-6,
            "as released, MAMP encodes two people whoever is there, and SLiM only those who are.",
        )
        expect(
            alike or abs(fair - wanted) > 1e-6, "with the same trick MAMP, too, encodes only who is there: the people cancel out."
        )
        expect(
            abs(released - wanted) < 1e-6,
            f"as released you get {released:.3g}, not {wanted:.3g}: two of MAMP's people over {people} of SLiM's.",
        )
        expect(abs(fair - mamp / slim) < 1e-6, f"with the same trick you get {fair:.3g}, not {mamp / slim:.3g}.")
    passed("People: as released the ratio flatters whoever leaves out the empty second body.", function)
