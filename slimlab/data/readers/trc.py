"""TRC, OpenSim's and Motion Analysis' tables of markers: text with tabs, a frame a line, empty cells where a marker was not seen.

Format: https://opensimconfluence.atlassian.net/wiki/spaces/OpenSim/pages/53089972/Marker+.trc+Files. The unit stands in the file.
The up axis does not: it is seen from head and feet of the first file, else y, OpenSim's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import markers
from slimlab.data.readers.markers import UNITS, Markers
from slimlab.data.readers.recordings import check_size
from slimlab.skeleton import Skeleton


def read(path: str | Path, skeleton: Skeleton | None = None) -> Source:
    """A file, a folder or a zip of files with one set of markers; `skeleton` gives the tree where the set is not known.
    Raises DataError."""
    usual = ("y", "OpenSim's usual one, the body does not tell")
    return markers.read(path, ".trc", lambda file, raw: _parsed(raw, file.place), skeleton, usual)


def _parsed(raw: bytes, place: str) -> Markers:
    """Raises DataError, naming the line."""
    lines = raw.decode("utf-8", "replace").splitlines()
    if len(lines) < 6 or not lines[0].startswith("PathFileType"):
        raise DataError(f"{place}: no TRC file: its first line does not begin with PathFileType; export it again")
    about = dict(zip(lines[1].split(), lines[2].split(), strict=False))
    unit = about.get("Units", "").lower()
    try:
        fps = float(about.get("DataRate", ""))
    except ValueError:
        fps = 0.0
    if unit not in UNITS or not 0 < fps < 1e6:
        raise DataError(
            f"{place}: line 3 tells no DataRate and Units ({', '.join(UNITS)}), but {lines[2][:80]!r}; write them there"
        )
    labels = [c.strip() for c in lines[3].rstrip("\r\n\t ").split("\t")[2:]]
    labels = labels[::3]  # a name stands over x, nothing over y and z
    if not labels or len(set(labels)) != len(labels) or "" in labels:
        raise DataError(f"{place}: line 4 is not Frame#, Time and the markers' names, each over three columns; export it again")
    width = 2 + 3 * len(labels)
    check_size(len(lines), len(labels), place)
    rows = []
    for number, line in enumerate(lines[4:], 5):
        cells = [c.strip() for c in line.rstrip("\r\n").split("\t")]
        if not cells[0].isdigit():
            if rows and any(cells):
                raise DataError(
                    f"{place}: line {number} begins with {cells[0][:20]!r}, not with a frame's number; export it again"
                )
            continue
        cells = cells[:width] + [""] * (width - len(cells)) if not any(cells[width:]) else cells
        try:
            row = [float(c) if c else np.nan for c in cells[2:]]
        except ValueError as error:
            raise DataError(f"{place}: line {number}: {str(error)[:80]}; export it again") from error
        if len(row) != width - 2 or np.isinf(row).any():
            raise DataError(f"{place}: line {number} has {len(cells)} columns of numbers, line 4 names {width}; export it again")
        rows.append(row)
    stated = about.get("NumFrames", "")
    if stated.isdigit() and int(stated) != len(rows):
        raise DataError(f"{place}: {len(rows)} frames, line 3 says {stated}; it was cut off: export it again")
    check_size(len(rows), len(labels), place)
    x = np.array(rows).reshape(len(rows), len(labels), 3)
    x[np.isnan(x).any(axis=2)] = np.nan
    return Markers(labels, x, fps, unit)
