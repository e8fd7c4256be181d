"""ClipPlayer: look through a store, one clip or several in step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as W
import plotly.graph_objects as go
from matplotlib.figure import Figure

from slimlab import plot
from slimlab.data import ClipStore
from slimlab.plot.player import MOST_CLIPS
from slimlab.widgets.controls import ClipChooser, button
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still


class ClipPlayer(Stateful, Still, W.VBox):
    """Clips of any store as moving bodies; the same picture as a plain function: `plot.player(clips, store.skeleton)`.

    index   the clip that is shown; `others`, the clips kept beside it, run in step with it
    stage   settings of the picture: camera, trails, names, speed, height (see Stage)
    `.frame`, `.index`, `.others` may be set; `.animation()` plays in exported HTML (plotly), `.figure()` is for a paper.
    """

    def __init__(self, store: ClipStore, index: int = 0, others: Sequence[int] = (), **stage) -> None:
        self.store = store
        self.chooser = ClipChooser(store, index)
        self._others = [range(len(store))[i] for i in others]
        self.stage = Stage(self._bodies(), **stage)
        self.keep_button = button("keep beside", self.keep, "keep this clip in the picture while you choose another", "plus")
        self.clear_button = button("one clip", self.clear, "drop the clips kept beside", "times")
        self.chooser.number.observe(lambda _: self.stage.show(self._bodies()), "value")
        super().__init__([self.chooser, self.stage, W.HBox([self.keep_button, self.clear_button])])

    def _bodies(self) -> plot.Bodies:
        shown = [*self._others, self.chooser.index]
        titles = [self.chooser.title(i) for i in shown]
        return plot.bodies([self.store[i] for i in shown], self.store.skeleton, titles=titles, fps=self.store.fps)

    def _settings(self) -> dict[str, tuple[Any, str]]:
        shown = ("camera", "trails", "trail_seconds", "names", "speed", "loop", "height", "frame")
        return {name: (self, name) for name in ("index", "others")} | {name: (self.stage, name) for name in shown}

    def _call(self) -> str:
        return "ClipPlayer(store)"

    @property
    def frame(self) -> int:
        return self.stage.frame

    @frame.setter
    def frame(self, value: int) -> None:
        self.stage.frame = value

    @property
    def index(self) -> int:
        return self.chooser.index

    @index.setter
    def index(self, value: int) -> None:
        self.chooser.index = value

    @property
    def others(self) -> tuple[int, ...]:
        """Clips kept beside the chosen one, on its left; at most seven."""
        return tuple(self._others)

    @others.setter
    def others(self, value: Sequence[int]) -> None:
        self._others = [range(len(self.store))[i] for i in value][-(MOST_CLIPS - 1) :]
        self.stage.show(self._bodies())

    def keep(self) -> None:
        """Keep the chosen clip beside whatever is chosen next."""
        self.others = [*self._others, self.index]

    def clear(self) -> None:
        """Show the chosen clip alone."""
        self.others = []

    def figure(self, **given) -> Figure:
        """Strips of frames of what is shown, for a paper: `plot.frames_strip`."""
        shown = [*self._others, self.chooser.index]
        return plot.frames_strip([self.store[i] for i in shown], self.store.skeleton, **given)

    def animation(self) -> go.Figure:
        """What is shown as a plotly figure, which plays in an exported page: `animation().write_html("clip.html")`."""
        s = self.stage
        return plot.player(s.bodies, camera=s.camera, trails=s.trails, names=s.names, speed=s.speed)
