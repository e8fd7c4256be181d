"""The method in one picture: clip, views, masks, student and teacher, heads, targets, losses. SLiM, arXiv 2603.10648."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from slimlab.plot.style import LEFT, MASKED, MIDDLE, RIGHT, figure, styled

PARTS = ("clip", "views", "masks", "encoder", "heads", "targets", "losses", "teacher", "features")
HERE, QUIET = "#FFF3C4", "#F4F4F4"  # faces of the part that is shown, and of the others
BOXES = {  # x, y, width, height
    "clip": (0, 13, 9, 16),
    "views": (13, 7, 13, 28),
    "masks": (33.5, 24, 12, 12),
    "student": (50, 24, 13, 12),
    "teacher": (50, 4, 13, 12),
    "student heads": (69, 24, 11, 12),
    "teacher heads": (69, 4, 11, 12),
    "targets": (86, 4, 12, 12),
    "losses": (86, 24, 12, 12),
    "features": (50, -8, 13, 7),
}
LIGHT = {"encoder": ("student", "teacher"), "heads": ("student heads", "teacher heads")}  # parts of two boxes
BODY = {  # a person in a box of 1 x 1, waving
    MIDDLE: [((0.5, 0.78), (0.5, 0.48))],
    LEFT: [((0.5, 0.72), (0.66, 0.62), (0.8, 0.82)), ((0.5, 0.48), (0.58, 0.28), (0.6, 0.08))],
    RIGHT: [((0.5, 0.72), (0.36, 0.6), (0.3, 0.44)), ((0.5, 0.48), (0.42, 0.28), (0.4, 0.08))],
}
HIDDEN = ((1, 1), (2, 1), (3, 1), (1, 2), (2, 2), (3, 2), (5, 3), (6, 3), (7, 3), (5, 4), (6, 4), (7, 4), (4, 0), (5, 0))


@styled
def method(here: str | None = None) -> Figure:
    """Draw how SLiM learns; `here` is the part that a lesson is about, in color.

    Args:
        here: "clip", "views", "masks", "encoder", "heads", "targets", "losses", "teacher" or "features"; None: no part.

    Raises:
        ValueError: For another part.
    """
    if here is not None and here not in PARTS:
        raise ValueError(f"method: no part is called '{here}'; choose one of {', '.join(PARTS)}, or None")
    fig, ax = figure(9.6, 4.3)
    ax.set(xlim=(-1, 100), ylim=(-9, 43), aspect="equal")
    ax.axis("off")
    lit = LIGHT.get(here or "", (here,))
    for name in BOXES:
        _box(ax, name, name in lit)
    _person(ax, "clip", "clip")
    _views(ax)
    _masked(ax)
    _words(ax, "student", "student\nencoder")
    _words(ax, "teacher", "teacher\nencoder")
    _words(ax, "student heads", "CLS head\ntoken head")
    _words(ax, "teacher heads", "CLS head\ntoken head")
    _words(ax, "targets", "Sinkhorn:\ntargets over\nprototypes")
    _words(ax, "losses", "GLCL (CLS)\nMFP (tokens)\nKoLeo (CLS)")
    _words(ax, "features", "features for\nkNN and probe")
    _arrow(ax, (9, 21), (13, 21))
    _arrow(ax, (26, 30), (33.5, 30), "all views")
    _arrow(ax, (45.5, 30), (50, 30))
    _arrow(ax, (26, 10), (50, 10), "global views, unmasked")
    for y in (30, 10):
        _arrow(ax, (63, y), (69, y))
        _arrow(ax, (80, y), (86, y))
    _arrow(ax, (92, 16), (92, 24), "cross-entropy")
    _arrow(ax, (56.5, 24), (56.5, 16), "EMA")
    _arrow(ax, (56.5, 4), (56.5, -1))
    _arrow(ax, (92, 36), (56.5, 36), bend=0.28, dashed=True)
    ax.text(74, 42, "gradients", ha="center", va="center", fontsize=7, color="0.35")
    return fig


def _box(ax: Axes, name: str, lit: bool) -> None:
    x, y, width, height = BOXES[name]
    edge, face, line = (RIGHT, HERE, 1.8) if lit else ("0.6", QUIET, 0.8)
    shape = FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=1", fc=face, ec=edge, lw=line)
    ax.add_patch(shape)


def _words(ax: Axes, name: str, words: str) -> None:
    x, y, width, height = BOXES[name]
    ax.text(x + width / 2, y + height / 2, words, ha="center", va="center", fontsize=8, linespacing=1.4)


def _title(ax: Axes, name: str, words: str) -> None:
    x, y, width, height = BOXES[name]
    ax.text(x + width / 2, y + height + 1.2, words, ha="center", va="bottom", fontsize=8)


def _person(ax: Axes, name: str, words: str) -> None:
    x, y, width, height = BOXES[name]
    for color, bones in BODY.items():
        for bone in bones:
            ax.plot([x + width * a for a, _ in bone], [y + height * b for _, b in bone], color=color, lw=1.8, zorder=3)
    ax.plot([x + width * 0.5], [y + height * 0.88], "o", color=MIDDLE, markersize=5, zorder=3)
    _title(ax, name, words)


def _views(ax: Axes) -> None:
    """Where the views lie in the time of the clip: two global ones and shorter local ones inside each."""
    x, y, width, height = BOXES["views"]
    bars = (
        ("global 1", 0.02, 0.74),
        ("", 0.06, 0.36),
        ("", 0.44, 0.56),
        ("global 2", 0.28, 0.98),
        ("", 0.42, 0.72),
        ("", 0.8, 0.88),
    )
    for place, (words, first, last) in enumerate(bars):
        top = y + height - 4.5 - 4.2 * place - (2 if place > 2 else 0)
        color = MIDDLE if words else "0.6"
        ax.add_patch(Rectangle((x + 0.7 + (width - 1.4) * first, top), (width - 1.4) * (last - first), 1.5, fc=color, ec="none"))
        ax.text(x + 0.7, top + 1.7, words or "local", fontsize=6, va="bottom", color="0.35")
    _title(ax, "views", "views, augmented")


def _masked(ax: Axes) -> None:
    """The token grid, time to the right, joints upwards; hidden tokens in the color of masks."""
    x, y, width, height = BOXES["masks"]
    wide, high = (width - 2) / 8, (height - 2) / 5
    for step in range(8):
        for joint in range(5):
            color = MASKED if (step, joint) in HIDDEN else "0.8"
            place = (x + 1 + wide * step, y + 1 + high * joint)
            ax.add_patch(Rectangle(place, wide * 0.86, high * 0.86, fc=color, ec="none"))
    _title(ax, "masks", "tokens, masked")


def _arrow(ax: Axes, start: tuple, end: tuple, words: str = "", bend: float = 0.0, dashed: bool = False) -> None:
    style = f"arc3,rad={bend}"
    look = {"color": "0.35", "lw": 1, "linestyle": "--" if dashed else "-", "shrinkA": 1, "shrinkB": 1}
    ax.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=8, connectionstyle=style, **look))
    if words:
        upright = start[0] == end[0]
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        at = (x + 0.8, y) if upright else (x, y + 0.8)
        ax.text(*at, words, fontsize=7, color="0.35", ha="left" if upright else "center", va="center" if upright else "bottom")
