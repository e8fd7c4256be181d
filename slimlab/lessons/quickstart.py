"""Checks of the quickstart's exercises: tokens that stay visible, and the label of the nearest clip."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from slimlab import masking
from slimlab.lessons.asking import attempt, expect, expect_tensor, passed


def check_visible_tokens(function: Callable[[int, int, float], int]) -> None:
    """function(steps, joints, ratio) -> tokens that stay visible when `masking.budget` hides round(ratio * steps * joints).

    Raises NotYet.
    """
    for steps, joints, ratio in ((8, 25, 0.7), (4, 20, 0.5), (2, 17, 0.9), (1, 25, 0.0)):
        got = attempt(function, steps, joints, ratio)
        expect(got is not None, "visible_tokens returned nothing: end it with a line `return …`.")
        hidden = int(masking.budget(ratio, steps, joints))
        wanted, asked = steps * joints - hidden, f"at {steps} x {joints} tokens and a ratio of {ratio}"
        expect(hidden == wanted or got != hidden, f"{asked}, {got} tokens are hidden: the visible ones are asked for.")
        close = abs(float(got) - wanted) < 1
        expect(got == wanted or not close, f"{asked} you say {got}: tokens are whole, round the number of hidden ones.")
        expect(got == wanted, f"{asked} you say {got}, the library leaves {wanted}: the grid has steps * joints tokens.")
    passed("Visible tokens: as many as the library leaves, on four bodies.", function)


def check_nearest_label(function: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """function(x (N, F), labels (N,), queries (Q, F)) -> (Q,) the label of the row of x with the largest cosine.

    Compared with a loop, on features of very different lengths. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(4)
    for count, width, asked in ((30, 8, 12), (7, 3, 20), (50, 16, 1)):
        length = torch.rand(count, 1, generator=dice) * 20 + 0.1
        x, queries = torch.randn(count, width, generator=dice) * length, torch.randn(asked, width, generator=dice)
        labels = torch.randint(9, (count,), generator=dice)
        got = expect_tensor(attempt(function, x.clone(), labels.clone(), queries.clone()), "nearest_label", (asked,), "(Q,)")
        place = [int(torch.stack([F.cosine_similarity(q, row, dim=0) for row in x]).argmax()) for q in queries]
        if torch.equal(got.long(), labels[place]):
            continue
        expect(
            not torch.equal(got.long(), torch.tensor(place)),
            "nearest_label returns the place of the nearest clip: look its label up with labels[place].",
        )
        expect(
            not torch.equal(got.long(), labels[(queries @ x.T).argmax(dim=1)]),
            "nearest_label prefers long features: divide every feature by its length before the product (F.normalize).",
        )
        expect(
            not torch.equal(got.long(), labels[torch.cdist(queries, x).argmin(dim=1)]),
            "nearest_label takes the smallest distance: the largest cosine is asked for, so normalise the features first.",
        )
        right = int((got.long() == labels[place]).sum())
        expect(False, f"nearest_label agrees with a plain loop on {right} of {asked} queries: argmax over the training clips.")
    passed("Nearest label: as a plain loop over all pairs finds it.", function)
