"""Frozen encoders on sets that they never saw: kNN and probe beside raw coordinates and the same network untrained.

    python benchmarks/frozen_table.py WEIGHTS [UTD_MHAD] [--pools tokens] [--choose] [--csv FILE]

Sets: UI-PRMD in the package (exercise and correct, 20 classes; odd to even subjects, one labeled in turn and all five), UTD-MHAD
where its folder is given (odd to even), the default synthetic sets of seeds 0 to 2 (cross-subject), and `data.varied` of seed 1.
Encoders: WEIGHTS, `tiny`, and WEIGHTS' network as initialised with seeds 0, 1 and 2 (their mean). Differences of WEIGHTS from
the last two are over the test side's subjects: mean [95 % bootstrap interval].

--choose  opens no test side: some training subjects are labeled and the others judged, to choose a pool by
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

import slimlab
from slimlab import data, evaluate
from slimlab._system.cache import replace_file
from slimlab.data import ClipStore
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate import Features, Result
from slimlab.weights import on_body

SEEDS = (0, 1, 2)
Turns = list[tuple[np.ndarray, np.ndarray]]  # rows of the labeled and of the judged clips, turn after turn


def sets(real: str | None, choose: bool) -> Iterator[tuple[str, ClipStore, Turns]]:
    """name, clips, turns. With `choose` these are of the training side alone."""
    stores = {"UI-PRMD": data.ui_prmd()} | ({"UTD-MHAD": data.open(real)} if real else {})
    stores |= {f"synthetic, seed {seed}": data.synthetic(seed=seed) for seed in SEEDS}
    if not choose:
        stores["varied, seed 1"] = data.varied(clips=800, seed=1, subjects=10, scripts=40)
    for name, store in stores.items():
        subjects = store.column("subject")
        odd = sorted({int(s) for s in subjects if s % 2})
        one = [([s], odd if choose else []) for s in odd]
        half = len(odd) - len(odd) // 2
        halves = [(odd[:half], odd[half:]), (odd[-half:], odd[:-half])]
        protocols = {"": halves if choose else [(odd, [])]}
        if name == "UI-PRMD":
            protocols = {", one labeled subject": one} | ({} if choose else {", all five": [(odd, [])]})
        for words, turns in protocols.items():
            rows = []
            for labeled, judged in turns:
                on = np.isin(subjects, judged) & ~np.isin(subjects, labeled) if choose else subjects % 2 == 0
                rows.append((np.flatnonzero(np.isin(subjects, labeled)), np.flatnonzero(on)))
            yield name + words, store, rows


def results(features: Features, turns: Turns) -> dict[str, list[Result]]:
    """kNN and probe, a result for every turn."""
    out: dict[str, list[Result]] = {"kNN": [], "probe": []}
    for turn in turns:
        train, test = (features.rows(r) for r in turn)
        out["kNN"].append(evaluate.knn(train, test))
        out["probe"].append(evaluate.linear_probe(train, test))
    return out


def encoders(name: str) -> dict[str, list[FeatureEncoder]]:
    folder = Path(name)
    encoder = slimlab.load_encoder(folder) if folder.is_dir() else slimlab.pretrained(name)
    untrained = [evaluate.random_encoder(encoder.config, seed) for seed in SEEDS]
    return {"untrained": untrained, "tiny": [slimlab.pretrained("tiny")], "weights": [encoder]}


def table(weights: str, real: str | None, pools: list[str], choose: bool) -> Iterator[dict]:
    """One row a set, pool, encoder and classifier."""
    models = encoders(weights)
    for name, store, turns in sets(real, choose):
        raw = results(evaluate.raw_features(store), turns)
        for pool in pools:
            found = {"raw coordinates": raw}
            for who, several in models.items():
                read = [results(_features(e, store, pool), turns) for e in several]
                found[who] = {c: [r for one in read for r in one[c]] for c in ("kNN", "probe")}
            for who, by_classifier in found.items():
                for classifier, each in by_classifier.items():
                    row = {"set": name, "pool": pool, "features": who, "classifier": classifier}
                    row["accuracy"] = float(np.mean([r.accuracy for r in each]))
                    if not choose:
                        subjects = store.column("subject")[turns[0][1]]
                        interval = evaluate.over_subjects(each, subjects)
                        row |= {"low": interval.low, "high": interval.high}
                        if who != "weights":
                            ahead = evaluate.paired(found["weights"][classifier], each, subjects)
                            row |= {"ahead": ahead.difference, "ahead_low": ahead.low, "ahead_high": ahead.high}
                    yield row


def wide(rows: pd.DataFrame) -> str:
    """The accuracies, a line a set and classifier."""
    return rows.pivot_table("accuracy", ["set", "classifier"], ["pool", "features"], sort=False).round(3).to_string()


def _features(encoder: FeatureEncoder, store: ClipStore, pool: str) -> Features:
    same = encoder.config.skeleton.names == store.skeleton.names
    return evaluate.features(encoder if same else on_body(encoder, store.skeleton), store, pool=pool, cache=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="a shipped name, or a folder of an encoder or run")
    parser.add_argument("data", nargs="?", help="UTD-MHAD's Skeleton folder, or the same clips in any format that slimlab knows")
    parser.add_argument("--pools", nargs="+", default=["tokens"])
    parser.add_argument("--choose", action="store_true", help="held-out training subjects only")
    parser.add_argument("--csv", type=Path)
    a = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # joints without a counterpart are expected here
    rows = []
    for row in table(a.weights, a.data, a.pools, a.choose):
        rows.append(row)
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}, flush=True)
    made = pd.DataFrame(rows)
    print(wide(made))
    if a.csv:
        replace_file(a.csv, lambda f: made.to_csv(f, index=False))


if __name__ == "__main__":
    main()
