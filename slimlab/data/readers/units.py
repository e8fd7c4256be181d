"""Units and axes of recordings: what the caller says of them, and bodies that cannot be.

A reader gives meters with y up, by what its file says or by a guess, and notes in its `Source` the `scale` and the `up` axis
that it assumed. What the caller says instead is applied to the reader's blocks, whatever the format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from slimlab.data.building import Block, Blocks, Source
from slimlab.data.errors import DataError
from slimlab.data.store import ClipStore
from slimlab.skeleton import Skeleton
from slimlab.skeleton.inference import words_of

METERS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}
# up axis -> for x, y, z of the result: the source's axis and its sign; a rotation each, so that left stays left
TURNS = {
    "x": ((1, -1), (0, 1), (2, 1)),
    "y": ((0, 1), (1, 1), (2, 1)),
    "z": ((0, 1), (2, 1), (1, -1)),
    "-x": ((1, 1), (0, -1), (2, 1)),
    "-y": ((0, 1), (1, -1), (2, -1)),
    "-z": ((0, 1), (2, -1), (1, 1)),
}
SMALLEST, LARGEST = 0.5, 3.0  # meters from head to foot, along the bones
LEANING = 0.6  # part of its length by which a head stands off the feet along the body's own axis
MOSTLY = 0.9  # part of the looked-at frames
CLIPS, FRAMES = 32, 8  # looked at
FEET = ("foot", "ankle", "toe", "toebase", "toes", "heel")


def meters(unit: str | float, place: str = "unit") -> float:
    """Meters per `unit`: "m", "cm", "mm", "inch" or a positive number. Raises DataError."""
    if isinstance(unit, str) and unit in METERS:
        return METERS[unit]
    if isinstance(unit, (int, float, np.number)) and not isinstance(unit, bool) and 1e-6 <= float(unit) <= 1e6:
        return float(unit)
    raise DataError(f"{place}: unit={unit!r}; give one of {', '.join(METERS)}, or the meters in one unit, such as 0.0254")


def turned(x: np.ndarray, up: str, place: str = "up") -> np.ndarray:
    """Rotate x (..., 3) so that the axis `up` ("x", "y", "z", "-x", "-y" or "-z") becomes y. Raises DataError."""
    if up not in TURNS:
        raise DataError(f"{place}: up={up!r}; give one of {', '.join(TURNS)}")
    return x if up == "y" else np.stack([sign * x[..., axis] for axis, sign in TURNS[up]], axis=-1)


def _turned_back(x: np.ndarray, up: str) -> np.ndarray:
    """The inverse of `turned`."""
    out = np.empty_like(x)
    for to, (axis, sign) in enumerate(TURNS[up]):
        out[..., axis] = sign * x[..., to]
    return out


def said(source: Source, unit: str | float | None, up: str | None) -> Source:
    """The source in the unit and with the up axis that the caller gives; None keeps the reader's own. Raises DataError."""
    if unit is None and up is None:
        return source
    scale = source.scale if unit is None else meters(unit, source.path)
    axis = source.up if up is None else up
    turned(np.zeros(3), axis, source.path)

    def changed(block: Block) -> Block:
        frames = np.asarray(block.frames)
        frames = frames.astype(np.result_type(frames.dtype, np.float32))
        if axis != source.up:
            frames = turned(_turned_back(frames, source.up), axis)
        if scale != source.scale:
            frames = frames * (scale / source.scale)
        words = [f"unit-{unit}"] if unit is not None else []
        table = dict(block.table)
        if words and "flags" in table:
            table["flags"] = [
                " ".join([*(f for f in str(v).split() if not f.startswith("unit-")), *words]) for v in table["flags"]
            ]
        return replace(block, frames=frames, table=table)

    def after(done: int, at_a_time: int | None = None) -> Iterator[Block]:
        inner = source.blocks.after(done, at_a_time) if isinstance(source.blocks, Blocks) else source.after(done)
        return (changed(block) for block in inner)

    kept = tuple(n for n in source.notes if not (unit is not None and n.startswith("unit:")) and not (up and n.startswith("up:")))
    given = ((f"unit: {scale:.6g} m, given",) if unit is not None else ()) + ((f"up: {axis}, given",) if up else ())
    single = isinstance(source.blocks, Blocks) and source.blocks.single
    return replace(source, blocks=Blocks(after, single), scale=scale, up=axis, notes=kept + given)


