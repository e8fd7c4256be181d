"""Files that people have, against values that an independent parser gave; refusals, whose advice is followed."""

import re
import shutil

import numpy as np
import pytest

import slimlab
from slimlab import data
from slimlab.data import DataError
from slimlab.skeleton import H36M, SMPL_22, Skeleton
from tests.data.readers import table_of_cases
from tests.data.readers.writers import skeleton_text, write_skeletons

RAT = ["RCrest", "RHip", "RKnee", "RAnkle", "RMTP", "RShoulder", "LCrest", "LHIP", "LKnee", "LAnkle", "LMTP", "LShoulder"]


def place(store, frame, joint):
    """(3,) of the first clip's first person."""
    return store[0].joints[frame, 0, store.skeleton.names.index(joint)]


def is_near(found, expected, digits):
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.6 * 10.0**-digits)


EXPECTED = {  # the values stand in this file and in test_cases.py
    "02": "refused: .*26 joints where NTU has 25: another body",
    "03": "read: 1 clip, 154 frames, 25 joints, no flags",
    "05": "read: 1 clip, 1312 frames, 25 joints, no flags",
    "07": "read: 1 clip, 1085 frames, 2 joints, 2d gaps zero-joints",
    "09": "refused: .*16 markers",
    "10": "read: 1 clip, 112 frames, 23 joints, no flags",
    "12": "read: 1 clip, 434 frames, 17 joints, no flags",
    "15": "read: 1 clip, 32 frames, 25 joints, 2d gaps zero-joints",
    "16": "read: 1 clip, 95 frames, 22 joints, no flags",
    "17": "read: 1 clip, 524 frames, 31 joints, unit-cmu",
    "19": "read: 1 clip, 69 frames, 55 joints, unit-cm",
    "20": "refused: .*55 joints .*other joints",
    "21": "refused: .*Kinetics-400's list without key points",
}


def test_what_becomes_of_every_case(cases):
    found = {name[:2]: text for name, text in table_of_cases.table(cases).items() if text != "no file of clips"}
    assert found.keys() == EXPECTED.keys()
    for name, expected in EXPECTED.items():
        assert re.fullmatch(f"{expected}.*" if "refused" in expected else expected, found[name]), (name, found[name])


def test_a_c3d_of_unknown_markers_opens_as_the_body_that_is_given(cases):
    with pytest.raises(DataError, match=r"runway03\.c3d: 16 markers \(RCrest, .*data\.from_markers\(path, "):
        data.open(cases / "09_c3d_gait")
    body = Skeleton(RAT, [-1, 0, 1, 2, 3, 0, 0, 6, 7, 8, 9, 6])
    store = data.from_markers(cases / "09_c3d_gait", body)
    assert store[0].joints.shape == (379, 1, 12, 3) and store.fps == 200
    is_near(place(store, 0, "RCrest"), [0.107622, 0.0636835, 0.4104801], 7)  # mm, z up: x, z, -y in meters
    is_near(place(store, 0, "RHip"), [0.1153452, 0.0525318, 0.4335385], 7)
    with pytest.raises(DataError, match=r"no markers \*99"):
        data.from_markers(cases / "09_c3d_gait", Skeleton(["RCrest", "*99"], [-1, 0]))


def test_markers_that_no_frame_shows_are_absent(cases):
    store = data.from_markers(cases / "09_c3d_gait", Skeleton(["RCrest", "*12"], [-1, 0]))
    assert not store[0].joints[:, 0, 1].any() and store[0].joints[:, 0, 0].all()


def test_mvnx_without_its_frames_of_calibration(cases):
    store = data.open(cases / "10_xsens_mvnx")
    assert store[0].joints.shape == (112, 1, 23, 3) and store.fps == 60
    is_near(place(store, 0, "Pelvis"), [0, -0.0007, 0], 4)
    is_near(place(store, 0, "Head"), [0.0186, 0.5701, 0.0078], 4)
    is_near(place(store, -1, "LeftToe"), [0.4063, -0.7805, -0.1065], 4)


