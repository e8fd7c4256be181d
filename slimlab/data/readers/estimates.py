"""What the readers of pose estimators share: scores, places in an image, and people followed through the frames.

Places in an image become heights of it, y up, z = 0, and the clip is flagged "2d". These files do not say how large the image
is: NOMINAL pixels are taken for one height, and `unit=` of `data.open` says it otherwise (1 / height).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.data.readers.recordings import by_folder, check_size, clip_names
from slimlab.skeleton import Skeleton

MIN_SCORE = 0.3  # a joint with a lower score was not seen
NOMINAL = 1080  # pixels of an image's height, where the file does not say
ASPECT = 16 / 9  # of an image whose places are parts of its width and height
PIXELS = (f"unit: 1/{NOMINAL} of the image's height a pixel, a guess; unit=1/height says it otherwise", "up: -y, as in images")
PARTS = ("unit: the image's height, its width taken for 16/9 of it, a guess", "up: -y, as in images")
OVERLAP = 0.1  # of two boxes' union, from which on they hold one person
FORGOTTEN = 30  # looks at which a person was not there
MOST_PEOPLE = 64
SPARSE = 20  # frame numbers to one that is there


@dataclass(frozen=True)
class Person:
    """One person at one moment: points (V, 3) with NaN where not seen; track: the file's own number of the person, or None."""

    points: np.ndarray
    track: int | None = None


@dataclass(frozen=True)
class Entry:
    """One clip to be read: its name, the place for messages, and what reads it: frame number -> people."""

    name: str
    place: str
    read: Callable[[], dict[int, list[Person]]]
    label: int = -1


def a_file_each(
    found: Sequence[files.File], read: Callable[[files.File], dict[int, list[Person]]]
) -> tuple[list[Entry], tuple[str, ...]]:
    """(entries, classes) of files that hold a clip each."""
    classes, labels = by_folder([f.folder for f in found])
    names = clip_names(list(found))
    return [Entry(n, f.place, lambda f=f: read(f), v) for n, f, v in zip(names, found, labels, strict=True)], classes


def unseen(points: np.ndarray, score: np.ndarray, least: float = MIN_SCORE) -> np.ndarray:
    """points (..., V, 3) with NaN where the score (..., V) is too low, missing, or the point lies at 0 0 0."""
    there: np.ndarray = np.any(points, axis=-1)
    with np.errstate(invalid="ignore"):
        seen = there & (score >= least)
    return np.where(seen[..., None], points, np.nan)


def flat(x: np.ndarray, y: np.ndarray, score: np.ndarray, least: float = MIN_SCORE, aspect: float | None = None) -> np.ndarray:
    """(V, 3) of places in an image, y down, in pixels, or with `aspect` in parts of its width and height; NaN where not seen."""
    there = (x != 0) | (y != 0)
    width, height = (aspect, 1.0) if aspect else (1 / NOMINAL, 1 / NOMINAL)
    points = np.stack([x * width, -y * height, np.zeros_like(x)], axis=-1)
    return unseen(points, np.where(there, score, -1.0), least)


def loaded(raw: bytes, place: str) -> Any:
    """What a JSON text holds. Raises DataError."""
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        text = " ".join(str(error).split())[:160]
        raise DataError(f"{place}: no readable JSON ({text}); write it again") from error


def vector(values: Any, place: str, what: str) -> np.ndarray:
    """(n,) float64 of a list of numbers. Raises DataError where it is none."""
    if not isinstance(values, list) or not all(type(v) in (int, float) for v in values):
        raise DataError(f"{place}: {what} is no list of numbers; write it again")
    try:
        out = np.array(values, dtype=np.float64).reshape(-1)
    except OverflowError as error:
        raise DataError(f"{place}: {what} holds a number beyond all numbers; write it again") from error
    if not np.isfinite(out).all() or (np.abs(out) > 1e9).any():
        raise DataError(f"{place}: {what} holds what is no place; write it again")
    return out


def whole(value: Any) -> int | None:
    """A person's number; None where there is none."""
    value = value[0] if isinstance(value, list) and value else value
    known = type(value) in (int, float) and 0 <= value < 1 << 53 and value == int(value)
    return int(value) if known else None


