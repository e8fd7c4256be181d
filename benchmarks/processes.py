"""Pre-training steps and features in one process and in several (gloo): what a second process is worth, and its memory.

    python benchmarks/processes.py [--most 2] [--steps 20] [--batch-size 128]

Processes share the cores, one thread each; one process with all threads stands beside. torchrun starts them, as it starts
`python -m slimlab pretrain`. The loss of the last step says that all of them did the same.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _report import peak_mb, report

from slimlab import data, evaluate
from slimlab._system import distributed
from slimlab.pretrain import Config
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer


def work(steps: int, batch_size: int, out: str) -> None:
    """One process's share; the first one writes what it took."""
    store = data.synthetic(clips=960)
    with distributed.processes("cpu"):
        trainer, times, loss = Trainer(Config(preset="tiny", batch_size=batch_size), store.skeleton), [], 0.0
        for step in range(steps + 2):
            begin = time.perf_counter()
            loss = trainer.step(store, clips_of_step(len(store), batch_size, 0, step), step)["loss"]
            times.append(time.perf_counter() - begin)
        encoder = evaluate.random_encoder(Config(preset="paper").encoder(store.skeleton))
        evaluate.features(encoder, store[:16], cache=None)
        distributed.barrier()
        begin = time.perf_counter()
        evaluate.features(encoder, store[:320], cache=None)
        clips = 320 / (time.perf_counter() - begin)
        peak = float(distributed.all_reduce_max(torch.tensor(peak_mb())))
        if distributed.rank() == 0:
            row = {"s/step": float(np.median(times[2:])), "loss": loss, "features, clips/s": clips, "memory of each, MB": peak}
            Path(out).write_text(json.dumps(row))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.work:
        return work(a.steps, a.batch_size, a.work)
    rows, cores = [], os.cpu_count() or 1
    for processes, threads in [(1, 1), (1, cores), *((n, 1) for n in range(2, a.most + 1))]:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "row.json"
            command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", __file__]
            sizes = ["--steps", str(a.steps), "--batch-size", str(a.batch_size), "--work", str(out)]
            subprocess.run([*command, *sizes], check=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
            rows.append({"processes": processes, "threads of each": threads} | json.loads(out.read_text()))
            print(rows[-1], flush=True)
    report("processes", rows, f"preset `tiny`, batch {a.batch_size} of all together; features by the paper's encoder, 320 clips")


if __name__ == "__main__":
    main()
