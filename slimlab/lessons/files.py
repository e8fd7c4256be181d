"""For the lesson on one's own data: small files in the formats that people have, and checks of its exercises."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slimlab import data
from slimlab.data import Clip, ClipStore
from slimlab.data.building import Block, Source, build
from slimlab.lessons.asking import NotYet, attempt, expect, passed
from slimlab.skeleton import KINECT_V1, KINECT_V2, Skeleton
from slimlab.skeleton.matching import match_joints


def write_samples(store: ClipStore, folder: str | Path) -> dict[str, Path]:
    """Write the clips of a (small) store in every format that can hold them; format -> path.

    ragged, csv and bvh for any body; st-gcn (`train_data.npy`, `train_label.pkl`), ntu-skeleton, pyskl and pku-mmd for Kinect
    v2's joints; st-gcn and ucla for Kinect v1's, in any order. What a format cannot hold is left out. The folder must not exist.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    written = {"ragged": data.export(store, folder / "clips.npz"), "csv": data.export(store, folder / "clips.csv")}
    written["bvh"] = _bvh(store, folder / "bvh")
    kinect = KINECT_V2 if set(store.skeleton.names) == set(KINECT_V2.names) else KINECT_V1
    if len(store.skeleton) != len(kinect) or None in match_joints(kinect, store.skeleton):
        return written
    store = data.on_body(store, kinect)
    written["st-gcn"] = _st_gcn(store, folder / "st-gcn")
    if kinect is KINECT_V2:
        written["ntu-skeleton"] = _ntu_skeleton(store, folder / "nturgb+d_skeletons")
        written["pyskl"] = _pyskl(store, folder / "clips.pkl")
        written["pku-mmd"] = _pku_mmd(store, folder / "pku-mmd")
    else:
        written["ucla"] = _ucla(store, folder / "all_sqe")
    return written


def _st_gcn(store: ClipStore, folder: Path) -> Path:
    """(N, 3, T, V, M), zeros behind a clip's end, beside a pickled (names, labels)."""
    folder.mkdir()
    x = np.zeros((len(store), 3, int(store.column("frames").max()), len(store.skeleton), store.max_people), dtype=np.float32)
    for i, clip in enumerate(store):
        frames, people = clip.joints.shape[:2]
        x[i, :, :frames, :, :people] = clip.joints.transpose(3, 0, 2, 1)
    np.save(folder / "train_data.npy", x)
    names = [f"{name}.skeleton" for name in store.column("clip")]
    (folder / "train_label.pkl").write_bytes(pickle.dumps((names, store.labels.tolist())))
    return folder / "train_data.npy"


def _bvh(store: ClipStore, folder: Path) -> Path:
    """The first person's joints as position channels: the vector from the parent, in centimetres; no rotation."""
    folder.mkdir()
    s = store.skeleton
    for clip in store:
        bones = np.einsum("vw,twc->tvc", s.to_bones, clip.joints[:, 0]) * 100  # (T, V, 3)
        rest = bones[0].round(4)
        lines, depth = ["HIERARCHY"], 0
        for joint in s.order:
            above = 0 if s.parents[joint] < 0 else _depth(s, joint)
            lines += ["}"] * (depth - above)
            kind = "ROOT" if s.parents[joint] < 0 else "JOINT"
            offset = " ".join(map(str, rest[joint]))
            lines += [f"{kind} {s.names[joint]}", "{", f"OFFSET {offset}", "CHANNELS 3 Xposition Yposition Zposition"]
            depth = above + 1
        lines += ["}"] * depth + ["MOTION", f"Frames: {len(bones)}", f"Frame Time: {1 / (store.fps or 30):.6f}"]
        lines += [" ".join(f"{v:.5f}" for v in frame[list(s.order)].ravel()) for frame in bones]
        (folder / f"{clip.name}.bvh").write_text("\n".join(lines) + "\n")
    return folder


def _depth(skeleton: Skeleton, joint: int) -> int:
    return 0 if skeleton.parents[joint] < 0 else 1 + _depth(skeleton, skeleton.parents[joint])


