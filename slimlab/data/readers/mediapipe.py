"""MediaPipe's landmarks: wide tables, and the JSON of its Tasks API.

A table has a row a frame and columns x1, y1, z1, … (or x0, …), or NOSE_x, nose_Y, nose_z, …, in any case, some or all of the 33
landmarks; a visibility beside them (v1, nose_visibility) is their score. Other columns are no joints. JSON is one frame, a list
of frames, or {"frames": […]}; a frame has "worldLandmarks" (or world_landmarks, pose_world_landmarks, …), which are preferred, or
"landmarks", each 33 points {"x", "y", "z", "visibility"} or a list of such for several people:
https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker. World landmarks are meters, y down; landmarks are parts of
the image's width and height. Tables say neither: the up axis is seen from nose and ankles, and lengths are taken as they are.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files, markers, units
from slimlab.data.readers.estimates import ASPECT, MIN_SCORE, PARTS, Entry, Person
from slimlab.data.readers.recordings import Recording, source
from slimlab.skeleton import MEDIAPIPE_33, Skeleton

FEWEST = 8  # landmarks by which a table is known
NUMBERED = re.compile(r"([xyzv])_?(\d{1,2})|(\d{1,2})_?([xyzv])")
SCORES = ("v", "visibility", "vis", "score")
WORLD = ("worldLandmarks", "world_landmarks", "poseWorldLandmarks", "pose_world_landmarks")
IMAGE = ("landmarks", "poseLandmarks", "pose_landmarks")


def columns(header: list[str]) -> dict[int, dict[str, int]]:
    """Of each landmark the columns of its x, y, z and v; empty where the header is no table of landmarks."""
    names = {n: i for i, n in enumerate(MEDIAPIPE_33.names)}
    found: dict[int, dict[str, int]] = {}
    numbers: dict[int, dict[str, int]] = {}
    for place, cell in enumerate(header):
        name = re.sub(r"[^a-z0-9]+", "_", cell.strip().lower()).strip("_")
        if match := NUMBERED.fullmatch(name):
            axis, number = (match[1], match[2]) if match[1] else (match[4], match[3])
            numbers.setdefault(int(number), {})[axis] = place
            continue
        joint, _, axis = name.rpartition("_")
        if joint in names and axis in ("x", "y", "z", *SCORES):
            found.setdefault(names[joint], {})[axis if axis in "xyz" else "v"] = place
    if numbers and not found and len(numbers) == 33 and min(numbers) in (0, 1):
        found = {n - min(numbers): axes for n, axes in numbers.items()}
    whole = {joint: axes for joint, axes in sorted(found.items()) if {"x", "y", "z"} <= set(axes)}
    return whole if len(whole) >= FEWEST else {}


def fits(header: list[str]) -> bool:
    """Whether a table is MediaPipe's: its joints are landmarks, some of which no other body has, and it is none of slimlab's."""
    low = [re.sub(r"[^a-z0-9]+", "_", c.strip().lower()).strip("_") for c in header]
    found = columns(header)
    places = [n[:-2] for n in low if n.endswith("_x") and {f"{n[:-2]}_y", f"{n[:-2]}_z"} <= {*low}]
    numbered = len(found) == 33 and not any(n in MEDIAPIPE_33.names for n in places)
    own = any("pinky" in n or "heel" in n or "mouth" in n or "foot_index" in n for n in places)
    ours = {"clip", "joint"} & {c.strip() for c in header}
    return bool(found) and not ours and (numbered or (own and set(places) <= {*MEDIAPIPE_33.names}))


def part(joints: list[int]) -> Skeleton:
    """MediaPipe's body with some of its landmarks; each hangs from the nearest one above it that is there."""
    full = MEDIAPIPE_33
    if len(joints) == len(full):
        return full
    place = {j: i for i, j in enumerate(joints)}
    root = next(j for j in full.order if j in place)

    def above(joint: int) -> int:
        up = full.parents[joint]
        while up >= 0 and up not in place:
            up = full.parents[up]
        return place[up] if up >= 0 else place[root]

    parents = [-1 if j == root else above(j) for j in joints]
    parts = {k: [place[j] for j in v if j in place] for k, v in full.parts.items()}
    mirror = [(place[a], place[b]) for a, b in full.mirror if a in place and b in place]
    return Skeleton([full.names[j] for j in joints], parents, {k: v for k, v in parts.items() if v}, mirror, place[root])


def read(path: str | Path, min_score: float = MIN_SCORE) -> Source:
    """A table or JSON file, a folder or a zip of them. Raises DataError, naming the file and the line."""
    found = files.find(path, (".csv", ".json"))
    if found[0].name.endswith(".csv"):
        return _tables(path, [f for f in found if f.name.endswith(".csv")], min_score)
    ((_, raw),) = files.contents(found[:1])
    first = _frames_of(raw, found[0].place)
    world = any(k in f for f in first for k in WORLD)
    classes: tuple[str, ...] = ()
    if len(found) > 1 and all(len(_frames_of(raw, f.place)) == 1 for f, raw in files.contents(found)):  # a file a frame
        entries = [Entry(Path(found[0].folder).name, found[0].place, lambda: _json(found, world, min_score))]
    else:
        entries, classes = estimates.a_file_each(found, lambda file: _json([file], world, min_score))
    if world:
        notes = ("unit: m, world landmarks", "up: -y, world landmarks")
        return estimates.source(str(path), MEDIAPIPE_33, entries, flag="", scale=1.0, notes=notes, classes=classes)
    return estimates.source(str(path), MEDIAPIPE_33, entries, scale=1.0, notes=PARTS, classes=classes)


