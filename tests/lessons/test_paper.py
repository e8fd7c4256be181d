"""The checks of the exercises on the paper's table take right answers and name the mistakes that readers make."""

import numpy as np
import pytest
import torch

from slimlab import lessons


def sizes(shapes, **changes):
    blocks = {int(name.split(".")[1]) for name in shapes if name.startswith("blocks.")}
    right = {
        "width": shapes["norm.weight"][0],
        "depth": max(blocks) + 1,
        "hidden": shapes["blocks.0.mlp.w3.weight"][1],
        "registers": shapes["register_tokens"][1],
        "joints": shapes["pos_embed"][1] - 1,
        "patch_frames": shapes["patch_embed.proj.weight"][2],
    }
    return right | {name: change(shapes) for name, change in changes.items()}


def optimism(accuracies, held_out, test, rng, draws, chooses="held out", minus="chosen", reports="test", swap=False):
    held = rng.binomial(held_out, accuracies, (draws, len(accuracies))) / held_out
    tested = rng.binomial(test, accuracies, (draws, len(accuracies))) / test
    out = []
    for chooser in (tested, held if chooses == "held out" else tested):
        best = chooser.argmax(axis=1)
        scores = chooser if reports == "chooser" else tested
        known = {"chosen": accuracies[best], "mean": accuracies.mean(), "nothing": 0.0}[minus]
        out.append((scores[np.arange(draws), best] - known).mean())
    return out[::-1] if swap else tuple(out)


def one_draw(accuracies, held_out, test, rng, draws):
    return optimism(accuracies, held_out, test, rng, 1)


def test_right_answers(capsys):
    lessons.check_encoder_sizes(sizes)
    lessons.check_encoder_sizes(lambda shapes: {n: np.int64(v) for n, v in sizes(shapes).items()} | {"heads": 4})
    lessons.check_encoder_sizes(lambda shapes: {n: torch.tensor(v) for n, v in sizes(shapes).items()})
    lessons.check_optimism(optimism)
    lessons.check_optimism(lambda *a: list(optimism(*a)))
    lessons.check_optimism(lambda *a: torch.tensor(optimism(*a)))
    lessons.check_optimism(lambda *a: np.array(optimism(*a), dtype=np.float32))
    assert capsys.readouterr().out.count("✓") == 7


@pytest.mark.parametrize(
    "changes, says",
    [
        (dict(joints=lambda s: s["pos_embed"][1]), "CLS's"),
        (dict(hidden=lambda s: s["blocks.0.mlp.w12.weight"][0]), "two matrices"),
        (dict(depth=lambda s: max(int(n.split(".")[1]) for n in s if n.startswith("blocks."))), "begin at 0"),
        (dict(depth=lambda s: 1 + int(max(n.split(".")[1] for n in s if n.startswith("blocks.")))), "Compare numbers"),
        (dict(depth=lambda s: sum(n.startswith("blocks.") for n in s)), "several tensors"),
        (dict(width=lambda s: s["blocks.0.attn.qkv.weight"][0]), "queries, keys and values"),
        (dict(patch_frames=lambda s: s["patch_embed.proj.weight"][1]), "coordinates or the joints"),
        (dict(patch_frames=lambda s: s["patch_embed.proj.weight"][3]), "coordinates or the joints"),
        (dict(registers=lambda s: 4), "registers 4 instead of 2"),
        (dict(width=lambda s: 256), "width 256 instead of"),
        (dict(width=lambda s: "256 wide"), "whole number"),
        (dict(width=lambda s: s["norm.weight"]), "whole number"),
    ],
)
def test_wrong_sizes_are_named(changes, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_encoder_sizes(lambda shapes: sizes(shapes, **changes))


@pytest.mark.parametrize(
    "function, says",
    [
        (lambda s: None, "returned nothing"),
        (lambda s: list(sizes(s).values()), "a dict is asked for"),
        (lambda s: {"width": 256}, "lacks depth"),
    ],
)
def test_other_answers_than_a_dict_of_sizes(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_encoder_sizes(function)


@pytest.mark.parametrize(
    "changes, says",
    [
        (dict(reports="chooser"), "which chose the candidate"),
        (dict(chooses="test"), "both are the flattered one"),
        (dict(minus="nothing"), "returns accuracies"),
        (dict(minus="mean"), "over the mean of all"),
        (dict(swap=True), "swapped"),
    ],
)
def test_wrong_optimism_is_named(changes, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_optimism(lambda *a: optimism(*a, **changes))


@pytest.mark.parametrize(
    "function, says",
    [
        (one_draw, "average over draws"),
        (lambda *a: None, "returned nothing"),
        (lambda *a: 0.1, "two numbers"),
        (lambda *a: (np.zeros(3), np.zeros(3)), "two numbers"),
        (lambda *a: (0.0, 0.0), "flattered is"),
        (lambda *a: (float("nan"), 0.0), "infinite or NaN"),
    ],
)
def test_other_wrong_optimism(function, says):
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_optimism(function)
