"""pyskl's and mmaction2's skeleton `.pkl`.

{"annotations": [{"frame_dir", "label", "keypoint" (M, T, V, C), "keypoint_score", …}], "split": {name: [frame_dir]}}:
https://github.com/kennymckormick/pyskl/blob/main/tools/data/README.md. Read by pickles.py, which runs nothing.

3D key points are metres: 25 joints are Kinect v2's, 20 Kinect v1's, 17 Human3.6M's. 2D ones are pixels of an image: they become
image heights from its middle, y up, z = 0, and every such clip is flagged "2d" (17 joints: COCO). A joint at pixel 0 0 or with
score 0 is absent. Of several splits in a file the first gives the table's `split`; NTU's others follow from the clips' names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from slimlab.data.building import MOST_CLASSES, Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers.ntu_names import about
from slimlab.data.readers.pickles import Array, Pickle
from slimlab.skeleton import COCO, H36M, KINECT_V1, KINECT_V2

CLIPS_AT_A_TIME = 16
BODIES = {(25, 3): KINECT_V2, (20, 3): KINECT_V1, (17, 3): H36M, (17, 2): COCO, (25, 2): KINECT_V2}  # (joints, coordinates)
MOST_PEOPLE, MOST_FRAMES = 64, 100_000


def read(path: str | Path) -> Source:
    """Check every annotation's shapes, then stream the arrays. Raises DataError."""
    file = Pickle(path)
    content = file.load()
    annotations = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(annotations, list) or not annotations or not all(isinstance(a, dict) for a in annotations):
        raise DataError(f"{path}: holds no list of annotations, as pyskl's files do; see data/README.md for what is read")
    shape: tuple[int, ...] | None = None
    for i, annotation in enumerate(annotations):
        name = annotation.get("frame_dir", "")
        if not isinstance(name, str):
            raise DataError(f"{path}: annotation {i}: 'frame_dir', the clip's name, is no text")
        shape = _checked(annotation, f"{path}: annotation {i} '{name[:80]}'", shape)
    if sum(a["keypoint"].size for a in annotations) > 2 * file.size:
        raise DataError(f"{path}: its annotations share their arrays, which no recording does; not unpacked")
    sides = _sides(content.get("split") if isinstance(content, dict) else None)
    names = [a.get("frame_dir", f"clip_{i:06d}").rsplit("/", 1)[-1] for i, a in enumerate(annotations)]
    labels = [a.get("label", -1) for a in annotations]
    known, label_names = about(names, labels)
    split = [sides.get(a.get("frame_dir", ""), "") for a in annotations]
    table = {"clip": names, "label": labels, "split": split} | known
    blocks = Blocks(lambda done, at_a_time=CLIPS_AT_A_TIME: _blocks(file, annotations, table, done, at_a_time), single=True)
    assert shape is not None  # there is at least one annotation
    return Source(str(path), BODIES[shape[2], shape[3]], blocks, label_names, clips=len(annotations))


def _checked(a: dict[Any, Any], place: str, before: tuple[int, ...] | None) -> tuple[int, ...]:
    """Shape (M, T, V, C) of an annotation's key points, of the same body as those before. Raises DataError."""
    points, score = a.get("keypoint"), a.get("keypoint_score")
    if points is None and "frame_inds" in a and "total_frames" in a:
        raise DataError(
            f"{place}: Kinetics-400's list without key points, which lie apart in kpfiles, one pickle a video. Put each "
            "video's array into its annotation as 'keypoint' (people, frames, 17, 2) and 'keypoint_score' "
            "(people, frames, 17), and pickle the list again: pyskl's tools/data/README.md"
        )
    if not isinstance(points, Array) or len(points.shape) != 4:
        raise DataError(f"{place}: 'keypoint' is no array of people x frames x joints x coordinates")
    people, frames, joints, axes = points.shape
    if frames > MOST_FRAMES:
        raise DataError(f"{place}: {frames} frames; at most {MOST_FRAMES:,}")
    if (joints, axes) not in BODIES or people > MOST_PEOPLE:
        raise DataError(
            f"{place}: {joints} joints x {axes} coordinates of {people} people; known are "
            f"{', '.join(f'{v} x {c}' for v, c in BODIES)}, at most {MOST_PEOPLE} people. Other bodies: data.from_arrays"
        )
    if before and before[2:] != (joints, axes):
        raise DataError(f"{place}: {joints} joints x {axes} coordinates, those before have {before[2]} x {before[3]}")
    if score is not None and (not isinstance(score, Array) or score.shape != points.shape[:3]):
        raise DataError(f"{place}: 'keypoint_score' does not fit 'keypoint'")
    label = a.get("label", -1)
    if not isinstance(label, int) or not -1 <= label < MOST_CLASSES:
        raise DataError(f"{place}: 'label' is no integer from 0, or -1 for none")
    if axes == 2:
        _image(a, place)
    return points.shape


