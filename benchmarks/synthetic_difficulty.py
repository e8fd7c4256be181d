"""How hard the synthetic set is: raw coordinates and random encoders, cross-subject and cross-view.

    python benchmarks/synthetic_difficulty.py [--clips 960] [--seed 0]

It must need learning: raw-coordinate kNN between 0.35 and 0.70 cross-subject and below 0.55 cross-view. Exit status 1 outside.
"""

import argparse
import sys

from slimlab import data, evaluate
from slimlab.pretrain.config import Config

BOUNDS = {"cross-subject": (0.35, 0.70), "cross-view": (0.0, 0.55)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=960)
    parser.add_argument("--seed", type=int, default=0)
    a = parser.parse_args()
    store, outside = data.synthetic(clips=a.clips, seed=a.seed), 0
    encoder = evaluate.random_encoder(Config(preset="tiny").encoder(store.skeleton), a.seed)
    for protocol, (low, high) in BOUNDS.items():
        sides = data.split(store, protocol)
        raw, random = [evaluate.raw_features(s) for s in sides], [evaluate.features(encoder, s) for s in sides]
        accuracy = evaluate.knn(*raw).accuracy
        outside |= not low <= accuracy <= high
        print(f"{protocol}: raw kNN {accuracy:.3f} (bounds {low} to {high}), probe {evaluate.linear_probe(*raw).accuracy:.3f}")
        print(f"    random kNN {evaluate.knn(*random).accuracy:.3f}, probe {evaluate.linear_probe(*random).accuracy:.3f}")
    return outside


if __name__ == "__main__":
    sys.exit(main())
