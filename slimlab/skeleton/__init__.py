"""Skeletons: declared bodies, inference of parts and mirror pairs from names, and matching of joints between bodies."""

from slimlab.skeleton.bodies import (
    AZURE_KINECT_32,
    COCO,
    COCO_18,
    DECLARED,
    ESTIMATED,
    H36M,
    HALPE_26,
    HAND_21,
    HAND_22,
    KINECT_V1,
    KINECT_V2,
    MEDIAPIPE_33,
    MPII_16,
    OPENPOSE_25,
    SMPL_22,
    SMPL_24,
    declared,
)
from slimlab.skeleton.body import INFER, Skeleton
from slimlab.skeleton.matching import match_joints

__all__ = [
    "AZURE_KINECT_32",
    "COCO",
    "COCO_18",
    "DECLARED",
    "ESTIMATED",
    "H36M",
    "HALPE_26",
    "HAND_21",
    "HAND_22",
    "INFER",
    "KINECT_V1",
    "KINECT_V2",
    "MEDIAPIPE_33",
    "MPII_16",
    "OPENPOSE_25",
    "SMPL_22",
    "SMPL_24",
    "Skeleton",
    "declared",
    "match_joints",
]
