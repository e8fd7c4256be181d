"""Damaged copies of a file that a C library reads, each opened in this one process, whose time and memory are limited.

    python -m tests.data.readers.damaged_binaries KIND FOLDER COUNT

Exit status other than 0 where one is anything but read or refused, or the limits are exceeded.
"""

import resource
import sys
from pathlib import Path

import numpy as np

from slimlab import data
from tests.data.readers.mutation import check_mutants
from tests.data.readers.test_trc import NAMES, standing

MEMORY, SECONDS = 1 << 30, 600  # bytes beyond what the process has, and of processor time


def c3d(path: Path, frames: int = 4) -> Path:
    """Standing markers in millimeters, z up, at 100 frames a second."""
    import ezc3d

    c, x = ezc3d.c3d(), standing(frames, up=2) * 1000
    c["parameters"]["POINT"]["RATE"]["value"] = [100]
    c["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    c["parameters"]["POINT"]["LABELS"]["value"] = NAMES
    c["data"]["points"] = np.concatenate([x, np.ones_like(x[..., :1])], axis=2).transpose(2, 1, 0)
    c.write(str(path))
    return path


def h5(path: Path) -> Path:
    from tests.data.readers import test_sleap

    return test_sleap.write(path)[0]


KINDS = {"c3d": (c3d, 0.02), "h5": (h5, 0.02)}  # and the least part that is refused


if __name__ == "__main__":
    kind, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    write, least = KINDS[kind]
    path = write(folder / f"a.{kind}")
    data.open(data.convert(path, folder / "whole", progress=False).source)  # all that is loaded once, before the limit
    held = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        if Path("/proc/self/statm").exists()
        else 8 << 30
    )
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS,) * 2)
    check_mutants(path, count, least=least)
    print("bounded")
