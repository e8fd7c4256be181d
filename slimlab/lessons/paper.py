"""Checks of the exercises on the paper's table: what tensors tell of an encoder, and what luck adds to the best of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from slimlab.encoder import Encoder, EncoderConfig
from slimlab.lessons.asking import NotYet, attempt, expect, passed
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2, SMPL_22, Skeleton

SIZES = ("width", "depth", "hidden", "registers", "joints", "patch_frames")
ENCODERS: tuple[tuple[Skeleton, dict[str, Any]], ...] = (
    (KINECT_V2, {}),  # the paper's
    (KINECT_V1, {"width": 48, "heads": 4, "depth": 12, "patch_frames": 16, "registers": 2}),  # "blocks.9" sorts after "blocks.11"
    (COCO, {"width": 32, "heads": 2, "depth": 1, "patch_frames": 4, "registers": 5, "mlp_ratio": 2.0}),
    (SMPL_22, {"width": 64, "heads": 4, "depth": 3, "patch_frames": 8, "registers": 1}),
)


def check_encoder_sizes(function: Callable[[dict[str, tuple[int, ...]]], Any]) -> None:
    """Check function(shapes) -> a dict of SIZES, for the shapes of released weights by tensor name, in any order.

    Raises:
        NotYet: What is wrong with the answer.
    """
    dice = np.random.default_rng(3)
    for skeleton, changes in ENCODERS:
        config = EncoderConfig(skeleton=skeleton, **changes)
        with torch.device("meta"):
            found = {name: tuple(tensor.shape) for name, tensor in Encoder(config).state_dict().items()}
        names = list(found)
        got = attempt(function, {names[i]: found[names[i]] for i in dice.permutation(len(names))})
        expect(got is not None, "sizes returned nothing: end it with a line `return …`.")
        expect(isinstance(got, Mapping), f"sizes returned a {type(got).__name__}: a dict is asked for, with {', '.join(SIZES)}.")
        missing = [name for name in SIZES if name not in got]
        expect(not missing, f"sizes lacks {', '.join(missing)}.")
        _compare_sizes({name: _whole(got[name], name) for name in SIZES}, config, found)
    passed("Sizes: width, depth and all else of an encoder, from the shapes of its tensors.", function)


def _compare_sizes(got: Mapping[str, int], config: EncoderConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raises NotYet, naming the mistake, where a size is not the configuration's."""
    joints, depth = len(config.skeleton), config.depth
    expect(
        got["joints"] != joints + 1,
        f"sizes finds {joints + 1} joints where the body has {joints}: the first row of `pos_embed` is CLS's.",
    )
    expect(
        got["hidden"] != 2 * config.hidden,
        "sizes finds twice the hidden width: `w12` holds two matrices, the gate's and the value's; `w3` takes `hidden` numbers.",
    )
    expect(
        got["depth"] != depth - 1,
        f"sizes finds depth {depth - 1} where there are {depth} blocks: their numbers begin at 0.",
    )
    expect(
        depth < 11 or got["depth"] != 10,
        "sizes finds depth 10 of 12: as text, 'blocks.9' comes after 'blocks.11'. Compare numbers.",
    )
    expect(
        got["depth"] != sum(name.startswith("blocks.") for name in shapes),
        "sizes counts the tensors of all blocks: several tensors belong to one block.",
    )
    expect(
        got["width"] != 3 * config.width,
        "sizes finds three times the width: the first axis of `qkv` holds queries, keys and values.",
    )
    expect(
        got["patch_frames"] not in (1, 3),
        "sizes finds the coordinates or the joints of a token for its frames: `patch_embed.proj.weight` is (D, 3, frames, 1).",
    )
    wanted = {name: getattr(config, name) for name in SIZES if name != "joints"} | {"joints": joints}
    wrong = [f"{name} {got[name]} instead of {wanted[name]}" for name in SIZES if got[name] != wanted[name]]
    expect(not wrong, f"sizes says {', '.join(wrong)}: print the names and shapes, and look for the axis that holds it.")


