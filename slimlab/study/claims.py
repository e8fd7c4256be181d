"""Claims: which of several processes does a piece of work.

A claim is a file lock (`filelock`) in a folder that the processes share. The system releases it when its owner ends, however it
ends, so a killed process's work is free at once. A process that hangs keeps its claim until somebody stops it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

Result = TypeVar("Result")


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


def shared(
    names: Iterable[str],
    kept: Callable[[str], Result | None],
    work: Callable[[str], Result],
    folder: Path,
    deadline: float = float("inf"),
) -> Iterator[tuple[str, Result]]:
    """Yield name and result of each piece of work as it is done, here or by another process that was started on the same.

    Args:
        names: The work, in the order in which it is to be begun.
        kept: Reads a finished result; None where there is none yet.
        work: Does a piece of work, keeps its result where `kept` finds it, and returns it.
        folder: Of the claims.
        deadline: Of `time.monotonic`, after which nothing is begun any more; what is left is then not yielded. What is kept
            already is yielded first.
    """
    left = list(names)
    for name in tuple(left):  # what is there is read whatever the time
        if (result := kept(name)) is not None:
            left.remove(name)
            yield name, result
    while left and time.monotonic() < deadline:
        worked = False
        for name in tuple(left):
            if time.monotonic() >= deadline:
                break
            with claim(folder, name) as ours:
                if not ours:
                    continue
                result = kept(name)  # another process may have finished it while we were asking
                if result is None:
                    worked, result = True, work(name)
            left.remove(name)
            yield name, result
        for name in tuple(left):  # what others did meanwhile
            if (result := kept(name)) is not None:
                worked = True
                left.remove(name)
                yield name, result
        if left and not worked:
            time.sleep(1.0)  # the last pieces are in other hands
