"""What a player draws: clips in step, placed on a floor, every joint with a colour and a size.

`plot.player` (a plotly figure) and `widgets.Stage` (a canvas in the notebook) both draw `Bodies`, so that a picture on screen
and one in an exported page are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb

from slimlab.data import Clip
from slimlab.plot.style import LEFT, MASKED, MIDDLE, RIGHT
from slimlab.skeleton import Skeleton

SIDES = {"left": LEFT, "right": RIGHT, "middle": MIDDLE}
SCALE = "viridis"  # of values on joints; readable by the colour-blind and in grey
FAINT = 0.45  # how far the second person's colours go towards white


@dataclass(frozen=True, eq=False)
class Bodies:
    """C clips in step, F frames, at most M people, V joints.

    joints  (C, F, M, V, 3) float32 metres: to the viewer's right, away from the viewer, up from the floor; NaN: not there
    colors  (C, F or 1, M, V, 3) uint8 rgb; a bone takes the colour of the joint at its end
    sizes   (C, F or 1, M, V) float32; 1 is the usual size, 0 hides a joint with its bones
    bar     (lowest, highest, name) of the values that the colours stand for, or None
    """

    joints: np.ndarray
    colors: np.ndarray
    sizes: np.ndarray
    skeleton: Skeleton
    titles: tuple[str, ...]
    fps: float = 30.0
    bar: tuple[float, float, str] | None = None

    def __len__(self) -> int:
        return self.joints.shape[1]

    def painted(self, colors=None, sizes=None, bar: tuple[float, float, str] | None = None) -> Bodies:
        """The same motion in other colours and sizes, given as to `bodies`; None: by side, usual size."""
        return replace(self, colors=self._colors(colors), sizes=self._sizes(sizes), bar=bar)

    def _colors(self, given) -> np.ndarray:
        clips, _, people, joints = self.joints.shape[:4]
        if given is None:
            return np.broadcast_to(by_side(self.skeleton, people), (clips, 1, people, joints, 3))
        return self._each(given, "colors", (people, joints, 3)).astype(np.uint8)

    def _sizes(self, given) -> np.ndarray:
        clips, _, people, joints = self.joints.shape[:4]
        if given is None:
            return np.ones((clips, 1, people, joints), np.float32)
        return self._each(given, "sizes", (people, joints)).astype(np.float32)

    def _each(self, given, what: str, tail: tuple[int, ...]) -> np.ndarray:
        """One array (F, M, V, …) a clip, shorter ones held at their last frame -> (C, F or 1, M, V, …)."""
        clips, frames = self.joints.shape[:2]
        given = [given] if isinstance(given, np.ndarray) and given.ndim == len(tail) + 1 else list(given)
        if len(given) != clips:
            raise ValueError(f"{what}: {len(given)} arrays for {clips} clips; give one a clip")
        longest = max(len(g) for g in given)
        if longest not in (1, frames):
            raise ValueError(f"{what}: {longest} frames, the clips have {frames}; give (F, M, V), or (1, M, V) for all frames")
        out = np.ones((clips, longest, *tail), dtype=np.float32)
        for c, each in enumerate(given):
            each = np.asarray(each)
            if each.ndim != len(tail) + 1 or each.shape[1] > tail[0] or each.shape[2:] != tail[1:]:
                raise ValueError(f"{what}: shape {each.shape} for clip {c}; expected (F, {', '.join(map(str, tail))})")
            out[c, :, : each.shape[1]] = _held(each, longest)
        return out


def bodies(
    clips: Clip | np.ndarray | Sequence[Clip | np.ndarray],
    skeleton: Skeleton,
    colors=None,
    sizes=None,
    values=None,
    limits: tuple[float, float] | None = None,
    label: str = "",
    titles: Sequence[str] | None = None,
    fps: float | None = None,
) -> Bodies:
    """Clips, or arrays (F, M, V, 3) in metres with zeros where nobody is, ready to be drawn side by side.

    colors  (F, M, V, 3) uint8 rgb of every joint, one array or one a clip; F may be 1. None: left blue, right orange
    sizes   (F, M, V) factors of the joints' usual size
    values  (F, M, V) numbers shown as colours between `limits` (None: their range), with a colour bar called `label`
    A shorter clip stays at its last frame. Everyone keeps the place relative to the others of the clip; the clip's middle
    comes to the origin, its lowest foot to the floor. Raises ValueError where shapes do not fit or a clip shows nobody.
    """
    given = [clips] if isinstance(clips, (Clip, np.ndarray)) else list(clips)
    if not given:
        raise ValueError("player: no clips; give at least one")
    names = [c.name if isinstance(c, Clip) else f"clip {i}" for i, c in enumerate(given)]
    if titles is not None and len(titles) != len(given):
        raise ValueError(f"player: {len(titles)} titles for {len(given)} clips; give one a clip")
    placed = [_placed(c, name, skeleton) for c, name in zip(given, names, strict=True)]
    frames, people = max(len(p) for p in placed), max(p.shape[1] for p in placed)
    joints = np.full((len(placed), frames, people, len(skeleton), 3), np.nan, dtype=np.float32)
    for c, each in enumerate(placed):
        joints[c, :, : each.shape[1]] = _held(each, frames)
    empty = np.zeros(0)
    out = Bodies(joints, empty, empty, skeleton, tuple(titles or names), fps or 30.0)
    bar = None
    if values is not None:
        arrays = [values] if isinstance(values, np.ndarray) and values.ndim == 3 else list(values)
        limits = limits or (float(min(np.nanmin(v) for v in arrays)), float(max(np.nanmax(v) for v in arrays)))
        colors, bar = [shaded(v, limits) for v in arrays], (*limits, label)
    return out.painted(colors, sizes, bar)


def shaded(values: np.ndarray, limits: tuple[float, float], scale: str = SCALE) -> np.ndarray:
    """(…) numbers -> (…, 3) uint8 rgb between `limits`; light grey where a number is NaN."""
    low, high = limits
    part = (np.asarray(values, dtype=np.float64) - low) / max(high - low, 1e-12)
    colours = matplotlib.colormaps[scale](np.nan_to_num(part).clip(0, 1))[..., :3]
    return (np.where(np.isnan(part)[..., None], 0.85, colours) * 255).round().astype(np.uint8)


def by_side(skeleton: Skeleton, people: int = 1, masked: np.ndarray | None = None) -> np.ndarray:
    """(…, M, V, 3) uint8 rgb: left blue, right orange, middle grey, further people paler; `masked` (…, V) joints pink."""
    base = np.array([to_rgb(SIDES[skeleton.side(j)]) for j in range(len(skeleton))])  # (V, 3)
    colours = np.stack([base + (1 - base) * (FAINT if person else 0) for person in range(people)])  # (M, V, 3)
    if masked is not None:
        colours = np.where(np.asarray(masked)[..., None, :, None], to_rgb(MASKED), colours)  # (…, M, V, 3)
    return (colours * 255).round().astype(np.uint8)


def _placed(clip: Clip | np.ndarray, name: str, skeleton: Skeleton) -> np.ndarray:
    """(F, M, V, 3): right, away, up; NaN where a joint was not seen. Kinect's x grows to the camera's left, y up, z away."""
    x = np.asarray(clip.joints if isinstance(clip, Clip) else clip, dtype=np.float32)
    if x.ndim != 4 or x.shape[2:] != (len(skeleton), 3):
        raise ValueError(f"player: '{name}' has shape {x.shape}; expected (F, M, {len(skeleton)}, 3)")
    seen = clip.seen if isinstance(clip, Clip) else _seen(x, skeleton.center)  # (F, M, V)
    there = np.isfinite(x).all(axis=-1) & seen
    if isinstance(clip, Clip):
        there &= clip.valid[:, :, None]
    if not there.any():
        raise ValueError(f"player: '{name}' has nobody in it; there is nothing to draw")
    x = np.stack([-x[..., 0], x[..., 2], x[..., 1]], axis=-1)
    x[~there] = np.nan
    points = x[there]
    low, high = np.percentile(points, [1, 99], axis=0)  # a joint that a Kinect throws away must not move the stage
    lowest = np.nanmin(np.where(there, x[..., 2], np.inf), axis=(1, 2))
    floor = np.percentile(lowest[np.isfinite(lowest)], 5)
    return x - np.array([*(low + high)[:2] / 2, floor], dtype=np.float32)


def _seen(x: np.ndarray, center: int) -> np.ndarray:
    """(F, M, V) bool: where joints of (F, M, V, 3) are not at zero; and the center joint of a person around whom zero lies, and
    who has it there in every frame: the clip is centered at that joint, as in `augment.find_seen`."""
    seen = (x != 0).any(axis=-1)
    for person in np.flatnonzero(seen.any(axis=(0, 2)) & ~seen[:, :, center].any(axis=0)):
        own = x[:, person][seen[:, person]]
        if (own.min(axis=0) <= 0).all() and (own.max(axis=0) >= 0).all():
            seen[:, person, center] = seen[:, person].any(axis=1)
    return seen


def _held(x: np.ndarray, frames: int) -> np.ndarray:
    """The last frame repeated up to `frames`."""
    return x if len(x) >= frames else np.concatenate([x, np.repeat(x[-1:], frames - len(x), axis=0)])
