"""`.npz` members looked at before they are read: names, shapes and types come from the headers, nothing is unpickled."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slimlab.data.errors import DataError

LIMIT = 1 << 40  # bytes of one array; no skeleton file is that large
WHOLE = 1 << 26  # bytes of an array that is read at once
BOMB = 600  # an array that unpacks to so many times its size, and beyond WHOLE, is no recording


@dataclass(frozen=True)
class Parts:
    """An array that is written part by part along its first axis."""

    shape: tuple[int, ...]
    dtype: np.dtype
    parts: Iterable[np.ndarray]


def write(path: str | Path, arrays: Mapping[str, np.ndarray | Parts]) -> None:
    """Write an `.npz` beside its place, then rename: `path` is whole or not there. Raises DataError where it cannot."""
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with zipfile.ZipFile(beside, "w") as file:
            for name, array in arrays.items():
                whole = array if isinstance(array, Parts) else Parts(array.shape, array.dtype, [array])
                with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                    descr = np.lib.format.dtype_to_descr(whole.dtype)
                    np.lib.format.write_array_header_1_0(member, {"descr": descr, "fortran_order": False, "shape": whole.shape})  # pyright: ignore[reportArgumentType]
                    for part in whole.parts:
                        member.write(np.ascontiguousarray(part, dtype=whole.dtype).tobytes())
        os.replace(beside, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); nothing was left behind") from error
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
        if expected > WHOLE and expected > BOMB * info.compress_size:
            raise DataError(
                f"{self.path}: array '{name}' unpacks from {info.compress_size:,} to {expected:,} bytes; not unpacked"
            )
        return shape, dtype

    def read(self, name: str) -> np.ndarray:
        """One whole array."""
        shape, dtype = self.shapes[name]
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > WHOLE:
            raise DataError(f"{self.path}: array '{name}' is {shape}, larger than any list of clips; write the file again")
        array = next(self.stream(name, [shape[0] if shape else 1]))
        if dtype.kind == "U" and array.size:
            code = np.frombuffer(array.tobytes(), np.dtype("u4").newbyteorder(dtype.byteorder))
            if ((code > 0x10FFFF) | ((code >= 0xD800) & (code < 0xE000))).any():
                raise DataError(f"{self.path}: array '{name}' holds what is no text; write the file again")
        return array

    def stream(self, name: str, counts: Iterable[int], skip: int = 0) -> Iterator[np.ndarray]:
        """The array in parts of so many entries of its first axis, after the first `skip`, read through the zip.

        NumPy's `mmap_mode` is silently ignored for `.npz`, which is why this exists.
        """
        shape, dtype = self.shapes[name]
        per = shape[1:]
        size = int(np.prod(per)) * dtype.itemsize
        try:
            with self.zip.open(f"{name}.npy") as file:
                _read_header(file)
                file.seek(skip * size, os.SEEK_CUR)
                for n in counts:
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
