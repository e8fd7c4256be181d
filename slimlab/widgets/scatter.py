"""Points in the plane on a canvas. Coordinates travel as bytes, so that 20,000 points are there at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image

from slimlab.plot.style import PALETTE
from slimlab.widgets import stills
from slimlab.widgets.stills import Still


class Scatter(Still, anywidget.AnyWidget):
    """N points, coloured and shaped by group, at one scale on both axes.

    selected  places of the points that stand out, [] for none: drag a line around points to choose them, click beside all to
              let go; set from Python too
    clicked   {index, count} of the last point that was clicked, see `on_point`
    """

    _esm = Path(__file__).parent / "scatter.js"
    xy = traitlets.Bytes().tag(sync=True)
    groups = traitlets.Bytes().tag(sync=True)
    texts = traitlets.Bytes().tag(sync=True)
    palette = traitlets.List(list(PALETTE)).tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(430).tag(sync=True)
    selected = traitlets.List().tag(sync=True)
    clicked = traitlets.Dict().tag(sync=True)

    def show(self, xy: np.ndarray, groups: np.ndarray, texts: Sequence[str], title: str = "") -> None:
        """xy (N, 2); groups (N,) from 0: the palette gives the colour, each round of it another marker;
        texts: what hovering says. Raises ValueError where their lengths differ."""
        if not len(xy) == len(groups) == len(texts):
            raise ValueError(f"{len(xy)} points, {len(groups)} groups and {len(texts)} texts; one of each for every point")
        with self.hold_sync():
            self.xy = np.ascontiguousarray(xy, dtype=np.float32).tobytes()
            self.groups = np.ascontiguousarray(groups, dtype=np.uint16).tobytes()
            self.texts = "\n".join(t.replace("\n", " ") for t in texts).encode()
            self.title = title

    def draw_still(self, width: int) -> Image.Image | None:
        """The points in their colours."""
        xy = np.frombuffer(self.xy, np.float32).reshape(-1, 2)
        colors = [self.palette[g % len(self.palette)] for g in np.frombuffer(self.groups, np.uint16).tolist()]
        return stills.scatter(xy, colors, self.title, width, min(self.height, width))

    def on_point(self, act: Callable[[int], None]) -> None:
        """Call act(index) at every click on a point."""
        self.observe(lambda change: act(int(change["new"]["index"])), "clicked")
