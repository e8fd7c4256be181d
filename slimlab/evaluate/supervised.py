"""The control with labels: the same encoder trained from scratch by cross-entropy, on the views that pre-training uses."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from slimlab import augment
from slimlab.data import ClipStore, DataError, sample_views
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.evaluate.controls import random_encoder
from slimlab.evaluate.features import prepare


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
) -> Encoder:
    """An encoder (as `config` says) trained with the labels of `train`; its features are judged like any other's.

    Two random views (50 to 100 % of the clip) of one person of each clip, mirrored, scaled and turned as in pre-training; a
    linear layer on CLS and mean token; AdamW, warm-up and cosine. Raises DataError where labels are missing or clips are empty.
    """
    usable = (train.labels >= 0) & (train.column("people") > 0)
    if not usable.all():
        raise DataError(f"{train.source}: {int((~usable).sum())} training clips have no label or nobody in them; leave them out")
    encoder = random_encoder(config, seed).to(device).train()
    rng, labels = torch.Generator().manual_seed(seed), torch.from_numpy(train.labels)
    classes = int(labels.max()) + 1
    weight = torch.zeros(classes, 2 * config.width, device=device, requires_grad=True)  # the linear layer
    bias = torch.zeros(classes, device=device, requires_grad=True)
    parameters = [*encoder.parameters(), weight, bias]
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.05)
    for step in tqdm(range(steps), desc="supervised control", disable=not progress):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1.0, (step + 1) / (0.05 * steps + 1)) * 0.5 * (1 + math.cos(math.pi * step / steps))
        clips = torch.randint(len(train), (batch_size,), generator=rng).numpy()
        views = sample_views(train, clips, rng, config.frames, (0.5, 1.0), ())
        x = views.globals.flatten(0, 1).to(device)  # (2B, 3, T, V, 1)
        x = prepare(x, config, views.origin.repeat(2, 1))  # before it is turned: `origin` is not
        out = encoder(augment.skeleton_aware(x, config.skeleton, rng, angle=rotation, mirrors=mirror))
        pooled = torch.cat([out.cls, out.tokens.mean(dim=(2, 3))], dim=-1)[:, 0]  # (2B, 2D)
        loss = F.cross_entropy(F.linear(pooled, weight, bias), labels[np.tile(clips, 2)].to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 3.0)
        optimizer.step()
    return encoder.eval()
