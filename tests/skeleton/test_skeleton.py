import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slimlab import skeleton
from slimlab.skeleton import COCO, H36M, HAND_21, HAND_22, KINECT_V1, KINECT_V2, Skeleton

DECLARED = [KINECT_V2, KINECT_V1, H36M, COCO]


@pytest.mark.parametrize("body", DECLARED, ids=lambda s: str(len(s)))
def test_declared_bodies_are_whole(body):
    assert sorted(j for part in body.parts.values() for j in part) == list(range(len(body)))
    assert list(body.parts) == ["trunk", "left arm", "right arm", "left leg", "right leg"]
    for left, right in body.mirror:
        assert body.names[left].replace("left", "right") == body.names[right]


def test_kinect_v2_is_the_papers():
    assert KINECT_V2.parts["left arm"] == (4, 5, 6, 7, 21, 22)
    assert KINECT_V2.center == 1 and KINECT_V2.root == 0
    assert KINECT_V2.parents[2] == KINECT_V2.parents[4] == KINECT_V2.parents[8] == 20
    assert {frozenset(p) for p in KINECT_V2.mirror} >= {frozenset((21, 23)), frozenset((15, 19))}


def test_inference_finds_what_kinect_v2_declares():
    guess = Skeleton(KINECT_V2.names, KINECT_V2.parents)
    assert {k: set(v) for k, v in guess.parts.items()} == {k: set(v) for k, v in KINECT_V2.parts.items()}
    assert set(guess.mirror) == set(KINECT_V2.mirror) and guess.center == KINECT_V2.center


@pytest.mark.parametrize(
    "names",
    [
        "Hips Spine LeftUpLeg LeftLeg LeftFoot RightUpLeg RightLeg RightFoot LeftArm LeftForeArm RightArm RightForeArm",
        "pelvis spine1 l_hip l_knee l_ankle r_hip r_knee r_ankle l_shoulder l_elbow r_shoulder r_elbow",
        "hip spine thigh.L shin.L foot.L thigh.R shin.R foot.R upper_arm.L forearm.L upper_arm.R forearm.R",
        "Hip Spine LHip LKnee LFoot RHip RKnee RFoot LShoulder LElbow RShoulder RElbow",
        "pelvis torso HipLeft KneeLeft FootLeft HipRight KneeRight FootRight ShoulderLeft ElbowLeft ShoulderRight ElbowRight",
    ],
)
def test_inference_reads_the_usual_ways_of_naming_sides(names):
    body = Skeleton(names.split(), [-1, 0, 0, 2, 3, 0, 5, 6, 1, 8, 1, 10])
    assert set(body.mirror) == {(2, 5), (3, 6), (4, 7), (8, 10), (9, 11)}
    assert body.parts["left leg"] == (2, 3, 4) and body.parts["right arm"] == (10, 11)


def test_nameless_bodies_get_limbs_from_the_tree():
    body = Skeleton([f"j{i}" for i in range(7)], [-1, 0, 1, 1, 2, 3, 1])
    assert body.mirror == ()  # equal branches may be arms, legs or fingers: only names make a pair
    assert list(map(set, body.parts.values())) == [{0, 1}, {2, 4}, {3, 5}, {6}]


@pytest.mark.parametrize(("body", "palm"), [(HAND_21, {"wrist"}), (HAND_22, {"wrist", "palm"})], ids=["MediaPipe", "SHREC"])
def test_hands_have_five_fingers_and_no_pairs(body, palm):
    assert body in skeleton.DECLARED and body.mirror == () and {len(j) for p, j in body.parts.items() if p != "palm"} == {4}
    assert list(body.parts) == ["palm", "thumb", "index", "middle", "ring", "pinky"]
    assert {body.names[j] for j in body.parts["palm"]} == palm and body.names[body.root] == "wrist"
    for finger, joints in body.parts.items():
        if finger == "palm":
            continue
        assert all(body.names[j].startswith(finger) for j in joints) and body.names[joints[-1]].endswith("tip")
        assert [body.parents[j] for j in joints[1:]] == list(joints[:-1]) and body.names[body.parents[joints[0]]] in palm
    assert Skeleton(body.names, body.parents).mirror == ()  # nor are any inferred


def test_mediapipe_s_hand_has_its_order_and_connections():
    """https://ai.google.dev/edge/mediapipe/solutions/vision/hand_landmarker, and mp.solutions.hands_connections.HAND_CONNECTIONS
    without those across the palm (5-9, 9-13, 13-17), of which 0-9 and 0-13 take the place."""
    known = "0 wrist 1 thumb_cmc 2 thumb_mcp 4 thumb_tip 5 index_finger_mcp 8 index_finger_tip 12 middle_finger_tip 20 pinky_tip"
    words = known.split()
    assert all(HAND_21.names[int(i)] == name for i, name in zip(words[::2], words[1::2], strict=True))
    assert {(0, 1), (1, 2), (2, 3), (3, 4), (0, 5), (5, 6), (7, 8), (0, 17), (19, 20)} <= set(HAND_21.bones)


