"""A long recording and its timeline: scrub it, click on it, and see the nearest known clips play beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ipywidgets as w
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure

from slimlab import analysis, plot
from slimlab.data import ClipStore
from slimlab.evaluate import Predictor
from slimlab.plot.markup import html_text
from slimlab.plot.style import MIDDLE, colour
from slimlab.plot.timeline import shown_labels, true_labels
from slimlab.widgets.controls import slider
from slimlab.widgets.curves import Curves, Line, Panel
from slimlab.widgets.stage import Stage
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still
from slimlab.widgets.texts import clip_names

MOST = 20_000  # frames that the stage is sent; of a longer recording every second one, or third, and so on
ROW = 24  # pixels of a class in the timeline
TRUE = "#999999"  # of true labels; dark enough for words


class TimelineExplorer(Stateful, Still, w.VBox):
    """The recording plays, a cursor runs over its timeline; click on the timeline to jump there.

    store, index   the recording
    predictor      an encoder and its probe (`evaluate.fit_predictor`)
    gallery        clips to compare with, such as those that the predictor was fitted on: the nearest of them to the window play
                   beside the recording, and the timeline has novelty. None: neither
    truth          segments with start and end in seconds and label_name, such as `data.concatenate` gives, or None
    fps            frames a second, where the store does not know
    k              nearest clips that play, 1..4
    time           seconds into the recording; seconds, stride: of the windows (the recording is read again)
    These three can be set from Python. `recording` is what was read (`analysis.read_recording`), `window` the place of the
    window in it whose middle is nearest to `time`, `code()` the call that gives the same.
    """

    time = traitlets.Float(0.0)
    seconds = traitlets.Float(3.0)
    stride = traitlets.Float(0.5)

    def __init__(
        self,
        store: ClipStore,
        index: int,
        predictor: Predictor,
        gallery: ClipStore | None = None,
        truth: pd.DataFrame | None = None,
        fps: float | None = None,
        k: int = 2,
        **state,
    ) -> None:
        super().__init__()
        if not 1 <= k <= 4:
            raise ValueError(f"k is {k}, should be 1..4, what one screen shows")
        self.store, self.index, self.predictor, self.gallery, self.truth = (
            store,
            range(len(store))[index],
            predictor,
            gallery,
            truth,
        )
        self.k = k if gallery is None else min(k, len(gallery))
        self._given, self.fps = fps, float(fps or store.fps or 0)
        self._clip = store[self.index]
        self._length = len(self._clip.joints) / (self.fps or 1)
        unknown = [name for name in state if name not in ("time", "seconds", "stride")]
        if unknown:
            raise ValueError(f"TimelineExplorer has no setting '{unknown[0]}'")
        with self.hold_trait_notifications():
            for name, value in state.items():
                setattr(self, name, value)
        self._known = None if gallery is None else predictor.features(gallery)
        self._names = [] if gallery is None else clip_names(gallery)
        self.recording = self._read()
        self._every = -(-len(self._clip.joints) // MOST)
        self.stage = Stage(self._body(), height=340)
        self.beside = None if gallery is None else Stage(self._near(), height=340, playing=True)
        self.labels, self.signals, self.note = Curves(), Curves(), w.HTML()
        longest = max(1.0, round(min(self._length, 10.0), 1))
        self._controls = [
            slider(
                "window (s)", self.seconds, min(0.5, self.seconds), max(longest, self.seconds), 0.25, layout={"width": "320px"}
            ),
            slider("stride (s)", self.stride, min(0.1, self.stride), max(3.0, self.stride), 0.05, layout={"width": "320px"}),
        ]
        for name, control in zip(("seconds", "stride"), self._controls, strict=True):
            traitlets.link((self, name), (control, "value"))
        boxes = [self.stage] if self.beside is None else [self.stage, self.beside]
        widths = ["100%"] if self.beside is None else [f"{100 // (self.k + 1)}%", f"{100 - 100 // (self.k + 1) - 1}%"]
        for box in (*boxes, self.labels, self.signals):
            box.layout.width = "100%"
        self.children = [
            w.HBox([w.Box([box], layout=w.Layout(width=wide)) for box, wide in zip(boxes, widths, strict=True)]),
            self.note,
            self.labels,
            self.signals,
            w.HBox(self._controls, layout=w.Layout(flex_flow="row wrap")),
        ]
        for curves in (self.labels, self.signals):
            curves.on_pick(self._jump)
        self.stage.observe(lambda change: self._heard(change["new"]), "frame")
        self.observe(lambda _: self._move(), "time")
        self.observe(lambda _: self._again(), ["seconds", "stride"])
        self._show()

    def _settings(self) -> dict[str, tuple[Any, str]]:
        return {name: (self, name) for name in ("seconds", "stride", "time")}

    @property
    def window(self) -> int:
        """The place in `recording` of the window whose middle is nearest to `time`."""
        return int(np.abs(self.recording.table["time"].to_numpy() - self.time).argmin())

    @property
    def neighbors(self) -> np.ndarray:
        """(k,) places in the gallery of the clips nearest to the window, nearest first; none without a gallery."""
        found = self.recording.neighbors
        return np.zeros(0, dtype=np.int64) if found is None else found[self.window]

    def code(self) -> str:
        """The call that gives the timeline on the screen."""
        how = [] if self.gallery is None else ["gallery=gallery"]
        how += [f"seconds={self.seconds:g}", f"stride={self.stride:g}", *([f"fps={self._given!r}"] if self._given else [])]
        return f"analysis.timeline(predictor, store, {self.index}, {', '.join(how)})"

    def figure(self, **given) -> Figure:
        """The whole timeline for a paper: `plot.timeline`."""
        names = given.pop("names", self.predictor.names)
        return plot.timeline(self.recording.table, self.truth, names, **given)

    def save(self, path: str | Path) -> Path:
        """Write `figure()`, with its table as CSV beside it: `plot.save`."""
        return plot.save(self.figure(), path)

    @traitlets.validate("time")
    def _moment(self, proposal) -> float:
        return min(max(0.0, float(proposal["value"])), max(0.0, self._length - 1 / (self.fps or 1)))

    @traitlets.validate("seconds", "stride")
    def _positive(self, proposal) -> float:
        name, value = proposal["trait"].name, round(float(proposal["value"]), 3)
        if not value * self.fps >= 1 and self.fps:
            raise ValueError(f"{name} {value:g} is under a frame at {self.fps:g} frames a second")
        return min(value, max(round(self._length, 3), 3.0))  # of a longer window there is one, the whole recording

    def _read(self) -> analysis.Recording:
        return analysis.read_recording(
            self.predictor,
            self.store,
            self.index,
            gallery=self._known,
            seconds=self.seconds,
            stride=self.stride,
            fps=self._given,
            k=self.k,
        )

    def _body(self) -> plot.Bodies:
        title = f"{self._clip.name}" + (f", every {self._every} frames" if self._every > 1 else "")
        clip, some = self._clip, slice(None, None, self._every)
        shown = replace(clip, joints=clip.joints[some], valid=clip.valid[some], seen=clip.seen[some])
        return plot.bodies(shown, self.store.skeleton, titles=[title], fps=self.fps / self._every)

    def _near(self) -> plot.Bodies:
        assert self.gallery is not None and self.recording.similarity is not None
        alike = self.recording.similarity[self.window]
        titles = [f"{s:.3f} {self._names[int(i)]}" for i, s in zip(self.neighbors, alike, strict=True)]
        clips = [self.gallery[int(i)] for i in self.neighbors]
        return plot.bodies(clips, self.store.skeleton, titles=titles, fps=self.gallery.fps or self.fps)

    def _jump(self, time: float) -> None:
        self.time = time

    def _heard(self, frame: int) -> None:
        """The stage played on, or was scrubbed."""
        if frame != self._frame():
            self.time = frame * self._every / self.fps

    def _frame(self) -> int:
        return round(self.time * self.fps) // self._every

    def _move(self) -> None:
        """To another moment: cursor, body, words, and other neighbors where there are others."""
        self.stage.frame = self._frame()
        for curves in (self.labels, self.signals):
            curves.cursor = [round(self.time, 3)]
        self._tell()
        if self.beside is not None and not np.array_equal(self.neighbors, self._beside):
            self._beside = self.neighbors
            self.beside.show(self._near())

    def _again(self) -> None:
        self.recording = self._read()
        self._show()

    def _show(self) -> None:
        table, truth = self.recording.table, self.truth
        times = table["time"].to_numpy()
        rows = shown_labels(table, truth, self.predictor.names)
        lines = [] if truth is None else [_strip(times, true_labels(times, truth), rows, TRUE, "true", 11)]
        sure = [f"{c:.0%}" for c in table["confidence"]]
        lines.append(_strip(times, table["label"].tolist(), rows, colour(0), "label", 4, sure))
        legend = [("label", colour(0))] if truth is None else [("label", colour(0)), ("true label", TRUE)]
        levels = [(_height(i, rows), name) for i, name in enumerate(rows)]
        self.labels.height = ROW * len(rows) + 80
        panel = Panel("label", lines, levels=levels, ticks=False)
        self.labels.show([panel], x_title="time (s)", legend=legend)
        panels = [
            Panel(name, [Line(times, table[name].to_numpy(), colour(0), gaps=True)])
            for name in ("confidence", "novelty")
            if name in table
        ]
        change, peaks = table["change"].to_numpy(), table["boundary"].to_numpy(bool)
        marks = Line(times, np.where(peaks, change, np.nan), colour(1), "boundary", dots=True, gaps=True, texts=_said(peaks))
        panels.append(Panel("change; orange: a boundary", [Line(times, change, MIDDLE), marks]))
        self.signals.height = 90 * len(panels) + 20
        self.signals.show(panels, x_title="time (s)")
        self._beside = np.full(1, -1)
        self._move()

    def _tell(self) -> None:
        row = self.recording.table.iloc[self.window]
        start = row["first_frame"] / (self.fps or 1)
        text = f"{self.time:.1f} s. Window {start:.1f} to {2 * row['time'] - start:.1f} s: "
        text += f"{row['label']}, confidence {row['confidence']:.0%}" if row["label"] else "nobody is there"
        if self.truth is not None:
            true = true_labels(np.array([row["time"]]), self.truth)[0]
            text += f"; true label at its middle: {true or 'none'}"
        if "novelty" in row and row["label"]:
            text += f"; novelty {row['novelty']:.2f}"
        self.note.value = html_text(text + ".")


def _height(row: int, rows: list[str]) -> float:
    """Of a class's row, the first one on top, the last one clear of the axis."""
    return len(rows) - row - 0.3


def _strip(times: np.ndarray, names: list[str], rows: list[str], paint: str, what: str, width: float, more=None) -> Line:
    """A thick line in the row of each moment's class; it breaks where the class changes."""
    place = {name: _height(i, rows) for i, name in enumerate(rows)}
    half = np.diff(times).min(initial=0.5) / 2
    x, y, said = [], [], []
    for i, (time, name) in enumerate(zip(times, names, strict=True)):
        text = f"{what}: {name or 'none'}" + (f", {more[i]}" if more else "")
        at = place.get(name, np.nan)
        x += [time - half, time, time + half, time + half]
        same = i + 1 < len(names) and names[i + 1] == name
        y += [at, at, at, at if same else np.nan]
        said += [text] * 4
    return Line(np.array(x), np.array(y), paint, what, texts=said, width=width, gaps=True)


def _said(peaks: np.ndarray) -> list[str]:
    return ["boundary" if peak else "no boundary" for peak in peaks]
