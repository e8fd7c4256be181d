"""Clips -> one feature vector each, by a frozen encoder on the deterministic test view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from slimlab import augment
from slimlab.data import ClipStore, test_view
from slimlab.encoder import Encoder, EncoderConfig


@dataclass(frozen=True)
class Features:
    """x (N, F) float32; labels (N,) int64, -1 unknown; table: the store's, a line per row of x."""

    x: Tensor
    labels: Tensor
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.x)


def prepare(x: Tensor, config: EncoderConfig, origin: Tensor | None = None) -> Tensor:
    """Centre and scale x (B, 3, T, V, M) in metres as the encoder's configuration says."""
    return augment.center(x, config.skeleton, config.centring, origin) * config.input_scale


def check_body(config: EncoderConfig, store: ClipStore) -> None:
    """Raises ValueError where the store's body is not the encoder's."""
    if store.skeleton.names != config.skeleton.names:
        raise ValueError(
            f"the encoder was made for {len(config.skeleton)} joints ({config.skeleton.names[0]}, …), the clips have "
            f"{len(store.skeleton)} ({store.skeleton.names[0]}, …); load it with skeleton=store.skeleton"
        )


@torch.inference_mode()
def features(
    encoder: Encoder,
    store: ClipStore,
    blocks: int = 1,
    pool: str = "cls+mean",
    combine: str = "concat",
    frames: int | None = None,
    batch_size: int = 64,
    progress: bool = False,
) -> Features:
    """Features of every clip, on the encoder's device; `blocks`, `pool`, `combine` as in `Encoder.features`.

    frames  length of the test view; None: the encoder's own
    Clips without people come out as zeros. Raises ValueError where the store's body is not the encoder's.
    """
    config = encoder.config
    check_body(config, store)
    device = encoder.pos_embed.device
    was_training = encoder.training
    encoder.eval()
    rows = []
    starts = range(0, len(store), batch_size)
    for start in tqdm(starts, desc="features", disable=not progress, leave=False):
        x, people = test_view(store, np.arange(start, min(start + batch_size, len(store))), frames or config.frames)
        x, people = prepare(x.to(device), config), people.to(device)
        rows.append(encoder.features(x, people, blocks, pool, combine).float().cpu())
    encoder.train(was_training)
    return Features(torch.cat(rows), torch.from_numpy(store.labels), store.table)
