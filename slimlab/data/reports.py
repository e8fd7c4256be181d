"""What is in a set, and which of its clips deserve a look before anything is trained on them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from slimlab.data.errors import DataError
from slimlab.data.ghosts import why_ghost
from slimlab.data.readers import units
from slimlab.data.store import Clip, ClipStore

# A clip is worth a look from here. Of UTD-MHAD's and UI-PRMD's Kinect clips 99 % have a jitter below 0.010 and 0.019 m and a
# variation of bone lengths below 0.134 and 0.066; none repeats a frame. Where a whole set is above that, as slimlab's synthetic
# clips are in jitter (median 0.03 m), its own outliers are worth the look: see `_limit`.
FROZEN = 0.3  # part of the frames that repeat the one before to the last digit
USUAL = {
    "jitter": 0.03,  # metres, median of the second difference of joints' places
    "bones": 0.15,  # variation of bone lengths over time, sd over mean, median over bones
}
FEW = 20  # clips; fewer have no outliers of their own


@dataclass(frozen=True)
class Report:
    """table: a line per clip; summary: one line per fact, columns "what" and "value"; look_at: lines of `table` with a reason;
    limits: column -> value from which a clip is worth a look.

    Columns of table: those of store.table and
    empty_frames  frames in which nobody is there
    frozen        part of a person's frames that are identical to the frame before
    jitter        metres: median over joints and frames of |x(t+1) - 2 x(t) + x(t-1)|; grows with speed too. An unseen joint
                  (0 0 0) counts neither here nor in bones
    bones         sd over mean of a bone's length over time, median over bones, the worst person's
    ghosts        people that look like none, and why
    copies        another clip with the very same coordinates
    reasons       why the clip is worth a look; empty: no reason found
    """

    table: pd.DataFrame
    summary: pd.DataFrame
    limits: dict[str, float]

    @property
    def look_at(self) -> pd.DataFrame:
        return self.table.loc[self.table["reasons"] != ""]

    def __repr__(self) -> str:
        wide = self.summary.to_string(index=False, header=False)
        return f"Report({len(self.table)} clips, {len(self.look_at)} to look at)\n{wide}"


def report(store: ClipStore) -> Report:
    """Lengths, classes, subjects, cameras, and every clip's faults. Reads each clip once; the store is not changed.

    Raises DataError where the store holds no clips.
    """
    if not len(store):
        raise DataError(f"{store.source}: holds no clips, so there is nothing to report; choose clips that are there")
    table = store.table.copy()
    found = pd.DataFrame([_faults(clip, store) for clip in store])
    table = pd.concat([table, found], axis=1)
    table["copies"] = _copies(store)
    limits = {"frozen": FROZEN} | {column: _limit(table[column].to_numpy(), usual) for column, usual in USUAL.items()}
    reasons = {
        **{column: table[column] > limit for column, limit in limits.items()},
        "ghosts": table["ghosts"] != "",
        "copy": table["copies"] != "",
    }
    words = [" ".join(name for name, hit in reasons.items() if hit.iloc[i]) for i in range(len(table))]
    table["reasons"] = [f"{f} {w}".strip() for f, w in zip(table["flags"], words, strict=True)]
    return Report(table, _summary(store, table, limits), limits)


def _limit(values: np.ndarray, usual: float) -> float:
    """`usual`; where a quarter of the set is above it, the set's own upper fence: third quartile times (third / first) ** 1.5,
    Tukey's rule for logarithms."""
    if len(values) < FEW:
        return usual
    first, third = np.quantile(np.maximum(values, 1e-9), [0.25, 0.75])
    return float(third * (third / first) ** 1.5) if third > usual else usual


def _faults(clip: Clip, store: ClipStore) -> dict[str, object]:
    people = [clip.joints[clip.valid[:, m], m] for m in range(clip.valid.shape[1]) if clip.valid[:, m].any()]
    why = [f"person {m}: {w}" for m, x in enumerate(people) if (w := why_ghost(x, len(clip.joints)))]
    steps = [np.diff(x, axis=0) for x in people if len(x) > 1]  # (T - 1, V, 3)
    still = [~s.any(axis=(1, 2)) for s in steps]
    turns = [_turns(x) for x in people if len(x) > 2]
    return {
        "empty_frames": int((~clip.valid.any(axis=1)).sum()),
        "frozen": float(np.concatenate(still).mean()) if still else 0.0,
        "jitter": float(np.median(np.concatenate(turns))) if sum(map(len, turns)) else 0.0,
        "bones": max((_bone_variation(x, store) for x in people), default=0.0),
        "ghosts": ", ".join(why),
    }


