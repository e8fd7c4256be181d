"""The files of a recording set, wherever they lie: one file, a folder (searched to its depths), or a .zip of either."""

from __future__ import annotations

import hashlib
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slimlab.data.errors import DataError

LIMIT = 1 << 26  # bytes of one file, unpacked; no recording is that large, a zip bomb is
MOST_LINES = 1 << 22  # of one text file; more are a bomb of empty lines


@dataclass(frozen=True)
class File:
    """One file: `place` for messages, `name` without folders, `folder` it lies in, `size` in bytes."""

    place: str
    name: str
    folder: str
    size: int
    path: Path
    member: str = ""  # of the zip at `path`

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return self.name.rsplit(".", 1)[0]

    def read(self, zip_file: zipfile.ZipFile | None = None) -> bytes:
        """All bytes. Raises DataError where the file is gone, damaged or larger than LIMIT."""
        if self.size > LIMIT:
            raise DataError(
                f"{self.place}: {self.size:,} bytes in one recording; the most is {LIMIT:,}; split it, or leave it out"
            )
        try:
            raw = self.path.read_bytes() if zip_file is None else zip_file.read(self.member)
        except Exception as error:  # whatever damaged bytes provoke in zipfile
            raise DataError(f"{self.place}: cannot be read ({error}); download it again") from error
        if self.name.endswith((".txt", ".skeleton", ".bvh")) and raw.count(b"\n") > MOST_LINES:
            raise DataError(f"{self.place}: more than {MOST_LINES:,} lines in one recording; it is damaged, leave it out")
        return raw


def identity(path: Path) -> str:
    """16 hex digits of the names, sizes and times of change of the file, or of all files below the folder."""
    found = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    about = [(str(p.relative_to(path)), p.stat().st_size, p.stat().st_mtime_ns) for p in found]
    return hashlib.blake2b(repr([str(path.resolve()), about]).encode("utf-8", "replace"), digest_size=8).hexdigest()


def find(path: str | Path, endings: str | tuple[str, ...]) -> list[File]:
    """Files below `path` whose names end so, sorted by folder and name. Raises DataError: none there, or a damaged .zip."""
    path = Path(path)
    if path.is_dir():
        inside = (p for p in path.rglob("*") if p.name.endswith(endings) and not p.name.startswith(".") and p.is_file())
        found = [File(str(p), p.name, str(p.parent), p.stat().st_size, p) for p in inside]
    elif path.suffix == ".zip":
        with _opened(path) as z:
            found = [
                File(
                    f"{path}/{i.filename}",
                    i.filename.rsplit("/", 1)[-1],
                    str(Path(path / i.filename).parent),
                    i.file_size,
                    path,
                    i.filename,
                )
                for i in z.infolist()
                if i.filename.endswith(endings) and not i.is_dir() and "__MACOSX" not in i.filename
            ]
    else:
        found = [File(str(path), path.name, str(path.parent), path.stat().st_size, path)]
    if not found and endings:
        raise DataError(f"{path}: no file whose name ends in {endings} lies in it; give the folder that holds them")
    return sorted(found, key=lambda f: (f.folder, f.name))


def numbers(raw: bytes, place: str) -> np.ndarray:
    """(n,) float64: a text of numbers with white space between them. Raises DataError where something else stands there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns where the text goes on with what is no number
            return np.fromstring(raw.decode("ascii"), sep=" ")
    except (ValueError, DeprecationWarning) as error:
        raise DataError(f"{place}: its numbers cannot be read ({error}); download it again") from error


def contents(files: list[File]) -> Iterator[tuple[File, bytes]]:
    """Each file with its bytes, one at a time; a zip is opened once. Raises DataError."""
    zips: dict[Path, zipfile.ZipFile] = {}
    try:
        for file in files:
            if file.member and file.path not in zips:
                zips[file.path] = _opened(file.path)
            yield file, file.read(zips.get(file.path) if file.member else None)
    finally:
        for z in zips.values():
            z.close()


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise DataError(f"{path}: no readable .zip file ({error}); download it again") from error
