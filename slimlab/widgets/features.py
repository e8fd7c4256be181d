"""Tokens on the moving body, layer beside layer: their principal components as colours, their likeness to a chosen token."""

from __future__ import annotations

from typing import Any

import ipywidgets as w
import numpy as np
import torch
import traitlets
from matplotlib.figure import Figure

from slimlab import analysis, plot
from slimlab.analysis import TokenPCA
from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.plot import looking, shaded
from slimlab.plot.markup import html_text
from slimlab.weights import pretrained
from slimlab.widgets.cells import Cells
from slimlab.widgets.controls import ClipChooser
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still

PANELS = 4  # layers shown at once: evenly spaced, the last among them
FITTED = 48  # clips that the components of "over clips" are fitted on


class FeatureExplorer(Stateful, Still, w.VBox):
    """Token PCA as red, green and blue, or every token's likeness to one; click a token or a joint to choose that one.

    store, encoder  any store and an encoder of its body, or none for the shipped `small`
    index, person   the clip, and whose tokens are shown
    mode            "pca" or "similarity"; over: components fitted on this "clip" or on many "clips" (colours then mean the same
                    from clip to clip)
    cell            (time step, joint) that the others are compared with
    All can be set from Python. `values`: one array a layer shown, (T', V, 3) rgb in 0..1 or (T', V) cosines; `layers` (0-based).
    """

    index = traitlets.Int(0)
    person = traitlets.Int(0)
    mode = traitlets.Enum(("pca", "similarity"), "pca")
    over = traitlets.Enum(("clip", "clips"), "clip")
    cell = traitlets.Tuple((0, 0))

    def __init__(self, store: ClipStore, encoder: Encoder | None = None, index: int = 0) -> None:
        super().__init__()
        encoder = encoder or pretrained("small", skeleton=store.skeleton)
        self.store, self.encoder = store, encoder
        depth = encoder.config.depth
        self.layers = np.unique(np.linspace(0, depth - 1, min(PANELS, depth)).round().astype(int)).tolist()
        self.values: list[np.ndarray] = []
        self._over_clips: list[TokenPCA] = []
        with self.hold_trait_notifications():
            self.index, self.cell = range(len(store))[index], (0, store.skeleton.center)
        self.look = analysis.inside(encoder, store, self.index)
        self.stage, self.grid, self.note = Stage(self._bodies(), height=360), Cells(height=430), w.HTML()
        self.stage.layout.width = self.grid.layout.width = "100%"
        self._chooser = ClipChooser(store, self.index)
        self._controls = {
            "index": self._chooser.number,
            "person": w.IntSlider(0, 0, store.max_people - 1, description="person", continuous_update=False),
            "mode": w.ToggleButtons(options=[("token PCA", "pca"), ("likeness to a token", "similarity")]),
            "over": w.ToggleButtons(options=[("of this clip", "clip"), ("of many clips", "clips")]),
        }
        for name, control in self._controls.items():
            traitlets.link((self, name), (control, "value"))
        row = w.Layout(flex_flow="row wrap", align_items="center")
        choices = w.HBox([self._controls[n] for n in ("mode", "over", "person")], layout=row)
        self.children = [self._chooser, choices, self.note, self.stage, self.grid]
        self.stage.observe(self._clicked_joint, "clicked")
        self.stage.observe(lambda change: setattr(self.grid, "now", change["new"] // self.look.patch_frames), "frame")
        self.grid.on_cell(lambda panel, step, joint: self._choose_cell(step, joint))
        self.observe(lambda _: self._refresh(encode=True), "index")
        self.observe(lambda _: self._refresh(), ["person", "mode", "over", "cell"])
        self._refresh()

    def figure(self, layer: int = -1, **given) -> Figure:
        """One layer of what is on screen, for a paper: `plot.token_pca` or `plot.token_similarity`."""
        if self.mode == "similarity":
            return plot.token_similarity(self.look, *self.cell, layer=layer, person=self._person(), **given)
        pca = self._pca()[layer] if self.over == "clips" else None
        return plot.token_pca(self.look, layer, self._person(), pca, **given)

    def _settings(self) -> dict[str, tuple[Any, str]]:
        return {name: (self, name) for name in ("index", "person", "mode", "over", "cell")}

    def _call(self) -> str:
        return "FeatureExplorer(store, encoder)"

    @traitlets.validate("index", "person")
    def _possible(self, proposal) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        highest = (len(self.store) if name == "index" else self.store.max_people) - 1
        if not 0 <= value <= highest:
            raise ValueError(f"{name} {value} must lie in 0..{highest}")
        return value

    @traitlets.validate("cell")
    def _a_cell(self, proposal) -> tuple[int, int]:
        cell = tuple(int(v) for v in proposal["value"])
        steps, joints = self.encoder.config.frames // self.encoder.config.patch_frames, len(self.store.skeleton)
        if len(cell) != 2 or not (0 <= cell[0] < steps and 0 <= cell[1] < joints):
            raise ValueError(f"cell {cell} should be (time step 0..{steps - 1}, joint 0..{joints - 1})")
        return cell

    def _person(self) -> int:
        return min(self.person, self.look.joints.shape[1] - 1)

    def _pca(self) -> list[TokenPCA]:
        """Each layer's components, of this clip or of many."""
        if self.over == "clip":
            return [analysis.token_pca(tokens) for tokens in self.look.tokens]
        if not self._over_clips:
            somebody = np.flatnonzero(self.store.column("people") > 0)
            chosen = somebody[np.linspace(0, len(somebody) - 1, min(FITTED, len(somebody))).round().astype(int)]
            looks = [analysis.inside(self.encoder, self.store, int(i)).tokens.flatten(1, 3) for i in chosen]  # (L, tokens, D)
            self._over_clips = [analysis.token_pca(torch.cat([look[i] for look in looks])) for i in range(self.look.layers)]
        return self._over_clips

    def _bodies(self):
        joints = self.look.joints.numpy()
        titles = [f"layer {i + 1}" for i in self.layers]
        return plot.bodies([joints] * len(titles), self.store.skeleton, titles=titles)

    def _refresh(self, encode: bool = False) -> None:
        if encode:
            self.look = analysis.inside(self.encoder, self.store, self.index)
            self.stage.show(self._bodies())
        look, person, alike = self.look, self._person(), self.mode == "similarity"
        texts, bar, explained = [], None, []
        if alike:
            self.values = [analysis.token_similarity(look.tokens[i, person], *self.cell).numpy() for i in self.layers]
            low = min(float(v.min()) for v in self.values)
            bar = (low, 1.0, "cosine similarity")
            rgb = [shaded(v, (low, 1.0)) for v in self.values]
            texts = [[[f"{x:.2f}" for x in row] for row in v] for v in self.values]
        else:
            fitted = self._pca()
            self.values = [fitted[i].colours(look.tokens[i, person]).numpy() for i in self.layers]
            explained = [f"{float(fitted[i].explained.sum()):.0%}" for i in self.layers]
            rgb = [(255 * v).round().astype(np.uint8) for v in self.values]
        colors = []
        for each in rgb:
            people = np.full((look.steps, look.joints.shape[1], *each.shape[1:]), 217, np.uint8)  # the others: light grey
            people[:, person] = each
            colors.append(people.repeat(look.patch_frames, axis=0))
        self.stage.paint(colors, bar=bar, legend=[])
        self.stage.rings = [[person, self.cell[1]]] if alike else []
        titles = [f"layer {i + 1}" for i in self.layers]
        with self.grid.hold_sync():
            self.grid.show(np.stack(rgb), look.skeleton, titles, texts=texts)
            self.grid.ring = list(self.cell) if alike else []
        if alike:
            told = f"{look.name}: cosine with {looking.query_name(look, self.cell)}"
        else:
            told = f"{look.name}: first three components hold {', '.join(explained)} of the variance; the same " + (
                "color means the same on every clip"
                if self.over == "clips"
                else "color means the same within a layer of this clip"
            )
        self.note.value = html_text(told)

    def _choose_cell(self, step: int, joint: int) -> None:
        with self.hold_trait_notifications():
            self.mode, self.cell = "similarity", (step, joint)

    def _clicked_joint(self, change) -> None:
        at = change["new"]
        self.person = at["person"]
        self._choose_cell(at["frame"] // self.look.patch_frames, at["joint"])
