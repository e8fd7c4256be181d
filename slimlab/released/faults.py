"""The known faults of the authors' released code, one by one, for runs that have to match theirs: `released_quirks=True`,
or some of them by name.

slimlab does each of these right; nothing here is used unless that switch is on: `slimlab.released.training` then puts the faults
in the place of the trainer's own steps. Source: https://github.com/KAIST-VICLab/SLiM.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slimlab import _tubes, masking
from slimlab.data import ClipStore, Views
from slimlab.data import sample_views as right_views
from slimlab.data.store import Arrays
from slimlab.data.views import View
from slimlab.skeleton import Skeleton

# What `Config(released_quirks=…)` can switch on one by one; True is all of them.
NAMES = ("bone_scaling", "absent_frames", "centering", "mask_budget", "local_ratios", "test_view")


class IndexOrdered(Skeleton):
    """A body whose poses are rebuilt from bones in index order. Right: parents first (`Skeleton.from_bones`).

    A joint that comes before its parent hangs on the origin. On Kinect v2 bone scaling then moves 14 of 25 joints, head and
    both arms, even where every factor is 1. Make it with `IndexOrdered(**skeleton.to_dict())`.
    """

    @cached_property
    def from_bones(self) -> np.ndarray:
        """(V, V) float32: bone vectors -> positions, as far as parents are there."""
        matrix = np.zeros((len(self), len(self)), dtype=np.float32)
        matrix[self.root, self.root] = 1.0
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                matrix[joint] = matrix[parent]
                matrix[joint, joint] = 1.0
        return matrix


def semantic_tubes(
    n: int,
    steps: int,
    skeleton: Skeleton,
    ratio: float | Tensor,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> Tensor:
    """(n, steps, V) bool: tubes that give up after ten failed proposals in a row. Right: `masking.semantic_tubes`.

    18 % of masks miss their budget at ratio 0.5 and 41 % at 0.9 (mean 0.89).
    """
    goal, rng, device = masking.prepare(n, steps, len(skeleton), ratio, generator, device)
    runs = _tubes.Runs(skeleton)
    mask = np.zeros((n, steps, runs.words), dtype=np.uint64)
    missing, failures = goal.cpu().numpy().copy(), np.zeros(n, dtype=np.int64)
    while True:
        going = (missing > 0) & (failures < masking.PATIENCE)
        if not going.any():
            return torch.from_numpy(runs.unpack(mask)).to(device)
        draw = torch.rand(6, n, generator=generator, device=rng).cpu().numpy()
        new = runs.propose(missing, steps, draw) & ~mask  # (n, T', words)
        added = runs.count(new)
        taken = going & (added > 0) & (added <= missing)
        new[~taken] = 0
        mask |= new
        missing -= added * taken
        failures = np.where(taken, 0, failures + 1)


def center(x: Tensor, origin: Tensor) -> Tensor:
    """x (B, 3, T, V, M) minus origin (B, 3), frames without the person too. Right: `augment.center`, where those stay zero."""
    return x - origin.to(x).view(-1, 3, 1, 1, 1)


def with_absent_frames(store: ClipStore, clips: np.ndarray) -> ClipStore:
    """These clips, every person of them in every frame of the clip, all zero where not there.

    So a person who is late has an all-zero first frame, and with it the origin for center. Right: views are cut from the
    frames that show the person. A loop over clips: this is for comparison, not for speed.
    """
    a, chosen = store.arrays, store.positions(clips)
    joints, frames, tracks, rows = [], [], [], 0
    for number, clip in enumerate(store.clips[chosen]):
        own = a.tracks[a.first_track[clip] : a.first_track[clip + 1]]
        present = np.unique(np.concatenate([a.numbers(slice(start, start + count), clip) for _, _, start, count in own]))
        for _, person, start, count in own:
            whole = np.zeros((len(present), *a.joints.shape[1:]), dtype=np.float32)
            whole[np.searchsorted(present, a.numbers(slice(start, start + count), clip))] = a.joints[start : start + count]
            joints.append(whole)
            frames.append(present)
            tracks.append((number, person, rows, len(present)))
            rows += len(present)
    # the authors' code knows no unseen joint
    filled = Arrays(np.concatenate(joints), np.concatenate(frames), np.array(tracks), None, clips=len(chosen))
    return ClipStore(filled, store.table.iloc[chosen], store.skeleton)


def sample_views(store: ClipStore, clips: np.ndarray, *args: Any) -> Views:
    """As `data.sample_views`, but from clips `with_absent_frames`, in which a person who is late or leaves is all zero."""
    return right_views(with_absent_frames(store, clips), np.arange(len(clips)), *args)


def test_view(store: ClipStore, indices: Sequence[int] | np.ndarray, frames: int = 64) -> View:
    """As `data.released_test_view`, but with the start of the center 95 % even where `frames` are more. Right: start
    (valid - length)/2.

    At 40 to 64 valid frames a view of 64 begins at the second one and reads one place past the last. There the buffer, reflected
    to at least 150 frames, repeats the frame it turns at: the last frame comes twice.
    """
    x, people = [], []
    for index in indices:
        joints = torch.from_numpy(np.asarray(store[int(index)].joints, dtype=np.float32))  # (T, M, V, 3)
        joints = joints[(joints != 0).flatten(1).any(dim=1)]
        valid = len(joints)
        length = max(min(valid, frames), round(0.95 * valid))
        start = int((1 - 0.95) * valid / 2)
        joints = torch.cat([joints, joints[-1:]])[start : start + length]
        place = torch.arange(frames, dtype=torch.float64)
        place = (place * length / frames + 1e-9).floor() if length >= frames else place * max(length - 1, 0) / (frames - 1)
        low = place.long()
        weight = (place - low).float().view(-1, 1, 1, 1)
        high = (low + 1).clamp(max=max(length - 1, 0))
        view = joints[low] * (1 - weight) + joints[high] * weight if valid else joints.new_zeros(frames, *joints.shape[1:])
        x.append(torch.nn.functional.pad(view, (0, 0, 0, 0, 0, store.max_people - view.shape[1])))
        people.append((x[-1] != 0).flatten(2).any(dim=2).any(dim=0))
    views = torch.stack(x).permute(0, 4, 1, 3, 2).contiguous()  # (B, 3, T, V, M)
    return views, torch.stack(people), torch.ones_like(views[:, 0], dtype=torch.bool)  # the authors' code knows no unseen joint
