"""Prototypes: how many are used, what a batch is assigned to, and the clips or tokens nearest to one, played."""

from __future__ import annotations

from typing import Any

import ipywidgets as w
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure

from slimlab import analysis, plot
from slimlab.analysis import Prototypes
from slimlab.data import ClipStore
from slimlab.plot import shaded
from slimlab.plot.prototypes import SHOWN
from slimlab.plot.style import LEFT, MASKED, RIGHT
from slimlab.plot.training import training_values
from slimlab.pretrain.run import Run
from slimlab.weights import on_body
from slimlab.widgets.cells import Cells
from slimlab.widgets.curves import Curves, Line, Panel
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still
from slimlab.widgets.texts import clip_names

BATCH = 32  # samples whose Sinkhorn assignment is shown
BARS = 400  # most used prototypes that have a bar
MARK, REST = (204, 121, 167), 200  # rgb of the token that is near, and of all else


class PrototypeExplorer(Stateful, Still, w.VBox):
    """A run's prototypes before the clips of a store. Click a bar or a cell of the assignment to see what is nearest to it.

    run, store  the run (its last checkpoint's teacher) and clips, of another body by the names of its joints;
                `pretrain.pretrained_run()` is the run of the shipped `small`
    kind        "clips" (each person's CLS, the GLCL head) or "cells" (every token, the MFP head)
    prototype   the one whose nearest are played; k: how many
    `prototypes` holds the numbers, `nearest` (DataFrame) what is played, `assigned` (samples, K) the batch's Sinkhorn targets at
    the run's last teacher temperature, `figure()` the usage for a paper, `figure("assignment")` and `figure("nearest")` the rest.
    """

    kind = traitlets.Enum(("clips", "cells"), "clips")
    prototype = traitlets.Int(0)

    def __init__(self, run: Run, store: ClipStore, k: int = 5) -> None:
        super().__init__()
        self.run, self.store, self.k = run, store, k
        self._teacher = run.teacher
        self._encoder = self._teacher.encoder
        if self._encoder.config.skeleton.names != store.skeleton.names:
            self._encoder = on_body(self._encoder, store.skeleton)
        self._names = clip_names(store)
        self._made: dict[str, Prototypes] = {}
        self._metrics = run.metrics
        self.usage, self.training = Curves(height=250), Curves(height=180)
        self.assignment = Cells(height=430)
        for picture in (self.usage, self.training, self.assignment):
            picture.layout.width = "100%"
        self.usage.on_bar(lambda _, place: self._chosen(place))
        self.assignment.on_cell(lambda _, column, row: self._chosen(column))
        kinds = w.ToggleButtons(options=[("clips (CLS)", "clips"), ("tokens", "cells")])
        self._which = w.BoundedIntText(0, 0, run.config.prototypes - 1, description="prototype")
        self.note, self.told = w.HTML(), w.HTML()
        self.stage = Stage(plot.bodies([self._first()], store.skeleton), height=300)
        self.stage.layout.width = "100%"
        traitlets.link((self, "kind"), (kinds, "value"))
        self.observe(lambda _: self._refresh(), "kind")
        self.observe(lambda _: self._play(), "prototype")
        self._draw_training()
        self._refresh()
        traitlets.link((self, "prototype"), (self._which, "value"))
        half = w.Layout(width="49%")
        pictures = w.HBox([w.VBox([self.usage, self.training], layout=half), w.Box([self.assignment], layout=half)])
        self.children = [w.HBox([kinds, self._which]), self.note, pictures, self.told, self.stage]

    @property
    def prototypes(self) -> Prototypes:
        """The numbers of the chosen kind."""
        if self.kind not in self._made:
            head = self._teacher.cls_head if self.kind == "clips" else self._teacher.token_head
            self._made[self.kind] = analysis.prototypes(self._encoder, head, self.store, self.kind)
        return self._made[self.kind]

    @property
    def nearest(self) -> pd.DataFrame:
        """The k samples nearest to the prototype, each from another clip."""
        return self.prototypes.closest(self.prototype, self.k)

    def figure(self, which: str = "usage", **given) -> Figure:
        """For a paper: `plot.prototype_usage`, `plot.prototype_assignment` or `plot.prototype_nearest`."""
        if which == "usage":
            return plot.prototype_usage(self.prototypes, **given)
        if which == "assignment":
            temperature = self.run.config.teacher_temperature[1]
            return plot.prototype_assignment(self.prototypes, self._rows, self._samples, temperature, **given)
        if which == "nearest":
            return plot.prototype_nearest(self.prototypes, self.prototype, self.store, self.k, **given)
        raise ValueError(f"figure '{which}' is unknown; choose usage, assignment or nearest")

    def _settings(self) -> dict[str, tuple[Any, str]]:
        return {name: (self, name) for name in ("kind", "prototype")}

    def _call(self) -> str:
        return f"PrototypeExplorer(run, store, k={self.k})"

    @traitlets.validate("prototype")
    def _there(self, proposal) -> int:
        if not 0 <= proposal["value"] < self.run.config.prototypes:
            raise ValueError(f"prototype {proposal['value']} is none of the {self.run.config.prototypes}")
        return proposal["value"]

    def _first(self):
        return self.store[int(np.flatnonzero(self.store.column("people") > 0)[0])]

    def _refresh(self) -> None:
        p = self.prototypes
        usage, order = p.usage().sort(descending=True)
        self._order, share = order.numpy(), 100 * usage.numpy()[:BARS]
        texts = [f"prototype {k}: {s:.2f} % of the {self.kind}" for k, s in zip(self._order, share, strict=False)]
        even = (100 / len(usage), "all used alike")
        bars = Line(np.arange(len(share)), share, LEFT, texts=texts)
        title = f"share of the {self.kind} nearest to each prototype (%), most used first; click one"
        self.usage.show([Panel(title, [bars], bars=True, levels=[even])], x_title="place in that order")
        self._rows = np.linspace(0, len(p) - 1, min(BATCH, len(p))).round().astype(int)
        self.assigned = p.assignments(self._rows, self.run.config.teacher_temperature[1])  # (rows, K)
        self._samples = [self._sample(p.table.iloc[r]) for r in self._rows]
        shown = self._order[:SHOWN]
        part = self.assigned[:, shown.tolist()].numpy()  # (rows, shown)
        said = [
            [f"{name}: {v:.2f} of it to prototype {k}" for k, v in zip(shown, line, strict=True)]
            for name, line in zip(self._samples, part, strict=True)
        ]
        columns = [str(k) for k in shown]
        title = f"Sinkhorn assignment: {len(part)} {self.kind}, the {len(shown)} prototypes used most"
        self.assignment.table(shaded(part, (0, float(part.max()))), self._samples, title, said, columns)
        used, sharp = int((usage > 0).sum()), analysis.effective_prototypes(self.assigned)
        self.note.value = (
            f"{used} of {len(usage)} prototypes are nearest to any of {len(p)} {self.kind}, "
            f"as if {p.in_use():.1f} were used evenly; a Sinkhorn target of this batch spreads over {sharp:.1f}"
        )
        if p.usage()[self.prototype] == 0 or not self.children:  # at first the one that is used most
            self.prototype = int(self._order[0])
        self._play()

    def _draw_training(self) -> None:
        values = training_values(self._metrics)
        names = [("used_prototypes", "in use", LEFT), ("target_prototypes", "per target", RIGHT)]
        lines = [Line(values[column]["x"], values[column]["y"], colour, name) for column, name, colour in names]
        title = "over training, per batch: exp of the entropy"
        self.training.show([Panel(title, lines)], legend=[(name, colour) for _, name, colour in names])

    def _sample(self, row: Any) -> str:
        label = int(self.store.labels[int(row["clip"])])
        names = self.store.label_names
        name = names[label] if 0 <= label < len(names) else str(self.store.column("clip")[int(row["clip"])])
        return name if "joint" not in row else f"{name}, {self.store.skeleton.names[int(row['joint'])]}"

    def _chosen(self, place: int) -> None:
        self.prototype = int(self._order[place])

    def _play(self) -> None:
        """The nearest clips; of tokens, the joint at its time step in colour, all else grey."""
        found = self.nearest
        clips, titles, colors, sizes = [], [], [], []
        config = self._encoder.config
        row: Any
        for row in found.itertuples():
            index = int(row.clip)
            title = f"{row.logit:.2f} {self._names[index]}"
            if self.kind == "clips":
                clips.append(self.store[index])
            else:
                look = analysis.inside(self._encoder, self.store, index)
                clips.append(look.joints.numpy())
                marked = np.zeros((look.steps, *look.joints.shape[1:3]))
                person = min(int(row.person), look.joints.shape[1] - 1)
                marked[int(row.step), person, int(row.joint)] = 1
                marked = marked.repeat(config.patch_frames, axis=0)  # (F, P, V)
                colors.append(np.where(marked[..., None] > 0, MARK, REST).astype(np.uint8))
                sizes.append(1 + 1.5 * marked)
                joint = self.store.skeleton.names[int(row.joint)].replace("_", " ")
                title = f"{row.logit:.2f} {joint}, step {row.step}: {self._names[index].split(' (')[0]}"
            titles.append(title)
        legend = [("the token that is near", MASKED)] if self.kind == "cells" else None
        self.stage.show(plot.bodies(clips, self.store.skeleton, colors or None, sizes or None, titles=titles), legend)
        place = int(np.flatnonzero(self._order == self.prototype)[0])
        self.usage.chosen = [0, place] if place < BARS else []
        self.assignment.now = place if place < SHOWN else -1
        share = float(self.prototypes.usage()[self.prototype])
        self.told.value = f"Prototype {self.prototype}, nearest to {share:.1%} of {self.kind}; before each name its logit:"
