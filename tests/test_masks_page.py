"""The masks of the page "SLiM in your browser" (notebooks/web/masks.js) are those of `slimlab.masking`."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import slimlab
from slimlab import masking
from slimlab.data import ui_prmd
from slimlab.plot.masks import run_lengths
from slimlab.skeleton import COCO, KINECT_V2, Skeleton
from tests.conftest import needs_program

MASKS = Path(slimlab.__file__).parents[1] / "notebooks" / "web" / "masks.js"
pytestmark = pytest.mark.integration


def run(program: str, given: dict) -> dict:
    """What a JavaScript program that knows `masks` and `given` returns."""
    needs_program("node", "nodejs")
    code = f"import * as masks from '{MASKS.as_uri()}'; const given = {json.dumps(given)};\n"
    code += f"const answer = (() => {{ {program} }})(); process.stdout.write(JSON.stringify(answer));"
    done = subprocess.run(
        ["node", "--no-warnings", "--experimental-default-type=module", "--input-type=module"],
        input=code,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def shape(body: Skeleton) -> dict:
    return {"joints": len(body), "parts": [list(joints) for joints in body.parts.values()]}


@pytest.mark.parametrize("body", [KINECT_V2, COCO], ids=["kinect", "coco"])
@pytest.mark.parametrize("steps", [8, 4, 1])
def test_the_same_draws_give_the_same_tubes(body, steps):
    """Proposal by proposal, trimming included, over ratios from 0.1 to 0.95."""
    random = np.random.default_rng(steps)
    goals = [round(ratio * steps * len(body)) for ratio in (0.1, 0.3, 0.5, 0.7, 0.9, 0.95) for _ in range(20)]
    draws = random.random((len(goals), masking._tubes.ROUNDS, 5)).astype(np.float32)
    program = """
      return given.goals.map((goal, i) => {
        let at = 0;
        return [...masks.semanticTubes(given.steps, given.body, goal, () => given.draws[i][at++])];
      });
    """
    found = run(program, {"steps": steps, "body": shape(body), "goals": goals, "draws": draws.tolist()})
    for goal, drawn, mask in zip(goals, draws, found, strict=True):
        expected = masking.one_semantic_tube_mask(steps, body, masked=goal, draws=drawn)
        assert np.array_equal(np.array(mask).reshape(expected.shape), expected), goal


def test_halves_go_to_the_even_neighbor():
    values = [0.5, 1.5, 2.5, 2.4999, -0.5, 112.5, 87.5]
    assert run("return given.values.map(masks.roundEven);", {"values": values}) == [round(v) for v in values]


@pytest.mark.parametrize("strategy", list(masking.STRATEGIES))
def test_every_strategy_has_python_s_distribution(strategy):
    """Budget exact in every mask; how often each token is masked, and how long masked runs are, as in Python's draws."""
    body, steps, n, ratio = ui_prmd().skeleton, 8, 4000, 0.6
    motion = np.random.default_rng(0).random((steps, len(body))).astype(np.float32)
    further = {"motion": torch.from_numpy(motion).expand(n, -1, -1)} if strategy == "motion_aware" else {}
    ours = masking.STRATEGIES[strategy](n, steps, body, ratio, torch.Generator().manual_seed(1), **further).numpy()
    program = """
      const often = new Float64Array(given.steps * given.body.joints), runs = new Array(given.steps + 1).fill(0);
      const sizes = new Set();
      for (let seed = 1; seed <= given.n; seed++) {
        const mask = masks.draw(given.strategy, given.steps, given.body, given.ratio, seed, given.motion);
        let size = 0;
        mask.forEach((cell, i) => { often[i] += cell / given.n; size += cell; });
        sizes.add(size);
        for (let j = 0; j < given.body.joints; j++) {
          let long = 0;
          for (let t = 0; t <= given.steps; t++) {
            if (t < given.steps && mask[t * given.body.joints + j]) long++;
            else { if (long) runs[long]++; long = 0; }
          }
        }
      }
      return { often: [...often], runs, sizes: [...sizes] };
    """
    given = {"strategy": strategy, "steps": steps, "body": shape(body), "ratio": ratio, "n": n, "motion": motion.ravel().tolist()}
    found = run(program, given)
    assert found["sizes"] == [int(masking.budget(ratio, steps, len(body)))]
    expected = ours.mean(axis=0).ravel()
    error = np.sqrt(2 * np.maximum(expected * (1 - expected), 1e-4) / n)  # of a difference of two frequencies
    assert (np.abs(np.array(found["often"]) - expected) < 5 * error).all()
    runs = np.bincount(np.concatenate([run_lengths(mask) for mask in ours]), minlength=steps + 1)
    theirs = np.array(found["runs"])
    assert np.abs(theirs / theirs.sum() - runs / runs.sum()).max() < 0.01


def test_a_seed_gives_one_mask_and_another_seed_another():
    given = {"body": shape(KINECT_V2)}
    one, again, other = run("return [3, 3, 4].map((seed) => [...masks.draw('semantic_tubes', 8, given.body, 0.5, seed)]);", given)
    assert one == again != other


def test_motion_is_measured_as_in_python():
    x = torch.rand(1, 3, 64, 22, 1)
    flat = x[0, ..., 0].permute(1, 2, 0).flatten().tolist()
    found = run("return [...masks.motionMagnitude(new Float32Array(given.x), 22, 8)];", {"x": flat})
    assert np.allclose(found, masking.motion_magnitude(x, 8).flatten().numpy(), atol=1e-6)
