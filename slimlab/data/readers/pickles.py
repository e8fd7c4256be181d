"""Pickles read without running them: plain containers, text, numbers and NumPy arrays, and nothing else.

A pickle is a program; unpickling a download hands the machine to whoever wrote it. Here the opcodes of Python's own
unpickler are cut down to those that build plain values, and the five names by which NumPy arrays are written stand for classes
of this file: no other name can be called, and no NumPy code sees unchecked input. Text and bytes beyond SPAN are left in the
file until an array is asked for, so that a pickle of several gigabytes takes the memory of its small parts.
Opcodes: https://github.com/python/cpython/blob/3.11/Lib/pickletools.py
"""

from __future__ import annotations

import mmap
import pickle
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from slimlab.data.errors import DataError

SPAN = 512  # bytes; shorter texts are read at once
LIMIT = 1 << 26  # bytes of one array: a float32 clip of 100,000 frames and two people
MOST_OPCODES = 12_000_000  # NTU-120 has about half as many
DTYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")


@dataclass(frozen=True)
class _Span:
    """A long text or run of bytes, still in the file: (start, stop)."""

    start: int
    stop: int
    latin: bool = False  # bytes written as UTF-8 text, as protocols 0 to 2 do


class Array:
    """An array that is still in the file. `shape` is known where it is sound; `read()` gives it, as in the pickle."""

    def __init__(self, dtype: _Dtype | None = None, shape: Any = (), fortran: bool = False, raw: Any = b"") -> None:
        self.shape: tuple[int, ...] = ()
        if dtype is not None:
            self.fill(dtype, shape, fortran, raw)

    def fill(self, dtype: Any, shape: Any, fortran: Any, raw: Any) -> None:
        """Raises ValueError where the parts do not fit each other."""
        if not isinstance(dtype, _Dtype) or not isinstance(raw, (bytes, str, _Span)):
            raise ValueError("an array of other than plain numbers")
        if not isinstance(shape, tuple) or not all(isinstance(n, int) and n >= 0 for n in shape):
            raise ValueError(f"an array of shape {shape!r:.60}")
        self.dtype, self.shape, self.fortran, self.raw = dtype, shape, bool(fortran), raw
        self.size = int(np.prod(shape, dtype=object)) * np.dtype(dtype.name).itemsize
        if self.size > LIMIT:
            raise ValueError(f"an array of {self.size:,} bytes; the most is {LIMIT:,}")

    def read(self, source: Pickle) -> np.ndarray:
        """The array itself. Raises ValueError where it has another number of bytes than its shape needs."""
        raw = source.bytes_of(self.raw)
        if len(raw) != self.size:
            raise ValueError(f"an array of shape {self.shape} with {len(raw):,} bytes instead of {self.size:,}")
        values = np.frombuffer(raw, np.dtype(self.dtype.order + self.dtype.name))
        return values.reshape(self.shape, order="F" if self.fortran else "C")


@dataclass
class _Dtype:
    name: str
    order: str = "<"


def _dtype(name: Any, *_: Any) -> _Dtype:
    if not isinstance(name, str) or not DTYPE.fullmatch(name):
        raise ValueError(f"an array of type {name!r:.60}")
    return _Dtype(name.lstrip("<>|="), ">" if name.startswith(">") else "<")


def _encoded(text: Any, encoding: Any = None) -> Any:
    """How protocols 0 to 2 write bytes: `_codecs.encode(text, "latin1")`."""
    if encoding != "latin1" or not isinstance(text, (str, _Span)):
        raise ValueError("text in an unknown encoding")
    return _Span(text.start, text.stop, latin=True) if isinstance(text, _Span) else text.encode("latin1")


def _scalar(dtype: Any, raw: Any) -> Any:
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes):
        raise ValueError("a number of an unknown type")
    return np.frombuffer(raw, np.dtype(dtype.order + dtype.name), 1)[0].item()


def _reconstruct(*_: Any) -> Array:
    return Array()


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> Array:
    return Array(dtype, shape, order == "F", raw)


class _Name:  # numpy.ndarray is named, as an argument of _reconstruct, but never called
    pass


CALLED: dict[str, Callable[..., Any]] = {"dtype": _dtype, "_reconstruct": _reconstruct, "scalar": _scalar}
CALLED |= {"_frombuffer": _from_buffer, "encode": _encoded, "OrderedDict": lambda *_: {}}
NAMES: dict[str, Any] = {
    "numpy ndarray": _Name,
    "numpy dtype": _dtype,
    **{f"numpy.{c}.multiarray {n}": CALLED[n] for c in ("core", "_core") for n in ("_reconstruct", "scalar")},
    **{f"numpy.{c}.numeric _frombuffer": _from_buffer for c in ("core", "_core")},
    "_codecs encode": _encoded,
    "collections OrderedDict": CALLED["OrderedDict"],
}
PLAIN = (
    "PROTO STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT LONG BININT BININT1 BININT2 LONG1 LONG4 FLOAT BINFLOAT "
    "UNICODE SHORT_BINUNICODE SHORT_BINBYTES STRING BINSTRING SHORT_BINSTRING EMPTY_LIST EMPTY_TUPLE EMPTY_DICT LIST TUPLE "
    "TUPLE1 TUPLE2 TUPLE3 APPEND APPENDS GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL"
).split()


