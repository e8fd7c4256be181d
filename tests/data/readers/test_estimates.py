"""Files of pose estimators, made in each format's own layout: the values that went in, or a refusal that says what to do."""

import json

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.data.readers import estimates
from slimlab.skeleton import AZURE_KINECT_32, COCO, COCO_18, H36M, HALPE_26, KINECT_V2, MEDIAPIPE_33, OPENPOSE_25, SMPL_22
from tests.data.readers import test_bvh

RNG = np.random.default_rng(0)


def person(points, x=100.0):
    """(V, 3): x, y in pixels about x and 300, and a score of .9."""
    return np.c_[x + 40 * RNG.random(points), 300 + 200 * RNG.random(points), np.full(points, 0.9)].round(3)


def openpose(folder, name, frames, key="pose_keypoints_2d"):
    folder.mkdir(exist_ok=True, parents=True)
    for number, people in frames.items():
        content = {"version": 1.3, "people": [{"person_id": [-1], key: p.ravel().tolist()} for p in people]}
        (folder / f"{name}_{number:012d}_keypoints.json").write_text(json.dumps(content))
    return folder


def image(points):
    """What a store with unit=1 gives for points in pixels: y up."""
    return (points * [1, -1, 0]).astype(np.float32)


@pytest.mark.parametrize("body", [OPENPOSE_25, COCO_18], ids=["BODY_25", "COCO"])
def test_openpose_follows_people_whose_order_changes(tmp_path, body):
    a, b = person(len(body)), person(len(body), 600.0)
    b[3] = 0  # 0 0 0 is not seen
    a[4, 2] = 0.2  # nor is what has a low score
    store = data.open(openpose(tmp_path / "walk", "walk", {0: [a, b], 1: [b + np.array([1, 0, 0]), a], 2: [a]}), unit=1)
    clip = store[0]
    assert store.skeleton == body and clip.name == "walk" and clip.joints.shape == (3, 2, len(body), 3)
    expected = image(a)
    expected[4] = 0
    for t in range(3):
        np.testing.assert_allclose(clip.joints[t, 0], expected, rtol=1e-6)
    np.testing.assert_allclose(clip.joints[0, 1, 0], image(b)[0], rtol=1e-6)
    assert not clip.joints[0, 1, 3].any() and not clip.valid[2, 1]
    assert "2d" in store.table["flags"][0].split()


def test_openpose_folders_are_clips_and_those_above_classes(tmp_path):
    for label in ("run", "wave"):
        for clip in ("one", "two"):
            openpose(tmp_path / label / f"{label}_{clip}", "v", {0: [person(25)], 1: []})
    store = data.open(tmp_path)
    assert list(store.column("clip")) == ["run_one", "run_two", "wave_one", "wave_two"]
    assert store.table["label_name"].tolist() == ["run", "run", "wave", "wave"] and store.table["frames"].tolist() == [2] * 4


def test_openpose_names_the_file_at_fault(tmp_path):
    openpose(tmp_path, "v", {0: [person(25)], 1: [person(25)[:20]]})
    with pytest.raises(DataError, match=r"v_000000000001_keypoints.json: .* 60 numbers.*BODY_25"):
        data.open(tmp_path)


@pytest.mark.parametrize(("points", "body"), [(17, COCO), (26, HALPE_26), (133, COCO), (136, HALPE_26)])
def test_alphapose_and_coco_results(tmp_path, points, body):
    people = [person(points), person(points, 700.0)]
    results = [
        {"image_id": f"{t}.jpg", "category_id": 1, "keypoints": p.ravel().tolist(), "score": 2.9, "idx": who}
        for t in (10, 9, 8)
        for who, p in ((3, people[1]), (1, people[0]))
    ]
    (tmp_path / "alphapose-results.json").write_text(json.dumps(results))
    store = data.open(tmp_path / "alphapose-results.json", unit=1)
    assert store.skeleton == body and store[0].joints.shape == (3, 2, len(body), 3)
    found = sorted((store[0].joints[0, m] for m in range(2)), key=lambda x: x[0, 0])
    for x, p in zip(found, people, strict=True):
        np.testing.assert_allclose(x, image(p[: len(body)]), rtol=1e-6)