@st.composite
def trees(draw):
    joints = draw(st.integers(1, 30))
    parents = [-1] + [draw(st.integers(0, i - 1)) for i in range(1, joints)]
    shuffled = draw(st.permutations(range(joints)))
    place = {old: new for new, old in enumerate(shuffled)}
    mixed = [0] * joints
    for old, parent in enumerate(parents):
        mixed[place[old]] = -1 if parent < 0 else place[parent]
    return mixed


@given(trees())
def test_any_tree_in_any_index_order(parents):
    body = Skeleton([f"joint {i}" for i in range(len(parents))], parents)
    seen = set()
    for joint in body.order:
        assert body.parents[joint] == -1 or body.parents[joint] in seen
        seen.add(joint)
    assert len(seen) == len(parents)
    assert sorted(j for part in body.parts.values() for j in part) == list(range(len(parents)))
    np.testing.assert_array_equal(body.mirror_index[body.mirror_index], np.arange(len(parents)))
    np.testing.assert_allclose(body.from_bones @ body.to_bones, np.eye(len(parents)), atol=1e-6)
    assert Skeleton(**body.to_dict()) == body and hash(Skeleton(**body.to_dict())) == hash(body)


def test_mirrored_limbs_share_their_group():
    groups = dict(zip(KINECT_V2.parts, KINECT_V2.part_groups, strict=True))
    assert groups["left arm"] == groups["right arm"] != groups["left leg"] == groups["right leg"] != groups["trunk"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (dict(names=["a", "a"], parents=[-1, 0]), "'a'"),
        (dict(names=["a", "b"], parents=[-1, 5]), "joint 1 'b' has parent 5"),
        (dict(names=["a", "b"], parents=[-1, -1]), "exactly one"),
        (dict(names=["a", "b", "c"], parents=[-1, 2, 1]), "circle"),
        (dict(names=["a"], parents=[-1, 0]), "1 names but 2 parents"),
        (dict(names=[], parents=[]), "no joints"),
        (dict(names=["a", "b"], parents=[-1, 0], parts={"x": [0]}), "joint 1 'b' is in no part"),
        (dict(names=["a", "b"], parents=[-1, 0], parts={"x": [0, 1], "y": [1]}), "joint 1 'b' is in part 'x' and in 'y'"),
        (dict(names=["a", "b"], parents=[-1, 0], parts={"x": [0, 1, 7]}), "joint 7"),
        (dict(names=["a", "b"], parents=[-1, 0], mirror=[(0, 0)]), "joint 0 'a' stands twice"),
        (dict(names=["a", "b"], parents=[-1, 0], center=2), "center 2"),
    ],
)
def test_what_is_wrong_is_named(arguments, says):
    with pytest.raises(ValueError, match="skeleton") as caught:
        Skeleton(**arguments)
    assert says in str(caught.value)


ESTIMATED = {
    "OPENPOSE_25": (25, "mid_hip", [("left_ankle", "left_big_toe"), ("neck", "right_shoulder"), ("nose", "left_eye")]),
    "COCO_18": (18, "neck", [("neck", "left_hip"), ("right_elbow", "right_wrist")]),
    "HALPE_26": (26, "hip", [("hip", "neck"), ("right_ankle", "right_heel")]),
    "MEDIAPIPE_33": (33, "nose", [("left_wrist", "left_pinky"), ("left_shoulder", "left_hip")]),
    "AZURE_KINECT_32": (32, "pelvis", [("hand_left", "handtip_left"), ("neck", "head"), ("spine_chest", "clavicle_right")]),
    "MPII_16": (16, "pelvis", [("thorax", "left_shoulder"), ("right_knee", "right_ankle")]),
}


@pytest.mark.parametrize("name", ESTIMATED)
def test_bodies_of_pose_estimators(name):
    body = getattr(skeleton, name)
    joints, root, bones = ESTIMATED[name]
    assert len(body) == joints and body.names[body.root] == root and body in skeleton.DECLARED
    named = [(body.names[a], body.names[b]) for a, b in body.bones]
    assert set(bones) <= set(named)
    swapped = {"left": "right", "right": "left"}
    for joint in body.names:  # every sided joint has its twin, and the tree is the same on both sides
        twin = "_".join(swapped.get(w, w) for w in joint.split("_"))
        assert body.names[body.mirror_index[body.names.index(joint)]] == twin
    twins = body.mirror_index
    assert all(p < 0 or body.parents[twins[j]] == twins[p] for j, p in enumerate(body.parents))
    assert len({body.side(j) for j in body.parts["left arm"]}) == 1
