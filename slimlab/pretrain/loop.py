"""Pre-training: `fit` blocks, `stream` yields step by step; both are the same loop over a run folder.

A run killed at any moment continues from its last checkpoint to the numbers of an uninterrupted one: the randomness of a
step depends on (seed, step) alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from slimlab._system import distributed
from slimlab._system.signals import ended_gently, held
from slimlab.data import ClipStore
from slimlab.pretrain import run
from slimlab.pretrain.method import SLIM, Method
from slimlab.pretrain.monitor import CollapseRule, monitor
from slimlab.pretrain.run import Collapsed, Run, RunError
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.setup import check_shares, device_of, folder_of, open_run, usable

__all__ = ["Step", "fit", "steps", "stream"]


@dataclass(frozen=True, repr=False)
class Step:
    """What `stream` yields: the step just done (0-based), how many there are, its metrics, and the run."""

    step: int
    steps: int
    metrics: dict[str, float]
    run: Run
    trainer: Any  # `Trainer`, or another method's

    def __repr__(self) -> str:
        m = self.metrics
        knn = f", leave-one-subject kNN {m['knn']:.3f}" if "knn" in m else ""
        losses = f"GLCL {m['glcl']:.2f}, MFP {m['mfp']:.2f}" if "glcl" in m else f"loss {m['loss']:.3f}"
        return f"step {self.step + 1} of {self.steps}: {losses}{knn}, {m['clips_per_second']:.0f} clips/s"


def fit(
    store: ClipStore,
    config: Any = None,
    *,
    folder: str | Path | None = None,
    resume: bool = True,
    device: torch.device | str | None = None,
    progress: bool = True,
    start: Any = None,
    method: Method = SLIM,
) -> Run:
    """Pre-train on all clips of `store`, labels unused, and return the finished run.

    folder  the run's folder; None: runs/<preset>-<hash of settings and data>, so that the same call finds its own run
    resume  go on from the last checkpoint (at once finished where the run is); False: start anew, replacing what is there
    device  None: CUDA or MPS where there is one, else the CPU
    start   weights to begin with, such as `slimlab.pretrained("tiny", skeleton=store.skeleton)`; the heads are new.
            What these weights have seen is not known to `Run.check_unseen`
    method  what is trained: SLiM, or another method (`slimlab.baselines.mae.METHOD`); config holds its settings

    Started by torchrun, every process calls this alike, each works on its share of every batch, and the first one writes; the
    numbers are those of one process. Interrupting (Ctrl-C, Stop, SIGTERM) lets the step end and writes a checkpoint.

    Raises RunError where the folder holds another run or cannot be written, FloatingPointError on NaN, naming loss and step,
    Collapsed (a RunError) where all clips get the same target or the same feature (`slimlab.pretrain.monitor`), `PeerLost` where
    another process has ended; the last good checkpoint is kept. ValueError where the processes cannot share a batch evenly.
    """
    config = config or method.settings()
    with ended_gently(), distributed.processes(device) as own:
        folder = folder_of(store, config, folder=folder, start=start)
        _fit(
            steps(store, config, folder=folder, resume=resume, device=own, announce=progress, start=start, method=method),
            progress and distributed.rank() == 0,
        )
    return Run(folder, method)


def _fit(loop: Generator[Step, None, None], progress: bool) -> None:
    """Run the loop to its end, with a bar."""
    bar, latest = None, {}
    shown = {"loss": "loss", "glcl": "GLCL", "mfp": "MFP", "knn": "kNN", "clips_per_second": "clips/s"}
    try:
        for step in loop:
            if bar is None:
                bar = tqdm(total=step.steps, initial=step.step, desc="pre-training", disable=not progress)
            latest |= step.metrics  # kNN stays on the bar between its measurements
            bar.set_postfix({shown[k]: f"{latest[k]:.3g}" for k in shown if k in latest}, refresh=False)
            bar.update()
    finally:
        loop.close()  # which writes the checkpoint
        if bar is not None:
            bar.close()


async def stream(
    store: ClipStore,
    config: Any = None,
    *,
    folder: str | Path | None = None,
    resume: bool = True,
    device: torch.device | str | None = None,
    start: Any = None,
    method: Method = SLIM,
) -> AsyncGenerator[Step, None]:
    """`fit`, one step at a time: `async for step in stream(...)`. Leaving the loop or Stop writes a checkpoint."""
    config = config or method.settings()
    loop = steps(
        store,
        config,
        folder=folder_of(store, config, folder=folder, start=start),
        resume=resume,
        device=device,
        start=start,
        method=method,
    )
    try:
        for step in loop:
            yield step
            await asyncio.sleep(0)  # lets Stop and widgets through
    finally:
        loop.close()


def steps(
    store: ClipStore,
    config: Any,
    *,
    folder: str | Path,
    resume: bool = True,
    device: torch.device | str | None = None,
    announce: bool = False,
    start: Any = None,
    method: Method = SLIM,
) -> Generator[Step, None, None]:
    """The loop itself. See `fit`."""
    store, folder = usable(store), Path(folder)
    device = device_of(device)
    check_shares(config)
    lock = run.owned(folder) if distributed.rank() == 0 else nullcontext(lambda: True)
    # a process that left between two steps, alone, would leave the others waiting for it in the next one
    with lock as is_ours, held() if distributed.world_size() > 1 else nullcontext([]) as waiting:
        yield from _steps(
            store,
            config,
            folder=folder,
            resume=resume,
            device=device,
            announce=announce,
            start=start,
            method=method,
            is_ours=is_ours,
            waiting=waiting,
        )


def _steps(
    store: ClipStore,
    config: Any,
    *,
    folder: Path,
    resume: bool,
    device: torch.device,
    announce: bool,
    start: Any,
    method: Method,
    is_ours: Callable[[], bool],
    waiting: list[int],
) -> Generator[Step, None, None]:
    """The loop in a folder that this process owns. waiting: signals that one of several processes heard between steps."""
    opened, trainer, done = open_run(
        store, config, folder=folder, resume=resume, device=device, announce=announce, start=start, method=method
    )
    config = opened.config
    measured_at = set(np.linspace(0, config.steps - 1, config.evaluations + 1).round().astype(int)[1:].tolist())
    kept_after = {round(config.steps * (i + 1) / config.snapshots) for i in range(config.snapshots)}
    status, saved, rule = "interrupted", time.monotonic(), CollapseRule(config)
    whole = True  # weights, log and snapshots all say that `done` steps are done
    opened.about.pop("error", None)  # of an earlier part, which this one resumes

    def begins_to_change(*_: Any) -> None:
        nonlocal whole
        whole = False

    trainer.optimizer.register_step_pre_hook(begins_to_change)
    started = saved - opened.about.get("seconds", 0.0)  # wall time of all parts of the run

    first = distributed.rank() == 0  # the process that writes

    def save(status: str) -> None:
        if not first or not is_ours():
            return
        opened.about["seconds"] = round(time.monotonic() - started, 1)
        run.save_checkpoint(opened, trainer, step=done, status=status)

    if done >= config.steps:
        if opened.about["status"] != "finished":  # killed between the last checkpoint and the word that it is the last
            save("finished")
        return
    with open(folder / "metrics.jsonl" if first else os.devnull, "a", buffering=1) as log:
        try:
            for earlier in opened.metrics.to_dict("records"):  # of a resumed run
                if collapse := rule.see(earlier):
                    raise Collapsed(folder, collapse)
            while done < config.steps:
                if not is_ours():
                    raise RunError(f"{folder}: a later call in this process goes on with this run; this one ends")
                begin = time.monotonic()
                with held() as signals, distributed.together():  # a step is made whole or not at all
                    trainer.config = opened.config_at(done)
                    clips = clips_of_step(len(store), config.batch_size, config.seed, done)
                    metrics = {"step": done} | trainer.step(store, clips, done)
                    metrics["clips_per_second"] = config.batch_size / (time.monotonic() - begin)
                    if done in measured_at:
                        metrics |= monitor(trainer, store)
                    if done + 1 in kept_after and first:
                        run.save_snapshot(opened, trainer.encoder, step=done + 1)
                    log.write(json.dumps(metrics) + "\n")
                    done, whole = done + 1, True
                    agreed = _agreed(waiting + signals, device)
                    signals.extend(agreed)  # beside what was heard in the meantime
                if agreed and distributed.world_size() > 1:  # it is answered once the checkpoint is written
                    return
                if collapse := rule.see(metrics):
                    raise Collapsed(folder, collapse)
                if time.monotonic() - saved > config.checkpoint_seconds and not rule.suspects:
                    save("running")
                    saved = time.monotonic()
                yield Step(done - 1, config.steps, metrics, opened, trainer)
            status = "finished"
        except (FloatingPointError, RunError) as error:
            status = "failed"
            opened.about |= {"status": status, "error": str(error)}
            if first:
                run.write_json(folder / "run.json", opened.about)
            raise
        finally:
            if status != "failed" and whole:  # inside a step the last checkpoint stands
                with held():
                    save(status)
    distributed.barrier()  # the run is there for all of them


def _agreed(signals: list[int], device: torch.device) -> list[int]:
    """A signal that any process has heard, for all of them: they stop after the same step."""
    heard = int(distributed.all_reduce_max(torch.tensor(max(signals, default=0), device=device)))
    return [heard] if heard else []
