"""YOLO pose: a text a frame, `clip_12.txt`, or the JSON of `Results.to_json()`, one frame or a list of frames a file.

A text's line is `class cx cy w h` and x y or x y score of 17 points (COCO's), then score and track, in parts of the image's width
and height (https://docs.ultralytics.com/datasets/pose/). In JSON, "keypoints" {"x", "y", "visible"} are pixels
(https://docs.ultralytics.com/modes/predict/).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files
from slimlab.data.readers.estimates import ASPECT, MIN_SCORE, PARTS, PIXELS, Entry, Person
from slimlab.data.readers.recordings import by_folder
from slimlab.skeleton import COCO

FORMS = {39: 2, 40: 2, 56: 3, 57: 3, 58: 3}  # numbers in a line -> numbers of a point; behind them a track, a score
V = len(COCO)


def read(path: str | Path, min_score: float = MIN_SCORE) -> Source:
    """A folder of texts (each folder a clip), or JSON files (each a clip). Raises DataError, naming file and line."""
    found = files.find(path, (".txt", ".json"))
    texts = [f for f in found if f.name.endswith(".txt")]
    if texts and len(texts) < len(found):
        raise DataError(f"{path}: holds YOLO's texts and JSON files; give a folder of one kind")
    if texts:
        folders: dict[str, list[files.File]] = {}
        for file in texts:
            folders.setdefault(file.folder, []).append(file)
        short = [f.rsplit("/", 1)[-1] for f in folders]
        names = short if len(set(short)) == len(short) else list(folders)
        classes, labels = by_folder([f.rsplit("/", 1)[0] for f in folders])
        entries = [
            Entry(n, m[0].place, lambda m=m: _texts(m, min_score), v)
            for n, m, v in zip(names, folders.values(), labels, strict=True)
        ]
        return estimates.source(str(path), COCO, entries, scale=1.0, notes=PARTS, classes=classes)
    entries, classes = estimates.a_file_each(found, lambda file: _json(file, min_score))
    return estimates.source(str(path), COCO, entries, notes=PIXELS, classes=classes)


def _texts(members: list[files.File], min_score: float) -> dict[int, list[Person]]:
    out: dict[int, list[Person]] = {}
    numbers = estimates.in_order([f.name for f in members])
    for number, (file, raw) in zip(numbers, files.contents(members), strict=True):
        people = out.setdefault(number, [])
        for row, line in enumerate(raw.decode("ascii", "replace").splitlines(), 1):
            if not line.strip():
                continue
            place = f"{file.place}: line {row}"
            values = _numbers(line, place)
            size = FORMS[len(values)]
            x = values[5 : 5 + V * size].reshape(V, size)
            score = x[:, 2] if size == 3 else np.ones(V)
            rest = values[5 + V * size :]
            track = estimates.whole(float(rest[-1])) if len(rest) and rest[-1] >= 1 else None
            people.append(Person(estimates.flat(x[:, 0], x[:, 1], score, min_score, ASPECT), track))
    return out


def _numbers(line: str, place: str) -> np.ndarray:
    try:
        values = [float(v) for v in line.split()]
    except ValueError as error:
        raise DataError(f"{place}: {' '.join(str(error).split())[:80]}; write it again") from error
    if len(values) not in FORMS:
        raise DataError(f"{place}: {len(values)} numbers; a line of YOLO pose has 56 (17 points, x y score), 57, 58, 39 or 40")
    return estimates.vector(values, place, "the line")


def _json(file: files.File, min_score: float) -> dict[int, list[Person]]:
    ((_, raw),) = files.contents([file])
    content = estimates.loaded(raw, file.place)
    frames = content if isinstance(content, list) and all(isinstance(f, list) for f in content) else [content]
    out: dict[int, list[Person]] = {}
    for number, frame in enumerate(frames):
        place = f"{file.place}: frame {number}"
        if not isinstance(frame, list) or not all(isinstance(p, dict) for p in frame):
            raise DataError(f"{place}: no list of people, as YOLO's to_json() writes; leave the file out")
        people = out.setdefault(number, [])
        for person in frame:
            points: Any = person.get("keypoints")
            if not isinstance(points, dict):
                raise DataError(f"{place}: no 'keypoints'; use a model for pose, such as yolo11n-pose")
            x, y = (estimates.vector(points.get(k), place, f"'{k}'") for k in "xy")
            score = estimates.vector(points["visible"], place, "'visible'") if "visible" in points else np.ones(V)
            if not len(x) == len(y) == len(score) == V:
                raise DataError(f"{place}: {len(x)} points; read are COCO's 17; for others use data.from_arrays")
            people.append(Person(estimates.flat(x, y, score, min_score), estimates.whole(person.get("track_id"))))
    return out
