"""Recordings made worse on purpose: faults that a camera or a tracker has, each at a severity.

Each function takes a store and gives one of the same clips with other coordinates, in memory; the given one is not changed, and
nothing is drawn that `seed` does not decide. The fault lies in the recording, before any view is cut from it, so raw
coordinates and every encoder meet the same one. Occlusion as joints that are missing: Song et al. 2019 (arXiv 1905.06774).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from slimlab.data import ClipStore
from slimlab.data.store import Arrays, own_arrays, pack_seen
from slimlab.skeleton import Skeleton

# fault -> (what its severity is, severities); 0 of each is the clean recording
SEVERITIES: dict[str, tuple[str, tuple[float, ...]]] = {
    "missing joints": ("part of the joints", (0.12, 0.2, 0.32)),
    "missing joints, parent's place": ("part of the joints", (0.12, 0.2, 0.32)),
    "missing joints, zeros": ("part of the joints", (0.12, 0.2, 0.32)),
    "dropped frames": ("part of the frames", (0.25, 0.5, 0.75)),
    "noise": ("sd in mean bone lengths", (0.01, 0.03, 0.05)),
    "view rotation": ("degrees", (15.0, 45.0, 90.0)),
    "frame rate": ("every n-th frame is kept", (2.0, 4.0, 8.0)),
    "occluded limb": ("part of the clip", (0.25, 0.5, 1.0)),
}


GIVEN = ("declared", "parent", "zeros")


def missing_joints(store: ClipStore, part: float, seed: int = 0, given: str = "declared") -> ClipStore:
    """A random `part` (0..1) of every clip's joints is missing all through the clip, rounded to whole joints; the center joint
    stays. The same seed chooses the same joints whatever `given` says. SLiM, table 11.

    given  how a missing joint is given: "declared": as not seen, which is what slimlab makes of a joint at 0 0 0 in a file;
           "parent": as seen, in its parent's place (that of the nearest ancestor that is not missing, of the center joint
           where there is none); "zeros": as seen, at 0 0 0, as a reader would give it that knows no unseen joints
    """
    _check_part("missing_joints", part)
    if given not in GIVEN:
        raise ValueError(f"missing_joints: given is {given!r}; choose one of {', '.join(GIVEN)}")
    (a, clip), rng = _own(store), np.random.default_rng(seed)
    body = store.skeleton
    joints = len(body)
    keys = rng.random((len(store), joints))
    keys[:, body.center] = 2.0  # never among the smallest
    gone = keys.argsort(axis=1).argsort(axis=1) < round(part * (joints - 1))  # (clips, V)
    what = f"missing_joints {part} {seed}"
    if given == "declared":
        return _hidden(store, a, gone[clip], what)
    there = a.joints[np.arange(len(clip))[:, None], _stand_ins(gone, body)[clip]]  # (R, V, 3)
    return _changed(store, a, np.where(gone[clip][..., None], 0, a.joints) if given == "zeros" else there, f"{what} {given}")


def _stand_ins(gone: np.ndarray, body: Skeleton) -> np.ndarray:
    """(clips, V): each joint itself, or for a missing one (gone (clips, V)) the nearest ancestor that is not missing."""
    stand_in = np.tile(np.arange(len(body)), (len(gone), 1))
    for joint in body.order:  # parents first
        above = stand_in[:, body.parents[joint]] if body.parents[joint] >= 0 else np.full(len(gone), body.center)
        stand_in[:, joint] = np.where(gone[:, joint], above, joint)
    return stand_in


def occluded_limb(store: ClipStore, part: float, seed: int = 0) -> ClipStore:
    """One limb of every clip (a part of the body without the center joint, drawn per clip) is hidden for a contiguous `part`
    (0..1) of each person's frames, at a random place in time; hidden joints are 0 0 0."""
    _check_part("occluded_limb", part)
    (a, clip), rng = _own(store), np.random.default_rng(seed)
    body = store.skeleton
    limbs = [i for i, joints in enumerate(body.parts.values()) if body.center not in joints]
    if not limbs:
        raise ValueError("occluded_limb: this body has no part without its center joint; declare its parts")
    limb, start = rng.choice(limbs, len(store)), rng.random(len(store))  # (clips,)
    lengths = np.repeat(a.tracks[:, 3], a.tracks[:, 3])  # (R,) rows of the track
    place = np.arange(len(clip)) - np.repeat(a.tracks[:, 2], a.tracks[:, 3])  # (R,) within the track
    hidden = np.round(part * lengths)
    first = np.floor(start[clip] * (lengths - hidden + 1))
    now = (place >= first) & (place < first + hidden)  # (R,)
    return _hidden(store, a, now[:, None] & (body.part_of == limb[clip][:, None]), f"occluded_limb {part} {seed}")


