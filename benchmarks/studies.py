"""Studies of a setting, one command each: arms times seeds, pre-trained and evaluated, then tables and a figure.

    python benchmarks/studies.py mask-ratio UTD_MHAD [--steps 600] [--seeds 3] [--out out/studies] [--minutes M]

Odd performers train, even ones test; preset `tiny`. Interrupted or killed, the same command goes on; a second process started
with the same command shares the work (use one thread each: OMP_NUM_THREADS=1). Nothing is chosen by the test side.
"""

import argparse
from pathlib import Path

import torch

from slimlab import data, study
from slimlab.config import PREPRINT_VIEWS, Config

RATIOS, STRATEGIES = (0.3, 0.5, 0.7, 0.9), ("semantic_tubes", "random_cells", "joint_tubes")
UNMASKED = {"mask_globals": 0.0, "mask_locals": False, "mfm_weight": 0.0}

# name -> (what the base changes of `tiny`, the arms)
STUDIES = {
    # The paper's placement, half of the global and all local views masked: `tiny` masks a sixth of the view pairs alone, where
    # a ratio could hardly matter. Beside the grid: nothing masked.
    "mask-ratio": (
        {"mask_locals": True},
        [UNMASKED, *study.product({"masking": STRATEGIES, "mask_ratio": RATIOS})],
    ),
    "losses": ({}, [{"mfm_weight": 0.0}, {"mfm_weight": 0.25}, {"mfm_weight": 1.0}, {"glcl_weight": 0.0}, {"koleo_weight": 0.0}]),
    "local-views": ({}, [{}, {"local_views": ()}, {"local_views": ((16, 2, (0.3, 0.8)),)}, {"local_views": PREPRINT_VIEWS[:2]}]),
    "patch-frames": ({}, [{"patch_frames": 16}, {"patch_frames": 8}, {"patch_frames": 4}]),
    "depth": ({}, study.product({"depth": (1, 2, 3, 4, 6)})),
    "prototypes": ({}, study.product({"prototypes": (32, 64, 128, 256, 1024)})),
    "augmentation": ({}, [{}, {"augment_probability": 0.0}, {"noise": 0.0}, {"augment_probability": 0.0, "noise": 0.0}]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("data", help="UTD-MHAD's Skeleton folder, or the same clips in any format that slimlab knows")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="begin no further run after so many; the same command goes on")
    parser.add_argument("--out", type=Path, default=Path("out/studies"))
    a = parser.parse_args()
    changes, arms = STUDIES[a.study]
    base = Config(preset="tiny", steps=a.steps, evaluations=3, snapshots=1, **changes)
    print(f"{len(arms)} arms x {a.seeds} seeds x {a.steps} steps, {torch.get_num_threads()} threads", flush=True)
    table = study.sweep(data.open(a.data), arms, a.seeds, base, a.out / a.study, minutes=a.minutes)
    print(table[["arm", "seed", "knn", "probe", "held_out_knn", "seconds"]].to_string(index=False))


if __name__ == "__main__":
    main()
