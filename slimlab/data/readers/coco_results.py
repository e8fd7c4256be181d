"""AlphaPose's and COCO's results: one JSON list of {"image_id", "keypoints": [x, y, score, …], "score"}, a person and frame each.

https://cocodataset.org/#format-results and https://github.com/MVIG-SJTU/AlphaPose/blob/master/docs/output.md.
17 points are COCO's, 26 Halpe's, 18 OpenPose's COCO; of COCO-WholeBody's 133 the body's 17 are read, of Halpe's 136 the first 26.
Who is who stands in "idx" or "track_id", else people are followed by overlap. Images of several folders are several clips.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files
from slimlab.data.readers.estimates import MIN_SCORE, PIXELS, Entry, Person
from slimlab.data.readers.recordings import by_folder, clip_names
from slimlab.skeleton import COCO, COCO_18, HALPE_26, Skeleton

BODIES = {17: COCO, 18: COCO_18, 26: HALPE_26, 133: COCO, 136: HALPE_26}  # of so many points, the first are read


class Result(NamedTuple):
    """An entry of the list: its number in it, the image's name without folders, and what stands there."""

    number: int
    image: str
    content: dict[str, Any]


def read(path: str | Path, min_score: float = MIN_SCORE) -> Source:
    """A file, a folder or a zip of files of one body. Raises DataError, naming the file and the entry."""
    found = files.find(path, ".json")
    entries: list[Entry] = []
    body, count = COCO, 0
    classes, labels = by_folder([f.folder for f in found])

    @lru_cache(maxsize=1)  # a file's clips are read one after another, so that each file is parsed once
    def folders(number: int) -> tuple[int, dict[str, list[Result]]]:
        ((file, raw),) = files.contents(found[number : number + 1])
        return _folders(_results(raw, file.place), file.place)

    for i, (name, file) in enumerate(zip(clip_names(found), found, strict=True)):
        here, clips = folders(i)
        if i and here != count:
            raise DataError(f"{file.place}: {here} points, {found[0].place} has {count}; convert each body's files apart")
        body, count = BODIES[here], here
        for folder in sorted(clips):
            clip = name if len(clips) == 1 else f"{name}/{folder}".rstrip("/")
            entries.append(
                Entry(
                    clip,
                    file.place,
                    lambda n=i, d=folder, p=file.place, b=body: _frames(folders(n)[1][d], p, b, min_score),
                    labels[i],
                )
            )
    left = ("points: the face's and the hands' are left out",) if count != len(body) else ()
    return estimates.source(str(path), body, entries, notes=PIXELS + left, classes=classes)


def _results(raw: bytes, place: str) -> list[dict[str, Any]]:
    content = estimates.loaded(raw, place)
    content = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(content, list) or not content or not all(isinstance(r, dict) and "image_id" in r for r in content):
        raise DataError(f"{place}: no list of results with 'image_id' and 'keypoints', as AlphaPose and COCO write; leave it out")
    return content


def _folders(results: list[dict[str, Any]], place: str) -> tuple[int, dict[str, list[Result]]]:
    """(points of a person, folder of images -> its results). Raises DataError."""
    count, out = _count(results, place), dict[str, list[Result]]()
    for i, result in enumerate(results):
        image = str(result["image_id"]).replace("\\", "/")[:400]
        folder, _, name = image.rpartition("/")
        out.setdefault(folder, []).append(Result(i, name, result))
    return count, out


def _count(results: list[dict[str, Any]], place: str) -> int:
    counts = {len(r["keypoints"]) // 3 if isinstance(r.get("keypoints"), list) else 0 for r in results}
    if len(counts) != 1 or not counts <= BODIES.keys():
        raise DataError(
            f"{place}: entries of {', '.join(map(str, sorted(counts)[:4]))} points; read are {', '.join(map(str, BODIES))}, "
            "x y score each, and one number of points in a file; for others use data.from_arrays"
        )
    return counts.pop()


def _frames(results: list[Result], place: str, body: Skeleton, min_score: float) -> dict[int, list[Person]]:
    images = sorted({r.image for r in results})
    numbers = dict(zip(images, estimates.in_order(images), strict=True))
    out: dict[int, list[Person]] = {}
    for number, image, result in results:
        points = estimates.vector(result.get("keypoints"), f"{place}: entry {number}", "'keypoints'")
        x = points[: len(points) // 3 * 3].reshape(-1, 3)[: len(body)]
        track = next((n for k in ("track_id", "idx") if (n := estimates.whole(result.get(k))) is not None), None)
        people = out.setdefault(numbers[image], [])
        people.append(Person(estimates.flat(x[:, 0], x[:, 1], np.minimum(x[:, 2], 1.0), min_score), track))
    return out
