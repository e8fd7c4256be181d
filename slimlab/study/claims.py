"""Claims: which of several processes does a piece of work.

A claim is a file lock (`filelock`) in a folder that the processes share. The system releases it when its owner ends, however it
ends, so a killed process's work is free at once. A process that hangs keeps its claim until somebody stops it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout


@contextlib.contextmanager
def claim(folder: Path, name: str) -> Iterator[bool]:
    """Take `name` in `folder` (made where it is missing) while the body runs.

    Yields True where the work is ours, False where another living process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.lock"
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        with contextlib.suppress(OSError):  # Windows removes no open file; a later claim uses the same one
            file.unlink()  # while we hold it: `filelock` notices a removed file, so two processes never hold one name
        lock.release()
