"""Prototypes: how many are used, what a batch is assigned to, and the clips or cells nearest to one, played."""

from __future__ import annotations

from typing import Any

import ipywidgets as w
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import traitlets
from matplotlib.figure import Figure

from slimlab import inspection, plot
from slimlab.data import ClipStore
from slimlab.inspection import Prototypes
from slimlab.plot.style import LEFT, RIGHT
from slimlab.run import Run
from slimlab.widgets.stage import Stage
from slimlab.widgets.texts import clip_names

BATCH = 32  # clips whose Sinkhorn assignment is shown
SHOWN = 40  # most used prototypes in the picture of that
MARK, REST = (204, 121, 167), 200  # rgb of the cell that is near, and of all else


class PrototypeExplorer(w.VBox):
    """A run's prototypes before the clips of a store. Click a bar or a cell of the assignment to see what is nearest to it.

    run, store  the run (its last checkpoint's teacher) and clips of its body
    kind        "clips" (each person's CLS, the GLCL head) or "cells" (every token, the MFM head)
    prototype   the one whose nearest are played; k: how many
    `prototypes` holds the numbers, `nearest` (DataFrame) what is played, `assigned` (clips, K) the batch's Sinkhorn targets at
    the run's last teacher temperature, `figure()` the picture for a paper.
    """

    kind = traitlets.Enum(("clips", "cells"), "clips")
    prototype = traitlets.Int(0)

    def __init__(self, run: Run, store: ClipStore, k: int = 5) -> None:
        super().__init__()
        self.run, self.store, self.k = run, store, k
        self._teacher = run.teacher
        self._names = clip_names(store)
        self._made: dict[str, Prototypes] = {}
        metrics = run.metrics
        self.usage: Any = go.FigureWidget()  # plotly makes its attributes as it runs; no checker knows them
        self.assignment: Any = go.FigureWidget()
        self.training: Any = go.FigureWidget()
        self._draw_training(metrics)
        self.usage.add_bar(
            marker={"color": LEFT, "line": {"width": 0}}, hovertemplate="prototype %{customdata}: %{y:.2f} %<extra></extra>"
        )
        self.assignment.add_heatmap(colorscale="Viridis", hovertemplate="%{y}<br>prototype %{x}: %{z:.2f}<extra></extra>")
        self.usage.data[0].on_click(lambda trace, points, state: self._chosen(points.point_inds))
        self.assignment.data[0].on_click(lambda trace, points, state: self._chosen([p[1] for p in points.point_inds]))
        flat = {"template": "none", "bargap": 0}
        self.usage.update_layout(height=250, margin={"l": 45, "r": 5, "t": 30, "b": 40}, **flat)
        self.assignment.update_layout(height=330, margin={"l": 130, "r": 5, "t": 30, "b": 40}, **flat)
        kinds = w.ToggleButtons(options=[("clips (CLS)", "clips"), ("cells (tokens)", "cells")])
        self._which = w.BoundedIntText(0, 0, run.config.prototypes - 1, description="prototype")
        self.note, self.told = w.HTML(), w.HTML()
        self.stage = Stage(plot.bodies([self._first()], store.skeleton), height=300)
        self.stage.layout.width = "100%"
        traitlets.link((self, "kind"), (kinds, "value"))
        self.observe(lambda _: self._refresh(), "kind")
        self.observe(lambda _: self._play(), "prototype")
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
            self._made[self.kind] = inspection.prototypes(self._teacher.encoder, head, self.store, self.kind)
        return self._made[self.kind]

    @property
    def nearest(self) -> pd.DataFrame:
        """The k samples nearest to the prototype, each from another clip."""
        return self.prototypes.closest(self.prototype, self.k)

    def figure(self, **given) -> Figure:
        """Usage, for a paper: `plot.prototype_usage`."""
        return plot.prototype_usage(self.prototypes, **given)

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
        self._order = order.numpy()
        rows = np.linspace(0, len(p) - 1, min(BATCH, len(p))).round().astype(int)
        self.assigned = p.assignments(rows, self.run.config.teacher_temperature[1])  # (rows, K)
        sharp = inspection.effective_prototypes(self.assigned)
        with self.usage.batch_update():
            bars = self.usage.data[0]
            bars.x, bars.y, bars.customdata = np.arange(len(usage)), 100 * usage.numpy(), self._order
            self.usage.layout.title = {"text": "share of samples (%), most used first", "font": {"size": 12}}
        with self.assignment.batch_update():
            heat = self.assignment.data[0]
            heat.z, heat.x = self.assigned[:, self._order[:SHOWN].tolist()].numpy(), [str(i) for i in self._order[:SHOWN]]
            heat.y = [f"{n}. {self._sample(p.table.iloc[r])}" for n, r in enumerate(rows)]
            self.assignment.layout.title = {"text": f"Sinkhorn assignment of {len(rows)} {self.kind}", "font": {"size": 12}}
            self.assignment.layout.xaxis = {"type": "category", "title": "prototype, most used first"}
            self.assignment.layout.yaxis = {"tickfont": {"size": 8}}
        used = int((usage > 0).sum())
        self.note.value = (
            f"{used} of {len(usage)} prototypes are nearest to any of {len(p)} {self.kind}, "
            f"as if {p.in_use():.1f} were used evenly; a Sinkhorn target of this batch spreads over {sharp:.1f}"
        )
        if p.usage()[self.prototype] == 0:
            self.prototype = int(self._order[0])
        self._play()

    def _draw_training(self, metrics: pd.DataFrame) -> None:
        for name, text, colour in (("used_prototypes", "in use", LEFT), ("target_prototypes", "per target", RIGHT)):
            if name in metrics:
                median = metrics[name].rolling(25, min_periods=1, center=True).median()
                self.training.add_scatter(x=metrics["step"], y=median, name=text, line={"color": colour, "width": 1.5})
        self.training.update_layout(
            height=220, margin={"l": 45, "r": 5, "t": 30, "b": 40}, template="none", xaxis={"title": "step"}
        )
        self.training.update_layout(title={"text": "over training, per batch (running median)", "font": {"size": 12}})

    def _sample(self, row: Any) -> str:
        label = int(self.store.labels[int(row["clip"])])
        names = self.store.label_names
        name = names[label] if 0 <= label < len(names) else str(self.store.column("clip")[int(row["clip"])])
        return name if "joint" not in row else f"{name}, {self.store.skeleton.names[int(row['joint'])]}"

    def _chosen(self, places) -> None:
        if len(places):
            self.prototype = int(self._order[int(places[0])])

    def _play(self) -> None:
        """The nearest clips; of cells, the joint at its time step in colour, all else grey."""
        found = self.nearest
        clips, titles, colors, sizes = [], [], [], []
        config = self._teacher.encoder.config
        row: Any
        for row in found.itertuples():
            index = int(row.clip)
            title = f"{row.logit:.2f} {self._names[index]}"
            if self.kind == "clips":
                clips.append(self.store[index])
            else:
                look = inspection.inside(self._teacher.encoder, self.store, index)
                clips.append(look.joints.numpy())
                marked = np.zeros((look.steps, *look.joints.shape[1:3]))
                person = min(int(row.person), look.joints.shape[1] - 1)
                marked[int(row.step), person, int(row.joint)] = 1
                marked = marked.repeat(config.patch_frames, axis=0)  # (F, P, V)
                colors.append(np.where(marked[..., None] > 0, MARK, REST).astype(np.uint8))
                sizes.append(1 + 1.5 * marked)
                title = (
                    f"{row.logit:.2f} {self.store.skeleton.names[int(row.joint)]} at step {row.step}: {title.split(' ', 1)[1]}"
                )
            titles.append(title)
        self.stage.show(plot.bodies(clips, self.store.skeleton, colors or None, sizes or None, titles=titles))
        share = float(self.prototypes.usage()[self.prototype])
        self.told.value = f"Prototype {self.prototype}, nearest to {share:.1%} of {self.kind}; before each name its logit:"
