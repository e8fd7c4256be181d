"""Makes the weights that come with slimlab, on synthetic motion alone, without labels; resumable, as every run.

    python benchmarks/make_weights.py tiny [--out out/weights]

Leaves encoder, record.json and metrics.csv (every 50th step) in slimlab/weights/shipped/NAME. The motion (seed 1000, 100
subjects) is none of the default sets: the results in the record are on seeds 0, 1 and 2, whose subjects were never seen.
"""

import argparse
import json
import math
from pathlib import Path

import pandas as pd

import slimlab
from slimlab import data, evaluate, pretrain, skeleton
from slimlab._system.cache import replace_file

TURNED = {"rotation": (0.3, math.pi, 0.3)}  # rad about x, y (up), z: cameras stand anywhere
RECIPES = {
    "tiny": (skeleton.KINECT_V2, {"steps": 10_000, "mirror": True, **TURNED}),
    "tiny-v1": (skeleton.KINECT_V1, {"steps": 5_000, "mirror": False, **TURNED}),
}
CLIPS, SEED, SUBJECTS = 13_200, 1000, 100
JUDGED = (0, 1, 2)


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
    a = parser.parse_args()
    body, settings = RECIPES[a.name]
    store = data.on_body(data.synthetic(CLIPS, SEED, SUBJECTS), body)
    run = pretrain.fit(store, pretrain.Config(preset="tiny", **settings), folder=a.out / a.name)
    results = judged(run.encoder, body)
    print(results.to_string())
    results.columns = [f"{score} {what}" for score, what in results.columns]
    target = Path(slimlab.__file__).parent / "weights" / "shipped" / a.name
    slimlab.save_encoder(run.encoder, target)
    record = {
        "command": f"python benchmarks/make_weights.py {a.name}",
        "data": f"synthetic(clips={CLIPS}, seed={SEED}, subjects={SUBJECTS}), no labels",
        "config": run.config.to_dict(),
        "seconds": run.about["seconds"],
        "environment": {k: v for k, v in run.about["environment"].items() if k not in ("command", "platform")},
        f"results on synthetic, seeds {JUDGED}": results.reset_index().to_dict("records"),
    }
    metrics = run.metrics.iloc[::50].drop(columns=["knn", "rank"]).round(4)
    replace_file(target / "metrics.csv", lambda f: metrics.to_csv(f, index=False))
    replace_file(target / "record.json", lambda f: f.write((json.dumps(record, indent=1) + "\n").encode()))


if __name__ == "__main__":
    main()