def _tables(path: str | Path, found: list[files.File], min_score: float) -> Source:
    up = ""

    def parse(file: files.File, raw: bytes) -> Recording:
        nonlocal up
        body, x, fps = _table(raw, file.place, min_score)
        seen = up or markers.axis_up(body, x)
        up = up or seen or "-y"
        how = "seen from nose and ankles" if seen else "MediaPipe's usual one, the body does not tell"
        notes = ("unit: as it stands in the table, taken for m", f"up: {up}, {how}")
        return Recording(units.turned(x, up)[:, None], body, fps, 1.0, up, notes)

    return source(path, found, parse)


def _table(raw: bytes, place: str, min_score: float) -> tuple[Skeleton, np.ndarray, float | None]:
    """(body, x (T, V, 3), fps). Raises DataError."""
    rows = rows_of(raw, place)
    header = next(rows, [])
    found = columns(header)
    if not found:
        raise DataError(f"{place}: no columns such as nose_x, nose_y, nose_z or x1, y1, z1; see data/README.md, MediaPipe")
    wanted = [axes[a] for axes in found.values() for a in "xyz"]
    scores = [axes.get("v", -1) for axes in found.values()]
    low = [c.strip().lower() for c in header]
    time = next((low.index(n) for n in ("time", "timestamp", "time_s") if n in low), -1)
    points, score, times = [], [], []
    for line, row in enumerate(rows, 2):
        if not any(c.strip() for c in row):
            continue
        if len(row) < len(header):
            raise DataError(
                f"{place}: line {line} has {len(row)} cells, the header {len(header)}; it was cut off: write it again"
            )
        points.append([number(row[i], place, line) for i in wanted])
        score.append([number(row[i], place, line) if i >= 0 else 1.0 for i in scores])
        times.append(number(row[time], place, line) if time >= 0 and re.fullmatch(r"[\d.eE+-]+", row[time].strip()) else np.nan)
    if not points:
        raise DataError(f"{place}: no rows below the header; write it again")
    x = np.array(points).reshape(len(points), len(found), 3)
    x[np.isnan(x).any(axis=2)] = np.nan
    step = float(np.median(np.diff(times))) if len(times) > 1 else np.nan
    fps = round(1 / step, 2) if 1e-3 < step < 1 else None
    empty = np.isnan(x).any(axis=2)
    return part(list(found)), estimates.unseen(np.nan_to_num(x), np.where(empty, -1.0, np.array(score)), min_score), fps


def rows_of(raw: bytes, place: str) -> Any:
    """A table's rows of cells, separated by what stands most often in the first line: `,`, `;` or a tab. Raises DataError."""
    text = raw.decode("utf-8-sig", "replace").replace("\0", " ")
    separator = max(",;\t", key=text[: 1 << 16].split("\n", 1)[0].count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    except csv.Error as error:
        raise DataError(f"{place}: no readable table ({error}); write it again") from error


def number(cell: str, place: str, line: int) -> float:
    """A cell's number; NaN where it is empty or says so. Raises DataError."""
    cell = cell.strip()
    if cell.lower() in ("", "nan", "na", "null", "none"):
        return np.nan
    try:
        value = float(cell)
    except ValueError as error:
        raise DataError(f"{place}: line {line}: {cell[:40]!r} is no number; write it again") from error
    if not abs(value) < 1e18:
        raise DataError(f"{place}: line {line}: {cell[:40]!r} is no place; write it again")
    return value


def _frames_of(raw: bytes, place: str) -> list[dict[str, Any]]:
    content = estimates.loaded(raw, place)
    content = content.get("frames") if isinstance(content, dict) and "frames" in content else content
    frames: list[Any] = content if isinstance(content, list) else [content]
    if not frames or not all(isinstance(f, dict) for f in frames):
        raise DataError(f"{place}: no frames with 'worldLandmarks' or 'landmarks', as MediaPipe's tasks give; leave the file out")
    return frames


def _json(members: list[files.File], world: bool, min_score: float) -> dict[int, list[Person]]:
    frames: list[tuple[str, dict[str, Any]]] = []
    order = estimates.in_order([f.name for f in members]) if len(members) > 1 else [0]
    numbers: list[int] = []
    for number_, (file, raw) in zip(order, files.contents(members), strict=True):
        for frame in _frames_of(raw, file.place):
            numbers.append(number_ if len(members) > 1 else len(frames))
            frames.append((f"{file.place}: frame {len(frames)}", frame))
    out: dict[int, list[Person]] = {}
    for number_, (place, frame) in zip(numbers, frames, strict=True):
        key = next((k for k in (WORLD if world else IMAGE) if k in frame), None)
        people = frame[key] if key else []
        if isinstance(people, list) and people and isinstance(people[0], dict):
            people = [people]  # one person, without the list of people
        if not isinstance(people, list):
            raise DataError(f"{place}: '{key}' is no list; write it again")
        here = out.setdefault(number_, [])
        for person in people:
            if not isinstance(person, list) or len(person) != 33 or not all(isinstance(p, dict) for p in person):
                raise DataError(f"{place}: '{key}' are not 33 landmarks with x, y and z; write it again")
            x, y, z = (estimates.vector([p.get(a) for p in person], place, f"'{a}'") for a in "xyz")
            score = estimates.vector([p.get("visibility", 1.0) for p in person], place, "'visibility'")
            if world:
                points = estimates.unseen(units.turned(np.stack([x, y, z], axis=1), "-y"), score, min_score)
            else:
                points = estimates.flat(x, y, score, min_score, ASPECT)
            here.append(Person(points))
    return out
