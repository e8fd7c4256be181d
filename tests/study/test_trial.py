"""One run of a sweep: what is recorded as its result and what is raised, to be tried again."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from slimlab import data, pretrain
from slimlab.run import RunError
from slimlab.study import trial


def test_a_full_disk_in_a_folder_called_collapsed_is_no_collapsed_run(tmp_path, monkeypatch):
    def full(*_args, **_kwargs):
        raise RunError("collapsed-runs/a: checkpoint failed (No space left on device)")

    monkeypatch.setattr(pretrain, "steps", full)
    store, claim = data.synthetic(clips=66), cast(Any, SimpleNamespace(lost=False))
    with pytest.raises(RunError, match="No space left"):
        trial.run(store, store, pretrain.Config(), tmp_path, "a", None, claim)
