"""NTU RGB+D 60 and 120 as distributed: folders or zips of `SsssCcccPpppRrrrAaaa.skeleton`, one text file a recording.

A file is a frame count; per frame a body count; per body a line of ten fields that begins with the body's id, a joint count
(25), and per joint a line of 12 fields that begins with x y z in metres (https://github.com/shahroudy/NTURGB-D). From the bodies
of a recording:

- A body that vanishes and comes back under another id is one person where the two are at most LINK apart (flag "relinked").
- The people are ordered: bodies before ghosts (ghosts.py), then by motion, most first.
- Two are kept, as everywhere in the field; that there were more is flagged "extra-people".
- A ghost is kept where it is one of the two, and flagged "ghost": `data.clean.drop_ghosts` takes it out.

Files without a body in any frame (302 in NTU-60, 535 in NTU-120) become clips flagged "empty".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slimlab.data import ghosts
from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.data.readers.ntu_names import ACTIONS, fields_of
from slimlab.skeleton import KINECT_V2

FILES_AT_A_TIME = 16
PEOPLE, JOINTS = 2, len(KINECT_V2)
LONGEST = 10_000  # frames, five minutes and a half; NTU's recordings have at most 300
MOST_BODIES = 200  # ids in one recording
LINK = 0.5  # metres between a body's last place and the first of its next id


@dataclass
class _Body:
    """frames (T,) int: where it is seen; joints (T, 25, 3) metres."""

    frames: np.ndarray
    joints: np.ndarray


def read(path: str | Path) -> Source:
    """Check every name, then stream the files. Raises DataError, naming the file and its line."""
    found = files.find(path, ".skeleton")
    fields = []
    for file in found:
        parsed = fields_of(file.name)
        if parsed is None:
            raise DataError(f"{file.place}: name is not like S001C002P003R002A013.skeleton, so action and performer are unknown")
        if not 0 <= parsed["label"] < len(ACTIONS):
            raise DataError(f"{file.place}: action {parsed['label'] + 1}, NTU RGB+D has 1..{len(ACTIONS)}")
        fields.append(parsed)
    names = ACTIONS if any(f["label"] >= 60 for f in fields) else ACTIONS[:60]
    blocks = Blocks(lambda done, at_a_time=FILES_AT_A_TIME: _blocks(found[done:], fields[done:], at_a_time), single=True)
    return Source(str(path), KINECT_V2, blocks, names, fps=30.0, clips=len(found))


def _blocks(found: list[files.File], fields: list[dict[str, int]], at_a_time: int) -> Iterator[Block]:
    contents = files.contents(found)
    for start in range(0, len(found), at_a_time):
        part = range(start, min(start + at_a_time, len(found)))
        clips, flags = zip(*(_clip(raw, file.place) for file, raw in (next(contents) for _ in part)), strict=True)
        table = {key: [fields[i][key] for i in part] for key in ("label", "subject", "camera", "setup")}
        table |= {"clip": [found[i].stem for i in part], "file": [found[i].place for i in part], "flags": list(flags)}
        yield Block(np.concatenate(clips), np.cumsum([0, *map(len, clips)]), table)


def _clip(raw: bytes, place: str) -> tuple[np.ndarray, str]:
    """((T, 2, 25, 3), flags) of one file."""
    frames, bodies = _parse(raw, place)
    people = _linked(bodies)
    with np.errstate(invalid="ignore", over="ignore"):  # what is no number is complained of later, with its place
        order = sorted(people, key=lambda p: (bool(ghosts.why_ghost(p.joints, frames)), -ghosts.motion(p.joints)))
    out = np.zeros((max(1, frames), PEOPLE, JOINTS, 3), dtype=np.float32)
    for slot, person in enumerate(order[:PEOPLE]):
        out[person.frames, slot] = person.joints
    flags = {
        "ghost": any(ghosts.why_ghost(p.joints, frames) for p in order[:PEOPLE]),
        "extra-people": len(people) > PEOPLE,
        "relinked": len(people) < len(bodies),
    }
    return out, " ".join(name for name, is_so in flags.items() if is_so)


def _parse(raw: bytes, place: str) -> tuple[int, list[_Body]]:
    """(frames, bodies in the order in which they appear). Raises DataError with the line that is not as it should be."""
    lines, at = raw.splitlines(), 0
    seen: dict[tuple[bytes, int], tuple[list[int], list[float]]] = {}  # id, and which of several with that id
    try:
        frames, at = int(lines[0]), 1
        if not 0 <= frames <= LONGEST:
            raise ValueError(f"{frames} frames; 0..{LONGEST} is possible")
        for frame in range(frames):
            bodies, at = int(lines[at]), at + 1
            here: list[bytes] = []
            for _ in range(bodies):
                body, at = lines[at].split(None, 1)[0], at + 1
                if (joints := int(lines[at])) != JOINTS:
                    if not 2 <= joints <= 200:
                        raise ValueError(f"{joints} joints")
                    raise DataError(
                        f"{place}: line {at + 1}: {joints} joints where NTU has {JOINTS}: another body. Read it into an "
                        "array x (3, frames, joints, people) and give data.from_arrays(x, skeleton="
                        "slimlab.skeleton.Skeleton(names, parents)); if it should be NTU's, download it again or leave it out"
                    )
                at += 1
                if len(seen) > MOST_BODIES:
                    raise ValueError(f"more than {MOST_BODIES} bodies")
                numbers, places = seen.setdefault((body, here.count(body)), ([], []))
                here.append(body)
                numbers.append(frame)
                places += map(float, [v for line in lines[at : at + JOINTS] for v in line.split(None, 3)[:3]])
                if len(places) != len(numbers) * JOINTS * 3:
                    raise ValueError("no x y z in each of the 25 lines from here")
                at += JOINTS
        if b"".join(lines[at:]).strip():
            raise ValueError(f"more lines than its {frames} frames need")
    except DataError:
        raise
    except (ValueError, IndexError) as error:
        why = "the file ends early" if isinstance(error, IndexError) else str(error)
        raise DataError(f"{place}: line {at + 1}: {why}; the file is damaged, download it again or leave it out") from error
    return frames, [_Body(np.array(n), np.array(p).reshape(-1, JOINTS, 3)) for n, p in seen.values()]


def _linked(bodies: list[_Body]) -> list[_Body]:
    """One body per person: a new id that begins near the place where another has ended goes on with it."""
    people: list[_Body] = []
    for body in sorted(bodies, key=lambda b: int(b.frames[0])):
        start = body.joints[0].mean(axis=0)
        before = [p for p in people if p.frames[-1] < body.frames[0]]
        apart = [float(np.linalg.norm(p.joints[-1].mean(axis=0) - start)) for p in before]
        if apart and min(apart) <= LINK:
            person = before[int(np.argmin(apart))]
            person.frames = np.concatenate([person.frames, body.frames])
            person.joints = np.concatenate([person.joints, body.joints])
        else:
            people.append(body)
    return people
