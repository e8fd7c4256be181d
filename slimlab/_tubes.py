"""Semantic tube masking of many clips side by side, on bits: 64 joints a word.

`masking.one_semantic_tube_mask` states the algorithm; a test holds this form equal to it, bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from slimlab.skeleton import Skeleton

PATIENCE = 10  # failed proposals in a row before a tube may be trimmed, as many as the authors' code allows
DRAWS = 4  # proposals drawn at a time
ROUNDS = 200  # proposals before random tokens complete a mask (seen near ratio 1 alone; a bound on the time)


def grow(
    goal: np.ndarray,
    steps: int,
    *,
    skeleton: Skeleton,
    draw: Callable[[], np.ndarray],
    tubes: np.ndarray | None = None,
) -> np.ndarray:
    """Grow n masks side by side, one tube a round, until each has goal (n,) tokens.

    Args:
        goal: Tokens to mask in each, int64.
        steps: Time steps T' of the token grid.
        skeleton: The body.
        draw: Makes (DRAWS, 6, n) float32, uniform in 0..1: the next proposals of all masks. Five numbers of each are used; the
            sixth is drawn so that a seed gives the masks that it always gave.
        tubes: (n, T', V) integers, where the proposal that masked a token is written, from 1. None: not needed.

    Returns:
        The masks (n, T', V) bool.
    """
    n, runs = len(goal), Runs(skeleton)
    mask = np.zeros((n, steps, runs.words), dtype=np.uint64)
    missing, failures = goal.copy(), np.zeros(n, dtype=np.int64)
    for turn in range(0, ROUNDS, DRAWS):
        going = np.flatnonzero(missing > 0)
        if not len(going):
            break
        draws = draw()[:, :, going]
        lack, failed, grown = missing[going], failures[going], mask[going]
        for ahead, (one, length, rows) in enumerate(zip(draws, *runs.choose(draws), strict=True)):
            new = runs.stretch(lack, steps, length, rows, one) & ~grown  # (n, T', words)
            added = runs.count(new)
            fits = (added > 0) & (added <= lack)
            trims = (added > lack) & (lack > 0) & (failed >= PATIENCE)
            if trims.any():
                new[trims] = pack(first_cells(runs.unpack(new[trims]), lack[trims]))
                added[trims] = lack[trims]
            taken = fits | trims
            new[~taken] = 0
            grown |= new
            lack -= added * taken
            failed = np.where(taken, 0, failed + 1)
            if tubes is not None:
                tubes[going] = np.where(runs.unpack(new), turn + ahead + 1, tubes[going])
        missing[going], failures[going], mask[going] = lack, failed, grown
    return runs.unpack(mask)


class Runs:
    """All contiguous runs of joints along the chains of a body's parts, ready to be drawn from.

    Tubes grow one after another in steps too small for a GPU, so this part works in NumPy, on 64 joints a word.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        parts = list(skeleton.parts.values())
        rows, first = [], []
        # the run of `length` joints that begins at place `s` of part `p` is number first[p] + offset[p, length-1] + s
        self.offset = np.zeros((len(parts), max(map(len, parts))), dtype=np.int64)
        for p, chain in enumerate(parts):
            first.append(len(rows))
            for length in range(1, len(chain) + 1):
                self.offset[p, length - 1] = len(rows) - first[p]
                for start in range(len(chain) - length + 1):
                    row = np.zeros(len(skeleton), dtype=bool)
                    row[list(chain[start : start + length])] = True
                    rows.append(row)
        self.joints, self.rows = len(skeleton), pack(np.stack(rows))  # (R, words)
        self.first, self.sizes = np.array(first), np.array([len(chain) for chain in parts])

    @property
    def words(self) -> int:
        """64-bit words that hold a time step's joints."""
        return self.rows.shape[1]

    def propose(self, missing: np.ndarray, steps: int, draw: np.ndarray) -> np.ndarray:
        """One tube (n, T', words) for each mask that lacks `missing` (n,) tokens, from draw (6, n) float32, uniform in 0..1."""
        return self.stretch(missing, steps, *self.choose(draw), draw)

    def choose(self, draw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints of a tube: how many (…, n), and which (…, n, words). From draw (…, 6, n)."""
        part = (draw[..., 0, :] * _single(self.sizes.size)).astype(np.int64)
        size = self.sizes[part]
        length = (draw[..., 1, :] * _single(size)).astype(np.int64) + 1
        place = (draw[..., 2, :] * _single(size - length + 1)).astype(np.int64)
        return length, self.rows[self.first[part] + self.offset[part, length - 1] + place]

    def stretch(self, missing: np.ndarray, steps: int, length: np.ndarray, rows: np.ndarray, draw: np.ndarray) -> np.ndarray:
        """These joints over a duration that suits what is missing: (n, T', words)."""
        most = np.minimum(missing, 4 * self.joints)  # half of the 8 x V grid of a 64-frame clip
        low, high = np.minimum(most, steps), np.maximum(most, steps)  # the bounds swap where less is missing
        area = _single(low) + _single(high - low) * draw[3]
        duration = np.rint(area / _single(length)).astype(np.int64).clip(1, steps)
        start = (draw[4] * _single(steps - duration + 1)).astype(np.int64)
        return _times(steps)[start, duration][:, :, None] & rows[:, None, :]

    def count(self, cells: np.ndarray) -> np.ndarray:
        """(n,) how many tokens are set in (n, T', words)."""
        return np.bitwise_count(cells).reshape(len(cells), -1).sum(axis=1, dtype=np.int64)

    def unpack(self, cells: np.ndarray) -> np.ndarray:
        """(…, words) -> (…, V) bool."""
        return np.unpackbits(cells.view(np.uint8), axis=-1, count=self.joints, bitorder="little").view(bool)


@lru_cache
def _times(steps: int) -> np.ndarray:
    """All bits (T', T'+1, T') of the words of steps start..start+duration-1, by start and duration."""
    start, duration, step = np.ogrid[:steps, : steps + 1, :steps]
    return np.where((step >= start) & (step < start + duration), ~np.uint64(0), np.uint64(0))


def pack(cells: np.ndarray) -> np.ndarray:
    """(…, V) bool -> (…, words) uint64."""
    packed = np.packbits(cells, axis=-1, bitorder="little")
    room = [(0, 0)] * (cells.ndim - 1) + [(0, -packed.shape[-1] % 8)]
    return np.ascontiguousarray(np.pad(packed, room)).view(np.uint64)


def _single(whole: np.ndarray | int) -> np.ndarray:
    return np.asarray(whole, dtype=np.float32)


def first_cells(cells: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The first `keep` true tokens of each grid (n, T', V), joint by joint along time, so that a trimmed tube stays a tube."""
    by_joint = cells.swapaxes(1, 2)  # (n, V, T')
    kept = by_joint & (by_joint.reshape(len(cells), -1).cumsum(axis=1) <= keep[:, None]).reshape(by_joint.shape)
    return kept.swapaxes(1, 2)  # (n, T', V)