def noise(store: ClipStore, std: float, seed: int = 0) -> ClipStore:
    """Gaussian noise on every coordinate, anew in every frame, of `std` times the clip's mean bone length (SLiM, table 11).
    Unseen joints stay as they are, and clips in the plane (every z zero) in their plane."""
    if std < 0:
        raise ValueError(f"noise: std is {std}; give a part of the mean bone length, at least 0")
    (a, clip), rng = _own(store), np.random.default_rng(seed)
    drawn = rng.standard_normal(a.joints.shape, dtype=np.float32)
    deep = np.zeros(len(store), dtype=bool)
    deep[clip[a.joints[:, :, 2].any(axis=1)]] = True
    drawn[~deep[clip], :, 2] = 0
    drawn *= np.float32(std) * _bone_lengths(store, a, clip)[clip, None, None]
    return _changed(store, a, np.where(a.seen_in(slice(None))[..., None], a.joints + drawn, 0), f"noise {std} {seed}")


def _bone_lengths(store: ClipStore, a: Arrays, clip: np.ndarray) -> np.ndarray:
    """(clips,) float32 meters: the mean length of each clip's bones, over people and frames, of bones with both ends seen."""
    parents, children = (np.array([bone[i] for bone in store.skeleton.bones]) for i in (0, 1))
    known = a.seen_in(slice(None))
    both = known[:, parents] & known[:, children]  # (R, bones)
    length = np.where(both, np.linalg.norm(a.joints[:, children] - a.joints[:, parents], axis=2), 0)
    total, count = (np.bincount(clip, weights=v.sum(axis=1), minlength=len(store)) for v in (length, both))
    return (total / np.maximum(count, 1)).astype(np.float32)


def view_rotation(store: ClipStore, degrees: float, seed: int = 0) -> ClipStore:
    """The camera walks around by `degrees`, to a random side in each clip: all is turned about the vertical axis (y).

    Raises ValueError for clips in the plane (every z zero): nobody has seen them from another side.
    """
    (a, clip), rng = _own(store), np.random.default_rng(seed)
    if len(clip) and not a.joints[:, :, 2].any():
        raise ValueError("view_rotation: these clips lie in the plane (every z is 0); leave out the corruption 'view rotation'")
    angle = np.deg2rad(degrees) * rng.choice([-1.0, 1.0], len(store))
    c, s, zero = np.cos(angle), np.sin(angle), np.zeros(len(store))
    turn = np.stack([c, zero, s, zero, zero + 1, zero, -s, zero, c], axis=1).reshape(-1, 3, 3)  # (clips, 3, 3)
    turned = np.einsum("rij,rvj->rvi", turn.astype(np.float32)[clip], a.joints)
    return _changed(store, a, turned, f"view_rotation {degrees} {seed}")


def dropped_frames(store: ClipStore, part: float, seed: int = 0) -> ClipStore:
    """A random `part` (0..1) of every clip's frames is lost, for all its people at once; at least one of each clip stays."""
    _check_part("dropped_frames", part)
    (a, clip), rng = _own(store), np.random.default_rng(seed)
    moments, at = np.unique(np.stack([clip, a.frames], axis=1), axis=0, return_inverse=True)  # (P, 2): clip, frame
    keys = rng.random(len(moments))
    order = np.lexsort((keys, moments[:, 0]))
    counts = np.bincount(moments[:, 0], minlength=len(store))
    rank = np.empty(len(moments), dtype=np.int64)
    rank[order] = np.arange(len(moments)) - np.repeat(np.cumsum(counts) - counts, counts)
    stays = rank >= np.minimum(np.round(part * counts), counts - 1)[moments[:, 0]]
    return _kept_rows(store, a, stays[at.ravel()], f"dropped_frames {part} {seed}")


