"""`open` and `convert`: recognise what a path holds and read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from slimlab.data import building, writing
from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import arrays, bvh, files, ntu_npz, ntu_skeleton, pku_mmd, pyskl, ragged, tables, ucla, utd_mhad
from slimlab.data.readers.npz import Npz
from slimlab.data.store import ClipStore

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
}
ONE_FILE = {r".*\.pkl": "pyskl", r".*\.csv": "csv", r".*\.npy": "npy"}  # formats whose files are opened one by one
PATTERNS = {  # of file names, single or in a folder or a zip
    r".*\.mat": "utd-mhad",
    r".*\.skeleton": "ntu-skeleton",
    r"a\d+_s\d+_e\d+_v\d+\.json": "ucla",
    r".*\d-[LMR]\.txt": "pku-mmd",
    r".*\.bvh": "bvh",
    r"(train|val|test)_data(_joint)?\.npy": "npy",
}
KNOWN = (
    "a slimlab store, a ragged .npz (joints, frame_offsets, …), an NTU .npz (x_train, y_train, …), "
    "a pyskl .pkl, NTU RGB+D .skeleton files, NW-UCLA .json files, PKU-MMD .txt files, "
    "ST-GCN's .npy files with their label.pkl, .bvh, .csv and .npy files, "
    "UTD-MHAD *_skeleton.mat files (one, a folder or a .zip of them); "
    "see data/README.md"
)


def recognise(path: Path) -> str:
    """The format's name: "store" or a key of READERS. Raises DataError, listing what is known."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; give the path of {KNOWN}")
    if path.is_dir() and (path / "store.json").exists():
        return "store"
    if path.suffix == ".npz":
        npz = Npz(path)
        if "joints" in npz and "frame_offsets" in npz:
            return "ragged"
        if "x_train" in npz or "x_test" in npz:
            return "ntu-npz"
        raise DataError(f"{path}: holds the arrays {', '.join(npz.shapes) or '(none)'}; slimlab reads {KNOWN}")
    for pattern, format in ONE_FILE.items():
        if path.is_file() and re.fullmatch(pattern, path.name):
            return format
    names = {f.name for f in files.find(path, "")}
    formats = sorted({format for pattern, format in PATTERNS.items() if any(re.fullmatch(pattern, n) for n in names)})
    if len(formats) == 1:
        return formats[0]
    if formats:
        raise DataError(f"{path}: holds files of several formats ({', '.join(formats)}); give format=, or a folder of one")
    what = "this folder holds no clips that slimlab knows" if path.is_dir() else "unknown format"
    raise DataError(f"{path}: {what}; slimlab reads {KNOWN}")


def _source(path: Path, format: str) -> Source:
    if format not in READERS:
        raise DataError(f"{path}: format '{format}' is unknown; choose one of {', '.join(READERS)}")
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    return READERS[format](path)


def open(path: str | Path, format: str | None = None) -> ClipStore:
    """Open clips of any known format. A store opens as memory maps, anything else is read into memory.

    format  a key of `READERS` where the path's own look is misleading
    Raises DataError, naming the file, the place in it and the remedy.
    """
    path = Path(path).expanduser()
    if format is None and recognise(path) == "store":
        return writing.open_folder(path)
    return building.build(_source(path, format or recognise(path)))


def convert(
    source: str | Path, destination: str | Path, format: str | None = None, dtype: str = "float32", progress: bool = True
) -> ClipStore:
    """Stream any known format into a memory-mapped store folder and open it.

    dtype     "float32", or "float16" for half the space (positions then hold about a millimetre at 2 m)
    progress  a bar, where it takes longer than a second

    A conversion that was interrupted goes on where it was, if the source is still the same. Raises DataError; then nothing is
    left at the destination.
    """
    if dtype not in ("float32", "float16"):
        raise DataError(f"{destination}: a store is float32 or float16, not {dtype}")
    source, destination = Path(source).expanduser(), Path(destination).expanduser()
    format = format or recognise(source)
    if format == "store":
        raise DataError(f"{source}: is a store already; data.open(…), then data.export(store, destination) for another one")
    key = f"{files.identity(source)} {format} {dtype} {writing.VERSION}" if source.exists() else ""
    writing.write(_source(source, format), destination, dtype, key, progress)
    return writing.open_folder(destination)
