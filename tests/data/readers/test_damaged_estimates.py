"""Damaged files of pose estimators: each opens as sound clips or gives one DataError, in bounded time."""

import json

import numpy as np
import pytest

from slimlab.skeleton import MEDIAPIPE_33
from tests.data.readers.mutation import check_mutants

RNG = np.random.default_rng(0)


def dumped(path, content):
    path.write_text(json.dumps(content))
    return path


def points(count):
    return np.c_[RNG.random((count, 2)) * 500, np.ones(count)].round(3)


def openpose(folder):
    (folder / "walk").mkdir()
    for t in range(3):
        people = [{"pose_keypoints_2d": points(25).ravel().tolist()} for _ in range(2)]
        dumped(folder / "walk" / f"walk_{t:012d}_keypoints.json", {"version": 1.3, "people": people})
    return folder / "walk"


def coco_results(folder):
    content = [{"image_id": f"{t}.jpg", "keypoints": points(17).ravel().tolist(), "score": 0.9, "idx": 1} for t in range(4)]
    return dumped(folder / "results.json", content)


def yolo(folder):
    (folder / "labels").mkdir()
    for t in range(3):
        values = np.r_[0, 0.5, 0.5, 0.2, 0.8, (points(17) / [500, 500, 1]).ravel()]
        (folder / "labels" / f"a_{t}.txt").write_text(" ".join(f"{v:.5f}" for v in values) + "\n")
    return folder / "labels"


def yolo_json(folder):
    keypoints = dict(zip(("x", "y", "visible"), points(17).T.tolist(), strict=True))
    return dumped(folder / "a.json", [[{"name": "person", "track_id": 1, "keypoints": keypoints}], []])


def mediapipe_json(folder):
    person = [{"x": float(x), "y": float(y), "z": 0.0, "visibility": 0.9} for x, y, _ in points(33) / 500]
    return dumped(folder / "pose.json", [{"worldLandmarks": [person]}] * 2)


def mediapipe_table(folder):
    header = ["Time", *(f"{n}_{a}" for n in MEDIAPIPE_33.names for a in "XYZ")]
    rows = [[f"{t / 30:.4f}", *(f"{v:.3f}" for v in RNG.normal(size=99))] for t in range(4)]
    (folder / "a.csv").write_text("\n".join(",".join(r) for r in [header, *rows]) + "\n")
    return folder / "a.csv"


def azure_kinect(folder):
    bodies = [[{"body_id": 1, "joint_positions": (RNG.normal(size=(32, 3)) * 300).round(1).tolist()}] for _ in range(3)]
    return dumped(folder / "a.json", {"frames": [{"frame_id": t, "bodies": b} for t, b in enumerate(bodies)]})


def kinect_dump(folder):
    rows = [[str(330000 * t), *(f"{v:.4f}" for v in RNG.normal(size=75))] for t in range(4)]
    (folder / "a.csv").write_text("\n".join(";".join([*r, ""]) for r in rows) + "\n")
    return folder / "a.csv"


def deeplabcut(folder):
    head = ["scorer" + ",net" * 9, "bodyparts,a,a,a,b,b,b,c,c,c", "coords" + ",x,y,likelihood" * 3]
    rows = [",".join([str(t), *map(str, points(3).ravel())]) for t in range(6)]
    (folder / "a.csv").write_text("\n".join([*head, *rows]) + "\n")
    return folder / "a.csv"


def sleap(folder):
    head = "track,frame_idx,instance.score," + ",".join(f"{n}.{a}" for n in "abc" for a in ("x", "y", "score"))
    rows = [",".join(["track_0", str(t), "0.9", *map(str, points(3).ravel())]) for t in range(6)]
    (folder / "a.csv").write_text("\n".join([head, *rows]) + "\n")
    return folder / "a.csv"


def poses(folder):
    np.save(folder / "x.npy", RNG.normal(size=(5, 17, 3)).astype(np.float32))
    return folder / "x.npy"


def poses_npz(folder):
    np.savez(folder / "x.npz", a=RNG.normal(size=(5, 17, 3)).astype(np.float32), b=np.ones((3, 17, 3), np.float32))
    return folder / "x.npz"


# writer -> the least part that is refused: a changed digit is mostly another sound place
READERS = {
    "openpose": (openpose, 0.2),
    "coco-results": (coco_results, 0.2),
    "yolo": (yolo, 0.2),
    "yolo, json": (yolo_json, 0.2),
    "mediapipe, json": (mediapipe_json, 0.2),
    "mediapipe, table": (mediapipe_table, 0.1),
    "azure-kinect": (azure_kinect, 0.2),
    "kinect-dump": (kinect_dump, 0.2),
    "deeplabcut": (deeplabcut, 0.1),
    "sleap": (sleap, 0.1),
    "poses": (poses, 0.05),
    "poses, npz": (poses_npz, 0.1),
}


@pytest.mark.parametrize("count", [50, pytest.param(2000, marks=pytest.mark.full)])
@pytest.mark.parametrize("reader", READERS)
def test_mutants_are_read_or_refused(reader, count, tmp_path):
    write, least = READERS[reader]
    check_mutants(write(tmp_path), count, least=least)
