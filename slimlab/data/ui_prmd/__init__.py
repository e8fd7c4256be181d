"""UI-PRMD: recordings of real people, in the package. `README.md` beside this file says where they come from and what they are.

Vakanski, Jun, Paul and Baker, "A Data Set of Human Body Movements for Physical Rehabilitation Exercises", Data 2018, 3(1):2,
https://www.mdpi.com/2306-5729/3/1/2, in the public domain (ODC PDDL 1.0).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Source, build
from slimlab.data.errors import DataError
from slimlab.data.store import ClipStore
from slimlab.skeleton import Skeleton

FILE = Path(__file__).parent / "recordings.npz"
FPS = 30.0
SUBJECTS = 10
EXERCISES = (
    "deep squat",
    "hurdle step",
    "inline lunge",
    "side lunge",
    "sit to stand",
    "standing active straight leg raise",
    "standing shoulder abduction",
    "standing shoulder extension",
    "standing shoulder internal-external rotation",
    "standing shoulder scaption",
)
JOINTS = tuple(
    "waist spine chest neck head head_tip left_collar left_upper_arm left_forearm left_hand right_collar right_upper_arm "
    "right_forearm right_hand left_upper_leg left_lower_leg left_foot left_leg_toes right_upper_leg right_lower_leg right_foot "
    "right_leg_toes".split()
)
PARENTS = (-1, 0, 1, 2, 3, 4, 2, 6, 7, 8, 2, 10, 11, 12, 0, 14, 15, 16, 0, 18, 19, 20)
WHICH = ("all", "correct", "incorrect")
CLASSES = ("exercise x correct", "exercise")


def ui_prmd(which: str = "all", classes: str | None = None) -> ClipStore:
    """Ten people, ten rehabilitation exercises, ten repetitions done correctly and ten done incorrectly on purpose; 22 joints.

    which    "all" (2,000 clips), "correct" or "incorrect" (1,000 each)
    classes  "exercise x correct": 20 classes, correct ones first; "exercise": 10 classes. None: the first for "all", else the
             second, where the two are the same but for the names

    `store.table` has two columns more than other stores: `exercise`, its name, and `correct`, a bool. One of 2,000 clips is one
    repetition, cut out by the authors of the set. Recorded by a Kinect v2 at 30 frames a second; places are rounded to
    millimeters.
    Raises DataError for another `which` or `classes`.
    """
    if which not in WHICH:
        raise DataError(f"ui_prmd has no part '{which}'; choose one of {', '.join(WHICH)}")
    if classes is not None and classes not in CLASSES:
        raise DataError(f"ui_prmd has no classes '{classes}'; choose {' or '.join(repr(c) for c in CLASSES)}")
    classes = classes or CLASSES[which != "all"]
    both = classes == CLASSES[0]
    with np.load(FILE, allow_pickle=False) as file:
        frames, correct, movement, subject, repetition, steps = (
            file[name] for name in ("frames", "correct", "movement", "subject", "repetition", "steps")
        )
    ends = np.cumsum(frames, dtype=np.int64)
    starts = ends - frames
    chosen = np.flatnonzero((which == "all") | (correct == (which == "correct")))
    joints = np.concatenate([np.cumsum(steps[starts[i] : ends[i]], axis=0, dtype=np.int16) for i in chosen])  # (F, V, 3)
    exercise = movement[chosen].astype(np.int64) - 1
    correct = correct[chosen]
    names = [
        f"m{m:02d}_s{s:02d}_e{e:02d}" + ("" if right else "_inc")
        for m, s, e, right in zip(movement[chosen], subject[chosen], repetition[chosen], correct, strict=True)
    ]
    columns = {
        "clip": names,
        "label": exercise + len(EXERCISES) * ~correct if both else exercise,
        "subject": subject[chosen].astype(np.int64),
    }
    labels = (*EXERCISES, *(f"{name}, incorrect" for name in EXERCISES)) if both else EXERCISES
    block = Block(
        (joints / np.float32(1000))[:, None],  # (F, 1, V, 3)
        np.concatenate([[0], np.cumsum(frames[chosen], dtype=np.int64)]),
        columns,
        seen=np.ones((len(joints), 1, len(JOINTS)), dtype=bool),
    )
    store = build(Source(f"ui_prmd(which={which!r}, classes={classes!r})", Skeleton(JOINTS, PARENTS), [block], labels, FPS))
    store.table["exercise"] = [EXERCISES[e] for e in exercise]
    store.table["correct"] = correct
    return store
