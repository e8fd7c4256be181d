"""The check of the masked-loss exercise: passes what is right, names each common mistake."""

import pytest
import torch

from slimlab import lessons


def cells_loss(logits, targets, temperature):
    return -(targets * (logits / temperature).log_softmax(dim=-1)).sum(dim=-1)


def right(logits, targets, mask, temperature=0.1):
    cells, view = mask.flatten(1).sum(dim=1), mask.nonzero()[:, 0]
    return (cells_loss(logits, targets, temperature) / cells[view]).sum() / len(mask)


def by_loop(logits, targets, mask, temperature=0.1):
    parts = cells_loss(logits, targets, temperature).split(mask.flatten(1).sum(dim=1).tolist())
    return sum(p.mean() for p in parts if len(p)) / len(mask)


def per_cell(logits, targets, mask, temperature=0.1):
    return cells_loss(logits, targets, temperature).mean()


def summed(logits, targets, mask, temperature=0.1):
    return cells_loss(logits, targets, temperature).sum()


def masked_views(logits, targets, mask, temperature=0.1):
    return right(logits, targets, mask, temperature) * len(mask) / mask.flatten(1).any(dim=1).sum()


def all_cells(logits, targets, mask, temperature=0.1):
    return cells_loss(logits, targets, temperature).sum() / mask.numel()


def no_temperature(logits, targets, mask, temperature=0.1):
    return right(logits, targets, mask, 1.0)


def negative(logits, targets, mask, temperature=0.1):
    return -right(logits, targets, mask, temperature)


def no_logarithm(logits, targets, mask, temperature=0.1):
    cells, view = mask.flatten(1).sum(dim=1), mask.nonzero()[:, 0]
    return (-(targets * (logits / temperature).softmax(dim=-1)).sum(dim=-1) / cells[view]).sum() / len(mask)


def summed_views(logits, targets, mask, temperature=0.1):
    return right(logits, targets, mask, temperature) * len(mask)


def detached(logits, targets, mask, temperature=0.1):
    return right(logits.detach(), targets, mask, temperature)


def half_gradient(logits, targets, mask, temperature=0.1):
    kept = torch.cat([logits[:1], logits[1:].detach()])
    return right(kept, targets, mask, temperature)


def per_clip(logits, targets, mask, temperature=0.1):
    return cells_loss(logits, targets, temperature)


def in_double(logits, targets, mask, temperature=0.1):
    return right(logits.double(), targets.double(), mask, temperature)


def with_softmax_and_log(logits, targets, mask, temperature=0.1):
    loss = -(targets * (logits / temperature).softmax(dim=-1).log()).sum(dim=-1)
    views = mask.nonzero()[:, 0]
    return sum(loss[views == v].mean() for v in views.unique()) / len(mask)


def log_of_the_mean(logits, targets, mask, temperature=0.1):
    return -(targets * (logits / temperature).softmax(dim=-1)).sum(dim=-1).mean().log()


def stops_at_an_unmasked_view(logits, targets, mask, temperature=0.1):
    total = 0
    for part in cells_loss(logits, targets, temperature).split(mask.flatten(1).sum(dim=1).tolist()):
        if not len(part):
            break
        total = total + part.mean()
    return total / len(mask)


def mean_of_nothing(logits, targets, mask, temperature=0.1):
    view, loss = mask.nonzero()[:, 0], cells_loss(logits, targets, temperature)
    return torch.stack([loss[view == v].mean() for v in range(len(mask))]).mean()


def divided_by_clips(logits, targets, mask, temperature=0.1):
    return right(logits, targets, mask, temperature) * len(mask) / (len(mask) // 2)


def first_try(logits, targets, mask, temperature=0.1):
    """Two mistakes at once: no temperature, and one mean over all tokens."""
    return torch.nn.functional.cross_entropy(logits, targets)


def mean_over_prototypes(logits, targets, mask, temperature=0.1):
    return right(logits, targets, mask, temperature) / logits.shape[-1]


def over_tokens(logits, targets, mask, temperature=0.1):
    cells, view = mask.flatten(1).sum(dim=1), mask.nonzero()[:, 0]
    loss = -(targets * (logits / temperature).log_softmax(dim=0)).sum(dim=-1)
    return (loss / cells[view]).sum() / len(mask)


def swapped(logits, targets, mask, temperature=0.1):
    cells, view = mask.flatten(1).sum(dim=1), mask.nonzero()[:, 0]
    loss = -((logits / temperature).softmax(dim=-1) * targets.log()).sum(dim=-1)
    return (loss / cells[view]).sum() / len(mask)


def divergence(logits, targets, mask, temperature=0.1):
    cells, view = mask.flatten(1).sum(dim=1), mask.nonzero()[:, 0]
    loss = cells_loss(logits, targets, temperature) + (targets * targets.log()).sum(dim=-1)
    return (loss / cells[view]).sum() / len(mask)


def kept_axis(logits, targets, mask, temperature=0.1):
    return right(logits, targets, mask, temperature)[None]


@pytest.mark.parametrize("function", [right, by_loop, in_double, with_softmax_and_log])
def test_right_ones_pass(function, capsys):
    lessons.check_masked_loss(function)
    assert "Masked feature loss" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (per_cell, "all tokens at once"),
        (summed, "sum over tokens"),
        (masked_views, "masked views alone"),
        (all_cells, "all tokens of the mask"),
        (no_temperature, "temperature"),
        (negative, "sign"),
        (no_logarithm, "log_softmax"),
        (summed_views, "divide by their number"),
        (detached, "no gradient"),
        (half_gradient, "gradient is not"),
        (stops_at_an_unmasked_view, "where the library has"),
        (mean_of_nothing, "such a view counts zero"),
        (divided_by_clips, "number of clips"),
        (first_try, "does not use the temperature"),
        (mean_over_prototypes, "sums over them"),
        (over_tokens, "over the prototypes, dim=-1"),
        (swapped, "swaps the two"),
        (divergence, "KL divergence"),
        (lambda x, q, m, temperature=0.1: right(x, q, m, 0.1), "always takes a temperature of 0.1"),
        (lambda x, q, m, temperature=0.1: right(x, q, m, 1 / temperature), "multiplies by the temperature"),
        (lambda x, q, m, temperature=0.5: right(x, q, m, temperature), "takes 0.1"),
        (per_clip, "a scalar"),
        (kept_axis, "a scalar"),
        (log_of_the_mean, "logarithm of the mean"),
        (lambda *a, **k: per_cell(*a, **k).double(), "all tokens at once"),
        (lambda *a, **k: float(right(*a, **k)), "torch tensor"),
        (lambda *a, **k: None, "returned nothing"),
    ],
)
def test_mistakes_are_named(wrong, said):
    with pytest.raises(lessons.NotYet, match=said):
        lessons.check_masked_loss(wrong)
