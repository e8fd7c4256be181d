"""The shipped weights on real recordings that they never saw a clip of, nothing trained but the probe.

    python benchmarks/transfer.py UTD_MHAD [MORE_DATA …]

The first file: odd subjects train, even ones test. Every further one: one subject trains, the others test,
mean over subjects.
"""

import argparse
import warnings

import numpy as np

import slimlab
from slimlab import data, evaluate


def rows(store, train_subjects):
    """Accuracies (features, scores) for one split: raw coordinates, then the shipped encoders."""
    sides = data.split(store, "cross-subject", train_subjects=train_subjects)
    all_features = [[evaluate.raw_features(s) for s in sides]]
    for name in ("tiny", "tiny-v1"):
        encoder = slimlab.pretrained(name, skeleton=store.skeleton)
        all_features.append([evaluate.features(encoder, s) for s in sides])
    return np.array([[evaluate.knn(*f).accuracy, evaluate.linear_probe(*f).accuracy] for f in all_features])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    warnings.simplefilter("ignore", UserWarning)  # joints without a counterpart are expected here
    for i, path in enumerate(parser.parse_args().data):
        store = data.open(path)
        sides = [None] if i == 0 else [[p] for p in np.unique(store.column("subject")).tolist()]
        scores = np.array([rows(store, side) for side in sides])  # (splits, features, scores)
        print(f"{path}: {'odd -> even subjects' if i == 0 else 'one subject -> the others, mean of all'}")
        for name, (knn, probe) in zip(("raw coordinates", "tiny", "tiny-v1"), scores.mean(axis=0), strict=True):
            print(f"  {name:<16} kNN {knn:.3f}  probe {probe:.3f}")


if __name__ == "__main__":
    main()
