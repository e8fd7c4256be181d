"""Make the four short runs of lesson 06's riddle, three of them broken: python benchmarks/make_riddle.py [FOLDER]

80 steps of `tiny` on 330 synthetic clips, two seeds; about ten minutes on one core of a busy machine. Writes
slimlab/lessons/runs/<kind>-<seed>.csv, or into FOLDER.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from slimlab import data, pretrain
from slimlab._system.cache import replace_file
from slimlab.pretrain.monitor import monitor
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer

KINDS = {
    "healthy": {},
    "collapsed": {"targets": "softmax", "koleo_weight": 0.0},
    "too_warm": {"teacher_temperature": (0.1, 0.1)},
    "rate_too_high": {"base_lr": 40 * pretrain.Config().base_lr},
}
COLUMNS = "step loss glcl glcl_over_lnk mfp koleo target_prototypes used_prototypes gradient lr rank knn".split()


def measured(store: data.ClipStore, config: pretrain.Config) -> pd.DataFrame:
    """A line a step, for every step: `pretrain.fit` would stop the collapsed run on the way."""
    trainer, lines = Trainer(config, store.skeleton), []
    evaluated = np.linspace(0, config.steps - 1, config.evaluations + 1).round()[1:]
    for step in range(config.steps):
        clips = clips_of_step(len(store), config.batch_size, config.seed, step)
        lines.append({"step": step} | trainer.step(store, clips, step))
        if step in evaluated:
            lines[-1] |= monitor(trainer, store)
    return pd.DataFrame(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent.parent / "slimlab" / "lessons" / "runs")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    store = data.synthetic(clips=330)
    for seed in (0, 1):
        for kind, changed in KINDS.items():
            config = pretrain.Config(preset="tiny", seed=seed, steps=80, evaluations=8, snapshots=1, **changed)
            metrics = measured(store, config)
            table = metrics[COLUMNS]
            replace_file(folder / f"{kind}-{seed}.csv", lambda f, t=table: t.to_csv(f, index=False, float_format="%.5g"))
            print(metrics[COLUMNS].iloc[-1].round(2).to_dict(), kind, seed, flush=True)


if __name__ == "__main__":
    main()
