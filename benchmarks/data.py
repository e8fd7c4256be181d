"""Stores at the size of NTU RGB+D 120: written, opened, sampled, and an NTU `.npz` converted; time and memory of each.

    python benchmarks/data.py [--clips 114000] [--npz-clips 16000] [--folder DIR] [--full-npz]

Clips are synthetic (32 to 300 frames, one or two people, Kinect v2): a few hundred over and over, each shaped a little
differently, so that no two are equal. Each step runs in a process of its own, whose peak memory is measured; what the imported
libraries take is measured too and stands apart. Budgets: conversion 1 GB (libraries included); opening 1 s and 300 MB beyond the
libraries; a random batch of 256 clips, 64 frames, warm: 50 ms. The folder takes some 4 GB at the default size, of which nothing
stays. `--full-npz` converts as many clips as NTU-60 has, 10 GB unpacked. Exit status 1 where a budget is missed.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _report import peak_mb, report

MOTIONS = 440
BUDGETS = {"convert MB": 1024, "open s": 1.0, "open MB": 300, "batch ms": 50}


def clips(count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """(T, M, 25, 3) one after another."""
    from slimlab import data

    made = [clip.joints for clip in data.synthetic(MOTIONS, seed)]
    dice = np.random.default_rng(seed)
    for i in range(count):
        x = made[i % MOTIONS]
        there = x.any(axis=(2, 3), keepdims=True)
        yield (x + dice.normal(0, 0.002, (1, 1, *x.shape[2:])) * there).astype(np.float32)


def write_npz(path: Path, count: int) -> None:
    """An NTU `.npz`, compressed, written clip by clip: zeros behind a clip's end, as everywhere in the field."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as z:
        for side, n in (("train", count * 2 // 3), ("test", count - count * 2 // 3)):
            with z.open(f"x_{side}.npy", "w", force_zip64=True) as file:
                header = {"descr": "<f4", "fortran_order": False, "shape": (n, 300, 150)}
                np.lib.format.write_array_header_1_0(file, header)
                for x in clips(n, seed=len(side)):
                    row = np.zeros((300, 2, 25, 3), dtype=np.float32)
                    row[: len(x), : x.shape[1]] = x
                    file.write(row.tobytes())
            with z.open(f"y_{side}.npy", "w") as file:
                np.lib.format.write_array(file, np.eye(60, dtype=np.float64)[np.arange(n) % 60])


def made(folder: Path, count: int) -> dict:
    """A store of `count` clips, as a reader's blocks."""
    from slimlab.data import writing
    from slimlab.data.building import Block, Source
    from slimlab.skeleton import KINECT_V2

    def blocks():
        stream, done = clips(count), 0
        while done < count:
            part = [next(stream) for _ in range(min(64, count - done))]
            part = [np.pad(x, ((0, 0), (0, 2 - x.shape[1]), (0, 0), (0, 0))) for x in part]
            numbers = np.arange(done, done + len(part))
            names = [f"S{i // 3600:03d}C{i % 3 + 1:03d}P{i // 3 % 106 + 1:03d}R{i // 318:03d}A{i % 120 + 1:03d}" for i in numbers]
            table = {"clip": [f"{n}_{i}" for n, i in zip(names, numbers, strict=True)], "label": numbers % 120}
            table |= {"subject": numbers // 3 % 106 + 1, "camera": numbers % 3 + 1}
            yield Block(np.concatenate(part), np.cumsum([0, *map(len, part)]), table)
            done += len(part)

    begin = time.perf_counter()
    names = tuple(f"A{i + 1:03d}" for i in range(120))
    writing.write(Source("made", KINECT_V2, blocks(), names, 30.0, clips=count), folder / "store", progress=sys.stderr.isatty())
    return {"s": time.perf_counter() - begin, "MB": peak_mb(), "GB": size(folder / "store")}


def converted(folder: Path) -> dict:
    from slimlab import data

    begin = time.perf_counter()
    store = data.convert(folder / "ntu.npz", folder / "ntu", progress=sys.stderr.isatty())
    seconds = time.perf_counter() - begin
    inside = sum(i.file_size for i in zipfile.ZipFile(folder / "ntu.npz").infolist()) / 1e9
    return {"s": seconds, "MB": peak_mb(), "clips": len(store), "GB unpacked": inside, "GB store": size(folder / "ntu")}


def opened(folder: Path) -> dict:
    """Opened (the first thing that the process does), then random batches; memory of opening and of all of it."""
    import torch

    from slimlab import data

    before = peak_mb()
    begin = time.perf_counter()
    store = data.open(folder / "store")
    seconds, after = time.perf_counter() - begin, peak_mb()
    dice, took = np.random.default_rng(0), []
    for _ in range(60):
        chosen = dice.integers(0, min(len(store), 20_000), 256)  # a part that stays in the page cache: warm
        begin = time.perf_counter()
        data.test_view(store, chosen, frames=64)
        took.append(time.perf_counter() - begin)
    views = []
    for seed in range(10):
        chosen = dice.integers(0, min(len(store), 20_000), 256)
        begin = time.perf_counter()
        data.sample_views(store, chosen, torch.Generator().manual_seed(seed))
        views.append(time.perf_counter() - begin)
    warm = took[20:]
    return {
        "s": seconds,
        "MB": after - before,
        "libraries MB": before,
        "clips": len(store),
        "batch ms": 1e3 * statistics.median(warm),
        "batch ms, slowest": 1e3 * max(warm),
        "views of pre-training, clips/s": 256 / statistics.median(views),
    }


def size(folder: Path) -> float:
    return sum(f.stat().st_size for f in folder.iterdir()) / 1e9


def in_a_process(step: str, folder: Path, count: int) -> dict:
    """A step of this file, alone in a process."""
    done = subprocess.run(
        [sys.executable, __file__, "--step", step, "--folder", folder, "--clips", str(count)], stdout=subprocess.PIPE
    )
    if done.returncode:
        sys.exit(f"{step} failed")
    return json.loads(done.stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=114_000)
    parser.add_argument("--npz-clips", type=int, default=16_000)
    parser.add_argument("--full-npz", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.step:
        steps = {
            "make": lambda: made(a.folder, a.clips),
            "convert": lambda: converted(a.folder),
            "open": lambda: opened(a.folder),
        }
        print(json.dumps(steps[a.step]()))
        return 0
    folder = Path(tempfile.mkdtemp(dir=a.folder))
    found = {}
    try:
        write_npz(folder / "ntu.npz", 40_091 + 16_487 if a.full_npz else a.npz_clips)
        found["convert"] = in_a_process("convert", folder, a.clips)
        shutil.rmtree(folder / "ntu")
        (folder / "ntu.npz").unlink()
        found["make"] = in_a_process("make", folder, a.clips)
        found["open"] = in_a_process("open", folder, a.clips)
    finally:
        shutil.rmtree(folder)
    c, m, o = found["convert"], found["make"], found["open"]
    rows = [
        {
            "what": f"NTU .npz of {c['clips']:,} clips converted, {c['GB unpacked']:.1f} GB unpacked",
            "seconds": c["s"],
            "memory, MB": c["MB"],
            "budget": "1,024 MB, libraries included",
        },
        {
            "what": f"store of {o['clips']:,} clips written, {m['GB']:.1f} GB",
            "seconds": m["s"],
            "memory, MB": m["MB"],
            "budget": "1,024 MB, libraries included",
        },
        {
            "what": "that store opened",
            "seconds": o["s"],
            "memory, MB": o["MB"],
            "budget": f"1 s, 300 MB beyond the libraries' {o['libraries MB']:.0f}",
        },
        {
            "what": f"256 random clips, 64 frames, warm; slowest {o['batch ms, slowest']:.0f} ms",
            "seconds": o["batch ms"] / 1e3,
            "budget": "0.05 s",
        },
        {"what": "views of pre-training", "clips/s": o["views of pre-training, clips/s"], "budget": "2,250 clips/s"},
    ]
    report("data", rows, "synthetic clips; each line in its own process")
    held = (max(c["MB"], m["MB"]), o["s"], o["MB"], o["batch ms"])
    return int(any(value > budget for value, budget in zip(held, BUDGETS.values(), strict=True)))


if __name__ == "__main__":
    sys.exit(main())
