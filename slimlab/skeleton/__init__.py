"""Skeletons: declared bodies, inference of parts and mirror pairs from names, and matching of joints between bodies."""

from slimlab.skeleton.bodies import COCO, DECLARED, H36M, KINECT_V1, KINECT_V2, SMPL_22, SMPL_24, declared
from slimlab.skeleton.body import INFER, Skeleton
from slimlab.skeleton.matching import counterparts

__all__ = [
    "COCO",
    "DECLARED",
    "H36M",
    "INFER",
    "KINECT_V1",
    "KINECT_V2",
    "SMPL_22",
    "SMPL_24",
    "Skeleton",
    "counterparts",
    "declared",
]