class _Counted:
    """A file that counts the opcodes read from it: each may make an object fifty times its size."""

    def __init__(self, file: mmap.mmap) -> None:
        self.file, self.left, self.readline = file, MOST_OPCODES, file.readline

    def read(self, size: int) -> bytes:
        if size == 1:
            self.left -= 1
            if not self.left:
                raise ValueError(f"more than {MOST_OPCODES:,} opcodes")
        return self.file.read(size)


class Pickle(pickle._Unpickler):  # type: ignore[name-defined]  # Python's own in Python: the C one cannot be cut down
    """`Pickle(path).load()` gives the plain values, arrays as `Array`. Raises DataError for anything else."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        try:
            with open(path, "rb") as file:
                self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            raise DataError(f"{path}: cannot be read ({error}); download it again") from error
        self.size = len(self.map)
        super().__init__(_Counted(self.map), encoding="latin1")

    def load(self) -> Any:
        """The value that the file holds."""
        try:
            return super().load()
        except _Refused as error:
            raise DataError(
                f"{self.path}: at byte {self.map.tell()}: this pickle {error}; slimlab reads arrays and plain containers "
                "alone and has run nothing. Do not unpickle it; where you trust it, save its arrays as .npz"
            ) from error
        except Exception as error:  # whatever damaged bytes provoke
            text = " ".join(str(error).split())
            raise DataError(f"{self.path}: at byte {self.map.tell()}: damaged pickle ({text}); download it again") from error

    def find_class(self, module: Any, name: Any) -> Any:
        found = NAMES.get(f"{module} {name}")
        if found is None:
            raise _Refused(f"asks for '{module}.{name}'"[:120])
        return found

    def bytes_of(self, raw: Any) -> bytes:
        """The bytes of a text, of bytes, or of a span of the file."""
        if isinstance(raw, _Span):
            data = self.map[raw.start : raw.stop]
            return data.decode().encode("latin1") if raw.latin else data
        return raw.encode("latin1") if isinstance(raw, str) else raw

    def _span(self, size: int) -> Any:
        start = self.map.tell()
        if start + size > len(self.map):
            raise EOFError("it ends early")
        self.map.seek(start + size)
        return _Span(start, start + size)

    def _text(self, form: str) -> None:
        (size,) = struct.unpack(form, self.read(struct.calcsize(form)))  # type: ignore[attr-defined]
        self.append(self._span(size) if size > SPAN else str(self.read(size), "utf-8", "surrogatepass"))  # type: ignore[attr-defined]

    def _bytes(self, form: str) -> None:
        (size,) = struct.unpack(form, self.read(struct.calcsize(form)))  # type: ignore[attr-defined]
        self.append(self._span(size) if size > SPAN else self.read(size))  # type: ignore[attr-defined]

    def _frame(self) -> None:  # frames only help a reader that buffers
        self.read(8)  # type: ignore[attr-defined]

    def _reduce(self) -> None:
        arguments, function = self.stack.pop(), self.stack[-1]  # type: ignore[attr-defined]
        if function not in CALLED.values():
            raise _Refused("calls what is no function of NumPy's arrays")
        self.stack[-1] = function(*arguments)  # type: ignore[attr-defined]

    def _build(self) -> None:
        state, made = self.stack.pop(), self.stack[-1]  # type: ignore[attr-defined]
        if isinstance(made, Array):
            _, shape, dtype, fortran, raw = state
            made.fill(dtype, shape, fortran, raw)
        elif isinstance(made, _Dtype):
            made.order = ">" if state[1] == ">" else "<"
        else:
            raise _Refused("sets the state of what is no array")

    def _put_items(self, items: list[Any]) -> None:
        made = self.stack[-1]  # type: ignore[attr-defined]
        if not isinstance(made, dict) or not all(isinstance(k, (str, int, float)) for k in items[::2]):
            raise ValueError("a dictionary whose keys are neither text nor numbers")
        made.update(zip(items[::2], items[1::2], strict=True))

    def _set_items(self) -> None:
        self._put_items(self.pop_mark())  # type: ignore[attr-defined]

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()  # type: ignore[attr-defined]
        self._put_items([key, value])

    def _dict(self) -> None:
        items = self.pop_mark()  # type: ignore[attr-defined]
        self.append({})  # type: ignore[attr-defined]
        self._put_items(items)

    def _refuse(self) -> None:
        raise _Refused("makes objects that are no plain values")

    dispatch: dict[int, Any] = dict.fromkeys(range(256), _refuse)
    dispatch |= {getattr(pickle, n)[0]: pickle._Unpickler.dispatch[getattr(pickle, n)[0]] for n in PLAIN}  # type: ignore[attr-defined]
    dispatch |= {
        pickle.FRAME[0]: _frame,
        pickle.REDUCE[0]: _reduce,
        pickle.BUILD[0]: _build,
        pickle.SETITEM[0]: _set_item,
        pickle.SETITEMS[0]: _set_items,
        pickle.DICT[0]: _dict,
        pickle.BINUNICODE[0]: lambda self: self._text("<I"),
        pickle.BINUNICODE8[0]: lambda self: self._text("<Q"),
        pickle.BINBYTES[0]: lambda self: self._bytes("<I"),
        pickle.BINBYTES8[0]: lambda self: self._bytes("<Q"),
        pickle.BYTEARRAY8[0]: lambda self: self._bytes("<Q"),
    }


class _Refused(Exception):
    """The pickle does more than hold values."""
