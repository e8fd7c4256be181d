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

DECLARED = (KINECT_V2, KINECT_V1, H36M, COCO, SMPL_22, SMPL_24)


def declared(skeleton: Skeleton) -> Skeleton:
    """The declared body with these names and parents, in this order; else the skeleton as given."""
    same = (s for s in DECLARED if (s.names, s.parents) == (skeleton.names, skeleton.parents))
    return next(same, skeleton)
