"""Seconds a clip of what touches every clip, at 1,000, 10,000 and 114,000 clips: linear where the figures of a row are alike.

    python benchmarks/scaling.py [--clips 1000 10000 114000] [--frames 16]

Clips are random walks of one person, in a store on disk. `500 clips` takes as many out of a store of any size, so its figure
should not grow with the store. Each line runs once: a table of proportions, not of speed.
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _report import report

from slimlab import data
from slimlab.data import writing
from slimlab.data.building import Block, Source
from slimlab.skeleton import KINECT_V2

SUBJECTS, CAMERAS, CLASSES = 106, 3, 120  # of NTU RGB+D 120
SOME = 500


def walks(count: int, frames: int, seed: int = 0) -> Iterator[Block]:
    """`count` clips, 64 in a block."""
    dice = np.random.default_rng(seed)
    body = dice.normal(0, 0.3, (1, 1, len(KINECT_V2), 3))
    for start in range(0, count, 64):
        number = np.arange(start, min(count, start + 64))
        steps = dice.normal(0, 0.02, (len(number), frames, 1, len(KINECT_V2), 3)).cumsum(axis=1) + body
        table = {"clip": [f"clip{i}" for i in number], "label": number % CLASSES}
        table |= {"subject": number // 3 % SUBJECTS + 1, "camera": number % CAMERAS + 1}
        yield Block(steps.astype(np.float32).reshape(-1, 1, len(KINECT_V2), 3), np.arange(len(number) + 1) * frames, table)


def store_of(folder: Path, count: int, frames: int) -> data.ClipStore:
    names = tuple(f"A{i + 1:03d}" for i in range(CLASSES))
    writing.write(Source("walks", KINECT_V2, walks(count, frames), names, 30.0, clips=count), folder / str(count), progress=False)
    return data.open(folder / str(count))


def every(store: data.ClipStore, folder: Path) -> dict[str, Callable[[], Any]]:
    """What is timed, by name; the first takes a number of clips that does not depend on the store."""
    some = np.random.default_rng(0).choice(len(store), SOME, replace=False)
    half = np.arange(len(store)) % 2 == 0
    return {
        f"{SOME} clips, read": lambda: [clip.joints.sum() for clip in store[some]],
        "half of the clips, read": lambda: [clip.joints.sum() for clip in store[half]],
        "split by subject": lambda: data.split(store, "cross-subject"),
        "five folds": lambda: list(data.folds(store, 5)),
        "report": lambda: data.report(store),
        "gaps filled": lambda: data.clean.fill_gaps(store),
        "smoothed": lambda: data.clean.smooth(store),
        "exported, ragged": lambda: data.export(store, folder / "out.npz", "ragged"),
        "fingerprint": lambda: data.open(folder / str(len(store))).fingerprint,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[1_000, 10_000, 114_000])
    parser.add_argument("--frames", type=int, default=16)
    args = parser.parse_args()
    rows: dict[str, dict] = {}
    for count in args.clips:
        with tempfile.TemporaryDirectory() as folder:
            for name, call in every(store_of(Path(folder), count, args.frames), Path(folder)).items():
                gc.collect()
                begin = time.perf_counter()
                call()
                seconds = time.perf_counter() - begin
                touched = SOME if name.startswith(str(SOME)) else count
                rows.setdefault(name, {"what": name})[f"{count:,} clips, us a clip"] = 1e6 * seconds / touched
                print(f"{count:>7,} {name:<26}{seconds:8.2f} s", flush=True)
    report("scaling", list(rows.values()), f"clips of {args.frames} frames, one person, in a store on disk")


if __name__ == "__main__":
    main()