def test_shrec_hand(cases):
    store = data.open(cases / "16_shrec_hand_txt")
    assert store[0].joints.shape == (95, 1, 22, 3)
    is_near(place(store, 0, "wrist"), [0.49394463, -0.41033334, 0.591467], 7)
    is_near(place(store, 0, "palm"), [0.4737, -0.3553, 0.5707], 4)
    is_near(place(store, -1, "pinky_tip"), [0.4811, -0.3479, 0.5321], 4)
    assert not store.skeleton.mirror and set(store.skeleton.parts) == {"palm", "thumb", "index", "middle", "ring", "pinky"}


def test_cmu_bvh_has_its_own_unit(cases):
    store = data.open(cases / "17_cmu_bvh_units")
    assert store[0].joints.shape == (524, 1, 31, 3) and store.fps == pytest.approx(120, abs=0.01)
    is_near(place(store, 0, "Hips") / 0.0564444, [0.0265, 16.2134, -25.4911], 3)
    is_near(place(store, 10, "Head") / 0.0564444, [0.0560, 23.5639, -24.1455], 3)
    assert abs(place(store, 0, "Hips")[1] - 0.915) < 0.001 and "CMU" in store.notes[0]


def test_mixamo_bvh_keeps_names_with_colons(cases):
    store = data.open(cases / "19_mixamo_bvh_colons")
    assert store[0].joints.shape == (69, 1, 55, 3)
    is_near(place(store, 0, "mixamorig:Hips"), np.array([-0.2399, 98.2948, -0.5224]) / 100, 6)
    is_near(place(store, 10, "mixamorig:Head"), np.array([5.7680, 154.1432, 42.4101]) / 100, 5)
    is_near(place(store, -1, "mixamorig:LeftToeBase"), np.array([-8.7544, 3.9255, -4.1561]) / 100, 5)
    body = store.skeleton
    limbs = [next(p for p, joints in body.parts.items() if left in joints) for left, _ in body.mirror]
    assert {part: limbs.count(part) for part in limbs} == {"left arm": 19, "left leg": 4, "trunk": 1}


def test_bvh_of_several_bodies_names_two_files_and_the_advice_works(cases):
    folder = cases / "20_bvh_mixed_folder" / "bvh"
    with pytest.raises(DataError) as caught:
        data.open(folder)
    text = str(caught.value)
    assert text.count(".bvh") == 2 and "data.on_body(store, slimlab.skeleton.H36M)" in text
    shapes = {"test_freebvh": (69, 1, 55, 3), "test_mocapbank": (455, 1, 19, 3), "bvh_test2": (61, 1, 23, 3)}
    stores = {name: data.open(folder / f"{name}.bvh") for name in shapes}
    is_near(place(stores["test_mocapbank"], 0, "Hips"), np.array([-44.0003, 93.5663, 229.0256]) / 100, 6)
    is_near(place(stores["bvh_test2"], 10, "Head"), np.array([157.1323, 159.3851, -19.1583]) / 100, 6)
    for name, store in stores.items():
        assert store[0].joints.shape == shapes[name]
        assert data.on_body(store, H36M)[0].joints.shape == (shapes[name][0], 1, 17, 3)


def test_hands_in_ntus_layout_are_another_body_and_the_advice_works(cases):
    file = cases / "02_hololens_hands_skeleton" / "S001C001P001R001A001.skeleton"
    with pytest.raises(DataError, match="26 joints where NTU has 25: another body") as caught:
        data.open(file)
    assert "data.from_arrays(x, skeleton=" in str(caught.value) and str(file) in str(caught.value)
    lines, at, frames = file.read_text().splitlines(), 1, []
    for _ in range(int(lines[0])):
        hands, at = int(lines[at]), at + 1
        for hand in range(hands):
            count, at = int(lines[at + 1]), at + 2
            if not hand:
                frames.append([[float(v) for v in line.split()] for line in lines[at : at + count]])
            at += count
    x = np.array(frames).transpose(2, 0, 1)[..., None]  # (3, T, V, 1)
    store = data.from_arrays(x, skeleton=Skeleton([f"point{i}" for i in range(26)], [-1] + [0] * 25, mirror=()))
    assert store[0].joints.shape == (383, 1, 26, 3)
    is_near(store[0].joints[0, 0, 0], [0.334379345, -0.40657863, -0.863249063], 7)


