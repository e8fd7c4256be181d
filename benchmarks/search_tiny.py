"""Try settings of preset `tiny` on held-out training performers of UTD-MHAD; never on the test side.

    python benchmarks/search_tiny.py UTD_MHAD LOG.jsonl '{"mirror": false}' '{"koleo_weight": 0.05}' …

Odd performers are the training side (1, 3, 5, 7). Each setting is pre-trained on 1, 3, 5 and judged on 7, and pre-trained on
1, 5, 7 and judged on 3, both in parallel on one thread each; a line of the log holds the means over the two.
"""

import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import torch

from slimlab import data, evaluate
from slimlab.config import Config
from slimlab.trainer import Trainer, clips_of_step

HELD_OUT = (7, 3)
STEPS = 250


def trial(path: str, overrides: dict, held_out: int) -> dict:
    torch.set_num_threads(1)
    training_side, _ = data.split(data.open(path), "cross-subject")
    performers = sorted(set(training_side.table["subject"]) - {held_out})
    train, valid = data.split(training_side, "cross-subject", train_subjects=performers)
    config = Config(preset="tiny", **({"steps": STEPS} | overrides))
    trainer = Trainer(config, train.skeleton)
    begin = time.monotonic()
    for step in range(config.steps):
        values = trainer.step(train, clips_of_step(len(train), config.batch_size, config.seed, step), step)
    seconds = time.monotonic() - begin
    sides = [evaluate.features(trainer.teacher.encoder, side) for side in (train, valid)]
    return {
        "knn": evaluate.knn(*sides).accuracy,
        "probe": evaluate.linear_probe(*sides).accuracy,
        "seconds": seconds,
        "glcl_over_lnk": values["glcl_over_lnk"],
        "target_prototypes": values["target_prototypes"],
    }


def main() -> None:
    path, log, *settings = sys.argv[1:]
    for text in settings or ["{}"]:
        overrides = json.loads(text)
        with ProcessPoolExecutor(len(HELD_OUT)) as pool:
            rows = list(pool.map(trial, [path] * len(HELD_OUT), [overrides] * len(HELD_OUT), HELD_OUT))
        mean = {k: round(sum(r[k] for r in rows) / len(rows), 4) for k in rows[0]}
        line = json.dumps({"overrides": overrides, **mean})
        print(line, flush=True)
        with open(log, "a") as f:
            f.write(line + "\n")


if __name__ == "__main__":
    main()
