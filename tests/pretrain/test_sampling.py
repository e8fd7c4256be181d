"""Views made ahead by a thread are those that would have been made in time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from slimlab.pretrain.sampling import Sampler, clips_of_step, views_of_step
from slimlab.pretrain.trainer import Trainer


def same(a, b):
    (x, rng), (y, other) = a, b
    for ours, theirs in zip([x.globals, *x.locals, x.origin], [y.globals, *y.locals, y.origin], strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(rng.get_state(), other.get_state())


def test_ahead_or_in_time_the_same_views(synthetic, quick):
    sampler = Sampler("cpu", ahead=True)
    for step in range(4):
        clips = clips_of_step(len(synthetic), 8, quick.seed, step)
        same(sampler(quick, synthetic, clips, step), views_of_step(quick, synthetic, clips, step))
    assert sampler.made_ahead == 3


@pytest.mark.parametrize("what", ["clips", "step", "store", "settings", "seed"])
def test_what_was_not_foreseen_is_sampled_anew(synthetic, quick, what):
    sampler, clips = Sampler("cpu", ahead=True), clips_of_step(len(synthetic), 8, quick.seed, 0)
    sampler(quick, synthetic, clips, 0)
    config, store, step = quick, synthetic, 1
    following = clips_of_step(len(synthetic), 8, quick.seed, 1)
    if what == "clips":
        following = following[::-1].copy()
    elif what == "step":
        step = 2
    elif what == "store":
        store = synthetic[np.arange(len(synthetic))[::-1]]
    else:
        config = replace(quick, **({"global_range": (0.6, 0.9)} if what == "settings" else {"seed": 5}))
    same(sampler(config, store, following, step), views_of_step(config, store, following, step))
    assert sampler.made_ahead == 0


def test_on_a_cpu_nothing_is_made_ahead_and_a_trainer_makes_the_same_steps_either_way(synthetic, quick):
    losses = []
    for ahead in (None, True):
        trainer = Trainer(quick, synthetic.skeleton)
        trainer.sampler = Sampler("cpu", ahead)
        steps = (trainer.step(synthetic, clips_of_step(len(synthetic), 8, quick.seed, s), s)["loss"] for s in range(3))
        losses.append(list(steps))
        assert trainer.sampler.made_ahead == (2 if ahead else 0)
    assert losses[0] == losses[1]


def test_clips_that_are_not_there_raise(synthetic, quick):
    sampler, clips = Sampler("cpu", ahead=True), np.arange(8)
    sampler(quick, synthetic, clips_of_step(len(synthetic), 8, quick.seed, 0), 0)
    with pytest.raises(IndexError):
        sampler(quick, synthetic, clips + 10**6, 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_views_are_ahead_and_pinned(synthetic, quick):
    sampler = Sampler("cuda")
    for step in range(2):
        views, _ = sampler(quick, synthetic, clips_of_step(len(synthetic), 8, quick.seed, step), step)
        assert views.globals.is_pinned() and views.origin.is_pinned()
    assert sampler.made_ahead == 1
