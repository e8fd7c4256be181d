"""MVNX, Xsens MVN's XML (https://base.movella.com/s/article/MVNX-file-structure): the places of its segments in every frame.

Meters, z up, as Xsens writes. Frames of calibration (identity, tpose, …) are left out. The XML is read as a stream; a file that
declares entities is refused, since no MVNX does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.parsers import expat

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files, units
from slimlab.data.readers.recordings import Recording, check_size, source
from slimlab.skeleton import Skeleton

LIMIT = 1 << 33  # bytes; a minute takes about 40 MB
CHUNK = 1 << 20
MOST_NUMBERS = 30_000_000
NOTES = ("unit: m, MVNX's own", "up: z, MVNX's own")


def read(path: str | Path) -> Source:
    """A file, a folder or a zip of files of one body. Raises DataError."""
    found = files.find(path, ".mvnx")
    whole = [replace(f, size=0) if not f.member else f for f in found]  # streamed, so that they may be larger than others
    return source(path, [_Streamed(**vars(f)) if not f.member else f for f in whole], _parse)


class _Streamed(files.File):
    """A file whose bytes are read where it is parsed."""

    def read(self, zip_file=None) -> bytes:
        return b""


def _chunks(file: files.File, raw: bytes) -> Iterator[bytes]:
    if raw or file.member:
        yield from (raw[i : i + CHUNK] for i in range(0, len(raw), CHUNK))
        return
    try:
        with open(file.path, "rb") as opened:
            total = 0
            while chunk := opened.read(CHUNK):
                total += len(chunk)
                if total > LIMIT:
                    raise DataError(f"{file.place}: more than {LIMIT:,} bytes; split it")
                yield chunk
    except OSError as error:
        raise DataError(f"{file.place}: cannot be read ({error.strerror}); copy it again") from error


class _Handler:
    """What the parser finds: a frame rate, segments, joints, and the positions of normal frames, for each subject."""

    def __init__(self) -> None:
        self.subjects: list[tuple[float, list[str], dict[str, str], list[np.ndarray]]] = []
        self.text: list[str] | None = None
        self.normal, self.ends, self.numbers, self.old = False, [], 0, ""

    def start(self, name: str, about: dict[str, str]) -> None:
        if name == "subject":
            self.subjects.append((float(about.get("frameRate", "0")), [], {}, []))
        elif name == "segment" and self.subjects:
            self.subjects[-1][1].append(about.get("label", ""))
        elif name == "frame":
            self.normal = about.get("type", "normal") == "normal"
        elif name == "joint":
            self.ends = []
        elif name in ("connector1", "connector2") or (name == "position" and self.normal):
            self.text = []

    def data(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)

    def end(self, name: str) -> None:
        if self.text is None or not self.subjects:
            return
        if name in ("connector1", "connector2"):
            self.ends.append("".join(self.text).strip().split("/")[0])
            if len(self.ends) == 2:
                self.subjects[-1][2].setdefault(self.ends[1], self.ends[0])
            self.text = None
        elif name == "position":
            values = np.array("".join(self.text).split(), dtype=np.float64)
            self.numbers += len(values)
            if self.numbers > MOST_NUMBERS:
                raise ValueError("more positions than a recording has")
            self.subjects[-1][3].append(values)
            self.text = None


def _forbidden(*_) -> None:
    raise ValueError("it declares entities, which no MVNX file does")


def _parse(file: files.File, raw: bytes) -> Recording:
    handler, parser = _Handler(), expat.ParserCreate()
    parser.StartElementHandler = lambda name, about: handler.start(name.rsplit(":", 1)[-1], about)
    parser.EndElementHandler = lambda name: handler.end(name.rsplit(":", 1)[-1])
    parser.CharacterDataHandler = handler.data
    parser.EntityDeclHandler = _forbidden
    parser.buffer_text = True
    try:
        for chunk in _chunks(file, raw):
            parser.Parse(chunk, False)
        parser.Parse(b"", True)
        return _recording(handler, file.place)
    except DataError:
        raise
    except (expat.ExpatError, ValueError, LookupError, OverflowError) as error:  # LookupError: an unknown encoding
        raise DataError(f"{file.place}: no sound MVNX file ({str(error)[:200]}); export it again from MVN") from error


def _recording(handler: _Handler, place: str) -> Recording:
    subjects = [s for s in handler.subjects if s[3]]
    if not subjects:
        raise ValueError("it has no frames of a recording")
    fps, segments, above, _ = subjects[0]
    if not all(s[1] == segments and s[0] == fps for s in subjects) or not 0 < fps < 1e6:
        raise ValueError("its subjects differ in segments or frame rate, or there is no frame rate")
    frames = max(len(s[3]) for s in subjects)
    check_size(frames * len(subjects), len(segments), place)
    joints = np.full((frames, len(subjects), len(segments), 3), np.nan)
    for person, (*_, positions) in enumerate(subjects):
        for number, values in enumerate(positions):
            if len(values) != 3 * len(segments) or not np.isfinite(values).all():
                raise ValueError(f"frame {number}: {len(values)} positions for {len(segments)} segments")
            joints[number, person] = values.reshape(-1, 3)
    parents = [segments.index(above[s]) if s in above else -1 for s in segments]
    return Recording(units.turned(joints, "z"), Skeleton(segments, parents), fps, 1.0, "z", NOTES)
