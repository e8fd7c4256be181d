"""Views, skeleton-aware augmentation and masks of a pre-training batch: clips a second.

    python benchmarks/views.py [DATA] [--seconds 2]

The budget is 2,250 clips/s at the paper's settings on two cores. References in the same run: the same functions called for
one clip at a time, as a data loader without batching would. `memory` is the peak of a process of its own.
"""

import argparse

import numpy as np
from _report import clock, measured, report

from slimlab import data
from slimlab.pretrain import Config
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer


def batches(where: str | None, preset: str, batch: int, seconds: float, one_by_one: bool = False) -> dict:
    """Milliseconds of views with augmentation, and of masks, for a batch."""
    store = data.open(where) if where else data.synthetic(clips=480)
    # the networks take no part
    config = Config(preset=preset, batch_size=batch, depth=1, prototypes=8, head_hidden=8, head_bottleneck=8)
    trainer, step = Trainer(config, store.skeleton), iter(range(1 << 30))
    views, _ = trainer._views(store, clips_of_step(len(store), batch, 0, 0), 0)

    def make(clips: np.ndarray) -> None:
        number = next(step)
        for part in np.split(clips, len(clips)) if one_by_one else (clips,):
            trainer._views(store, part, number)

    def mask() -> None:
        number = next(step)
        for _ in range(batch if one_by_one else 1):
            trainer._masks([x[: len(x) // batch] for x in views] if one_by_one else views, number)

    making = clock(lambda: make(clips_of_step(len(store), batch, 0, next(step))), seconds)
    masking = clock(mask, seconds)
    return {"views and SAA, ms": 1e3 * making, "masks, ms": 1e3 * masking, "clips/s": batch / (making + masking)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", help="a store (default: 480 synthetic clips)")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each number")
    a = parser.parse_args()
    rows = []
    cases = [("paper", 32, False), ("paper", 128, False), ("paper", 768, False), ("paper", 32, True)]
    cases += [("tiny", 32, False), ("tiny", 32, True)]
    for preset, batch, one_by_one in cases:
        found = measured(batches, a.data, preset, batch, a.seconds, one_by_one)
        name = preset + (", one clip at a time" if one_by_one else "")
        rows.append({"settings": name, "batch": batch} | {("memory, MB" if k == "peak_mb" else k): v for k, v in found.items()})
    report("views", rows, "budget: 2,250 clips/s at the paper's settings")


if __name__ == "__main__":
    main()
