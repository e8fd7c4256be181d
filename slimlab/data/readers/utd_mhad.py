"""UTD-MHAD's skeleton folder: `a<action>_s<subject>_t<trial>_skeleton.mat`, each with `d_skel` (20, 3, frames).

Chen, Jafari, Kehtarnavaz, "UTD-MHAD: a multimodal dataset for human action recognition", ICIP 2015
(https://personal.utdallas.edu/~kehtar/UTD-MHAD.html); joint order from the data set's Skeleton_joint_order.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.data.readers.mat5 import read_array
from slimlab.skeleton import Skeleton

FILES_AT_A_TIME = 64
NAME = re.compile(r"a(\d+)_s(\d+)_t(\d+)_skeleton\.mat$")
SKELETON = Skeleton(
    names=(
        "head shoulder_center spine hip_center left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
        "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot"
    ).split(),
    parents=(1, 2, 3, -1, 1, 4, 5, 6, 1, 8, 9, 10, 3, 12, 13, 14, 3, 16, 17, 18),
)
ACTIONS = tuple(
    (
        "swipe left,swipe right,wave,clap,throw,arm cross,basketball shoot,draw x,draw circle (clockwise),"
        "draw circle (counter clockwise),draw triangle,bowling,boxing,baseball swing,tennis swing,arm curl,tennis serve,push,"
        "knock,catch,pickup and throw,jog,walk,sit to stand,stand to sit,lunge,squat"
    ).split(",")
)


def read(path: str | Path) -> Source:
    """The files of a folder (searched to its depths) or a `.zip`, or one of them. Raises DataError, naming the file, where one is
    not as described above."""
    found: list[tuple[int, int, int, files.File]] = []
    for file in files.find(path, "_skeleton.mat"):
        match = NAME.search(file.name)
        if not match:
            raise DataError(f"{file.place}: name is not like a1_s1_t1_skeleton.mat, so action and subject are unknown; rename it")
        action, subject, trial = (int(v) for v in match.groups())
        if not 1 <= action <= len(ACTIONS):
            raise DataError(f"{file.place}: action {action}, UTD-MHAD has 1..{len(ACTIONS)}")
        found.append((action, subject, trial, file))
    found.sort(key=lambda f: (*f[:3], f[3].place))

    def after(done: int, at_a_time: int = FILES_AT_A_TIME) -> Iterator[Block]:
        contents = files.contents([file for *_, file in found[done:]])
        for start in range(done, len(found), at_a_time):
            part = found[start : start + at_a_time]
            clips = [_frames(raw, file.place) for file, raw in (next(contents) for _ in part)]
            table = {
                "clip": [file.stem for *_, file in part],
                "file": [file.place for *_, file in part],
                "label": [action - 1 for action, *_ in part],
                "subject": [subject for _, subject, *_ in part],
            }
            yield Block(np.concatenate(clips)[:, None], np.cumsum([0, *map(len, clips)]), table)

    return Source(str(path), SKELETON, Blocks(after, single=True), ACTIONS, fps=30.0, clips=len(found))


def _frames(raw: bytes, place: str) -> np.ndarray:
    """(T, 20, 3) float32."""
    try:
        joints = read_array(raw, "d_skel")
    except ValueError as error:
        raise DataError(f"{place}: cannot be read ({error}); download it again") from error
    if joints.ndim == 2:
        joints = joints[:, :, None]  # one frame
    if joints.shape[:2] != (20, 3) or joints.ndim != 3:
        raise DataError(f"{place}: 'd_skel' is {joints.shape}, should be (20, 3, frames)")
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is complained of with its place, like NaN
        return np.ascontiguousarray(joints.transpose(2, 0, 1), dtype=np.float32)
