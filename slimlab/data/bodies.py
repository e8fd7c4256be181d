"""Clips of one body, seen as another body: the joints that both have, by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from slimlab.data.errors import DataError
from slimlab.data.store import ClipStore
from slimlab.skeleton import Skeleton
from slimlab.skeleton.matching import counterparts


def on_body(store: ClipStore, skeleton: Skeleton) -> ClipStore:
    """The same clips with the joints of `skeleton`, matched by name (`skeleton.matching`), such as Kinect v2's on Kinect v1.

    Raises DataError that names the joints which the clips lack. The table's flags and digests stay those of the whole
    clips, by which `Run.check_unseen` and splits still know the recording.
    """
    places = counterparts(skeleton, store.skeleton)
    missing = [n for n, p in zip(skeleton.names, places, strict=True) if p is None]
    if missing:
        raise DataError(f"{store.source}: these clips have no {', '.join(missing)}; leave them out of the body")
    arrays = replace(store.arrays, joints=np.asarray(store.arrays.joints)[:, np.array(places)], reduced=True)
    return ClipStore(
        arrays, store.table, skeleton, store.label_names, store.fps, store.source, store.clips, max_people=store.max_people
    )
