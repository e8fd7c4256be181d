"""Pre-training: `fit` blocks, `stream` yields step by step; both are the same loop over a run folder.

A run killed at any moment continues from its last checkpoint to the numbers of an uninterrupted one: the randomness of a
step depends on (seed, step) alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from slimlab import evaluate, inspection, parallel, run
from slimlab.config import HOW, PRESETS, Config
from slimlab.data import ClipStore, DataError
from slimlab.encoder import Encoder
from slimlab.interrupt import ended_gently, held
from slimlab.run import Run, RunError
from slimlab.trainer import clips_of_step

__all__ = ["PRESETS", "Config", "Estimate", "Run", "RunError", "Step", "estimate", "fit", "steps", "stream"]

MONITOR_CLIPS = 512  # per side of the held-out kNN
COLLAPSED = 1.5  # RankMe below this: all features point one way


@dataclass(frozen=True, repr=False)
class Step:
    """What `stream` yields: the step just done (0-based), how many there are, its metrics, and the run."""

    step: int
    steps: int
    metrics: dict[str, float]
    run: Run
    trainer: Any  # Trainer, or that of another kind of run

    def __repr__(self) -> str:
        m = self.metrics
        knn = f", held-out kNN {m['knn']:.3f}" if "knn" in m else ""
        losses = f"GLCL {m['glcl']:.2f}, MFM {m['mfm']:.2f}" if "glcl" in m else f"loss {m['loss']:.3f}"
        return f"step {self.step + 1} of {self.steps}: {losses}{knn}, {m['clips_per_second']:.0f} clips/s"


@dataclass(frozen=True)
class Estimate:
    """Before a run starts: seconds a step and for all steps, bytes for weights and optimiser and for the graph of one step."""

    seconds_per_step: float
    seconds: float
    weight_bytes: int
    graph_bytes: int

    def __str__(self) -> str:
        time, memory = _duration(self.seconds), (self.weight_bytes + self.graph_bytes) / 1e9
        return f"about {time} ({self.seconds_per_step:.2f} s a step), {memory:.2f} GB for the model and one step"


def fit(
    store: ClipStore,
    config: Config | None = None,
    folder: str | Path | None = None,
    resume: bool = True,
    device: torch.device | str | None = None,
    progress: bool = True,
    start: Encoder | None = None,
    kind: type[Run] = Run,
) -> Run:
    """Pre-train on all clips of `store`, labels unused, and return the finished run.

    folder  the run's folder; None: runs/<preset>-<hash of settings and data>, so that the same call finds its own run
    resume  go on from the last checkpoint (at once finished where the run is); False: start anew, replacing what is there
    device  None: CUDA or MPS where there is one, else the CPU
    start   weights to begin with, such as `slimlab.pretrained("tiny", skeleton=store.skeleton)`; the heads are new.
            What these weights have seen is not known to `Run.check_unseen`
    kind    what is trained: SLiM, or the method of another subclass of Run (`slimlab.baseline.fit`); config is of its settings

    Started by torchrun, every process calls this alike, each works on its share of every batch, and the first one writes; the
    numbers are those of one process. Interrupting (Ctrl-C, Stop, SIGTERM) lets the step end and writes a checkpoint.

    Raises RunError where the folder holds another run or cannot be written, FloatingPointError on NaN, naming loss and step,
    RunError on collapse, `parallel.Parted` where another process has ended; the last good checkpoint is kept. ValueError where
    the processes cannot share a batch evenly.
    """
    config = config or kind.settings()
    with ended_gently(), parallel.processes(device) as own:
        folder = _folder(store, config, folder, start)
        _fit(steps(store, config, folder, resume, own, progress, start, kind), progress and parallel.rank() == 0)
    return kind(folder)


def _fit(loop: Generator[Step, None, None], progress: bool) -> None:
    """Run the loop to its end, with a bar."""
    bar, latest = None, {}
    shown = {"loss": "loss", "glcl": "GLCL", "mfm": "MFM", "knn": "kNN", "clips_per_second": "clips/s"}
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
    config: Config | None = None,
    folder: str | Path | None = None,
    resume: bool = True,
    device: torch.device | str | None = None,
    start: Encoder | None = None,
    kind: type[Run] = Run,
) -> AsyncGenerator[Step, None]:
    """`fit`, one step at a time: `async for step in stream(...)`. Leaving the loop or Stop writes a checkpoint."""
    config = config or kind.settings()
    loop = steps(store, config, _folder(store, config, folder, start), resume, device, start=start, kind=kind)
    try:
        for step in loop:
            yield step
            await asyncio.sleep(0)  # lets Stop and widgets through
    finally:
        loop.close()


def steps(
    store: ClipStore,
    config: Config,
    folder: Path,
    resume: bool = True,
    device: torch.device | str | None = None,
    announce: bool = False,
    start: Encoder | None = None,
    kind: type[Run] = Run,
) -> Generator[Step, None, None]:
    """The loop itself. See `fit`."""
    store = _usable(store)
    device = _device(device)
    _check_shares(config)
    opened, trainer, done = _open(store, config, folder, resume, device, announce, start, kind)
    config = opened.config
    measured_at = set(np.linspace(0, config.steps - 1, config.evaluations + 1).round().astype(int)[1:].tolist())
    kept_after = {round(config.steps * (i + 1) / config.snapshots) for i in range(config.snapshots)}
    status, saved, low_ranks = "interrupted", time.monotonic(), 0
    started = saved - opened.about.get("seconds", 0.0)  # wall time of all parts of the run

    first = parallel.rank() == 0  # the process that writes

    def save(status: str) -> None:
        if not first:
            return
        opened.about["seconds"] = round(time.monotonic() - started, 1)
        run.save_checkpoint(opened, trainer, done, status)

    if done >= config.steps:
        if opened.about["status"] != "finished":  # killed between the last checkpoint and the word that it is the last
            save("finished")
        return
    with open(folder / "metrics.jsonl" if first else os.devnull, "a", buffering=1) as log:
        try:
            while done < config.steps:
                begin = time.monotonic()
                with held() as signals, parallel.together():  # a step is made whole or not at all
                    trainer.config = opened.config_at(done)
                    clips = clips_of_step(len(store), config.batch_size, config.seed, done)
                    metrics = {"step": done} | trainer.step(store, clips, done)
                    metrics["clips_per_second"] = config.batch_size / (time.monotonic() - begin)
                    if done in measured_at:
                        metrics |= monitor(trainer, store)
                        low_ranks = low_ranks + 1 if metrics["rank"] < COLLAPSED else 0
                    log.write(json.dumps(metrics) + "\n")
                    done += 1
                    signals[:] = _agreed(signals, device)
                if done in kept_after and first:
                    run.save_snapshot(opened, trainer.encoder, done)
                if low_ranks >= 2:
                    raise RunError(
                        f"{folder}: collapsed at step {done - 1}: feature rank {metrics['rank']:.2f} twice in a row. The last "
                        "checkpoint is kept. Try a lower teacher_temperature, init='fan_in', a higher koleo_weight"
                    )
                if time.monotonic() - saved > config.checkpoint_seconds and low_ranks == 0:
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
            if status != "failed":
                with held():
                    save(status)
    parallel.meet()  # the run is there for all of them


def monitor(trainer: Any, store: ClipStore) -> dict[str, float]:
    """kNN on held-out training performers (the last one against the others; labels serve this alone) and feature rank."""
    encoder, performers = trainer.encoder, np.unique(store.column("subject"))
    known = store.labels >= 0
    last = store.column("subject") == performers[-1]
    if len(performers) < 2:
        last = np.arange(len(store)) % 2 == 1

    def some(which: np.ndarray) -> ClipStore:
        places = np.flatnonzero(which)
        return store[places[np.linspace(0, len(places) - 1, min(len(places), MONITOR_CLIPS)).round().astype(int)]]

    faulty = isinstance(trainer.config, Config) and trainer.config.makes("test_view")  # the MAE has none
    gallery = evaluate.features(encoder, some(known & ~last if known.any() else ~last), released_quirks=faulty, cache=None)
    out = {"rank": inspection.rankme(gallery.x[:, : trainer.config.width])}
    if (known & last).any() and (known & ~last).any():
        out["knn"] = evaluate.knn(
            gallery, evaluate.features(encoder, some(known & last), released_quirks=faulty, cache=None)
        ).accuracy
    return out


def estimate(
    store: ClipStore, config: Config | None = None, device: torch.device | str | None = None, kind: type[Run] = Run
) -> Estimate:
    """Time and memory of a run, from throw-away steps on `store`: three seconds of them or, for short runs, a few."""
    config, store = config or kind.settings(), _usable(store)
    trainer = kind.trainer(config, store.skeleton, _device(device))
    trainer.step(store, clips_of_step(len(store), 2, config.seed, 0), 0)  # first use: allocations, caches
    parameters = [p for network in trainer.networks.values() for p in network.parameters()]
    kept = _Kept({p.untyped_storage().data_ptr() for p in parameters})
    clips = clips_of_step(len(store), config.batch_size, config.seed, 0)
    with torch.autograd.graph.saved_tensors_hooks(kept.take, lambda taken: taken.tensor):
        trainer.step(store, clips, 0)
    most = 40 if config.minutes is not None else min(40, max(2, config.steps // 20))
    begin, count = time.monotonic(), 0
    while count < most:
        count += 1
        trainer.step(store, clips_of_step(len(store), config.batch_size, config.seed, count), min(count, config.steps - 1))
        if parallel.largest(torch.tensor(time.monotonic() - begin)) >= 3:  # all processes leave together
            break
    each = float(parallel.largest(torch.tensor((time.monotonic() - begin) / count)))
    learned = sum(p.nbytes for p in parameters if p.requires_grad)
    # the weights, teacher's included; a gradient and two moments for those that learn
    weights = sum(p.nbytes for p in parameters) + 3 * learned
    return Estimate(each, each * config.steps, weights, kept.most)


class _Kept:
    """Follows the bytes that graphs keep for their backward passes, each storage once; `most` is the most at a time."""

    def __init__(self, others: set[int]) -> None:
        self.others, self.users, self.now, self.most = others, Counter[int](), 0, 0

    def take(self, tensor: torch.Tensor) -> _Taken:
        return _Taken(self, tensor)


class _Taken:
    """A tensor in a graph's keeping, and the word that the graph is done with it."""

    def __init__(self, kept: _Kept, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        self.kept, self.tensor, self.place, self.size = kept, tensor, storage.data_ptr(), storage.nbytes()
        kept.users[self.place] += 1
        if kept.users[self.place] == 1 and self.place not in kept.others:
            kept.now += self.size
            kept.most = max(kept.most, kept.now)

    def __del__(self) -> None:
        self.kept.users[self.place] -= 1
        if self.kept.users[self.place] == 0 and self.place not in self.kept.others:
            self.kept.now -= self.size


def _open(
    store: ClipStore,
    config: Config,
    folder: Path,
    resume: bool,
    device: torch.device,
    announce: bool,
    start: Encoder | None,
    kind: type[Run],
) -> tuple[Run, Any, int]:
    """The run (new, or the one in the folder where it is the same), its trainer, the steps that are done.

    Of several processes the first lays the folder out, and the others then read it.
    """
    there, first = (folder / "config.json").exists(), parallel.rank() == 0
    parallel.meet()  # all have looked, before one writes
    if not (there and resume) and (config.minutes is not None or announce):
        guess = estimate(store, config, device, kind)
        if config.minutes is not None:
            evaluations = 1.03  # monitor and checkpoints on top of the steps
            config = dataclasses.replace(config, steps=max(1, round(60 * config.minutes / guess.seconds_per_step / evaluations)))
            guess = dataclasses.replace(guess, seconds=guess.seconds_per_step * config.steps)
        if announce and first:
            print(f"{config.steps} steps of {config.batch_size} clips: {guess}; run folder {folder}")
    if there and resume:
        opened = kind(folder)
        _check_same(opened, config, store, start)
        how = {name: getattr(config, name) for name in HOW if hasattr(config, name)}
        opened.began = dataclasses.replace(opened.began, **how)
        trainer = kind.trainer(opened.config, store.skeleton, device)
        done = run.load_checkpoint(opened, trainer, cut=first)
        parallel.meet()
        return opened, trainer, done
    trainer = kind.trainer(config, store.skeleton, device, start)  # first: it may refuse `start`
    if first:
        if there:
            (folder / "checkpoint.pt").unlink(missing_ok=True)
            shutil.rmtree(folder / "snapshots", ignore_errors=True)
        run.start(folder, config, store, device, _digest(start), kind)
    parallel.meet()
    return kind(folder), trainer, 0


def _check_shares(config: Any) -> None:
    if config.batch_size % parallel.world():
        raise ValueError(
            f"batch_size {config.batch_size} cannot be shared evenly by {parallel.world()} processes; take a multiple"
        )


def _agreed(signals: list[int], device: torch.device) -> list[int]:
    """A signal that any process has heard, for all of them: they stop after the same step."""
    heard = int(parallel.largest(torch.tensor(max(signals, default=0), device=device)))
    return [heard] if heard else []


def _check_same(opened: Run, config: Config, store: ClipStore, start: Encoder | None) -> None:
    old, new = opened.began.to_dict(), config.to_dict()
    if opened.changes and new["mask_ratio"] == opened.config.mask_ratio:
        new["mask_ratio"] = old["mask_ratio"]  # `Run.config` goes on with the run, too
    if config.minutes is not None:
        new["steps"] = old["steps"]
    for name in new:
        if name not in HOW and old[name] != new[name]:
            raise RunError(
                f"{opened.folder}: holds a run with {name}={old[name]}, not {new[name]}; choose another folder, or resume=False"
            )
    if opened.about["fingerprint"] != store.fingerprint:
        raise RunError(f"{opened.folder}: holds a run on other clips; choose another folder, or resume=False to replace it")
    if opened.about.get("began_with", "") != _digest(start):
        raise RunError(f"{opened.folder}: holds a run that began with other weights; choose another folder, or resume=False")


def _digest(encoder: Encoder | None) -> str:
    """What these weights are, in 16 hex digits; "" for none."""
    if encoder is None:
        return ""
    text = b"".join(v.detach().cpu().contiguous().numpy().tobytes() for v in encoder.state_dict().values())
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def _usable(store: ClipStore) -> ClipStore:
    """Clips with somebody in them. Raises DataError where too few are left to train on."""
    people = store.column("people")
    if (people > 0).sum() < 2:
        raise DataError(f"{store.source}: {(people > 0).sum()} clips with people; pre-training needs at least 2")
    return store if (people > 0).all() else store[people > 0]


def _device(device: torch.device | str | None) -> torch.device:
    if device is not None:
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _folder(store: ClipStore, config: Config, folder: str | Path | None, start: Encoder | None = None) -> Path:
    if folder is not None:
        return Path(folder)
    what = {k: v for k, v in config.to_dict().items() if k not in ("precision", "compile")}
    text = json.dumps(what, sort_keys=True) + _usable(store).fingerprint + _digest(start)
    return Path("runs") / f"{config.preset}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
