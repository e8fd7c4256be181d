"""TrainingMonitor: a run while it goes on, or several that are done, from their folders."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import ipywidgets as W
import pandas as pd
from matplotlib.figure import Figure

from slimlab import plot, pretrain
from slimlab.data import ClipStore
from slimlab.plot.markup import html_text
from slimlab.plot.training import COLOURS, FREE, PANELS, RARE, change_marks, training_values
from slimlab.pretrain.config import Config
from slimlab.pretrain.run import Run, RunError
from slimlab.widgets.controls import WIDE, button
from slimlab.widgets.curves import Curves, Line, Panel
from slimlab.widgets.sample import MaskedSample
from slimlab.widgets.state import Stateful
from slimlab.widgets.stills import Still

EVERY = 0.5  # seconds between two pictures
LOOK = 2.0  # seconds between two looks at the masked sample
BREATH = 0.005  # seconds after each step in which the notebook's buttons are heard


class TrainingMonitor(Stateful, Still, W.VBox):
    """Curves of runs, as `plot.training` draws them; with a store also a run that is started, paused, changed, stopped here.

    TrainingMonitor(*folders)                                  runs that are done, or go on elsewhere (`refresh`), overlaid
    TrainingMonitor(store, config=…, folder=…, beside=folders) trains: the buttons, or `await monitor.train()` in a cell

    Start runs in the notebook's own loop, between its messages: the cell is done at once, other cells run between two steps.
    Pause keeps everything in memory; stop writes a checkpoint; start again goes on from it to the same numbers. The mask ratio
    may be changed on the way: from the next step on, recorded in the run (`Run.changes`) and marked in the curves.
    `.sample` shows a masked clip and where the student finds the teacher's prototypes; `.figure()` the curves for a paper.
    """

    def __init__(
        self,
        *runs: ClipStore | Run | str | Path,
        config: Config | None = None,
        folder: str | Path | None = None,
        beside: tuple[Run | str | Path, ...] = (),
    ) -> None:
        stores = [r for r in runs if isinstance(r, ClipStore)]
        if len(stores) > 1 or (stores and len(runs) > 1):
            raise ValueError("TrainingMonitor: give one store to train on, or folders of runs; others go to beside=")
        self.store = stores[0] if stores else None
        if self.store is not None and folder is None:
            raise ValueError("TrainingMonitor: give folder=, where the run is kept")
        self.config, self.folder = config or Config(), None if folder is None else Path(folder)
        given = [r for r in (*runs, *beside) if not isinstance(r, ClipStore)]
        self.others = [r if isinstance(r, Run) else Run(r) for r in given]
        if self.store is None and not self.others:
            raise ValueError("TrainingMonitor: give a store to train on, or folders of runs")
        self.status = "ready"
        self.latest: pretrain.Step | None = None
        self._metrics: list[dict] = []
        self._task: asyncio.Task | None = None
        self._go_on = asyncio.Event()
        self._go_on.set()
        self._stopping = False
        self._drawn = self._looked = 0.0
        self._values: dict[str, dict] = {}  # of the other runs, as they were read last
        own = self._own()
        if own is not None:
            self._metrics = own.metrics.to_dict("records")
        self.curves = Curves(height=500, layout={"width": "100%"})
        self.sample = None if self.store is None else MaskedSample(self.store)
        self.line = W.HTML()
        self.progress = W.IntProgress(0, 0, self.config.steps, layout={"width": "260px"})
        self.start_button = button("start", self.start, "start, or go on from the last checkpoint", "play")
        self.pause_button = button("pause", self.pause, "hold after this step; everything stays in memory", "pause")
        self.stop_button = button("stop", self.stop, "write a checkpoint and leave", "stop")
        self.refresh_button = button("refresh", self.refresh, "read the folders again", "refresh")
        low, high = (self.config if own is None else own.config).mask_bounds
        settings = {"min": 0.05, "max": 0.95, "step": 0.05, "readout_format": ".2f", "continuous_update": False, "style": WIDE}
        self.ratio = W.FloatRangeSlider(value=(low, high), description="mask ratio", layout={"width": "330px"}, **settings)
        buttons = [self.start_button, self.pause_button, self.stop_button, self.progress] if self.store is not None else []
        row = W.HBox([*buttons, self.refresh_button, *([self.ratio] if buttons else [])], layout={"flex_flow": "row wrap"})
        self._tell("ready")
        super().__init__([row, self.line, self.curves, *([self.sample] if self.sample else [])])
        self.refresh()
        self.ratio.observe(lambda change: self._change(change["new"]), "value")

    def figure(self, **given) -> Figure:
        """The curves for a paper: `plot.training`."""
        mine = {} if self.folder is None else {self.folder.name: self.metrics}
        runs = mine | {name: run.metrics for name, run in self._named().items()}
        return plot.training(runs, **({"marks": self._marks()} | given))

    def _settings(self) -> dict[str, tuple[Any, str]]:
        sample = {} if self.sample is None else self.sample._settings()
        return {f"sample {name}": place for name, place in sample.items()}  # the mask ratio is the run's, not the view's

    def _call(self) -> str:
        others = [str(run.folder) for run in self.others]
        if self.store is None:
            return f"TrainingMonitor({', '.join(map(repr, others))})"
        beside = f", beside={tuple(others)!r}" if others else ""
        return f"TrainingMonitor(store, config=config, folder={str(self.folder)!r}{beside})"

    @property
    def metrics(self) -> pd.DataFrame:
        """Of the run that is trained here, a line a step."""
        return pd.DataFrame(list(self._metrics))  # a copy: in a JupyterLab that answers clicks in a thread, steps go on meanwhile

    @property
    def running(self) -> bool:
        """Whether steps are being made, or wait for the end of a pause."""
        return self.status in ("running", "paused")

    def start(self) -> asyncio.Task:
        """Start, or go on, in the notebook's loop; returns the task. After a pause: go on."""
        if self._task is not None and not self._task.done():
            self._resume()
            return self._task
        self._task = asyncio.get_running_loop().create_task(self.train())
        return self._task

    def pause(self) -> None:
        """Hold after this step; a second time: go on."""
        if self.status == "paused":
            self._resume()
        elif self.status == "running":
            self._go_on.clear()
            self._tell("paused")

    def stop(self) -> None:
        """Leave after this step, with a checkpoint."""
        if self.running:
            self._stopping = True
            self._go_on.set()

    def _resume(self) -> None:
        self._go_on.set()
        self._tell("running")

    async def train(self) -> Run | None:
        """Train until the end or until `stop`; gives the run. Also for a cell: `await monitor.train()`, where Stop interrupts."""
        if self.store is None or self.folder is None:
            raise ValueError("TrainingMonitor: there is no store to train on; make one with TrainingMonitor(store, folder=…)")
        if self.running:
            raise RuntimeError("TrainingMonitor: this run is already going on")
        self._stopping = False
        self._go_on.set()
        self._tell("running")
        stream = pretrain.stream(self.store, self.config, folder=self.folder)
        try:
            async for step in stream:
                self._take(step)
                await asyncio.sleep(BREATH)
                await self._go_on.wait()
                if self._stopping:
                    break
            await stream.aclose()
            self._tell("stopped" if self._stopping else "finished")
        except (FloatingPointError, RunError, ValueError) as error:
            self._tell("failed")
            self.line.value = f"<b>{html_text(error)}</b>"
            raise
        except BaseException:  # the notebook's Stop
            await stream.aclose()
            self._tell("stopped")
            raise
        finally:
            self._draw()
        return Run(self.folder)

    def refresh(self) -> None:
        """Read the folders of the other runs again and draw."""
        self.others = [type(run)(run.folder) for run in self.others]
        self._values = {name: training_values(run.metrics) for name, run in self._named().items()}
        self._draw()
        if self.latest is None and self.folder is not None and (self.folder / "checkpoint.pt").exists():
            run = Run(self.folder)
            self._look(run.student, run.teacher, run.config)

    def _take(self, step: pretrain.Step) -> None:
        if self.latest is None or self.latest.step >= step.step:
            self._metrics = [m for m in self._metrics if m["step"] < step.step]  # what a kill left after the last checkpoint
        self._metrics.append(step.metrics)
        self.latest = step
        if time.monotonic() - self._drawn > EVERY:
            self._draw()

    def _own(self) -> Run | None:
        """The run that is trained here, once there is one."""
        if self.latest is not None:
            return self.latest.run
        return Run(self.folder) if self.folder is not None and (self.folder / "config.json").exists() else None

    def _change(self, ratio: tuple[float, float]) -> None:
        """Another mask ratio for the steps to come."""
        run = self._own()
        if run is None:
            self.line.value = "The mask ratio can be changed once the run has begun; before that, give it in config="
            return
        try:
            run.change(self.latest.step + 1 if self.latest is not None and self.running else run.step, ratio)
        except (ValueError, RunError) as error:
            self.line.value = f"<b>{html_text(error)}</b>"
            return
        self._draw()

    def _named(self) -> dict[str, Run]:
        """The other runs by the names of their folders, or by their paths where two are called alike."""
        taken, named = {self.folder.name} if self.folder is not None else set(), {}
        for run in self.others:
            named[str(run.folder) if run.folder.name in taken | set(named) else run.folder.name] = run
        return named

    def _marks(self) -> list[tuple[float, str]]:
        run = self._own()
        return [] if run is None else change_marks(run.changes)

    def _draw(self) -> None:
        """One message for all curves. Only the run that is trained here is computed anew."""
        self._drawn = time.monotonic()
        mine = {} if self.folder is None else {self.folder.name: training_values(self.metrics)}
        runs = [(name, v, COLOURS[i % len(COLOURS)]) for i, (name, v) in enumerate((mine | self._values).items())]
        panels = [
            Panel(title, [Line(v[name]["x"], v[name]["y"], c, run, name in RARE) for run, v, c in runs], zero=name not in FREE)
            for name, title in PANELS.items()
        ]
        legend = [(run, c) for run, _, c in runs] if len(runs) > 1 else []
        self.curves.show(panels, columns=4, legend=legend, marks=self._marks())
        if self.latest is not None:
            self.progress.max, self.progress.value = self.latest.steps, self.latest.step + 1
            if self.status != "running" or time.monotonic() - self._looked > LOOK:
                trainer = self.latest.trainer
                self._look(trainer.student, trainer.teacher, trainer.config)
        if self.status != "failed":
            self._tell(self.status)

    def _look(self, student, teacher, config: Config) -> None:
        if self.sample is not None:
            self.sample.look(student, teacher, config)
            self._looked = time.monotonic()

    def _tell(self, status: str) -> None:
        self.status = status
        self.start_button.description = "go on" if status == "paused" or self._metrics else "start"
        self.start_button.disabled = status == "running"
        self.pause_button.disabled = self.stop_button.disabled = status not in ("running", "paused")
        text = str(self.latest) if self.latest is not None else f"{len(self.others)} runs" if self.store is None else ""
        self.line.value = f"<span class='slimlab-status'><b>{status}</b> {html_text(text)}</span>"
