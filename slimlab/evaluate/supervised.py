"""The control with labels: the same encoder trained from scratch by cross-entropy, on the views that pre-training uses."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from slimlab import augment
from slimlab.data import ClipStore, DataError, sample_views
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.evaluate.controls import random_encoder
from slimlab.evaluate.features import to_inputs
from slimlab.evaluate.training import linear_head, train_with_labels


def supervised(
    config: EncoderConfig,
    train: ClipStore,
    steps: int = 1000,
    batch_size: int = 32,
    lr: float = 2e-3,
    mirror: bool = False,
    rotation: float | tuple[float, float, float] = 0.3,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = False,
    seconds: float | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Encoder:
    """An encoder (as `config` says) trained with the labels of `train`; its features are judged like any other's.

    Two random views (50 to 100 % of the clip) of one person of each clip, mirrored, scaled and turned as in pre-training; a
    linear layer on CLS and mean token; AdamW, warm-up and cosine.

    seconds  train for so many wall seconds instead of `steps`: the control at equal time. A few throw-away steps say beforehand
             how many steps that is on this machine, so the schedule is complete; `encoder.steps` holds the number
    clock    what those throw-away steps are timed with, in seconds

    Raises DataError where labels are missing or clips are empty.
    """
    if seconds is not None:
        sizes = {"batch_size": batch_size, "lr": lr, "mirror": mirror, "rotation": rotation, "seed": seed, "device": device}
        steps = _steps_within(seconds, lambda steps: supervised(config, train, steps, **sizes), clock)
    usable = (train.labels >= 0) & (train.column("people") > 0)
    if not usable.all():
        raise DataError(f"{train.source}: {int((~usable).sum())} training clips have no label or nobody in them; leave them out")
    encoder = random_encoder(config, seed).to(device).train()
    rng, labels = torch.Generator().manual_seed(seed), torch.from_numpy(train.labels)
    head = linear_head(encoder, 1, int(labels.max()) + 1)
    optimizer = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=lr, weight_decay=0.05)

    def draw():
        clips = torch.randint(len(train), (batch_size,), generator=rng).numpy()
        views = sample_views(train, clips, rng, config.frames, (0.5, 1.0), ())
        x, seen = views.globals.flatten(0, 1).to(device), views.seen[0].flatten(0, 1).to(device)  # (2B, 3, T, V, 1)
        x = augment.center(x, config.skeleton, config.centering, views.origin.repeat(2, 1), seen)  # before it is turned
        x = augment.skeleton_aware(x, config.skeleton, rng, angle=rotation, mirrors=mirror, seen=seen)
        everyone = torch.ones(len(x), 1, dtype=torch.bool, device=device)
        seen = augment.seen_after(x, config.skeleton, seen)
        return to_inputs(x, everyone, config, seen, train), labels[np.tile(clips, 2)].to(device)

    train_with_labels(encoder, head, optimizer, draw, steps, 0.05, 3.0, progress="supervised control" if progress else "")
    encoder.__dict__["steps"] = steps  # beside the weights, no part of them
    return encoder.eval()


def _steps_within(seconds: float, train: Callable[[int], object], clock: Callable[[], float]) -> int:
    """How many steps fit: the time of 8 more steps than 2, so that what happens once does not count.

    On a busy machine that difference can be close to zero or negative. A step therefore counts as at least a quarter of the
    longer run's time per step, and as at least 1 ms.
    """
    begin = clock()
    train(2)
    middle = clock()
    train(10)
    longer = clock() - middle
    per_step = max((longer - (middle - begin)) / 8, longer / 40, 1e-3)
    return max(1, round(seconds / per_step))
