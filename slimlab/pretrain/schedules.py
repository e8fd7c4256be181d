"""The optimiser's groups of parameters and the schedules of its rates. SLiM, arXiv 2603.10648, section 4.1."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn


def parameter_groups(network: nn.Module, patch_lr_factor: float = 1.0, *, released: bool = False) -> list[dict]:
    """For AdamW: no weight decay on biases and norms; a learning-rate factor on the patch embedding.

    released  as the released code: the prototypes' norms decay, and prototypes have a group of their own (`set_rates`)
    """
    groups: dict[tuple[bool, bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        prototypes = released and name.endswith((".prototypes", ".norms"))
        decays = prototypes or not (name.endswith(("bias", ".norms")) or "norm" in name.rpartition(".")[0].rpartition(".")[2])
        groups.setdefault((decays, "patch_embed" in name, prototypes), []).append(parameter)
    return [
        {"params": p, "decays": decays, "factor": patch_lr_factor if patch else 1.0}
        | ({"prototypes": True} if prototypes else {})
        for (decays, patch, prototypes), p in groups.items()
    ]


def set_rates(optimizer: torch.optim.Optimizer, lr: float, weight_decay: float, *, frozen: bool = False) -> None:
    """This step's learning rate and weight decay, in groups that `parameter_groups` made; frozen: none in the prototypes' own."""
    for group in optimizer.param_groups:
        group["lr"] = 0.0 if frozen and group.get("prototypes") else lr * group["factor"]
        group["weight_decay"] = weight_decay if group["decays"] else 0.0


def schedule(config: Any, step: int) -> dict[str, float]:
    """Learning rate, weight decay, teacher momentum and temperature at a step of a run with these settings."""
    part = step / config.steps
    first, last = config.teacher_temperature
    return {
        "lr": learning_rate(config, step),
        "weight_decay": cosine(config.weight_decay, part),
        "momentum": cosine(config.momentum, part),
        "temperature": first + (last - first) * min(1.0, part / max(1e-9, config.temperature_warmup)),
    }


def learning_rate(config: Any, step: int) -> float:
    """Linear warm-up to config.lr over the `warmup` part of the run, then a cosine to config.min_lr.

    The first step has a rate above zero; with the released details it has none, unless there is no warm-up.
    """
    length = max(1.0, config.warmup * config.steps)
    done = step if length > 1 and getattr(config, "details", "plain") == "released" else step + 1
    rise = done / length
    fall = (step / config.steps - config.warmup) / max(1e-9, 1 - config.warmup)
    return config.lr * rise if rise < 1 else cosine((config.lr, config.min_lr), fall)


def cosine(bounds: tuple[float, float], part: float) -> float:
    """From the first bound to the last on half a cosine; part 0..1 of the way."""
    return bounds[1] + (bounds[0] - bounds[1]) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, part))))