def _turns(x: np.ndarray) -> np.ndarray:
    """(n,) metres: |x(t+1) - 2 x(t) + x(t-1)| of every joint that all three frames show."""
    seen: np.ndarray = np.any(x, axis=2)
    return np.linalg.norm(np.diff(np.diff(x, axis=0), axis=0), axis=2)[seen[2:] & seen[1:-1] & seen[:-2]]


def _bone_variation(x: np.ndarray, store: ClipStore) -> float:
    """x (T, V, 3), the frames in which one person is there."""
    if not store.skeleton.bones:
        return 0.0
    parents, joints = np.array(store.skeleton.bones).T
    length = np.linalg.norm(x[:, joints] - x[:, parents], axis=2)  # (T, bones)
    seen: np.ndarray = np.any(x, axis=2)
    both = seen[:, joints] & seen[:, parents]
    whole = both.all(axis=0)
    mean, sd = length.mean(axis=0), length.std(axis=0)
    for bone in np.flatnonzero(~whole):  # over the frames that show both ends
        known = length[both[:, bone], bone]
        mean[bone], sd[bone] = (known.mean(), known.std()) if len(known) else (0, 0)
    return float(np.median(sd[mean > 0] / mean[mean > 0])) if mean.any() else 0.0


def _copies(store: ClipStore) -> list[str]:
    """For each clip the name of another with the same digest, or ""."""
    names, digests = store.column("clip"), store.recordings()
    first: dict[str, int] = {}
    copies = [""] * len(store)
    for i, digest in enumerate(digests):
        j = first.setdefault(digest, i) if digest else i
        if j != i:
            copies[i], copies[j] = str(names[j]), copies[j] or str(names[i])
    return copies


def _summary(store: ClipStore, table: Any, limits: dict[str, float]) -> pd.DataFrame:
    frames = table["frames"]
    facts: list[tuple[str, object]] = [
        ("clips", len(table)),
        ("frames a clip", f"{frames.min()} to {frames.max()}, median {frames.median():.0f}"),
        ("joints", len(store.skeleton)),
        ("clips with two people or more", int((table["people"] > 1).sum())),
    ]
    for column, what in (("label", "classes"), ("subject", "subjects"), ("camera", "cameras"), ("setup", "setups")):
        counts = table.loc[table[column] >= 0, column].value_counts()
        spread = f"{len(counts)}, {counts.min()} to {counts.max()} clips each" if len(counts) else "unknown"
        facts.append((what, spread))
    for note in store.notes:
        what, _, value = note.partition(": ")
        facts.append((what, value))
    body = units.body_of(store)
    if body is not None:
        facts.append(("height from head to foot along the bones, median (m)", f"{body['height']:.2f}"))
        facts.append(
            (
                "heads above feet",
                {"y": "along y, as they should be", "": "in no one direction"}.get(body["up"], f"along {body['up']}"),
            )
        )
    if why := units.impossible(store):
        facts.append(("no body can be so", why))
    facts += [(f"flag '{flag}'", n) for flag, n in table["flags"].str.split().explode().value_counts().items()]
    facts += [
        ("clips with frames of nobody", int((table["empty_frames"] > 0).sum())),
        ("frozen: part of the frames, median", f"{table['frozen'].median():.3f}"),
        ("jitter, median (mm)", f"{1000 * table['jitter'].median():.1f}" + _worth("jitter", limits, 1000)),
        ("bone-length variation, median", f"{table['bones'].median():.3f}" + _worth("bones", limits)),
        ("clips with a ghost", int((table["ghosts"] != "").sum())),
        ("clips that another one copies", int((table["copies"] != "").sum())),
    ]
    for column in ("camera", "subject", "split"):
        pairs = _shared(table, store.recordings(), column)
        if pairs:
            facts.append((f"clips copied across {column}s", pairs))
    facts.append(("clips to look at", int((table["reasons"] != "").sum())))
    return pd.DataFrame(facts, columns=["what", "value"])


def _worth(column: str, limits: dict[str, float], factor: float = 1) -> str:
    limit, usual = factor * limits[column], factor * USUAL[column]
    if limit == usual:
        return f"; worth a look above {limit:.4g}"
    return f"; worth a look above {limit:.3g}, this set's own outliers: a quarter of it is above the usual {usual:.3g}"


def _shared(table: pd.DataFrame, recordings: np.ndarray, column: str) -> str:
    """How many recordings two values of a column share: "1-3: 12"; "" where none."""
    known = table.assign(recording=recordings)[(recordings != "") & (table[column] != (-1 if column != "split" else ""))]
    groups = {value: set(rows["recording"]) for value, rows in known.groupby(column)}
    shared = {f"{a}-{b}": len(groups[a] & groups[b]) for a, b in combinations(groups, 2)}
    return ", ".join(f"{pair}: {n}" for pair, n in shared.items() if n)
