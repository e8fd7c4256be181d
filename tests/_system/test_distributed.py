"""What processes tell each other, and that alone everything is the identity."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from slimlab._system import distributed
from tests.processes import torchrun

SCRIPT = """
import json, sys, torch
from slimlab._system import distributed

with distributed.processes() as device:
    r, w = distributed.rank(), distributed.world_size()
    rows = torch.arange(5.0)[distributed.shard(5)].requires_grad_()  # 3 rows here, 2 there
    everything = distributed.all_gather(rows)
    (everything * torch.tensor([1.0, 2, 3, 4, 5])).sum().backward()  # each process computes the same loss
    empty = distributed.all_gather(torch.zeros(0 if r else 2, 3))
    told = {"rank": r, "world": w, "device": str(device), "all": everything.tolist(), "gradient": rows.grad.tolist(),
            "total": distributed.all_reduce_sum(torch.tensor([r + 1.0])).item(),
            "largest": distributed.all_reduce_max(torch.tensor([r * 7.0])).item(),
            "empty": list(empty.shape)}
    open(f"{sys.argv[1]}/{r}.json", "w").write(json.dumps(told))
assert distributed.world_size() == 1
"""


@pytest.mark.integration
def test_two_processes(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = torchrun(2, tmp_path / "script.py", tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = (json.loads((tmp_path / f"{r}.json").read_text()) for r in (0, 1))
    assert (first["rank"], second["rank"]) == (0, 1) and first["world"] == 2 and first["device"] == "cpu"
    for told in (first, second):
        assert told["all"] == [0, 1, 2, 3, 4] and told["total"] == 3 and told["largest"] == 7 and told["empty"] == [2, 3]
    assert first["gradient"] == [2, 4, 6] and second["gradient"] == [8, 10]  # times the number of processes, as documented


def test_alone_everything_is_the_identity():
    x = torch.arange(3.0, requires_grad=True)
    assert distributed.world_size() == 1 and distributed.rank() == 0
    assert distributed.all_reduce_sum(x) is x and distributed.all_reduce_max(x) is x and distributed.all_gather(x) is x
    assert distributed.shard(7) == slice(0, 7)
    with distributed.processes("cpu") as device:
        assert device == torch.device("cpu") and distributed.world_size() == 1


@given(st.integers(0, 50), st.integers(1, 9))
def test_shares_cut_a_batch_without_gap_or_overlap(count, processes):
    parts = [list(range(count))[distributed.shard(count, processes, r)] for r in range(processes)]
    assert [row for part in parts for row in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