def test_yolo_texts_and_json(tmp_path):
    points = person(17)
    points[5, 2] = 0.1
    parts = points / [1920, 1080, 1]
    for t in range(3):
        line = " ".join(f"{v:.6f}" for v in [0, 0.5, 0.5, 0.2, 0.8, *parts.ravel()])
        (tmp_path / f"clip_{t + 8}.txt").write_text(f"{line}\n")
    store = data.open(tmp_path)
    assert store.skeleton == COCO and store[0].joints.shape == (3, 1, 17, 3)
    expected = image(points / 1080)
    expected[5] = 0
    np.testing.assert_allclose(store[0].joints[2, 0], expected, atol=2e-6)
    folder = tmp_path / "json"
    folder.mkdir()
    keypoints = {"x": points[:, 0].tolist(), "y": points[:, 1].tolist(), "visible": points[:, 2].tolist()}
    one = {"name": "person", "class": 0, "confidence": 0.9, "box": {}, "track_id": 4, "keypoints": keypoints}
    (folder / "a.json").write_text(json.dumps([[one], [], [one]]))
    clip = data.open(folder)[0]
    np.testing.assert_allclose(clip.joints[2, 0], expected, atol=2e-6)
    assert clip.valid[:, 0].tolist() == [True, False, True]


def landmarks(points):
    return [dict(zip(("x", "y", "z", "visibility"), map(float, p), strict=True)) for p in points]


@pytest.mark.parametrize("key", ["worldLandmarks", "pose_world_landmarks"])
def test_mediapipe_json(tmp_path, key):
    x = np.c_[RNG.normal(size=(33, 3)), np.ones(33)]
    x[7, 3] = 0.05
    frames = [{"landmarks": [landmarks(x)], key: [landmarks(x + np.array([t, 0, 0, 0]))]} for t in range(3)]
    (tmp_path / "pose.json").write_text(json.dumps(frames))
    store = data.open(tmp_path / "pose.json")
    expected = (x[:, :3] * [1, -1, -1]).astype(np.float32)
    expected[7] = 0
    assert store.skeleton == MEDIAPIPE_33 and store.table["flags"][0] == "zero-joints"
    np.testing.assert_allclose(store[0].joints[0, 0], expected, atol=1e-6)
    for frame in frames:
        del frame[key]
    (tmp_path / "pose.json").write_text(json.dumps({"frames": frames}))
    assert "2d" in data.open(tmp_path / "pose.json").table["flags"][0].split()


@pytest.mark.parametrize("form", ["x1,y1,z1,v1", "x0,y0,z0,v0", "NOSE_x", "Nose_X", "nose_x"])
def test_mediapipe_tables(tmp_path, form):
    standing = np.zeros((4, 33, 3)) + RNG.normal(size=(33, 3)) * 0.1
    standing[:, 27:, 1] += 1.5  # ankles below the nose, y down
    if form.startswith("x"):
        header = ["class", *(f"{a}{i + int(form[1])}" for i in range(33) for a in "xyzv")]
    else:
        case = {"NOSE_x": str.upper, "Nose_X": str.title, "nose_x": str}[form]
        header = ["class", *(f"{case(n)}_{a.upper() if form == 'Nose_X' else a}" for n in MEDIAPIPE_33.names for a in "xyz")]
        header += [f"{n}_visibility" for n in MEDIAPIPE_33.names]
    score = np.ones((4, 33, 1))
    score[:, 3] = 0.1
    both = np.concatenate([standing, score], axis=2)
    rows = both.reshape(4, -1) if form.startswith("x") else np.c_[standing.reshape(4, -1), score[..., 0]]
    text = "\n".join([",".join(header), *(",".join(["wave", *map(str, r)]) for r in rows)])
    (tmp_path / "coords.csv").write_text(text)
    store = data.open(tmp_path / "coords.csv")
    expected = (standing * [1, -1, -1]).astype(np.float32)
    expected[:, 3] = 0
    assert store.skeleton == MEDIAPIPE_33 and any(n.startswith("up: -y, seen") for n in store.notes)
    np.testing.assert_allclose(store[0].joints[:, 0], expected, atol=1e-6)


