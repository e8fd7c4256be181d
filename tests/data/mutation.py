"""Damaged copies of a file, and the promise that holds for each of them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from slimlab import data
from slimlab.data import DataError


def mutants(path: Path, count: int, seed: int) -> Iterator[bytes]:
    """`path`'s bytes with a few of them changed, cut out, repeated or cut off."""
    original, rng = path.read_bytes(), np.random.default_rng(seed)
    for _ in range(count):
        raw = bytearray(original)
        for _ in range(rng.integers(1, 4)):
            at, length = int(rng.integers(len(raw))), int(rng.integers(1, 64))
            kind = rng.integers(4)
            if kind == 0:
                raw[at] = rng.integers(256)
            elif kind == 1:
                del raw[at : at + length]
            elif kind == 2:
                raw[at:at] = raw[at : at + length]
            else:
                del raw[max(1, at) :]
        yield bytes(raw)


def check_mutants(path: Path, count: int, format: str | None = None, least: float = 0.25) -> None:
    """Each opens as sound clips or gives one DataError that names it; nothing else. `least` of them are refused."""
    folder = path.parent / "mutants"
    folder.mkdir()
    refused = 0
    for raw in mutants(path, count, seed=1):
        mutant = folder / path.name
        mutant.write_bytes(raw)
        try:
            store = data.open(mutant, format)
        except DataError as error:
            refused += 1
            assert "mutants" in str(error) and "\n" not in str(error), error
        else:
            assert all(np.isfinite(clip.joints).all() for clip in store)
    assert refused > count * least, refused
