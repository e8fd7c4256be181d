"""The checks of the exercises on the paper's table take right answers and name the mistakes that readers make."""

import pytest

from slimlab import lessons


def test_right_answers(capsys):
    lessons.check_honest_choice(lambda held_out, test: (test[held_out.argmax()], test.max()))
    lessons.check_people_ratios(lambda slim, mamp, people: (2 * mamp / (people * slim), mamp / slim))
    assert capsys.readouterr().out.count("✓") == 2


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda s, m, p: (m / s, m / s), "encodes two people whoever is there"),
        (lambda s, m, p: (2 * m / (p * s), 2 * m / (p * s)), "the people cancel out"),
        (lambda s, m, p: (m / (p * s), m / s), "two of MAMP.s people"),
        (lambda s, m, p: (2 * m / (p * s), s / m), "with the same trick you get"),
        (lambda s, m, p: m / s, "two numbers"),
    ],
)
def test_people_ratios_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_people_ratios(function)


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda h, t: (h.max(), t.max()), "they choose the candidate"),
        (lambda h, t: (t[h.argmax()], h.max()), "best of all candidates"),
        (lambda h, t: (t.max(), t.max()), "honest is the test accuracy"),
        (lambda h, t: t.max(), "two numbers"),
    ],
)
def test_honest_choice_wrong(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_honest_choice(function)
