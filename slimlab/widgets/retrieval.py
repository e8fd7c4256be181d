"""A query and what is nearest to it, played together; a cell of the confusion matrix gives its clips."""

from __future__ import annotations

from typing import Any

import ipywidgets as w
import numpy as np
import torch.nn.functional as F
import traitlets
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from slimlab import evaluate, plot
from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.evaluate import Features
from slimlab.plot.markup import html_text
from slimlab.plot.style import LEFT
from slimlab.weights import pretrained
from slimlab.widgets.cells import Cells
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still
from slimlab.widgets.texts import clip_names


class RetrievalViewer(Stateful, Still, w.VBox):
    """Queries (test clips) before a gallery (training clips). Click a cell of the confusion matrix to see the clips in it.

    encoder   of both stores' body, or none for the shipped `small`; or features=(of the gallery, of the queries)
    k         neighbours shown, 1..7; the confusion matrix is that of kNN with k = 1
    index     the query, a place in `queries`; show: "all", "hits", "misses"; cell: (true, predicted) classes or ()
    `listed` are the queries that show and cell leave, `neighbours` (k,) the gallery's clips beside the query, `result` kNN's.
    """

    index = traitlets.Int(0)
    show = traitlets.Enum(("all", "hits", "misses"), "all")
    cell = traitlets.Tuple()

    def __init__(
        self,
        gallery: ClipStore,
        queries: ClipStore,
        encoder: Encoder | None = None,
        features: tuple[Features, Features] | None = None,
        k: int = 4,
    ) -> None:
        super().__init__()
        self._given, self._k = "encoder" if features is None else "features=features", k
        if features is None:
            encoder = encoder or pretrained("small", skeleton=gallery.skeleton)
            features = evaluate.features(encoder, gallery), evaluate.features(encoder, queries)
        if (len(features[0]), len(features[1])) != (len(gallery), len(queries)):
            raise ValueError("RetrievalViewer: features and stores must hold the same clips")
        if not 1 <= k <= 7:
            raise ValueError(f"k is {k}, should be 1..7, what one screen shows")
        self.gallery, self.queries, self.features = gallery, queries, features
        self.result = evaluate.knn(*features, k=1)
        self._nearest = evaluate.knn(*features, k=min(k, len(gallery))).neighbours
        self._names = clip_names(gallery), clip_names(queries)
        self.listed = np.arange(len(queries))
        self.matrix = self._matrix()
        self.note = w.HTML()
        self._pick = w.IntSlider(0, 0, len(queries) - 1, description="query", continuous_update=False)
        self._show = w.ToggleButtons(options=["all", "hits", "misses"])
        self._show.style.button_width = "70px"
        self._clear = w.Button(description="all cells")
        self.stage = Stage(self._bodies(), height=340)
        self.stage.layout.width = "100%"
        traitlets.link((self, "show"), (self._show, "value"))
        self._pick.observe(self._picked, "value")
        self._clear.on_click(lambda _: setattr(self, "cell", ()))
        self.observe(lambda _: self._list(), ["show", "cell"])
        self.observe(lambda _: self._refresh(), "index")
        right = w.VBox(
            [w.HBox([self._pick, self._show, self._clear], layout=w.Layout(flex_flow="row wrap")), self.note, self.stage]
        )
        right.layout.width = "62%"
        self.children = [w.HBox([w.Box([self.matrix], layout=w.Layout(width="37%")), right])]
        self._refresh()

    @property
    def neighbours(self) -> np.ndarray:
        """(k,) places in the gallery, nearest first."""
        assert self._nearest is not None
        return self._nearest[self.index].numpy()

    @property
    def hits(self) -> np.ndarray:
        """(k,) bool: which neighbours have the query's class."""
        return self.gallery.labels[self.neighbours] == self.queries.labels[self.index]

    def figure(self, which: str = "neighbours", **given) -> Figure:
        """For a paper: "neighbours", the query's (`plot.neighbours`), or "confusion" (`plot.confusion`)."""
        if which == "confusion":
            return plot.confusion(self.result, self.queries.label_names, **given)
        return plot.neighbours(self.queries, self.index, self.gallery, self.neighbours, **given)

    def _settings(self) -> dict[str, tuple[Any, str]]:
        return {name: (self, name) for name in ("show", "cell", "index")}

    def _call(self) -> str:
        return f"RetrievalViewer(gallery, queries, {self._given}, k={self._k})"

    @traitlets.validate("index")
    def _possible(self, proposal) -> int:
        if not 0 <= proposal["value"] < len(self.queries):
            raise ValueError(f"query {proposal['value']} is not among the {len(self.queries)}")
        return proposal["value"]

    @traitlets.validate("cell")
    def _a_cell(self, proposal) -> tuple:
        cell, classes = tuple(int(v) for v in proposal["value"]), len(self.result.confusion)
        if cell and (len(cell) != 2 or not all(0 <= v < classes for v in cell)):
            raise ValueError(f"cell {cell} should be (true, predicted), each 0..{classes - 1}, or ()")
        return cell

    def _matrix(self) -> Cells:
        """The confusion matrix: rows are true classes, columns predicted ones."""
        counts = np.asarray(self.result.confusion)  # (C, C)
        names = [self.queries.label_names[i] if i < len(self.queries.label_names) else str(i) for i in range(len(counts))]
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        paint = 255 - share[..., None] * (255 - 255 * np.array(to_rgb(LEFT)))  # white to blue, (C, C, 3)
        said = [
            [f"true {t}, predicted {p}: {n} clips" for p, n in zip(names, row, strict=True)]
            for t, row in zip(names, counts, strict=True)
        ]
        matrix = Cells(height=500)
        numbered = [f"{i} {name}" for i, name in enumerate(names)]
        matrix.table(paint, numbered, f"true row, predicted column; kNN: {self.result.accuracy:.3f}", said)
        matrix.layout.width = "100%"
        matrix.on_cell(lambda _, predicted, true: setattr(self, "cell", (true, predicted)))
        self.observe(lambda change: setattr(matrix, "ring", list(change["new"][::-1])), "cell")
        return matrix

    def _picked(self, change) -> None:
        if len(self.listed):
            self.index = int(self.listed[change["new"]])

    def _list(self) -> None:
        right = (self.result.predictions == self.result.labels).numpy()
        keep = {"all": np.ones_like(right), "hits": right, "misses": ~right}[self.show]
        if self.cell:
            keep = keep & np.isin(np.arange(len(right)), self.result.clips(*self.cell))
        self.listed = np.flatnonzero(keep)
        if len(self.listed) and self.index not in self.listed:
            self.index = int(self.listed[0])
        self._refresh()

    def _bodies(self):
        similarity = F.cosine_similarity(self.features[1].x[self.index], self.features[0].x[self.neighbours.tolist()], dim=-1)
        label = self.queries.labels[self.index]
        titles = [f"query: {self._names[1][self.index]}"]
        for i, s in zip(self.neighbours, similarity.tolist(), strict=True):
            mark = "✓" if self.gallery.labels[i] == label else "✗"
            titles.append(f"{mark} {s:.3f} {self._names[0][int(i)]}")
        clips = [self.queries[self.index], *(self.gallery[int(i)] for i in self.neighbours)]
        return plot.bodies(clips, self.queries.skeleton, titles=titles)

    def _refresh(self) -> None:
        where = np.flatnonzero(self.listed == self.index)
        with self._pick.hold_trait_notifications():
            self._pick.max = max(0, len(self.listed) - 1)
            self._pick.value = int(where[0]) if len(where) else 0
        names = self.queries.label_names
        cell = f" with true class '{names[self.cell[0]]}', called '{names[self.cell[1]]}'" if self.cell else ""
        kept = f"{len(self.listed)} queries{cell}" if len(self.listed) else f"no query{cell}; still the one before"
        shelf = f"{int(self.hits.sum())} of its {len(self.neighbours)} nearest have the query's class"
        self.note.value = html_text(f"{kept}{'' if self.show == 'all' else ', ' + self.show}. Query {self.index}: {shelf}.")
        self.stage.show(self._bodies())
