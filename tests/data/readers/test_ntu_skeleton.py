"""NTU `.skeleton` files: the clips that went in, people in order, ghosts and changed ids flagged, damage named."""

import zipfile

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError, ghosts
from slimlab.skeleton import KINECT_V2
from tests.data.readers.writers import skeleton_text, whole, write_skeletons

NAME = "S001C002P003R002A013"


def by_motion(clip):
    """(people, variance of each joint's place over time) by a plain float64 loop, most first."""
    moved = []
    for m in range(clip.joints.shape[1]):
        x = clip.joints[clip.valid[:, m], m].astype(np.float64)
        moved.append(sum(x[:, j, a].var() for j in range(25) for a in range(3)) / 25)
    return np.argsort(moved)[::-1], moved


def body(frames: int, at=(0.0, 0.0, 3.0), swing=0.0) -> np.ndarray:
    """(T, 25, 3): an upright body whose arms move by `swing` metres."""
    clip = data.synthetic(clips=1, seed=0)[0].joints[0, 0]
    x = np.repeat((clip - clip[0])[None], frames, axis=0) + np.array(at)
    x[:, 4:12, 0] += swing * np.sin(np.arange(frames))[:, None]
    return x.astype(np.float32)


def as_frames(x: np.ndarray, start: int = 0) -> dict[int, np.ndarray]:
    return {start + t: joints for t, joints in enumerate(x)}


def opened(tmp_path, bodies, frames, name=NAME):
    (tmp_path / f"{name}.skeleton").write_text(skeleton_text(bodies, frames))
    return data.open(tmp_path / f"{name}.skeleton")


def test_clips_come_back_people_in_order_of_motion(tmp_path, synthetic):
    pairs = np.flatnonzero(synthetic.column("people") == 2)
    synthetic = synthetic[np.union1d(np.arange(6), pairs[::2])]
    write_skeletons(tmp_path / "nturgb+d_skeletons", synthetic)
    store = data.open(tmp_path / "nturgb+d_skeletons")
    assert store.skeleton == KINECT_V2 and store.fps == 30 and len(store.label_names) == 60
    assert sorted(store.column("clip")) == sorted(synthetic.column("clip"))
    turned = 0
    for i, name in enumerate(store.column("clip")):
        j = int(np.flatnonzero(synthetic.column("clip") == name)[0])
        for column in ("label", "subject", "camera", "setup", "frames", "people"):
            assert store.table[column][i] == synthetic.table[column][j], (name, column)
        order, _ = by_motion(synthetic[j])
        ghost = [bool(ghosts.why_ghost(synthetic[j].joints[synthetic[j].valid[:, m], m], 99)) for m in order]
        if not any(ghost):
            turned += list(order) == [1, 0]
            np.testing.assert_array_equal(store[i].joints, synthetic[j].joints[:, order])
            np.testing.assert_array_equal(store[i].valid, synthetic[j].valid[:, order])
        else:
            assert "ghost" in store.table["flags"][i]
    assert turned  # two people in the other order did occur


def test_a_zip_and_a_converted_store_hold_the_same(tmp_path, synthetic, monkeypatch):
    from slimlab.data.readers import ntu_skeleton

    write_skeletons(tmp_path / "in", synthetic[:7])
    with zipfile.ZipFile(tmp_path / "in.zip", "w", zipfile.ZIP_DEFLATED) as z:
        for file in sorted((tmp_path / "in").iterdir()):
            z.write(file, f"nturgb+d_skeletons/{file.name}")
        z.writestr("__MACOSX/._S001C001P001R001A001.skeleton", "x")
    whole_folder = data.open(tmp_path / "in")
    monkeypatch.setattr(ntu_skeleton, "FILES_AT_A_TIME", 3)  # several blocks
    for source in (tmp_path / "in.zip", tmp_path / "in", tmp_path):
        if source != tmp_path:
            assert data.open(source).fingerprint == whole_folder.fingerprint
    assert data.convert(tmp_path / "in.zip", tmp_path / "store").fingerprint == whole_folder.fingerprint


def test_files_without_a_body_are_empty_clips(tmp_path):
    for frames in (0, 5):
        store = opened(tmp_path, [], frames)
        assert store.table["flags"][0].split()[0] == "empty" and store.table["people"][0] == 0
        assert store.table["frames"][0] == max(1, frames) and not store[0].valid.any()


def test_gaps_stay_gaps(tmp_path):
    x = body(40, swing=0.2)
    there = {t: x[t] for t in range(40) if not 10 <= t < 15}
    clip = (store := opened(tmp_path, [(7, there)], 40))[0]
    assert store.table["flags"][0] == "gaps" and clip.valid[:, 0].sum() == 35 and not clip.joints[10:15].any()


def test_a_body_that_comes_back_under_another_id_is_one_person(tmp_path):
    """Ids that differ in the last digit alone: as float64 they would be the same number."""
    x = body(40, swing=0.2)
    first, second = 72057594037931101, 72057594037931102
    store = opened(tmp_path, [(first, as_frames(x[:15])), (second, as_frames(x[20:], 20))], 40)
    assert store.table["flags"][0] == "relinked gaps" and store.table["people"][0] == 1
    np.testing.assert_array_equal(store[0].joints[20:, 0], x[20:])
    far = opened(tmp_path, [(first, as_frames(x[:15])), (second, as_frames(x[20:] + np.float32(2), 20))], 40)
    assert far.table["people"][0] == 2 and "relinked" not in far.table["flags"][0]
    both = opened(tmp_path, [(first, as_frames(x)), (second, as_frames(x + np.float32(0.1)))], 40)
    assert both.table["people"][0] == 2  # at the same time they are two, however near


