"""What the benchmarks share: the machine in a line, a table, JSON in out/bench, a measurement in a process of its own.

out = measured(my_function, argument)    # what it returns, with "peak_mb", the process's peak memory
report("encoder", rows, note="…")        # prints the table, writes out/bench/encoder.json
"""

import json
import multiprocessing
import os
import platform
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slimlab._system.cache import replace_file

OUT = Path("out/bench")


def machine(device: str = "cpu") -> str:
    """What it was measured on, in a line; the load tells whether it was alone there."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    if device.startswith("cuda"):
        name = torch.cuda.get_device_name(device)
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    return (
        f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}, {platform.system()}{load}"
    )


def clock(call: Callable[[], Any], seconds: float = 1.0, least: int = 3) -> float:
    """Median seconds of a call, after one that does not count."""
    call()
    times, begin = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def turns(calls: dict[str, Callable[[], Any]], seconds: float = 2.0, least: int = 3) -> dict[str, float]:
    """Median seconds of several calls, taken in turns, so that a change of the machine's mood meets all of them."""
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    begin = time.perf_counter()
    while len(next(iter(times.values()))) < least or time.perf_counter() - begin < seconds * len(calls):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(t)) for name, t in times.items()}


def matmul_peak(dtype: torch.dtype = torch.float32, size: int = 2048, repeats: int = 12) -> float:
    """FLOP/s of the best of some products of large square matrices: the arithmetic limit that fractions refer to."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(repeats):
        begin = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best


def measured(call: Callable[..., dict], *arguments: Any) -> dict:
    """call(*arguments) in a fresh process: its dict with `peak_mb`, the most memory it had, Python included."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(theirs, call, arguments))
    process.start()
    theirs.close()
    try:
        return mine.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{call.__name__}{arguments} ended with exit code {process.exitcode}") from None
    finally:
        process.join()


def _send(pipe, call, arguments) -> None:
    found = call(*arguments)
    pipe.send(found | {"peak_mb": peak_mb()})
    pipe.close()


def peak_mb() -> float:
    """MB that this process had at most. Linux's ru_maxrss would count the process that started it as well."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1e3  # pyright: ignore
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def markdown(rows: list[dict]) -> str:
    """A table as GitHub shows it; the columns of all rows in the order they come; empty where a row has none."""
    columns = list(dict.fromkeys(name for row in rows for name in row))

    def cell(value: Any) -> str:
        if value is None or value != value:
            return ""
        if isinstance(value, (bool, str)):
            return str(value)
        return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else f"{value:,.0f}"

    lines = [columns, ["---"] * len(columns), *([cell(row.get(name)) for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(name: str, rows: list[dict], note: str = "", device: str = "cpu") -> None:
    """Print the table and keep it, with the machine, in out/bench/NAME.json."""
    about = machine(device)
    print(f"\n{name}: {note}\n{about}\n\n{markdown(rows)}\n")
    OUT.mkdir(parents=True, exist_ok=True)
    record = {"machine": about, "date": time.strftime("%Y-%m-%d"), "note": note, "rows": rows}
    replace_file(OUT / f"{name}.json", lambda f: f.write((json.dumps(record, indent=1) + "\n").encode()))
