"""Declared bodies: joints, tree, parts and mirror pairs of the formats that slimlab reads."""

from __future__ import annotations

from slimlab.skeleton.body import Skeleton


def _mirror(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((int(a), int(b)) for a, b in (pair.split("-") for pair in text.split()))


# NTU RGB+D's body. Index order is not topological: 2, 4 and 8 hang from 20.
KINECT_V2 = Skeleton(
    names=(
        "base_spine middle_spine neck head left_shoulder left_elbow left_wrist left_hand right_shoulder right_elbow "
        "right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot "
        "spine_shoulder left_hand_tip left_thumb right_hand_tip right_thumb"
    ).split(),
    parents=(-1, 0, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, 1, 7, 7, 11, 11),
    parts={
        "trunk": (0, 1, 20, 2, 3),
        "left arm": (4, 5, 6, 7, 21, 22),
        "right arm": (8, 9, 10, 11, 23, 24),
        "left leg": (12, 13, 14, 15),
        "right leg": (16, 17, 18, 19),
    },
    mirror=_mirror("4-8 5-9 6-10 7-11 21-23 22-24 12-16 13-17 14-18 15-19"),
    center=1,
)

# Kinect for Windows SDK 1.8 order, as MSR Action3D and NW-UCLA use it.
KINECT_V1 = Skeleton(
    names=(
        "hip_center spine shoulder_center head left_shoulder left_elbow left_wrist left_hand right_shoulder "
        "right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle "
        "right_foot"
    ).split(),
    parents=(-1, 0, 1, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18),
    center=1,
)

# The 17 joints that Human3.6M is usually reduced to.
H36M = Skeleton(
    names=(
        "hip right_hip right_knee right_foot left_hip left_knee left_foot spine thorax neck head left_shoulder "
        "left_elbow left_wrist right_shoulder right_elbow right_wrist"
    ).split(),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
    center=7,
)

# COCO key points. The set has no pelvis: as in pyskl's graph everything hangs from the nose.
COCO = Skeleton(
    names=(
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
        "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
    ).split(),
    parents=(-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14),
    center=0,
)

# SMPL's joints, Loper et al. 2015 (https://doi.org/10.1145/2816795.2818013); the two hands stand last, so that the first 22 are
# the body that SMPL-H, SMPL-X, AMASS and HumanML3D share.
SMPL_24 = Skeleton(
    names=(
        "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot right_foot neck "
        "left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_hand "
        "right_hand"
    ).split(),
    parents=(-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21),
    center=3,
)
SMPL_22 = Skeleton(SMPL_24.names[:22], SMPL_24.parents[:22], center=3)

# OpenPose's BODY_25 and COCO models, which put a neck between the shoulders:
# https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md
OPENPOSE_25 = Skeleton(
    names=(
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist mid_hip right_hip right_knee "
        "right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear left_big_toe left_small_toe left_heel "
        "right_big_toe right_small_toe right_heel"
    ).split(),
    parents=(1, 8, 1, 2, 3, 1, 5, 6, -1, 8, 9, 10, 8, 12, 13, 0, 0, 15, 16, 14, 19, 14, 11, 22, 11),
    parts={
        "trunk": (8, 1, 0, 15, 17, 16, 18),
        "left arm": (5, 6, 7),
        "right arm": (2, 3, 4),
        "left leg": (12, 13, 14, 19, 20, 21),
        "right leg": (9, 10, 11, 22, 23, 24),
    },
    mirror=_mirror("5-2 6-3 7-4 12-9 13-10 14-11 16-15 18-17 19-22 20-23 21-24"),
    center=8,
)
COCO_18 = Skeleton(
    names=(
        "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip right_knee right_ankle "
        "left_hip left_knee left_ankle right_eye left_eye right_ear left_ear"
    ).split(),
    parents=(1, -1, 1, 2, 3, 1, 5, 6, 1, 8, 9, 1, 11, 12, 0, 0, 14, 15),
    parts={
        "trunk": (1, 0, 14, 16, 15, 17),
        "left arm": (5, 6, 7),
        "right arm": (2, 3, 4),
        "left leg": (11, 12, 13),
        "right leg": (8, 9, 10),
    },
    mirror=_mirror("5-2 6-3 7-4 11-8 12-9 13-10 15-14 17-16"),
    center=1,
)

# Halpe's body and feet, AlphaPose's 26 points: https://github.com/Fang-Haoshu/Halpe-FullBody
HALPE_26 = Skeleton(
    names=(
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
        "left_hip right_hip left_knee right_knee left_ankle right_ankle head neck hip left_big_toe right_big_toe left_small_toe "
        "right_small_toe left_heel right_heel"
    ).split(),
    parents=(18, 0, 0, 1, 2, 18, 18, 5, 6, 7, 8, 19, 19, 11, 12, 13, 14, 18, 19, -1, 15, 16, 20, 21, 15, 16),
    parts={
        "trunk": (19, 18, 17, 0, 1, 3, 2, 4),
        "left arm": (5, 7, 9),
        "right arm": (6, 8, 10),
        "left leg": (11, 13, 15, 20, 22, 24),
        "right leg": (12, 14, 16, 21, 23, 25),
    },
    mirror=_mirror("1-2 3-4 5-6 7-8 9-10 11-12 13-14 15-16 20-21 22-23 24-25"),
    center=19,
)

# MediaPipe's (BlazePose's) landmarks: https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker
# Without a pelvis, as COCO's: everything hangs from the nose.
MEDIAPIPE_33 = Skeleton(
    names=(
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear mouth_left "
        "mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist left_pinky right_pinky "
        "left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle left_heel "
        "right_heel left_foot_index right_foot_index"
    ).split(),
    parents=(
        *(-1, 0, 1, 2, 0, 4, 5, 3, 6, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16, 15, 16, 15, 16),
        *(11, 12, 23, 24, 25, 26, 27, 28, 27, 28),
    ),
    parts={
        "trunk": (0, 1, 2, 3, 7, 4, 5, 6, 8, 9, 10),
        "left arm": (11, 13, 15, 17, 19, 21),
        "right arm": (12, 14, 16, 18, 20, 22),
        "left leg": (23, 25, 27, 29, 31),
        "right leg": (24, 26, 28, 30, 32),
    },
    mirror=_mirror("1-4 2-5 3-6 7-8 9-10 11-12 13-14 15-16 17-18 19-20 21-22 23-24 25-26 27-28 29-30 31-32"),
    center=0,
)

# Azure Kinect's (K4ABT's) joints and their documented parents: https://learn.microsoft.com/azure/kinect-dk/body-joints
AZURE_KINECT_32 = Skeleton(
    names=(
        "pelvis spine_navel spine_chest neck clavicle_left shoulder_left elbow_left wrist_left hand_left handtip_left thumb_left "
        "clavicle_right shoulder_right elbow_right wrist_right hand_right handtip_right thumb_right hip_left knee_left "
        "ankle_left foot_left hip_right knee_right ankle_right foot_right head nose eye_left ear_left eye_right ear_right"
    ).split(),
    parents=(
        *(-1, 0, 1, 2, 2, 4, 5, 6, 7, 8, 7, 2, 11, 12, 13, 14, 15, 14),
        *(0, 18, 19, 20, 0, 22, 23, 24, 3, 26, 26, 26, 26, 26),
    ),
    parts={
        "trunk": (0, 1, 2, 3, 26, 27, 28, 29, 30, 31),
        "left arm": (4, 5, 6, 7, 8, 9, 10),
        "right arm": (11, 12, 13, 14, 15, 16, 17),
        "left leg": (18, 19, 20, 21),
        "right leg": (22, 23, 24, 25),
    },
    mirror=_mirror("4-11 5-12 6-13 7-14 8-15 9-16 10-17 18-22 19-23 20-24 21-25 28-30 29-31"),
    center=1,
)

# MPII Human Pose's joints: http://human-pose.mpi-inf.mpg.de (annotation description)
MPII_16 = Skeleton(
    names=(
        "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax upper_neck head_top right_wrist "
        "right_elbow right_shoulder left_shoulder left_elbow left_wrist"
    ).split(),
    parents=(1, 2, 6, 6, 3, 4, -1, 6, 7, 8, 11, 12, 7, 7, 13, 14),
    parts={
        "trunk": (6, 7, 8, 9),
        "left arm": (13, 14, 15),
        "right arm": (12, 11, 10),
        "left leg": (3, 4, 5),
        "right leg": (2, 1, 0),
    },
    mirror=_mirror("3-2 4-1 5-0 13-12 14-11 15-10"),
    center=7,
)

FINGERS = ("thumb", "index", "middle", "ring", "pinky")


def _fingers(first: int) -> dict[str, tuple[int, ...]]:
    """Of each finger four joints from its base to its tip, finger after finger."""
    return {f: tuple(range(first + 4 * i, first + 4 * i + 4)) for i, f in enumerate(FINGERS)}


# MediaPipe's hand landmarks, which hang from the wrist: https://ai.google.dev/edge/mediapipe/solutions/vision/hand_landmarker
# One hand has no mirror pairs.
HAND_21 = Skeleton(
    names=(
        "wrist thumb_cmc thumb_mcp thumb_ip thumb_tip "
        + " ".join(
            f"{f}_{j}" for f in ("index_finger", "middle_finger", "ring_finger", "pinky") for j in "mcp pip dip tip".split()
        )
    ).split(),
    parents=(-1, *(p for j in range(1, 21, 4) for p in (0, j, j + 1, j + 2))),
    parts={"palm": (0,)} | _fingers(1),
    mirror=(),
    center=0,
)

# The hand of SHREC'17 and DHG (Intel RealSense): wrist, palm, and four joints a finger; the thumb hangs from the wrist.
# http://www-rech.telecom-lille.fr/shrec2017-hand/
HAND_22 = Skeleton(
    names=["wrist", "palm", *(f"{f}_{j}" for f in FINGERS for j in ("base", "first", "second", "tip"))],
    parents=(-1, 0, 0, 2, 3, 4, *(p for j in range(6, 22, 4) for p in (1, j, j + 1, j + 2))),
    parts={"palm": (0, 1)} | _fingers(2),
    mirror=(),
    center=1,
)

HANDS = (HAND_21, HAND_22)
ESTIMATED = (OPENPOSE_25, COCO_18, HALPE_26, MEDIAPIPE_33, AZURE_KINECT_32, MPII_16)
DECLARED = (KINECT_V2, KINECT_V1, H36M, COCO, SMPL_22, SMPL_24, *ESTIMATED, *HANDS)


def declared(skeleton: Skeleton) -> Skeleton:
    """The declared body with these names and parents, in this order; else the skeleton as given."""
    same = (s for s in DECLARED if (s.names, s.parents) == (skeleton.names, skeleton.parents))
    return next(same, skeleton)
