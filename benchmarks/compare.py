"""This version beside an earlier one in one run, in turns: training steps and inference.

    python benchmarks/compare.py BASE [--only tiny] [--rounds 5]        # BASE: a commit, such as HEAD~20
    make bench-compare BASE=…

Each version has a process of its own that waits while the other one works, so that whatever else the machine does meets both.
`naive` is this version's step as one would first write it (benchmarks/step.py), and for inference a plain ViT with fused
attention (benchmarks/encoder.py). A ratio is the median over rounds of seconds of the earlier version by seconds of this one,
with the smallest and the largest of a round. What a version has not (settings of another name) is left empty and named.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SMALL = {
    "preset": "tiny",
    "depth": 4,
    "heads": 4,
    "patch_frames": 8,
    "global_frames": 64,
    "local_views": [[32, 1, [0.4, 0.8]]],
    "prototypes": 256,
}
PAPER = {"preset": "paper", "batch_size": 32, "prototypes": 4096}
CASES: dict[str, dict] = {  # settings of a training step; {"clips": n}: inference of n clips at the paper's size
    "step of tiny": {"preset": "tiny"},
    "step of small": SMALL,
    "step of paper, 4,096 prototypes": PAPER,
    "step of paper, 4,096 prototypes, bf16": PAPER | {"precision": "bf16"},
    "step of paper, 65,536 prototypes": PAPER | {"prototypes": 65_536},
    "step of paper, 65,536 prototypes, bf16": PAPER | {"prototypes": 65_536, "precision": "bf16"},
    "inference, 16 clips": {"clips": 16},
    "inference, 16 clips, bf16": {"clips": 16, "precision": "bf16"},
}


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", help="the commit to compare with")
    parser.add_argument("--only", default="", help="cases whose name holds these words")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        return work(*args.work)
    from _report import report

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        commit = unpacked(args.base, Path(folder))
        for name, settings in CASES.items():
            if args.only in name:
                rows.append({"what": name} | compared(Path(folder), settings, args.rounds))
                print(rows[-1], flush=True)
    report("compare", rows, f"this version and commit {commit}, in turns, {args.rounds} rounds")
    return 0


def unpacked(commit: str, folder: Path) -> str:
    """Write slimlab/ as it was at this commit into `folder`; the commit's short name."""
    root = HERE.parent
    name = subprocess.run(["git", "rev-parse", "--short", commit], cwd=root, capture_output=True, text=True)
    if name.returncode:
        sys.exit(f"{commit}: no commit of this repository; `git log` lists them")
    packed = subprocess.run(["git", "archive", commit, "slimlab"], cwd=root, capture_output=True, check=True)
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        file.write(packed.stdout)
        file.flush()
        with tarfile.open(file.name) as archive:
            archive.extractall(folder, filter="data")
    return name.stdout.strip()


def compared(base: Path, settings: dict, rounds: int) -> dict:
    """Seconds of each version and their ratios, in turns."""
    trees = {"earlier": base, "this": HERE.parent, "naive": HERE.parent}
    with workers(trees, settings) as each:
        seconds: dict[str, list[float]] = {who: [] for who in each}
        peaks, missing = {}, []
        for turn in range(rounds + 1):  # the first is a warm-up
            for who, process in each.items():
                found = asked(process)
                if "error" in found:
                    missing.append(f"{who}: {found['error']}")
                    continue
                peaks[who] = found["peak_mb"]
                if turn:
                    seconds[who].append(found["seconds"])
            if missing:
                break
    row: dict = {f"{who}, s": float(np.median(times)) for who, times in seconds.items() if times}
    for who in ("earlier", "naive"):
        if seconds[who] and seconds["this"]:
            ratios = np.array(seconds[who]) / np.array(seconds["this"])
            row[f"{who} / this"] = f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"
    return row | {f"{who}, MB": peak for who, peak in peaks.items()} | ({"not measured": "; ".join(missing)} if missing else {})


@contextmanager
def workers(trees: dict[str, Path], settings: dict) -> Iterator[dict[str, subprocess.Popen]]:
    """A waiting process for each version."""
    each = {}
    try:
        for who, tree in trees.items():
            command = [sys.executable, __file__, "-", "--work", "naive" if who == "naive" else "slimlab", json.dumps(settings)]
            path = os.pathsep.join([str(tree), str(HERE)])
            each[who] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
            )
        yield each
    finally:
        for process in each.values():
            process.kill()
            process.wait()


def asked(process: subprocess.Popen) -> dict:
    """Let a worker do it once; what it says."""
    assert process.stdin and process.stdout
    try:
        process.stdin.write("go\n")
        process.stdin.flush()
    except BrokenPipeError:
        return {"error": f"ended with exit code {process.wait()}"}
    line = process.stdout.readline()
    return json.loads(line) if line else {"error": f"ended with exit code {process.wait()}"}


def work(which: str, text: str) -> int:
    """In a worker: once for each line of standard input; answers in lines of JSON."""
    import time

    try:
        once = made(which == "naive", json.loads(text))
    except Exception as error:  # settings that this version has not
        once, problem = None, f"{type(error).__name__}: {error}"
    for _ in sys.stdin:
        if once is None:
            answer = {"error": problem}
        else:
            begin = time.perf_counter()
            once()
            answer = {"seconds": time.perf_counter() - begin, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3}
        print(json.dumps(answer), flush=True)
    return 0


def made(naive: bool, settings: dict):
    """A call that makes the next step, or encodes the clips."""
    import torch

    if "clips" in settings:
        from slimlab.encoder import Encoder, EncoderConfig

        torch.manual_seed(0)
        if naive:
            from encoder import PlainViT

            network = PlainViT(EncoderConfig()).eval()
        else:
            network = Encoder(EncoderConfig()).eval()
        x = torch.randn(settings["clips"], 3, 64, 25, 1)

        @torch.inference_mode()
        def encode():
            with torch.autocast("cpu", torch.bfloat16, enabled=settings.get("precision") == "bf16"):
                network(x)

        return encode
    from functools import partial
    from itertools import count

    from slimlab import data
    from slimlab.pretrain import Config

    try:
        from slimlab.pretrain.sampling import clips_of_step
        from slimlab.pretrain.trainer import Trainer
    except ModuleNotFoundError:  # where they were until 0.2.0
        from slimlab.sampling import clips_of_step
        from slimlab.trainer import Trainer

    views = settings.get("local_views")
    config = Config(**settings | ({"local_views": tuple((f, n, tuple(r)) for f, n, r in views)} if views else {}))
    store = data.synthetic(clips=132)
    trainer, number = Trainer(config, store.skeleton), count()
    if naive:
        from step import naive_backward, naive_targets

        trainer.targets, trainer.backward = partial(naive_targets, trainer), partial(naive_backward, trainer)

    def step():
        now = next(number)
        trainer.step(store, clips_of_step(len(store), config.batch_size, config.seed, now), now)

    return step


if __name__ == "__main__":
    sys.exit(main())
