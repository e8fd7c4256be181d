"""Azure Kinect's JSON, as the SDK's offline processor writes it: 32 joints in millimeters of the depth camera, y down.

{"joint_names", "bone_list", "frames": [{"timestamp_usec", "bodies": [{"body_id", "joint_positions": [[x, y, z], …]}]}]}:
https://github.com/microsoft/Azure-Kinect-Samples/tree/master/body-tracking-samples/offline_processor.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files, units
from slimlab.data.readers.estimates import Person
from slimlab.skeleton import AZURE_KINECT_32

NOTES = ("unit: mm, the format's own", "up: -y, the depth camera's own")


def read(path: str | Path) -> Source:
    """A file, a folder or a zip of files. Raises DataError, naming the file and the frame."""
    found = files.find(path, ".json")
    entries, classes = estimates.a_file_each(found, _frames)
    return estimates.source(str(path), AZURE_KINECT_32, entries, flag="", fps=30.0, scale=0.001, notes=NOTES, classes=classes)


def _frames(file: files.File) -> dict[int, list[Person]]:
    ((_, raw),) = files.contents([file])
    content = estimates.loaded(raw, file.place)
    frames = content.get("frames") if isinstance(content, dict) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(f, dict) for f in frames):
        raise DataError(f"{file.place}: no list of 'frames', as Azure Kinect's offline processor writes; leave the file out")
    out: dict[int, list[Person]] = {}
    for number, frame in enumerate(frames):
        place = f"{file.place}: frame {number}"
        bodies: Any = frame.get("bodies", [])
        if not isinstance(bodies, list) or not all(isinstance(b, dict) for b in bodies):
            raise DataError(f"{place}: 'bodies' is no list; write it again")
        people = out.setdefault(number, [])
        for body in bodies:
            rows = body.get("joint_positions")
            if not isinstance(rows, list) or len(rows) != 32:
                raise DataError(f"{place}: 'joint_positions' are not 32 joints; write it again")
            x = np.stack(
                [estimates.vector(r, place, "a joint") if isinstance(r, list) and len(r) == 3 else _bad(place) for r in rows]
            )
            points = units.turned(x * 0.001, "-y")
            people.append(Person(estimates.unseen(points, np.ones(32)), estimates.whole(body.get("body_id"))))
    return out


def _bad(place: str) -> np.ndarray:
    raise DataError(f"{place}: a joint is not x y z; write it again")
