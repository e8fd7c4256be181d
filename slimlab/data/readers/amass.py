"""AMASS `.npz` files: refused, since they hold rotations of a body model and no places of joints (https://amass.is.tue.mpg.de)."""

from __future__ import annotations

from pathlib import Path

from slimlab.data.errors import DataError
from slimlab.data.readers.npz import Npz


def refuse(npz: Npz, path: Path) -> None:
    """Raises DataError, with the way to joints, where the file is AMASS's."""
    if "poses" not in npz or not ("trans" in npz or "betas" in npz):
        return
    shape = npz.shapes["poses"][0]
    count = shape[1] if len(shape) == 2 else 0
    model = {156: "SMPL-H", 165: "SMPL-X", 72: "SMPL"}.get(count, "SMPL-H")
    raise DataError(
        f"{path}: an AMASS file: it holds {count // 3} rotations a frame ('poses'), not places of joints. The body model {model} "
        "turns them into joints: register at https://mano.is.tue.mpg.de or https://smpl.is.tue.mpg.de for its file, pip install "
        "smplx, take the first 22 of model(…).joints as a NumPy array joints (frames, 22, 3), then data.from_arrays("
        "joints.transpose(2, 0, 1)[..., None], skeleton=slimlab.skeleton.SMPL_22, fps=mocap_framerate, up='z')"
    )
