import re

import numpy as np
import pytest

from slimlab import data
from slimlab.data.synthetic import ACTIONS


def test_same_seed_same_bytes_and_a_smaller_set_is_a_part_of_a_larger():
    a, b, other = (data.synthetic(clips=30, seed=s) for s in (0, 0, 1))
    assert a.arrays.joints.tobytes() == b.arrays.joints.tobytes() != other.arrays.joints.tobytes()
    np.testing.assert_array_equal(data.synthetic(clips=60, seed=0)[7].joints, a[7].joints)


def test_every_protocol_and_both_people_are_there():
    store = data.synthetic(clips=480, seed=0)
    assert all(re.fullmatch(r"S\d{3}C\d{3}P\d{3}R\d{3}A\d{3}", name) for name in store.column("clip"))
    assert np.bincount(store.labels).tolist() == [60] * len(ACTIONS)
    two = {name for name, (_, answer) in ACTIONS.items() if answer}
    assert set(store.table["label_name"][store.table["people"] == 2]) == two
    for protocol in ("cross-subject", "cross-view", "cross-setup"):
        train, test = data.split(store, protocol)
        assert set(train.labels) == set(test.labels)


def test_bodies_are_bodies(synthetic):
    """Bones keep their length but for the camera's noise; heads are above feet."""
    body = synthetic.skeleton
    for clip in synthetic[::7]:
        first = clip.joints[:, 0]
        for parent, joint in body.bones:
            length = np.linalg.norm(first[:, joint] - first[:, parent], axis=1)
            assert length.std() < 0.03 and 0.01 < length.mean() < 0.6
        assert (first[:, body.names.index("head"), 1] > first[:, body.names.index("left_foot"), 1]).all()
        assert 1.0 < np.ptp(first[:, :, 1], axis=1).max() < 2.6


def test_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        data.synthetic(clips=0)
