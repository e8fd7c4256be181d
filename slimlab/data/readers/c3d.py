"""C3D, the biomechanics laboratories' binary format of markers (https://www.c3d.org/docs/C3D_User_Guide.pdf), read by ezc3d.

The unit stands in POINT:UNITS. The up axis is what POINT:Y_SCREEN says, else what head and feet of the first file say, else z.
A marker whose residual is negative was not seen.
"""

from __future__ import annotations

import importlib
import math
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slimlab import _extras
from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files, markers, units
from slimlab.data.readers.markers import UNITS, Markers
from slimlab.data.readers.recordings import check_size
from slimlab.skeleton import Skeleton

MOST_PARAMETERS = 10_000


def read(path: str | Path, skeleton: Skeleton | None = None) -> Source:
    """A file, a folder or a zip of files with one set of markers; `skeleton` gives the tree where the set is not known.
    Raises DataError, and MissingExtra where ezc3d is not installed."""
    _extras.require("formats", "C3D files", "ezc3d")
    usual = ("z", "the laboratories' usual one, the file does not tell")
    return markers.read(path, ".c3d", _parsed, skeleton, usual, "from POINT:Y_SCREEN")


def _parsed(file: files.File, raw: bytes) -> Markers:
    """Raises DataError."""
    opened: Callable[[str], Any] = importlib.import_module("ezc3d").c3d
    _check_header(raw, file.place)
    _check_parameters(raw, file.place)
    try:
        if file.member:
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / "member.c3d"
                copy.write_bytes(raw)
                c = opened(str(copy))
        else:
            c = opened(str(file.path))
        point = c["parameters"]["POINT"]
        x = np.asarray(c["data"]["points"], dtype=np.float64)[:3].transpose(2, 1, 0)  # (T, V, 3)
        residual = np.asarray(c["data"]["meta_points"]["residuals"])[0].T  # (T, V)
        labels = [str(v).strip() for name in point if _is_list(name, "LABELS") for v in point[name]["value"]]
        unit = str(_value(point, "UNITS", "mm")).strip().lower() or "mm"
        fps, screen = float(_value(point, "RATE", 0)), str(_value(point, "Y_SCREEN", "")).strip().lower().lstrip("+")
    except Exception as error:  # whatever a damaged file provokes in ezc3d
        text = " ".join(str(error).split())[:200]
        raise DataError(f"{file.place}: no sound C3D file ({text}); export it again") from error
    check_size(x.shape[0], x.shape[1], file.place)
    if len(labels) < x.shape[1] or residual.shape != x.shape[:2] or not 0 < fps < 1e6 or unit not in UNITS:
        raise DataError(
            f"{file.place}: {len(labels)} names for {x.shape[1]} markers, {fps:.4g} frames a second, unit {unit!r}; "
            "export it again"
        )
    x[(residual < 0) | ~np.isfinite(x).all(axis=2)] = np.nan
    return Markers(labels[: x.shape[1]], x, fps, unit, screen if screen in units.TURNS else "")


def _check_header(raw: bytes, place: str) -> None:
    """ezc3d allocates what the header asks for: refuse a header that asks for more than the file holds. Raises DataError."""
    if len(raw) < 1024 or raw[1] != 0x50 or not 1 <= raw[0] <= 127 or len(raw) < 512 * raw[0]:
        raise DataError(f"{place}: no C3D file, or one without its first blocks; export it again")
    processor = raw[512 * (raw[0] - 1) + 3] - 83  # 1 Intel, 2 DEC, 3 MIPS
    order = ">" if processor == 3 else "<"
    points, analog, first, last = struct.unpack(f"{order}4H", raw[2:10])
    scale = struct.unpack(f"{order}f", raw[12:16])[0]
    word = 2 if scale > 0 and processor != 2 else 4
    frames = last - first + 1
    if last < 65535 and (frames < 1 or frames * (4 * points + analog) * min(word, 2) > len(raw)):
        raise DataError(
            f"{place}: {frames} frames of {points} markers do not fit in {len(raw):,} bytes; it was cut off: export it again"
        )


def _check_parameters(raw: bytes, place: str) -> None:
    """ezc3d reads what sizes and offsets say, however long that takes: refuse those that leave the file. Raises DataError.

    A record is: length of the name, group (negative: the group itself), the name, the way to the next record, and of a parameter
    also type, number of dimensions, dimensions, values; then a description (User Guide, "The Parameter Section")."""
    at = 512 * (raw[0] - 1)
    order = "big" if raw[at + 3] - 83 == 3 else "little"
    at, number = at + 4, 0
    try:
        while length := abs(_signed(raw[at])):
            group, to = _signed(raw[at + 1]), at + 2 + length
            way = int.from_bytes(raw[to : to + 2], order)
            end = to + 2
            if group > 0:
                kind, dimensions = abs(_signed(raw[end])), raw[end + 2 : end + 2 + raw[end + 1]]
                if kind not in (1, 2, 4) or len(dimensions) > 7:
                    raise ValueError(f"type {kind} in {len(dimensions)} dimensions")
                end += 2 + len(dimensions) + kind * math.prod(dimensions)
            end += 1 + raw[end]
            if end > len(raw) or (way and to + way < end) or not group:
                raise ValueError("a size that leaves the record")
            at, number = to + way, number + 1
            if not way:
                break
            if number > MOST_PARAMETERS:
                raise ValueError(f"more than {MOST_PARAMETERS} parameters")
    except (IndexError, ValueError) as error:
        text = str(error) if isinstance(error, ValueError) else "they leave the file"
        raise DataError(f"{place}: damaged parameters of a C3D file (number {number}: {text}); export it again") from error


def _signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _is_list(name: str, stem: str) -> bool:
    """LABELS, LABELS2, …: more than 255 markers have their names in several lists."""
    return name == stem or (name.startswith(stem) and name[len(stem) :].isdigit())


def _value(group, name: str, other):
    """The first value of a parameter."""
    values = group[name]["value"] if name in group else []
    return values[0] if len(values) else other
