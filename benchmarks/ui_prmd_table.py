"""The recordings in the package: exercise and correct (20 classes), odd to even subjects, one labeled subject and all five.

    python benchmarks/ui_prmd_table.py [WEIGHTS …] [--csv FILE]

WEIGHTS: shipped names (default: tiny) or folders of encoders, read by two pools beside raw coordinates and untrained encoders.
With one labeled subject each odd one in turn is it, and the mean of five is printed; the interval is over the even subjects.
"""

import argparse
import warnings

import pandas as pd

import slimlab
from slimlab import data, evaluate, weights

POOLS = ("cls+mean", "time+part")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="*", default=["tiny"])
    parser.add_argument("--csv")
    a = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # joints without a counterpart are expected here
    train, test = data.split(data.ui_prmd())
    tables = []
    for name in a.weights:
        load = slimlab.pretrained if name in weights.shipped() else slimlab.load_encoder
        encoder = load(name, skeleton=train.skeleton)
        for pool in POOLS:
            table = evaluate.one_labeled_subject(encoder, train, test, pool=pool).assign(weights_name=name)
            tables.append(table)
            wide = table.pivot_table(["accuracy", "low", "high"], "features", ["labels", "classifier"], sort=False)
            print(f"{name}, read by {pool}\n{wide.round(3).to_string()}\n", flush=True)
    if a.csv:
        pd.concat(tables).to_csv(a.csv, index=False)


if __name__ == "__main__":
    main()
