import numpy as np
import pandas as pd
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.skeleton import KINECT_V1, KINECT_V2, Skeleton


def long_table(store) -> pd.DataFrame:
    rows = []
    for i, clip in enumerate(store):
        for t, m in np.argwhere(clip.valid):
            for j, name in enumerate(store.skeleton.names):
                about = (clip.name, store.table["label_name"][i], store.table["subject"][i], t, m, name)
                rows.append((*about, *map(float, clip.joints[t, m, j])))
    return pd.DataFrame(rows, columns=["clip", "label", "subject", "frame", "person", "joint", "x", "y", "z"])


def wide_table(store) -> pd.DataFrame:
    rows = []
    for clip in store:
        for t, m in np.argwhere(clip.valid):
            rows.append([clip.name, t, m, *map(float, clip.joints[t, m].ravel())])
    return pd.DataFrame(rows, columns=["clip", "frame", "person", *(f"{n}_{a}" for n in store.skeleton.names for a in "xyz")])


@pytest.fixture(scope="module")
def few():
    store = data.synthetic(clips=66, seed=0)
    two = int(np.flatnonzero((store.column("people") == 2) & (store.column("flags") == ""))[0])
    return store[[0, 3, two]]


def joints_equal(store, expected):
    for a, b in zip(store, expected, strict=True):
        assert a.name == b.name
        np.testing.assert_array_equal(a.joints, b.joints)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_long_and_wide_come_back(tmp_path, few, separator, monkeypatch):
    from slimlab.data.readers import tables

    monkeypatch.setattr(tables, "ROWS_AT_A_TIME", 700)  # parts that end within a clip
    for make in (long_table, wide_table):
        table = make(few)
        table.to_csv(tmp_path / "a.csv", index=False, sep=separator)
        store = data.open(tmp_path / "a.csv")
        assert store.skeleton == KINECT_V2
        joints_equal(store, few)
        joints_equal(data.from_table(table), few)
        if make is long_table:
            assert store.table["label_name"].tolist() == few.table["label_name"].tolist()
            assert store.table["subject"].tolist() == few.table["subject"].tolist()


def test_joints_in_any_order_and_another_body(few):
    table = long_table(few[:1]).sample(frac=1, random_state=0)
    joints_equal(data.from_table(table), few[:1])
    arm = Skeleton(["a", "b", "c"], [1, -1, 1])
    own = pd.DataFrame({"frame": [0, 0, 0], "joint": ["a", "b", "c"], "x": [1.0, 2, 3], "y": 0.5, "z": [0, 0, np.nan]})
    assert data.from_table(own, skeleton=arm)[0].joints[0, 0].tolist() == [[1, 0.5, 0], [2, 0.5, 0], [3, 0.5, 0]]
    assert data.from_table(own.assign(parent=["b", "", "b"])).skeleton.parents == (1, -1, 1)
    for table, says in (
        (own, "3 joints .a, b, c, …. are no declared body's"),
        (own.assign(parent=["q", "", "b"]), "column 'parent'"),
        (pd.concat([own, own]).assign(parent=["b", "", "b"] * 2), "stand in several rows"),
        (own.drop(columns="y"), "column y missing"),
        (own.assign(parent=["b", "", "b"], subject=[1, 2, 1]), "several values of 'subject'"),
        (own.assign(parent=["b", "", "b"], x="no"), "no sound table"),
        (own.assign(parent=["b", "", "b"], x=np.inf), "x is not a number"),
        (own.assign(parent=["b", "", "b"], frame=[0, 0, 10**12]), "are they times"),
        (own.assign(parent=["b", "", "b"], frame=[0, 0, np.nan]), "no integer"),
        (own.assign(parent=["b", "", "b"], frame=[0, 0, 0.5]), "no integer"),
    ):
        with pytest.raises(DataError, match=says):
            data.from_table(table)


def test_cells_of_three_numbers(real_data):
    file = real_data / "raw_samples" / "precog_Seq1_8.csv"
    store = data.open(file)
    assert store.skeleton == KINECT_V1 and store[0].name == "precog_Seq1_8"
    lines = file.read_text().splitlines()
    assert store.table["frames"][0] == len(lines) - 1
    np.testing.assert_allclose(store[0].joints[0, 0, 3], [float(v) for v in lines[1].split(";")[3].split()], rtol=1e-6)


def test_columns_in_capitals(tmp_path, few):
    for table in (long_table(few), wide_table(few)):
        capitals = table.rename(columns=lambda c: f"{c[:-1]}{c[-1].upper()}" if c[-2:-1] == "_" else c.title())
        capitals.to_csv(tmp_path / "a.csv", index=False)
        joints_equal(data.open(tmp_path / "a.csv"), few)
        joints_equal(data.from_table(capitals), few)
