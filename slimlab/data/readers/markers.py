"""Bodies of markers: known sets have a tree, others need one from the caller.

Plug-in Gait's names: Vicon, "Plug-in Gait Reference Guide" (https://docs.vicon.com/display/Nexus216/Plug-in+Gait+Reference+Guide).
The set of Pose2Sim's `.trc` files is HALPE_26 with its names (https://github.com/perfanalytics/pose2sim).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slimlab.data.building import Source
from slimlab.data.errors import DataError
from slimlab.data.readers import files, units
from slimlab.data.readers.recordings import Recording, source
from slimlab.data.readers.units import head_and_feet
from slimlab.skeleton import Skeleton

UNITS = {"m": 1.0, "meter": 1.0, "meters": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "inch": 0.0254, "inches": 0.0254}

_SIDE = {
    "SHO": "C7", "UPA": "SHO", "ELB": "SHO", "FRM": "ELB", "WRA": "ELB", "WRB": "ELB", "FIN": "WRA",
    "THI": "ASI", "KNE": "ASI", "TIB": "KNE", "ANK": "KNE", "HEE": "ANK", "TOE": "ANK", "BHD": "C7", "FHD": "BHD",
}  # fmt: skip
_PARTS = {"arm": "SHO UPA ELB FRM WRA WRB FIN".split(), "leg": "THI KNE TIB ANK HEE TOE".split()}
_TRUNK = {"SACR": "", "LPSI": "", "RPSI": "LPSI", "LASI": "LPSI", "RASI": "RPSI", "T10": "LPSI", "C7": "T10", "CLAV": "C7",
          "STRN": "T10", "RBAK": "T10"}  # fmt: skip
PLUG_IN_GAIT = _TRUNK | {f"{s}{n}": (p if p == "C7" else f"{s}{p}") for s in "LR" for n, p in _SIDE.items()}
POSE2SIM = {
    "Hip": "", "Neck": "Hip", "Head": "Neck", "Nose": "Head",
    **{f"{s}{n}": (p if p in ("Hip", "Neck") else f"{s}{p}") for s in "LR" for n, p in {
        "Hip": "Hip", "Knee": "Hip_", "Ankle": "Knee", "BigToe": "Ankle", "SmallToe": "Ankle", "Heel": "Ankle",
        "Shoulder": "Neck", "Elbow": "Shoulder", "Wrist": "Elbow"}.items()},
}  # fmt: skip
POSE2SIM |= {f"{s}Knee": f"{s}Hip" for s in "LR"}
KNOWN = {"Plug-in Gait": PLUG_IN_GAIT, "Pose2Sim": POSE2SIM}
NEEDED = {"Plug-in Gait": ("LASI", "RASI"), "Pose2Sim": ("Hip", "Neck")}  # without these it is another set
FEWEST, PART = 8, 0.6  # markers of a known set, and their part of all named ones


@dataclass(frozen=True)
class Markers:
    """One file's markers. x (T, V, 3) in the file's unit, NaN where not seen; unit: a key of UNITS; up: "" where not said."""

    labels: list[str]
    x: np.ndarray
    fps: float
    unit: str
    up: str = ""


def read(
    path: str | Path,
    ending: str,
    parse: Callable[[files.File, bytes], Markers],
    skeleton: Skeleton | None,
    usual: tuple[str, str],
    said: str = "",
) -> Source:
    """A file, a folder or a zip of files with one set of markers.

    skeleton  the tree, where the set is not known
    usual     the up axis where neither the file nor the first body tells, and why that one
    said      how a file says it, for the note

    All files are turned by what the first one tells. Raises DataError.
    """
    up, how = "", ""

    def recording(file: files.File, raw: bytes) -> Recording:
        nonlocal up, how
        found = parse(file, raw)
        of, places = body(found.labels, file.place, skeleton)
        x = found.x[:, places]
        if not up:
            seen = "" if found.up else axis_up(of, x)
            up = found.up or seen or usual[0]
            how = said if found.up else "seen from head and feet" if seen else usual[1]
        scale = UNITS[found.unit]
        notes = (f"unit: {found.unit}, from the file", f"up: {up}, {how}")
        return Recording(units.turned(x * scale, up)[:, None], of, found.fps, scale, up, notes)

    return source(path, files.find(path, ending), recording)


def plain(label: str) -> str:
    """A marker's name without its subject: "Anna:LASI" is "LASI"."""
    return label.rsplit(":", 1)[-1].strip()