def test_azure_kinect(tmp_path):
    x = RNG.normal(size=(3, 2, 32, 3)) * 300
    frames = [
        {"frame_id": t, "timestamp_usec": 33333 * t, "num_bodies": 2, "bodies": [
            {"body_id": 7 - m, "joint_positions": x[t, m].tolist()} for m in ((0, 1) if t else (1, 0))]}
        for t in range(3)
    ]  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps({"joint_names": [], "bone_list": [], "frames": frames}))
    store = data.open(tmp_path)
    assert store.skeleton == AZURE_KINECT_32 and store.table["people"][0] == 2
    expected = (x * [0.001, -0.001, -0.001]).astype(np.float32)
    first = 0 if np.allclose(store[0].joints[0, 0], expected[0, 0]) else 1
    np.testing.assert_allclose(store[0].joints[:, 0], expected[:, first], rtol=1e-6)
    np.testing.assert_allclose(store[0].joints[:, 1], expected[:, 1 - first], rtol=1e-6)


@pytest.mark.parametrize("header", [False, True])
@pytest.mark.parametrize("separator", [",", ";", ";,"])
def test_kinect_dumps_without_header_or_wider_than_it(tmp_path, header, separator):
    x = RNG.normal(size=(5, 25, 3)).round(4)
    lines = ["Time" + "".join(separator[0] + f"J{i}" for i in range(25))] if header else []
    for t in range(5):
        cells = [str(330000 * t), *(c for j in range(25) for c in (*map(str, x[t, j]), str(0 if j == 9 else 2)))]
        cells = [c.replace(".", ",") for c in cells] if separator == ";," else cells
        lines.append(separator[0].join([*cells, ""]))
    (tmp_path / "dump.csv").write_text("\n".join(lines))
    store = data.open(tmp_path / "dump.csv")
    x[:, 9] = 0
    assert store.skeleton == KINECT_V2 and store.fps == pytest.approx(30.3, abs=0.01)
    np.testing.assert_array_equal(store[0].joints[:, 0], x.astype(np.float32))


def test_deeplabcut_with_two_animals_and_sleap(tmp_path):
    x = np.round(RNG.random((4, 2, 3, 2)) * 500, 2)
    names = ["nose", "left_ear", "right_ear"]
    head = [["scorer"], ["individuals"], ["bodyparts"], ["coords"]]
    for who in "ab":
        for n in names:
            for c in ("x", "y", "likelihood"):
                for line, cell in zip(head, ("net", who, n, c), strict=True):
                    line.append(cell)
    score = np.ones((4, 2, 3, 1))
    score[1, 0, 2] = 0.1
    values = np.concatenate([x, score], axis=3)
    rows = [[str(t), *map(str, values[t].ravel())] for t in range(4)]
    (tmp_path / "dlc.csv").write_text("\n".join(",".join(r) for r in head + rows))
    lines = ["track,frame_idx,instance.score," + ",".join(f"{n}.{c}" for n in names for c in ("x", "y", "score"))]
    for t in range(4):
        for m in range(2):
            cells = [f"{v:g}" if values[t, m, j, 2] > 0.5 else "" for j in range(3) for v in values[t, m, j]]
            lines.append(",".join([f"track_{m}", str(t), "0.9", *cells]))
    (tmp_path / "sleap.csv").write_text("\n".join(lines))
    expected = np.concatenate([x * [1, -1], np.zeros((4, 2, 3, 1))], axis=3).astype(np.float32)
    expected[1, 0, 2] = 0
    for name in ("dlc", "sleap"):
        store = data.open(tmp_path / f"{name}.csv", unit=1)
        assert store.skeleton.names == tuple(names) and store.skeleton.mirror == ((1, 2),)
        np.testing.assert_allclose(store[0].joints, expected, rtol=1e-6)


