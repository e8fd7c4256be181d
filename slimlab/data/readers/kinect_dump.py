"""Tables that recorders of Kinect v1 and v2 write: a row a frame, x y z or x y z state of each joint, in the SDK's order, meters.

Without a header, or with one that names each joint once where the rows have its three or four numbers. The first column may be a
time (100 ns ticks, milliseconds or seconds); cells are separated by `,`, `;` or tabs, with `;` also decimal commas; a row
may end with a separator.
A joint of state 0 (not tracked) was not seen: https://learn.microsoft.com/previous-versions/windows/kinect/dn758676(v=ieb.10).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files
from slimlab.data.readers.mediapipe import rows_of
from slimlab.data.readers.recordings import Recording, check_size, source
from slimlab.skeleton import KINECT_V1, KINECT_V2, Skeleton

BODIES = {len(b): b for b in (KINECT_V2, KINECT_V1)}
SIZES = {lead + v * size: (lead, v, size) for lead in (0, 1) for v in BODIES for size in (3, 4)}
NUMBER = re.compile(r"[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?")
NOTES = ("unit: m, the Kinect's own", "up: y, the Kinect's own")
UNITS_OF_TIME = ((1e5, 1e7, 1e-7), (5, 200, 1e-3), (0.005, 0.2, 1.0))  # a step from, to, in seconds


def fits(cells: list[list[str]]) -> bool:
    """Whether the first rows are such a table."""
    rows = [_plain(r) for r in cells]
    if all(NUMBER.fullmatch(c) for c in rows[0]):
        return len(rows[0]) in SIZES
    return len(rows) > 1 and len(rows[0]) in (20, 21, 25, 26) and len(rows[1]) > len(rows[0]) and len(rows[1]) in SIZES


def read(path: str | Path) -> Source:
    """A table, a folder or a zip of them. Raises DataError, naming the line."""
    return source(path, files.find(path, (".csv", ".txt")), _parse)


def _plain(row: list[str]) -> list[str]:
    row = [c.strip() for c in row]
    return row[:-1] if row and row[-1] == "" else row


def _parse(file: files.File, raw: bytes) -> Recording:
    rows, body, width = [], None, 0
    lead, size = 0, 3
    for line, cells in enumerate(rows_of(raw, file.place), 1):
        row = _plain(cells)
        if not row or (line == 1 and not all(NUMBER.fullmatch(c) for c in row)):
            continue
        if body is None:
            if len(row) not in SIZES:
                wanted = ", ".join(map(str, sorted(SIZES)))
                raise DataError(
                    f"{file.place}: line {line} has {len(row)} cells; a Kinect's row has {wanted} (20 or 25 joints, x y z "
                    "or x y z state, behind a time or not); else give it a header and see data/README.md, tables"
                )
            width = len(row)
            lead, joints, size = SIZES[width]
            body = BODIES[joints]
        if len(row) != width or not all(NUMBER.fullmatch(c) for c in row):
            raise DataError(f"{file.place}: line {line} has {len(row)} cells, those before {width} numbers; write it again")
        rows.append([float(c.replace(",", ".")) for c in row])
    check_size(len(rows), len(body or ()), file.place)
    assert isinstance(body, Skeleton)
    values = np.array(rows)
    if not (np.abs(values) < 1e18).all():
        raise DataError(f"{file.place}: holds what is no number; write it again")
    x = values[:, lead:].reshape(len(rows), len(body), size)
    state = x[:, :, 3] if size == 4 else np.ones(x.shape[:2])
    points = estimates.unseen(x[:, :, :3], np.where(state > 0, 1.0, 0.0))
    return Recording(points[:, None], body, _rate(values[:, 0]) if lead else None, 1.0, "y", NOTES)


def _rate(times: np.ndarray) -> float | None:
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    scale = next((seconds for low, high, seconds in UNITS_OF_TIME if low <= step <= high), None)
    return round(1 / (step * scale), 2) if scale else None
