"""What an encoder does, on the body and on its grid: attention, token colours, likeness, distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from slimlab import analysis
from slimlab.analysis import Agreement, Inside, TokenPCA
from slimlab.plot.body import draw_body, stage, time_joint_grid
from slimlab.plot.scene import SCALE, shaded
from slimlab.plot.style import MASKED, colour, figure, styled
from slimlab.skeleton import Skeleton

Query = str | tuple[int, int]


@styled
def attention(
    inside: Inside,
    query: Query = "cls",
    layer: int = -1,
    head: int | None = None,
    person: int = 0,
    rolled: bool = False,
    moments: int = 4,
    title: str | None = None,
) -> Figure:
    """Where a query looks: joints at some moments and the grid of time steps and joints, in % of its attention.

    head    None: the mean over heads; rolled: roll-out up to `layer` instead (heads are averaged there)
    What is missing to 100 % goes to CLS and the registers, and is named in the title.
    """
    values = attention_values(inside, query, layer, head, person, rolled)
    what = title or f"{inside.name}: {query_name(inside, query)} at {layer_name(inside, layer, head, rolled)}"
    limits = (0.0, float(values.max()))
    chosen = query if isinstance(query, tuple) else None
    name = f"attention (%); {max(0.0, 100 - values.sum()):.0f} % go to CLS and registers"
    fig = on_body(inside, values, shaded(values, limits) / 255, person, moments, what, (limits, name), chosen)
    fig.data = cell_table(values, inside.skeleton, "attention_percent")  # type: ignore[attr-defined]
    return fig


def attention_values(
    inside: Inside, query: Query = "cls", layer: int = -1, head: int | None = None, person: int = 0, rolled: bool = False
) -> np.ndarray:
    """(T', V) % of the query's attention on each token, as `attention` draws it."""
    if rolled:
        weights = analysis.rollout(inside.attention[:, person])[layer]  # (N, N)
    else:
        weights = inside.attention[layer, person].mean(dim=0) if head is None else inside.attention[layer, person, head]
    return 100 * analysis.attention_map(weights, query, inside.steps, len(inside.skeleton)).numpy()


@styled
def attention_heads(inside: Inside, query: Query = "cls", person: int = 0, title: str | None = None) -> Figure:
    """The gallery: one grid a head (columns) and layer (rows), each in its own range, which stands above it."""
    maps = analysis.attention_map(inside.attention[:, person], query, inside.steps, len(inside.skeleton)).numpy()  # (L,H,T',V)
    layers, heads = maps.shape[:2]
    fig, axes = figure(max(3.4, 0.85 * heads + 0.6), 0.95 * layers + 0.5, layers, heads, squeeze=False)
    for (layer, head), ax in np.ndenumerate(axes):
        time_joint_grid(ax, maps[layer, head], inside.skeleton, names=False, cmap=SCALE, vmin=0)
        ax.set_title(f"0–{100 * maps[layer, head].max():.1f} %", fontsize=6, pad=2)
        if head == 0:
            ax.set_ylabel(f"layer {layer + 1}", fontsize=7)
        if layer == layers - 1:
            ax.set_xlabel(f"head {head + 1}", fontsize=7)
    fig.suptitle(title or f"{inside.name}: {query_name(inside, query)}; time → , joints ↓ by part", fontsize=9)
    tables = [
        cell_table(maps[i], inside.skeleton, "attention").assign(layer=i[0] + 1, head=i[1] + 1) for i in np.ndindex(layers, heads)
    ]
    fig.data = pd.concat(tables)  # type: ignore[attr-defined]
    return fig


@styled
def attention_distance(table: pd.DataFrame, skeleton: Skeleton, steps: int, title: str | None = None) -> Figure:
    """Mean attention distance of every head, in hops along the bones and in time steps; `inspection.attention_distances`.

    A dot a head, the line their mean, dotted: attention spread evenly over all tokens.
    """
    fig, axes = figure(6.4, 2.5, 1, 2)
    even = analysis.uniform_distance(skeleton, steps)
    names = (("hops", "bones between"), ("steps", "time steps between"))
    for i, (ax, (column, text), control) in enumerate(zip(axes, names, even, strict=True)):
        ax.scatter(table["layer"] + 1, table[column], s=16, color=colour(i), alpha=0.7, linewidths=0)
        mean: Any = table.groupby("layer")[column].mean()
        ax.plot(mean.index + 1, mean, color=colour(i), linewidth=1)
        ax.axhline(control, color="0.6", linestyle=":", linewidth=1)
        where = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom", "fontsize": 7}
        ax.annotate("attention spread evenly", (1, control), **where)
        ax.set(xlabel="layer", ylabel=text, ylim=(0, 1.2 * max(control, table[column].max())))
        ax.set_xticks(mean.index + 1)
    fig.suptitle(title or "mean attention distance of each head", fontsize=9)
    fig.data = table.assign(layer=table["layer"] + 1, head=table["head"] + 1)  # type: ignore[attr-defined]
    return fig


@styled
def token_norms(table: pd.DataFrame, title: str | None = None) -> Figure:
    """Norms of tokens, registers and CLS after each block, from `inspection.token_norms`: the middle 98 % as a bar, the median as
    a dot, the largest as a cross. Artefacts would be crosses far above their bar."""
    kinds = table["kind"].where(~table["kind"].str.startswith("register"), "registers")
    layers = np.unique(table["layer"])
    fig, ax = figure(4.8, 2.6)
    for i, (kind, words) in enumerate((("cell", "tokens"), ("registers", "registers"), ("cls", "CLS"))):
        norms = [np.asarray(table["norm"])[np.asarray((kinds == kind) & (table["layer"] == layer))] for layer in layers]
        if not len(norms[0]):
            continue
        x = layers + 1 + 0.2 * (i - 1)
        low, middle, high = np.array([np.percentile(n, (1, 50, 99)) for n in norms]).T
        ax.vlines(x, low, high, color=colour(i), linewidth=4, alpha=0.35)
        ax.scatter(x, middle, s=18, color=colour(i), zorder=3, label=words)
        ax.scatter(x, [n.max() for n in norms], s=18, color=colour(i), marker="x", linewidths=1)
    ax.set(xlabel="layer", ylabel="norm of a token", xticks=layers + 1)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set_title(title or "norms before the final normalisation", loc="left")
    summary = table.assign(kind=kinds).groupby(["layer", "kind"])["norm"].describe(percentiles=[0.01, 0.5, 0.99])
    fig.data = summary.reset_index()  # type: ignore[attr-defined]
    return fig


@styled
def token_pca(
    inside: Inside, layer: int = -1, person: int = 0, pca: TokenPCA | None = None, moments: int = 4, title: str | None = None
) -> Figure:
    """First three components of the tokens as red, green and blue. pca  from more clips; None: fitted on this one."""
    tokens = inside.tokens[layer]
    pca = pca or analysis.token_pca(tokens)
    colours = pca.colours(tokens[person]).numpy()  # (T', V, 3)
    what = title or f"{inside.name}: token PCA, {layer_name(inside, layer)} ({pca.explained.sum():.0%} of the variance)"
    fig = on_body(inside, colours, colours, person, moments, what)
    scores = pca.scores(tokens[person]).numpy()
    table = cell_table(scores[..., 0], inside.skeleton, "component_1")
    fig.data = table.assign(component_2=scores[..., 1].ravel(), component_3=scores[..., 2].ravel())  # type: ignore[attr-defined]
    return fig


@styled
def token_paths(
    inside: Inside,
    joints: Sequence[int] | None = None,
    layer: int = -1,
    person: int = 0,
    pca: TokenPCA | None = None,
    title: str | None = None,
) -> Figure:
    """Tokens of some joints through time, in the plane of the first two components; dots grow from the first step to the last.

    joints  None: the last joint of every part; all other tokens are grey.  pca  as in `token_pca`
    """
    tokens = inside.tokens[layer]
    pca = pca or analysis.token_pca(tokens)
    xy = pca.scores(tokens[person])[..., :2].numpy()  # (T', V, 2)
    chosen = [chain[-1] for chain in inside.skeleton.parts.values()] if joints is None else list(joints)
    fig, ax = figure(5.2, 3.2)
    ax.scatter(*xy.reshape(-1, 2).T, s=5, color="0.85", linewidths=0)
    for i, joint in enumerate(chosen):
        name = inside.skeleton.names[joint]
        ax.plot(*xy[:, joint].T, color=colour(i), linewidth=1)
        ax.scatter(*xy[:, joint].T, s=np.linspace(6, 45, len(xy)), color=colour(i), linewidths=0, label=name, zorder=3)
    first, second = pca.explained[:2]
    ax.set(xlabel=f"component 1 ({first:.0%} of the variance)", ylabel=f"component 2 ({second:.0%})")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    fig.suptitle(title or f"{inside.name}: tokens through time, {layer_name(inside, layer)}", fontsize=9)
    table = cell_table(xy[..., 0], inside.skeleton, "component_1")
    fig.data = table.assign(component_2=xy[..., 1].ravel())  # type: ignore[attr-defined]
    return fig


@styled
def token_similarity(
    inside: Inside, step: int, joint: int, layer: int = -1, person: int = 0, moments: int = 4, title: str | None = None
) -> Figure:
    """Cosine of every token with one of them."""
    values = analysis.token_similarity(inside.tokens[layer, person], step, joint).numpy()
    cell = query_name(inside, (step, joint))
    what = title or f"{inside.name}: likeness to {cell}, {layer_name(inside, layer)}"
    limits = (float(values.min()), 1.0)
    fig = on_body(
        inside, values, shaded(values, limits) / 255, person, moments, what, (limits, "cosine similarity"), (step, joint)
    )
    fig.data = cell_table(values, inside.skeleton, "cosine")  # type: ignore[attr-defined]
    return fig


def cell_table(values: np.ndarray, skeleton: Skeleton, name: str) -> pd.DataFrame:
    """One line per token of values (T', V): step, joint, the value."""
    steps, joints = values.shape
    columns = {"step": np.repeat(np.arange(steps), joints), "joint": list(skeleton.names) * steps}
    return pd.DataFrame(columns | {name: values.ravel()})


def query_name(inside: Inside, query: Query) -> str:
    """A query in words."""
    if isinstance(query, tuple):
        return f"{inside.skeleton.names[query[1]]} at step {query[0]}"
    return "CLS" if query == "cls" else query


def layer_name(inside: Inside, layer: int, head: int | None = None, rolled: bool = False) -> str:
    """ "layer 3, head 2", counted from one."""
    number = layer % inside.layers + 1
    if rolled:
        return f"roll-out to layer {number}"
    return f"layer {number}" + ("" if head is None else f", head {head + 1}")


def on_body(
    inside: Inside | Agreement,
    values: np.ndarray,
    colours: np.ndarray,
    person: int,
    moments: int,
    title: str,
    bar: tuple[tuple[float, float], str] | None = None,
    cell: tuple[int, int] | None = None,
) -> Figure:
    """Moments of the body in colours (T', V, 3) beside the grid of values (T', V) or colours; a token is framed."""
    joints = inside.joints.numpy()  # (T, P, V, 3)
    frames = np.linspace(0, len(joints) - 1, min(moments, len(joints))).round().astype(int)
    fig, axes = figure(1.15 * len(frames) + 3.6, 3.4, 1, len(frames) + 1, width_ratios=[1] * len(frames) + [2.4])
    there: np.ndarray = np.any(joints[frames], axis=(2, 3))  # (moments, P)
    stage(axes[:-1], joints[frames], there)
    for ax, frame in zip(axes[:-1], frames, strict=True):
        step = frame // inside.patch_frames
        for other in range(joints.shape[1]):
            own = other == person
            sizes = 10 + 40 * (values[step] / max(values.max(), 1e-12)).clip(0) if bar and own else 14
            draw_body(ax, joints[frame, other], inside.skeleton, colours[step] if own else None, sizes, faint=not own)
        if cell is not None and cell[0] == step:
            x, y, _ = joints[frame, person, cell[1]]
            ax.scatter([-x], [y], s=90, facecolors="none", edgecolors=MASKED, linewidths=1.4, zorder=4)
        ax.set_xlabel(f"frame {frame}\nstep {step}")
    grid = axes[-1]
    image = {"cmap": SCALE, "vmin": bar[0][0], "vmax": bar[0][1]} if bar else {}
    shown = time_joint_grid(grid, values, inside.skeleton, **image)
    order = [j for part in inside.skeleton.parts.values() for j in part]
    if inside.mask is not None:
        at = np.argwhere(inside.mask.numpy()[:, order])
        grid.scatter(at[:, 0], at[:, 1], marker="x", s=5, color=MASKED, linewidths=0.7)
    if cell is not None:
        place = (cell[0] - 0.5, order.index(cell[1]) - 0.5)
        grid.add_patch(_frame(place))
    if bar:
        fig.colorbar(shown, ax=grid, label=bar[1], pad=0.02)
    fig.suptitle(title + ("" if inside.mask is None else f"; ×: masked, {float(inside.mask.float().mean()):.0%}"), fontsize=9)
    return fig


def _frame(place: tuple[float, float]):
    from matplotlib.patches import Rectangle

    return Rectangle(place, 1, 1, fill=False, edgecolor=MASKED, linewidth=1.5)