def standing(body, up):
    """(6, V, 3) with the head a meter and a half off the feet along `up`."""
    x = RNG.normal(size=(6, len(body), 3)) * 0.05
    for joint, name in enumerate(body.names):
        x[:, joint, "xyz".index(up[-1])] += (-1.5 if up[0] == "-" else 1.5) * ("foot" not in name and "ankle" not in name)
    return x.astype(np.float32)


@pytest.mark.parametrize(
    ("body", "up"), [(H36M, "-y"), (H36M, "z"), (SMPL_22, "y")], ids=["MotionBERT", "VideoPose3D", "HumanML3D"]
)
def test_arrays_of_frames_and_joints(tmp_path, body, up):
    x = standing(body, up)
    turned = {"y": x, "-y": x * [1, -1, -1], "z": x[..., [0, 2, 1]] * [1, 1, -1]}[up]
    np.save(tmp_path / "one.npy", x)
    np.savez(tmp_path / "all.npz", first=x, second=x[:3])
    one, two = data.open(tmp_path / "one.npy"), data.open(tmp_path / "all.npz")
    assert one.skeleton == two.skeleton == body and list(two.column("clip")) == ["first", "second"]
    np.testing.assert_array_equal(one[0].joints[:, 0], turned.astype(np.float32))
    np.testing.assert_array_equal(two[1].joints[:, 0], turned[:3].astype(np.float32))
    assert f"up: {up}, seen from head and feet of the first clip" in one.notes


def test_arrays_that_are_no_places_say_the_way(tmp_path):
    np.save(tmp_path / "features.npy", np.zeros((8, 263), np.float32))
    with pytest.raises(DataError, match="new_joints"):
        data.open(tmp_path / "features.npy")
    x = RNG.normal(size=(4, 15, 3)).astype(np.float32)
    np.save(tmp_path / "other.npy", x)
    with pytest.raises(DataError, match="from_arrays") as caught:
        data.open(tmp_path / "other.npy")
    assert "array.transpose(2, 0, 1)[..., None]" in str(caught.value)
    from slimlab.skeleton import Skeleton

    body = Skeleton([f"j{i}" for i in range(15)], range(-1, 14))  # the advice, followed
    store = data.from_arrays(x.transpose(2, 0, 1)[..., None], skeleton=body)
    np.testing.assert_array_equal(store[0].joints[:, 0], x)


def test_kinetics_400_with_its_key_points_put_in(tmp_path):
    import pickle

    about = {
        "frame_dir": "a",
        "label": 3,
        "img_shape": (320, 570),
        "total_frames": 4,
        "frame_inds": np.arange(4),
        "valid": {0.5: 4},
    }
    path = tmp_path / "k400.pkl"
    path.write_bytes(pickle.dumps({"split": {"train": ["a"]}, "annotations": [about]}, 2))
    with pytest.raises(DataError, match=r"kpfiles.*'keypoint'"):
        data.open(path)
    points = RNG.random((1, 4, 17, 2)) * 300 + 1
    about |= {"keypoint": points, "keypoint_score": np.ones((1, 4, 17))}  # the advice, followed
    path.write_bytes(pickle.dumps({"split": {"train": ["a"]}, "annotations": [about]}, 2))
    x = data.open(path)[0].joints
    np.testing.assert_allclose(x[:, 0, :, 0], (points[0, ..., 0] - 285) / 320, rtol=1e-5, atol=1e-6)


