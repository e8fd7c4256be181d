"""PKU-MMD I and II: a folder with skeleton texts (`0002-L.txt`, 150 numbers a frame) and label texts of the same names.

150 numbers are 2 people x 25 Kinect v2 joints x 3, metres; a label's line is `action,start,end[,confidence]`, frames from 0, end
not included. Liu et al., "PKU-MMD", 2017 (https://arxiv.org/abs/1703.07475). Each labelled interval becomes a clip; a sequence
without a label file becomes one unlabelled clip. The last letter of a name is the camera (L 1, M 2, R 3), so that "cross-view"
tests on the left one, as the authors do. Subjects are in no file: a `cross-subject` list of videos gives the table's `split`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Blocks, Source, later
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.skeleton import KINECT_V2

CAMERAS = {"L": 1, "M": 2, "R": 3}
NUMBERS = 150
ACTIONS = tuple(
    (
        "bow,brush hair,brush teeth,check time (from watch),cheer up,clapping,cross hands in front,drink water,drop,eat meal,"
        "falling,giving something,hand waving,handshaking,hopping,hugging,jump up,kicking other person,kicking something,"
        "phone call,pat on back,pick up,play with phone or tablet,point finger at other person,point to something,"
        "punch or slap,pushing,put on a hat or cap,put something into pocket,reading,rub two hands,salute,sit down,stand up,"
        "take off a hat or cap,take off glasses,take off jacket,take something out of pocket,taking a selfie,tear up paper,"
        "throw,touch back,touch chest,touch head,touch neck,type on a keyboard,fan self,wear jacket,wear glasses,wipe face,"
        "writing"
    ).split(",")
)


def read(path: str | Path) -> Source:
    """Check labels and first lines, then stream the sequences one by one. Raises DataError."""
    sequences: list[files.File] = []
    labels: dict[str, list[tuple[int, int, int]]] = {}
    sides: dict[str, str] = {}
    for file, raw in files.contents(files.find(path, ".txt")):
        first = raw.split(b"\n", 1)[0]
        if re.match(r"cross[-_]?(subject|view)", file.name):
            if "subject" in file.name:
                sides = _sides(raw)
        elif len(first.split()) == NUMBERS:
            sequences.append(file)
        elif b"," in first or not raw.strip():
            labels[file.stem] = _labels(raw, file.place)
        else:
            raise DataError(
                f"{file.place}: its first line is neither {NUMBERS} numbers (a skeleton) nor action,start,end (labels); "
                "leave other .txt files out of the folder"
            )
    if not sequences:
        raise DataError(f"{path}: no skeleton text with {NUMBERS} numbers a line; give the folder with skeletons and labels")

    def after(done: int) -> Iterator[Block]:
        ends = np.cumsum([0, *(len(labels.get(f.stem, [0])) for f in sequences)])  # clips before each sequence
        first = int(np.searchsorted(ends, done, side="right")) - 1 if done else 0
        for i, (file, raw) in enumerate(files.contents(sequences[first:])):
            block = _block(file, raw, labels.get(file.stem), sides.get(file.stem, ""))
            yield later(block, int(done - ends[first])) if i == 0 else block

    return Source(
        str(path), KINECT_V2, Blocks(after), ACTIONS, fps=30.0, clips=sum(len(labels.get(f.stem, [0])) for f in sequences)
    )


def _labels(raw: bytes, place: str) -> list[tuple[int, int, int]]:
    """(label from 0, start, end) of every line."""
    found = []
    for number, line in enumerate(raw.decode("ascii", "replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            action, start, end = (int(v) for v in line.split(",")[:3])
        except ValueError as error:
            raise DataError(f"{place}: line {number} is not action,start,end; download it again") from error
        if not (1 <= action <= len(ACTIONS) and 0 <= start < end):
            raise DataError(f"{place}: line {number}: action {action}, frames {start} to {end}; actions are 1..{len(ACTIONS)}")
        found.append((action - 1, start, end))
    return found


def _sides(raw: bytes) -> dict[str, str]:
    """Video -> "train" or "test" of a list "Training videos: …" "Validation videos: …" (spelled as it may be)."""
    train, _, test = re.sub(r"(?i)vali\w*", "\0", raw.decode("utf-8", "replace"), count=1).partition("\0")
    pattern = r"[\w]+-[LMR]"
    return dict.fromkeys(re.findall(pattern, train), "train") | dict.fromkeys(re.findall(pattern, test), "test")


def _block(file: files.File, raw: bytes, labels: list[tuple[int, int, int]] | None, side: str) -> Block:
    numbers = files.numbers(raw, file.place)
    if len(numbers) % NUMBERS:
        raise DataError(f"{file.place}: {len(numbers)} numbers are no whole frames of {NUMBERS}; download it again")
    joints = numbers.reshape(-1, 2, 25, 3)
    cuts = [(-1, 0, len(joints))] if labels is None else labels
    late = [cut for cut in cuts if cut[2] > len(joints)]
    if late:
        raise DataError(f"{file.place}: a label runs to frame {late[0][2]}, the sequence has {len(joints)}; download both again")
    camera = CAMERAS.get(file.stem[-1], -1)
    clips = [joints[start:end] for _, start, end in cuts]
    table = {
        "clip": [file.stem] if labels is None else [f"{file.stem}_{i:03d}_A{c[0] + 1:02d}" for i, c in enumerate(cuts)],
        "label": [cut[0] for cut in cuts],
        "camera": [camera] * len(cuts),
        "split": [side] * len(cuts),
    }
    return Block(np.concatenate([joints[:0], *clips]), np.cumsum([0, *map(len, clips)]), table)
