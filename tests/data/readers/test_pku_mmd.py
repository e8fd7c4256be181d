import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.data.readers.pku_mmd import ACTIONS

RNG = np.random.default_rng(0)


def write(folder, name, joints, labels=None):
    for sub in ("skeleton", "label"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    text = "\n".join(" ".join(f"{v:.6f}" for v in frame.ravel()) for frame in joints)
    (folder / "skeleton" / f"{name}.txt").write_text(text + "\n")
    if labels is not None:
        (folder / "label" / f"{name}.txt").write_text("".join(f"{a},{s},{e},2\n" for a, s, e in labels))


def test_sequences_are_cut_at_their_labels(tmp_path):
    x = {n: RNG.normal(scale=0.1, size=(40, 2, 25, 3)).round(6) for n in ("0002-L", "0002-M", "0007-R")}
    x["0002-L"][:, 1] = 0
    write(tmp_path, "0002-L", x["0002-L"], [(1, 3, 10), (51, 20, 40)])
    write(tmp_path, "0002-M", x["0002-M"], [(13, 0, 5)])
    write(tmp_path, "0007-R", x["0007-R"])
    write(tmp_path, "0009-R", x["0007-R"], [])  # nothing labelled in it: no clip
    (tmp_path / "cross-subject.txt").write_text("Training videos:\n0002-L, 0002-M\nValidataion videos:\n0007-R,\n")
    store = data.open(tmp_path, format="pku-mmd")
    assert len(ACTIONS) == len(set(ACTIONS)) == 51
    assert store.column("clip").tolist() == ["0002-L_000_A01", "0002-L_001_A51", "0002-M_000_A13", "0007-R"]
    assert store.labels.tolist() == [0, 50, 12, -1] and store.table["label_name"].tolist() == [
        "bow",
        "writing",
        "hand waving",
        "",
    ]
    assert store.column("camera").tolist() == [1, 1, 2, 3] and store.column("split").tolist() == ["train"] * 3 + ["test"]
    np.testing.assert_allclose(store[1].joints[:, 0], x["0002-L"][20:40, 0], rtol=1e-6)
    assert store.column("people").tolist() == [1, 1, 2, 2]
    assert data.open(tmp_path).fingerprint == store.fingerprint  # recognised
    train, test = data.split(store, "pku-xview")
    assert test.column("camera").tolist() == [1, 1] and len(train) == 2


@pytest.mark.parametrize(
    "labels, says", [([(52, 0, 3)], "action 52"), ([(3, 5, 5)], "frames 5 to 5"), ([(3, 5, 99)], "runs to frame 99")]
)
def test_impossible_labels_are_named(tmp_path, labels, says):
    write(tmp_path, "0002-L", np.ones((8, 2, 25, 3)), labels)
    with pytest.raises(DataError, match=says):
        data.open(tmp_path)
