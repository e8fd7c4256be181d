"""A run is a folder: any number can be traced to it, and it survives being killed.

    config.json        the settings, every one, with the step count that `minutes` came to
    run.json           data (source, fingerprint), body, environment, status, wall seconds, what was changed at which step
    train_clips.csv    name and digest of every clip that was seen
    metrics.jsonl      one line a step
    checkpoint.pt      student, teacher, centers, optimizer, step: tensors and plain containers, read with weights_only=True
    encoder/           the teacher's encoder (see `slimlab.weights`)
    snapshots/         the same along the way, one folder a step count
    evaluation.csv, robustness/, figures/   what the commands of these names wrote
    teacher.safetensors, student.safetensors   in a packed run (`slimlab.pretrain.packed`), instead of checkpoint and snapshots
    .slimlab.lock      held by the process that trains

metrics.jsonl is appended to; every other file is written beside and renamed, so that it is either the old one or the new one.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout

import slimlab
from slimlab._renamed import new_names, saved_settings
from slimlab._system.cache import TEMPORARY, replace_file
from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.pretrain.config import Config
from slimlab.pretrain.method import SLIM, Method, Training
from slimlab.pretrain.monitor import Collapse
from slimlab.pretrain.networks import Networks
from slimlab.skeleton import Skeleton

# what `slimlab robustness` writes into a run's folder of that name
ROBUSTNESS = ("robustness.csv", *(f"robustness_{c}.{kind}" for c in ("kNN", "probe") for kind in ("pdf", "png", "csv")))
NETWORKS = {"teacher": "teacher.safetensors", "student": "student.safetensors"}  # of a packed run
LOCK = ".slimlab.lock"  # in a run's folder
_OWNERS: dict[Path, object] = {}  # which loop of this process writes into a folder


class RunError(RuntimeError):
    """A run that cannot go on; the text names folder, reason and remedy."""


class Collapsed(RunError):
    """The run was stopped because it collapsed; another attempt with these settings would collapse too.

    `.kind`, "answers" or "features", `.step` (0-based) and `.value` say what was measured, `.reason` is the text without the
    folder. See `slimlab.pretrain.monitor.Collapse`.
    """

    def __init__(self, folder: Path, collapse: Collapse) -> None:
        super().__init__(f"{folder}: {collapse}")
        self.kind, self.step, self.value, self.reason = collapse.kind, collapse.step, collapse.value, str(collapse)


class Run:
    """A run's folder, opened. `.encoder` the teacher's, `.metrics` a DataFrame, `.about` (run.json).

    `.began` are the settings that it started with, `.changes` what was changed on the way, `.config` the settings since then.

    A run is what its folder holds; `method` says how to read settings and encoder. The types below are those of SLiM, another
    method has its own. Raises RunError where there is no run, or that of another method (run.json names it).
    """

    def __init__(self, folder: str | Path, method: Method = SLIM) -> None:
        self.folder, self.method = Path(folder), method
        if not (self.folder / "config.json").exists():
            raise RunError(f"{self.folder}: no run there (config.json is missing); give the folder that pretrain wrote")
        try:
            self.about: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
            made_by = self.about.get("method", SLIM.name)  # the first runs do not say
            if made_by != method.name:
                raise RunError(
                    f"{self.folder}: holds a run of the method '{made_by}', not of '{method.name}'; open it with its own method: "
                    "Run(folder, method=...)"
                )
            saved = json.loads((self.folder / "config.json").read_text())
            if method.name == SLIM.name:
                saved = saved_settings(saved)
            self.began: Config = method.settings(**saved)
            self.config_at(self.began.steps)  # what was changed has to be possible, too
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"{self.folder}: damaged run ({error}); start it again in another folder") from error

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}, {self.config.preset}, {self.about.get('status')} at step {self.step})"

    @property
    def changes(self) -> list[dict[str, Any]]:
        """What was changed while it ran, in order: {"step": first step (0-based) under it, "mask_ratio": new value}."""
        return self.about.get("changes", [])

    @property
    def config(self) -> Config:
        """The settings, with what was changed last."""
        return self.config_at(self.began.steps)

    def config_at(self, step: int) -> Config:
        """The settings under which step `step` (0-based) was or will be made."""
        made = [{k: v for k, v in c.items() if k != "step"} for c in self.changes if c["step"] <= step]
        return replace(self.began, **made[-1]) if made else self.began

    def change(self, step: int, mask_ratio: float | tuple[float, float]) -> None:
        """Another mask ratio from step `step` on, kept in run.json at once; later changes, of steps that were lost, go.

        While a run goes on: `step.run.change(step.step + 1, 0.8)` in `pretrain.stream`. The same change at the same step gives
        the same numbers, stopped and resumed or not.
        Raises ValueError for an impossible ratio or a step that the run does not have, RunError where the folder cannot be
        written.
        """
        if not 0 <= step < self.began.steps:
            raise ValueError(f"{self.folder}: nothing can be changed from step {step} on, the run has {self.began.steps}")
        settings = replace(self.began, mask_ratio=mask_ratio)  # complains where it is impossible
        kept = [c for c in self.changes if c["step"] < step]
        about = self.about | {"changes": [*kept, {"step": step, "mask_ratio": settings.mask_ratio}]}
        try:
            write_json(self.folder / "run.json", about)
        except OSError as error:
            raise RunError(f"{self.folder}: the change cannot be kept ({error.strerror}); the mask ratio stays") from error
        self.about = about

    @property
    def encoder(self) -> Encoder:
        return self.method.load(self.folder / "encoder")

    @property
    def snapshots(self) -> dict[int, Path]:
        """Steps done -> folder of the encoder as it was then (for `load_encoder`), in order."""
        return {int(f.name): f for f in sorted(self.folder.glob("snapshots/[0-9]*"))}

    @property
    def teacher(self) -> Networks:
        """Encoder and prototype heads of the last checkpoint's teacher, in eval mode on the CPU. RunError without one."""
        return self._networks("teacher")

    @property
    def student(self) -> Networks:
        """The same of the student."""
        return self._networks("student")

    @property
    def packed(self) -> bool:
        """Whether it was made to be looked at (`slimlab.pretrain.pack`) and cannot go on."""
        return any((self.folder / file).exists() for file in NETWORKS.values())

    def _networks(self, which: str) -> Networks:
        if self.method.name != SLIM.name:
            raise RunError(f"{self.folder}: a run of the method '{self.method.name}' has no teacher and student; see `.encoder`")
        networks = Networks(self.config, Skeleton(**self.about["skeleton"]))
        if self.packed:
            load_tensors(self.folder / NETWORKS[which], networks)
            return networks.requires_grad_(False).eval()
        file = self.folder / "checkpoint.pt"
        if not file.exists():
            raise RunError(f"{file}: no such file; the prototype heads are in the checkpoint alone. Go on with the run")
        with _checkpoint(file, "cpu") as state:
            networks.load_state_dict(state[which])
        return networks.requires_grad_(False).eval()

    @property
    def metrics(self) -> pd.DataFrame:
        """One line a step; kNN and rank only in the steps that measured them."""
        return pd.DataFrame(_whole_lines(self.folder / "metrics.jsonl"))

    @property
    def step(self) -> int:
        """Steps done at the last checkpoint."""
        return int(self.about.get("step", 0))

    @property
    def seen(self) -> pd.DataFrame:
        """clip, digest of the clips that it was trained on."""
        return pd.read_csv(self.folder / "train_clips.csv", keep_default_na=False)

    def check_unseen(self, store: ClipStore) -> None:
        """Raises RunError where a clip of `store` was trained on, by content, whatever its name."""
        digests = store.recordings()
        known = store.column("clip")[np.isin(digests, np.asarray(self.seen["digest"])) & (digests != "")]
        if len(known):
            raise RunError(
                f"{self.folder}: was trained on {len(known)} of these {len(store)} test clips (such as '{known[0]}'). "
                "Evaluate with the split it was trained under, or pre-train on the training side alone"
            )