def _ntu_skeleton(store: ClipStore, folder: Path) -> Path:
    """One text a recording, as NTU RGB+D is given out: frames, bodies, ten fields, 25, 25 lines of twelve."""
    folder.mkdir()
    for i, clip in enumerate(store):
        lines = [str(len(clip.joints))]
        for frame, there in zip(clip.joints, clip.valid, strict=True):
            lines.append(str(int(there.sum())))
            for m in np.flatnonzero(there):
                lines += [f"{72057594037931101 + m} 0 1 1 0 0 0 0.02 -0.1 2", "25"]
                lines += [" ".join(map(str, [*place, 0, 0, 0, 0, 0, 0, 0, 0, 2])) for place in frame[m]]
        (folder / f"{_ntu_name(store, i)}.skeleton").write_text("\n".join(lines) + "\n")
    return folder


def _ntu_name(store: ClipStore, i: int) -> str:
    setup, camera, subject = (max(0, int(store.column(c)[i])) for c in ("setup", "camera", "subject"))
    return f"S{setup:03d}C{camera:03d}P{subject:03d}R{i:03d}A{store.labels[i] + 1:03d}"


def _pyskl(store: ClipStore, path: Path) -> Path:
    entries = [
        {"frame_dir": c.name, "label": c.label, "total_frames": len(c.joints), "keypoint": c.joints.transpose(1, 0, 2, 3)}
        for c in store
    ]
    half = [c.name for c in store][::2]
    rest = [c.name for c in store][1::2]
    path.write_bytes(pickle.dumps({"split": {"train": half, "val": rest}, "annotations": entries}))
    return path


def _pku_mmd(store: ClipStore, folder: Path) -> Path:
    """One long recording, 150 numbers a frame, and the list of its actions: action,start,end,confidence."""
    (folder / "skeleton").mkdir(parents=True)
    (folder / "label").mkdir()
    rows, labels, start = [], [], 0
    for clip in store:
        frames, people = clip.joints.shape[:2]
        x = np.zeros((frames, 2, 25, 3), dtype=np.float32)
        x[:, :people] = clip.joints[:, :2]
        rows += [" ".join(map(str, frame)) for frame in x.reshape(frames, -1)]
        labels.append(f"{clip.label % 51 + 1},{start},{start + frames},1")
        start += frames
    (folder / "skeleton" / "0001-M.txt").write_text("\n".join(rows) + "\n")
    (folder / "label" / "0001-M.txt").write_text("\n".join(labels) + "\n")
    return folder


def _ucla(store: ClipStore, folder: Path) -> Path:
    folder.mkdir()
    for i, clip in enumerate(store):
        name = f"a01_s{max(0, int(store.column('subject')[i])):02d}_e{i:02d}_v01"
        text = json.dumps({"file_name": name, "skeletons": clip.joints[:, 0].tolist()})
        (folder / f"{name}.json").write_text(text)
    return folder


def alike(clip: Clip, other: Clip, within: float = 1e-4) -> bool:
    """Whether the first person of both moves alike: same frames, joints `within` metres."""
    a, b = clip.joints[:, 0], other.joints[:, 0]
    return a.shape == b.shape and bool(np.allclose(a, b, atol=within))


def check_trim(function: Callable[..., Any]) -> None:
    """Check function(x (3, T, V, M)) -> (T', M, V, 3): a padded clip without the zeros behind its last frame.

    Zero frames before the end are gaps and stay; the second person may be there last; of nothing but zeros one frame is kept.

    Raises:
        NotYet: What is wrong with the answer.
    """
    dice = np.random.default_rng(4)
    for last, gap, second in ((7, None, 0), (5, 2, 0), (10, 0, 0), (0, None, 0), (4, None, 9), (0, None, 6)):
        x = np.zeros((3, 10, 4, 2), dtype=np.float32)
        x[:, :last, :, 0] = dice.normal(size=(3, last, 4))
        x[:, second - 3 : second, :, 1] = dice.normal(size=(3, 3, 4)) if second else 0
        if gap is not None:
            x[:, gap] = 0
        begin, end = int(x.any(axis=(0, 2, 3)).argmax()), max(1, last, second)
        got = _array(attempt(function, x.copy()), "trim")
        expect(
            got.ndim == 4 and got.shape[1:] == (2, 4, 3),
            f"trim returned the shape {got.shape}: (T', M, V, 3) is asked for, here (T', 2, 4, 3); x.transpose moves axes.",
        )
        wanted = x.transpose(1, 3, 2, 0)[:end]
        expect(
            not gap or len(got) != len(wanted) - 1,
            "trim drops a frame of zeros in the middle: that is a gap, and without it all later frames come too early.",
        )
        expect(len(got) >= 1, "trim leaves no frame of a clip in which nobody is: keep one, so that the clip is not lost.")
        expect(
            not second or len(got) != max(1, last),
            "trim looks at the first person alone: a frame in which only the second one is there is used, too.",
        )
        expect(
            not begin or len(got) != end - begin,
            "trim drops the frames before somebody comes in: only the end is padding, and a clip begins at its first frame.",
        )
        expect(len(got) == end, f"trim leaves {len(got)} frames of a clip whose last used frame is number {end - 1}.")
        expect(np.allclose(got, wanted, atol=1e-6), "trim mixes up coordinates: the axes are 3, T, V, M and become T, M, V, 3.")
    passed("Trim: zeros behind the end are gone, gaps stay.", function)