def test_a_label_file_made_on_windows(cases, tmp_path, synthetic):
    shutil.copy(cases / "24_windows_label_pkl" / "train_label.pkl", tmp_path / "train_label.pkl")
    x = np.zeros((66, 3, 5, 25, 2), np.float32)
    x[..., 0] = synthetic[0].joints[:5, 0].transpose(2, 0, 1)
    np.save(tmp_path / "train_data.npy", x)
    store = data.open(tmp_path)
    assert len(store) == 66 and store.column("clip")[0] == "S001C002P001R001A001"
    assert set(store.column("subject")) == {1} and list(store.column("label")[:3]) == [0, 1, 2]


def test_amass_is_refused_and_the_advice_works(tmp_path, synthetic):
    file = tmp_path / "sample.npz"
    poses, trans = np.zeros((9, 156)), np.zeros((9, 3))
    np.savez(file, poses=poses, trans=trans, betas=np.zeros(16), gender="female", mocap_framerate=120.0)
    with pytest.raises(DataError, match=r"sample\.npz: an AMASS file: it holds 52 rotations a frame") as caught:
        data.open(file)
    call = re.search(r"data\.from_arrays\(.*up='z'\)", str(caught.value))
    assert call and "SMPL-H" in str(caught.value) and "smplx" in str(caught.value)
    joints = np.random.default_rng(0).normal(size=(9, 22, 3))  # stands for the body model's answer
    store = eval(call[0], {"data": data, "slimlab": slimlab, "joints": joints, "mocap_framerate": 120.0})
    assert store.skeleton == SMPL_22 and store.fps == 120
    np.testing.assert_allclose(store[0].joints[:, 0], joints[..., [0, 2, 1]] * [1, 1, -1], rtol=1e-6)


def test_one_bad_file_among_three_is_skipped_and_listed(tmp_path, synthetic, capsys):
    three = synthetic[:3]
    write_skeletons(tmp_path / "ntu", three)
    bad = sorted((tmp_path / "ntu").iterdir())[1]
    lines = bad.read_text().splitlines()
    words = lines[4 + 7].split()
    lines[4 + 7] = " ".join(["NaN", "NaN", "NaN", *words[3:]])
    bad.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="not a number") as caught:
        data.convert(tmp_path / "ntu", tmp_path / "store", progress=False)
    assert str(bad) in str(caught.value) and "frame 0" in str(caught.value) and "joint 7" in str(caught.value)
    assert not (tmp_path / "store").exists()
    store = data.convert(tmp_path / "ntu", tmp_path / "store", progress=False, on_error="skip")
    assert sorted(store.column("clip")) == sorted({c.name for c in three} - {bad.stem})
    listed = (tmp_path / "store" / "skipped.csv").read_text()
    assert str(bad) in listed and "joint 7" in listed and listed.count("\n") == 2
    assert "1 skipped" in capsys.readouterr().out
    assert any(note.startswith("skipped: 1") for note in data.open(tmp_path / "store").notes)
    assert "skipped" in set(data.report(store).summary["what"])


def test_frames_before_anybody_came_are_counted(tmp_path, synthetic):
    x = synthetic[0].joints[:20, 0]
    text = skeleton_text([(7, {t + 10: joints for t, joints in enumerate(x)})], 30)
    (tmp_path / "S001C001P001R001A001.skeleton").write_text(text)
    store = data.open(tmp_path)
    assert len(store[0].joints) == 30
    assert not store[0].valid[:10].any() and store[0].valid[10:, 0].all()
    assert list(data.report(store).table["empty_frames"]) == [10]
