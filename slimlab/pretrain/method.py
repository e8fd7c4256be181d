"""How SLiM is pre-trained: the one place that chooses between the trainer and the one that makes the authors' mistakes."""

from __future__ import annotations

import torch

from slimlab.encoder import Encoder
from slimlab.pretrain.config import Config
from slimlab.pretrain.trainer import Trainer
from slimlab.released.training import Mistakes
from slimlab.skeleton import Skeleton


class ReleasedTrainer(Mistakes, Trainer):
    """The trainer with those of the authors' mistakes that `config.released_quirks` names."""


def trainer_of(config: Config, skeleton: Skeleton, device: torch.device | str = "cpu", start: Encoder | None = None) -> Trainer:
    """The trainer that these settings ask for. Raises ValueError as `Trainer` does."""
    return (ReleasedTrainer if config.released_quirks else Trainer)(config, skeleton, device, start)