def body(labels: list[str], place: str, given: Skeleton | None = None) -> tuple[Skeleton, list[int]]:
    """(body, for each of its joints the marker's place in `labels`). Raises DataError where the markers are no known set."""
    names = [plain(n) for n in labels]
    if given is not None:
        missing = [n for n in given.names if n not in names and n not in labels]
        if missing:
            raise DataError(f"{place}: no markers {', '.join(missing[:6])}; it has {', '.join(names[:40])}; name these")
        return given, [labels.index(n) if n in labels else names.index(n) for n in given.names]
    named = [n for n in names if n and not n.startswith("*")]
    for known, tree in KNOWN.items():
        upper = {n.upper(): n for n in tree}
        places = {upper[n.upper()]: i for i, n in reversed(list(enumerate(names))) if n.upper() in upper}
        if (
            set(NEEDED[known]) <= set(places)
            and len(places) >= FEWEST
            and len(places) >= PART * len(named)
            and (made := _tree(places, tree))
        ):
            return made
    raise DataError(
        f"{place}: {len(names)} markers ({', '.join(names[:40])}) are no set whose bones slimlab knows "
        f"({', '.join(KNOWN)}); say which marker hangs from which: data.from_markers(path, "
        "slimlab.skeleton.Skeleton(names, parents)), where names are those markers that you want and parents their indices, "
        "-1 at the root"
    )


def _tree(places: dict[str, int], tree: dict[str, str]) -> tuple[Skeleton, list[int]] | None:
    """The part of a known tree whose markers are there; None where it falls apart."""
    names = [n for n in tree if n in places]

    def above(name: str) -> str:
        name = tree[name]
        while name and name not in places:
            name = tree[name]
        return name

    root = next((n for n in names if not above(n)), None)
    parents = [-1 if n == root else names.index(above(n) or str(root)) for n in names]
    mirror = [(names.index(n), names.index("R" + n[1:])) for n in names if n[0] == "L" and "R" + n[1:] in names]
    try:
        if tree is not PLUG_IN_GAIT:
            return Skeleton(names, parents), [places[n] for n in names]
        parts: dict[str, list[int]] = {"trunk": [i for i, n in enumerate(names) if n[1:] not in _PARTS["arm"] + _PARTS["leg"]]}
        for limb, of in _PARTS.items():
            for side in ("left", "right"):
                parts[f"{side} {limb}"] = [i for i, n in enumerate(names) if n[1:] in of and n[0] == side[0].upper()]
        found = {k: v for k, v in parts.items() if v}
        return Skeleton(names, parents, parts=found, mirror=mirror), [places[n] for n in names]
    except ValueError:
        return None


def axis_up(skeleton: Skeleton, x: np.ndarray) -> str:
    """The axis along which head or pelvis stand above the feet, such as "-z"; "" where not clear. x (T, V, 3), NaN unseen."""
    found = head_and_feet(skeleton)
    upper = [found[0]] if found else [i for i, n in enumerate(skeleton.names) if n[1:] in ("ASI", "PSI") or n in ("SACR", "C7")]
    feet = found[1] if found else [i for i, n in enumerate(skeleton.names) if n[1:] in ("ANK", "HEE", "TOE")]
    if not upper or not feet:
        return ""
    told: np.ndarray = np.all(np.isfinite(x), axis=2)  # (T, V)
    x = x[told[:, upper].any(axis=1) & told[:, feet].any(axis=1)]
    if not len(x):
        return ""
    with np.errstate(over="ignore", invalid="ignore"):  # of absurd places, which are refused later
        x = x.astype(np.float64)
        rise = np.nanmean(x[:, upper], axis=1) - np.nanmean(x[:, feet], axis=1)
        rise = rise[np.isfinite(rise).all(axis=1)]
        if not len(rise):
            return ""
        middle = np.median(rise, axis=0)
        axis = int(np.argmax(np.abs(middle)))
        if not middle.any() or not abs(middle[axis]) >= 0.8 * np.linalg.norm(middle):
            return ""
    return ("-" if middle[axis] < 0 else "") + "xyz"[axis]
