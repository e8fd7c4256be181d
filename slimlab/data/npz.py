"""`.npz` members looked at before they are read: names, shapes and types come from the headers, nothing is unpickled."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimlab.data.errors import DataError

LIMIT = 1 << 40  # bytes; no skeleton file is that large


def write(path: str | Path, arrays: dict[str, np.ndarray]) -> None:
    """Write an `.npz` beside its place, then rename: `path` is whole or not there."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


class Npz:
    """An `.npz` file. `shapes` name -> (shape, dtype). Raises DataError where the file is no sound `.npz`."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.shapes: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
        try:
            self.zip = zipfile.ZipFile(self.path)
        except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
            raise DataError(f"{self.path}: no readable .npz file ({error}); download or write it again") from error
        for info in self.zip.infolist():
            if info.filename.endswith(".npy"):
                self.shapes[info.filename[:-4]] = self._header(info)

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def _header(self, info: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype]:
        name = info.filename[:-4]
        try:
            with self.zip.open(info) as file:
                shape, dtype = _read_header(file)
                start = file.tell()
        except Exception as error:  # whatever damaged bytes provoke in zipfile or NumPy
            raise DataError(f"{self.path}: array '{name}' cannot be read ({error}); write the file again") from error
        if dtype.hasobject:
            raise DataError(
                f"{self.path}: array '{name}' holds Python objects, which slimlab never unpickles; save it as a plain array"
            )
        expected = int(np.prod(shape, dtype=object)) * dtype.itemsize  # Python integers: absurd counts do not wrap
        if min(shape, default=0) < 0 or expected > LIMIT or info.file_size - start != expected:
            raise DataError(
                f"{self.path}: array '{name}' says it is {shape} but holds {info.file_size - start} bytes instead of "
                f"{expected}; the file is truncated or damaged, write it again"
            )
        return shape, dtype

    def read(self, name: str) -> np.ndarray:
        """One whole array."""
        shape, dtype = self.shapes[name]
        blocks = list(self.stream(name, max(1, shape[0] if shape else 1)))
        return blocks[0] if blocks else np.zeros(shape, dtype)

    def stream(self, name: str, count: int) -> Iterator[np.ndarray]:
        """The array in blocks of `count` along its first axis, read through the zip without loading the rest.

        NumPy's `mmap_mode` is silently ignored for `.npz`, which is why this exists.
        """
        shape, dtype = self.shapes[name]
        total, per = (shape[0], shape[1:]) if shape else (1, ())
        size = int(np.prod(per)) * dtype.itemsize
        try:
            with self.zip.open(f"{name}.npy") as file:
                _read_header(file)
                for start in range(0, total, count):
                    n = min(count, total - start)
                    data = file.read(n * size)
                    yield np.frombuffer(bytearray(data), dtype).reshape((n, *per) if shape else ())
        except Exception as error:
            raise DataError(f"{self.path}: array '{name}' cannot be read ({error}); write the file again") from error

    def number(self, name: str, shape: tuple[int | None, ...], kinds: str, what: str) -> None:
        """Raises DataError unless the array has this shape (None: any) and a dtype kind among `kinds`."""
        if name not in self:
            raise DataError(f"{self.path}: array '{name}' is missing ({what}); it holds {', '.join(self.shapes) or 'none'}")
        have, dtype = self.shapes[name]
        fits = len(have) == len(shape) and all(w is None or w == h for w, h in zip(shape, have, strict=True))
        if not fits or dtype.kind not in kinds:
            wanted = "(" + ", ".join("any" if w is None else str(w) for w in shape) + ")"
            raise DataError(f"{self.path}: array '{name}' is {dtype} {have}, should be {what} of shape {wanted}")


def _read_header(file) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(file)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
    shape, fortran, dtype = read(file)
    if fortran and len(shape) > 1:
        raise ValueError("Fortran order")
    return shape, dtype
