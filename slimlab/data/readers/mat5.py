"""One numeric array out of a MATLAB file of version 5 to 7: header, elements, zlib; nothing else of the format.

MAT-File Format, chapter 1 (https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf). Our own because `scipy.io.loadmat`
of SciPy 1.17.1 ends the process (SIGSEGV or SIGBUS) on damaged files: on 239 of 91,786 mutants of UTD-MHAD's. Ours raises
ValueError (tests/data/readers/test_mutants.py).
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
MOST_ARRAYS = 1000
NUMERIC = range(6, 16)  # classes of numeric arrays: double, single, int8 … uint64
LIMIT = 1 << 26  # bytes of one array, unpacked


def read_array(file: str | Path | bytes, name: str) -> np.ndarray:
    """The array called `name` of a file or its bytes, in its own shape.

    Raises ValueError where the file is damaged or holds no such numeric array.
    """
    raw = file if isinstance(file, bytes) else Path(file).read_bytes()
    if len(raw) < 128 or raw[126:128] not in (b"IM", b"MI"):
        raise ValueError("it is no MATLAB file of version 5 to 7; in MATLAB, save it with -v7")
    order = "<" if raw[126:128] == b"IM" else ">"
    at, names = 128, []
    while at + 8 <= len(raw):
        if len(names) > MOST_ARRAYS:
            raise ValueError(f"damaged: more than {MOST_ARRAYS} elements")
        kind, data, at = _element(raw, at, order)
        if kind == COMPRESSED:
            kind, data, _ = _element(_unpacked(data), 0, order)
        if kind == MATRIX:
            found, array = _matrix(data, order, name)
            if array is not None:
                return array
            names.append(found)
        else:
            names.append("something else")
    raise ValueError(f"it holds no array '{name}', but {', '.join(names[:10]) or 'nothing'}")


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        out = unpacker.decompress(data, LIMIT)
    except zlib.error as error:
        raise ValueError(f"damaged: {error}") from error
    if not unpacker.eof:
        raise ValueError("damaged: a compressed array ends early, or is larger than 64 MB")
    return out


def _element(raw: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """(type, data, place of the next element) of the element at `at`."""
    if at + 8 > len(raw):
        raise ValueError("damaged: it ends within an element")
    first, second = (int(v) for v in np.frombuffer(raw, f"{order}u4", 2, at))
    if first >> 16:  # a small element: its data stand in the tag
        kind, size, start, end = first & 0xFFFF, first >> 16, at + 4, at + 8
        fits = size <= 4
    else:
        kind, size, start = first, second, at + 8
        end = start + size if kind == COMPRESSED else start + (size + 7) // 8 * 8
        fits = start + size <= len(raw)
    if not fits:
        raise ValueError("damaged: an element is longer than the file")
    return kind, raw[start : start + size], end


def _matrix(data: bytes, order: str, wanted: str) -> tuple[str, np.ndarray | None]:
    """(name, array) of a matrix element; the array is None where it is not the wanted one."""
    flags, at = _numbers(data, 0, order)
    shape, at = _numbers(data, at, order)
    _, label, at = _element(data, at, order)
    name = label.decode("ascii", "replace")
    if name != wanted:
        return name, None
    if not len(flags) or int(flags[0]) & 0xFF not in NUMERIC or int(flags[0]) & 0x0800:
        raise ValueError(f"'{name}' is no real numeric array")
    values, _ = _numbers(data, at, order)
    size = tuple(int(v) for v in shape)
    if min(size, default=-1) < 0 or int(np.prod(size, dtype=object)) != len(values):
        raise ValueError(f"damaged: '{name}' says it is {size} but holds {len(values)} numbers")
    return name, values.reshape(size, order="F")


def _numbers(data: bytes, at: int, order: str) -> tuple[np.ndarray, int]:
    kind, values, at = _element(data, at, order)
    if kind not in TYPES or len(values) % np.dtype(TYPES[kind]).itemsize:
        raise ValueError(f"damaged: numbers of an unknown type {kind}")
    return np.frombuffer(values, order + TYPES[kind]), at
