"""Attention as maps over the body and time, how far it reaches, and its roll-out over the blocks.

Mean attention distance: Dosovitskiy et al. 2021 (arXiv 2010.11929, figure 7), here in hops along the bones and in time steps.
Roll-out: Abnar and Zuidema 2020 (arXiv 2005.00928).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.evaluate import check_body, evaluating, inputs
from slimlab.skeleton import Skeleton

Query = str | tuple[int, int]


def token_index(query: Query, registers: int, steps: int, joints: int) -> int:
    """Place of a query among the tokens: "cls", "register 0" … or a token (time step, joint). Raises ValueError for another."""
    if isinstance(query, tuple) and len(query) == 2 and 0 <= query[0] < steps and 0 <= query[1] < joints:
        return 1 + registers + int(query[0]) * joints + int(query[1])
    names = ["cls", *(f"register {r}" for r in range(registers))]
    if query in names:
        return names.index(str(query))
    raise ValueError(f"query {query!r} is no token; give {', '.join(names)} or (time step 0..{steps - 1}, joint 0..{joints - 1})")


def attention_map(attention: Tensor, query: Query, steps: int, joints: int) -> Tensor:
    """(…, T', V): how the query's attention falls on the tokens, from attention (…, N, N).

    What is missing to a sum of one goes to CLS and the registers. Raises ValueError where the query is no token.
    """
    registers = attention.shape[-1] - 1 - steps * joints
    row = attention[..., token_index(query, registers, steps, joints), 1 + registers :]  # (…, T'*V)
    return row.unflatten(-1, (steps, joints))


def hops(skeleton: Skeleton) -> Tensor:
    """(V, V) int64: bones between two joints along the body's tree."""
    joints = len(skeleton)
    distance = torch.full((joints, joints), joints).fill_diagonal_(0)
    for parent, joint in skeleton.bones:  # topological: the parent's row is complete among the joints before
        done = distance[parent] < joints
        distance[joint, done] = distance[parent, done] + 1
        distance[done, joint] = distance[joint, done]
    return distance


def attention_distance(attention: Tensor, skeleton: Skeleton, steps: int) -> tuple[Tensor, Tensor]:
    """How far tokens look: (hops, time steps), each (…), from attention (…, N, N).

    Attention between tokens alone, renormalised over them, times the distance, summed over keys, averaged over queries.
    """
    joints = len(skeleton)
    cells = attention[..., -steps * joints :, -steps * joints :]  # (…, T'*V, T'*V)
    cells = cells / cells.sum(dim=-1, keepdim=True).clamp(min=1e-12)
    along_body, along_time = (d.to(cells) for d in _distances(skeleton, steps))
    return (cells * along_body).sum(dim=-1).mean(dim=-1), (cells * along_time).sum(dim=-1).mean(dim=-1)


def uniform_distance(skeleton: Skeleton, steps: int) -> tuple[float, float]:
    """The control of `attention_distance`: (hops, time steps) where all tokens are attended alike."""
    along_body, along_time = _distances(skeleton, steps)
    return float(along_body.mean()), float(along_time.mean())


@torch.inference_mode()
def attention_distances(encoder: Encoder, store: ClipStore, frames: int | None = None, batch_size: int = 32) -> pd.DataFrame:
    """`attention_distance` of every head, averaged over the people of all clips: columns layer, head (0-based), hops, steps.

    Raises ValueError where the store's body is not the encoder's.
    """
    config = encoder.config
    check_body(encoder, store)
    total, count = torch.zeros(2, config.depth, config.heads), 0
    for start in range(0, len(store), batch_size):
        x, people, seen = inputs(encoder, store, np.arange(start, min(start + batch_size, len(store))), frames)
        with evaluating(encoder):
            out = encoder(x, people=people, seen=seen, return_intermediates=True)
        for layer, block in enumerate(out.intermediates or []):
            far = attention_distance(block.attention[people], store.skeleton, x.shape[2] // config.patch_frames)
            total[:, layer] += torch.stack(far).sum(dim=1).cpu()  # (2, heads)
        count += int(people.sum())
    mean = total / max(1, count)
    layer, head = torch.meshgrid(torch.arange(config.depth), torch.arange(config.heads), indexing="ij")
    columns = {"layer": layer, "head": head, "hops": mean[0], "steps": mean[1]}
    return pd.DataFrame({name: values.flatten().numpy() for name, values in columns.items()})


def rollout(attention: Tensor) -> Tensor:
    """(L, …, N, N): attention followed through the blocks up to each, from attention (L, …, H, N, N); rows sum to one.

    Heads are averaged; half of each token stays where it is (the residual connection): A' = (A + I) / 2, multiplied up.
    """
    mixed = (attention.mean(dim=-3) + torch.eye(attention.shape[-1]).to(attention)) / 2  # (L, …, N, N)
    out = [mixed[0]]
    for block in mixed[1:]:
        out.append(block @ out[-1])
    return torch.stack(out)


def _distances(skeleton: Skeleton, steps: int) -> tuple[Tensor, Tensor]:
    """(T'*V, T'*V) float32 hops and time steps between tokens."""
    time = torch.arange(steps)
    along_time = (time[:, None] - time).abs().float()
    joints = len(skeleton)
    return hops(skeleton).float().repeat(steps, steps), along_time.repeat_interleave(joints, 0).repeat_interleave(joints, 1)