def head_and_feet(skeleton: Skeleton) -> tuple[int, list[int]] | None:
    """(the head or nose, the ends of the legs), by name; None where the body has none."""
    words = [{w.rstrip("0123456789") for w in words_of(n)} for n in skeleton.names]
    heads = [i for wanted in ("head", "nose") for i, w in enumerate(words) if wanted in w and not w & {"top", "end"}]
    for wanted in FEET:
        feet = [i for i, w in enumerate(words) if wanted in w]
        if heads and feet:
            return heads[0], feet
    return None


def stature(skeleton: Skeleton, x: np.ndarray) -> np.ndarray:
    """(T,) length of the way along the bones from head to foot. x (T, V, 3); NaN where a joint of it is not seen."""
    found = head_and_feet(skeleton)
    if found is None:
        return np.full(len(x), np.nan)
    way: list[set[int]] = []
    for joint in (found[0], found[1][0]):
        above = set()
        while joint >= 0:
            above.add(joint)
            joint = skeleton.parents[joint]
        way.append(above)
    joints = sorted(way[0] ^ way[1])
    parents = [skeleton.parents[j] for j in joints]
    there: np.ndarray = np.any(x, axis=2)  # (T, V)
    seen = np.all(there[:, joints + parents], axis=1)
    return np.where(seen, np.linalg.norm(x[:, joints] - x[:, parents], axis=2).sum(axis=1), np.nan)


def body_of(store: ClipStore) -> dict[str, Any] | None:
    """`height` in meters along the bones (median) and `up`, the axis along which heads stand above feet in nearly all looked-at
    frames ("" where there is none). Looks at a few frames of some clips spread over the store; None where nothing can be said."""
    found = head_and_feet(store.skeleton)
    if found is None or not len(store):
        return None
    heights, risen = [], []
    for i in np.unique(np.linspace(0, len(store) - 1, CLIPS).astype(int)):
        clip = store[int(i)]
        times, people = np.nonzero(clip.valid)
        some = np.unique(np.linspace(0, len(times) - 1, FRAMES).astype(int)) if len(times) else []
        x = clip.joints[times[some], people[some]] if len(times) else np.zeros((0, len(store.skeleton), 3), np.float32)
        heights.append(stature(store.skeleton, x))
        there: np.ndarray = np.any(x, axis=2)  # (F, V)
        both = np.all(there[:, [found[0], *found[1]]], axis=1)
        risen.append((x[:, found[0]] - x[:, found[1]].mean(axis=1))[both])
    height, rise = np.concatenate(heights), np.concatenate(risen)
    if not np.isfinite(height).any() or not len(rise):
        return None
    tall = float(np.nanmedian(height))
    share = rise / max(tall, 1e-9)
    axes = {f"{'-' if sign < 0 else ''}{'xyz'[a]}": (sign * share[:, a] > LEANING).mean() for a in range(3) for sign in (1, -1)}
    return {"height": tall, "up": next((axis for axis, part in axes.items() if part >= MOSTLY), "")}


def impossible(store: ClipStore) -> str:
    """Why the store's bodies cannot be in meters with y up, and what to give instead; "" where nothing speaks against it."""
    body = body_of(store)
    if body is None:
        return ""
    why = []
    flat = bool(len(store)) and "2d" in str(store.table["flags"].iloc[0]).split()
    if not flat and not SMALLEST <= body["height"] <= LARGEST:
        why.append(
            f"the bodies are {body['height']:.3g} m tall from head to foot, which no person is; give the unit of the file, "
            "such as unit='cm', unit='inch' or the meters in one unit"
        )
    if body["up"] not in ("", "y"):
        how = "upside down" if body["up"] == "-y" else "lying all the time"
        why.append(f"the bodies are {how} (heads are off the feet along {body['up']}); if that is wrong, give another up=")
    return f"{store.source}: {'; '.join(why)}" if why else ""