def check_optimism(function: Callable[..., Any]) -> None:
    """Check function(accuracies (C,), held_out, test, rng, draws) -> (flattered, honest), what luck adds to a chosen accuracy.

    Both are means over draws of (reported test accuracy of the chosen candidate - its true accuracy), with candidates chosen on
    the test clips themselves, and on as many held-out clips as `held_out`.

    Raises:
        NotYet: What is wrong with the answer.
    """
    draws = 6000
    for seed, (count, held_out, test) in enumerate(((52, 100, 400), (2, 300, 150), (13, 60, 80))):
        rng = np.random.default_rng(seed)
        true = rng.uniform(0.68, 0.72, count)
        got = attempt(function, true.copy(), held_out, test, np.random.default_rng(seed), draws)
        values = _two_numbers(got)
        chosen = _optimism(true, held_out, test, rng)
        luck, honest = chosen["flattered"], chosen["honest"]
        near = 5 * 0.5 / np.sqrt(test * draws) + 5e-4  # five standard errors of a mean over these draws
        if abs(values[0] - luck) < near and abs(values[1] - honest) < near:
            continue
        expect(max(values) < 0.5, "optimism returns accuracies: subtract the chosen candidate's true accuracy in each draw.")
        expect(
            abs(values[1] - chosen["held_out"]) > near,
            "honest is taken from the held-out clips, which chose the candidate: its accuracy on the test clips is asked for.",
        )
        expect(
            max(abs(v - luck) for v in values) > near,
            "both are the flattered one: let fresh held-out clips choose, other than the test clips that report.",
        )
        expect(
            abs(values[0] - honest) > near or abs(values[1] - luck) > near,
            "the two are swapped: flattered comes first, then honest.",
        )
        expect(
            abs(values[0] - chosen["over the mean"]) > near,
            "flattered is over the mean of all candidates: subtract the true accuracy of the one that was chosen.",
        )
        raise NotYet(
            f"flattered is {values[0]:+.4f} and honest {values[1]:+.4f} where {luck:+.4f} and {honest:+.4f} are right, within "
            f"{near:.4f}: in each draw, choose, look up the test accuracy, subtract the true one; then average over draws."
        )
    passed("Optimism: the best of many on the test clips is lucky; whoever is chosen elsewhere is not.", function)


def _optimism(true: np.ndarray, held_out: int, test: int, rng: np.random.Generator, draws: int = 40_000) -> dict[str, float]:
    """The right answers, and those of usual mistakes."""
    tested = rng.binomial(test, true, (draws, len(true))) / test
    held = rng.binomial(held_out, true, (draws, len(true))) / held_out
    each = np.arange(draws)
    lucky, fair = tested.argmax(axis=1), held.argmax(axis=1)
    return {
        "flattered": float((tested[each, lucky] - true[lucky]).mean()),
        "honest": float((tested[each, fair] - true[fair]).mean()),
        "held_out": float((held[each, fair] - true[fair]).mean()),
        "over the mean": float((tested[each, lucky] - true.mean()).mean()),
    }


def _whole(value: Any, name: str) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"sizes gives a {type(value).__name__} for {name}: a whole number is asked for.") from None
    expect(number == int(number), f"sizes gives {number:g} for {name}: a whole number is asked for.")
    return int(number)


def _two_numbers(got: Any) -> tuple[float, float]:
    expect(got is not None, "optimism returned nothing: end it with a line `return …`.")
    try:
        values = [float(v) for v in got]
    except (TypeError, ValueError, RuntimeError):
        values = []
    expect(len(values) == 2, "optimism returns two numbers: flattered, honest.")
    expect(bool(np.isfinite(values).all()), "optimism returns a number that is infinite or NaN.")
    return values[0], values[1]
