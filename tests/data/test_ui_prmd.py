"""The recordings in the package: what the card says of them, and how they follow from the set's own files."""

import gzip
import shutil

import numpy as np
import pandas as pd
import pytest

from slimlab import data
from slimlab.data.ui_prmd import EXERCISES, FILE, making


@pytest.fixture(scope="module")
def everything():
    return data.ui_prmd()


def test_ten_people_do_ten_exercises_ten_times_right_and_ten_times_wrong(everything):
    assert len(everything) == 2000 and everything.column("frames").sum() == 151_158
    counts = everything.table.groupby(["subject", "exercise", "correct"]).size()
    assert len(counts) == 200 and set(counts) == {10} and sorted(everything.table["subject"].unique()) == list(range(1, 11))
    assert everything.max_people == 1 and len(everything.skeleton) == 22 and everything.fps == 30
    assert not everything.has_unseen and not (everything.table["flags"] != "").any()
    assert len(set(everything.table["digest"])) == 2000


@pytest.mark.parametrize("which", ["correct", "incorrect"])
def test_a_part_holds_the_same_clips(everything, which):
    part = data.ui_prmd(which)
    assert len(part) == 1000 and part.label_names == EXERCISES
    rows = everything.table[everything.table["correct"] == (which == "correct")]
    pd.testing.assert_series_equal(part.table["digest"], rows["digest"].reset_index(drop=True))
    assert (part.table["label_name"] == part.table["exercise"]).all()


def test_classes_are_exercises_or_exercises_done_so(everything):
    assert len(everything.label_names) == 20 and len(np.unique(everything.labels)) == 20
    assert (everything.labels // 10 == ~everything.table["correct"]).all()
    alone = data.ui_prmd(classes="exercise")
    assert alone.label_names == EXERCISES and (alone.labels == everything.labels % 10).all()
    names = everything.table["label_name"]
    assert (names == everything.table["exercise"] + np.where(everything.table["correct"], "", ", incorrect")).all()


def test_bodies_are_bodies(everything):
    """People of human size who begin upright, some meters before the camera."""
    for clip in list(everything[::97]):
        joints = clip.joints[:, 0]  # (T, V, 3)
        at = {name: everything.skeleton.names.index(name) for name in ("head_tip", "left_foot", "left_lower_leg", "waist")}
        tall = joints[0, at["head_tip"], 1] - joints[0, at["left_foot"], 1]
        assert 1.2 < tall < 2.0
        shin = np.linalg.norm(joints[:, at["left_foot"]] - joints[:, at["left_lower_leg"]], axis=-1)
        assert 0.25 < np.median(shin) < 0.5 and (joints[:, at["waist"], 2] < -1).all()


def test_it_splits_by_people(everything):
    train, test = data.split(everything)
    assert len(train) == len(test) == 1000 and set(train.table["subject"]) == {1, 3, 5, 7, 9}
    assert list(train.table["correct"].value_counts()) == [500, 500]


def test_a_word_opens_it_where_no_file_is_called_so(everything, tmp_path, monkeypatch):
    assert data.open("ui-prmd").fingerprint == everything.fingerprint
    assert data.open("synthetic").fingerprint == data.synthetic().fingerprint
    monkeypatch.chdir(tmp_path)
    data.save_ragged(everything[:3], "clips.npz")
    data.convert("clips.npz", "ui-prmd")
    assert len(data.open("ui-prmd")) == 3


@pytest.mark.parametrize("bad", [{"which": "both"}, {"classes": "subject"}])
def test_another_part_is_refused_with_what_there_is(bad):
    with pytest.raises(data.DataError, match="choose"):
        data.ui_prmd(**bad)


def test_the_recordings_follow_from_the_sets_own_files(real_data, tmp_path, everything):
    sample = {part: real_data / "raw_samples" / f"uiprmd_kinect_m01_s01_e01_{part}.txt.gz" for part in ("positions", "angles")}
    np.testing.assert_allclose(making.joints_of(*sample.values()), everything[0].joints[:, 0], atol=0.00051)
    for side in making.SIDES.values():  # in the set's folders, packed or not
        for part, file in sample.items():
            folder = tmp_path / side / "Kinect" / part.title()
            folder.mkdir(parents=True)
            if "Incorrect" in side:
                shutil.copy(file, folder / f"m01_s01_e01_{part}_inc.txt.gz")
            else:
                (folder / f"m01_s01_e01_{part}.txt").write_bytes(gzip.decompress(file.read_bytes()))
    found = list(making.repetitions(tmp_path))
    assert [row[:4] for row in found] == [(True, 1, 1, 1), (False, 1, 1, 1)]
    making.save(found, tmp_path / "made.npz")
    with np.load(tmp_path / "made.npz") as made, np.load(FILE) as shipped:
        frames = int(shipped["frames"][0])
        np.testing.assert_array_equal(made["steps"][:frames], shipped["steps"][:frames])
        assert made["correct"].tolist() == [True, False] and made["frames"].tolist() == [frames, frames]


def test_a_folder_without_the_sets_files_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Positions: no m01_s01_e01.*Segmented Movements"):
        list(making.repetitions(tmp_path))
