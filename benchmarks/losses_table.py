"""Which part of the objective helps at this scale: GLCL alone, MFP alone, both; global views whole or masked. UTD-MHAD.

    python benchmarks/losses_table.py UTD_MHAD [--steps 1000] [--seeds 3] [--out out/losses]

Odd subjects train, even ones test; preset `tiny`, equal steps. MFP needs masked views, so it has no unmasked line. Beside
them the same encoder trained with labels for as many steps, and raw coordinates. Two runs at a time, one thread each;
they stay in OUT and are taken up again.
"""

import argparse
import itertools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pandas as pd
import torch

from slimlab import data, evaluate, pretrain
from slimlab._system.cache import replace_file

LINES = {
    "GLCL alone, global views whole": {"mfp_weight": 0.0, "mask_globals": 0.0},
    "GLCL alone, half of them masked": {"mfp_weight": 0.0, "mask_globals": 0.5},
    "MFP alone, half of them masked": {"glcl_weight": 0.0, "mask_globals": 0.5},
    "both, half of them masked (`tiny`)": {},
    "both, all of them masked": {"mask_globals": 1.0},
    "with labels, from scratch": None,
}
READINGS = {"cls+mean": ("kNN", "probe"), "tokens": ("kNN, every token", "probe, every token")}


def scores(features_of, train, test) -> dict[str, float]:
    row = {}
    for pool, (knn, probe) in READINGS.items():
        sides = [features_of(side, pool) for side in (train, test)]
        row[knn], row[probe] = evaluate.knn(*sides).accuracy, evaluate.linear_probe(*sides).accuracy
    return row


def trial(path: str, steps: int, out: Path, name: str, seed: int) -> dict:
    torch.set_num_threads(1)
    train, test = data.split(data.open(path), "cross-subject")
    overrides = LINES[name]
    config = pretrain.Config(preset="tiny", steps=steps, seed=seed, **(overrides or {}))
    if overrides is None:
        sized = config.encoder(train.skeleton)
        encoder = evaluate.supervised(sized, train, steps, mirror=config.mirror, rotation=config.rotation, seed=seed)
    else:
        folder = out / f"{list(LINES).index(name)}-{seed}"
        encoder = pretrain.fit(train, config, folder=folder, progress=False).encoder
    row = scores(lambda side, pool: evaluate.features(encoder, side, pool=pool), train, test)
    print({"features": name, "seed": seed} | row, flush=True)
    return {"features": name, "seed": seed} | row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("out/losses"))
    a = parser.parse_args()
    seeds, names = zip(*itertools.product(range(a.seeds), LINES), strict=True)
    with ProcessPoolExecutor(2) as pool:
        rows = pd.DataFrame(pool.map(trial, *([v] * len(names) for v in (a.data, a.steps, a.out)), names, seeds))
    replace_file(a.out / "table.csv", lambda f: rows.to_csv(f, index=False))
    columns = [c for pair in READINGS.values() for c in pair]
    print(f"\n{a.steps} steps, {a.seeds} seeds\n\n| features | {' | '.join(columns)} |\n|---|{'---|' * len(columns)}")
    for name, group in rows.groupby("features", sort=False):
        print(f"| {name} | {' | '.join(f'{group[c].mean():.3f} ± {group[c].std(ddof=1):.3f}' for c in columns)} |")


if __name__ == "__main__":
    main()