def test_another_body_in_ntu_s_layout_is_not_damaged(tmp_path):
    rows = [f"{i}.0 1.0 2.0" for i in range(26)]
    (tmp_path / "S001C001P001R001A001.skeleton").write_text("\n".join(["1", "1", "1", "26", *rows]) + "\n")
    with pytest.raises(DataError, match=r"26 joints where NTU.* has 25.*from_arrays") as caught:
        data.open(tmp_path)
    assert "file is damaged" not in str(caught.value)
    from slimlab.skeleton import Skeleton

    x = np.array([r.split() for r in rows], float).T.reshape(3, 1, 26, 1)  # the advice, followed
    assert data.from_arrays(x, skeleton=Skeleton([f"j{i}" for i in range(26)], range(-1, 25)))[0].joints.shape == (1, 1, 26, 3)


def test_a_head_that_is_not_always_seen_still_tells_what_is_up(tmp_path):
    x = standing(H36M, "-y")
    x[2] = 0  # nobody in this frame
    x[4, 10] = 0
    np.save(tmp_path / "x.npy", x)
    store = data.open(tmp_path / "x.npy")
    assert any(n.startswith("up: -y, seen") for n in store.notes)
    assert store[0].valid[:, 0].tolist() == [True, True, False, True, True, True]


def test_deeplabcut_lines_that_are_cut_off_are_named(tmp_path):
    head = ["scorer,net,net,net", "bodyparts,a,a,a", "coords,x,y,likelihood"]
    (tmp_path / "a.csv").write_text("\n".join([*head, "0,1,2,1", "1,1,2"]))
    with pytest.raises(DataError, match=r"a.csv: line 5 has 3 cells, the header 4"):
        data.open(tmp_path / "a.csv")


def test_a_folder_a_class(tmp_path):
    """Files that hold a clip each: Azure Kinect's, results, DeepLabCut's, arrays."""
    kinect = {"frames": [{"bodies": [{"body_id": 1, "joint_positions": RNG.normal(size=(32, 3)).tolist()}]}]}
    results = [{"image_id": "0.jpg", "keypoints": person(17).ravel().tolist()}]
    wasp = "scorer,n,n,n\nbodyparts,a,a,a\ncoords,x,y,likelihood\n0,1,2,1\n"
    for label in ("run", "wave"):
        for format, name, text in (
            ("azure", "a.json", json.dumps(kinect)),
            ("results", "a.json", json.dumps(results)),
            ("wasps", "a.csv", wasp),
        ):
            (tmp_path / format / label).mkdir(parents=True)
            (tmp_path / format / label / name).write_text(text)
        (tmp_path / "arrays" / label).mkdir(parents=True)
        np.save(tmp_path / "arrays" / label / "a.npy", standing(H36M, "y"))
    for format in ("azure", "results", "wasps", "arrays"):
        store = data.open(tmp_path / format)
        assert store.table["label_name"].tolist() == ["run", "wave"], format
        converted = data.convert(tmp_path / format, tmp_path / f"{format}.store", progress=False)
        assert converted.table["digest"].tolist() == store.table["digest"].tolist()


def test_folders_of_one_name_are_one_class(tmp_path):
    """anna/walk and ben/walk, of motion capture as of estimates; folders that all have one name say no class."""
    for who in ("anna", "ben"):
        for label in ("run", "walk"):
            for format in ("points", "capture", "alone"):
                folder = tmp_path / format / who / (label if format != "alone" else "json")
                folder.mkdir(parents=True, exist_ok=True)
                if format == "capture":
                    test_bvh.write(folder / "a.bvh")
                else:
                    points = [{"image_id": "0.jpg", "keypoints": person(17).ravel().tolist()}]
                    (folder / f"{label}.json").write_text(json.dumps(points))
    for format in ("points", "capture"):
        store = data.open(tmp_path / format)
        assert store.label_names == ("run", "walk") and store.labels.tolist() == [0, 1, 0, 1], format
        assert len(set(store.column("clip"))) == 4
    assert data.open(tmp_path / "alone").labels.tolist() == [-1] * 4


