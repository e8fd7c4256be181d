"""Cleaning, a named step at a time: each takes a store and gives a new one, in memory; the old one is not changed.

Nothing here happens by itself. Each step is written into the new store's `source` ("… | smooth(5)"), and into the flags of the
clips that it changed, so that a figure can be traced to what was done to the clips.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from slimlab.data.building import Block, Source, build, with_people
from slimlab.data.errors import DataError
from slimlab.data.ghosts import why_ghost
from slimlab.data.store import ORIGIN, Clip, ClipStore

Changed = tuple[np.ndarray, np.ndarray]  # a clip's joints (T, M, V, 3) and which of them are seen (T, M, V)
FOUND_ANEW = {"empty", "one-frame", "zero-joints", "gaps", "ghost"}  # flags that follow from the coordinates


def fill_gaps(store: ClipStore, longest: int = 10) -> ClipStore:
    """Frames in which a person is away for at most `longest`, between two in which the person is there: a straight line.

    A joint at exactly zero while others are seen is filled the same way. Flag "filled". Raises DataError for longest < 1.
    """
    if longest < 1:
        raise DataError(f"fill_gaps: longest is {longest}; give at least one frame")

    def step(clip: Clip) -> Changed:
        x, known = clip.joints.copy(), clip.seen
        frames = len(x)
        time = np.arange(frames)[:, None, None]  # (T, 1, 1)
        before = np.maximum.accumulate(np.where(known, time, -1), axis=0)  # (T, M, V): the last frame that shows it
        after = np.minimum.accumulate(np.where(known, time, frames)[::-1], axis=0)[::-1]  # and the next one
        fill = ~known & (before >= 0) & (after < frames) & (after - before <= longest + 1)
        t, m, v = np.nonzero(fill)
        if len(t):
            first, last = before[fill], after[fill]
            start, end = (clip.joints[at, m, v].astype(np.float64) for at in (first, last))  # (n, 3)
            x[fill] = (end - start) / (last - first)[:, None] * (t - first)[:, None] + start
        return x, known | fill

    return _stepped(store, f"fill_gaps({longest})", "filled", step)


def drop_ghosts(store: ClipStore) -> ClipStore:
    """Take out the people who look like none (ghosts.py), never the last one of a clip. Flag "ghost-dropped"."""

    def step(clip: Clip) -> Changed:
        there = [m for m in range(clip.valid.shape[1]) if clip.valid[:, m].any()]
        keep = [m for m in there if not why_ghost(clip.joints[clip.valid[:, m], m], len(clip.joints))]
        keep = (keep or there[:1]) if there else list(range(clip.valid.shape[1]))
        return clip.joints[:, keep], clip.seen[:, keep]

    return _stepped(store, "drop_ghosts()", "ghost-dropped", step)


def smooth(store: ClipStore, window: int = 5) -> ClipStore:
    """A person's joints averaged over `window` frames (odd), fewer at the ends and beside a gap. Flag "smoothed".

    Blurs fast motion: at 30 fps, five frames halve what swings 3.6 times a second. Raises DataError for an even window.
    """
    if window < 1 or window % 2 == 0:
        raise DataError(f"smooth: window is {window} frames; give an odd number")

    def step(clip: Clip) -> Changed:
        there = clip.seen[..., None]  # (T, M, V, 1)
        sums = _running_sum(clip.joints.astype(np.float64), window)
        counts = _running_sum(np.asarray(there, dtype=np.float64), window)
        return np.where(there, sums / np.maximum(counts, 1), 0).astype(np.float32), clip.seen

    return _stepped(store, f"smooth({window})", "smoothed", step)


def align_view(store: ClipStore) -> ClipStore:
    """Clips turned about the vertical axis so that the first person's hips lie along x in the first frame that shows both
    and the center joint (a clip without such a frame stays as it is). Flag "aligned".

    The center joint of that frame moves to the origin. What cameras differ in is lost with it: cross-view figures on aligned
    clips are not comparable with those on raw ones. Raises DataError where the body has no left and right hip.
    """
    names = store.skeleton.names
    limb = list(store.skeleton.parts)
    hips = [(a, b) for a, b in store.skeleton.mirror if "hip" in names[a].lower()] or [
        (a, b) for a, b in store.skeleton.mirror if "leg" in limb[store.skeleton.part_of[a]]
    ]  # the first joint of the leg where none is called hip
    if not hips:
        raise DataError(f"{store.source}: align_view needs a left and a right hip; the joints are {', '.join(names)}")
    left, right = hips[0]

    def step(clip: Clip) -> Changed:
        center = store.skeleton.center
        seen = np.argwhere(clip.seen[:, :, [left, right, center]].all(axis=2))
        if not len(seen):
            return clip.joints, clip.seen
        first = clip.joints[tuple(seen[0])]  # (V, 3)
        across = first[left] - first[right]
        angle = np.arctan2(across[2], across[0])
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        moved = ((clip.joints - first[center]) @ turn.T).astype(np.float32)
        return np.where(clip.seen[..., None], moved, 0), clip.seen

    return _stepped(store, "align_view()", "aligned", step)


def _running_sum(x: np.ndarray, window: int) -> np.ndarray:
    """Sum over `window` entries around each along the first axis, as many as there are."""
    total = np.concatenate([np.zeros_like(x[:1]), np.cumsum(x, axis=0)])
    time = np.arange(len(x))
    return total[np.minimum(time + window // 2 + 1, len(x))] - total[np.maximum(time - window // 2, 0)]


def _stepped(store: ClipStore, name: str, flag: str, step: Callable[[Clip], Changed]) -> ClipStore:
    """The store with `step` done to every clip: flags and digests anew, the flag where something changed."""
    clips, known, flags = [], [], []
    for clip, before in zip(store, store.column("flags"), strict=True):
        joints, seen = step(clip)
        kept = [f for f in str(before).split() if f not in FOUND_ANEW and f != flag]
        if any(why_ghost(x[x.any(axis=(1, 2))], len(joints)) for x in joints.swapaxes(0, 1)) and "ghost" in str(before).split():
            kept.insert(0, "ghost")
        changed = joints.shape != clip.joints.shape or not np.array_equal(joints, clip.joints)
        flags.append(" ".join([*kept, *([flag] if changed else [])]))
        clips.append(joints)
        known.append(seen)
    people = max((c.shape[1] for c in clips), default=1)
    frames, seen = (np.concatenate([with_people(x, people) for x in of]) for of in (clips, known))
    kept = ("clip", "label", "subject", "camera", "setup", "split", *(c for c in ORIGIN if c in store.table))
    columns = {c: store.column(c) for c in kept} | {"flags": flags}
    block = Block(frames, np.cumsum([0, *map(len, clips)]), columns, seen=seen)
    return build(Source(f"{store.source} | {name}", store.skeleton, [block], store.label_names, store.fps))
