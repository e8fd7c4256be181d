"""The README's table on UTD-MHAD: odd subjects train, even ones test; kNN and linear probe, mean ± sample sd
over seeds.

    python benchmarks/utd_table.py UTD_MHAD [--minutes 5] [--seeds 3] [--pool cls+mean] [--preset tiny] [--start WEIGHTS]
        [--out out/utd_table]

Every seed pre-trains the preset on the training side for so many wall minutes (from scratch, or from shipped weights), then its
encoder and the controls are evaluated: raw coordinates, random encoders (plain and best-scaled) of the same seed, and with
--supervised STEPS the same encoder trained with labels. Runs stay in OUT and are taken up again.
"""

import argparse
import os
from pathlib import Path

import pandas as pd
import torch

import slimlab
from slimlab import data, evaluate, pretrain
from slimlab._system.cache import replace_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="UTD-MHAD's Skeleton folder, or the same clips in any format that slimlab knows")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--pool", default="cls+mean", help="how features are read: cls+mean, time+part, tokens")
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--start", help="begin with these shipped weights: small, tiny, tiny-v1")
    parser.add_argument("--supervised", type=int, default=0, metavar="STEPS")
    parser.add_argument("--out", type=Path, default=Path("out/utd_table"))
    a = parser.parse_args()
    train, test = data.split(data.open(a.data), "cross-subject")
    start = slimlab.pretrained(a.start, skeleton=train.skeleton) if a.start else None
    tables = []
    for seed in range(a.seeds):
        config = pretrain.Config(preset=a.preset, seed=seed, minutes=a.minutes, mirror=False)  # swipes are two classes
        run = pretrain.fit(train, config, folder=a.out / f"seed{seed}", start=start)
        run.check_unseen(test)
        same = {"mirror": config.mirror, "rotation": config.rotation, "seed": seed, "progress": True}
        sized, others = config.encoder(train.skeleton), None
        if a.supervised:
            others = {"with labels, from scratch": evaluate.supervised(sized, train, a.supervised, **same)}
        table = evaluate.compare(run.encoder, train, test, seed=seed, others=others, pool=a.pool)
        wall = run.about["seconds"] / 60
        tables.append(table.assign(seed=seed, minutes=wall, steps=run.config.steps))
        print(
            table.to_string(index=False, float_format="{:.3f}".format), f"\n{wall:.1f} min, {run.config.steps} steps", flush=True
        )
    rows = pd.concat(tables, ignore_index=True)
    replace_file(a.out / "table.csv", lambda f: rows.to_csv(f, index=False))
    print(f"\n{len(train)} training, {len(test)} test clips; {os.cpu_count()} cores, {torch.get_num_threads()} threads\n")
    print("| features | kNN | linear probe | wall minutes |\n|---|---|---|---|")
    for name, group in rows.groupby("features", sort=False):
        scores = [f"{group[c].mean():.3f} ± {group[c].std(ddof=1):.3f}" for c in ("kNN", "probe")]
        minutes = f"{group['minutes'].mean():.1f}" if name == "pre-trained encoder" else "0"
        print(f"| {name} | {' | '.join(scores)} | {minutes} |")


if __name__ == "__main__":
    main()
