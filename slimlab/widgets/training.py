"""TrainingMonitor: a run while it goes on, or several that are done, from their folders."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import ipywidgets as W
import pandas as pd
import plotly.graph_objects as go

from slimlab import plot, pretrain
from slimlab.config import Config
from slimlab.data import ClipStore
from slimlab.plot.training import training_values
from slimlab.run import Run, RunError
from slimlab.widgets.controls import button

EVERY = 0.5  # seconds between two pictures
BREATH = 0.005  # seconds after each step in which the notebook's buttons are heard


class TrainingMonitor(W.VBox):
    """Curves of runs, as `plot.training(runs)` draws them; with a store also a run that is started, paused and stopped here.

    TrainingMonitor(*folders)                                  runs that are done, or go on elsewhere (`refresh`), overlaid
    TrainingMonitor(store, config=…, folder=…, beside=folders) trains: the buttons, or `await monitor.train()` in a cell

    Start runs in the notebook's own loop, between its messages: the cell is done at once, other cells run between two steps.
    Pause keeps everything in memory; stop writes a checkpoint; start again goes on from it to the same numbers. Settings cannot
    be changed on the way: a run has one configuration.
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
        self._drawn = 0.0
        if self.folder is not None and (self.folder / "config.json").exists():
            self._metrics = Run(self.folder).metrics.to_dict("records")
        self.figure: Any = go.FigureWidget(plot.training(self._lines()))
        self.line = W.HTML()
        self.progress = W.IntProgress(0, 0, self.config.steps, layout={"width": "260px"})
        self.start_button = button("start", self.start, "start, or go on from the last checkpoint", "play")
        self.pause_button = button("pause", self.pause, "hold after this step; everything stays in memory", "pause")
        self.stop_button = button("stop", self.stop, "write a checkpoint and leave", "stop")
        self.refresh_button = button("refresh", self.refresh, "read the folders again", "refresh")
        buttons = [self.start_button, self.pause_button, self.stop_button, self.progress] if self.store is not None else []
        self._tell("ready")
        super().__init__([W.HBox([*buttons, self.refresh_button]), self.line, self.figure])

    @property
    def metrics(self) -> pd.DataFrame:
        """Of the run that is trained here, a line a step."""
        return pd.DataFrame(self._metrics)

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
        stream = pretrain.stream(self.store, self.config, self.folder)
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
            self.line.value = f"<b>{error}</b>"
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
        self.others = [Run(r.folder) for r in self.others]
        self._draw()

    def _take(self, step: pretrain.Step) -> None:
        if self.latest is None or self.latest.step >= step.step:
            self._metrics = [m for m in self._metrics if m["step"] < step.step]  # what a kill left after the last checkpoint
        self._metrics.append(step.metrics)
        self.latest = step
        if time.monotonic() - self._drawn > EVERY:
            self._draw()

    def _lines(self) -> dict[str, pd.DataFrame]:
        lines = {} if self.folder is None else {self.folder.name: self.metrics}
        for run in self.others:
            name = run.folder.name if run.folder.name not in lines else str(run.folder)
            lines[name] = run.metrics
        return lines

    def _draw(self) -> None:
        """One message for all curves. Only the run that goes on is computed anew while it does."""
        self._drawn = time.monotonic()
        mine = [self.metrics] if self.folder is not None else []
        others = [] if self.status == "running" else [run.metrics for run in self.others]
        values = [v for metrics in (*mine, *others) for v in training_values(metrics)]
        with self.figure.batch_update():
            for trace, value in zip(self.figure.data, values, strict=False):
                trace.update(value)
        if self.latest is not None:
            self.progress.max, self.progress.value = self.latest.steps, self.latest.step + 1
        if self.status != "failed":
            self._tell(self.status)

    def _tell(self, status: str) -> None:
        self.status = status
        self.start_button.description = "go on" if status == "paused" or self._metrics else "start"
        self.start_button.disabled = status == "running"
        self.pause_button.disabled = self.stop_button.disabled = status not in ("running", "paused")
        text = str(self.latest) if self.latest is not None else f"{len(self.others)} runs" if self.store is None else ""
        self.line.value = f"<span class='slimlab-status'><b>{status}</b> {text}</span>"
