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
from slimlab.lessons.own import keep_in

EXAMPLE = "standing shoulder abduction"  # of UI-PRMD: one arm goes up, where everybody can see it


@dataclass(frozen=True)
class Lesson:
    """What `begin` gives a lesson.

    store   the clips that it works on
    example a clip of them in which one sees something move
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
    example: int = 1

    def end(self) -> None:
        """Print how long the lesson took, and on what."""
        seconds = time.monotonic() - self.began
        took = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
        print(f"{self.name} took {took} on {_machine(self.device)}{' (quick mode)' if self.quick else ''}")


def begin(name: str, data: str | Path | None = None, default: str = "ui-prmd", clips: int = 660) -> Lesson:
    """Begin a lesson: open its data, and print hardware, torch and what data it is.

    data     a path that `slimlab.data.open` knows, "ui-prmd" (recordings of ten people, in the package) or "synthetic" (motion
             made by a program); None: $SLIMLAB_DATA, and where that is not set, `default`
    default  "ui-prmd", or "synthetic" for a lesson that needs two people, several cameras or a declared body
    clips    at most so many of these two, as many of each class as can be (at least one repetition of each); other data are
             taken whole
    Raises DataError where the path cannot be read, ValueError where $SLIMLAB_SEED is not an integer from 0 on.
    """
    began, seed = time.monotonic(), _seed()
    quick = bool(os.environ.get("SLIMLAB_QUICK"))
    out = Path(os.environ.get("SLIMLAB_OUT") or Path("..") / "out" / name)
    keep_in(out.parent / "own")
    source = str(data or os.environ.get("SLIMLAB_DATA") or default)
    synthetic, example = source == "synthetic", 1
    store = clips_of.synthetic(clips=clips) if synthetic else clips_of.open(source)
    what = "SYNTHETIC motion, made by a program: " if synthetic else ""
    if store.source.startswith("ui_prmd("):
        store, whole = _repetitions(store, clips), len(store)
        what = f"REAL people, UI-PRMD (Vakanski et al. 2018, public domain), {len(store):,} of its {whole:,} clips: "
        example = int((store.table["exercise"] == EXAMPLE).to_numpy().argmax())
    device = torch.device(_best_device())
    print(f"{name} on {_machine(device)}" + ("; QUICK mode: a few steps, its numbers mean nothing" if quick else ""))
    print(f"data: {what}{store}")
    return Lesson(name, store, quick, out, device, synthetic, began, seed, example)


def _repetitions(store: ClipStore, clips: int) -> ClipStore:
    """The first repetitions of every exercise by every person, correct and incorrect, equally many: at most so many clips."""
    groups = store.table.groupby(["exercise", "correct", "subject"])
    return store[(groups.cumcount() < max(1, clips // groups.ngroups)).to_numpy()]


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
