"""Checks of the exercises on objectives: Sinkhorn-Knopp (SLiM, arXiv 2603.10648, section 3.2; SwAV, arXiv 2006.09882)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from slimlab import objectives
from slimlab.lessons.asking import attempt, expect, expect_tensor, passed


def check_sinkhorn(function: Callable[..., Tensor]) -> None:
    """function(logits (N, K), temperature, iterations=3) -> (N, K): columns used evenly, then rows that sum to one.

    Compared with `objectives.sinkhorn_knopp` on square, wide, tall and extreme logits. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(8)
    for samples, prototypes, temperature, iterations in ((6, 6, 0.1, 3), (5, 40, 0.07, 3), (64, 8, 0.04, 3), (16, 4, 0.5, 1)):
        logits = torch.randn(samples, prototypes, generator=dice).clamp(-1, 1)
        got = attempt(function, logits.clone(), temperature, iterations)
        got = expect_tensor(got, "sinkhorn", (samples, prototypes), "(N, K)")
        wanted = objectives.sinkhorn_knopp(logits, temperature, iterations)
        _name_the_mistake(got, wanted, logits, temperature, iterations)
    shifted = logits + 100
    got = expect_tensor(attempt(function, shifted, 0.04, 3), "sinkhorn of large logits", tuple(shifted.shape), "(N, K)")
    expect(
        torch.allclose(got, objectives.sinkhorn_knopp(shifted, 0.04), atol=1e-3),
        "sinkhorn changes when 100 is added to all logits: subtract their largest before exp, which changes no assignment.",
    )
    passed("Sinkhorn: rows sum to one, prototypes are used evenly, and large logits do not overflow.")


def _name_the_mistake(got: Tensor, wanted: Tensor, logits: Tensor, temperature: float, iterations: int) -> None:
    if torch.allclose(got, wanted, atol=1e-4):
        return
    rows, columns = got.sum(dim=1), got.sum(dim=0)
    expect(
        not torch.allclose(got, (logits / temperature).softmax(dim=1), atol=1e-4),
        "sinkhorn gives a plain softmax: the columns have to be evened out too, in every iteration.",
    )
    expect(
        torch.allclose(rows, torch.ones_like(rows), atol=1e-3),
        f"the rows of sinkhorn sum to {rows.min():.3g}..{rows.max():.3g}: end by dividing each row by its sum"
        + (" (it is the columns that sum to the same number)." if torch.allclose(columns, columns[:1], rtol=1e-3) else "."),
    )
    expect(
        not torch.allclose(got, objectives.sinkhorn_knopp(logits, 1.0, iterations), atol=1e-4),
        "sinkhorn does not use the temperature: divide the logits by it before exp.",
    )
    for other in range(1, 9):
        expect(
            other == iterations or not torch.allclose(got, objectives.sinkhorn_knopp(logits, temperature, other), atol=1e-5),
            f"sinkhorn makes {other} iterations where {iterations} are asked for: use the argument.",
        )
    worst = f"sinkhorn differs from the library by up to {(got - wanted).abs().max():.2g}"
    expect(False, f"{worst}: in each iteration first divide the columns by their sum, then the rows by theirs.")
