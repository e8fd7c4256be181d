"""What the shortcuts of the linear protocol cost: random training views against cached ones, and the choice of the probe on
held-out training subjects against the choice on the test split.

    python benchmarks/linear_protocols.py UTD_MHAD [--steps 1000] [--views 1 4 16] [--seeds 2] [--mirror] [--out FILE.csv]

Odd subjects train, even ones test; shipped weights `tiny`, frozen. Not mirrored by default: UTD-MHAD's "swipe left" mirrored
is its "swipe right". "0 views" is the deterministic test view on both sides, nothing drawn.
"""

import argparse
import time
import warnings
from pathlib import Path

import pandas as pd
import torch

import slimlab
from slimlab import data, evaluate
from slimlab._system.cache import replace_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="UTD-MHAD's Skeleton folder, or the same clips in any format that slimlab knows")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--views", type=int, nargs="+", default=[1, 4, 16], help="how many cached views of each clip")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--out", type=Path, help="write every row there, as CSV")
    a = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # joints without a counterpart are expected here
    store = data.open(a.data)
    train, test = data.split(store, "cross-subject")
    encoder = slimlab.pretrained("tiny", skeleton=store.skeleton)
    common = {"steps": a.steps, "mirror": a.mirror, "select": evaluate.protocol.SELECTIONS}
    ways = {"random views": {}, "0 views": {"views": "deterministic"}}
    ways |= {f"{n} cached views": {"views": "cached", "cached_views": n} for n in a.views}
    rows = []
    for seed in range(a.seeds):
        for name, changes in ways.items():
            begin = time.monotonic()
            table = evaluate.run(encoder, train, test, "slim-linear", seed, **common, **changes)
            rows.append(table.assign(training=name, seconds=time.monotonic() - begin))
            shown = table[["selected_on", "selected_at", "blocks", "pool", "lr", "accuracy"]].to_string(index=False, header=False)
            print(f"seed {seed}, {name}, {rows[-1]['seconds'][0]:.0f} s\n{shown}", flush=True)
    everything = pd.concat(rows, ignore_index=True)
    if a.out:
        replace_file(a.out, lambda f: everything.to_csv(f, index=False))
    print(f"\n{a.steps} steps of 64 clips, {a.seeds} seeds, {torch.get_num_threads()} threads\n")
    print("| training views | chosen on held-out subjects | chosen on the test split | seconds |\n|---|---|---|---|")
    for name, group in everything.groupby("training", sort=False):
        scores = [group.loc[group["selected_on"] == s, "accuracy"] for s in evaluate.protocol.SELECTIONS]
        shown = " | ".join(f"{s.mean():.3f} ({s.min():.3f}–{s.max():.3f})" for s in scores)
        print(f"| {name} | {shown} | {group['seconds'].mean():.0f} |")
    reference = evaluate.run(encoder, train, test, "default", combine="sum")["accuracy"][0]
    print(f"\nscikit-learn's logistic regression on the last block's CLS and mean token: {reference:.3f}")


if __name__ == "__main__":
    main()
