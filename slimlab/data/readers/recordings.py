"""Recordings of one body, one file each: what the readers of motion capture share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os.path import commonpath
from pathlib import Path
from typing import TypeVar

import numpy as np

from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files
from slimlab.skeleton import Skeleton

MOST_PLACES = 10_000_000  # joints times frames of one recording
Parse = Callable[[files.File, bytes], "Recording"]
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Recording:
    """One file's clip. joints (T, M, V, 3) in meters, y up, NaN where not seen; fps None: unknown.

    scale, up, notes: see Source.
    """

    joints: np.ndarray
    skeleton: Skeleton
    fps: float | None
    scale: float = 1.0
    up: str = "y"
    notes: tuple[str, ...] = ()


def source(path: str | Path, found: list[files.File], parse: Parse) -> Source:
    """Take body, frame rate and unit from the first sound file, then stream all. A file's class is the folder it lies in (see
    `by_folder`). Raises DataError where none is sound, or where a file holds another body."""
    first, origin = first_sound(found, parse)
    classes, labels = by_folder([f.folder for f in found])
    names = clip_names(found)

    def after(done: int, at_a_time: int = 1) -> Iterator[Block]:
        for i, (file, raw) in enumerate(files.contents(found[done:]), done):
            recording = parse(file, raw)
            check_same(recording.skeleton, file.place, first.skeleton, origin)
            offsets = np.array([0, len(recording.joints)])
            yield Block(
                recording.joints, offsets, {"clip": [names[i]], "label": [labels[i]], "file": [file.place]}, nan_unseen=True
            )

    return Source(
        str(path),
        first.skeleton,
        Blocks(after, single=True),
        classes,
        first.fps,
        len(found),
        first.scale,
        first.up,
        first.notes,
    )


def first_sound(found: list[files.File], parse: Callable[[files.File, bytes], Parsed]) -> tuple[Parsed, str]:
    """What the first sound file gives, and its place. Raises the first file's DataError where none is sound."""
    fault: DataError | None = None
    for file in found:
        try:
            ((_, raw),) = files.contents([file])
            return parse(file, raw), file.place
        except DataError as error:
            fault = fault or error
    assert fault is not None
    raise fault


def by_folder(folders: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """(classes, a label each) of clips by the folders that they lie in.

    Folders of one name are one class, wherever they lie (anna/walk and ben/walk); no classes where all have one name."""
    names = [f.rsplit("/", 1)[-1] for f in folders]
    classes = tuple(sorted(set(names)))
    return (classes, [classes.index(n) for n in names]) if len(classes) > 1 else ((), [-1] * len(names))


def check_same(body: Skeleton, place: str, first: Skeleton, origin: str) -> None:
    """Raises DataError where two files hold different bodies, naming both and the way out."""
    if (body.names, body.parents) == (first.names, first.parents):
        return
    a, b = (f"{len(s)} joints ({', '.join(s.names[:3])}, …)" for s in (body, first))
    raise DataError(
        f"{place}: {a}, other joints than in {origin}: {b}; convert the files of each body by themselves, then bring each store "
        "onto a common one: data.on_body(store, slimlab.skeleton.H36M)"
    )


def clip_names(found: list[files.File]) -> list[str]:
    """The files' names without ending; with their folders where two files have the same name."""
    stems = [f.stem for f in found]
    if len(set(stems)) == len(stems):
        return stems
    places = [f"{f.folder}/{f.stem}" for f in found]
    above = commonpath([f.folder for f in found])
    names = [p[len(above) :].strip("/") for p in places]
    last = {n.rsplit("/", 1)[-1] for n in names}
    return [n.rsplit("/", 1)[0] if len(last) == 1 and "/" in n else n for n in names]


def check_size(frames: int, joints: int, place: str) -> None:
    """Raises DataError for what no recording is."""
    if not frames or not joints:
        raise DataError(f"{place}: {frames} frames of {joints} joints; export it again")
    if frames * joints > MOST_PLACES or joints > 1000:
        raise DataError(f"{place}: {frames:,} frames of {joints:,} joints; split it, or leave joints out")