def check_sides(function: Callable[..., Any]) -> None:
    """Check function(subjects (N,), digests (N,), held_out) -> (train, test), clip numbers: nobody and nothing on both sides.

    held_out subjects test, the others train; a training clip whose digest also tests is left out. An empty digest belongs to a
    clip without coordinates, which is nobody's copy.

    Raises:
        NotYet: What is wrong with the answer.
    """
    subjects = np.array([1, 1, 2, 3, 3, 4, 2, 4, 1, 2])
    digests = np.array(["a", "b", "c", "d", "a", "e", "e", "", "", "c"], dtype=object)
    for held_out in ([3, 4], [1], [2]):
        train, test = _sides(attempt(function, subjects.copy(), digests.copy(), list(held_out)))
        wanted_test = {i for i, s in enumerate(subjects) if s in held_out}
        expect(test == wanted_test, f"the test side is {sorted(test)}: all clips of the subjects {held_out}, and no other.")
        both = {int(subjects[i]) for i in train} & set(held_out)
        expect(not both, f"subject {min(both, default=0)} is on both sides: who tests does not train.")
        known = {digests[j] for j in test} - {""}
        copies = {i for i in train if digests[i] in known}
        expect(
            not copies,
            f"training clip {min(copies, default=0)} has the digest of a test clip: the very same coordinates are on both sides.",
        )
        wanted = {i for i in range(len(subjects)) if i not in test and digests[i] not in known}
        lost = wanted - train
        expect(
            not lost or any(digests[i] for i in lost),
            f"training clip {min(lost, default=0)} is left out for its empty digest: a clip of nobody is no copy of another.",
        )
        expect(train == wanted, f"the training side is {sorted(train)}: leave out copies of test clips and nothing else.")
    passed("Sides: no subject and no copy on both of them.", function)


def check_carry(function: Callable[..., Any]) -> None:
    """Check function(rows (V, D), names, new_names, parents) -> (V', D), rows of joints carried over to another body by name.

    A joint without a counterpart takes its parent's row, which may have been taken from a parent itself. Parents may come after
    their children.

    Raises:
        NotYet: What is wrong with the answer.
    """
    dice = np.random.default_rng(6)
    names = ["head", "hip", "left_hand", "right_hand", "chest"]
    bodies: tuple[tuple[list[str], list[int]], ...] = (
        (["hip", "chest", "head", "right_hand", "left_hand"], [-1, 0, 1, 1, 1]),  # another order
        (["hip", "chest", "neck", "head", "left_hand"], [-1, 0, 1, 2, 1]),  # a joint more, and one fewer
        (["left_thumb", "left_tip", "left_hand", "nose", "head", "chest", "hip"], [1, 2, 5, 4, 5, 6, -1]),  # children first
    )
    for new_names, parents in bodies:
        rows = dice.normal(size=(len(names), 3)).astype(np.float32)
        got = _array(attempt(function, rows.copy(), list(names), list(new_names), list(parents)), "carry")
        shape = (len(new_names), 3)
        expect(got.shape == shape, f"carry returned the shape {got.shape}: a row for each of the new body's joints, {shape}.")
        source = [_nearest_named(joint, names, new_names, parents) for joint in range(len(new_names))]
        for joint, name in enumerate(new_names):
            right = np.allclose(got[joint], rows[source[joint]], atol=1e-5)
            if right:
                continue
            if name in names:
                expect(
                    joint >= len(names) or not np.allclose(got[joint], rows[joint], atol=1e-5),
                    f"carry gives {name} the row of {names[min(joint, len(names) - 1)]}, which has its number: go by names.",
                )
                raise NotYet(f"carry gives {name} a wrong row: the old body has a joint of this name, in row {source[joint]}.")
            expect(
                not (np.allclose(got[joint], 0) or np.isnan(got[joint]).any()),
                f"carry leaves {name} empty: it has no counterpart, or its parent is filled only later. Fill parents first.",
            )
            expect(
                not np.allclose(got[joint], rows.mean(axis=0), atol=1e-5),
                f"carry gives {name} the mean of all rows: it has no counterpart, so its parent's row is asked for.",
            )
            expect(
                not np.allclose(got[joint], rows[-1], atol=1e-5),
                f"carry gives {name} the last row: -1 says that something was not found, and as an index it is the last.",
            )
            raise NotYet(f"carry gives {name} a wrong row: its nearest ancestor with a counterpart is {names[source[joint]]}.")
    passed("Carry: rows go with the names of joints; a joint without a counterpart takes its parent's.", function)