@contextmanager
def owned(folder: Path) -> Iterator[Callable[[], bool]]:
    """Keep other processes out of a run's folder while the body runs; gives a function that says whether it is still ours.

    A later call in this process takes the folder over, since a notebook's Stop may leave the loop before it suspended; the
    earlier one then writes no more. The system lets go of the lock when a process ends, however it ends.

    Raises RunError where another process trains in the folder, or where the folder cannot be made.
    """
    place = folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place / LOCK, timeout=0, is_singleton=True)
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"{folder}: another process trains in this folder; wait for its end, stop it, or choose another folder"
        ) from error
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be written ({error.strerror}); choose a folder with room that you may write to"
        ) from error
    _OWNERS[place] = ours = object()
    try:
        yield lambda: _OWNERS.get(place) is ours
    finally:
        lock.release()
        if not (folder / "config.json").exists():  # no run came of it: nothing stays
            (folder / LOCK).unlink(missing_ok=True)
            if not any(folder.iterdir()):
                folder.rmdir()


def clear(folder: Path) -> None:
    """Remove what a run wrote into its folder, the settings first, so that what is left is at no moment taken for a run.

    Files are removed by the names that a run gives them: settings, metrics, checkpoint, encoder, snapshots, evaluation.csv and
    the files of robustness/. Figures and everything that somebody else put there stay.
    """
    whole = ("config.json", "run.json", "metrics.jsonl", "train_clips.csv", "checkpoint.pt", "evaluation.csv")
    for name in (*whole, *NETWORKS.values()):
        (folder / name).unlink(missing_ok=True)
    for name in ROBUSTNESS:
        (folder / "robustness" / name).unlink(missing_ok=True)
    if (folder / "robustness").is_dir() and not any((folder / "robustness").iterdir()):
        (folder / "robustness").rmdir()
    for inside in (folder / "encoder", *folder.glob("snapshots/[0-9]*"), folder / "snapshots"):
        for name in ("config.json", "slimlab.json", "mae.json", "model.safetensors"):
            (inside / name).unlink(missing_ok=True)
        if inside.is_dir() and not any(inside.iterdir()):
            inside.rmdir()


