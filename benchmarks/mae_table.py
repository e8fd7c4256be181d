"""SLiM against the coordinate MAE on UTD-MHAD at equal training time: odd subjects train, even ones test; mean ± sample sd
over seeds.

    python benchmarks/mae_table.py UTD_MHAD [--minutes 5] [--seeds 3] [--out out/mae_table]

For every seed both methods' `tiny` trains on the training side for so many wall minutes, one after the other; then kNN and linear
probe of the trained encoder and of the same encoder untrained, GFLOPs and peak memory of encoding a clip, clips a second in
inference (batches of 16) and in training. Runs stay in OUT and are taken up again.
"""

import argparse
import os
from pathlib import Path

import pandas as pd
import torch

from slimlab import data, evaluate, pretrain
from slimlab._system.cache import replace_file
from slimlab.analysis import cost
from slimlab.baselines import mae

METHODS = {"SLiM": (pretrain.Config, pretrain.fit, pretrain.Run), "MAE": (mae.Config, mae.fit, mae.Run)}


def line(method: str, encoder, sides, **known) -> dict:
    """One line of the table."""
    features = [evaluate.features(encoder, side) for side in sides]
    return {
        "method": method,
        "kNN": evaluate.knn(*features).accuracy,
        "probe": evaluate.linear_probe(*features).accuracy,
        "features": features[0].x.shape[1],
        "parameters": cost.parameters(encoder),
        "MFLOPs": cost.flops(encoder) / 1e6,
        "clips/s": cost.throughput(encoder),
        "peak MB": cost.memory(encoder) / 1e6,
        **known,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="UTD-MHAD's Skeleton folder, or the same clips in any format that slimlab knows")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("out/mae_table"))
    a = parser.parse_args()
    sides = train, test = data.split(data.open(a.data), "cross-subject")
    lines = []
    for seed in range(a.seeds):
        for method, (settings, fit, kind) in METHODS.items():
            config = settings(preset="tiny", seed=seed, minutes=a.minutes)
            run = fit(train, config, folder=a.out / f"{method.lower()}-seed{seed}")
            run.check_unseen(test)
            untrained = kind.trainer(run.config, train.skeleton).encoder
            training = {
                "training minutes": run.about["seconds"] / 60,
                "steps": run.config.steps,
                "training clips/s": run.metrics["clips_per_second"].median(),
                "training MB": cost.pretraining_memory(run.config, train.skeleton, run.config.batch_size) / 1e6,
            }
            lines.append(line(method, run.encoder, sides, **training, seed=seed))
            lines.append(line(f"{method}, untrained", untrained, sides, seed=seed))
            print(pd.DataFrame(lines[-2:]).to_string(index=False, float_format="{:.3f}".format), flush=True)
    rows = pd.DataFrame(lines)
    replace_file(a.out / "table.csv", lambda f: rows.to_csv(f, index=False))
    print(f"\n{len(train)} training, {len(test)} test clips; {os.cpu_count()} cores, {torch.get_num_threads()} threads\n")
    columns = [c for c in rows.columns if c not in ("method", "seed")]
    print(f"| | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    for name, group in rows.groupby("method", sort=False):
        scores = [f"{group[c].mean():.3f} ± {group[c].std(ddof=1):.3f}" for c in ("kNN", "probe")]
        means = ["" if group[c].isna().all() else f"{group[c].mean():.3g}" for c in columns[2:]]
        print(f"| {name} | {' | '.join(scores + means)} |")


if __name__ == "__main__":
    main()
