"""OpenPose's JSON: a folder of files, one a frame, such as `walk_000000000012_keypoints.json`.

{"people": [{"pose_keypoints_2d": [x, y, score, …]}]} in pixels, 0 0 0 where not seen:
https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md. 25 points are BODY_25, 18 OpenPose's COCO.
A folder, or the files of one that have the same name before the number, is a clip; the numbers are its frames.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files
from slimlab.data.readers.estimates import MIN_SCORE, Entry, Person
from slimlab.data.readers.recordings import by_folder
from slimlab.skeleton import COCO_18, OPENPOSE_25, Skeleton

BODIES = {len(b): b for b in (OPENPOSE_25, COCO_18)}
NAME = re.compile(r"(.*?)_?(\d+)_keypoints\.json")


def read(path: str | Path, min_score: float = MIN_SCORE) -> Source:
    """A folder, a zip, or one file, which is one frame. Raises DataError, naming the file."""
    found = files.find(path, ".json")
    body = _body(found)
    groups: dict[tuple[str, str], list[files.File]] = {}
    for file in found:
        match = NAME.fullmatch(file.name)
        groups.setdefault((file.folder, match[1] if match else ""), []).append(file)
    one_each = len({folder for folder, _ in groups}) == len(groups)  # a folder is a clip
    above = [folder.rsplit("/", 1)[0] if one_each else folder for folder, _ in groups]
    classes, labels = by_folder(above)
    entries, names = [], _names(list(groups), one_each)
    for name, label, members in zip(names, labels, groups.values(), strict=True):
        entries.append(Entry(name, members[0].place, lambda m=members: _frames(m, body, min_score), label))
    return estimates.source(str(path), body, entries, classes=classes)


def _names(groups: list[tuple[str, str]], one_each: bool) -> list[str]:
    short = [folder.rsplit("/", 1)[-1] if one_each or not prefix else prefix for folder, prefix in groups]
    return short if len(set(short)) == len(short) else [f"{folder}/{prefix}".strip("/") for folder, prefix in groups]


def _body(found: list[files.File]) -> Skeleton:
    """The body of the first file that has people; BODY_25 where nobody is in any."""
    for file, raw in files.contents(found):
        for points in _people(raw, file.place):
            return BODIES[len(points)]
    return OPENPOSE_25


def _frames(members: list[files.File], body: Skeleton, min_score: float) -> dict[int, list[Person]]:
    numbers = estimates.in_order([(m[2] if (m := NAME.fullmatch(f.name)) else f.name) for f in members])
    out: dict[int, list[Person]] = {}
    for number, (file, raw) in zip(numbers, files.contents(members), strict=True):
        people = out.setdefault(number, [])
        for points in _people(raw, file.place):
            if len(points) != len(body):
                raise DataError(
                    f"{file.place}: {len(points)} points, the files before have {len(body)}; convert each model's apart"
                )
            people.append(Person(estimates.flat(points[:, 0], points[:, 1], points[:, 2], min_score)))
    return out


def _people(raw: bytes, place: str) -> list[np.ndarray]:
    """(V, 3) x, y, score of each person. Raises DataError."""
    content = estimates.loaded(raw, place)
    people = content.get("people") if isinstance(content, dict) else None
    if not isinstance(people, list) or not all(isinstance(p, dict) for p in people):
        raise DataError(f"{place}: no list of 'people', as OpenPose writes with --write_json; leave the file out")
    out = []
    for person in people:
        points = estimates.vector(person.get("pose_keypoints_2d"), place, "'pose_keypoints_2d'")
        if len(points) == 0:
            continue  # a face or a hand alone
        if len(points) % 3 or len(points) // 3 not in BODIES:
            raise DataError(
                f"{place}: 'pose_keypoints_2d' has {len(points)} numbers; read are 75 (BODY_25) and 54 (COCO); run OpenPose with "
                "--model_pose BODY_25"
            )
        out.append(points.reshape(-1, 3))
    return out
