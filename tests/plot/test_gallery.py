"""Where the pictures of a run take its clips from."""

import json

from slimlab import data, pretrain
from slimlab.plot.gallery import data_of


def test_a_run_of_slimlab_0_1_finds_its_synthetic_clips(quick, tmp_path):
    store = data.synthetic(clips=44, seed=2, subjects=4)
    run = pretrain.fit(store, quick, folder=tmp_path / "run", progress=False)
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["data"] == "synthetic(clips=44, seed=2, subjects=4)"
    assert data_of(run).fingerprint == store.fingerprint
    (tmp_path / "run" / "run.json").write_text(json.dumps(about | {"data": "synthetic(clips=44, seed=2, performers=4)"}))
    assert data_of(pretrain.Run(tmp_path / "run")).fingerprint == store.fingerprint
