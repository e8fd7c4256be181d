"""Damaged copies of a C3D file, each opened in this one process, whose time and memory are limited.

    python -m tests.data.readers.damaged_c3d FOLDER COUNT

Exit status other than 0 where one is anything but read or refused, or the limits are exceeded.
"""

import resource
import sys
from pathlib import Path

import ezc3d
import numpy as np

from tests.data.readers.mutation import check_mutants
from tests.data.readers.test_trc import NAMES, standing

MEMORY, SECONDS = 1 << 30, 600  # bytes beyond what the process has, and of processor time


def write(path: Path, frames: int = 4) -> Path:
    """Standing markers in millimeters, z up, at 100 frames a second."""
    c, x = ezc3d.c3d(), standing(frames, up=2) * 1000
    c["parameters"]["POINT"]["RATE"]["value"] = [100]
    c["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    c["parameters"]["POINT"]["LABELS"]["value"] = NAMES
    c["data"]["points"] = np.concatenate([x, np.ones_like(x[..., :1])], axis=2).transpose(2, 1, 0)
    c.write(str(path))
    return path


if __name__ == "__main__":
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    path = write(folder / "a.c3d")
    check_mutants(path, 1, least=-1)  # everything that is loaded once, before the limit
    for left in (folder / "mutants", folder / "out"):
        for file in left.iterdir():
            file.unlink()
        left.rmdir()
    held = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        if Path("/proc/self/statm").exists()
        else 8 << 30
    )
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY,) * 2)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS,) * 2)
    check_mutants(path, count, least=0.02)
    print("bounded")
