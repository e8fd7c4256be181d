"""The frame of a lesson: its data, its folder, how long it took and on what."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from slimlab import data as clips_of
from slimlab.data import ClipStore


@dataclass(frozen=True)
class Lesson:
    """What `begin` gives a lesson.

    store   the clips that it works on
    quick   a few steps only, to check that all runs ($SLIMLAB_QUICK); numbers then mean nothing
    out     folder for what it leaves: $SLIMLAB_OUT, or ../out/<name>
    device  "cuda", "mps" or "cpu", the best there is
    seed    of everything that the lesson draws: $SLIMLAB_SEED, or 0
    """

    name: str
    store: ClipStore
    quick: bool
    out: Path
    device: torch.device
    synthetic: bool
    began: float
    seed: int = 0

    def end(self) -> None:
        """Print how long the lesson took, and on what."""
        seconds = time.monotonic() - self.began
        took = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
        print(f"{self.name} took {took} on {_machine(self.device)}{' (quick mode)' if self.quick else ''}")


def begin(name: str, data: str | Path | None = None, clips: int = 660) -> Lesson:
    """Begin a lesson: open its data, and print hardware, torch and what data it is.

    data   what `slimlab.data.open` knows: a path, or "ui-prmd"; None: $SLIMLAB_DATA, and where that is not set, synthetic clips
    clips  how many synthetic ones
    Raises DataError where the path cannot be read, ValueError where $SLIMLAB_SEED is not an integer from 0 on.
    """
    began, seed = time.monotonic(), _seed()
    quick = bool(os.environ.get("SLIMLAB_QUICK"))
    out = Path(os.environ.get("SLIMLAB_OUT") or Path("..") / "out" / name)
    source = data or os.environ.get("SLIMLAB_DATA")
    source = None if source == "synthetic" else source
    store = clips_of.open(source) if source else clips_of.synthetic(clips=clips)
    device = torch.device(_best_device())
    print(f"{name} on {_machine(device)}" + ("; QUICK mode: a few steps, its numbers mean nothing" if quick else ""))
    print(f"data: {store}" if source else f"data: SYNTHETIC motion, made here: {store}")
    return Lesson(name, store, quick, out, device, not source, began, seed)


def _seed() -> int:
    given = os.environ.get("SLIMLAB_SEED") or "0"
    try:
        seed = int(given)
    except ValueError:
        seed = -1
    if not 0 <= seed < 2**32:
        raise ValueError(f"SLIMLAB_SEED={given}: not an integer from 0 to 2**32 - 1; set it to one, or unset it for 0")
    return seed


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _machine(device: torch.device) -> str:
    gpu = {"cuda": lambda: f", {torch.cuda.get_device_name(device)}", "mps": lambda: ", Apple GPU"}.get(device.type, lambda: "")()
    where = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores{gpu}, {where}, torch {torch.__version__} with {torch.get_num_threads()} threads"
