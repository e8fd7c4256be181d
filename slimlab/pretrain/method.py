"""What is pre-trained. The loop, the run's folder, checkpoints and resume serve any method; a `Method` says what is its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.evaluate.features import CutView
from slimlab.pretrain.config import Config
from slimlab.pretrain.trainer import Trainer
from slimlab.released.training import Mistakes
from slimlab.skeleton import Skeleton
from slimlab.weights import load_encoder, save_encoder


class Training(Protocol):
    """What the loop asks of a method's trainer."""

    config: Any
    device: torch.device
    test_view: CutView  # of the clips that the run is measured on while it goes on

    @property
    def optimizer(self) -> torch.optim.Optimizer: ...

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What a checkpoint holds beside the optimiser."""
        ...

    @property
    def encoder(self) -> Any:
        """What the run is for: what `evaluate.features` takes."""
        ...

    def step(self, store: ClipStore, clips: np.ndarray, step: int) -> dict[str, float]:
        """Make one update on these clips and return what to log."""
        ...


@dataclass(frozen=True)
class Method:
    """A way of pre-training: `pretrain.fit(store, config, method=...)`. SLiM is `SLIM`, the MAE `slimlab.baselines.mae.METHOD`.

    Attributes:
        name: What `run.json` says of the runs of this method, so that no other method opens them.
        settings: A frozen dataclass that `settings(**dict)` makes from JSON and `.to_dict()` turns into it.
        trainer: Called with `(settings, skeleton, device=..., start=...)`; start is an encoder to begin with, or None.
        load: Reads an encoder from the folder that `save` wrote.
        save: Writes an encoder into a folder.
    """

    name: str
    settings: type[Any]
    trainer: Callable[..., Training]
    load: Callable[[Path], Any]
    save: Callable[[Any, Path], object]


class ReleasedTrainer(Mistakes, Trainer):
    """The trainer with those of the authors' mistakes that `config.released_quirks` names."""


def trainer_of(
    config: Config, skeleton: Skeleton, *, device: torch.device | str = "cpu", start: Encoder | None = None
) -> Trainer:
    """Return the trainer that these settings ask for: the one place that chooses. Raises ValueError as `Trainer` does."""
    return (ReleasedTrainer if config.released_quirks else Trainer)(config, skeleton, device=device, start=start)


SLIM = Method("slim", Config, trainer_of, load_encoder, save_encoder)
