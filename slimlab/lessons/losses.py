"""Checks of the exercises on objectives: Sinkhorn-Knopp (SLiM, arXiv 2603.10648, section 3.2; SwAV, arXiv 2006.09882)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from slimlab import losses
from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed


def check_sinkhorn(function: Callable[..., Tensor]) -> None:
    """function(logits (N, K), temperature, iterations=3) -> (N, K): columns used evenly, then rows that sum to one.

    Compared with `losses.sinkhorn_knopp` on square, wide, tall and extreme logits. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(8)
    for samples, prototypes, temperature, iterations in ((5, 40, 0.07, 3), (6, 6, 0.1, 3), (64, 8, 0.04, 3), (16, 4, 0.5, 1)):
        logits = torch.randn(samples, prototypes, generator=dice).clamp(-1, 1)
        given = logits.clone()
        got = attempt(function, given, temperature, iterations)
        got = expect_tensor(got, "sinkhorn", (samples, prototypes), "(N, K)").to(logits)
        expect(
            torch.equal(given, logits),
            "sinkhorn changes the logits that it was given: q = q / …, not q /= … or exp_(), on them.",
        )
        wanted = losses.sinkhorn_knopp(logits, temperature, iterations)
        _name_the_mistake(got, wanted, logits, temperature, iterations)
    shifted = logits + 100
    got = attempt(function, shifted.clone(), 0.04)  # three iterations are the default
    got = expect_tensor(got, "sinkhorn of large logits", tuple(shifted.shape), "(N, K)").to(logits)
    expect(
        torch.allclose(got, losses.sinkhorn_knopp(shifted, 0.04), atol=1e-3),
        "sinkhorn changes when 100 is added to all logits: subtract their largest before exp, which changes no assignment.",
    )
    passed("Sinkhorn: rows sum to one, prototypes are used evenly, and large logits do not overflow.", function)


def _name_the_mistake(got: Tensor, wanted: Tensor, logits: Tensor, temperature: float, iterations: int) -> None:
    if torch.allclose(got, wanted, atol=1e-4):
        return
    rows, columns = got.sum(dim=1), got.sum(dim=0)
    expect(
        not torch.allclose(got * len(got), wanted, atol=1e-4),
        "sinkhorn leaves rows that sum to 1/N: the last rows have to sum to one, so leave out the factors 1/K and 1/N.",
    )
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
        not torch.allclose(got, losses.sinkhorn_knopp(logits, 1.0, iterations), atol=1e-4),
        "sinkhorn does not use the temperature: divide the logits by it before exp.",
    )
    expect(
        not torch.allclose(got, losses.sinkhorn_knopp(logits, 1 / temperature, iterations), atol=1e-4),
        "sinkhorn multiplies by the temperature: divide the logits by it before exp.",
    )
    best = logits.amax(dim=1, keepdim=True)
    expect(
        not torch.allclose(got, losses.sinkhorn_knopp(logits - best, temperature, iterations), atol=1e-4),
        "sinkhorn subtracts each row's own largest logit, which weighs the rows differently in the column sums: subtract the "
        "largest of the whole matrix.",
    )
    rows_first = (logits / temperature).log_softmax(dim=1) * temperature
    expect(
        not torch.allclose(got, losses.sinkhorn_knopp(rows_first, temperature, iterations), atol=1e-4),
        "sinkhorn begins with the rows: each iteration divides first the columns, then the rows.",
    )
    q = ((logits.double() - logits.max()) / temperature).exp()
    for _ in range(iterations):
        q = F.normalize(F.normalize(q, p=1, dim=0), p=1, dim=1)
    expect(
        not torch.allclose(got, q.to(got), atol=1e-4),
        "sinkhorn leaves columns with small sums uneven: F.normalize divides by 1e-12 at least; divide by the sum itself.",
    )
    for other in range(1, 9):
        expect(
            other == iterations or not torch.allclose(got, losses.sinkhorn_knopp(logits, temperature, other), atol=1e-5),
            f"sinkhorn makes {other} iterations where {iterations} are asked for: use the argument.",
        )
    even, wanted_even = (float(q.sum(dim=0).std() / q.sum(dim=0).mean()) for q in (got, wanted))
    expect(
        even > 0.2 * wanted_even,
        f"sinkhorn makes more than {iterations} iterations: use the argument, by then the columns are not that even.",
    )
    worst = f"sinkhorn differs from the library by up to {(got - wanted).abs().max():.2g}"
    expect(False, f"{worst}: in each iteration first divide the columns by their sum, then the rows by theirs.")


