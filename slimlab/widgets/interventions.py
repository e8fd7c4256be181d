"""Hide a limb, pull a joint, take out a head, and see at once what becomes of the features and of the clip's neighbors."""

from __future__ import annotations

import math
from typing import Any

import ipywidgets as w
import numpy as np
import torch
import torch.nn.functional as F
import traitlets
from matplotlib.figure import Figure

from slimlab import analysis, evaluate, plot
from slimlab.analysis import Intervention
from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.evaluate.subsets import alike
from slimlab.plot import shaded
from slimlab.plot.markup import html_text
from slimlab.weights import pretrained
from slimlab.widgets.cells import Cells
from slimlab.widgets.controls import ClipChooser, button, choice, slider
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still
from slimlab.widgets.texts import clip_names

FADED, OUT, IN = 200, (217, 217, 217), (0, 114, 178)  # grey of hidden joints; of heads that are out, and of those that are in
REACH = 50  # cm that a joint can be pulled along each axis


class InterventionExplorer(Stateful, Still, w.VBox):
    """Click a token to hide it, a joint to pull it, a head to take it out; see the features move and the neighbors change.

    store, encoder   any store and an encoder of its body, or none for the shipped `small`
    gallery          clips among which neighbors are looked for; None: the other clips of the store. Their features are those of
                     the unchanged network
    index            the clip
    hidden           tokens (time step, joint) that the encoder does not see
    pulled           joint -> (x, y, z) cm by which it is moved; joint: the one that the sliders move
    heads            (layer, head) pairs that are taken out, 0-based; registers: whether all registers are
    All can be set from Python. `result` is what is on the screen, an `analysis.Intervention`; `neighbors` (2,) the places in the
    gallery of the nearest clip before and after; `votes` (2, classes) what the 20 nearest say before and after.
    """

    index = traitlets.Int(0)
    hidden = traitlets.Tuple(())
    pulled = traitlets.Dict({})
    joint = traitlets.Int(0)
    heads = traitlets.Tuple(())
    registers = traitlets.Bool(False)

    def __init__(
        self, store: ClipStore, encoder: Encoder | None = None, gallery: ClipStore | None = None, index: int = 0, **state
    ) -> None:
        super().__init__()
        encoder = encoder or pretrained("small", skeleton=store.skeleton)
        self._same, self._waits = gallery is None, False
        self.encoder, (self.store, self.gallery) = encoder, (store, store) if gallery is None else alike(store, gallery)
        self._features = evaluate.features(encoder, self.gallery)
        self._names, self._people = clip_names(self.gallery), self.gallery.column("people") > 0
        config = encoder.config
        self._grid = config.frames // config.patch_frames, len(store.skeleton)
        with self.hold_trait_notifications():
            self.index, self.joint = range(len(store))[index], store.skeleton.center
            for name, value in state.items():
                if name not in self.trait_names() or name not in ("hidden", "pulled", "joint", "heads", "registers"):
                    raise ValueError(f"InterventionExplorer has no setting '{name}'")
                setattr(self, name, value)
        self.result: Intervention
        self._look()
        self.stage, self.grid, self.network, self.note = (
            Stage(self._bodies(), height=340),
            Cells(height=400),
            Cells(height=150),
            w.HTML(),
        )
        self._chooser = ClipChooser(store, self.index)
        traitlets.link((self, "index"), (self._chooser.number, "value"))
        parts = [("a limb …", ""), *((name, name) for name in store.skeleton.parts)]
        self._limb = choice("hide", parts, "")
        self._limb.observe(self._hide_limb, "value")
        self._joint = choice("joint", list(zip(store.skeleton.names, range(len(store.skeleton)), strict=True)), self.joint)
        traitlets.link((self, "joint"), (self._joint, "value"))
        self._axes = [slider(axis, 0, -REACH, REACH, 1, layout={"width": "230px"}) for axis in ("x cm", "y cm", "z cm")]
        for axis in self._axes:
            axis.observe(lambda _: self._pull(), "value")
        self._registers = w.Checkbox(self.registers, description="registers out", indent=False)
        traitlets.link((self, "registers"), (self._registers, "value"))
        row = w.Layout(flex_flow="row wrap", align_items="center")
        self.children = [
            self._chooser,
            w.HBox([self._limb, self._joint, *self._axes, self._registers, button("as it was", self.reset)], layout=row),
            self.note,
            self.stage,
            w.HBox([w.Box([self.grid], layout=w.Layout(width="55%")), w.Box([self.network], layout=w.Layout(width="44%"))]),
        ]
        for box in (self.stage, self.grid, self.network):
            box.layout.width = "100%"
        self.grid.on_cell(lambda panel, step, joint: self._toggle("hidden", (step, joint)))
        self.network.on_cell(lambda panel, head, layer: self._toggle("heads", (layer, head)))
        self.stage.observe(lambda change: setattr(self, "joint", change["new"]["joint"]), "clicked")
        self.observe(lambda _: self._refresh(), ["index", "hidden", "pulled", "heads", "registers"])
        self.observe(lambda _: self._show_pull(), ["joint", "pulled"])
        self._show_pull()
        self._refresh()

    def reset(self) -> None:
        """Undo everything that was done to the clip and to the network."""
        self._waits = True
        try:
            self.hidden, self.pulled, self.heads, self.registers = (), {}, (), False
        finally:
            self._waits = False
        self._limb.value = ""
        self._refresh()

    def _settings(self) -> dict[str, tuple[Any, str]]:
        return {name: (self, name) for name in ("index", "hidden", "pulled", "joint", "heads", "registers")}

    def _call(self) -> str:
        gallery = "" if self._same else ", gallery"
        return f"InterventionExplorer(store, encoder{gallery})"

    def code(self) -> str:
        """The call that gives what is on the screen."""
        meters = {j: tuple(v / 100 for v in by) for j, by in self.pulled.items()}
        how = [f"{name}={value!r}" for name, value in (("pulled", meters), ("heads", list(self.heads))) if value]
        how += ["registers=True"] if self.registers else []
        mask = f"hidden = torch.zeros{self._grid}.bool()\n" if self.hidden else ""
        mask += f"hidden[{[s for s, _ in self.hidden]}, {[j for _, j in self.hidden]}] = True\n" if self.hidden else ""
        call = ", ".join(["encoder", "store", str(self.index), *(["hidden=hidden"] if self.hidden else []), *how])
        return f"{mask}analysis.intervene({call})"

    def figure(self, **given) -> Figure:
        """For a paper: how much hiding each part of the body changes this clip's features (`plot.occlusion`)."""
        return plot.occlusion(analysis.occlude(self.encoder, self.store, [self.index], "parts"), **given)

    @traitlets.validate("index", "joint")
    def _possible(self, proposal) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        highest = (len(self.store) if name == "index" else len(self.store.skeleton)) - 1
        if not 0 <= value <= highest:
            raise ValueError(f"{name} {value} must lie in 0..{highest}")
        if name == "index" and not self.store.column("people")[value]:
            raise ValueError(f"index {value}: nobody is in this clip")
        return value

    @traitlets.validate("pulled")
    def _joints(self, proposal) -> dict[int, tuple[float, ...]]:
        pulled = {int(joint): tuple(by) for joint, by in proposal["value"].items()}
        for joint, by in pulled.items():
            finite = all(isinstance(v, (int, float)) and math.isfinite(v) for v in by)
            if not 0 <= joint < len(self.store.skeleton) or len(by) != 3 or not finite:
                raise ValueError(f"pulled {joint}: {by} should be a joint 0..{len(self.store.skeleton) - 1} and three cm")
        return pulled

    @traitlets.validate("hidden", "heads")
    def _pairs(self, proposal) -> tuple:
        name, config = proposal["trait"].name, self.encoder.config
        most = self._grid if name == "hidden" else (config.depth, config.heads)
        words = "(time step, joint)" if name == "hidden" else "(layer, head)"
        pairs = tuple(sorted({(int(a), int(b)) for a, b in proposal["value"]}))
        for a, b in pairs:
            if not (0 <= a < most[0] and 0 <= b < most[1]):
                raise ValueError(f"{name} {(a, b)} should be {words}, below {most}")
        return pairs

    def _done(self) -> Intervention:
        mask = torch.zeros(self._grid, dtype=torch.bool)
        for step, joint in self.hidden:
            mask[step, joint] = True
        meters = {int(j): tuple(v / 100 for v in by) for j, by in self.pulled.items()}
        how = {"pulled": meters, "heads": self.heads, "registers": self.registers}
        return analysis.intervene(self.encoder, self.store, self.index, hidden=mask, **how)  # pyright: ignore[reportArgumentType]

    def _near(self, features: torch.Tensor) -> tuple[int, np.ndarray]:
        """The nearest clip of the gallery, and the votes (classes,) of the 20 nearest, weighted as kNN weights them."""
        close = F.cosine_similarity(features[None], self._features.x, dim=1)  # (N,)
        others = self._people.copy()
        if self._same:
            others[self.index] = False
        close[~torch.from_numpy(others)] = -2
        best = close.topk(min(20, max(1, int(others.sum()))))
        labels = self._features.labels[best.indices]
        votes = np.zeros(max(1, int(self._features.labels.max()) + 1))
        known = labels >= 0
        np.add.at(votes, labels[known].numpy(), (best.values[known] / 0.07).softmax(dim=0).numpy())
        return int(best.indices[0]), votes

    def _bodies(self):
        look, (before, after) = self.result, self.neighbors
        clips = [look.joints.numpy(), self.gallery[before], self.gallery[after]]
        titles = ["what the encoder sees", f"nearest before: {self._names[before]}", f"nearest now: {self._names[after]}"]
        return plot.bodies(clips, self.store.skeleton, titles=titles)

    def _look(self) -> None:
        """Intervene as the settings say, and find the neighbors before and after."""
        self.result = self._done()
        found = [self._near(f) for f in (self.result.before, self.result.after)]
        self.neighbors = np.array([place for place, _ in found])
        self.votes = np.stack([votes for _, votes in found])

    def _refresh(self) -> None:
        if self._waits:  # of several settings the last one is drawn
            return
        self._look()
        look, bodies = self.result, self._bodies()
        self.stage.show(bodies)
        shown = look.hidden.repeat_interleave(len(look.joints) // self._grid[0], dim=0).numpy()  # (T, V)
        shown = shown[np.minimum(np.arange(len(bodies)), len(shown) - 1), None, :, None]  # (F, 1, V, 1): held as the body is
        self.stage.paint([np.where(shown, np.uint8(FADED), bodies.colors[0]), *bodies.colors[1:]], legend=[])
        self.stage.rings = [[0, self.joint]]
        values = look.tokens.mean(dim=0).numpy()  # (T', V)
        texts = [[[f"{v:.2f}" for v in row] for row in values]]
        top = max(0.01, float(values.max()))
        crossed = [look.hidden.nonzero().tolist()]
        self.grid.show(
            shaded(values[None], (0, top)),
            self.store.skeleton,
            [f"change of each token, to {top:.2f}"],
            crossed=crossed,
            texts=texts,
        )
        self._show_network()
        self._tell()

    def _show_network(self) -> None:
        depth, heads = self.encoder.config.depth, self.encoder.config.heads
        out = {(layer, head): (layer, head) in self.heads for layer in range(depth) for head in range(heads)}
        colors = np.array([[OUT if out[a, b] else IN for b in range(heads)] for a in range(depth)], dtype=np.uint8)
        said = [
            [f"layer {a + 1}, head {b + 1}: {'out' if out[a, b] else 'in'}; click to change" for b in range(heads)]
            for a in range(depth)
        ]
        names, columns = [f"layer {a + 1}" for a in range(depth)], [f"head {b + 1}" for b in range(heads)]
        self.network.table(colors, names, "heads: click to take out", said, columns)

    def _tell(self) -> None:
        look, names = self.result, self.gallery.label_names
        said = []
        for votes in self.votes:
            top = np.argsort(-votes)[:3]
            said.append(
                ", ".join(f"{names[i] if i < len(names) else i} {votes[i]:.0%}" for i in top if votes[i] > 0.005) or "no label"
            )
        same = "the same nearest clip" if self.neighbors[0] == self.neighbors[1] else "another nearest clip"
        self.note.value = html_text(
            f"features moved by {look.change:.3f} (cosine distance), {same}. The 20 nearest said: {said[0]}; now: {said[1]}."
        )

    def _toggle(self, name: str, pair: tuple[int, int]) -> None:
        pairs = set(getattr(self, name))
        setattr(self, name, tuple(sorted(pairs ^ {pair})))

    def _hide_limb(self, change) -> None:
        if change["new"]:
            joints = self.store.skeleton.parts[change["new"]]
            own = {(step, joint) for step in range(self._grid[0]) for joint in joints}
            self.hidden = tuple(sorted({*self.hidden, *own}))

    def _show_pull(self) -> None:
        self._showing = True
        pulled: Any = self.pulled  # pyright takes its keys for text
        by = pulled.get(self.joint, (0, 0, 0))
        for axis, value in zip(self._axes, by, strict=True):
            axis.value = round(value)
        self._showing = False
        self.stage.rings = [[0, self.joint]]

    def _pull(self) -> None:
        if self._showing:
            return
        by = tuple(axis.value for axis in self._axes)
        rest = {j: v for j, v in self.pulled.items() if j != self.joint}
        self.pulled = rest | ({self.joint: by} if any(by) else {})
