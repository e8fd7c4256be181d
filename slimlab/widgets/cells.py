"""Grids of time steps and joints on a canvas: attention maps, token colours, galleries; tables. A click names the token."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anywidget
import numpy as np
import traitlets
from PIL import Image

from slimlab.skeleton import Skeleton
from slimlab.widgets import stills
from slimlab.widgets.script import script
from slimlab.widgets.stills import Still

Cell = tuple[int, int]  # time step, joint


class Cells(Still, anywidget.AnyWidget):
    """P grids (T', V) side by side, joints grouped by body part.

    ring     (step, joint) that is framed, or (); now: the step that is being played, -1 for none
    panel    the grid that stands out; clicked: {panel, step, joint} of the last click, see `on_cell`
    """

    _esm = script("cells")
    colors = traitlets.Bytes().tag(sync=True)
    scene = traitlets.Dict().tag(sync=True)
    ring = traitlets.List().tag(sync=True)
    now = traitlets.Int(-1).tag(sync=True)
    panel = traitlets.Int(-1).tag(sync=True)
    height = traitlets.Int(420).tag(sync=True)
    clicked = traitlets.Dict().tag(sync=True)

    def show(
        self,
        colors: np.ndarray,
        skeleton: Skeleton,
        titles: Sequence[str],
        columns: int = 8,
        labels: bool = True,
        crossed: Sequence[Sequence[Cell]] = (),
        texts: Sequence[Sequence[Sequence[str]]] = (),
        bars: np.ndarray | None = None,
        bars_title: str = "",
    ) -> None:
        """colors (P, T', V, 3) uint8; crossed: masked tokens of each grid; texts: what hovering says, (P, T', V) strings;
        bars (V,) from 0 to 1, of each joint, beside the last grid."""
        order = [j for part in skeleton.parts.values() for j in part]
        scene = {
            "steps": colors.shape[1],
            "order": order,
            "edges": np.cumsum([len(p) for p in skeleton.parts.values()])[:-1].tolist(),
            "names": list(skeleton.names),
            "titles": list(titles),
            "columns": columns,
            "labels": labels,
            "crossed": [[list(map(int, c)) for c in cells] for cells in crossed],
            "texts": [[list(row) for row in grid] for grid in texts],
            "bars": None if bars is None else {"values": [float(v) for v in bars], "title": bars_title},
        }
        with self.hold_sync():
            self.colors, self.scene = np.ascontiguousarray(colors, dtype=np.uint8).tobytes(), scene

    def table(
        self,
        colors: np.ndarray,
        names: Sequence[str],
        title: str,
        texts: Sequence[Sequence[str]],
        columns: Sequence[str] | None = None,
    ) -> None:
        """A table in place of the grids: colors (R, C, 3) uint8, `texts[row][column]`, names of rows and columns (None: their
        numbers). Its rows take the joints' place and its columns the steps': `clicked` and `ring` say (column, row)."""
        across = np.swapaxes(colors, 0, 1)
        scene = {
            "steps": len(across),
            "order": list(range(len(names))),
            "edges": [],
            "names": list(names),
            "ticks": None if columns is None else list(columns),
            "titles": [title],
            "columns": 1,
            "labels": True,
            "crossed": [],
            "texts": [[list(column) for column in zip(*texts, strict=True)]],
            "whole": True,  # the text says it all, without joint and step
        }
        with self.hold_sync():
            self.colors, self.scene = np.ascontiguousarray(across, dtype=np.uint8).tobytes(), scene

    def draw_still(self, width: int) -> Image.Image | None:
        """The grids, or the table."""
        if not self.scene:
            return None
        joints = len(self.scene["names"])
        colors = np.frombuffer(self.colors, np.uint8).reshape(-1, self.scene["steps"], joints, 3)
        return stills.cells(colors, self.scene, width)

    def on_cell(self, act: Callable[[int, int, int], None]) -> None:
        """Call act(panel, step, joint) at every click."""
        self.observe(lambda change: act(*(change["new"][k] for k in ("panel", "step", "joint"))), "clicked")
