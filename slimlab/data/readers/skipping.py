"""Leave bad clips out instead of stopping at the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from slimlab.data.building import Block, Blocks, Source, check_coordinates
from slimlab.data.errors import DataError


def skipping(source: Source) -> Source:
    """The source without its bad clips; `skipped` of the result says why each was left out.

    What holds all clips in one file (`.csv`, `.npz`) is left out clip by clip where coordinates are bad; where the file itself is
    damaged, it is refused as ever. Raises DataError where no clip is sound.
    """
    skipped: list[str] = []

    def sound(block: Block) -> Iterator[Block]:
        try:
            check_coordinates(block, source.path)
            yield block
            return
        except DataError:
            pass
        for i in range(len(block.offsets) - 1):
            start, end = block.offsets[i], block.offsets[i + 1]
            table = {k: v[i : i + 1] for k, v in block.table.items()}
            one = replace(block, frames=block.frames[start:end], offsets=np.array([0, end - start]), table=table)
            try:
                check_coordinates(one, source.path)
                yield one
            except DataError as error:
                skipped.append(str(error))

    def read() -> Iterator[Block]:
        skipped.clear()
        blocks, done = source.blocks, 0
        if not isinstance(blocks, Blocks) or not blocks.single:
            for block in source.after(0):
                yield from sound(block)
            return
        fault = ""
        while True:
            for at_a_time in (None, 1):  # as ever; then clip by clip up to the one at fault
                try:
                    for block in blocks.after(done, at_a_time):
                        yield from sound(block)
                        done += len(block.offsets) - 1
                    return
                except DataError as error:
                    fault = str(error)
            skipped.append(fault)
            done += 1

    def checked() -> Iterator[Block]:
        some = False
        for block in read():
            some = True
            yield block
        if not some and skipped:
            raise DataError(f"{source.path}: no clip is sound; the first: {skipped[0]}")

    return replace(source, blocks=_Again(checked), skipped=skipped)


@dataclass(frozen=True)
class _Again:
    """Blocks that are read anew from the first each time: what is skipped is known only by reading."""

    read: Callable[[], Iterator[Block]]

    def __iter__(self) -> Iterator[Block]:
        return self.read()