def start(
    folder: Path, config: Any, *, store: ClipStore, device: torch.device, began_with: str = "", method: Method = SLIM
) -> Run:
    """Lay out a new run's folder; `began_with` is a digest of the weights it starts from."""
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        seen = pd.DataFrame({"clip": store.column("clip"), "digest": store.recordings()})
        replace_file(folder / "train_clips.csv", lambda f: f.write(seen.to_csv(index=False).encode()))
        write_json(folder / "run.json", _about(store, device) | {"method": method.name, "began_with": began_with})
        (folder / "metrics.jsonl").write_text("")
        write_json(folder / "config.json", config.to_dict())  # last: it makes the folder a run
    except OSError as error:
        raise RunError(
            f"{folder}: cannot be written ({error.strerror}); choose a folder with room that you may write to"
        ) from error
    return Run(folder, method)


def _about(store: ClipStore, device: torch.device) -> dict[str, Any]:
    return {
        "status": "started",
        "step": 0,
        "data": store.source,
        "clips": len(store),
        "fingerprint": store.fingerprint,
        "skeleton": store.skeleton.to_dict(),
        "environment": {
            "slimlab": slimlab.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "platform": platform.platform(),
            "device": str(device),
            "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor(),
            "threads": torch.get_num_threads(),
            "command": " ".join(sys.argv),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        },
    }


def save_checkpoint(run: Run, trainer: Training, *, step: int, status: str) -> None:
    """Write checkpoint, encoder and status. Raises RunError, with the last checkpoint intact, where it cannot."""
    state = {"step": step, "optimizer": trainer.optimizer.state_dict()}
    state |= {name: network.state_dict() for name, network in trainer.networks.items()}
    try:
        replace_file(run.folder / "checkpoint.pt", lambda f: torch.save(state, f))
        run.method.save(trainer.encoder, run.folder / "encoder")
        run.about |= {"status": status, "step": step}
        write_json(run.folder / "run.json", run.about)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as a RuntimeError
        raise RunError(
            f"{run.folder}: checkpoint of step {step} failed ({error}); the one before is kept. Make room and resume"
        ) from error


def save_snapshot(run: Run, encoder: Any, *, step: int) -> None:
    """Keep the encoder as it is after `step` steps. Raises RunError where the folder cannot be written."""
    try:
        run.method.save(encoder, run.folder / "snapshots" / f"{step:07d}")
    except OSError as error:
        raise RunError(f"{run.folder}: snapshot of step {step} failed ({error}). Make room and resume") from error


def load_checkpoint(run: Run, trainer: Training, *, cut: bool = True) -> int:
    """Put the last checkpoint into the trainer and cut the metrics there. Returns the steps that are done.

    cut  False: the folder is left as it is; another process has cut it
    """
    file = run.folder / "checkpoint.pt"
    step = 0
    for torn in run.folder.glob(f"{TEMPORARY}*") if cut else ():  # what a kill left
        shutil.rmtree(torn) if torn.is_dir() else torn.unlink()
    if file.exists():
        with _checkpoint(file, trainer.device) as state:
            for name, network in trainer.networks.items():
                network.load_state_dict(state.get(name, {}))
            trainer.optimizer.load_state_dict(state["optimizer"])
            step = int(state["step"])
    if not cut:
        return step
    lines = [line for line in _whole_lines(run.folder / "metrics.jsonl") if line["step"] < step]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    replace_file(run.folder / "metrics.jsonl", lambda f: f.write(text.encode()))
    return step


@contextmanager
def _checkpoint(file: Path, device: torch.device | str) -> Iterator[dict[str, Any]]:
    """The checkpoint's contents; what fails while they are used is put down to the file."""
    try:
        yield new_names(torch.load(file, map_location=device, weights_only=True))
    except Exception as error:  # damaged bytes make torch raise anything
        raise RunError(
            f"{file}: cannot be loaded, it may be damaged ({error}). It is left as it is: free memory and resume, or start "
            "the run again from its first step with resume=False"
        ) from error


def load_tensors(file: Path, networks: Networks) -> None:
    """Put a file's tensors into the networks. Raises RunError where it is damaged or they are others."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        networks.load_state_dict(load_file(file))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"{file}: cannot be loaded ({error}). Take the file that came with the run") from error


def write_json(file: Path, value: Any) -> None:
    """Replace `file` by this value."""
    replace_file(file, lambda f: f.write((json.dumps(value, indent=1) + "\n").encode()))


def _whole_lines(file: Path) -> list[dict]:
    """The lines of a jsonl file, with today's names; a last one that a kill tore is left out."""
    lines = []
    for line in file.read_text().splitlines():
        try:
            lines.append(new_names(json.loads(line)))
        except json.JSONDecodeError:
            break
    return lines