def cross_entropy_slips(logits: Tensor, targets: Tensor, temperature: float) -> list[tuple[str, Tensor]]:
    """Collect what readers write for the cross-entropy of each row: (what is wrong with it, (n,) values).

    Args:
        logits: (n, K), of the student.
        targets: (n, K), each row sums to one.
        temperature: The student's.
    """
    shares, right = (logits / temperature).softmax(dim=-1), losses.cross_entropy(logits, targets, temperature)
    bare = -(targets * shares).sum(dim=-1)
    over_rows = -(targets * (logits / temperature).log_softmax(dim=0)).sum(dim=-1)
    logs = targets.clamp(min=1e-9).log()
    hardest = torch.zeros_like(targets).scatter_(-1, targets.argmax(dim=-1, keepdim=True), 1)
    log_needed = "multiplies by the student's shares, not by their logarithm: use log_softmax."
    shares_already = "sends the targets through a softmax: they are shares already."
    return [
        ("does not use the temperature: divide the student's logits by it.", losses.cross_entropy(logits, targets, 1.0)),
        (
            "multiplies by the temperature: divide the student's logits by it.",
            losses.cross_entropy(logits, targets, 1 / temperature),
        ),
        ("always takes a temperature of 0.1: use the argument.", losses.cross_entropy(logits, targets, 0.1)),
        (log_needed, bare),
        (log_needed, -bare),
        ("has the wrong sign: a cross-entropy is minus the sum.", -right),
        ("takes a mean over the prototypes as well: a cross-entropy sums over them.", right / logits.shape[-1]),
        ("takes the softmax over the rows: it runs over the prototypes, dim=-1.", over_rows),
        ("swaps the two: the target weighs the logarithm of the student's shares.", -(shares * logs).sum(dim=-1)),
        (
            "subtracts the entropy of the targets (a KL divergence): cross-entropy is asked for.",
            right + (targets * logs).sum(dim=-1),
        ),
        (
            "takes the likeliest prototype of a target alone: all of its shares count.",
            losses.cross_entropy(logits, hardest, temperature),
        ),
        (shares_already, losses.cross_entropy(logits, targets.softmax(dim=-1), temperature)),
        (shares_already, losses.cross_entropy(logits, (targets / temperature).softmax(dim=-1), temperature)),
    ]