def _nearest_named(joint: int, names: list[str], new_names: list[str], parents: list[int]) -> int:
    """The old row for this joint of the new body: its own name's, or that of the nearest ancestor who has one."""
    while new_names[joint] not in names:
        joint = parents[joint]
    return names.index(new_names[joint])


def _sides(got: Any) -> tuple[set[int], set[int]]:
    """Two sets of clip numbers. Raises NotYet where they are something else."""
    expect(got is not None, "sides returned nothing: end it with a line `return …`.")
    sides = list(got) if isinstance(got, tuple | list) or (isinstance(got, np.ndarray) and got.ndim == 2) else []
    expect(len(sides) == 2, "sides has to return two arrays: (train, test), numbers of clips.")
    try:
        arrays = [np.asarray(list(side) if isinstance(side, set) else side).ravel() for side in sides]
        numbers = [{int(i) for i in array} for array in arrays]
    except (TypeError, ValueError, RuntimeError):
        raise NotYet("sides has to return two arrays of clip numbers.") from None
    masks = any(array.dtype == bool for array in arrays)
    expect(not masks, "sides returned masks: give the clips' numbers, with np.flatnonzero.")
    return numbers[0], numbers[1]


def _array(value: Any, name: str) -> np.ndarray:
    """The value as an array of numbers. Raises NotYet where it is something else."""
    expect(value is not None, f"{name} returned no NumPy array but nothing: end it with a line `return …`.")
    try:
        return np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise NotYet(f"{name} returned no NumPy array of numbers but a {type(value).__name__}.") from None


def with_clips(store: ClipStore, clips: list[np.ndarray], copy_of: int) -> ClipStore:
    """The store's table over other coordinates (T, M, V, 3), and a clip more: `copy_of`'s line, another name and subject."""
    rows = np.r_[np.arange(len(store)), copy_of]
    columns = {c: store.column(c)[rows] for c in ("clip", "label", "subject", "camera", "setup")}
    names = [*columns["clip"][:-1], "renamed"]
    subject = columns["subject"].copy()
    subject[-1] = subject.max() + 1
    return _made(store, clips, columns | {"clip": names, "subject": subject})


def with_copies(train: ClipStore, test: ClipStore, every: int) -> ClipStore:
    """A training side into which every third (or so) test clip was smuggled, under another name, by a subject who trains."""
    chosen = np.arange(len(test))[::every]
    columns = {c: np.r_[train.column(c), test.column(c)[chosen]] for c in ("clip", "label", "subject", "camera", "setup")}
    columns["clip"] = np.array([*train.column("clip"), *(f"smuggled {i}" for i in chosen)])
    columns["subject"][len(train) :] = train.column("subject")[0]
    return _made(train, [c.joints for c in train] + [test[int(i)].joints for i in chosen], columns)


def _made(store: ClipStore, clips: list[np.ndarray], columns: dict) -> ClipStore:
    people = store.max_people
    frames = [np.pad(c, ((0, 0), (0, people - c.shape[1]), (0, 0), (0, 0))) for c in clips]
    block = Block(np.concatenate(frames), np.cumsum([0, *map(len, frames)]), columns)
    made = build(Source(f"{store.source}, changed", store.skeleton, [block], store.label_names, store.fps))
    made.max_people = people
    return made
