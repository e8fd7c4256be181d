"""Clips -> one feature vector each, by a frozen encoder on the deterministic test view."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from slimlab import augment, quirks, streams
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
    """Clips x (B, 3, T, V, M) in metres -> the encoder's input, as its configuration says: centring, stream, scale."""
    return to_input(augment.center(x, config.skeleton, config.centring, origin), config)


def to_input(x: Tensor, config: EncoderConfig) -> Tensor:
    """The part of `prepare` that follows augmentation: centred x (B, 3, T, V, M) -> its stream, times the input scale."""
    return streams.of(x, config.skeleton, config.stream) * config.input_scale


def check_body(encoder: Encoder, store: ClipStore) -> None:
    """Raises ValueError where the store's body is not the encoder's."""
    skeleton = encoder.config.skeleton
    if store.skeleton.names != skeleton.names:
        raise ValueError(
            f"the encoder was made for {len(skeleton)} joints ({skeleton.names[0]}, …), the clips have "
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
    released_quirks: bool = False,
) -> Features:
    """Features of every clip, on the encoder's device; `blocks`, `pool`, `combine` as in `Encoder.features`.

    frames  length of the test view; None: the encoder's own
    released_quirks  the authors' test view, which may read one frame past the clip (slimlab/quirks.py)
    Clips without people come out as zeros. Raises ValueError where the store's body is not the encoder's.
    """
    check_body(encoder, store)
    config = encoder.config
    device = next(encoder.parameters()).device
    was_training = encoder.training
    encoder.eval()
    rows = []
    view = quirks.test_view if released_quirks else test_view
    starts = range(0, len(store), batch_size)
    for start in tqdm(starts, desc="features", disable=not progress, leave=False):
        x, people = view(store, np.arange(start, min(start + batch_size, len(store))), frames or config.frames)
        x, people = prepare(x.to(device), config), people.to(device)
        rows.append(encoder.features(x, people, blocks, pool, combine).float().cpu())
    encoder.train(was_training)
    return Features(torch.cat(rows), torch.from_numpy(store.labels), store.table)
