"""Features, neighbours and retrieval in two processes: each reads its share, all have what one process has."""

import numpy as np
import pandas as pd
import pytest
import torch

from slimlab import data, evaluate, pretrain
from tests.processes import torchrun

pytestmark = pytest.mark.integration

SCRIPT = """
import sys, torch
from slimlab import data, evaluate
from slimlab._system import distributed
from slimlab.encoder import EncoderConfig

out = sys.argv[1]
store = data.synthetic(clips=132, seed=0)[:131]  # two shares of unequal size
encoder = evaluate.random_encoder(EncoderConfig(skeleton=store.skeleton, frames=32, patch_frames=8, width=32, depth=2, heads=2))
train, test = data.split(store, "cross-subject")
with distributed.processes():
    r = distributed.rank()
    read = {"plain": evaluate.features(encoder, store, cache=None).x}
    read["one clip"] = evaluate.features(encoder, store[:1], cache=None).x
    for often in range(2):  # the first process alone finds its own again the second time
        cache = f"{out}/cache-{r}-{often if r else 0}"
        read[f"cached {often}"] = evaluate.features(encoder, store, cache=cache).x
    sides = [evaluate.features(encoder, side, cache=None) for side in (train, test)]
    near, ranked = evaluate.knn(*sides, k=3, chunk=7), evaluate.retrieval(*sides, chunk=7)
    read |= {"predictions": near.predictions, "neighbours": near.neighbours, "precision": ranked.average_precision}
    torch.save(read, f"{out}/{r}.pt")
"""


def test_two_processes_read_and_rank_as_one(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        done = torchrun(count, tmp_path / "script.py", tmp_path / str(count))
        assert done.returncode == 0, done.stderr[-3000:]
    alone = torch.load(tmp_path / "1" / "0.pt", weights_only=True)
    for rank in (0, 1):
        two = torch.load(tmp_path / "2" / f"{rank}.pt", weights_only=True)
        assert two.keys() == alone.keys()
        for name, value in alone.items():
            torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5, equal_nan=True, msg=lambda m, n=name: f"{n}: {m}")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    train, _ = data.split(data.synthetic(), "cross-subject")
    config = pretrain.Config(steps=2, batch_size=8, width=32, depth=2, heads=2, prototypes=16, evaluations=1)
    return pretrain.fit(train, config, folder=tmp_path_factory.mktemp("runs") / "run", progress=False)


def test_the_commands_write_once_what_one_process_writes(run, tmp_path):
    store = data.synthetic(clips=31, seed=1)
    data.export(store, tmp_path / "clips.npz")
    command = ["-m", "slimlab", "embed", run.folder, tmp_path / "clips.npz", "--out", tmp_path / "features.npz"]
    done = torchrun(2, *command, SLIMLAB_CACHE="off")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("31 clips") == 1
    features = np.load(tmp_path / "features.npz", allow_pickle=False)["features"]
    alone = evaluate.features(run.encoder, data.open(tmp_path / "clips.npz"), cache=None).x.numpy()
    np.testing.assert_allclose(features, alone, rtol=1e-4, atol=1e-5)

    done = torchrun(2, "-m", "slimlab", "evaluate", run.folder, "synthetic", SLIMLAB_CACHE="off")
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("written to") == 1
    table = pd.read_csv(run.folder / "evaluation.csv")
    expected = evaluate.compare(run.encoder, *data.split(data.synthetic(), "cross-subject"))
    assert table["features"].tolist() == expected["features"].tolist()
    np.testing.assert_allclose(table[["kNN", "probe"]], expected[["kNN", "probe"]], atol=0.02)  # a clip of 66 may change sides


def test_a_control_by_the_clock_is_refused_in_several_processes(run):
    done = torchrun(2, "-m", "slimlab", "evaluate", run.folder, "synthetic", "--equal-time")
    assert done.returncode != 0 and "evaluate in one" in done.stderr
