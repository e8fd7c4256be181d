"""Attention on the moving body, on the grid of time steps and joints, head by head; masked beside unmasked, two encoders."""

from __future__ import annotations

from typing import Any

import ipywidgets as w
import numpy as np
import pandas as pd
import torch
import traitlets
from matplotlib.figure import Figure

from slimlab import analysis, masking, plot
from slimlab.analysis import Inside
from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.plot import looking, shaded
from slimlab.plot.markup import html_text
from slimlab.pretrain.run import Run
from slimlab.weights import load_encoder, pretrained
from slimlab.widgets.cells import Cells
from slimlab.widgets.controls import ClipChooser, snapshots
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still
from slimlab.widgets.texts import percent_texts


class AttentionExplorer(Stateful, Still, w.VBox):
    """Where a query looks. Click a joint on the body, or a token of the grid, to make it the query; click a head to see it alone.

    store, encoder  any store and an encoder of its body, none for the shipped `small`, or a run: its snapshots, on a slider
    other           a second encoder, beside the first (of the same view length)
    index, person   the clip, and whose attention is shown
    snapshot        of a run: "step 100", … as the slider names them; else ""
    layer           0-based; head: 0-based, or -1 for their mean; rolled: roll-out up to `layer` instead of heads
    query           "cls", "register 0", … or (time step, joint)
    ratio           of tokens masked by semantic tubes in a second picture; 0: none. seed: of the mask
    All of these can be set from Python. `values` are the numbers on screen, (T', V) in % of the query's attention, one array a
    picture; `figure()` is the picture for a paper, `distances()` a table.
    """

    snapshot = traitlets.Unicode("")
    index = traitlets.Int(0)
    person = traitlets.Int(0)
    layer = traitlets.Int(0)
    head = traitlets.Int(-1)
    rolled = traitlets.Bool(False)
    query = traitlets.Any("cls")
    ratio = traitlets.Float(0.0)
    seed = traitlets.Int(0)

    def __init__(
        self,
        store: ClipStore,
        encoder: Encoder | Run | None = None,
        index: int = 0,
        other: Encoder | None = None,
        titles: tuple[str, str] = ("encoder", "other encoder"),
        **state,
    ) -> None:
        super().__init__()
        self._snapshots = snapshots(encoder) if isinstance(encoder, Run) else {}
        self._read: dict[str, Encoder] = {}
        if isinstance(encoder, Run):
            encoder = self._snapshot(list(self._snapshots)[-1], store)
        encoder = encoder or pretrained("small", skeleton=store.skeleton)
        self.store, self.encoders, self.titles = store, [encoder] if other is None else [encoder, other], titles
        depth, heads = (min(getattr(e.config, name) for e in self.encoders) for name in ("depth", "heads"))
        self.looks: list[Inside] = []
        self.values: list[np.ndarray] = []
        self._names: list[str] = []
        with self.hold_trait_notifications():
            self.index, self.layer = range(len(store))[index], depth - 1
            self.snapshot = next(reversed(self._snapshots), "")
            for name, value in state.items():
                self._known(name)
                setattr(self, name, value)
        self._encode()
        self.stage = Stage(plot.bodies(self._joints(), store.skeleton, titles=self._names))
        self.grid, self.gallery = Cells(), Cells(height=118 * depth)
        self.note = w.HTML()
        named = [f"register {r}" for r in range(self.looks[0].registers)]
        self._chooser = ClipChooser(store, self.index)
        self._controls = {
            "index": self._chooser.number,
            "person": w.IntSlider(0, 0, store.max_people - 1, description="person", continuous_update=False),
            "layer": w.ToggleButtons(options=[(str(i + 1), i) for i in range(depth)], description="layer"),
            "head": w.Dropdown(options=[("mean of heads", -1), *((f"head {i + 1}", i) for i in range(heads))]),
            "rolled": w.Checkbox(False, description="roll-out", indent=False),
            "query": w.Dropdown(options=[("CLS", "cls"), *((n, n) for n in named), ("a token: click it", "cell")]),
            "ratio": w.FloatSlider(0.0, min=0.0, max=0.9, step=0.1, description="masked", continuous_update=False),
        }
        if len(self._snapshots) > 1:
            steps = w.SelectionSlider(options=list(self._snapshots), value=self.snapshot, description="snapshot")
            steps.continuous_update = False
            self._controls["snapshot"] = steps
        self._controls["layer"].style = {"button_width": "34px", "description_width": "auto"}
        self._controls["head"].layout.width = self._controls["query"].layout.width = "auto"
        self.gallery.layout.width = f"{min(100, 25 * heads)}%"
        for name, control in self._controls.items():
            if name != "query":
                control.value = getattr(self, name)
                traitlets.link((self, name), (control, "value"))
        self._controls["query"].observe(self._chosen, "value")
        self.stage.observe(self._clicked_joint, "clicked")
        self.stage.observe(lambda change: setattr(self.grid, "now", self._step(change["new"])), "frame")
        self.grid.on_cell(lambda panel, step, joint: setattr(self, "query", (step, joint)))
        self.gallery.on_cell(self._clicked_head)
        self.observe(lambda _: self._refresh(encode=True), ["snapshot", "index", "ratio", "seed"])
        self.observe(lambda _: self._refresh(), ["person", "layer", "head", "rolled", "query"])
        row = w.Layout(flex_flow="row wrap", align_items="center")
        names = [n for n in ("snapshot", "layer", "head", "rolled", "query", "person", "ratio") if n in self._controls]
        self.children = [
            self._chooser,
            w.HBox([self._controls[n] for n in names], layout=row),
            w.HBox([w.Box([self.stage], layout=w.Layout(width="56%")), w.Box([self.grid], layout=w.Layout(width="43%"))]),
            self.note,
            self.gallery,
        ]
        for box in self.children[2].children:
            box.children[0].layout.width = "100%"
        self._refresh()

    def figure(self, picture: int = 0, **given) -> Figure:
        """What is on screen, for a paper: `plot.attention`. picture: which of them, where there are several."""
        head = None if self.head < 0 else self.head
        state = {
            "query": self._query(self.looks[picture]),
            "layer": self.layer,
            "head": head,
            "person": self._shown_person(),
            "rolled": self.rolled,
        }
        return plot.attention(self.looks[picture], **state | given)

    def _settings(self) -> dict[str, tuple[Any, str]]:
        return {
            name: (self, name) for name in ("snapshot", "index", "person", "layer", "head", "rolled", "query", "ratio", "seed")
        }

    def _call(self) -> str:
        other = ", other=other" if len(self.encoders) > 1 else ""
        titles = "" if self.titles == ("encoder", "other encoder") else f", titles={self.titles!r}"
        return f"AttentionExplorer(store, {'run' if self._snapshots else 'encoder'}{other}{titles})"

    def distances(self) -> pd.DataFrame:
        """Mean attention distance of this clip's heads: picture, layer, head (1-based), hops, steps; and evenly spread."""
        lines = []
        for name, look in zip(self._names, self.looks, strict=True):
            far = analysis.attention_distance(look.attention[:, self._shown_person()], look.skeleton, look.steps)  # (L, H) each
            even = analysis.uniform_distance(look.skeleton, look.steps)
            for layer, head in np.ndindex(*far[0].shape):
                place = {"picture": name, "layer": layer + 1, "head": head + 1}
                measured = {"hops": float(far[0][layer, head]), "steps": float(far[1][layer, head])}
                lines.append(place | measured | {"even_hops": even[0], "even_steps": even[1]})
        return pd.DataFrame(lines)

    @traitlets.validate("snapshot")
    def _kept(self, proposal) -> str:
        if proposal["value"] not in (self._snapshots or ("",)):
            there = ", ".join(self._snapshots) or "none; give a run in place of the encoder"
            raise ValueError(f"snapshot '{proposal['value']}' is not there; there are {there}")
        return proposal["value"]

    @traitlets.validate("query")
    def _a_token(self, proposal) -> str | tuple[int, int]:
        given = proposal["value"]
        query: Any = tuple(int(v) for v in given) if isinstance(given, (tuple, list)) else given
        for look in self.looks[:1]:  # none while it is being made
            analysis.token_index(query, look.registers, look.steps, len(look.skeleton))
        return query

    @traitlets.validate("index", "layer", "head", "person", "ratio")
    def _possible(self, proposal) -> int | float:
        name, value = proposal["trait"].name, proposal["value"]
        highest = {
            "index": len(self.store) - 1,
            "layer": min(e.config.depth for e in self.encoders) - 1,
            "head": min(e.config.heads for e in self.encoders) - 1,
            "person": self.store.max_people - 1,
            "ratio": 0.9,
        }[name]
        lowest = -1 if name == "head" else 0
        if not lowest <= value <= highest:
            raise ValueError(f"{name} {value} must lie in {lowest}..{highest}")
        return value

    def _known(self, name: str) -> None:
        if name not in ("snapshot", "person", "layer", "head", "rolled", "query", "ratio", "seed"):
            raise ValueError(f"AttentionExplorer has no setting '{name}'")

    def _encode(self) -> None:
        frames, skeleton = self.encoders[0].config.frames, self.store.skeleton
        self.looks, self._names = [], []
        if self._snapshots:
            self.encoders[0] = self._snapshot(self.snapshot, self.store)
        for encoder, title in zip(self.encoders, self.titles, strict=False):
            self.looks.append(analysis.inside(encoder, self.store, self.index, frames=frames))
            self._names.append(title if len(self.encoders) > 1 else "unmasked" if self.ratio else self.looks[0].name)
            if self._snapshots and encoder is self.encoders[0]:
                self._names[-1] += f", {self.snapshot}"
            if self.ratio:
                rng = torch.Generator().manual_seed(self.seed)
                mask = masking.semantic_tubes(1, self.looks[-1].steps, skeleton, self.ratio, generator=rng)[0]
                self.looks.append(analysis.inside(encoder, self.store, self.index, mask, frames))
                self._names.append(f"{title if len(self.encoders) > 1 else 'clip'}, {self.ratio:.0%} masked")

    def _snapshot(self, name: str, store: ClipStore) -> Encoder:
        if name not in self._read:
            self._read[name] = load_encoder(self._snapshots[name], skeleton=store.skeleton)
        return self._read[name]

    def _joints(self) -> list[np.ndarray]:
        return [look.joints.numpy() for look in self.looks]

    def _refresh(self, encode: bool = False) -> None:
        if encode:
            self._encode()
            self.stage.show(plot.bodies(self._joints(), self.store.skeleton, titles=self._names))
        person = self._shown_person()
        head = None if self.head < 0 else self.head
        self.values = [
            looking.attention_values(look, self._query(look), self.layer, head, person, self.rolled) for look in self.looks
        ]
        top = max(float(v.max()) for v in self.values)
        colors, sizes = [], []
        for look, values in zip(self.looks, self.values, strict=True):
            each = np.full((look.steps, look.joints.shape[1], len(look.skeleton)), np.nan)
            each[:, person] = values
            each = each.repeat(look.patch_frames, axis=0)  # (F, P, V)
            colors.append(shaded(each, (0, top)))
            sizes.append(0.8 + 1.4 * np.nan_to_num(each / max(top, 1e-12)))
        cell = self.query if isinstance(self.query, tuple) else None
        self.stage.paint(colors, sizes, bar=(0.0, top, "attention (%)"))
        self.stage.rings = [] if cell is None else [[person, cell[1]]]
        self._grids(top, cell)
        self._gallery(person)
        self._words()
        self._controls["query"].value = "cell" if cell else self.query

    def _grids(self, top: float, cell: tuple[int, int] | None) -> None:
        steps = max(look.steps for look in self.looks)
        maps = [np.repeat(v, steps // len(v), axis=0) for v in self.values]  # the same width for encoders of other patches
        crossed = [[] if look.mask is None else look.mask.nonzero().tolist() for look in self.looks]
        texts = [percent_texts(v) for v in maps]
        with self.grid.hold_sync():
            self.grid.show(shaded(np.stack(maps), (0, top)), self.store.skeleton, self._names, crossed=crossed, texts=texts)
            self.grid.ring = [] if cell is None else list(cell)

    def _gallery(self, person: int) -> None:
        look = self.looks[0]
        maps = analysis.attention_map(look.attention[:, person], self._query(look), look.steps, len(look.skeleton)).numpy()
        most = maps.max(axis=(2, 3), keepdims=True)  # (L, H, 1, 1)
        colors = shaded((maps / np.maximum(most, 1e-12)).reshape(-1, *maps.shape[2:]), (0, 1))  # (L*H, T', V, 3)
        layers, heads = maps.shape[:2]
        titles = [f"layer {i + 1}, head {j + 1} · to {100 * most[i, j, 0, 0]:.1f} %" for i, j in np.ndindex(layers, heads)]
        with self.gallery.hold_sync():
            self.gallery.show(colors, look.skeleton, titles, columns=heads, labels=False)
            self.gallery.panel = -1 if self.head < 0 or self.rolled else self.layer * heads + self.head

    def _words(self) -> None:
        far = self.distances()
        now = far[(far["layer"] == self.layer + 1) & ((far["head"] == self.head + 1) | (self.head < 0))]
        means: Any = now.groupby("picture", sort=False)[["hops", "steps", "even_hops", "even_steps"]].mean()
        query = looking.query_name(self.looks[0], self.query)
        text = [
            f"<b>{html_text(name)}, from {html_text(query)}</b>: tokens look {r.hops:.2f} bones and {r.steps:.2f} time steps "
            f"away (spread evenly: {r.even_hops:.2f} and {r.even_steps:.2f}); "
            f"{max(0.0, 100 - float(v.sum())):.0f} % of this query's attention go to CLS and registers"
            for (name, r), v in zip(means.iterrows(), self.values, strict=True)
        ]
        self.note.value = "<br>".join(text)

    def _shown_person(self) -> int:
        """The chosen person, or the last one where a clip has fewer."""
        return min(self.person, self.looks[0].joints.shape[1] - 1)

    def _query(self, look: Inside):
        """The same moment where an encoder has other time steps."""
        if not isinstance(self.query, tuple):
            return self.query
        return self.query[0] * look.steps // self.looks[0].steps, self.query[1]

    def _step(self, frame: int) -> int:
        return frame // self.looks[0].patch_frames

    def _chosen(self, change) -> None:
        if change["new"] != "cell":
            self.query = change["new"]
        elif not isinstance(self.query, tuple):
            self.query = (self._step(self.stage.frame), self.store.skeleton.center)

    def _clicked_joint(self, change) -> None:
        at = change["new"]
        with self.hold_trait_notifications():
            self.person = at["person"]
            self.query = (self._step(at["frame"]), at["joint"])

    def _clicked_head(self, panel: int, step: int, joint: int) -> None:
        heads = self.looks[0].heads
        with self.hold_trait_notifications():
            self.rolled, self.layer, self.head = False, panel // heads, panel % heads