def test_results_of_many_folders_of_images_are_parsed_once(tmp_path, monkeypatch):
    results = [
        {"image_id": f"clip{c}/{t}.jpg", "keypoints": person(17, 100.0 * c).ravel().tolist()} for t in (1, 0) for c in (2, 0, 1)
    ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    parsed = []
    monkeypatch.setattr(estimates, "loaded", lambda raw, place, of=estimates.loaded: parsed.append(place) or of(raw, place))
    store = data.open(tmp_path / "results.json", "coco-results", unit=1)
    assert len(parsed) == 1 and store.column("clip").tolist() == ["results/clip0", "results/clip1", "results/clip2"]
    for c in range(3):
        for t in range(2):
            entry = next(r for r in results if r["image_id"] == f"clip{c}/{t}.jpg")
            np.testing.assert_allclose(store[c].joints[t, 0], image(np.reshape(entry["keypoints"], (17, 3))), rtol=1e-6)


def test_tables_of_other_points_name_both_files(tmp_path):
    for name, point in (("a", "head"), ("b", "tail")):
        (tmp_path / f"{name}.csv").write_text(
            f"scorer,n,n,n\nbodyparts,{point},{point},{point}\ncoords,x,y,likelihood\n0,1,2,1\n"
        )
    with pytest.raises(DataError, match=r"b\.csv: 1 joints \(tail, .*a\.csv"):
        data.open(tmp_path)


def scored(folder):
    """Of each format whose joints have scores: a file of one person, whose joint 1 has a score of .5 and the others of .9."""
    points = person(17)
    points[1, 2] = 0.5
    openpose(folder / "openpose", "v", {0: [np.r_[points, points[-8:]]]})
    (folder / "coco.json").write_text(json.dumps([{"image_id": "0.jpg", "keypoints": points.ravel().tolist()}]))
    (folder / "yolo").mkdir()
    line = [0, 0.5, 0.5, 0.2, 0.8, *(points / [1920, 1080, 1]).ravel()]
    (folder / "yolo" / "a_0.txt").write_text(" ".join(f"{v:.5f}" for v in line))
    landmark = [{"x": float(i), "y": 1.0, "z": 2.0, "visibility": 0.5 if i == 1 else 0.9} for i in range(33)]
    (folder / "mediapipe.json").write_text(json.dumps([{"worldLandmarks": [landmark]}]))
    cells = [["scorer"], ["bodyparts"], ["coords"], ["0"]]
    for name, point in zip("abc", points, strict=False):
        for line, values in zip(cells, (["n"] * 3, [name] * 3, ["x", "y", "likelihood"], map(str, point)), strict=True):
            line.extend(values)
    (folder / "table.csv").write_text("\n".join(",".join(line) for line in cells))
    return {
        "openpose": folder / "openpose",
        "coco-results": folder / "coco.json",
        "yolo": folder / "yolo",
        "mediapipe": folder / "mediapipe.json",
        "landmark-tables": folder / "table.csv",
    }


@pytest.mark.filterwarnings("ignore:.*the bodies are:UserWarning")
def test_the_least_score_of_a_joint_that_was_seen_is_an_argument(tmp_path):
    for format, path in scored(tmp_path).items():
        for least, seen in ((None, (True, True)), (0.5, (True, True)), (0.6, (True, False)), (0.95, (False, False))):
            for store in (
                data.open(path, min_score=least),
                data.convert(path, tmp_path / f"{format} {least}", progress=False, min_score=least),
            ):
                x = store[0].joints
                assert (x[0, 0, 2].any(), x[0, 0, 1].any()) == seen, (format, least)
        with pytest.raises(DataError, match="min_score=30; give a number from 0 to 1"):
            data.open(path, min_score=30)
    with pytest.raises(DataError, match="is a store already; give"):
        data.open(tmp_path / "yolo None", min_score=0.5)
    np.save(tmp_path / "x.npy", standing(H36M, "y"))
    with pytest.raises(DataError, match=r"format 'poses' has no scores .* leave it out .it is for openpose"):
        data.open(tmp_path / "x.npy", min_score=0.5)
