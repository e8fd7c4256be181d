"""Clips of one body, seen as another body: the joints that both have, by name, and those that follow from others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slimlab.data.errors import DataError
from slimlab.data.store import ClipStore, pack_seen
from slimlab.skeleton import Skeleton
from slimlab.skeleton.matching import derived


def on_body(store: ClipStore, skeleton: Skeleton) -> ClipStore:
    """The same clips with the joints of `skeleton`, matched by name (`skeleton.matching`), such as Kinect v2's on Kinect v1.

    A pelvis that the clips lack is the middle of the hips, a chest that of the shoulders, a spine that of pelvis and chest; it is
    seen where all of them are. Raises DataError that names the joints which the clips lack. The table's flags and digests stay
    those of the whole clips, by which `Run.check_unseen` and splits still know the recording.
    """
    places = derived(skeleton, store.skeleton)
    missing = [n for n, p in zip(skeleton.names, places, strict=True) if p is None]
    if missing:
        raise DataError(f"{store.source}: these clips have no {', '.join(missing)}; leave them out of the body")
    own = np.asarray(store.arrays.joints)
    joints = own[:, np.array([p[0] for p in places if p])]
    known = store.arrays.seen_in(slice(None)) if store.has_unseen else None  # (R, V)
    seen = None if known is None else known[:, np.array([p[0] for p in places if p])]
    for joint, of in enumerate(places):
        if of and len(of) > 1:
            some = own[:, list(of)]  # (R, n, 3)
            joints[:, joint] = some.mean(axis=1, dtype=np.float32)
            if known is not None and seen is not None:
                seen[:, joint] = known[:, list(of)].all(axis=1)
                joints[~seen[:, joint], joint] = 0
    arrays = replace(store.arrays, joints=joints, seen=None if seen is None else pack_seen(seen), reduced=True)
    return ClipStore(
        arrays,
        store.table,
        skeleton,
        store.label_names,
        store.fps,
        store.source,
        store.clips,
        max_people=store.max_people,
        notes=store.notes,
    )
