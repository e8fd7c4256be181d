import numpy as np
import pytest

from slimlab import data
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2, Skeleton
from slimlab.skeleton.matching import match_joints


def test_clips_are_seen_with_the_joints_of_another_body(synthetic):
    store = data.on_body(synthetic, KINECT_V1)
    assert store.skeleton == KINECT_V1 and len(store) == len(synthetic)
    for v1, v2 in (("hip_center", "base_spine"), ("shoulder_center", "spine_shoulder"), ("right_foot", "right_foot")):
        a = store[5].joints[:, :, KINECT_V1.names.index(v1)]
        np.testing.assert_array_equal(a, synthetic[5].joints[:, :, KINECT_V2.names.index(v2)])
    train, test = data.split(store)
    assert len(train) + len(test) == len(store) and data.test_view(test, [0])[0].shape[3] == 20


def test_a_part_of_a_store_stays_a_part(synthetic):
    store = data.on_body(synthetic[[7, 3]], KINECT_V1)
    assert store.column("clip").tolist() == synthetic.column("clip")[[7, 3]].tolist()
    assert store[1].joints.shape[0] == synthetic[3].joints.shape[0]


def test_joints_that_the_clips_lack_are_named(synthetic):
    with pytest.raises(data.DataError, match="have no nose, left_eye"):
        data.on_body(synthetic, COCO)


def test_joints_are_matched_by_what_they_are_called():
    prmd = Skeleton(
        ["waist", "spine", "chest", "left_upper_arm", "left_forearm", "right_upper_leg", "head_tip"], [-1, 0, 1, 2, 3, 0, 2]
    )
    matched = [None if j is None else KINECT_V2.names[j] for j in match_joints(prmd, KINECT_V2)]
    expected = ["base_spine", "middle_spine", "spine_shoulder", "left_shoulder", "left_elbow", "right_hip", None]
    assert matched == expected
    assert [KINECT_V2.names[j] for j in match_joints(KINECT_V2, KINECT_V2)] == list(KINECT_V2.names)
