"""Try settings of preset `small`, two at a time; judged on people and motion of training sides alone, never on a test side.

    python benchmarks/search_small.py LOG.jsonl '{}' '{"width": 96, "heads": 6}' '{"data": "synthetic"}' …

Each setting is pre-trained on synthetic motion (`data`: "varied", the default, or "synthetic"; both of seed 1000) for `steps`
steps (default 600) on one thread. Then it is judged, frozen, by every reading of `POOLS`:

    people     UI-PRMD, exercise and correct (20 classes), odd subjects alone: one labeled, the other four judged, mean of five
    synthetic  the default set of seed 0, odd subjects alone: 1, 3 and 5 labeled, 7 and 9 judged

One line of the log a setting; a setting that the log already holds is not tried again. The log's first line has the controls: raw
coordinates and the same network untrained.
"""

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import torch
from make_weights import CLIPS, SEED, SUBJECTS
from threadpoolctl import threadpool_limits

from slimlab import data, evaluate
from slimlab.pretrain.config import Config
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer
from slimlab.weights.loading import on_body

STEPS = 600
POOLS = ("cls+mean", "time+part")  # a probe on every token takes as long as the training


@cache
def sides():
    """name -> (store, subjects that are labeled in turn, subjects that are judged)."""
    people, motion = data.ui_prmd(), data.synthetic()
    people, motion = (s[s.column("subject") % 2 == 1] for s in (people, motion))
    odd = [1, 3, 5, 7, 9]
    return {
        "people": (people, [([one], [s for s in odd if s != one]) for one in odd]),
        "synthetic": (motion, [([1, 3, 5], [7, 9])]),
    }


def judged(read) -> dict[str, float]:
    """kNN and probe of features on both sides; read(store) -> features."""
    row = {}
    for name, (store, turns) in sides().items():
        features = read(store)
        scores = []
        for labeled, judged_on in turns:
            parts = []
            for subjects in (labeled, judged_on):
                rows = np.flatnonzero(np.isin(store.column("subject"), subjects))
                parts.append(features.rows(rows))
            scores.append([evaluate.knn(*parts).accuracy, evaluate.linear_probe(*parts).accuracy])
        row[f"{name} kNN"], row[f"{name} probe"] = np.mean(scores, axis=0).round(4).tolist()
    return row


def by_pool(encoder) -> dict[str, dict[str, float]]:
    """judged(), by every reading; the encoder's weights are moved to the body of each side by the names of its joints."""

    def on(store):
        return on_body(encoder, store.skeleton) if store.skeleton != encoder.config.skeleton else encoder

    return {pool: judged(lambda store, p=pool: evaluate.features(on(store), store, pool=p, cache=None)) for pool in POOLS}


def trial(text: str) -> dict:
    torch.set_num_threads(1)
    overrides = json.loads(text)
    config = Config(preset="small", **({"steps": STEPS} | {k: v for k, v in overrides.items() if k != "data"}))
    make = {"varied": data.varied, "synthetic": data.synthetic}[overrides.get("data", "varied")]
    store = make(CLIPS, SEED, SUBJECTS)
    trainer = Trainer(config, store.skeleton)
    begin = time.process_time()
    for step in range(config.steps):
        values = trainer.step(store, clips_of_step(len(store), config.batch_size, config.seed, step), step)
    row = {"setting": overrides, "cpu_seconds": round(time.process_time() - begin), "prototypes": values["used_prototypes"]}
    return row | {"glcl_over_lnk": round(values["glcl_over_lnk"], 4)} | by_pool(trainer.teacher.encoder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("settings", nargs="*", help="JSON each")
    args = parser.parse_args()
    log, settings = args.log, args.settings
    lines = log.read_text().splitlines() if log.exists() else []
    if not lines:
        config = Config(preset="small")
        store = data.synthetic(3)
        untrained = by_pool(Trainer(config, store.skeleton).teacher.encoder)
        lines = [json.dumps({"setting": "controls", "raw coordinates": judged(evaluate.raw_features), "untrained": untrained})]
        log.write_text(lines[0] + "\n")
        print(lines[0], flush=True)
    tried = [json.loads(line)["setting"] for line in lines]
    waiting = [text for text in settings if json.loads(text) not in tried]
    with ProcessPoolExecutor(2, initializer=threadpool_limits, initargs=(1,)) as pool, log.open("a") as file:
        for row in pool.map(trial, waiting):
            line = json.dumps(row)
            print(line, flush=True)
            file.write(line + "\n")
            file.flush()


if __name__ == "__main__":
    main()
