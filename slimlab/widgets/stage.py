"""The stage: bodies on a canvas in the notebook. The motion is sent once; playing it asks nothing of the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from PIL import Image

from slimlab.plot import Bodies, shaded
from slimlab.plot.player import CAMERAS, extent
from slimlab.plot.style import LEFT, RIGHT
from slimlab.widgets import stills
from slimlab.widgets.script import script
from slimlab.widgets.stills import Still

HERE = Path(__file__).parent


class Stage(Still, anywidget.AnyWidget):
    """Moving bodies with play, scrubber, speed, camera, trails and joint names under them.

    frame          the frame on the screen; while it plays, the kernel hears of it about seven times a second
    playing, speed, loop, camera ("front", "oblique", "side", "top"), trails (joints), trail_seconds, names, height (px)
    clicked        {clip, person, joint, frame} of the joint that was clicked last
    rings          (person, joint) pairs drawn with a ring, such as the joint that a view is about
    """

    _esm = script("stage")
    _css = HERE / "stage.css"
    joints = traitlets.Bytes().tag(sync=True)
    shape = traitlets.List().tag(sync=True)
    colors = traitlets.Bytes().tag(sync=True)
    sizes = traitlets.Bytes().tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)
    fps = traitlets.Float(30.0).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    loop = traitlets.Bool(True).tag(sync=True)
    speed = traitlets.Float(1.0).tag(sync=True)
    camera = traitlets.Enum(list(CAMERAS), "front").tag(sync=True)
    trails = traitlets.List(traitlets.Int()).tag(sync=True)
    trail_seconds = traitlets.Float(1.0).tag(sync=True)
    names = traitlets.Bool(False).tag(sync=True)
    height = traitlets.Int(420).tag(sync=True)
    clicked = traitlets.Dict().tag(sync=True)
    rings = traitlets.List().tag(sync=True)

    def __init__(self, bodies: Bodies, legend: Sequence[tuple[str, str]] | None = None, **settings) -> None:
        self.bodies = bodies
        super().__init__(**self._state(bodies, legend), **settings)

    def show(self, bodies: Bodies, legend: Sequence[tuple[str, str]] | None = None) -> None:
        """Other clips, in one message; `legend` as pairs (text, colour), None: left and right."""
        self.bodies = bodies
        with self.hold_sync():
            self.frame = min(self.frame, len(bodies) - 1)
            for name, value in self._state(bodies, legend).items():
                setattr(self, name, value)

    def paint(self, colors=None, sizes=None, bar: tuple[float, float, str] | None = None, legend=None) -> None:
        """Other colours and sizes on the same motion (see `plot.bodies`): a few kilobytes, whatever the clip's length."""
        self.bodies = self.bodies.painted(colors, sizes, bar)
        with self.hold_sync():
            for name, value in self._paint(self.bodies, legend).items():
                setattr(self, name, value)

    def retitle(self, titles: Sequence[str]) -> None:
        """Other titles over the clips."""
        self.bodies = replace(self.bodies, titles=tuple(titles))
        self.scene = self.scene | {"titles": list(titles)}

    def draw_still(self, width: int) -> Image.Image:
        """The frame on the screen, from the front."""
        b, at = self.bodies, self.frame
        colors, sizes = (x[:, at if x.shape[1] > 1 else 0] for x in (b.colors, b.sizes))
        return stills.bodies(b.joints[:, at], colors, sizes, self.scene, width, min(self.height, 360))

    @traitlets.validate("frame")
    def _inside(self, proposal) -> int:
        return max(0, min(int(proposal["value"]), len(self.bodies) - 1))

    @staticmethod
    def _state(bodies: Bodies, legend) -> dict:
        joints = np.ascontiguousarray(bodies.joints, dtype=np.float32)
        return {"joints": joints.tobytes(), "shape": list(joints.shape[:4]), "fps": bodies.fps} | Stage._paint(bodies, legend)

    @staticmethod
    def _paint(bodies: Bodies, legend) -> dict:
        body, bar = bodies.skeleton, bodies.bar
        if legend is None:
            legend = [("left", LEFT), ("right", RIGHT)] if body.mirror else []
        stops = shaded(np.linspace(0, 1, 17), (0, 1)).tolist()
        scene = {
            "names": list(body.names),
            "bones": [list(b) for b in body.bones],
            "ends": [j for j in range(len(body)) if j not in body.parents],
            "titles": list(bodies.titles),
            "extent": [e.tolist() for e in extent(bodies)],
            "legend": [list(pair) for pair in legend],
            "bar": None if bar is None else {"low": float(bar[0]), "high": float(bar[1]), "label": bar[2], "stops": stops},
        }
        return {"colors": bodies.colors.tobytes(), "sizes": bodies.sizes.tobytes(), "scene": scene}
