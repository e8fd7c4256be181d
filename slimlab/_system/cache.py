"""Results that take long, kept on disk by the content of what they were computed from.

A name is a digest of everything that the result depends on, so nothing goes stale and nothing needs to be cleared. A file is
written beside and renamed: several processes may read and write at once, the worst is that two compute the same. What was used
longest ago goes first. SLIMLAB_CACHE names another folder than the user's cache; "off" keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from slimlab._system.warn import warn

TEMPORARY = ".slimlab-tmp-"  # the names of files that are being written begin so, and what a kill left of them may go
MOST_BYTES = 2 << 30  # of one kind, together
MOST_FILES = 1000


def digest(*parts: Any) -> str:
    """24 hex digits of arrays, tensors and whatever else has a full `repr` (numbers, text, tuples of these)."""
    key = hashlib.blake2b(digest_size=12)
    for part in parts:
        if isinstance(part, Tensor):
            part = part.detach().cpu().contiguous()
            key.update(f"{part.dtype}{tuple(part.shape)}".encode())
            key.update(part.flatten().view(torch.uint8).numpy().tobytes())
        elif isinstance(part, np.ndarray):
            key.update(f"{part.dtype}{part.shape}".encode())
            key.update(np.ascontiguousarray(part).tobytes())
        else:
            key.update(f"{part!r};".encode())
    return key.hexdigest()


def folder(kind: str, where: str | Path | None = "default") -> Path | None:
    """The folder of such results: `where`, or by default a folder of the user's cache. None: nothing is kept."""
    if where is None:
        return None
    if where != "default":
        return Path(where)
    own = os.environ.get("SLIMLAB_CACHE", "")
    if own == "off":
        return None
    import platformdirs

    return Path(own or platformdirs.user_cache_dir("slimlab")) / kind


def read(file: Path) -> np.ndarray | None:
    """The array that is kept there, marked as just used; None where there is none, or a damaged one."""
    try:
        array = np.load(file, allow_pickle=False)
        os.utime(file)
    except (OSError, ValueError, EOFError):
        return None
    return array


def keep(file: Path, array: np.ndarray, most_files: int = MOST_FILES, most_bytes: int = MOST_BYTES) -> None:
    """Keep an array, then let go of those used longest ago, until at most so many files and bytes are left. An array larger
    than a quarter of the bytes is not kept. A folder that cannot be written gives a warning, no error."""
    if array.nbytes > most_bytes / 4:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, lambda f: np.save(f, array, allow_pickle=False))
    except OSError as error:
        warn(f"{file.parent}: a result cannot be kept ({error.strerror}); it is computed again next time")
        return
    known = []
    for other in file.parent.glob("*.npy"):
        try:
            about = other.stat()
        except OSError:  # another process let go of it
            continue
        known.append((about.st_mtime, about.st_size, other))
    known.sort(key=lambda k: k[0], reverse=True)  # newest first
    total = 0
    for count, (_, size, other) in enumerate(known, start=1):
        total += size
        if (count > most_files or total > most_bytes) and other != file:
            other.unlink(missing_ok=True)


def replace_file(file: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write beside `file`, flush to disk, then take its place."""
    beside = file.with_name(f"{TEMPORARY}{file.name}.{uuid.uuid4().hex}")
    try:
        with open(beside, "wb") as f:
            write(f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)
