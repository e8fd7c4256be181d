"""NW-UCLA as CTR-GCN's copy has it: `aAA_sSS_eEE_vVV.json`, each {"skeletons": T x 20 joints x 3, …} (Kinect v1, metres).

Wang et al., "Cross-view action modeling, learning and recognition", CVPR 2014; files: https://github.com/Uason-Chen/CTR-GCN.
Action, subject and camera are in the name; copies in circulation hold byte-identical clips in several views (`data.report`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.skeleton import KINECT_V1

NAME = re.compile(r"a(\d+)_s(\d+)_e(\d+)_v(\d+)\.json$")
ACTIONS = {
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}
FILES_AT_A_TIME = 64
LIMIT = 1 << 24  # bytes of a file; the set's have less than a hundredth of it


def read(path: str | Path) -> Source:
    """Check every name, then stream the files. Raises DataError."""
    found = files.find(path, ".json")
    numbers = list(ACTIONS)
    fields: list[tuple[int, int, int]] = []  # label, subject, camera
    for file in found:
        match = NAME.search(file.name)
        if match is None or int(match[1]) not in ACTIONS:
            raise DataError(f"{file.place}: name is not like a01_s01_e00_v01.json with an action of {numbers}; rename it")
        fields.append((numbers.index(int(match[1])), int(match[2]), int(match[4])))

    def after(done: int, at_a_time: int = FILES_AT_A_TIME) -> Iterator[Block]:
        contents = files.contents(found[done:])
        for start in range(done, len(found), at_a_time):
            part = slice(start, start + at_a_time)
            clips = [_clip(raw, file.place) for file, raw in (next(contents) for _ in found[part])]
            label, subject, camera = zip(*fields[part], strict=True)
            table = {
                "clip": [f.stem for f in found[part]],
                "file": [f.place for f in found[part]],
                "label": label,
                "subject": subject,
                "camera": camera,
            }
            yield Block(np.concatenate(clips)[:, None], np.cumsum([0, *map(len, clips)]), table)

    return Source(str(path), KINECT_V1, Blocks(after, single=True), tuple(ACTIONS.values()), fps=30.0, clips=len(found))


def _clip(raw: bytes, place: str) -> np.ndarray:
    """(T, 20, 3) float32, at least one frame."""
    if len(raw) > LIMIT:
        raise DataError(f"{place}: {len(raw):,} bytes in one recording; the most is {LIMIT:,}; leave it out")
    try:
        content = json.loads(raw)
        joints = np.asarray(content["skeletons"], dtype=np.float32)
    except Exception as error:  # whatever damaged text provokes in json or NumPy
        text = " ".join(str(error).split())[:200]
        raise DataError(f"{place}: holds no 'skeletons' of numbers ({text}); download it again") from error
    if joints.size == 0:
        return np.zeros((1, 20, 3), dtype=np.float32)
    if joints.shape[1:] != (20, 3):
        raise DataError(f"{place}: 'skeletons' is {joints.shape}, should be (frames, 20, 3)")
    return joints
