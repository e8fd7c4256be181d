"""SHREC'17 and DHG hands: `skeletons_world.txt`, a frame a line, 22 joints of one hand as x y z in meters.

De Smedt et al., "SHREC'17 track: 3D hand gesture recognition using a depth and skeletal dataset", 2017
(http://www-rech.telecom-lille.fr/shrec2017-hand/). Where the folders are the data set's own,
`gesture_1/finger_1/subject_1/essai_1`, they give class, subject and name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.data.readers.recordings import Recording, check_size, source
from slimlab.skeleton import HAND_22

GESTURES = (
    "grab,tap,expand,pinch,rotation clockwise,rotation counter clockwise,swipe right,swipe left,swipe up,swipe down,swipe x,"
    "swipe +,swipe v,shake"
).split(",")
FOLDERS = re.compile(r"gesture_(\d+)/finger_(\d+)/subject_(\d+)/essai_(\d+)$")
NOTES = ("unit: m, the data set's own", "up: y, the data set's own")


def read(path: str | Path) -> Source:
    """A file, or a folder or zip of them. Raises DataError, naming the line. The sets give no frame rate."""
    found = [
        f
        for f in files.find(path, ".txt")
        if (Path(path).is_file() and not f.member) or re.fullmatch(r"skeletons?_world\.txt", f.name)
    ]
    if not found:
        raise DataError(f"{path}: no skeletons_world.txt lies in it; give the folder that holds them")
    plain = source(path, found, _parse)
    about = [FOLDERS.search(f.folder) for f in found]
    if not all(m and 1 <= int(m[1]) <= len(GESTURES) for m in about):
        return plain
    fields = [tuple(int(v) for v in m.groups()) for m in about if m]

    def after(done: int, at_a_time: int = 1) -> Iterator[Block]:
        assert isinstance(plain.blocks, Blocks)
        for (gesture, finger, subject, trial), block in zip(fields[done:], plain.blocks.after(done), strict=True):
            name = f"g{gesture}_f{finger}_s{subject}_e{trial}"
            table = block.table | {"clip": [name], "label": [gesture - 1], "subject": [subject]}
            yield replace(block, table=table)

    return replace(plain, blocks=Blocks(after, single=True), label_names=tuple(GESTURES))


def _parse(file: files.File, raw: bytes) -> Recording:
    rows = []
    lines = raw.decode("ascii", "replace").splitlines()
    check_size(len(lines), len(HAND_22), file.place)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = [float(v) for v in line.split()]
        except ValueError as error:
            raise DataError(f"{file.place}: line {number}: {str(error)[:80]}; download it again") from error
        if len(row) != 66 or not np.isfinite(row).all():
            raise DataError(
                f"{file.place}: line {number} has {len(row)} numbers, not 66 (22 joints of a hand, x y z, in meters); "
                "give skeletons_world.txt, or leave the file out"
            )
        rows.append(row)
    check_size(len(rows), len(HAND_22), file.place)
    return Recording(np.array(rows).reshape(-1, 1, 22, 3), HAND_22, None, notes=NOTES)
