"""Features in the plane: lasso or click, and those clips play; layers, encoders or a run's snapshots side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure
from torch import nn

from slimlab import data, evaluate, plot
from slimlab.analysis import projection
from slimlab.analysis.projection import Projection
from slimlab.data import ClipStore
from slimlab.evaluate import Features
from slimlab.plot.markup import html_text
from slimlab.plot.results import quality_line
from slimlab.plot.style import PALETTE
from slimlab.pretrain.run import Run
from slimlab.weights import load_encoder
from slimlab.widgets.controls import button, snapshots
from slimlab.widgets.scatter import Scatter
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still
from slimlab.widgets.texts import clip_names

CHIPS = "●■◆▲▼◀▶★"  # the markers of scatter.js
PLAYED = 6  # clips on the stage at once
COLUMNS = ("label_name", "subject", "camera", "setup", "split")


class EmbeddingExplorer(Stateful, Still, w.VBox):
    """A plane of features. Draw a line around points: those clips play. Click: that clip and its nearest. Rest on one: it moves.

    store     the clips
    features  an encoder, `evaluate.Features`, an array (N, F), a run (its snapshots, on a slider), or a dict name -> any of
              them, such as layers or runs, for the slider and for a second, linked plane
    source, beside  names of what the first and the second plane show; beside "": one plane. Planes of one method are turned
              onto each other (`projection.align`), so that the slider does not jump
    method    "pca", "tsne", "umap"; by: "label_name", "subject", "camera", "setup", "split" or "correct" (1-NN among the others)
    selected  places in the store, as chosen by lasso, box, click or from Python; `nearest(i, k)` what a click shows
    view      [x, y, zoom] of all planes; density: how many points lie where, in place of the points (see `Scatter`)
    edits     what was done to selections, in order: ("label", name, clips) and ("exclude", "", clips); see `assign`, `exclude`,
              `undo`, `redo`. `edited` is a copy of the store with all of it; `store` never changes. `export` writes clips.
              They are about these clips: `restore` takes edits and a selection on a store of the same clips alone
    `plane` is the projection on screen, with its quality; `figure()` the picture for a paper.
    """

    source = traitlets.Unicode()
    beside = traitlets.Unicode("")
    method = traitlets.Enum(projection.METHODS, "pca")
    by = traitlets.Unicode("label_name")
    selected = traitlets.List(traitlets.Int())
    view = traitlets.List([0.0, 0.0, 1.0])
    density = traitlets.Bool(False)
    edits = traitlets.List([])

    def __init__(self, store: ClipStore, features: Any, method: str = "pca", by: str = "label_name", seed: int = 0, k: int = 5):
        super().__init__()
        self.store, self.seed, self.k = store, seed, k
        self._given = _sources(features)
        self._names, self._people = clip_names(store), store.column("people")
        self._x: dict[str, torch.Tensor] = {}
        self._planes: dict[tuple[str, str], Projection] = {}
        self._labelled, self._undone = store, []
        several = [c for c in COLUMNS if c in ("label_name", by) or len(np.unique(store.column(c).astype(str))) > 1]
        self._columns = [*several, "correct"]  # that points can be colored by
        with self.hold_trait_notifications():
            self.source, self.method, self.by = list(self._given)[-1], method, by
        self.views = [self._view(), self._view()]
        for view in self.views:
            for name in ("view", "density"):
                traitlets.link((self, name), (view, name))
        self.stage, self.note, self.legend, self.told = None, w.HTML(), w.HTML(), w.HTML()
        names = list(self._given)
        self._controls = {
            "method": w.ToggleButtons(options=[("PCA", "pca"), ("t-SNE", "tsne"), ("UMAP", "umap")]),
            "by": w.Dropdown(options=self._columns, description="color"),
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
        self._name = w.Text(placeholder="label", layout=w.Layout(width="150px"))
        self._path = w.Text("out/selection.csv", layout=w.Layout(width="190px"), tooltip="a folder, .npz or .csv")
        acts = {
            "label": ("label these", lambda: self.assign(self._name.value), "give the chosen clips this label, in a copy"),
            "exclude": ("exclude", self.exclude, "leave the chosen clips out"),
            "undo": ("undo", self.undo, "take the last change back"),
            "redo": ("redo", self.redo, "make it again"),
            "export": ("export", lambda: self.export(self._path.value), "write the chosen clips"),
        }
        self._buttons = {name: button(text, lambda act=act: self._try(act), tip) for name, (text, act, tip) in acts.items()}
        b, self._done = self._buttons, w.HTML()
        tools = [self._name, b["label"], b["exclude"], b["undo"], b["redo"], self._path, b["export"], self._done]
        self.children = [
            controls,
            self.legend,
            self._planes_box,
            w.HBox(tools, layout=row),
            self.note,
            self.told,
            self._stage_box,
        ]
        self.observe(lambda _: self._refresh(), ["source", "beside", "method", "by"])
        self.observe(lambda _: self._edited(), "edits")
        self.observe(lambda _: self._play(), "selected")
        self._features(self.source)  # of other clips: an error of the call, not of the picture
        self._refresh()
        self._play()

    @property
    def plane(self) -> Projection:
        """The projection that the first plane shows."""
        return self._project(self.source)

    @property
    def edited(self) -> ClipStore:
        """A copy of the store with the labels that were given, without the clips that were excluded."""
        gone = self._excluded()
        return data.exclude(self._labelled, gone) if gone else self._labelled

    def assign(self, name: str) -> None:
        """Give the selected clips the label `name`, in `edited`: `data.relabel`. Raises ValueError for nothing or no name."""
        self._do("label", name)

    def exclude(self) -> None:
        """Leave the selected clips out of `edited` and of the picture: `data.exclude`."""
        self._do("exclude", "")

    def undo(self) -> None:
        """Take back the last change, if there is one."""
        if self.edits:
            undone = [*self._undone, self.edits[-1]]
            self.edits = self.edits[:-1]
            self._undone = undone
            self._able()

    def redo(self) -> None:
        """Make again the change that was taken back last, if there is one."""
        if self._undone:
            *rest, again = self._undone
            self.edits = [*self.edits, again]
            self._undone = rest
            self._able()

    def export(self, path: str | Path) -> Path:
        """Write the selected clips, with their new labels: a store (a folder), `.npz`, or a table `.csv` (`data.export`)."""
        if not self.selected:
            raise ValueError("EmbeddingExplorer: no clips are selected; draw a line around some first")
        Path(path).expanduser().parent.mkdir(parents=True, exist_ok=True)
        return data.export(self._labelled[self.selected], path)

    def nearest(self, index: int, k: int | None = None) -> list[int]:
        """A clip and its k nearest by cosine among the features of `source`, nearest first."""
        x = F.normalize(self._features(self.source), dim=1)
        similarity = x @ x[index]
        gone = self._excluded()
        similarity[gone] = -2.0
        similarity[index] = 2.0
        return similarity.topk(min(len(x) - len(gone), (k or self.k) + 1)).indices.tolist()

    def figure(self, **given) -> Figure:
        """What the first plane shows, for a paper: `plot.embedding`."""
        x, kept = self._features(self.source), np.setdiff1d(np.arange(len(self.store)), self._excluded())
        labelled, plane = self._labelled, self.plane
        features = Features(x, torch.from_numpy(labelled.labels), labelled.table).rows(kept)
        by = self._values()[kept] if self.by == "correct" else self.by
        settings: dict[str, Any] = {"by": by} | given
        return plot.embedding(replace(plane, xy=plane.xy[kept]), features, **settings)

    def state(self) -> dict[str, Any]:
        """As of every explorer, and `clips`, the store's fingerprint: selection and edits name clips by their place in it."""
        return super().state() | {"clips": self.store.fingerprint}

    def restore(self, state: Mapping[str, Any]) -> None:
        """As of every explorer. Raises ValueError also where it has a selection or edits of other clips."""
        if isinstance(state, Mapping) and "clips" in state:
            state = dict(state)
            named = [name for name in ("edits", "selected") if state.get(name)]
            if state.pop("clips") != self.store.fingerprint and named:
                raise ValueError(
                    f"EmbeddingExplorer.restore: {' and '.join(named)} are of other clips; restore them on the store that they "
                    f"were made on, or leave them out of the state"
                )
        super().restore(state)

    def _settings(self) -> dict[str, tuple[Any, str]]:
        names = ("source", "beside", "method", "by", "edits", "selected", "view", "density")
        return {name: (self, name) for name in names} | {"mode": (self.views[0], "mode")}

    def _call(self) -> str:
        return f"EmbeddingExplorer(store, features, seed={self.seed}, k={self.k})"

    @traitlets.validate("source", "beside")
    def _there(self, proposal) -> str:
        name = proposal["value"]
        if name not in self._given and not (name == "" and proposal["trait"].name == "beside"):
            raise ValueError(f"features '{name}' are not there; choose one of {', '.join(self._given)}")
        return name

    @traitlets.validate("by")
    def _column(self, proposal) -> str:
        if proposal["value"] not in self._columns:
            raise ValueError(f"cannot color by '{proposal['value']}'; choose one of {', '.join(self._columns)}")
        return proposal["value"]

    @traitlets.validate("selected")
    def _inside(self, proposal) -> list[int]:
        for index in proposal["value"]:
            if not 0 <= index < len(self.store):
                raise ValueError(f"clip {index} is not among the {len(self.store)}")
        return proposal["value"]

    @traitlets.validate("edits")
    def _possible_edits(self, proposal) -> list:
        edits = []
        for edit in proposal["value"]:
            if not isinstance(edit, (list, tuple)) or len(edit) != 3 or edit[0] not in ("label", "exclude"):
                raise ValueError(f"edit {edit!r} should be ('label', name, clips) or ('exclude', '', clips)")
            kind, name, clips = edit
            if kind == "label" and not (isinstance(name, str) and name.strip()):
                raise ValueError(f"the label is {name!r}; give a text")
            try:
                edits.append((kind, name, self.store.positions(clips).tolist()))
            except (IndexError, TypeError) as error:
                raise ValueError(f"edit '{kind}': {error}") from error
        return edits

    def _do(self, kind: str, name: str) -> None:
        if not self.selected:
            raise ValueError("EmbeddingExplorer: no clips are selected; draw a line around some first")
        self.edits = [*self.edits, (kind, name.strip(), list(self.selected))]

    def _excluded(self) -> list[int]:
        return sorted({clip for kind, _, clips in self.edits if kind == "exclude" for clip in clips})

    def _edited(self) -> None:
        """Make the copy anew, and show it."""
        self._labelled, self._undone = self.store, []
        for kind, name, clips in self.edits:
            if kind == "label":
                self._labelled = data.relabel(self._labelled, clips, name)
        self._names = clip_names(self._labelled)
        gone = self._excluded()
        for view in self.views:
            view.hidden = gone
        self.selected = [i for i in self.selected if i not in set(gone)]
        self._able()
        self._refresh()

    def _able(self) -> None:
        for name, able in (
            ("label", self.selected),
            ("exclude", self.selected),
            ("export", self.selected),
            ("undo", self.edits),
            ("redo", self._undone),
        ):
            self._buttons[name].disabled = not able

    def _try(self, act: Callable[[], Path | None]) -> None:
        try:
            written = act()
            self._done.value = html_text(f"written: {written}") if written else ""
        except (ValueError, OSError) as problem:
            self._done.value = html_text(str(problem))

    def _features(self, name: str) -> torch.Tensor:
        if name not in self._x:
            given = self._given[name]
            if isinstance(given, (str, Path)):
                given = load_encoder(given, skeleton=self.store.skeleton)
            if isinstance(given, nn.Module):
                given = evaluate.features(given, self.store)  # pyright: ignore[reportArgumentType]
            x = torch.as_tensor(getattr(given, "x", given)).detach().float().cpu()
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
            return self._labelled.column(self.by).astype(str)
        labels = torch.from_numpy(self._labelled.labels.copy())  # with those that were given here
        labels[self._excluded()] = -1
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
        view = Scatter(link=f"{id(self)}")
        view.layout.width = "100%"
        view.observe(lambda change: self._lassoed(change["new"]), "selected")
        view.on_point(self._clicked)
        view.on_hover(lambda index: self._preview(view, index))
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

    def _preview(self, view: Scatter, index: int) -> None:
        if self._people[index] > 0:
            view.preview_clip(index, plot.bodies([self.store[index]], self.store.skeleton, fps=self.store.fps))

    def _play(self) -> None:
        self._able()
        for view in self.views:
            view.selected = self.selected
        there = [i for i in self.selected if self._people[i] > 0]
        if not there:
            self.told.value = (
                "Draw a line around points (Shift adds, Alt takes away), or click one for its nearest neighbors: "
                "the clips play here."
            )
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
        return dict(snapshots(given))
    if isinstance(given, Mapping):
        if not given:
            raise ValueError("EmbeddingExplorer: no features; give at least one")
        return {str(k): v.folder if isinstance(v, Run) else v for k, v in given.items()}
    return {"features": given}


def _chips(groups: np.ndarray) -> str:
    chips = []
    for i, group in enumerate(groups[: len(PALETTE) * len(CHIPS)]):
        mark, color = CHIPS[i // len(PALETTE) % len(CHIPS)], _ink(PALETTE[i % len(PALETTE)])
        chips.append(f'<span style="color:{color}">{mark}</span>&nbsp;{html_text(group)}')
    return '<div style="font-size:12px;line-height:1.5">' + "&ensp; ".join(chips) + "</div>"


def _ink(color: str) -> str:
    """Black is the text's color, so that it can be seen on a dark page."""
    return "var(--jp-ui-font-color1, #000000)" if color == "#000000" else color
