"""Training with labels: augmented views with all people, and the loop that control and fine-tuning share."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from slimlab import augment
from slimlab.data import ClipStore, random_view
from slimlab.data.views import SHORTEST
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.features import Inputs, to_inputs

ROTATION = (0.3, math.pi, 0.3)  # most rad about x, y (vertical) and z in probe training
HEAD_LR, ENCODER_LR = 1e-3, 1e-5  # of fine-tuning with SGD, at batch 256. SLiM, section 4


def augmented_view(
    encoder: FeatureEncoder,
    store: ClipStore,
    clips: np.ndarray,
    generator: torch.Generator,
    mirror: bool = True,
    rotation: float | tuple[float, float, float] = ROTATION,
    noise: float = 0.01,
    details: str = "plain",
) -> Inputs:
    """The encoder's input on its device: a random crop of 50 to 100 % of every clip, with the
    skeleton-aware augmentations, and noise of `noise` metres on every other view. SLiM, section 4.

    details  "released": crops of at least 16 frames, as the released code; "plain": of at least the view's frames"""
    config, device = encoder.config, next(encoder.parameters()).device
    shortest = SHORTEST if details == "released" else None
    x, people, seen = random_view(store, clips, generator, config.frames, shortest=shortest)
    x = x.to(device)
    seen = augment.shown(x, seen.to(device))
    x = augment.center(x, config.skeleton, config.centering, seen=seen)
    x = augment.skeleton_aware(x, config.skeleton, generator, angle=rotation, mirrors=mirror, seen=seen)
    seen = augment.seen_after(x, config.skeleton, seen)
    noisy = torch.rand(len(x), generator=generator) < 0.5
    return to_inputs(augment.jitter(x, noise * noisy, generator, seen=seen), people.to(device), config, seen, store)


def linear_head(encoder: FeatureEncoder, people: int, classes: int) -> nn.Linear:
    """A linear layer on CLS (where there is one) and mean token of so many people, on the encoder's device; begins at zero,
    draws nothing."""
    width = people * encoder.config.width * (2 if encoder.has_cls else 1)
    head = nn.Linear(width, classes, device="meta").to_empty(device=next(encoder.parameters()).device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    return head


def train_with_labels(
    encoder: FeatureEncoder,
    head: nn.Linear,
    optimizer: torch.optim.Optimizer,
    draw: Callable[[], tuple[Inputs, Tensor]],
    steps: int,
    warmup: float = 0.0,
    clip: float | None = None,
    combine: str = "concat",
    progress: str = "",
) -> None:
    """Cross-entropy of the head on CLS and mean token; learning rates rise over the `warmup` part, then follow a cosine to 0.

    draw  a batch: the encoder's input and labels (B,)
    clip  the most that the gradient's norm may be
    An encoder of which the optimiser holds nothing is not differentiated. `progress` names the bar; "": none.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    trains = any(p is next(encoder.parameters()) for p in parameters)
    peaks = [group["lr"] for group in optimizer.param_groups]
    for step in tqdm(range(steps), desc=progress, disable=not progress):
        factor = min(1.0, (step + 1) / (warmup * steps + 1)) * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * factor
        (x, people, seen), labels = draw()
        with torch.set_grad_enabled(trains):
            pooled = encoder.features(x, people, combine=combine, seen=seen)  # (B, F)
        loss = F.cross_entropy(head(pooled), labels)
        if not math.isfinite(float(loss.detach())):
            raise FloatingPointError(f"step {step}: the loss is {float(loss.detach())}; try a smaller learning rate")
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(parameters, clip)
        optimizer.step()