def check_masked_loss(function: Callable[..., Tensor]) -> None:
    """function(student_logits, teacher_targets, mask, temperature=0.1) -> scalar: MFP as `losses.masked_feature_loss`.

    student_logits, teacher_targets (tokens, K); mask (views, T', V) bool. Value and gradient are compared. Raises NotYet.
    """
    dice = torch.Generator().manual_seed(5)
    for views, steps, joints, prototypes, temperature in ((5, 2, 5, 6, 0.1), (3, 4, 3, 9, 0.5), (2, 1, 8, 4, 0.1)):
        ratio = torch.linspace(0.3, 0.9, views)[:, None, None]
        mask = torch.rand(views, steps, joints, generator=dice) < ratio
        mask[0, 0, 0], mask[1::2] = True, views == 2  # of the larger ones, every other view is unmasked
        cells = int(mask.sum())
        logits = torch.randn(cells, prototypes, generator=dice).requires_grad_()
        targets = losses.sinkhorn_knopp(torch.randn(cells, prototypes, generator=dice), 0.3)
        got = attempt(function, logits, targets, mask, temperature)
        if isinstance(got, Tensor) and views > 2 and bool(got.isnan().any()):
            raise NotYet("masked_loss is NaN where a view has no masked token: a mean over nothing; such a view counts zero.")
        got = expect_tensor(got, "masked_loss", (), "a scalar, without axes").to(logits)
        wanted = losses.masked_feature_loss(logits, targets, mask, temperature)
        if not torch.allclose(got, wanted, atol=1e-5):
            _name_the_masked_mistake(got.detach(), logits.detach(), targets, mask, temperature)
        expect(
            got.requires_grad,
            "no gradient comes out of masked_loss: leave the student's logits attached (no detach).",
        )
        ours, theirs = (torch.autograd.grad(loss, logits, allow_unused=True)[0] for loss in (got, wanted))
        expect(
            ours is not None and torch.allclose(ours, theirs, atol=1e-5),
            "the value of masked_loss is right but its gradient is not: it has to reach every masked token's logits.",
        )
    got, wanted = attempt(function, logits, targets, mask), losses.masked_feature_loss(logits, targets, mask)
    expect(
        torch.allclose(torch.as_tensor(got).to(wanted), wanted, atol=1e-5),
        "masked_loss without a temperature takes 0.1: give the argument this default.",
    )
    passed("Masked feature loss: a mean over each view's masked tokens, then over all views, with the right gradient.", function)


def _name_the_masked_mistake(got: Tensor, logits: Tensor, targets: Tensor, mask: Tensor, temperature: float) -> None:
    loss = losses.cross_entropy(logits, targets, temperature)  # (cells,)
    right = losses.masked_feature_loss(logits, targets, mask, temperature)
    views, masked_views = len(mask), int(mask.flatten(1).any(dim=1).sum())
    by_clip = "masked_loss divides by the number of clips: a clip has two global views, and the mean is over all (len(mask))."
    shares = (logits / temperature).softmax(dim=-1)
    mistakes = [
        (
            "masked_loss is a mean over all tokens at once, in which a view with more masked tokens weighs more: "
            "take the mean in each view first.",
            loss.mean(),
        ),
        ("masked_loss is a sum over tokens: take the mean in each view, then over the views.", loss.sum()),
        (
            "masked_loss divides by the masked views alone: unmasked views count zero, but they count (divide by len(mask)).",
            right * views / masked_views,
        ),
        ("masked_loss sums the views' means: divide by their number.", right * views),
        (by_clip, right * 2),
        (by_clip, right * views / (views // 2)),
        (
            "masked_loss divides the sum over tokens by all tokens of the mask: divide by the masked ones of each view.",
            loss.sum() / mask.numel(),
        ),
        ("masked_loss sums over a view's tokens: divide by their number.", loss.sum() / views),
        (
            "masked_loss takes the logarithm of the mean, not the mean of the logarithms: log_softmax first, then sum and mean.",
            -(targets * shares).sum(dim=-1).mean().log(),
        ),
    ]
    for slip, rows in cross_entropy_slips(logits, targets, temperature):
        mistakes += [(f"masked_loss {slip}", _per_view(rows, mask)), (f"masked_loss {slip}", rows.mean())]
    for sentence, value in mistakes:
        expect(not torch.allclose(got, value, atol=1e-5), sentence)
    expect(
        False,
        f"masked_loss is {got:.4f} where the library has {right:.4f}: cross-entropy of each token (rows are in the order of "
        "mask.nonzero()), mean over each view's tokens, mean over all views.",
    )


def _per_view(loss: Tensor, mask: Tensor) -> Tensor:
    """Mean over each view's tokens, then over all views, of a value a token."""
    per_view = mask.flatten(1).sum(dim=1)
    return (loss / per_view.repeat_interleave(per_view)).sum() / len(mask)
