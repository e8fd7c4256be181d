"""One clip inside an encoder: what every block attends to and what its tokens are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from slimlab.data import ClipStore, DataError, test_view
from slimlab.encoder import Encoder
from slimlab.evaluate import check_body, evaluating, inputs_of
from slimlab.skeleton import Skeleton


@dataclass(frozen=True)
class Inside:
    """A clip's test view and what an encoder of L blocks and H heads made of it; N = 1 + R + T'*V tokens a person.

    joints     (T, P, V, 3) metres, the P people who are there, as they were encoded before centering and scaling
    attention  (L, P, H, N, N), rows sum to one; token order: CLS, R registers, tokens time step by time step
    tokens     (L, P, T', V, D) after each block, through the final norm, as `Encoder.features` reads them
    mask       (T', V) bool, the tokens that were hidden; None: nothing was
    """

    joints: Tensor
    attention: Tensor
    tokens: Tensor
    mask: Tensor | None
    skeleton: Skeleton
    name: str

    @property
    def layers(self) -> int:
        return self.tokens.shape[0]

    @property
    def heads(self) -> int:
        return self.attention.shape[2]

    @property
    def steps(self) -> int:
        """Time steps T' of the token grid."""
        return self.tokens.shape[2]

    @property
    def registers(self) -> int:
        return self.attention.shape[-1] - 1 - self.steps * len(self.skeleton)

    @property
    def patch_frames(self) -> int:
        """Frames of the view that one time step holds."""
        return len(self.joints) // self.steps


@torch.inference_mode()
def inside(encoder: Encoder, store: ClipStore, index: int, mask: Tensor | None = None, frames: int | None = None) -> Inside:
    """Encode the test view of clip `index` with attention computed explicitly; results are on the CPU.

    mask    (T', V) bool, True: the encoder sees the mask token there (the same tokens of every person)
    frames  length of the view; None: the encoder's own
    Raises ValueError where the store's body is not the encoder's or the mask does not fit, DataError where nobody is there.
    """
    config = encoder.config
    check_body(encoder, store)
    index = range(len(store))[int(index)]
    view = test_view(store, [index], frames or config.frames)
    x, people, _ = view
    name = str(store.column("clip")[index])
    if not people.any():
        raise DataError(f"clip '{name}' has nobody in it; there is nothing to look at")
    hidden = None if mask is None else mask.to(encoder.pos_embed.device)
    given = inputs_of(view, encoder, store)
    with evaluating(encoder):
        out = encoder(given.x, mask=hidden, people=given.people, seen=given.seen, return_intermediates=True)
    there = people[0]
    first_cell = 1 + config.registers
    attention = torch.stack([i.attention[0].cpu()[there] for i in out.intermediates or []])  # (L, P, H, N, N)
    cells = torch.stack([encoder.norm(i.tokens[0, :, first_cell:]).cpu()[there] for i in out.intermediates or []])
    return Inside(
        joints=x[0].permute(1, 3, 2, 0)[:, there],  # (T, P, V, 3)
        attention=attention.float(),
        tokens=cells.float().unflatten(2, (-1, len(store.skeleton))),  # (L, P, T', V, D)
        mask=None if mask is None else mask.cpu(),
        skeleton=store.skeleton,
        name=name,
    )
