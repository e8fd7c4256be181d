"""Lines over a run's steps, or bars, in panels on a canvas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anywidget
import numpy as np
import traitlets
from PIL import Image

from slimlab.widgets import stills
from slimlab.widgets.script import script
from slimlab.widgets.stills import Still


@dataclass(frozen=True, eq=False)
class Line:
    """One line of a panel, or its bars. x, y (N,); dots: a mark at each point; texts: what hovering says of each point;
    width in pixels; gaps: whether the line breaks at a NaN, not only leaves it out."""

    x: np.ndarray
    y: np.ndarray
    colour: str
    name: str = ""
    dots: bool = False
    texts: Sequence[str] | None = None
    width: float = 1.6
    gaps: bool = False


@dataclass(frozen=True, eq=False)
class Panel:
    """Lines under one title. zero: the axis begins at zero; levels: dashed heights to compare with, as (y, text); ticks: whether
    the upright axis has numbers."""

    title: str
    lines: Sequence[Line]
    bars: bool = False
    zero: bool = True
    levels: Sequence[tuple[float, str]] = ()
    ticks: bool = True


class Curves(Still, anywidget.AnyWidget):
    """Panels side by side and below each other; hovering says the values.

    chosen   [panel, place] of a bar that stands out, or []; clicked: {panel, index} of the last bar clicked, see `on_bar`
    cursor   [x] of an upright line through all panels, or []; picked: {panel, x} of the last click between lines, see `on_pick`
    pickable whether such clicks count
    """

    _esm = script("curves")
    points = traitlets.Bytes().tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)
    chosen = traitlets.List().tag(sync=True)
    clicked = traitlets.Dict().tag(sync=True)
    cursor = traitlets.List().tag(sync=True)
    picked = traitlets.Dict().tag(sync=True)
    pickable = traitlets.Bool(False).tag(sync=True)
    height = traitlets.Int(420).tag(sync=True)

    def show(
        self,
        panels: Sequence[Panel],
        columns: int = 1,
        x_title: str = "step",
        legend: Sequence[tuple[str, str]] = (),
        marks: Sequence[tuple[float, str]] = (),
        together: bool = True,
    ) -> None:
        """legend: (text, colour); marks: (x, text) of upright lines through all panels; together: one x axis for all."""
        numbers, described = [], []
        for panel in panels:
            lines = []
            for line in panel.lines:
                if len(line.x) != len(line.y):
                    raise ValueError(f"'{panel.title}': a line of {len(line.x)} x and {len(line.y)} y")
                numbers += [line.x, line.y]
                texts = None if line.texts is None else list(line.texts)
                about = {"count": len(line.x), "colour": line.colour, "name": line.name, "dots": line.dots, "texts": texts}
                lines.append(about | {"width": line.width, "gaps": line.gaps})
            levels = [{"y": float(y), "text": text} for y, text in panel.levels]
            own = {"title": panel.title, "lines": lines, "bars": panel.bars, "zero": panel.zero, "levels": levels}
            described.append(own | {"ticks": panel.ticks})
        scene = {
            "panels": described,
            "columns": columns,
            "x_title": x_title,
            "legend": [list(pair) for pair in legend],
            "marks": [{"x": float(x), "text": text} for x, text in marks],
            "together": together,
        }
        flat = np.concatenate([np.zeros(0), *numbers]).astype(np.float32)
        with self.hold_sync():
            self.points, self.scene = flat.tobytes(), scene

    def draw_still(self, width: int) -> Image.Image | None:
        """The panels."""
        return stills.curves(np.frombuffer(self.points, np.float32), self.scene, width, self.cursor)

    def on_bar(self, act: Callable[[int, int], None]) -> None:
        """Call act(panel, place) at every click on a bar."""
        self.observe(lambda change: act(int(change["new"]["panel"]), int(change["new"]["index"])), "clicked")

    def on_pick(self, act: Callable[[float], None]) -> None:
        """Call act(x) at every click between lines; it makes them count."""
        self.pickable = True
        self.observe(lambda change: act(float(change["new"]["x"])), "picked")
