"""From a slider to the picture: what an explorer costs the kernel, and how large its messages are.

    python benchmarks/widgets.py [DATA] [--changes 40]

The mask explorer has 100 ms (median) from a changed setting to the last message for the page. Exit status 1 above. A setting
is "new" at its first visit and "seen" at the second, when the per-joint frequencies are known. No browser takes part.
"""

import argparse
import statistics
import sys
import time

import torch
from _report import report

from slimlab import data, masking, plot, widgets

BUDGET = 0.100  # seconds


def timed(changes, act) -> dict:
    seconds = []
    for value in changes:
        begin = time.perf_counter()
        act(value)
        seconds.append(time.perf_counter() - begin)
    ordered = sorted(seconds)
    return {
        "median_ms": 1e3 * statistics.median(seconds),
        "p90_ms": 1e3 * ordered[int(0.9 * len(ordered))],
        "changes": len(seconds),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?")
    parser.add_argument("--changes", type=int, default=40)
    a = parser.parse_args()
    store = data.open(a.data) if a.data else data.synthetic(clips=66)
    masks, augmentations, player = widgets.MaskExplorer(store), widgets.AugmentationExplorer(store), widgets.ClipPlayer(store)
    rng = torch.Generator().manual_seed(0)
    ratios = [round(0.05 * int(r), 2) for r in torch.randint(2, 20, (a.changes,), generator=rng)]
    seeds = torch.randint(100, (a.changes,), generator=rng).tolist()
    clips = torch.randint(len(store), (a.changes,), generator=rng).tolist()
    every = sorted({*ratios})
    frames = [c % 5 for c in clips]

    def strategy(i: int) -> None:
        masks.strategy.value = list(masking.STRATEGIES)[i % len(masking.STRATEGIES)]

    found = {
        "mask explorer: ratio, new": timed(every, lambda r: setattr(masks.ratio, "value", r)),
        "mask explorer: ratio, seen": timed(ratios, lambda r: setattr(masks.ratio, "value", r)),
        "mask explorer: seed": timed(seeds, lambda s: setattr(masks.seed, "value", s)),
        "mask explorer: strategy": timed(range(a.changes), strategy),
        "mask explorer: cell by hand": timed(seeds, lambda s: masks.toggle(s % masks.steps, s % len(store.skeleton))),
        "mask explorer: clip": timed(clips, lambda c: setattr(masks.chooser, "index", c)),
        "augmentation explorer: scale": timed(ratios, lambda r: setattr(augmentations.scales[0], "value", round(0.7 + r / 2, 2))),
        "clip player: clip": timed(clips, lambda c: setattr(player, "index", c)),
        "clip player: frame": timed(frames, lambda f: setattr(player, "frame", f)),
        "plot.player, whole figure": timed(clips[:3], lambda c: plot.player(store[c], store.skeleton)),
    }
    stage = masks.stage
    paint, motion = (len(stage.colors) + len(stage.sizes)) / 1e3, len(stage.joints) / 1e3
    print(f"messages: {paint:.0f} kB of colours and sizes a change, {motion:.0f} kB of motion a clip, none while it plays")
    rows = [{"change": name} | line for name, line in found.items()]
    report("widgets", rows, f"{store.source}; from the slider to the picture in the kernel; budget: median {1e3 * BUDGET:.0f} ms")
    sliders = [line["median_ms"] for name, line in found.items() if name.startswith("mask explorer") and "clip" not in name]
    return int(max(sliders) > 1e3 * BUDGET)


if __name__ == "__main__":
    sys.exit(main())
