"""`open` and `convert`: recognise what a path holds and read it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from slimlab._system.warn import warn
from slimlab.data import building, writing
from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import (
    amass,
    amc,
    arrays,
    azure_kinect,
    bvh,
    c3d,
    coco_results,
    files,
    kinect_dump,
    landmark_tables,
    mediapipe,
    mvnx,
    ntu_npz,
    ntu_skeleton,
    openpose,
    pku_mmd,
    poses,
    pyskl,
    ragged,
    shrec,
    skipping,
    sleap,
    sniffing,
    tables,
    trc,
    ucla,
    units,
    utd_mhad,
    yolo,
)
from slimlab.data.readers.npz import Npz
from slimlab.data.store import ClipStore
from slimlab.data.synthetic import synthetic
from slimlab.data.ui_prmd import ui_prmd
from slimlab.skeleton import Skeleton

READERS: dict[str, Callable[[str | Path], Source]] = {
    "ragged": ragged.read,
    "utd-mhad": utd_mhad.read,
    "ntu-npz": ntu_npz.read,
    "ntu-skeleton": ntu_skeleton.read,
    "pyskl": pyskl.read,
    "ucla": ucla.read,
    "pku-mmd": pku_mmd.read,
    "bvh": bvh.read,
    "csv": tables.read,
    "npy": arrays.read,
    "c3d": c3d.read,
    "trc": trc.read,
    "mvnx": mvnx.read,
    "amc": amc.read,
    "shrec": shrec.read,
    "openpose": openpose.read,
    "coco-results": coco_results.read,
    "yolo": yolo.read,
    "mediapipe": mediapipe.read,
    "azure-kinect": azure_kinect.read,
    "kinect-dump": kinect_dump.read,
    "landmark-tables": landmark_tables.read,
    "sleap": sleap.read,
    "poses": poses.read,
}
SCORED: dict[str, Callable[[str | Path, float], Source]] = {  # formats whose joints have a score
    "openpose": openpose.read,
    "coco-results": coco_results.read,
    "yolo": yolo.read,
    "mediapipe": mediapipe.read,
    "landmark-tables": landmark_tables.read,
    "sleap": sleap.read,
}
MARKERS: dict[str, Callable[[str | Path, Skeleton], Source]] = {"c3d": c3d.read, "trc": trc.read}
ONE_FILE: dict[str, Callable[[Path], str]] = {  # endings of files that are opened one by one: what tells their format
    ".pkl": lambda _: "pyskl",
    ".csv": sniffing.table,
    ".npy": sniffing.array,
    ".h5": lambda _: "sleap",
}
PATTERNS = {  # of file names, single or in a folder or a zip
    r".*\.mat": "utd-mhad",
    r".*\.skeleton": "ntu-skeleton",
    r"a\d+_s\d+_e\d+_v\d+\.json": "ucla",
    r".*\d-[LMR]\.txt": "pku-mmd",
    r".*\.bvh": "bvh",
    r".*\.c3d": "c3d",
    r".*\.trc": "trc",
    r".*\.mvnx": "mvnx",
    r".*\.amc": "amc",
    r".*\.h5": "sleap",
    r"skeletons?_world\.txt": "shrec",
    r"(train|val|test)_data(_joint)?\.npy": "npy",
}
KNOWN = (
    "a slimlab store, a ragged .npz (joints, frame_offsets, …), an NTU .npz (x_train, y_train, …), "
    "a pyskl .pkl, NTU RGB+D .skeleton files, NW-UCLA .json files, PKU-MMD .txt files, "
    "ST-GCN's .npy files with their label.pkl, .bvh, .csv and .npy files, "
    "motion capture as .c3d, .trc, .mvnx and .amc with its .asf, SHREC'17 and DHG skeletons_world.txt, "
    "JSON of OpenPose, AlphaPose, COCO, MediaPipe, YOLO and Azure Kinect, "
    "tables of MediaPipe, Kinect recorders, DeepLabCut and SLEAP, SLEAP's analysis .h5, "
    "arrays (frames, joints, 3), "
    "UTD-MHAD *_skeleton.mat files (one, a folder or a .zip of them); "
    "see data/README.md"
)


def recognise(path: Path) -> str:
    """The format's name: "store" or a key of READERS. Raises DataError, listing what is known."""
    _check_there(path)
    if path.is_dir() and (path / "store.json").exists():
        return "store"
    if path.suffix == ".npz":
        npz = Npz(path)
        if "joints" in npz and "frame_offsets" in npz:
            return "ragged"
        if "x_train" in npz or "x_test" in npz:
            return "ntu-npz"
        amass.refuse(npz, path)
        if any(sniffing.poses(shape, dtype) for shape, dtype in npz.shapes.values()):
            return "poses"
        raise DataError(f"{path}: holds the arrays {', '.join(npz.shapes) or '(none)'}; slimlab reads {KNOWN}")
    if path.is_file() and path.suffix in ONE_FILE:
        return ONE_FILE[path.suffix](path)
    names = {f.name for f in files.find(path, "")}
    formats = sorted({format for pattern, format in PATTERNS.items() if any(re.fullmatch(pattern, n) for n in names)})
    if len(formats) == 1:
        return formats[0]
    if formats:
        raise DataError(f"{path}: holds files of several formats ({', '.join(formats)}); give format=, or a folder of one")
    if format := sniffing.look(path):
        return format
    if any(n.endswith(".npy") for n in names):
        return "poses"
    what = "this folder holds no clips that slimlab knows" if path.is_dir() else "unknown format"
    raise DataError(f"{path}: {what}; slimlab reads {KNOWN}")


def _check_there(path: Path) -> None:
    if not path.exists():
        raise DataError(f"{path}: no such file or folder, seen from {Path.cwd()}; data/README.md says what can be read")


