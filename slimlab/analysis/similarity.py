"""How alike two representations of the same clips are: linear centered kernel alignment (CKA).

Kornblith et al. 2019, Similarity of Neural Network Representations Revisited, arXiv 1905.00414. CKA does not change where
features are turned, mirrored or scaled. The plain estimate grows with the number of features, up to 1 where there are more
features than clips; the debiased one (Song et al. 2012, the unbiased HSIC; Nguyen et al. 2021, arXiv 2010.15327) does not, and is
about 0 for features that have nothing to do with each other. Of more than 2,000 clips, 2,000 evenly spaced ones are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.evaluate import check_body, evaluating, inputs

LEAST = {False: 2, True: 4}  # clips, by debiased
MOST = 2000  # clips that are compared: the matrices of likeness are N x N


def cka(a: Any, b: Any, debiased: bool = True) -> float:
    """Linear CKA of two sets of features of the same clips: 1 where one is a turned and scaled copy of the other.

    Args:
        a: `evaluate.Features`, or an array (N, F).
        b: The same of (N, G), row by row of the same clips.
        debiased: Take the unbiased estimate, which can be a little below 0; else the plain one, 0..1, which is too high where N
            is not much larger than the number of features.

    Raises:
        ValueError: The numbers of rows differ, there are too few (2; 4 for `debiased`), a number is not finite, or all rows of
            one are the same or equally far apart.
    """
    return float(cka_matrix({"a": a}, {"b": b}, debiased).iloc[0, 0])


def cka_matrix(rows: Mapping[str, Any], columns: Mapping[str, Any] | None = None, debiased: bool = True) -> pd.DataFrame:
    """`cka` of each of `rows` with each of `columns` (None: with each other): layers, snapshots or runs by name.

    Returns a table with their names. Raises ValueError as `cka` does, or where there is nothing to compare.
    """
    given = (rows,) if columns is None else (rows, columns)
    if not all(given):
        raise ValueError("cka_matrix: there is nothing to compare; give features by name")
    numbers = [{str(name): _numbers(value, name, debiased) for name, value in features.items()} for features in given]
    first, x = next(iter(numbers[0].items()))
    for name, y in [pair for features in numbers for pair in features.items()]:
        if len(y) != len(x):
            raise ValueError(f"cka: '{name}' has {len(y)} rows and '{first}' {len(x)}; they must be of the same clips")
    made = []
    for features in numbers:
        grams = {name: _gram(_centered(y), debiased) for name, y in features.items()}
        made.append({name: (gram, _norm(gram, name)) for name, gram in grams.items()})
    down, across = made[0], made[-1]
    values = [[_alignment(a, b, m, n) for b, n in across.values()] for a, m in down.values()]
    return pd.DataFrame(values, index=list(down), columns=list(across))


@torch.inference_mode()
def layer_features(encoder: Encoder, store: ClipStore, batch_size: int = 32) -> dict[str, Tensor]:
    """The mean token of each clip after each layer, "layer 1" to "layer L": (N, D) each, for `cka_matrix`.

    It is read on the test view, over all people of a clip, before the final norm, without CLS and registers. A clip without
    people has zeros. Raises ValueError where the store's body is not the encoder's.
    """
    check_body(encoder, store)
    first = 1 + encoder.config.registers
    found: list[list[Tensor]] = [[] for _ in range(encoder.config.depth)]
    for start in range(0, len(store), batch_size):
        x, people, seen = inputs(encoder, store, np.arange(start, min(start + batch_size, len(store))))
        with evaluating(encoder):
            out = encoder(x, people=people, seen=seen, return_intermediates="tokens")
        there = people.float()[..., None]  # (B, M, 1)
        for kept, layer in zip(found, out.intermediates or [], strict=True):
            each = layer.tokens[:, :, first:].float().mean(dim=2)  # (B, M, D)
            kept.append(((each * there).sum(dim=1) / there.sum(dim=1).clamp(min=1)).cpu())
    return {f"layer {i + 1}": torch.cat(kept) for i, kept in enumerate(found)}


def _numbers(given: Any, name: str, debiased: bool) -> Tensor:
    x = torch.as_tensor(getattr(given, "x", given)).detach().to("cpu", torch.float64)
    if x.ndim != 2 or len(x) < LEAST[debiased] or not x.shape[1]:
        raise ValueError(f"cka: '{name}' has shape {tuple(x.shape)}; expected (N, F) with at least {LEAST[debiased]} rows")
    if not x.isfinite().all():
        raise ValueError(f"cka: '{name}' has numbers that are not finite; leave these clips out")
    return x


def _centered(x: Tensor) -> Tensor:
    """(at most MOST, F), centered, the largest number 1, so that no square is too small or too large; zeros where all rows are
    the same but for rounding."""
    if len(x) > MOST:
        x = x[torch.linspace(0, len(x) - 1, MOST, dtype=torch.float64).round().long()]
    x = x / x.abs().max().clamp(min=torch.finfo(x.dtype).tiny)
    x = x - x.mean(dim=0)
    largest = x.abs().max()
    return x / largest if largest > 1e-12 else torch.zeros_like(x)


def _gram(x: Tensor, debiased: bool) -> Tensor:
    """(N, N), centered; debiased: with an empty diagonal, so that two of them multiply to the unbiased HSIC."""
    gram = x @ x.T
    if not debiased:
        return gram
    n = len(gram)
    gram.fill_diagonal_(0)
    sums = gram.sum(dim=0) / (n - 2)
    gram += sums.sum() / (n - 1) - sums[:, None] - sums[None]
    return gram.fill_diagonal_(0)


def _norm(gram: Tensor, name: str) -> float:
    square = float((gram * gram).sum())
    if square < 1e-20:
        raise ValueError(f"cka: in '{name}' all rows are the same, or all equally far apart; there is nothing to compare")
    return float(np.sqrt(square))


def _alignment(a: Tensor, b: Tensor, a_norm: float, b_norm: float) -> float:
    return float((a * b).sum()) / (a_norm * b_norm)
