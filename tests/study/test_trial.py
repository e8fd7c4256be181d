"""One run of a sweep: what is recorded as its result and what is raised, to be tried again."""

from types import SimpleNamespace

import pandas as pd
import pytest

from slimlab import data, evaluate, pretrain
from slimlab.pretrain.run import RunError
from slimlab.study import trial


def test_a_probe_that_does_not_converge_is_a_row_with_its_error(tmp_path, monkeypatch):
    def stuck(*_args, **_kwargs):
        raise evaluate.NotConverged("the linear probe did not converge in 1000 iterations; allow more by iterations=10000")

    run = SimpleNamespace(metrics=pd.DataFrame(), about={"environment": {"device": "cpu"}})
    monkeypatch.setattr(pretrain, "steps", lambda *_args, **_kwargs: [])
    monkeypatch.setattr(trial, "Run", lambda *_args: run)
    monkeypatch.setattr(trial, "_judged", stuck)
    store = data.synthetic(clips=66)
    row = trial.run(store, store, pretrain.Config(), tmp_path, "a", None)
    assert row["error"] == "the linear probe did not converge in 1000 iterations" and row["probe"] is None


def test_a_full_disk_in_a_folder_called_collapsed_is_no_collapsed_run(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise RunError("collapsed-runs/a: checkpoint failed (No space left on device)")

    monkeypatch.setattr(pretrain, "steps", full)
    store = data.synthetic(clips=66)
    with pytest.raises(RunError, match="No space left"):
        trial.run(store, store, pretrain.Config(), tmp_path, "a", None)
