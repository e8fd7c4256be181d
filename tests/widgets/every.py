"""One of every widget, made from a store of hostile texts, and what there is inside a widget."""

from collections.abc import Callable, Iterator
from pathlib import Path

import ipywidgets
import numpy as np

from slimlab import data, plot, pretrain, widgets
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import fit_predictor, random_encoder
from slimlab.widgets.curves import Line, Panel
from tests import hostile


class Every:
    """`makers` has a function for each public widget; each call makes one anew."""

    def __init__(self, folder: Path) -> None:
        self.store = hostile.store()
        config = EncoderConfig(width=32, depth=2, heads=2, patch_frames=8, frames=32, init_std=None, skeleton=hostile.BODY)
        self.encoder, other = (random_encoder(config, seed=seed) for seed in (0, 1))
        settings = pretrain.Config(
            preset="tiny", steps=3, batch_size=8, width=32, depth=1, prototypes=16, evaluations=1, checkpoint_seconds=1e9
        )
        self.run = pretrain.fit(self.store, settings, folder=folder / hostile.TAG, progress=False)
        even, odd = self.store[::2], self.store[1::2]
        numbers = np.random.default_rng(0).normal(size=(len(self.store), 8)).astype(np.float32)
        self.makers: dict[str, Callable[[], ipywidgets.DOMWidget]] = {
            "AttentionExplorer": lambda: widgets.AttentionExplorer(
                self.store, self.encoder, other=other, titles=(hostile.TEXT, hostile.TEXT + "2"), query=(1, 2), ratio=0.5
            ),
            "AugmentationExplorer": lambda: widgets.AugmentationExplorer(self.store),
            "Cells": self._cells,
            "ClipPlayer": lambda: widgets.ClipPlayer(self.store, others=[1], names=True),
            "Curves": self._curves,
            "EmbeddingExplorer": lambda: self._embedding({hostile.TEXT: numbers, "b" + hostile.TEXT: numbers[:, ::-1].copy()}),
            "FeatureExplorer": lambda: widgets.FeatureExplorer(self.store, self.encoder),
            "InterventionExplorer": lambda: widgets.InterventionExplorer(self.store, self.encoder, hidden=((0, 1),)),
            "MaskExplorer": self._masks,
            "MaskedSample": self._sample,
            "PrototypeExplorer": lambda: widgets.PrototypeExplorer(self.run, self.store),
            "RetrievalViewer": lambda: self._retrieval(even, odd),
            "Scatter": self._scatter,
            "Stage": lambda: widgets.Stage(plot.bodies([self.store[0], self.store[1]], self.store.skeleton), names=True),
            "TimelineExplorer": self._timeline,
            "TrainingMonitor": lambda: widgets.TrainingMonitor(self.store, config=settings, folder=self.run.folder),
        }

    def _cells(self) -> widgets.Cells:
        cells = widgets.Cells()
        colors = np.random.default_rng(0).integers(0, 255, (2, 4, 25, 3))
        cells.show(colors, self.store.skeleton, [hostile.TEXT] * 2, crossed=[[(0, 1)], []], bars=np.linspace(0, 1, 25))
        return cells

    def _curves(self) -> widgets.Curves:
        curves, x = widgets.Curves(), np.arange(5.0)
        line = Line(x, x**2, "#0072B2", hostile.TEXT, dots=True)
        panels = [Panel(hostile.TEXT, [line]), Panel(hostile.TEXT, [line], bars=True, levels=[(3.0, hostile.TEXT)])]
        curves.show(panels, 2, hostile.TEXT, [(hostile.TEXT, "#0072B2")], [(2.0, hostile.TEXT)])
        return curves

    def _embedding(self, features) -> widgets.EmbeddingExplorer:
        explorer = widgets.EmbeddingExplorer(self.store, features)
        explorer.beside = hostile.TEXT
        explorer.selected = [0, 1]
        return explorer

    def _masks(self) -> widgets.MaskExplorer:
        explorer = widgets.MaskExplorer(self.store, frames=32)
        explorer.more.selected_index = 0
        return explorer

    def _sample(self) -> widgets.MaskedSample:
        sample = widgets.MaskedSample(self.store)
        sample.look(self.run.student, self.run.teacher, self.run.config)
        return sample

    def _retrieval(self, gallery, queries) -> widgets.RetrievalViewer:
        viewer = widgets.RetrievalViewer(gallery, queries, self.encoder)
        viewer.cell = (1, 3)
        return viewer

    def _timeline(self) -> widgets.TimelineExplorer:
        predictor = fit_predictor(self.encoder, self.store)
        whole, parts = data.concatenate(self.store, [0, 1, 2], name=hostile.TEXT)
        return widgets.TimelineExplorer(whole, 0, predictor, self.store, truth=parts, fps=30.0, seconds=0.5)

    def _scatter(self) -> widgets.Scatter:
        scatter = widgets.Scatter()
        scatter.show(np.eye(3, 2), np.arange(3), [hostile.TEXT] * 3, hostile.TEXT)
        return scatter


def inside(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    """A widget and all that it holds, whether it is on the screen or not."""
    seen, waiting = set(), [widget]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        held = [*getattr(one, "children", ()), *vars(one).values(), *one._trait_values.values()]
        waiting += [w for w in held if isinstance(w, ipywidgets.Widget)]
