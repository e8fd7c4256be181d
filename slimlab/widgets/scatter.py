"""Points in the plane on a canvas. Coordinates travel as bytes, so that 20,000 points are there at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image

from slimlab.plot import Bodies
from slimlab.plot.style import LEFT, PALETTE, RIGHT
from slimlab.widgets import stills
from slimlab.widgets.script import script
from slimlab.widgets.stills import Still

PREVIEW = 60  # most frames of the small body under the pointer
FARTHEST, CLOSEST = 0.5, 200.0  # zoom


class Scatter(Still, anywidget.AnyWidget):
    """N points, coloured and shaped by group, at one scale on both axes.

    Wheel, pinch and the buttons zoom; two fingers, the middle button or `mode="pan"` move; a lasso or a box chooses, with Shift
    it adds and with Alt it takes away. Arrow keys move, + and - zoom, 0 shows everything, Escape lets go.

    selected  places of the points that stand out, [] for none; set from Python too
    hidden    places of points that are neither drawn nor chosen
    view      [x, y, zoom]: the middle, in parts of the larger extent from the middle of all points, and 1 for everything
    link      views of one page with the same text here share zoom and place without the kernel; "": alone
    mode      what dragging does: "lasso", "box", "pan"; density: how many points lie where, in place of the points
    clicked   {index, count} of the last point that was clicked, see `on_point`
    hovered   the point under the pointer once that rests, or -1, see `on_hover`; `preview_clip` plays a clip there
    """

    _esm = script("scatter")
    _css = Path(__file__).parent / "scatter.css"
    xy = traitlets.Bytes().tag(sync=True)
    groups = traitlets.Bytes().tag(sync=True)
    texts = traitlets.Bytes().tag(sync=True)
    palette = traitlets.List(list(PALETTE)).tag(sync=True)
    title = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(430).tag(sync=True)
    selected = traitlets.List().tag(sync=True)
    hidden = traitlets.List().tag(sync=True)
    view = traitlets.List([0.0, 0.0, 1.0]).tag(sync=True)
    link = traitlets.Unicode().tag(sync=True)
    mode = traitlets.Enum(("lasso", "box", "pan"), "lasso").tag(sync=True)
    density = traitlets.Bool(False).tag(sync=True)
    clicked = traitlets.Dict().tag(sync=True)
    hovered = traitlets.Int(-1).tag(sync=True)
    preview = traitlets.Dict().tag(sync=True)

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

    def preview_clip(self, index: int, bodies: Bodies) -> None:
        """Play a clip, small and from the front, beside the point `index` while the pointer rests on it."""
        joints = bodies.joints[0]  # (F, M, V, 3) m
        step = -(-len(joints) // PREVIEW)
        flat = np.stack([joints[::step, ..., 0], -joints[::step, ..., 2]], axis=-1)  # (F', M, V, 2): right, down
        there = flat[np.isfinite(flat).all(axis=-1)]
        low, high = (there.min(axis=0), there.max(axis=0)) if len(there) else (np.zeros(2), np.ones(2))
        flat = (flat - (low + high) / 2) / max(float((high - low).max()), 1e-6) + 0.5
        body, sides = bodies.skeleton, {"left": LEFT, "right": RIGHT}
        self.preview = {
            "index": index,
            "points": np.ascontiguousarray(flat, dtype=np.float32).tobytes(),
            "shape": list(flat.shape[:3]),
            "bones": [list(bone) for bone in body.bones],
            "ends": [sides.get(body.side(joint), "") for _, joint in body.bones],
            "fps": bodies.fps / step,
        }

    def draw_still(self, width: int) -> Image.Image | None:
        """The points in their colours."""
        xy, groups = np.frombuffer(self.xy, np.float32).reshape(-1, 2), np.frombuffer(self.groups, np.uint16)
        shown = ~np.isin(np.arange(len(xy)), self.hidden)
        colors = [self.palette[g % len(self.palette)] for g in groups[shown].tolist()]
        xy = xy[shown]
        return stills.scatter(xy, colors, self.title, width, min(self.height, width))

    def on_point(self, act: Callable[[int], None]) -> None:
        """Call act(index) at every click on a point."""
        self.observe(lambda change: act(int(change["new"]["index"])), "clicked")

    def on_hover(self, act: Callable[[int], None]) -> None:
        """Call act(index) when the pointer rests on a point."""
        self.observe(lambda change: act(int(change["new"])) if change["new"] >= 0 else None, "hovered")

    @traitlets.validate("view")
    def _a_view(self, proposal) -> list[float]:
        given = proposal["value"]
        numbers = [float(v) for v in given if isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v)]
        if len(numbers) != 3 or len(given) != 3 or not FARTHEST <= numbers[2] <= CLOSEST:
            raise ValueError(f"view {given} should be [x, y, zoom], zoom {FARTHEST:g}..{CLOSEST:g}")
        return numbers