def _image(a: dict[Any, Any], place: str) -> tuple[float, float]:
    """(height, width) of the image in pixels. Raises DataError."""
    size = a.get("img_shape") or a.get("original_shape")
    if not isinstance(size, (tuple, list)) or len(size) < 2 or not all(isinstance(n, int) and 0 < n < 1 << 16 for n in size[:2]):
        raise DataError(f"{place}: 2D key points without an 'img_shape' (height, width) to scale them by")
    return float(size[0]), float(size[1])


def _sides(split: Any) -> dict[str, str]:
    """frame_dir -> "train" or "test", by the first split of the file that has both."""
    groups: dict[tuple[str, ...], dict[str, list]] = {}
    for name, members in split.items() if isinstance(split, dict) else ():
        match = re.fullmatch(r"(.*?)_?(train|val|test)_?(\d*)", name) if isinstance(name, str) else None
        if match and isinstance(members, list):
            groups.setdefault(match.group(1, 3), {})["train" if match[2] == "train" else "test"] = members
    both = next((g for g in groups.values() if len(g) == 2), {})
    return {name: side for side, members in both.items() for name in members if isinstance(name, str)}


def _blocks(file: Pickle, annotations: list[dict], table: dict[str, list], first: int, at_a_time: int) -> Iterator[Block]:
    for start in range(first, len(annotations), at_a_time):
        part = slice(start, start + at_a_time)
        clips = [_clip(file, a, f"{file.path}: annotation {start + i}") for i, a in enumerate(annotations[part])]
        people = max(c.shape[1] for c in clips)
        frames = [np.pad(c, ((0, 0), (0, people - c.shape[1]), (0, 0), (0, 0))) for c in clips]
        flags = ["2d" if a["keypoint"].shape[3] == 2 else "" for a in annotations[part]]
        columns = {k: v[part] for k, v in table.items()} | {"flags": flags}
        yield Block(np.concatenate(frames), np.cumsum([0, *map(len, frames)]), columns)


def _clip(file: Pickle, a: dict, place: str) -> np.ndarray:
    """(T, M, V, 3), at least one frame and one person."""
    try:
        x = a["keypoint"].read(file).astype(np.float32).transpose(1, 0, 2, 3)  # (T, M, V, C)
        score = a["keypoint_score"].read(file).transpose(1, 0, 2) if "keypoint_score" in a else None  # (T, M, V)
    except ValueError as error:
        raise DataError(f"{place}: {error}; download the file again") from error
    if x.shape[3] == 2:
        absent = ~np.any(x, axis=3) if score is None else ~np.any(x, axis=3) | (score == 0)
        height, width = _image(a, place)
        x = np.stack([(x[..., 0] - width / 2) / height, (height / 2 - x[..., 1]) / height, np.zeros_like(x[..., 0])], axis=3)
        x[absent] = 0
    missing = [max(0, 1 - n) for n in x.shape[:2]]
    return np.pad(x, ((0, missing[0]), (0, missing[1]), (0, 0), (0, 0)))
