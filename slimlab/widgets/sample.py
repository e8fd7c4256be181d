"""A clip before teacher and masked student, as they are now: on the body and on the grid."""

from __future__ import annotations

from typing import Any

import ipywidgets as W
import numpy as np
import torch

from slimlab import analysis, masking, plot
from slimlab.analysis import Agreement
from slimlab.data import ClipStore, test_view
from slimlab.plot import shaded
from slimlab.pretrain.config import Config
from slimlab.widgets.cells import Cells
from slimlab.widgets.controls import ClipChooser, slider
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still


class MaskedSample(Stateful, Still, W.VBox):
    """`inspection.agreement` of one clip under the run's own masking; `look` gives it the networks of the moment.

    `.found` holds the numbers, `.figure()` draws them for a paper (`plot.agreement`).
    """

    def __init__(self, store: ClipStore, index: int | None = None, seed: int = 0) -> None:
        somebody = np.flatnonzero(store.column("people") > 0)
        if not len(somebody):
            raise ValueError("the store has nobody in it; there is no sample to mask")
        self.store = store
        self.chooser = ClipChooser(store, int(somebody[0]) if index is None else index)
        self.seed = slider("mask seed", seed, 0, 99, 1, layout={"width": "260px"})
        self.found: Agreement | None = None
        self._networks: tuple[Any, Any, Config] | None = None
        self.stage, self.note = None, W.HTML("The networks come with the first step.")
        self.grid = Cells(height=330, layout={"flex": "1 1 0", "min_width": "0"})
        self._stage_box = W.Box(layout={"width": "56%"})
        self.chooser.number.observe(lambda _: self._show(), "value")
        self.seed.observe(lambda _: self._show(), "value")
        pictures = W.HBox([self._stage_box, self.grid])
        super().__init__([W.HBox([self.chooser, self.seed], layout={"flex_flow": "row wrap"}), self.note, pictures])

    def _settings(self) -> dict[str, tuple[Any, str]]:
        return {"index": (self.chooser.number, "value"), "seed": (self.seed, "value")}

    def _call(self) -> str:
        return "MaskedSample(store)"

    def look(self, student: Any, teacher: Any, config: Config) -> None:
        """Show what these two make of the clip: those of a `Trainer`, or `Run.student` and `Run.teacher`."""
        self._networks = (student, teacher, config)
        self._show()

    def figure(self, **given):
        """The picture for a paper: `plot.agreement`. Raises ValueError before the first `look`."""
        if self.found is None:
            raise ValueError("MaskedSample: there is no network yet; train a step first")
        return plot.agreement(self.found, **given)

    def _show(self) -> None:
        if self._networks is None:
            return
        student, teacher, config = self._networks
        index, ratio = self.chooser.index, sum(config.mask_bounds) / 2
        if not self.store.column("people")[index]:
            self.note.value = "Nobody is in this clip; choose another."
            return
        view, _, _ = test_view(self.store, [index], config.global_frames)
        known = masking.known_of(config.masking, view[..., :1], config.patch_frames)
        dice, steps = torch.Generator().manual_seed(self.seed.value), config.global_frames // config.patch_frames
        mask = masking.STRATEGIES[config.masking](1, steps, self.store.skeleton, ratio, generator=dice, **known)[0]
        self.found = analysis.agreement(student, teacher, self.store, index, mask)
        self._paint(self.found, ratio)

    def _paint(self, found: Agreement, ratio: float) -> None:
        body, frames = found.skeleton, len(found.joints)
        each = np.arange(frames) // found.patch_frames
        values, hidden = found.values.numpy(), found.mask.numpy()
        seen = np.where(hidden[each], 0.0, 1.0)[:, None]  # (T, 1, V)
        sides = np.broadcast_to(plot.by_side(body), (frames, 1, len(body), 3))
        colours, sizes = [sides, shaded(values[each], (0, 1))[:, None]], [seen, np.ones_like(seen)]
        joints = found.joints.numpy()
        titles = ["what the student sees", "how near it comes to the teacher"]
        bodies = plot.bodies([joints, joints], body, colours, sizes, titles=titles)
        if self.stage is None:
            self.stage = Stage(bodies, height=330)
            self.stage.layout.width = "100%"
            self._stage_box.children = [self.stage]
        elif not np.array_equal(self.stage.bodies.joints, bodies.joints, equal_nan=True):
            self.stage.show(bodies)
        self.stage.paint(colours, sizes, bar=(0.0, 1.0, "prototypes behind it"))
        words = [
            [f"{v:.2f}{', masked' if m else ''}" for v, m in zip(*pair, strict=True)] for pair in zip(values, hidden, strict=True)
        ]
        crossed: list[Any] = [np.argwhere(hidden).tolist()]
        self.grid.show(shaded(values, (0, 1))[None], body, ["×: masked from the student"], crossed=crossed, texts=[words])
        hit = float(found.same[found.mask].float().mean()) if hidden.any() else float("nan")
        self.note.value = (
            f"{ratio:.0%} masked. On masked tokens the student puts <b>{found.masked:.1%}</b> of the prototypes behind the "
            f"teacher's (behind that of another masked token {found.elsewhere:.1%}, by chance 50 %); "
            f"it is its first choice in {hit:.0%}."
        )