def in_order(names: Sequence[str]) -> list[int]:
    """A frame number of each name: its last number, where those differ and are not times; else its place in the sorted names."""
    found = [re.findall(r"\d{1,12}", n.rsplit(".", 1)[0]) for n in names]
    numbers = [int(f[-1]) for f in found if f]
    if len(numbers) == len(names) == len(set(numbers)) and max(numbers) - min(numbers) <= 1000 + SPARSE * len(numbers):
        return [n - min(numbers) for n in numbers]
    places = {n: i for i, n in enumerate(sorted(names))}
    return [places[n] for n in names]


def followed(frames: dict[int, list[Person]], joints: int, place: str) -> tuple[np.ndarray, str]:
    """((T, M, V, 3), flags): people by the file's own numbers, else by the overlap of their boxes from look to look.

    Who was seen in most frames comes first; more than MOST_PEOPLE are left out and flagged. Raises DataError."""
    tracks: list[dict[int, np.ndarray]] = []
    boxes: list[tuple[int, np.ndarray, int | None]] = []  # of each track: look, box, number
    for look, frame in enumerate(sorted(frames)):
        people = [p for p in frames[frame] if not np.isnan(p.points).all()]
        taken: set[int] = set()
        fresh: list[Person] = []
        for person, track in list(_matched(people, boxes, look)):
            if track is None or track in taken:
                fresh.append(person)
                continue
            taken.add(track)
            tracks[track][frame] = person.points
            boxes[track] = (look, _box(person.points), person.track)
        for person in fresh:
            tracks.append({frame: person.points})
            boxes.append((look, _box(person.points), person.track))
    length = max(frames, default=-1) + 1
    tracks.sort(key=lambda t: -len(t))
    kept = tracks[:MOST_PEOPLE]
    check_size(length * max(1, len(kept)), joints, place)
    out = np.full((length, max(1, len(kept)), joints, 3), np.nan, dtype=np.float32)
    for slot, track in enumerate(kept):
        for frame, points in track.items():
            out[frame, slot] = points
    return out, "extra-people" if len(tracks) > len(kept) else ""


def _box(points: np.ndarray) -> np.ndarray:
    """(4,) left, bottom, right, top of what was seen."""
    return np.concatenate([np.nanmin(points[:, :2], axis=0), np.nanmax(points[:, :2], axis=0)])


def _matched(
    people: list[Person], boxes: list[tuple[int, np.ndarray, int | None]], look: int
) -> Iterator[tuple[Person, int | None]]:
    """Each person with the track that it goes on, or None; the best overlaps first."""
    numbers = {n: i for i, (_, _, n) in enumerate(boxes) if n is not None}
    pairs = []
    for i, person in enumerate(people):
        if person.track is not None:
            yield person, numbers.get(person.track)
            continue
        own = _box(person.points)
        for j, (last, box, number) in enumerate(boxes):
            if number is None and look - last <= FORGOTTEN and (part := _overlap(own, box)) >= OVERLAP:
                pairs.append((-part, i, j))
    found: dict[int, int] = {}
    for _, i, j in sorted(pairs):
        if i not in found and j not in found.values():
            found[i] = j
    for i, person in enumerate(people):
        if person.track is None:
            yield person, found.get(i)


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Part of two boxes' union that both hold."""
    common = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common
    return float(common / union) if union > 0 else float(np.allclose(a, b))


def source(
    path: str,
    body: Skeleton,
    entries: Sequence[Entry],
    *,
    flag: str = "2d",
    fps: float | None = None,
    scale: float = 1 / NOMINAL,
    up: str = "-y",
    notes: tuple[str, ...] = PIXELS,
    classes: tuple[str, ...] = (),
) -> Source:
    """Clips that are read one after another. The people's points are in meters, or image heights, with y up."""

    def after(done: int, at_a_time: int = 1) -> Iterator[Block]:
        for entry in entries[done:]:
            x, more = followed(entry.read(), len(body), entry.place)
            table = {"clip": [entry.name], "label": [entry.label], "file": [entry.place], "flags": [f"{flag} {more}".strip()]}
            yield Block(x, np.array([0, len(x)]), table, nan_unseen=True)

    return Source(path, body, Blocks(after, single=True), classes, fps, len(entries), scale, up, notes)
