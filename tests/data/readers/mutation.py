"""Damaged copies of a file, and the promise that holds for each of them."""

import io
import re
import shutil
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimlab import data
from slimlab.data import DataError

NUMBER = re.compile(rb"-?\d+(\.\d+)?")
HOSTILE = (b"nan", b"-1", b"1e400", b"99999999999", b"0", b"", b"4294967296", b"-inf", b"x", b"1e9", b"7")
SECONDS = 5.0  # of processor time, for one file of a few kB


def damaged(original: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes changed, cut out, repeated or cut off, or a number that stands there as text replaced by an absurd one."""
    raw = bytearray(original)
    for _ in range(rng.integers(1, 4)):
        if not raw:
            break
        at, length = int(rng.integers(len(raw))), int(rng.integers(1, 64))
        kind = rng.integers(6)
        if kind == 0:
            raw[at] = rng.integers(256)
        elif kind == 1:
            del raw[at : at + length]
        elif kind == 2:
            raw[at:at] = raw[at : at + length]
        elif kind == 3:
            del raw[max(1, at) :]
        elif found := NUMBER.search(raw, 0 if kind == 4 else at, at + 4096):  # the first ones are counts and shapes
            raw[found.start() : found.end()] = HOSTILE[rng.integers(len(HOSTILE))]
    return bytes(raw)


def damaged_inside(original: bytes, rng: np.random.Generator) -> bytes:
    """A zip whose checksums are right and one of whose members is damaged."""
    with zipfile.ZipFile(io.BytesIO(original)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    name = list(members)[rng.integers(len(members))]
    members[name] = damaged(members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for member, raw in members.items():
            file.writestr(member, raw)
    return out.getvalue()


def mutants(path: Path, count: int, seed: int) -> Iterator[Path]:
    """`path`, a file or a folder, with one file damaged anew each time."""
    files = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
    originals, rng = {f: f.read_bytes() for f in files}, np.random.default_rng(seed)
    for _ in range(count):
        file = files[rng.integers(len(files))]
        inside = zipfile.is_zipfile(file) and rng.random() < 0.7
        file.write_bytes((damaged_inside if inside else damaged)(originals[file], rng))
        yield path
        file.write_bytes(originals[file])


DECLARED = re.compile(r".*: the bodies are ", re.DOTALL)  # slimlab's own warning


def check_mutants(path: Path, count: int, format: str | None = None, least: float = 0.25) -> None:
    """Each opens as sound clips or gives one DataError that names it; nothing else, in bounded time, and no warning but slimlab's
    own of bodies that cannot be. `least` are refused.

    Every tenth is converted too: after a refusal nothing lies where the store would have been.
    """
    folder, out = path.parent / "mutants", path.parent / "out"
    folder.mkdir()
    out.mkdir()
    copy = folder / path.name
    shutil.copytree(path, copy) if path.is_dir() else shutil.copy(path, copy)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        refused = _refused(copy, count, format, out, warned)
    assert refused > count * least, refused


def _refused(copy: Path, count: int, format: str | None, out: Path, warned: list[warnings.WarningMessage]) -> int:
    """How many of the mutants of `copy` are refused."""
    refused = 0
    for number, mutant in enumerate(mutants(copy, count, seed=1)):
        begin = time.process_time()
        try:
            store = data.open(mutant, format)
            assert all(np.isfinite(clip.joints).all() for clip in store)
        except DataError as error:
            refused += 1
            assert "mutants" in str(error) and "\n" not in str(error), error
        assert time.process_time() - begin < SECONDS
        if number % 10 == 0 and not (copy / "store.json").exists():
            try:
                data.convert(mutant, out / "store", format, progress=False)
                shutil.rmtree(out / "store")
            except DataError:
                pass
            assert not list(out.iterdir())
        others = [w for w in warned if not (w.category is UserWarning and DECLARED.match(str(w.message)))]
        assert not others, (number, others[0].filename, others[0].lineno, str(others[0].message))
        warned.clear()
    return refused
