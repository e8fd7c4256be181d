"""Which prototypes clips and tokens are assigned to, and what lies nearest to a prototype."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.evaluate import check_body, evaluating, inputs
from slimlab.evaluate.rank import entropy
from slimlab.losses import PrototypeHead, sinkhorn_knopp

CHUNK = 4096  # rows whose logits over all K prototypes are held at once


@dataclass(frozen=True)
class Prototypes:
    """One head's view of a batch: S samples (people of clips, or their tokens) before K prototypes.

    table       a line per sample: clip (place in the store), person and, for tokens, step and joint
    embedding   (S, E) unit length, the head's output before its prototypes
    directions  (K, E) unit length times the prototype's norm; embedding @ directions.T are the logits
    """

    table: pd.DataFrame
    embedding: Tensor
    directions: Tensor

    def __len__(self) -> int:
        return len(self.embedding)

    @property
    def nearest(self) -> Tensor:
        """(S,) int64: the prototype with the highest logit of each sample."""
        return torch.cat([(part @ self.directions.T).argmax(dim=1) for part in self.embedding.split(CHUNK)])

    def usage(self) -> Tensor:
        """(K,) share of the samples that are nearest to each prototype; sums to one."""
        return torch.bincount(self.nearest, minlength=len(self.directions)) / max(1, len(self))

    def in_use(self) -> float:
        """exp of the usage's entropy: how many prototypes an even use would take, 1..K."""
        return float(entropy(self.usage()).exp())

    def assignments(self, samples: Tensor | np.ndarray | None = None, temperature: float = 0.04) -> Tensor:
        """(S, K) Sinkhorn targets as the teacher makes them (see `losses.sinkhorn_knopp`), of these samples or all."""
        chosen = self.embedding if samples is None else self.embedding[torch.as_tensor(samples)]
        return sinkhorn_knopp(chosen @ self.directions.T, temperature)

    def closest(self, prototype: int, k: int = 10, one_per_clip: bool = True) -> pd.DataFrame:
        """The k samples with the highest logit for a prototype: the table's columns and `logit`, best first.

        one_per_clip  the best sample of each clip alone, so that ten tokens of one clip do not fill the list
        Raises ValueError where there is no such prototype.
        """
        if not 0 <= prototype < len(self.directions):
            raise ValueError(f"prototype {prototype} is none of the {len(self.directions)}; give 0..{len(self.directions) - 1}")
        found = self.table.assign(logit=(self.embedding @ self.directions[prototype]).numpy())
        found = found.sort_values("logit", ascending=False, kind="stable")
        return (found.drop_duplicates("clip") if one_per_clip else found).head(k).reset_index(drop=True)


@torch.inference_mode()
def prototypes(
    encoder: Encoder,
    head: PrototypeHead,
    store: ClipStore,
    kind: str = "clips",
    frames: int | None = None,
    batch_size: int = 64,
) -> Prototypes:
    """Encode the test views of all clips and put each person's CLS ("clips") or every token ("cells") before the head.

    encoder, head  a run's teacher and the head that goes with `kind`: `Run.teacher.cls_head`, `Run.teacher.token_head`
    Raises ValueError for another kind, or where the store's body is not the encoder's.
    """
    if kind not in ("clips", "cells"):
        raise ValueError(f"kind {kind!r} is unknown; choose clips or cells")
    check_body(encoder, store)
    rows, places = [], []
    for start in range(0, len(store), batch_size):
        x, people, seen = inputs(encoder, store, np.arange(start, min(start + batch_size, len(store))), frames)
        with evaluating(encoder):
            out = encoder(x, people=people, seen=seen)
        values = out.cls if kind == "clips" else out.tokens  # (B, M, D) or (B, M, T', V, D)
        rows.append(head.embed(values[people]).float().cpu().flatten(0, -2))
        there = people.nonzero().cpu()  # (P, 2)
        cells = [torch.arange(n) for n in values.shape[2:-1]]
        grid = torch.cartesian_prod(torch.arange(len(there)), *cells).view(-1, 1 + len(cells))  # (S, 1) or (S, 3)
        places.append(torch.cat([there[grid[:, 0]] + torch.tensor([start, 0]), grid[:, 1:]], dim=1))
    columns = ["clip", "person", "step", "joint"]
    table = pd.DataFrame(torch.cat(places).numpy(), columns=columns[: places[0].shape[1]])
    return Prototypes(table, torch.cat(rows), head.directions.detach().float().cpu())


@torch.no_grad()
def sinkhorn_stages(logits: Tensor, temperature: float, iterations: int = 3) -> list[tuple[str, Tensor]]:
    """What Sinkhorn-Knopp makes of exp(logits / temperature), half an iteration at a time: (name, (N, K) float64 summing to one).

    "exp", then "columns 1" (each column sums to 1/K), "rows 1" (each row to 1/N), and so on. The last one times N is
    `losses.sinkhorn_knopp`.
    """
    q = (logits.double() / temperature - (logits.double() / temperature).amax()).exp()
    samples, prototypes = q.shape
    stages = [("exp", q / q.sum())]
    for i in range(1, iterations + 1):
        q = q / q.sum(dim=0, keepdim=True) / prototypes
        stages.append((f"columns {i}", q))
        q = q / q.sum(dim=1, keepdim=True) / samples
        stages.append((f"rows {i}", q))
    return stages
