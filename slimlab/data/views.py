"""Views of clips: the deterministic test view, and the random multi-granular views of pre-training.

SLiM (arXiv 2603.10648), section 3 and the released implementation's settings: two global views and shorter local ones
inside each global view's interval. Everything is drawn for the whole batch at once; no loop runs over clips.

Every view says which joints were seen. A joint that was not is at zero; between two frames of which one shows it, it is where
that one shows it, and seen where that one is the nearer. What lies between moments that show it, the encoder fills in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from slimlab.data.store import ClipStore, ranges

BUFFER = 150  # frames; shorter clips are reflected in time up to this, as a reserve for views
SHORTEST = 16  # frames; no crop of pre-training is shorter (8 for the 8-frame view), nor one of the released evaluation


@dataclass(frozen=True)
class Views:
    """Views of B clips, one person each.

    globals  (2, B, 3, T, V, 1) float32, metres
    locals   one (views, B, 3, T', V, 1) per granularity; the first half of its views lies inside global view 0's interval,
             the second half inside view 1's (all inside view 0's where the setting says so)
    origin   (B, 3) where the center joint is in the first of the clip's frames that shows it; zero where none does
    seen     one (views, B, T, V, 1) bool for the global views, then one for each granularity: the joints that were seen
    """

    globals: Tensor
    locals: list[Tensor]
    origin: Tensor
    seen: list[Tensor]


View = tuple[Tensor, Tensor, Tensor]  # x (B, 3, T, V, M), people (B, M), seen (B, T, V, M)


def test_view(store: ClipStore, indices: Sequence[int] | np.ndarray, frames: int = 64) -> View:
    """The deterministic view of evaluation.

    Returns:
        x (B, 3, frames, V, M) float32 meters, people (B, M) bool: who is there, and seen (B, frames, V, M) bool: the joints that
        were seen. Who is away in a frame hides nothing: x is zero and seen is True there.

    The center 95 % of the frames in which anyone is there (at least `frames` of them, where there are that many), picked
    evenly; linear interpolation where there are fewer. All people are kept; who is absent is zero. M is the store's most
    people in one clip, so both sides of a split get the same shape.

    The released code can read one place past the last valid frame here (`released.faults.test_view`); this cannot.
    """
    return _even_view(store, indices, frames, part=0.95, interpolate=False)


def released_test_view(store: ClipStore, indices: Sequence[int] | np.ndarray, frames: int = 64) -> View:
    """As `test_view`, but of L > `frames` frames the released code's floor(i L / frames), which ends before the last frame.

    `test_view` takes floor(i (L - 1) / (frames - 1)), from the first frame to the last.
    """
    return _even_view(store, indices, frames, part=0.95, interpolate=False, to_the_last=False)


def resampled(store: ClipStore, indices: Sequence[int] | np.ndarray, frames: int = 64) -> View:
    """Like `test_view`, but all valid frames from first to last, always by linear interpolation: the raw-coordinate control."""
    return _even_view(store, indices, frames, part=1.0, interpolate=True)


def random_view(
    store: ClipStore,
    indices: Sequence[int] | np.ndarray,
    generator: torch.Generator,
    frames: int = 64,
    part: tuple[float, float] = (0.5, 1.0),
    shortest: int | None = None,
) -> View:
    """Like `test_view`, but a random crop: the view that probes and fine-tuning train on, all people kept.

    generator  a CPU generator: the same seed gives the same views on every device
    part       the part of the frames with anyone there that is cropped
    shortest   frames that a crop has at least, where there are that many; None: `frames`. The released code's are 16

    Frames of the crop are picked as in `sample_views`.
    """

    def places(valid: np.ndarray) -> np.ndarray:
        room = torch.from_numpy(valid)[None]  # (1, B)
        span = _part(generator, room.shape, part, room, frames if shortest is None else shortest)
        return _pick(_start(generator, room - span), span.clamp(min=1), frames, generator)[0].numpy()

    return _view_at(store, indices, places)


def _even_view(store: ClipStore, indices, frames: int, part: float, interpolate: bool, to_the_last: bool = True) -> View:
    def places(valid: np.ndarray) -> np.ndarray:
        length = np.maximum(np.minimum(valid, frames), np.round(part * valid)).astype(np.int64)
        start = (valid - length) // 2
        place = np.arange(frames) * np.maximum(length - 1, 0)[:, None] / max(1, frames - 1)  # (B, T) in 0..length-1
        if not interpolate:
            whole = place if to_the_last else np.arange(frames) * length[:, None] / frames
            place = np.where(length[:, None] >= frames, np.floor(whole + 1e-9), place)
        return start[:, None] + place

    return _view_at(store, indices, places)


def _view_at(store: ClipStore, indices, places: Callable[[np.ndarray], np.ndarray]) -> View:
    """A view; `places` turns the number of frames with anyone there (B,) into places (B, T)."""
    a, clips = store.arrays, store.clips[store.positions(indices)]
    batch, people = len(clips), store.max_people
    counts = a.first_track[clips + 1] - a.first_track[clips]
    tracks = ranges(a.first_track[clips], counts)
    rows = ranges(a.tracks[tracks, 2], a.tracks[tracks, 3])
    of_track = np.repeat(np.arange(len(tracks)), a.tracks[tracks, 3])
    of_clip = np.repeat(np.arange(batch), counts)[of_track]  # (R,) which clip of the batch each row is from
    # frames in which anyone is there, numbered through the batch
    keys, slot = np.unique(of_clip * np.int64(1 << 32) + a.frames[rows], return_inverse=True)
    row_at = np.full((len(keys) + 1, people), -1)  # the last line stands for "no frame"
    row_at[slot, a.tracks[tracks, 1][of_track]] = rows
    first = np.searchsorted(keys, np.arange(batch + 1) * np.int64(1 << 32))
    valid = np.diff(first)  # (B,)

    place = places(valid)  # (B, T) in 0..valid-1
    low = np.floor(place).astype(np.int64)
    weight = (place - low).astype(np.float32)
    high = np.minimum(low + 1, np.maximum(valid - 1, 0)[:, None])
    base = first[:-1, None]
    nobody = (valid == 0)[:, None]
    pick_low, pick_high = (row_at[np.where(nobody, len(keys), base + p)] for p in (low, high))  # (B, T, M)
    # between a frame with the person and one without, the one with counts alone
    weight = np.repeat(weight[..., None], people, axis=2)
    pick_high = np.where(weight > 0, pick_high, pick_low)
    weight = np.where(pick_low < 0, 1.0, np.where(pick_high < 0, 0.0, weight)).astype(np.float32)
    x, seen = _interpolate(store, pick_low, pick_high, weight)  # (B, T, M, V, 3), (B, T, M, V)
    there = torch.from_numpy(((pick_low >= 0) | (pick_high >= 0)).any(axis=1))  # (B, M)
    return x.permute(0, 4, 1, 3, 2).contiguous(), there, seen.transpose(2, 3)  # (B, 3, T, V, M), (B, M), (B, T, V, M)


def sample_views(
    store: ClipStore,
    indices: Sequence[int] | np.ndarray,
    generator: torch.Generator,
    global_frames: int = 64,
    global_range: tuple[float, float] = (0.5, 1.0),
    local_views: Sequence[tuple] = (
        (32, 1, (0.35, 0.7)),
        (16, 2, (0.15, 0.4)),
        (8, 1, (0.05, 0.2)),
    ),
    share: slice = slice(None),
    released: bool = False,
) -> Views:
    """Random views of pre-training; the defaults are the released ones.

    indices       clips with at least one person (B,); one person of each is drawn
    generator     a CPU generator: the same seed gives the same views on every device
    global_range  the part of the clip that a global view covers
    local_views   (frames, views per global view, part of the global view's interval) for each granularity; a fourth number
                  says how many global views have them, 2 or (the first alone) 1
    share         the clips whose views are made; everything is drawn for all B all the same, so that several processes, each
                  with its share, make the views that one would

    released      as the released code does it: crop lengths are rounded down; frames fewer than the window are interpolated with
                  the ends repeated; of up to twice as many at most one is skipped between two picks; of more, bins share no
                  frame; and the reserve of a clip shorter than 16 frames repeats the frame at which it turns

    Where the frames are fewer than the window they are interpolated; up to twice as many, a random subset in order is taken; of
    more, one at random from each of `window` equal bins. Raises ValueError where a clip is empty.
    """
    a, clips = store.arrays, store.clips[store.positions(indices)]
    counts = a.first_track[clips + 1] - a.first_track[clips]
    if len(counts) == 0 or counts.min() == 0:
        raise ValueError("sample_views: a clip without people has no views; leave out clips flagged 'empty'")
    batch = len(clips)
    person = (_uniform(generator, batch) * torch.from_numpy(counts)).long().numpy()
    track = a.tracks[a.first_track[clips] + np.minimum(person, counts - 1)]  # (B, 4)
    valid = torch.from_numpy(track[:, 3])
    first_row = torch.from_numpy(track[:, 2])

    room = torch.where(valid < SHORTEST, BUFFER, valid)  # (B,) frames to crop from
    span = _part(generator, (2, batch), global_range, room, SHORTEST, released)  # (2, B)
    start = _start(generator, room - span)
    places = [_pick(start, span, global_frames, generator, released)]  # each (views, B, T)
    for window, each, part, *outer in local_views:
        shortest, outer = min(SHORTEST, window), outer[0] if outer else 2
        inside_start, inside_span = (v[:outer].repeat_interleave(each, 0) for v in (start, span))  # (outer*each, B)
        # a clip too short for global views may yet hold this one without the reflected reserve
        own = (valid >= shortest) & (valid < SHORTEST)
        inside_start = torch.where(own, 0, inside_start)
        inside_span = torch.where(own, valid, inside_span)
        length = _part(generator, inside_span.shape, part, inside_span, shortest, released)
        begin = inside_start + _start(generator, inside_span - length)
        places.append(_pick(begin, length, window, generator, released))

    sizes = [p.shape for p in places]
    flat = torch.cat([p.movedim(1, 0).reshape(batch, -1) for p in places], dim=1)[share]  # (B, all frames of all views)
    valid, first_row, track, batch = valid[share], first_row[share], track[share], len(flat)
    low = flat.floor()
    weight = (flat - low).float()
    low, high = (_reflect(p.long(), valid[:, None], released) + first_row[:, None] for p in (low, low + (weight > 0)))
    x, seen = _interpolate(store, low.numpy(), high.numpy(), weight.numpy())  # (B, F, V, 3), (B, F, V)
    views, known, lengths = [], [], [s[0] * s[2] for s in sizes]
    for part, shown, (count, _, window) in zip(x.split(lengths, dim=1), seen.split(lengths, dim=1), sizes, strict=True):
        part = part.unflatten(1, (count, window))  # (B, views, T, V, 3)
        views.append(part.permute(1, 0, 4, 2, 3).unsqueeze(-1).contiguous())  # (views, B, 3, T, V, 1)
        known.append(shown.unflatten(1, (count, window)).transpose(0, 1).unsqueeze(-1))  # (views, B, T, V, 1)
    center = store.skeleton.center
    origin = a.joints[track[:, 2], center].astype(np.float32)
    for i in np.flatnonzero(~a.seen_in(track[:, 2])[:, center]):
        own = slice(track[i, 2], track[i, 2] + track[i, 3])
        origin[i] = a.joints[own.start + np.argmax(a.seen_in(own)[:, center]), center]
    return Views(views[0], views[1:], torch.from_numpy(origin), known)


def _uniform(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def _part(generator, shape, bounds: tuple[float, float], whole: Tensor, shortest: int, released: bool = False) -> Tensor:
    """Crop lengths: a uniform part of `whole` frames, no shorter than `shortest`, no longer than the whole."""
    length = (bounds[0] + (bounds[1] - bounds[0]) * _uniform(generator, *shape)) * whole
    return (length.floor() if released else length.round()).long().clamp(min=shortest).minimum(whole)


def _start(generator, slack: Tensor) -> Tensor:
    return (_uniform(generator, *slack.shape) * (slack + 1)).long().minimum(slack)


def _pick(start: Tensor, span: Tensor, window: int, generator: torch.Generator, released: bool = False) -> Tensor:
    """Places (views, B, window) in time, as float64, from intervals of `span` frames at `start` (both (views, B))."""
    steps = torch.arange(window, dtype=torch.float64)
    noise = _uniform(generator, *span.shape, window)
    wide = span.unsqueeze(-1)
    evenly = steps * (wide - 1) / max(1, window - 1)
    bins = ((steps + noise) * wide / window).floor().minimum((wide - 1).double())
    if released:
        evenly = ((steps + 0.5) * wide / window - 0.5).clamp(min=0).minimum((wide - 1).double())
        edges = torch.arange(window + 1) * wide // window  # (views, B, window + 1): no two bins share a frame
        bins = (edges[..., :-1] + (noise * edges.diff(dim=-1)).floor()).double()
    # a random subset in order: the `window` smallest of random keys
    keys = _uniform(generator, *span.shape, 2 * window)
    places = torch.where(wide < window, evenly, bins)
    some = (span >= window) & (span < 2 * window)
    if released:  # which of the window + 1 places before, between and after the picks skip a frame
        skips = keys[some][:, : window + 1].argsort(dim=-1).argsort(dim=-1) < wide[some] - window
        places[some] = (torch.arange(window) + skips.long().cumsum(dim=-1)[:, :window]).double()
    else:
        keys = keys[some].masked_fill(torch.arange(2 * window) >= wide[some], 2.0)
        places[some] = keys.topk(window, dim=-1, largest=False).indices.sort(dim=-1).values.double()
    return start.unsqueeze(-1) + places


def _reflect(place: Tensor, valid: Tensor, released: bool = False) -> Tensor:
    """Frame numbers beyond the clip run back and forth: 0 1 2 1 0 1 2 …; released: 0 1 2 2 1 0 0 1 2 …"""
    period = 2 * valid if released else (2 * valid - 2).clamp(min=1)
    back = place % period
    return torch.where(place < valid, place, torch.where(back < valid, back, period - back - int(released)))


def _interpolate(store: ClipStore, low: np.ndarray, high: np.ndarray, weight: np.ndarray) -> tuple[Tensor, Tensor]:
    """Rows `low` and `high` (*shape) of the store mixed by `weight`; -1 is nobody, all zeros and nothing hidden.

    Returns x (*shape, V, 3) float32 and seen (*shape, V) bool. A joint that only one of both rows shows is where that row shows
    it, and seen where that row is the nearer one.
    """
    a, joints = store.arrays, store.arrays.joints
    every = torch.ones((), dtype=torch.bool).expand(*low.shape, joints.shape[1])  # no memory
    if not len(joints):  # nobody in any clip
        return torch.zeros(*low.shape, *joints.shape[1:]), every
    flat_low, flat_high, flat_weight = low.ravel(), high.ravel(), weight.ravel()
    x = np.asarray(joints[np.maximum(flat_low, 0)], dtype=np.float32)
    mixed = np.flatnonzero((flat_weight > 0) & (flat_low != flat_high))
    w = flat_weight[mixed, None, None]
    upper = np.asarray(joints[np.maximum(flat_high[mixed], 0)], dtype=np.float32)
    lower = x[mixed]
    between = np.where(w < 1, lower * (1 - w) + upper * w, upper)
    nobody = np.where(flat_weight >= 1, flat_high, flat_low) < 0
    seen = None
    if store.has_unseen:
        seen = a.seen_in(np.maximum(flat_low, 0))  # (R, V)
        one, other, near = seen[mixed], a.seen_in(np.maximum(flat_high[mixed], 0)), w[:, :, 0] < 0.5
        between = np.where(((one != other) & (w[:, :, 0] < 1))[..., None], np.where(one[..., None], lower, upper), between)
        seen[mixed] = np.where(near, one, other)
        seen[nobody] = True
    x[mixed] = between
    x[nobody] = 0
    if seen is None:
        return torch.from_numpy(x.reshape(*low.shape, *joints.shape[1:])), every
    x[~seen] = 0
    return torch.from_numpy(x.reshape(*low.shape, *joints.shape[1:])), torch.from_numpy(seen.reshape(*low.shape, -1))
