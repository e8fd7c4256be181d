"""Prototypes: how often each is used, what a batch is assigned to, what is nearest to one; teacher against student."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab.analysis import Agreement, Prototypes
from slimlab.data import ClipStore, test_view
from slimlab.plot.body import draw_body, stage, write_above
from slimlab.plot.looking import cell_table, on_body
from slimlab.plot.scene import SCALE, shaded
from slimlab.plot.style import MASKED, colour, figure, styled

SHOWN = 40  # most used prototypes in a picture of assignments


@styled
def prototype_usage(prototypes: Prototypes, title: str | None = None) -> Figure:
    """Share of the samples nearest to each prototype, most used first; dotted: all used alike."""
    usage, order = prototypes.usage().sort(descending=True)
    fig, ax = figure(5.4, 2.6)
    ax.bar(range(len(usage)), 100 * usage.numpy(), width=1.0, color=colour(0))
    ax.axhline(100 / len(usage), color="0.4", linestyle=":", linewidth=1)
    used = int((usage > 0).sum())
    ax.set(xlabel="prototypes, most used first", ylabel="share of samples (%)", xlim=(-0.5, len(usage) - 0.5))
    fig.suptitle(
        title
        or f"{used} of {len(usage)} prototypes are nearest to any of {len(prototypes)} samples; as if {prototypes.in_use():.1f} "
        "were used evenly",
        fontsize=8,
    )
    fig.data = pd.DataFrame({"prototype": order.numpy(), "share": usage.numpy()})  # type: ignore[attr-defined]
    return fig


@styled
def prototype_assignment(
    prototypes: Prototypes,
    samples: Sequence[int] | np.ndarray,
    names: Sequence[str],
    temperature: float,
    title: str | None = None,
) -> Figure:
    """Sinkhorn targets of a batch: a row a sample, its name beside it, a column each of the 40 most used prototypes.

    samples  rows of the prototypes' table; temperature: the teacher's. Data: every sample and prototype of the whole assignment
    """
    assigned = prototypes.assignments(np.asarray(samples), temperature).numpy()  # (S, K)
    order = prototypes.usage().argsort(descending=True).numpy()[:SHOWN]
    fig, ax = figure(6.4, 1.2 + 0.13 * len(assigned))
    shown = ax.imshow(assigned[:, order], aspect="auto", interpolation="nearest", cmap=SCALE, vmin=0)
    ax.set_yticks(range(len(names)), list(names), fontsize=5.5)
    ax.set_xticks(range(len(order)), [str(k) for k in order], rotation=90, fontsize=5.5)
    ax.set_xlabel("prototype, most used first")
    fig.colorbar(shown, ax=ax, label="assignment", pad=0.02)
    fig.suptitle(title or f"Sinkhorn assignment of {len(assigned)} samples", fontsize=9)
    sample, prototype = np.indices(assigned.shape).reshape(2, -1)
    columns = {"sample": np.array(list(names), dtype=object)[sample], "prototype": prototype, "assignment": assigned.ravel()}
    fig.data = pd.DataFrame(columns)  # type: ignore[attr-defined]
    return fig


@styled
def prototype_nearest(
    prototypes: Prototypes, prototype: int, store: ClipStore, k: int = 4, frames: int = 6, title: str | None = None
) -> Figure:
    """The k samples with the highest logit for a prototype, each from another clip: a strip of frames each.

    Of tokens, the joint is pink in the frames of its time step. Raises ValueError where there is no such prototype.
    """
    found = prototypes.closest(prototype, k)
    fig, axes = figure(1.05 * frames + 0.6, 1.35 * len(found) + 0.3, len(found), frames, squeeze=False)
    body, cells = store.skeleton, "joint" in found
    rows: Any = found.itertuples()
    for row, line in zip(rows, axes, strict=True):
        x, _, _ = test_view(store, [int(row.clip)])
        joints = x[0].permute(1, 3, 2, 0).numpy()  # (T, M, V, 3)
        steps = int(np.max(prototypes.table["step"])) + 1 if cells else 1
        chosen = np.linspace(0, len(joints) - 1, frames).round().astype(int)
        stage(line, joints[chosen], np.asarray(joints[chosen].any(axis=(2, 3))))
        for ax, frame in zip(line, chosen, strict=True):
            for person in np.flatnonzero(joints[frame].any(axis=(1, 2))):
                own = cells and person == row.person and frame * steps // len(joints) == row.step
                colours = np.array(["#BFBFBF"] * len(body)) if cells else None
                sizes = np.full(len(body), 5.0)
                if own and colours is not None:
                    colours[int(row.joint)], sizes[int(row.joint)] = MASKED, 45.0
                draw_body(ax, joints[frame, person], body, colours, sizes, faint=bool(person != row.person))
        label = int(store.labels[int(row.clip)])
        name = store.label_names[label] if 0 <= label < len(store.label_names) else "no label"
        what = f"{name}   {store.column('clip')[int(row.clip)]}" + (
            f": {body.names[int(row.joint)]}, step {row.step}" if cells else ""
        )
        write_above(line[0], f"logit {row.logit:.2f}   {what}")
        line[0].set_ylabel("height (m)", fontsize=7)
    fig.suptitle(title or f"nearest to prototype {prototype}", fontsize=9)
    fig.data = found.assign(name=store.column("clip")[found["clip"].to_numpy()])  # type: ignore[attr-defined]
    return fig


@styled
def agreement(found: Agreement, moments: int = 4, title: str | None = None) -> Figure:
    """How near the teacher's prototype is to the student in every token; masked tokens are crossed. Data: a line a token."""
    values, limits = found.values.numpy(), (0.0, 1.0)
    what = title or f"{found.name}: on masked tokens {found.masked:.2f}, for prototypes of other tokens {found.elsewhere:.2f}"
    bar = (limits, "prototypes behind\nthe teacher's")
    fig = on_body(found, values, shaded(values, limits) / 255, 0, moments, what, bar)
    table = cell_table(values, found.skeleton, "prototypes_behind")
    fig.data = table.assign(masked=found.mask.numpy().ravel(), same=found.same.numpy().ravel())  # type: ignore[attr-defined]
    return fig
