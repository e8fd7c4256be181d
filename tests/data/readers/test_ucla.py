import json

import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.skeleton import KINECT_V1


def write(folder, name, joints, **more):
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({"file_name": name, "skeletons": np.asarray(joints).tolist(), **more}))


def test_clips_come_back(tmp_path):
    rng = np.random.default_rng(0)
    clips = {
        n: rng.normal(scale=0.1, size=(t, 20, 3)).astype(np.float32) for n, t in (("a01_s01_e00_v03", 9), ("a12_s10_e04_v01", 4))
    }
    for name, joints in clips.items():
        write(tmp_path / "all_sqe", name, joints, label=1)
    write(tmp_path / "all_sqe", "a08_s02_e01_v02", [])
    store = data.open(tmp_path)
    assert store.column("clip").tolist() == ["a01_s01_e00_v03", "a08_s02_e01_v02", "a12_s10_e04_v01"]
    assert store.skeleton == KINECT_V1 and store.labels.tolist() == [0, 6, 9] and len(store.label_names) == 10
    assert store.column("subject").tolist() == [1, 2, 10] and store.column("camera").tolist() == [3, 2, 1]
    assert store.table["label_name"][2] == "carry" and store.table["flags"][1].startswith("empty")
    for i in (0, 2):
        np.testing.assert_array_equal(store[i].joints[:, 0], clips[store[i].name])
    train, test = data.split(store, "ucla-xview")
    assert train.column("camera").tolist() == [2, 1] and test.column("camera").tolist() == [3]


@pytest.mark.parametrize(
    "text, says",
    [("{}", "no 'skeletons'"), ("[", "no 'skeletons'"), ('{"skeletons": [[[1, 2]]]}', "should be"), ("[" * 100_000, "no 'skel")],
)
def test_damage_is_named(tmp_path, text, says):
    (tmp_path / "a01_s01_e00_v01.json").write_text(text)
    with pytest.raises(DataError, match=says):
        data.open(tmp_path)


def test_strange_names_are_refused(tmp_path):
    (tmp_path / "a07_s01_e00_v01.json").write_text("{}")
    with pytest.raises(DataError, match="name is not like"):
        data.open(tmp_path)