def _source(path: Path, format: str, min_score: float | None) -> Source:
    if format not in READERS:
        raise DataError(f"{path}: format '{format}' is unknown; choose one of {', '.join(READERS)}")
    _check_there(path)
    if min_score is None:
        return READERS[format](path)
    if format not in SCORED:
        raise DataError(
            f"{path}: format '{format}' has no scores of joints that min_score could look at; leave it out (it is for "
            f"{', '.join(SCORED)})"
        )
    if isinstance(min_score, bool) or not isinstance(min_score, (int, float)) or not 0 <= min_score <= 1:
        raise DataError(f"{path}: min_score={min_score!r}; give a number from 0 to 1")
    return SCORED[format](path, min_score)


IN_PACKAGE: dict[str, Callable[[], ClipStore]] = {"synthetic": synthetic, "ui-prmd": ui_prmd}  # opened by these words


def open(
    path: str | Path,
    format: str | None = None,
    unit: str | float | None = None,
    up: str | None = None,
    min_score: float | None = None,
) -> ClipStore:
    """Open clips of any known format. A store opens as memory maps, anything else is read into memory.

    path    a file or folder; where none is called so, also "ui-prmd" (the recordings in the package) or "synthetic"
    format  a key of `READERS` where the path's own look is misleading
    unit    of the file's lengths: "m", "cm", "mm", "inch", or the meters in one unit; None: what the file says, or a guess
    up      the file's axis that points up: "x", "y", "z", "-x", "-y", "-z"; None: what the file says, or the format's usual one
    min_score  a joint whose score (confidence, likelihood, visibility) is lower was not seen, 0 to 1; None: 0.3. For the formats
            in `SCORED` alone

    Clips are in meters with y up. Warns where a body cannot be: too small or large, upside down, lying all the time.
    Raises DataError, naming the file, the place in it and the remedy.
    """
    if path in IN_PACKAGE and not Path(path).exists() and (format, unit, up, min_score) == (None, None, None, None):
        return IN_PACKAGE[str(path)]()
    path = Path(path).expanduser()
    with _without_remarks():
        known = format or recognise(path)
        if format is None and known == "store":
            if unit is not None or up is not None or min_score is not None:
                raise DataError(f"{path}: is a store already; give unit=, up= and min_score= where its source is converted")
            return writing.open_folder(path)
        return _looked_at(building.build(units.said(_source(path, known, min_score), unit, up)))


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Without NumPy's warnings about damaged headers and numbers too large for float32: we refuse both, with their place."""
    with np.errstate(over="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Reading `.npy`")
        warnings.filterwarnings("ignore", category=SyntaxWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning, message="invalid escape sequence")  # before Python 3.12
        yield


def _looked_at(store: ClipStore) -> ClipStore:
    """The store; warns where its bodies cannot be."""
    if why := units.impossible(store):
        warn(why)
    return store


def from_markers(path: str | Path, skeleton: Skeleton, unit: str | float | None = None, up: str | None = None) -> ClipStore:
    """Open markers of `.c3d` or `.trc` files (one, a folder or a zip) as a body that the caller gives.

    skeleton  its names are those of the markers that are wanted; other markers are left out
    unit, up  as in `open`
    Raises DataError.
    """
    path = Path(path).expanduser()
    format = recognise(path)
    if format not in MARKERS:
        raise DataError(f"{path}: format '{format}' holds no markers; use data.open(path)")
    with _without_remarks():
        return _looked_at(building.build(units.said(MARKERS[format](path, skeleton), unit, up)))


def convert(
    source: str | Path,
    destination: str | Path,
    format: str | None = None,
    dtype: str = "float32",
    progress: bool = True,
    unit: str | float | None = None,
    up: str | None = None,
    on_error: str = "raise",
    min_score: float | None = None,
) -> ClipStore:
    """Stream any known format into a memory-mapped store folder and open it.

    dtype     "float32", or "float16" for half the space (positions then hold about a millimetre at 2 m)
    progress  a bar, where it takes longer than a second
    unit, up, min_score  as in `open`
    on_error  "raise": the first bad clip ends the conversion; "skip": bad clips are left out, and listed with the reason in
              skipped.csv in the store's folder

    A conversion that was interrupted goes on where it was, if the source is still the same. Raises DataError; then nothing is
    left at the destination.
    """
    if dtype not in ("float32", "float16"):
        raise DataError(f"{destination}: a store is float32 or float16, not {dtype}")
    if on_error not in ("raise", "skip"):
        raise DataError(f"{destination}: on_error={on_error!r}; give 'raise' or 'skip'")
    if source in IN_PACKAGE and not Path(source).exists():
        raise DataError(f"{source}: is in the package and needs no conversion; data.export(data.open('{source}'), …) writes it")
    source, destination = Path(source).expanduser(), Path(destination).expanduser()
    with _without_remarks():
        format = format or recognise(source)
        if format == "store":
            raise DataError(f"{source}: is a store already; data.open(…), then data.export(store, destination) for another one")
        asked = "" if (unit, up, on_error) == (None, None, "raise") else f" {unit} {up} {on_error}"
        asked += "" if min_score is None else f" {min_score}"
        key = f"{files.identity(source)} {format} {dtype} {writing.VERSION}{asked}" if source.exists() else ""
        read = units.said(_source(source, format, min_score), unit, up)
        if on_error == "skip":
            read = skipping.skipping(read)
        writing.write(read, destination, dtype, key, progress)
        if read.skipped:
            print(f"{destination}: {len(read.skipped)} skipped, listed in skipped.csv there; the first: {read.skipped[0]}")
        return _looked_at(writing.open_folder(destination))
