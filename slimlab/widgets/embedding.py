"""Features in the plane: lasso or click, and those clips play; layers, encoders or a run's snapshots side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure

from slimlab import evaluate, plot
from slimlab.analysis import projection
from slimlab.analysis.projection import Projection
from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.evaluate import Features
from slimlab.plot.markup import html_text
from slimlab.plot.results import quality_line
from slimlab.plot.style import PALETTE
from slimlab.pretrain.run import Run
from slimlab.weights import load_encoder
from slimlab.widgets.scatter import Scatter
from slimlab.widgets.stage import Stage
from slimlab.widgets.stills import Still
from slimlab.widgets.texts import clip_names

CHIPS = "●■◆▲▼◀▶★"  # the markers of scatter.js
PLAYED = 6  # clips on the stage at once
COLUMNS = ("label_name", "subject", "camera", "setup", "split")


class EmbeddingExplorer(Still, w.VBox):
    """A plane of features. Drag a line around points: those clips play. Click: that clip and its nearest.

    store     the clips
    features  an encoder, `evaluate.Features`, an array (N, F), a run (its snapshots, on a slider), or a dict name -> any of
              them, such as layers or runs, for the slider and for a second, linked plane
    source, beside  names of what the first and the second plane show; beside "": one plane. Planes of one method are turned
              onto each other (`projection.align`), so that the slider does not jump
    method    "pca", "tsne", "umap"; by: "label_name", "subject", "camera", "setup", "split" or "correct" (1-NN among the others)
    selected  places in the store, as chosen by lasso, click or from Python; `nearest(i, k)` what a click shows
    `plane` is the projection on screen, with its quality; `figure()` the picture for a paper.
    """

    source = traitlets.Unicode()
    beside = traitlets.Unicode("")
    method = traitlets.Enum(projection.METHODS, "pca")
    by = traitlets.Unicode("label_name")
    selected = traitlets.List(traitlets.Int())

    def __init__(self, store: ClipStore, features: Any, method: str = "pca", by: str = "label_name", seed: int = 0, k: int = 5):
        super().__init__()
        self.store, self.seed, self.k = store, seed, k
        self._given = _sources(features)
        self._names, self._people = clip_names(store), store.column("people")
        self._x: dict[str, torch.Tensor] = {}
        self._planes: dict[tuple[str, str], Projection] = {}
        with self.hold_trait_notifications():
            self.source, self.method, self.by = list(self._given)[-1], method, by
        self.views = [self._view(), self._view()]
        self.stage, self.note, self.legend, self.told = None, w.HTML(), w.HTML(), w.HTML()
        names = list(self._given)
        columns = [c for c in COLUMNS if len(np.unique(store.column(c).astype(str))) > 1]
        self._controls = {
            "method": w.ToggleButtons(options=[("PCA", "pca"), ("t-SNE", "tsne"), ("UMAP", "umap")]),
            "by": w.Dropdown(options=[*columns, "correct"] if (store.labels >= 0).any() else columns, description="color"),
            "source": w.SelectionSlider(options=names, value=self.source, continuous_update=False, description="features"),
            "beside": w.Dropdown(options=[("one plane", ""), *((f"beside: {n}", n) for n in names)]),
        }
        self._controls["method"].style.button_width = "70px"
        for name, control in self._controls.items():
            control.value = getattr(self, name)
            traitlets.link((self, name), (control, "value"))
        several = [self._controls["source"], self._controls["beside"]] if len(names) > 1 else []
        self._planes_box = w.HBox()
        self._stage_box = w.Box(layout=w.Layout(width="100%"))
        row = w.Layout(flex_flow="row wrap", align_items="center")
        controls = w.HBox([self._controls["method"], self._controls["by"], *several], layout=row)
        self.children = [controls, self.legend, self._planes_box, self.note, self.told, self._stage_box]
        self.observe(lambda _: self._refresh(), ["source", "beside", "method", "by"])
        self.observe(lambda _: self._play(), "selected")
        self._features(self.source)  # of other clips: an error of the call, not of the picture
        self._refresh()
        self._play()

    @property
    def plane(self) -> Projection:
        """The projection that the first plane shows."""
        return self._project(self.source)

    def nearest(self, index: int, k: int | None = None) -> list[int]:
        """A clip and its k nearest by cosine among the features of `source`, nearest first."""
        x = F.normalize(self._features(self.source), dim=1)
        similarity = x @ x[index]
        similarity[index] = 2.0
        return similarity.topk(min(len(x), (k or self.k) + 1)).indices.tolist()

    def figure(self, **given) -> Figure:
        """What the first plane shows, for a paper: `plot.embedding`."""
        x = self._features(self.source)
        features = Features(x, torch.from_numpy(self.store.labels), self.store.table)
        by = self._values() if self.by == "correct" else self.by
        settings: dict[str, Any] = {"by": by} | given
        return plot.embedding(self.plane, features, **settings)

    @traitlets.validate("source", "beside")
    def _there(self, proposal) -> str:
        name = proposal["value"]
        if name not in self._given and not (name == "" and proposal["trait"].name == "beside"):
            raise ValueError(f"features '{name}' are not there; choose one of {', '.join(self._given)}")
        return name

    @traitlets.validate("by")
    def _column(self, proposal) -> str:
        if proposal["value"] not in (*COLUMNS, "correct"):
            raise ValueError(f"cannot color by '{proposal['value']}'; choose one of {', '.join((*COLUMNS, 'correct'))}")
        return proposal["value"]

    @traitlets.validate("selected")
    def _inside(self, proposal) -> list[int]:
        for index in proposal["value"]:
            if not 0 <= index < len(self.store):
                raise ValueError(f"clip {index} is not among the {len(self.store)}")
        return proposal["value"]

    def _features(self, name: str) -> torch.Tensor:
        if name not in self._x:
            given = self._given[name]
            if isinstance(given, (str, Path)):
                given = load_encoder(given)
            if isinstance(given, Encoder):
                given = evaluate.features(given, self.store)
            x = torch.as_tensor(getattr(given, "x", given)).float()
            if len(x) != len(self.store):
                raise ValueError(
                    f"features '{name}' have {len(x)} rows, the store {len(self.store)} clips; they must be the same clips"
                )
            self._x[name] = x
        return self._x[name]

    def _project(self, name: str) -> Projection:
        """This source's plane, turned onto that of the last one, which all are compared with."""
        key = (self.method, name)
        if key not in self._planes:
            plane = projection.fit(self._features(name), self.method, self.seed, labels=self.store.labels)
            last = list(self._given)[-1]
            self._planes[key] = plane if name == last else projection.align(plane, self._project(last).xy)
        return self._planes[key]

    def _values(self) -> np.ndarray:
        if self.by != "correct":
            return self.store.column(self.by).astype(str)
        labels = torch.from_numpy(self.store.labels)
        known = labels >= 0
        x = Features(self._features(self.source)[known], labels[known], self.store.table)
        neighbours = evaluate.knn(x, x, k=2).neighbours
        assert neighbours is not None
        own = torch.arange(len(neighbours))
        other = torch.where(neighbours[:, 0] == own, neighbours[:, 1], neighbours[:, 0])  # a twin may come before itself
        out = np.full(len(labels), "no label", dtype=object)
        out[known.numpy()] = np.where((x.labels[other] == x.labels).numpy(), "right", "wrong")
        return out.astype(str)

    def _view(self) -> Scatter:
        view = Scatter()
        view.layout.width = "100%"
        view.observe(lambda change: self._lassoed(change["new"]), "selected")
        view.on_point(self._clicked)
        return view

    def _refresh(self) -> None:
        try:
            self._draw()
        except ValueError as problem:  # such as features that are all the same: raised in a callback, nobody would see it
            self._planes_box.children, self.legend.value = [], ""
            self.note.value = f"<b>There is no picture.</b> {html_text(problem)}"

    def _draw(self) -> None:
        values = self._values()
        groups, codes = np.unique(values, return_inverse=True)
        if all(g.lstrip("-").isdigit() for g in groups):  # subjects in the order of their numbers
            groups = np.array(sorted(groups, key=int))
            codes = np.searchsorted(groups.astype(int), values.astype(int))
        shown = [self.source, *([self.beside] if self.beside else [])]
        for view, name in zip(self.views, shown, strict=False):
            view.show(self._project(name).xy, codes, self._names, name)
        self._planes_box.children = [w.Box([v], layout=w.Layout(width=f"{98 // len(shown)}%")) for v in self.views[: len(shown)]]
        self.note.value = "<br>".join(f"{html_text(name)}: {quality_line(self._project(name).quality)}" for name in shown)
        self.legend.value = _chips(groups)

    def _lassoed(self, indices: Sequence[int]) -> None:
        if set(indices) != set(self.selected):  # else it is the answer to what was set here
            self.selected = sorted(int(i) for i in indices)

    def _clicked(self, index: int) -> None:
        self.selected = self.nearest(index)

    def _play(self) -> None:
        for view in self.views:
            view.selected = self.selected
        there = [i for i in self.selected if self._people[i] > 0]
        if not there:
            self.told.value = "Drag a line around points, or click one for its nearest neighbors: the clips play here."
            self._stage_box.children = []
            return
        places = np.linspace(0, len(there) - 1, min(PLAYED, len(there))).round().astype(int)
        played = [there[p] for p in places]
        self.told.value = f"{len(self.selected)} clips chosen" + (
            f", {len(played)} of them play" if len(played) < len(there) else ""
        )
        made = plot.bodies([self.store[i] for i in played], self.store.skeleton, titles=[self._names[i] for i in played])
        if self.stage is None:
            self.stage = Stage(made, height=300, playing=True)
            self.stage.layout.width = "100%"
        else:
            self.stage.show(made)
        self._stage_box.children = [self.stage]


def _sources(given: Any) -> dict[str, Any]:
    """name -> encoder, folder, features or array."""
    if isinstance(given, Run):
        kept = {f"step {step}": folder for step, folder in given.snapshots.items()}
        return kept or {"last step": given.folder}
    if isinstance(given, Mapping):
        if not given:
            raise ValueError("EmbeddingExplorer: no features; give at least one")
        return {str(k): v.folder if isinstance(v, Run) else v for k, v in given.items()}
    return {"features": given}


def _chips(groups: np.ndarray) -> str:
    chips = [
        f'<span style="color:{PALETTE[i % len(PALETTE)]}">{CHIPS[i // len(PALETTE) % len(CHIPS)]}</span>&nbsp;{html_text(group)}'
        for i, group in enumerate(groups[: len(PALETTE) * len(CHIPS)])
    ]
    return '<div style="font-size:12px;line-height:1.5">' + "&ensp; ".join(chips) + "</div>"
