"""The checks of the exercises on the paper's table take right answers and name the mistakes that readers make."""

import pytest

from slimlab import lessons


def flops(n, d, h, add=2, qkv=3, products=2, out=1, gates=2):
    return add * n * (d * (qkv + out) * d + products * n * d + d * gates * h + h * d)


def test_right_answers(capsys):
    lessons.check_block_flops(flops)
    lessons.check_honest_choice(lambda held_out, test: (test[held_out.argmax()], test.max()))
    assert capsys.readouterr().out.count("✓") == 2


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(add=1), "multiply-add once"),
        (dict(products=0), "two products"),
        (dict(products=1), "one of attention's"),
        (dict(gates=1), "w12 is twice"),
        (dict(out=0), "projection after attention"),
        (dict(qkv=1), "one of queries, keys and values"),
        (dict(qkv=7), "the library"),
    ],
)
def test_block_flops_wrong(wrong, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_block_flops(lambda n, d, h: flops(n, d, h, **wrong))


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
