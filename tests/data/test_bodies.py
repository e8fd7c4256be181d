import numpy as np
import pytest

from slimlab import data
from slimlab.skeleton import COCO, COCO_18, H36M, KINECT_V1, KINECT_V2, OPENPOSE_25, Skeleton
from slimlab.skeleton.matching import match_joints
from tests.conftest import make_store


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


TRUNK = Skeleton(["pelvis", "spine", "thorax", "left_shoulder", "right_knee"], [-1, 0, 1, 2, 0])


@pytest.mark.parametrize("body", [OPENPOSE_25, COCO_18, COCO], ids=["BODY_25", "OpenPose's COCO", "COCO"])
def test_pelvis_thorax_and_spine_follow_from_hips_and_shoulders(body):
    at = body.names.index
    x = np.random.default_rng(0).normal(size=(4, 1, len(body), 3)).astype(np.float32)
    x[2, 0, at("left_shoulder")] = 0  # not seen
    x[3, 0, at("right_hip")] = 0
    clip = data.on_body(make_store([x], body), TRUNK)[0].joints[:, 0]
    hips, shoulders = (x[:, 0, [at(f"left_{n}"), at(f"right_{n}")]].mean(axis=1) for n in ("hip", "shoulder"))
    pelvis = x[:, 0, at("mid_hip")] if "mid_hip" in body.names else hips  # BODY_25 has its own
    for t in range(2):
        np.testing.assert_allclose(clip[t, :3], [pelvis[t], (pelvis[t] + shoulders[t]) / 2, shoulders[t]], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(clip[2, 0], pelvis[2], rtol=1e-6)
    assert not clip[2, 1:4].any()  # without a shoulder neither thorax nor spine
    np.testing.assert_allclose(clip[3, 2], shoulders[3], rtol=1e-5)
    assert clip[3, 0].any() == clip[3, 1].any() == ("mid_hip" in body.names)
    np.testing.assert_array_equal(clip[:, 4], x[:, 0, at("right_knee")])


def test_a_body_of_estimates_on_another_one():
    x = np.random.default_rng(0).normal(size=(3, 1, 17, 3)).astype(np.float32)
    store = make_store([x], COCO)
    with pytest.raises(data.DataError, match="have no neck, head; leave them out"):
        data.on_body(store, H36M)
    keep = [i for i, n in enumerate(H36M.names) if n not in ("neck", "head")]  # the advice, followed
    parents = [keep.index(p) if (p := H36M.parents[i]) >= 0 else -1 for i in keep]
    seen = data.on_body(store, Skeleton([H36M.names[i] for i in keep], parents))
    np.testing.assert_array_equal(seen[0].joints[:, 0, 3], x[:, 0, COCO.names.index("right_ankle")])  # Human3.6M's foot
