"""`python -m slimlab.data.ui_prmd.making FOLDER`: recordings.npz of this package, made from UI-PRMD's own text files.

FOLDER holds UI-PRMD's "Segmented Movements" and "Incorrect Segmented Movements", each with `Kinect/Positions` and
`Kinect/Angles`, the texts packed (.gz) or not.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from slimlab.data.ui_prmd import FILE, JOINTS, PARENTS, SUBJECTS

SIDES = {True: "Segmented Movements", False: "Incorrect Segmented Movements"}


def joints_of(positions: Path, angles: Path) -> np.ndarray:
    """One repetition: (T, 22, 3) meters, y up, by forward kinematics.

    The files hold, for each joint, its place in its parent's frame in centimeters and its turn from it in degrees; a turn is
    Rz Ry Rx. (The root's place is the camera's.)
    """
    offsets, turns = (np.loadtxt(file, delimiter=",", ndmin=2).reshape(-1, len(JOINTS), 3) for file in (positions, angles))
    if offsets.shape != turns.shape:
        raise ValueError(f"{positions}: {len(offsets)} frames, its angles have {len(turns)}")
    placed, turned = np.empty_like(offsets), []
    for joint, parent in enumerate(PARENTS):  # parents come first
        turn = Rotation.from_euler("ZYX", turns[:, joint, ::-1], degrees=True)
        if parent < 0:
            turned.append(turn)
            placed[:, joint] = offsets[:, joint]
        else:
            turned.append(turned[parent] * turn)
            placed[:, joint] = placed[:, parent] + turned[parent].apply(offsets[:, joint])
    return (placed / 100).astype(np.float32)


def repetitions(folder: Path) -> Iterator[tuple[bool, int, int, int, np.ndarray]]:
    """(correct, movement, subject, repetition, joints (T, 22, 3)), correct ones first, in the order of their names."""
    for correct, side in SIDES.items():
        positions = folder / side / "Kinect" / "Positions"
        found = sorted(positions.glob("m??_s??_e??_positions*.txt*"))
        if not found:
            raise FileNotFoundError(f"{positions}: no m01_s01_e01_positions.txt or the like; give the folder above '{side}'")
        for file in found:
            movement, subject, repetition = (int(part[1:]) for part in file.name.split("_")[:3])
            angles = folder / side / "Kinect" / "Angles" / file.name.replace("positions", "angles")
            yield correct, movement, subject, repetition, joints_of(file, angles)


def save(clips: list[tuple[bool, int, int, int, np.ndarray]], path: Path) -> None:
    """Write repetitions as `slimlab.data.ui_prmd` reads them: millimeters, each frame as its difference from the one before."""
    parts = []
    for *_, joints in clips:
        millimeters = np.round(joints.astype(np.float64) * 1000).astype(np.int16)  # (T, V, 3)
        parts.append(np.diff(millimeters, axis=0, prepend=np.zeros_like(millimeters[:1])))
    correct, movement, subject, repetition = (np.array(column) for column in list(zip(*clips, strict=True))[:4])
    np.savez_compressed(
        path,
        steps=np.concatenate(parts),  # (F, V, 3) int16
        frames=np.array([len(part) for part in parts], dtype=np.int16),
        correct=correct.astype(bool),
        movement=movement.astype(np.int8),
        subject=subject.astype(np.int8),
        repetition=repetition.astype(np.int8),
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    made = list(repetitions(Path(sys.argv[1])))
    save(made, FILE)
    print(f"{len(made)} repetitions of {SUBJECTS} people -> {FILE}, {FILE.stat().st_size / 1e6:.1f} MB")