def test_two_people_are_kept_and_more_are_flagged(tmp_path):
    """The two that move most, the stillest left out; a ghost only where there is room."""
    bodies = [(i, as_frames(body(30, at=(i, 0, 3), swing=s))) for i, s in enumerate((0.1, 0.0, 0.3))]
    store = opened(tmp_path, bodies, 30)
    assert store.table["flags"][0] == "extra-people" and store.table["people"][0] == 2
    np.testing.assert_array_equal(store[0].joints[:, 0], bodies[2][1] and np.stack(list(bodies[2][1].values())))
    np.testing.assert_array_equal(store[0].joints[:, 1], np.stack(list(bodies[0][1].values())))


@pytest.mark.parametrize("kind", ["too wide", "few frames"])
def test_ghosts_are_kept_behind_people_and_flagged(tmp_path, kind):
    person = body(30, swing=0.1)
    ghost = body(30, at=(2, 0, 3), swing=3.0)
    if kind == "too wide":
        ghost[..., 1] *= 0.1
    else:
        ghost = ghost[:8]
    assert ghosts.why_ghost(ghost, 30) == kind and ghosts.why_ghost(person, 30) == ""
    assert ghosts.motion(ghost) > ghosts.motion(person)
    store = opened(tmp_path, [(1, as_frames(ghost)), (2, as_frames(person))], 30)
    assert store.table["flags"][0] == "ghost"
    np.testing.assert_array_equal(store[0].joints[:, 0], person)
    np.testing.assert_array_equal(store[0].joints[: len(ghost), 1], ghost)


def test_ghosts_by_a_plain_loop(synthetic):
    """width > 0.8 height in 70 % of the frames, as CTR-GCN counts."""
    found = []
    for clip in synthetic:
        for m in range(clip.joints.shape[1]):
            x = clip.joints[clip.valid[:, m], m].astype(np.float64)
            wide = sum(f[:, 0].max() - f[:, 0].min() > 0.8 * (f[:, 1].max() - f[:, 1].min()) for f in x)
            expected = "few frames" if len(x) <= 11 < len(clip.joints) else "too wide" if wide / len(x) >= 0.69754 else ""
            found.append(expected)
            assert ghosts.why_ghost(clip.joints[clip.valid[:, m], m], len(clip.joints)) == expected
    assert "" in found


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda t: t[: len(t) // 2], "line"),
        (lambda t: "99\r\n" + t.split("\r\n", 1)[1], "ends early"),
        (lambda t: "3\r\n" + t.split("\r\n", 1)[1], "more lines than its 3 frames"),
        (lambda t: "999999999999\r\n" + t.split("\r\n", 1)[1], "0..10000"),
        (lambda t: t.replace("\r\n25\r\n", "\r\n24\r\n", 1), "line 4: 24 joints"),
        (lambda t: t.replace("\r\n1\r\n", "\r\n1000000000\r\n", 1), "line"),
        (lambda t: "", "ends early"),
        (lambda t: t.replace("0 1 1 0", "nan", 1).replace("277.4", "", 1), None),
        (lambda t: t + "5\r\n", "more lines"),
    ],
)
def test_damage_is_named_with_its_line(tmp_path, change, says):
    x = body(12)
    file = tmp_path / f"{NAME}.skeleton"
    file.write_bytes(change(skeleton_text([(1, as_frames(x))], 12)).encode())
    if says is None:  # fields that are not read may hold anything
        assert len(data.open(file)) == 1
        return
    with pytest.raises(DataError) as caught:
        data.open(file)
    assert str(file) in str(caught.value) and says in str(caught.value), caught.value


def test_names_are_checked_before_a_file_is_read(tmp_path):
    for name, says in (
        ("clip7", "name is not like"),
        ("S001C001P001R001A121", "action 121"),
        ("S001C001P001R001A000", "action 0"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{name}.skeleton").write_text("not read")
        with pytest.raises(DataError, match=says):
            data.open(folder)
    nan = body(12)
    nan[3, 7, 1] = np.nan
    with pytest.raises(DataError, match=f"'{NAME}', frame 3, person 0, joint 7: y is not a number"):
        opened(tmp_path, [(1, as_frames(nan))], 12)


def test_ntu_120_has_its_names_and_a_bomb_is_not_unpacked(tmp_path, synthetic, monkeypatch):
    from slimlab.data.readers import files

    text = skeleton_text(whole(synthetic[0].joints, synthetic[0].valid), len(synthetic[0].joints))
    (tmp_path / "S018C001P041R001A120.skeleton").write_text(text)
    store = data.open(tmp_path / "S018C001P041R001A120.skeleton")
    assert len(store.label_names) == 120 and store.table["label_name"][0] == "rock-paper-scissors"
    monkeypatch.setattr(files, "LIMIT", 1000)
    with pytest.raises(DataError, match="the most is 1,000"):
        data.open(tmp_path)
