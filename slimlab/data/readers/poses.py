"""Arrays (frames, joints, 3) of one body a file, as MotionBERT (X3D.npy), VideoPose3D and HumanML3D (new_joints) keep them.

17 joints are Human3.6M's, 22 and 24 SMPL's, 25 and 20 a Kinect's, 16 MPII's, 26 Halpe's, 32 Azure Kinect's, 33 MediaPipe's.
In an `.npz` every array of that shape is a clip. Neither the unit nor the up axis stands in them: lengths are taken for meters,
and up is seen from head and feet: https://github.com/Walter0807/MotionBERT, https://github.com/facebookresearch/VideoPose3D,
https://github.com/EricGuo5513/HumanML3D.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import estimates, files, markers, sniffing, units
from slimlab.data.readers.estimates import Entry, Person
from slimlab.data.readers.npz import Npz
from slimlab.data.readers.recordings import by_folder, check_size, clip_names
from slimlab.skeleton import AZURE_KINECT_32, H36M, HALPE_26, KINECT_V1, KINECT_V2, MEDIAPIPE_33, MPII_16, SMPL_22, SMPL_24

BODIES = {len(b): b for b in (MPII_16, H36M, KINECT_V1, SMPL_22, SMPL_24, KINECT_V2, HALPE_26, AZURE_KINECT_32, MEDIAPIPE_33)}
FEATURES = (
    "263 numbers a frame are HumanML3D's features, not places; give the joints of its folder new_joints, (frames, 22, 3), or "
    "recover them with its recover_from_ric"
)


def read(path: str | Path) -> Source:
    """One `.npy` or `.npz`, or a folder of `.npy`. Raises DataError, naming the file."""
    path = Path(path)
    if path.suffix == ".npz":
        npz = Npz(path)
        names = [n for n, (shape, dtype) in npz.shapes.items() if sniffing.poses(shape, dtype)]
        arrays = [(n, str(path), lambda n=n: npz.read(n)) for n in names]
        classes, labels = (), [-1] * len(names)
    else:
        found = files.find(path, ".npy")
        arrays = [(n, f.place, lambda f=f: _loaded(f)) for n, f in zip(clip_names(found), found, strict=True)]
        classes, labels = by_folder([f.folder for f in found])
    if not arrays:
        raise DataError(f"{path}: holds no array (frames, joints, 3); see data/README.md, arrays")
    first = _checked(arrays[0][2](), arrays[0][1])
    body = BODIES[first.shape[1]]
    seen = markers.axis_up(body, np.where(np.any(first, axis=2)[..., None], first, np.nan))
    up = seen or "y"
    how = "seen from head and feet of the first clip" if seen else "the usual one, the body does not tell"
    notes = ("unit: none in the array, taken for m", f"up: {up}, {how}")

    def frames(get, place: str) -> dict[int, list[Person]]:
        x = _checked(get(), place)
        if x.shape[1] != len(body):
            raise DataError(f"{place}: {x.shape[1]} joints, {arrays[0][1]} has {len(body)}; convert each body's files apart")
        return {t: [Person(p, 0)] for t, p in enumerate(units.turned(x, up))}

    entries = [Entry(n, place, lambda g=get, p=place: frames(g, p), v) for (n, place, get), v in zip(arrays, labels, strict=True)]
    return estimates.source(str(path), body, entries, flag="", scale=1.0, up=up, notes=notes, classes=classes)


def _loaded(file: files.File) -> np.ndarray:
    try:
        return np.load(file.path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # whatever damaged bytes provoke in NumPy
        text = " ".join(str(error).split())[:200]
        raise DataError(f"{file.place}: no readable .npy file ({text}); save it with numpy.save, without objects") from error


def _checked(x: np.ndarray, place: str) -> np.ndarray:
    if x.ndim == 2 and x.shape[1] == 263:
        raise DataError(f"{place}: {FEATURES}")
    if not sniffing.poses(x.shape, x.dtype):
        raise DataError(f"{place}: {x.dtype} {x.shape} is no array of numbers (frames, joints, 3); transpose it")
    if x.shape[1] not in BODIES:
        raise DataError(
            f"{place}: {x.shape[1]} joints, known are {', '.join(map(str, BODIES))}; give the body with data.from_arrays("
            "array.transpose(2, 0, 1)[..., None], skeleton=slimlab.skeleton.Skeleton(names, parents))"
        )
    check_size(x.shape[0], x.shape[1], place)
    x = np.asarray(x, dtype=np.float32)
    if not np.isfinite(x).all():
        raise DataError(f"{place}: holds what is no number; set joints that were not seen to 0 0 0")
    return x