def frame_rate(store: ClipStore, every: float, seed: int = 0) -> ClipStore:
    """A slower camera: of every clip's frames (those with anyone there) each `every`-th is kept, from a random one of the first
    `every` on; at least one stays."""
    step = int(every)
    if step < 1:
        raise ValueError(f"frame_rate: every is {every}; give a whole number, at least 1")
    (a, clip), rng = _own(store), np.random.default_rng(seed)
    moments, at = np.unique(np.stack([clip, a.frames], axis=1), axis=0, return_inverse=True)
    counts = np.bincount(moments[:, 0], minlength=len(store))
    number = np.arange(len(moments)) - (np.cumsum(counts) - counts)[moments[:, 0]]
    start = np.floor(rng.random(len(store)) * np.minimum(step, np.maximum(counts, 1)))[moments[:, 0]]
    return _kept_rows(store, a, (number % step == start)[at.ravel()], f"frame_rate {step} {seed}")


CORRUPTIONS: dict[str, Callable[..., ClipStore]] = {
    "missing joints": missing_joints,
    "missing joints, parent's place": partial(missing_joints, given="parent"),
    "missing joints, zeros": partial(missing_joints, given="zeros"),
    "dropped frames": dropped_frames,
    "noise": noise,
    "view rotation": view_rotation,
    "frame rate": frame_rate,
    "occluded limb": occluded_limb,
}


def _check_part(name: str, part: float) -> None:
    if not 0 <= part <= 1:
        raise ValueError(f"{name}: part is {part}, should be within 0..1")


def _own(store: ClipStore) -> tuple[Arrays, np.ndarray]:
    """Copies of the arrays of this store's clips alone, in its order: joints (R, V, 3) float32; and the clip of each row (R,)."""
    a = own_arrays(store)
    own = replace(a, joints=a.joints.astype(np.float32, copy=False))
    return own, np.repeat(own.tracks[:, 0], own.tracks[:, 3])


def _hidden(store: ClipStore, a: Arrays, gone: np.ndarray, what: str) -> ClipStore:
    """gone (R, V) are not seen; who has no joint left in a frame is not there."""
    shown = a.seen_in(slice(None)) & ~gone  # (R, V)
    joints = np.where(shown[:, :, None], a.joints, np.float32(0))
    stays: np.ndarray = np.any(joints, axis=(1, 2))
    hit = np.zeros(len(store), dtype=bool)
    hit[np.repeat(a.tracks[:, 0], a.tracks[:, 3])[stays & ~shown.all(axis=1)]] = True
    store = store[:]
    flags = [str(f).split() for f in store.table["flags"]]
    store.table["flags"] = [
        " ".join([*f, *(["zero-joints"] if h and "zero-joints" not in f else [])]) for f, h in zip(flags, hit, strict=True)
    ]
    return _kept_rows(store, Arrays(joints, a.frames, a.tracks, pack_seen(shown), clips=a.clips), stays, what)


def _changed(store: ClipStore, a: Arrays, joints: np.ndarray, what: str) -> ClipStore:
    arrays = Arrays(joints.astype(np.float32), a.frames, a.tracks, a.seen, clips=a.clips)
    return _store(store, arrays, what)


def _kept_rows(store: ClipStore, a: Arrays, stays: np.ndarray, what: str) -> ClipStore:
    """Rows that are lost leave a hole in time: frame numbers stay. Who has no row left is no longer there."""
    before = np.r_[0, np.cumsum(stays)]
    tracks = a.tracks.copy()
    tracks[:, 3] = before[a.tracks[:, 2] + a.tracks[:, 3]] - before[a.tracks[:, 2]]
    tracks[:, 2] = before[a.tracks[:, 2]]
    tracks = tracks[tracks[:, 3] > 0]
    tracks[:, 1] = np.arange(len(tracks)) - np.searchsorted(tracks[:, 0], tracks[:, 0])  # people are numbered 0.. in a clip
    seen = None if a.seen is None else a.seen[stays]
    return _store(store, Arrays(a.joints[stays], a.frames[stays], tracks, seen, clips=a.clips), what)


def _store(store: ClipStore, arrays: Arrays, what: str) -> ClipStore:
    """The same clips over other arrays, with their digests."""
    table = store.table.copy()
    table["people"] = np.bincount(arrays.tracks[:, 0], minlength=len(store))
    table["digest"] = [arrays.digest(i) for i in range(len(store))]
    source, people = f"{store.source} | {what}", store.max_people
    return ClipStore(arrays, table, store.skeleton, store.label_names, store.fps, source, max_people=people)
