"""Claims: which of several processes does a piece of work. Files alone, so that a shared folder is all they need.

A claim is a file `<name>.<generation>`, made with O_EXCL: only one process can make it. Its owner touches it every few seconds.
Where the newest generation's owner has died (its process is gone, or the file was not touched for `stale` seconds) the work is
taken over by making the next generation, which again only one process can. An owner that was merely asleep sees the newer
generation and stops.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

BEAT = 5.0  # seconds between two touches


class Lost(Exception):
    """Another process took our work over, because we stood still for too long."""


class Claim:
    """A piece of work that is ours until `release`; `lost` says that somebody took it over."""

    def __init__(self, file: Path, rest: Path) -> None:
        self.file, self._rest = file, rest
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._touch, daemon=True)
        self._thread.start()

    def _touch(self) -> None:
        while not self._done.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self.file)

    @property
    def lost(self) -> bool:
        """Whether a newer generation exists, or the claim was removed."""
        newest = _newest(self._rest)
        return newest is None or newest[1] != self.file

    def release(self) -> None:
        """Let go, whether or not the work was done."""
        self._done.set()
        self._thread.join()
        self.file.unlink(missing_ok=True)


def claim(folder: Path, name: str, stale: float = 120.0) -> Claim | None:
    """Take `name` in `folder` (made where it is missing), or None while another living process has it.

    stale  seconds without a touch after which an owner on another machine, or one that hangs, counts as dead
    """
    folder.mkdir(parents=True, exist_ok=True)
    newest = _newest(folder / name)
    if newest is not None and not _is_dead(newest[1], stale):
        return None
    file = folder / f"{name}.{0 if newest is None else newest[0] + 1}"
    try:
        handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    except FileExistsError:
        return None
    with os.fdopen(handle, "w") as f:
        f.write(json.dumps({"host": socket.gethostname(), "process": os.getpid(), "since": time.strftime("%Y-%m-%dT%H:%M:%S")}))
    return Claim(file, folder / name)


def forget(folder: Path, name: str) -> None:
    """Remove what dead owners left of a piece of work that is done."""
    for _, file in _generations(folder / name):
        file.unlink(missing_ok=True)


def _generations(rest: Path) -> Iterator[tuple[int, Path]]:
    for file in rest.parent.glob(f"{rest.name}.*"):
        if file.suffix[1:].isdigit():
            yield int(file.suffix[1:]), file


def _newest(rest: Path) -> tuple[int, Path] | None:
    return max(_generations(rest), default=None)


def _is_dead(file: Path, stale: float) -> bool:
    """Whether the owner is gone. A file that vanishes meanwhile was released by a living one."""
    try:
        if time.time() - file.stat().st_mtime > stale:
            return True
        owner = json.loads(file.read_text() or "{}")
    except (OSError, ValueError):
        return False
    if owner.get("host") != socket.gethostname() or os.name == "nt":
        return False  # a process of another machine cannot be asked
    try:
        os.kill(int(owner["process"]), 0)  # signal 0 asks whether it is there
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
