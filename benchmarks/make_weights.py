"""Makes the weights that come with slimlab, on synthetic motion alone, without labels; resumable, as every run.

    python benchmarks/make_weights.py small [--out out/weights]

Leaves encoder and record.json in slimlab/weights/shipped/NAME; for `tiny` with metrics.csv (every 50th step), for `small` with
the packed run and results.csv (`frozen_table.py`). The motion (seed 1000, 100 subjects) is none of the default sets: `tiny` is
judged on seeds 0, 1 and 2, whose subjects were never seen.
"""

import argparse
import json
import math
import shutil
from pathlib import Path
from typing import NamedTuple

import frozen_table
import pandas as pd

import slimlab
from slimlab import data, evaluate, pretrain, skeleton
from slimlab._system.cache import replace_file
from slimlab.pretrain.packed import MACHINE


class Recipe(NamedTuple):
    """body, settings, and whether the run goes with the weights."""

    body: skeleton.Skeleton
    settings: dict
    packed: bool = False


TURNED = {"rotation": (0.3, math.pi, 0.3)}  # rad about x, y (up), z: cameras stand anywhere
RECIPES = {
    "tiny": Recipe(skeleton.KINECT_V2, {"preset": "tiny", "steps": 10_000, "mirror": True, **TURNED}),
    "tiny-v1": Recipe(skeleton.KINECT_V1, {"preset": "tiny", "steps": 5_000, "mirror": False, **TURNED}),
    "small": Recipe(skeleton.KINECT_V2, {"preset": "small"}, packed=True),
}
CLIPS, SEED, SUBJECTS = 13_200, 1000, 100
JUDGED = (0, 1, 2)
POOLS = ("tokens", "time+part", "cls+mean")  # by which `small` is read


def judged(encoder, body) -> pd.DataFrame:
    """kNN and probe on the default synthetic sets: raw coordinates, random encoders, this encoder."""
    tables = []
    for seed in JUDGED:
        store = data.on_body(data.synthetic(seed=seed), body)
        for protocol in ("cross-subject", "cross-view"):
            table = evaluate.compare(encoder, *data.split(store, protocol), seed=seed)
            tables.append(table.assign(protocol=protocol, seed=seed))
            print(table.assign(protocol=protocol, seed=seed).to_string(index=False), flush=True)
    rows = pd.concat(tables)
    return rows.groupby(["protocol", "features"], sort=False)[["kNN", "probe"]].agg(["mean", "std"]).round(4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--out", type=Path, default=Path("out/weights"))
    parser.add_argument("--utd", metavar="UTD_MHAD", help="judge `small` on these recordings, too")
    parser.add_argument("--so-far", action="store_true", help="take the run as its last checkpoint left it, train no further")
    a = parser.parse_args()
    recipe = RECIPES[a.name]
    if a.so_far:
        run = pretrain.Run(a.out / a.name)
    else:
        store = data.on_body(data.synthetic(CLIPS, SEED, SUBJECTS), recipe.body)
        run = pretrain.fit(store, pretrain.Config(**recipe.settings), folder=a.out / a.name)
    target = Path(slimlab.__file__).parent / "weights" / "shipped" / a.name
    record = {
        "command": f"python benchmarks/make_weights.py {a.name}",
        "data": f"{run.about['data']}, no labels",
        "config": run.config.to_dict(),
        "steps done": run.step,
        "seconds": run.about["seconds"],
        "environment": {k: v for k, v in run.about["environment"].items() if k not in MACHINE},
    }
    if recipe.packed:
        shutil.rmtree(a.out / f"{a.name}-packed", ignore_errors=True)
        packed = pretrain.pack(run, a.out / f"{a.name}-packed", every=10)
        shutil.copytree(packed.folder, target, dirs_exist_ok=True)
        rows = pd.DataFrame(frozen_table.table(str(packed.folder), a.utd, list(POOLS), choose=False))
        print(frozen_table.wide(rows))
        replace_file(target / "results.csv", lambda f: rows.to_csv(f, index=False, float_format="%.4f"))
        record["results"] = "results.csv, made by benchmarks/frozen_table.py"
    else:
        results = judged(run.encoder, recipe.body)
        print(results.to_string())
        results.columns = [f"{score} {what}" for score, what in results.columns]
        record[f"results on synthetic, seeds {JUDGED}"] = results.reset_index().to_dict("records")
        slimlab.save_encoder(run.encoder, target)
        metrics = run.metrics.iloc[::50].drop(columns=["knn", "rank"]).round(4)
        replace_file(target / "metrics.csv", lambda f: metrics.to_csv(f, index=False))
    replace_file(target / "record.json", lambda f: f.write((json.dumps(record, indent=1) + "\n").encode()))


if __name__ == "__main__":
    main()
