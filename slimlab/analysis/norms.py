"""How long the tokens are: artefacts, if there are any, are tokens of a much larger norm than the rest.

Darcet et al. 2024, "Vision Transformers Need Registers" (arXiv 2309.16588), figure 3: norms after each block, before the final
normalisation, which would hide them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.evaluate import check_body, evaluating, inputs


@torch.inference_mode()
def token_norms(encoder: Encoder, store: ClipStore, frames: int | None = None, batch_size: int = 32) -> pd.DataFrame:
    """L2 norm of every token of every person after each block, before the final norm, on the test views of all clips.

    Columns: layer (0-based), kind ("cls", "register 0" …, "cell"), clip (place in the store), person, step and joint (-1 for
    CLS and registers), norm. Raises ValueError where the store's body is not the encoder's.
    """
    config = encoder.config
    check_body(encoder, store)
    joints, tables = len(store.skeleton), []
    named = ["cls", *(f"register {r}" for r in range(config.registers))]
    for start in range(0, len(store), batch_size):
        x, people, seen = inputs(encoder, store, np.arange(start, min(start + batch_size, len(store))), frames)
        with evaluating(encoder):
            out = encoder(x, people=people, seen=seen, return_intermediates="tokens")
        there = people.nonzero().cpu()  # (P, 2)
        steps = x.shape[2] // config.patch_frames
        norms = torch.stack([i.tokens[people].norm(dim=-1).cpu() for i in out.intermediates or []])  # (L, P, N)
        step, joint = np.divmod(np.arange(steps * joints), joints)
        place = np.full(len(named), -1)
        each = {
            "kind": named + ["cell"] * (steps * joints),
            "step": np.concatenate([place, step]),
            "joint": np.concatenate([place, joint]),
        }
        layers, persons, tokens = norms.shape
        columns = {
            "layer": np.repeat(np.arange(layers), persons * tokens),
            "clip": np.tile(np.repeat(there[:, 0].numpy() + start, tokens), layers),
            "person": np.tile(np.repeat(there[:, 1].numpy(), tokens), layers),
        }
        columns |= {name: np.tile(np.asarray(values), layers * persons) for name, values in each.items()}
        tables.append(pd.DataFrame(columns | {"norm": norms.flatten().float().numpy()}))
    return pd.concat(tables, ignore_index=True)
