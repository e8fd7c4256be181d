"""Points of animals and people as DeepLabCut and SLEAP write them to `.csv`: pixels of an image, with a likelihood each.

DeepLabCut has three header rows (scorer, bodyparts, coords), four with several animals (scorer, individuals, bodyparts, coords):
https://deeplabcut.github.io/DeepLabCut/docs/standardDeepLabCut_UserGuide.html. SLEAP has `track, frame_idx, instance.score,
head.x, head.y, head.score, …`: https://docs.sleap.ai/latest/learnings/export-analysis/. Neither says which point hangs from
which: all hang from the first; pairs are those that are called left and right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files
from slimlab.data.readers.estimates import MIN_SCORE, PIXELS, Person
from slimlab.data.readers.mediapipe import number, rows_of
from slimlab.data.readers.recordings import check_same, check_size, first_sound
from slimlab.skeleton import Skeleton

TREE = ("bones: none in the file, all points hang from the first",)
Column = tuple[str, str, str, int]  # individual, point, "x", "y" or "likelihood", place in the row


def kind(rows: list[list[str]]) -> str:
    """ "deeplabcut", "sleap" or "" by the first rows."""
    first = [r[0].lower() if r else "" for r in rows]
    if first[:1] == ["scorer"] and "coords" in first[2:4]:
        return "deeplabcut"
    return "sleap" if rows and "frame_idx" in rows[0] and any(c.endswith(".x") for c in rows[0]) else ""


def read(path: str | Path, min_score: float = MIN_SCORE) -> Source:
    """A table, a folder or a zip of tables of the same points. Raises DataError, naming the line."""
    found = files.find(path, ".csv")
    body, origin = first_sound(found, lambda file, raw: _body(_header(rows_of(raw, file.place), file.place).columns, file.place))
    entries, classes = estimates.a_file_each(found, lambda file: _frames(file, body, origin, min_score))
    return estimates.source(str(path), body, entries, notes=PIXELS + TREE, classes=classes)


@dataclass(frozen=True)
class _Header:
    """columns; the frame's and the track's place in a row, -1: none; how many rows the header has; what was read behind it."""

    columns: list[Column]
    frame: int
    track: int
    height: int
    behind: list[list[str]]


def _header(rows: Iterator[list[str]], place: str) -> _Header:
    """What the first rows say; takes four of `rows`. Raises DataError."""
    first = list(islice(rows, 4))
    head = [[c.strip() for c in row] for row in first]
    which = kind(head)
    if which == "deeplabcut":
        lines = {row[0].lower(): row for row in head if row}
        coords, points = lines.get("coords", []), lines.get("bodyparts", [])
        who = lines.get("individuals", [""] * len(coords))
        if not len(coords) == len(points) == len(who):
            raise DataError(f"{place}: its header rows 'bodyparts' and 'coords' have different lengths; write it again")
        height = 4 if "individuals" in lines else 3
        columns = [(who[i], points[i], coords[i].lower(), i) for i in range(1, len(coords))]
        return _Header(columns, 0, -1, height, first[height:])
    if which == "sleap":
        matches = [(re.fullmatch(r"(?!instance\.)(.+)\.(x|y|score)", cell), i) for i, cell in enumerate(head[0])]
        columns = [("", m[1], "likelihood" if m[2] == "score" else m[2], i) for m, i in matches if m]
        track = head[0].index("track") if "track" in head[0] else -1
        return _Header(columns, head[0].index("frame_idx"), track, 1, first[1:])
    raise DataError(f"{place}: neither DeepLabCut's three header rows nor SLEAP's columns; give DeepLabCut's or SLEAP's own .csv")


def _body(columns: list[Column], place: str) -> Skeleton:
    names = list(dict.fromkeys(point for _, point, axis, _ in columns if axis in ("x", "y")))
    if len(columns) > 10_000 or any(len({a for _, p, a, _ in columns if p == n} & {"x", "y"}) < 2 for n in names[:1000]):
        raise DataError(f"{place}: a point without both x and y in the header; write it again")
    return star(names, place)


def star(names: Sequence[str], place: str) -> Skeleton:
    """A body whose bones no file tells: all points hang from the first; pairs are by name. Raises DataError."""
    check_size(1, len(names), place)
    try:
        return Skeleton(names, [-1] + [0] * (len(names) - 1), {"all": range(len(names))}, center=0)
    except ValueError as error:
        raise DataError(f"{place}: {error}; write it again") from error


def _frames(file: files.File, body: Skeleton, origin: str, min_score: float) -> dict[int, list[Person]]:
    ((_, raw),) = files.contents([file])
    rows = rows_of(raw, file.place)
    header = _header(rows, file.place)
    columns = header.columns
    check_same(_body(columns, file.place), file.place, body, origin)
    joints = {n: i for i, n in enumerate(body.names)}
    people = {who: i for i, who in enumerate(dict.fromkeys(c[0] for c in columns))}
    width = 1 + max(header.frame, *(place for *_, place in columns))
    tracks: dict[str, int] = {}
    out: dict[int, list[Person]] = {}
    first: int | None = None
    for line, row in enumerate(chain(header.behind, rows), header.height + 1):
        if not any(c.strip() for c in row):
            continue
        if len(row) < width:
            raise DataError(f"{file.place}: line {line} has {len(row)} cells, the header {width}; it was cut off: write it again")
        values = np.full((len(people), len(joints), 3), np.nan)
        values[:, :, 2] = 1.0
        for who, point, axis, place in columns:
            if axis in ("x", "y", "likelihood") and point in joints:
                cell = number(row[place], file.place, line)
                values[people[who], joints[point], ("x", "y", "likelihood").index(axis)] = cell
        stated = (
            number(row[header.frame], file.place, line) if re.fullmatch(r"\s*\d{1,9}(\.0)?\s*", row[header.frame]) else np.nan
        )
        frame = int(stated) if np.isfinite(stated) else max(out, default=-1) + 1 + (first or 0)
        first = frame if first is None else first
        frame -= first
        if not 0 <= frame <= 1000 + estimates.SPARSE * (len(out) + 1):
            raise DataError(f"{file.place}: line {line}: frame {frame + first} is far from those before; write it again")
        here = out.setdefault(frame, [])
        for i, points in enumerate(values):
            empty = np.isnan(points).any(axis=1)
            x, y, score = np.nan_to_num(points).T
            name = row[header.track].strip() if header.track >= 0 else ""
            identity = i if len(people) > 1 else tracks.setdefault(name, len(tracks)) if name else None
            identity = 0 if header.track < 0 and len(people) == 1 else identity
            here.append(Person(estimates.flat(x, y, np.where(empty, -1.0, score), min_score), identity))
    if not out:
        raise DataError(f"{file.place}: no rows below the header; write it again")
    return out
