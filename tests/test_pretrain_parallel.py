"""Pre-training in two processes: the numbers of one, checkpoints that either goes on from, and ends that are clean."""

import json
from dataclasses import replace

import numpy as np
import pytest

from slimlab import data, pretrain
from slimlab.pretrain import Config, Run
from tests.processes import torchrun

SCRIPT = """
import sys, json
from slimlab import data, pretrain
train, _ = data.split(data.synthetic(clips=132, seed=0), "cross-subject")
pretrain.fit(train, pretrain.Config(**json.loads(sys.argv[2])), sys.argv[1], progress=False)
"""
CURVES = ["loss", "glcl", "mfm", "koleo", "gradient", "lr", "target_prototypes", "used_prototypes", "cell_target_prototypes"]


@pytest.fixture(scope="module")
def train():
    return data.split(data.synthetic(clips=132, seed=0), "cross-subject")[0]


def fit_by_two(tmp_path, config: Config, folder):
    (tmp_path / "script.py").write_text(SCRIPT)
    return torchrun(2, tmp_path / "script.py", folder, json.dumps(config.to_dict()))


def same_curves(a: Run, b: Run, tolerance: float = 2e-3):
    assert a.metrics["step"].tolist() == b.metrics["step"].tolist()
    for name in set(CURVES) & set(a.metrics):
        np.testing.assert_allclose(a.metrics[name], b.metrics[name], rtol=tolerance, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"targets": "centring", "masking": "motion_aware", "mask_locals": True},
        {"mfm_weight": 0.0, "mask_globals": 0.25, "local_views": ((16, 1, (0.35, 0.7), 1),)},
    ],
    ids=["tiny", "centring and motion", "without MFM"],
)
def test_two_processes_give_the_curves_of_one(train, quick, tmp_path, changes):
    config = replace(quick, **changes)
    alone = pretrain.fit(train, config, tmp_path / "alone", progress=False)
    done = fit_by_two(tmp_path, config, tmp_path / "two")
    assert done.returncode == 0, done.stderr[-3000:]
    two = Run(tmp_path / "two")
    assert two.about["status"] == "finished" and two.config == alone.config
    same_curves(alone, two)
    first = slice(0, 3)  # before rounding has had time to grow
    np.testing.assert_allclose(alone.metrics["loss"][first], two.metrics["loss"][first], rtol=1e-5)
