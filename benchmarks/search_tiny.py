"""Try settings of preset `tiny` on held-out training subjects of UTD-MHAD; never on the test side.

    python benchmarks/search_tiny.py UTD_MHAD LOG.jsonl '{"mirror": false}' '{"steps": 3000, "start": "tiny"}' …

Odd subjects are the training side (1, 3, 5, 7). Each setting is pre-trained on 1, 3, 5 and judged on 7, and pre-trained on
1, 5, 7 and judged on 3, both in parallel on one thread each; a line of the log holds the means over the two, for every way
of reading features off the encoder. "start" names shipped weights to begin with.
"""

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import torch

import slimlab
from slimlab import data, evaluate
from slimlab.pretrain.config import Config
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer

HELD_OUT = (7, 3)
STEPS = 250
# name -> (frames of the test view, what is kept of the tokens (B, M, T', V, D) beside CLS)
READINGS = {
    "cls+mean": (None, lambda cls, tokens: torch.cat([cls, tokens.mean(dim=(2, 3))], dim=-1)),
    "cls+mean, 64 frames": (64, lambda cls, tokens: torch.cat([cls, tokens.mean(dim=(2, 3))], dim=-1)),
    "cls+time steps": (None, lambda cls, tokens: torch.cat([cls, tokens.mean(dim=3).flatten(2)], dim=-1)),
    "cls+time steps, 64 frames": (64, lambda cls, tokens: torch.cat([cls, tokens.mean(dim=3).flatten(2)], dim=-1)),
    "cls+joints": (None, lambda cls, tokens: torch.cat([cls, tokens.mean(dim=2).flatten(2)], dim=-1)),
    "every cell": (None, lambda cls, tokens: tokens.flatten(2)),
    "every cell, 64 frames": (64, lambda cls, tokens: tokens.flatten(2)),
}


@torch.inference_mode()
def read(encoder, store, frames, keep) -> evaluate.Features:
    x, people, seen = evaluate.inputs(encoder, store, np.arange(len(store)), frames)
    out = encoder.eval()(x, people=people, seen=seen)
    return evaluate.Features(keep(out.cls, out.tokens).flatten(1), torch.from_numpy(store.labels), store.table)


def trial(path: str, overrides: dict, held_out: int) -> dict:
    torch.set_num_threads(1)
    training_side, _ = data.split(data.open(path), "cross-subject")
    subjects = sorted(set(training_side.table["subject"]) - {held_out})
    train, valid = data.split(training_side, "cross-subject", train_subjects=subjects)
    overrides = {"steps": STEPS} | overrides
    start = overrides.pop("start", None)
    config = Config(preset="tiny", **overrides)
    trainer = Trainer(config, train.skeleton, start=start and slimlab.pretrained(start, skeleton=train.skeleton))
    begin = time.monotonic()
    for step in range(config.steps):
        values = trainer.step(train, clips_of_step(len(train), config.batch_size, config.seed, step), step)
    row = {"seconds": time.monotonic() - begin, "glcl_over_lnk": values["glcl_over_lnk"]}
    row["target_prototypes"] = values["target_prototypes"]
    for name, reading in READINGS.items():
        sides = [read(trainer.teacher.encoder, side, *reading) for side in (train, valid)]
        row[f"{name}: kNN"], row[f"{name}: probe"] = (f(*sides).accuracy for f in (evaluate.knn, evaluate.linear_probe))
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("log")
    parser.add_argument("settings", nargs="*", default=["{}"], help="JSON each")
    args = parser.parse_args()
    path, log = args.data, args.log
    for text in args.settings:
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
