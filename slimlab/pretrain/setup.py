"""Before a run's first step: where it goes, on which device, what it will take, and the run that is there already."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from slimlab._renamed import digested
from slimlab._system import distributed
from slimlab.data import ClipStore, DataError
from slimlab.pretrain import run
from slimlab.pretrain.config import RUNTIME
from slimlab.pretrain.method import SLIM, Method, Training
from slimlab.pretrain.run import Run, RunError
from slimlab.pretrain.sampling import clips_of_step

FASTEST = 1e-3  # seconds; no step is taken for faster, whatever a clock says: steps are bounded by the minutes asked for


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


def estimate(
    store: ClipStore, config: Any = None, *, device: torch.device | str | None = None, method: Method = SLIM
) -> Estimate:
    """Time and memory of a run, from throw-away steps on `store`: three seconds of them or, for short runs, a few."""
    config, store = config or method.settings(), usable(store)
    trainer = method.trainer(config, store.skeleton, device=device_of(device))
    trainer.step(
        store, clips_of_step(len(store), 2 * distributed.world_size(), config.seed, 0), 0
    )  # first use: allocations, caches
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
        if distributed.all_reduce_max(torch.tensor(time.monotonic() - begin)) >= 3:  # all processes leave together
            break
    each = float(distributed.all_reduce_max(torch.tensor((time.monotonic() - begin) / count)))
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


def open_run(
    store: ClipStore,
    config: Any,
    *,
    folder: Path,
    resume: bool,
    device: torch.device,
    announce: bool,
    start: Any,
    method: Method,
) -> tuple[Run, Training, int]:
    """The run (new, or the one in the folder where it is the same), its trainer, the steps that are done.

    Of several processes the first lays the folder out, and the others then read it.
    """
    there, first = (folder / "config.json").exists(), distributed.rank() == 0
    distributed.barrier()  # all have looked, before one writes
    if not (there and resume) and (config.minutes is not None or announce):
        guess = estimate(store, config, device=device, method=method)
        if config.minutes is not None:
            evaluations = 1.03  # monitor and checkpoints on top of the steps
            each = max(guess.seconds_per_step, FASTEST)
            config = dataclasses.replace(config, steps=max(1, round(60 * config.minutes / each / evaluations)))
            guess = dataclasses.replace(guess, seconds=guess.seconds_per_step * config.steps)
        if announce and first:
            print(f"{config.steps} steps of {config.batch_size} clips: {guess}; run folder {folder}")
    if there and resume:
        opened = Run(folder, method)
        if opened.packed:
            raise RunError(
                f"{folder}: a packed run, made to be looked at; it has no optimizer and cannot go on. Choose another folder, and "
                "start=Run(folder).encoder to begin with its weights"
            )
        _check_same(opened, config, store=store, start=start)
        how = {name: getattr(config, name) for name in RUNTIME if hasattr(config, name)}
        opened.began = dataclasses.replace(opened.began, **how)
        trainer = method.trainer(opened.config, store.skeleton, device=device)
        done = run.load_checkpoint(opened, trainer, cut=first)
        distributed.barrier()
        return opened, trainer, done
    trainer = method.trainer(config, store.skeleton, device=device, start=start)  # first: it may refuse `start`
    if first:
        if there:
            run.clear(folder)
        run.start(folder, config, store=store, device=device, began_with=_digest(start), method=method)
    distributed.barrier()
    return Run(folder, method), trainer, 0


def check_shares(config: Any) -> None:
    """Raises ValueError where the batch cannot be shared evenly by the processes."""
    if config.batch_size % distributed.world_size():
        raise ValueError(
            f"batch_size {config.batch_size} cannot be shared evenly by {distributed.world_size()} processes; take a multiple"
        )


def _check_same(opened: Run, config: Any, *, store: ClipStore, start: Any) -> None:
    old, new = opened.began.to_dict(), config.to_dict()
    if opened.changes and new["mask_ratio"] == opened.config.mask_ratio:
        new["mask_ratio"] = old["mask_ratio"]  # `Run.config` goes on with the run, too
    if config.minutes is not None:
        new["steps"] = old["steps"]
    for name in new:
        if name not in RUNTIME and old[name] != new[name]:
            raise RunError(
                f"{opened.folder}: holds a run with {name}={old[name]}, not {new[name]}; choose another folder, or resume=False"
            )
    if opened.about["fingerprint"] != store.fingerprint:
        raise RunError(f"{opened.folder}: holds a run on other clips; choose another folder, or resume=False to replace it")
    if opened.about.get("began_with", "") != _digest(start):
        raise RunError(f"{opened.folder}: holds a run that began with other weights; choose another folder, or resume=False")


def _digest(encoder: nn.Module | None) -> str:
    """What these weights are, in 16 hex digits; "" for none."""
    if encoder is None:
        return ""
    text = b"".join(v.detach().cpu().contiguous().numpy().tobytes() for v in encoder.state_dict().values())
    return hashlib.blake2b(text, digest_size=8).hexdigest()


def usable(store: ClipStore) -> ClipStore:
    """Clips with somebody in them. Raises DataError where too few are left to train on."""
    people = store.column("people")
    if (people > 0).sum() < 2:
        raise DataError(f"{store.source}: {(people > 0).sum()} clips with people; pre-training needs at least 2")
    return store if (people > 0).all() else store[people > 0]


def device_of(device: torch.device | str | None) -> torch.device:
    """The device asked for, or the best there is: CUDA, MPS, CPU."""
    if device is not None:
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def folder_of(store: ClipStore, config: Any, *, folder: str | Path | None = None, start: Any = None) -> Path:
    """The run's folder: the one asked for, or one named by settings, clips and what it begins with."""
    if folder is not None:
        return Path(folder)
    what = digested({k: v for k, v in config.to_dict().items() if k not in RUNTIME})  # so that a run begun under them is found
    text = json.dumps(what, sort_keys=True) + usable(store).fingerprint + _digest(start)
    return Path("runs") / f"{config.preset}-{hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
