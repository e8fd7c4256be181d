"""Tables with named columns, as pandas or `.csv`: a row per joint (long), per person and frame (wide), or per frame with
`x y z` in a joint's cell.

long  clip, frame, joint, x, y, z; optional person, parent (the joint's parent by name, empty at the root)
wide  clip, frame, <joint>_x, <joint>_y, <joint>_z, …; optional person
cell  <joint>, …, each "x y z" (one clip, a row a frame)
Any of label (text or integers from 0), subject, camera, setup, split may be there too, the same in all rows of a clip. Without
`clip` the table is one clip. Capitals make no difference in the names of columns and in `_X`, `_Y`, `_Z`.
Metres, y up; what is empty or absent is a joint that was not seen. The body is found by the joints'
names among the declared ones, or from `parent`, or is given to `from_table`. The rows of a clip stand together.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimlab.data.building import Block, Source, build
from slimlab.data.errors import DataError
from slimlab.data.readers import units
from slimlab.data.store import ClipStore
from slimlab.skeleton import DECLARED, Skeleton, declared
from slimlab.skeleton.matching import match_joints

ROWS_AT_A_TIME = 200_000
CELLS_AT_A_TIME = 20_000_000
SPARSE = 20  # frame numbers to one that has a row
LARGEST = 1 << 26  # bytes of one clip as float64
LONGEST, MOST_PEOPLE = 1_000_000, 64
ABOUT = ("subject", "camera", "setup", "split")
REMEDY = "use data.from_table(table, skeleton=slimlab.skeleton.Skeleton(names, parents))"


def from_table(
    table: pd.DataFrame,
    skeleton: Skeleton | None = None,
    fps: float | None = None,
    unit: str | float | None = None,
    up: str | None = None,
) -> ClipStore:
    """A store from a DataFrame of one of the forms above; unit and up as in `data.open`. Raises DataError, naming the column or
    the clip."""
    table = table.set_axis(usual([str(c) for c in table.columns]), axis=1)
    return build(units.said(_source([table], table.columns, _labels(table), "table", "table", skeleton, fps), unit, up))


def read(path: str | Path) -> Source:
    """One `.csv` (comma, semicolon or tab): first its labels and joints, then all in parts. Raises DataError."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: a .csv is read one at a time; join the tables, with a column 'clip'")
    try:
        with open(path, encoding="utf-8") as file:
            line, second = file.readline(1 << 20), file.readline(1 << 20)
        separator = max(",;\t", key=line.count)
        names = usual([c.strip() for c in line.rstrip("\r\n").split(separator)])
        kinds = dict.fromkeys(("clip", "joint", "parent", "label", "split"), str)
        empty = {c: ["", "NA", "NaN", "nan", "null", "None"] for c in names if c not in kinds}  # a clip may be called "NA"

        def parts() -> Iterator[pd.DataFrame]:
            first = next(csv.reader([second], delimiter=separator), [])
            extra = [""] if len(first) == len(names) + 1 and first[-1] == "" else []  # lines that end with a separator
            form: Any = {
                "sep": separator,
                "names": names + extra,
                "header": 0,
                "dtype": kinds,
                "keep_default_na": False,
                "na_values": empty,
                "index_col": False,
                "usecols": names,
            }
            reader: Any
            with pd.read_csv(path, chunksize=max(100, min(ROWS_AT_A_TIME, CELLS_AT_A_TIME // len(names))), **form) as reader:  # pyright: ignore[reportGeneralTypeIssues]
                while True:
                    with warnings.catch_warnings():
                        warnings.simplefilter("error")  # lines longer than the first would lose what they have too much
                        part = next(reader, None)
                    if part is None:
                        return
                    yield part

        few = [c for c in names if c in ("label", "joint", "parent")]
        seen: Any = pd.concat([p[few].drop_duplicates() for p in parts()]).drop_duplicates() if few else pd.DataFrame()
    except DataError:
        raise
    except Exception as error:  # whatever a damaged file provokes in pandas
        text = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: no readable table ({text}); write it again") from error
    return _source(parts(), names, _labels(seen), str(path), path.stem, None, None, seen)


def usual(columns: list[str]) -> list[str]:
    """Columns in slimlab's case: `Frame` is `frame`, `Head_X` is `Head_x`; as they are where that would make two alike."""
    fixed = {"clip", "frame", "person", "joint", "parent", "label", "x", "y", "z", *ABOUT}
    out = [c.lower() if c.lower() in fixed else c[:-1] + c[-1].lower() if c[-2:] in ("_X", "_Y", "_Z") else c for c in columns]
    return out if len(set(out)) == len(out) else columns


def _labels(table: pd.DataFrame) -> list[str] | None:
    """Names of the classes where labels are text, sorted; none where they are integers."""
    if "label" not in table:
        return None
    given = sorted({str(v) for v in table["label"].dropna()} - {""})
    return None if all(v.lstrip("-").isdigit() for v in given) else given


def _source(parts: Iterable[pd.DataFrame], columns, labels, place, stem, skeleton, fps, seen=None) -> Source:
    columns = [str(c) for c in columns]
    parts = iter(parts)
    if "joint" in columns:
        missing = [c for c in ("frame", "x", "y", "z") if c not in columns]
        if missing:
            raise DataError(f"{place}: column{'s' * (len(missing) > 1)} {', '.join(missing)} missing beside 'joint'")
        if seen is None:
            parts = iter(whole := list(parts))
            seen = pd.concat(whole)
        known = dict(zip(seen["joint"], seen["parent"] if "parent" in seen else [None] * len(seen), strict=True))
        joints, parents = [str(j) for j in known], known if "parent" in seen else None
    else:
        joints = [c[:-2] for c in columns if c.endswith("_x") and {f"{c[:-2]}_y", f"{c[:-2]}_z"} <= {*columns}]
        joints = joints or [c for c in columns if c not in ("clip", "frame", "person", "label", *ABOUT)]
        parents = None
    body, order = _body(joints, parents, place, skeleton)
    return Source(place, body, _blocks(parts, columns, [joints[i] for i in order], labels, place, stem), tuple(labels or ()), fps)


def _body(joints: list[str], parents: dict | None, place: str, skeleton: Skeleton | None) -> tuple[Skeleton, list[int]]:
    """(body, for each of its joints the place in `joints`)."""
    if not joints or len(set(joints)) != len(joints) or len(joints) > 1000:
        raise DataError(f"{place}: no columns of joints; see data/README.md, tables")
    if skeleton is not None or parents is None:
        here = Skeleton(joints, range(-1, len(joints) - 1), parts={"all": range(len(joints))}, mirror=())  # for its names alone
        for body in [skeleton] if skeleton is not None else DECLARED:
            found = match_joints(body, here)
            if len(body) == len(joints) and sorted(i for i in found if i is not None) == list(range(len(joints))):
                return body, [i for i in found if i is not None]
        names = ", ".join(joints[:6])
        raise DataError(f"{place}: {len(joints)} joints ({names}, …) are no declared body's and no 'parent' tells; {REMEDY}")
    try:
        places = [-1 if p is None or p != p or p == "" else joints.index(str(p)) for p in parents.values()]
        return declared(Skeleton(joints, places)), list(range(len(joints)))
    except ValueError as error:
        raise DataError(f"{place}: column 'parent': {error}") from error


def _blocks(parts: Iterator[Any], columns: list[str], joints: list[str], labels, place: str, stem: str):
    """A block per part, of the clips that end in it; the last clip waits for more."""
    rest: Any = pd.DataFrame()
    try:
        for part in parts:
            part = part.rename(columns=str)
            part = pd.concat([rest, part], ignore_index=True) if len(rest) else part.reset_index(drop=True)
            if "clip" not in part or (part["clip"] == part["clip"].iloc[0]).all():
                rest = part
                if len(rest) * len(columns) * 8 > 4 * LARGEST:
                    raise DataError(f"{place}: a clip of more than {len(rest):,} rows; split it, or give a column 'clip'")
                continue
            last = part["clip"] == part["clip"].iloc[-1]
            rest = part[last]
            if not last.all():
                yield _block(part[~last], columns, joints, labels, place, stem)
        if len(rest):
            yield _block(rest, columns, joints, labels, place, stem)
    except DataError:
        raise
    except Exception as error:  # text where numbers should be, lines of another width, …
        text = " ".join(str(error).split())[:200]
        raise DataError(f"{place}: no sound table ({text}); see data/README.md, tables") from error


def _block(part: Any, columns: list[str], joints: list[str], labels: list[str] | None, place: str, stem: str) -> Block:
    clips, frames, table = [], [], {}
    for name, rows in [(stem, part)] if "clip" not in columns else part.groupby("clip", sort=False, dropna=False):
        clips.append(str(name))
        frames.append(_frames(rows, columns, joints, f"{place}: clip '{name}'"))
        for column in [c for c in ("label", *ABOUT) if c in columns]:
            value: Any = rows[column].iloc[0]
            if rows[column].nunique(dropna=False) != 1:
                raise DataError(f"{place}: clip '{name}' has several values of '{column}'; give one per clip")
            if column == "label":
                value = -1 if value != value or value == "" else labels.index(str(value)) if labels is not None else int(value)
            elif column == "split":
                value = "" if value != value else str(value)
            else:
                value = -1 if value != value else int(value)
            if column != "split" and not -1 <= value < 1 << 31:
                raise DataError(f"{place}: clip '{name}': '{column}' is {value}; give a small integer, or leave it empty")
            table.setdefault(column, []).append(value)
    people = max(f.shape[1] for f in frames)
    padded = [np.pad(f, ((0, 0), (0, people - f.shape[1]), (0, 0), (0, 0))) for f in frames]
    return Block(np.concatenate(padded), np.cumsum([0, *map(len, frames)]), {"clip": clips, **table})


def _frames(rows: pd.DataFrame, columns: list[str], joints: list[str], place: str) -> np.ndarray:
    """(T, M, V, 3) of one clip."""
    given = rows["frame"].to_numpy(np.float64) if "frame" in columns else np.arange(len(rows))
    if not (np.abs(given) < 1e15).all() or (given != np.floor(given)).any():
        raise DataError(f"{place}: a frame number is no integer; number the frames 0, 1, 2, …")
    frame = (given - given.min()).astype(np.int64)
    if frame.max() > 1000 + SPARSE * len(np.unique(frame)):
        raise DataError(f"{place}: frame numbers run over {frame.max() + 1} frames, most without a row; are they times?")
    person = pd.factorize(rows["person"], sort=True)[0] if "person" in columns else np.zeros(len(rows), np.int64)
    if frame.max() >= LONGEST or person.min() < 0 or person.max() >= MOST_PEOPLE:
        raise DataError(f"{place}: {frame.max() + 1} frames, {person.max() + 1} people; at most {LONGEST:,} and {MOST_PEOPLE}")
    if (int(frame.max()) + 1) * (int(person.max()) + 1) * len(joints) * 24 > LARGEST:
        raise DataError(
            f"{place}: {frame.max() + 1} frames, {person.max() + 1} people, {len(joints)} joints: too large; split it"
        )
    if "joint" in columns:
        index = {j: i for i, j in enumerate(joints)}
        joint = np.array([index[str(j)] for j in rows["joint"]])
        key = (frame * MOST_PEOPLE + person) * len(joints) + joint
        values = rows[["x", "y", "z"]].to_numpy(np.float64)
    else:
        joint, key = slice(None), frame * MOST_PEOPLE + person
        if f"{joints[0]}_x" in columns:
            values = rows[[f"{j}_{a}" for j in joints for a in "xyz"]].to_numpy(np.float64).reshape(len(rows), -1, 3)
        else:
            cells = [str(v).split() for v in rows[joints].to_numpy().ravel()]
            values = np.array(cells, dtype=np.float64).reshape(len(rows), len(joints), 3)
    if len(np.unique(key)) != len(key):
        raise DataError(f"{place}: a frame and person stand in several rows; are two clips called alike, or 'person' missing?")
    out = np.zeros((int(frame.max()) + 1, int(person.max()) + 1, len(joints), 3))
    out[frame, person, joint] = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)  # empty: not seen
    return out
