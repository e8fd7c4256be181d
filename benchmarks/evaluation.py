"""How long evaluation takes and what memory it needs, beside scikit-learn in the same run.

    python benchmarks/evaluation.py                        # kNN 40,000 x 16,000 x 1,024 and the rest; the figures of the README
    python benchmarks/evaluation.py --scale 0.05           # a twentieth of the clips: does it run?
    python benchmarks/evaluation.py --data UTD_MHAD        # features and robustness on these clips instead of synthetic ones
    python benchmarks/evaluation.py --only knn retrieval   # some of: knn retrieval grid logistic features robustness

Every line runs in a process of its own, so that its peak of memory is its own (the peak holds the features themselves). Where
scikit-learn does the same, its predictions are compared. Budget: kNN in 60 s and 2 GB.
"""

import argparse
import multiprocessing
import os
import sys
import tempfile
import time

import numpy as np
import torch
from _report import peak_mb, report

from slimlab import data, evaluate
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import Features

NTU60, NTU60_TRAIN = 56_578, 40_091  # its clips, and those of the cross-subject training side
LINEAR = evaluate.PROTOCOLS["slim-linear"]
TRAIN, TEST, WIDTH, CLASSES = 40_000, 16_000, 1024, 60  # NTU-60 cross-subject, two people of CLS and mean token at width 256


def made(clips: int, seed: int, width: int = WIDTH) -> Features:
    """Clusters that overlap, so that neighbours are not all of one class."""
    rng = np.random.default_rng(seed)
    centers = np.random.default_rng(99).standard_normal((CLASSES, width), dtype=np.float32)
    labels = rng.integers(CLASSES, size=clips)
    x = rng.standard_normal((clips, width), dtype=np.float32)
    x *= 4
    x += centers[labels]
    return Features(torch.from_numpy(x), torch.from_numpy(labels), None)


def timed(function) -> tuple[float, object]:
    begin = time.perf_counter()
    out = function()
    return time.perf_counter() - begin, out


def knn(a) -> dict:
    train, test = made(round(TRAIN * a.scale), 0), made(round(TEST * a.scale), 1)
    seconds, grid = timed(lambda: evaluate.knn_grid(train, test, (1, 10, 20, 100, 200)))
    return {"seconds": seconds, "accuracy": grid[1, 0.07].accuracy, "size": f"{len(train)} x {len(test)} x {WIDTH}, 5 k"}


def knn_sklearn(a) -> dict:
    from sklearn.neighbors import KNeighborsClassifier

    train, test = made(round(TRAIN * a.scale), 0), made(round(TEST * a.scale), 1)
    model = KNeighborsClassifier(1, metric="cosine", algorithm="brute")
    seconds, found = timed(lambda: model.fit(train.x.numpy(), train.labels.numpy()).predict(test.x.numpy()))
    accuracy = float((found == test.labels.numpy()).mean())
    return {"seconds": seconds, "accuracy": accuracy, "size": f"{len(train)} x {len(test)} x {WIDTH}, k = 1"}


def retrieval(a) -> dict:
    train, test = made(round(TRAIN * a.scale), 0), made(round(TEST * a.scale), 1)
    seconds, found = timed(lambda: evaluate.retrieval(train, test))
    return {"seconds": seconds, "accuracy": found.mean_average_precision, "size": f"{len(train)} x {len(test)} x {WIDTH}, mAP"}


def grid(a) -> dict:
    train, test = made(round(TRAIN * a.scale), 0, 512), made(round(TEST * a.scale), 1, 512)
    steps = max(10, round(2000 * a.scale))
    seconds, found = timed(lambda: evaluate.linear_probe(train, test, protocol="slim", steps=steps))
    return {"seconds": seconds, "accuracy": found.accuracy, "size": f"13 rates x 2 sides x {steps} steps of 64, width 512"}


def logistic(a) -> dict:
    train, test = made(round(TRAIN * a.scale), 0, 512), made(round(TEST * a.scale), 1, 512)
    seconds, found = timed(lambda: evaluate.linear_probe(train, test))
    return {"seconds": seconds, "accuracy": found.accuracy, "size": f"{len(train)} x 512, scikit-learn's"}


def sides(a):
    store = data.open(a.data) if a.data else data.synthetic(clips=max(132, round(960 * a.scale)))
    return data.split(store, "cross-subject")


def features(a) -> dict:
    train, _ = sides(a)
    encoder = evaluate.random_encoder(EncoderConfig(skeleton=train.skeleton))
    with tempfile.TemporaryDirectory() as folder:
        seconds, _ = timed(lambda: evaluate.features(encoder, train, cache=folder))
        again, _ = timed(lambda: evaluate.features(encoder, train, pool="cls", combine="sum", cache=folder))
    size = f"{len(train)} clips, paper's encoder; the second reading from disk: {again:.2f} s"
    return {"seconds": seconds, "clips_per_second": len(train) / seconds, "size": size}


def robustness(a) -> dict:
    train, test = sides(a)
    import slimlab

    encoder = slimlab.pretrained("tiny", skeleton=train.skeleton)
    os.environ["SLIMLAB_CACHE"] = "off"
    seconds, _ = timed(lambda: evaluate.robustness(encoder, train, test))
    return {"seconds": seconds, "size": f"{len(train)} + {len(test)} clips, 18 faults, 4 kinds of features, kNN and probe"}


JOBS = {f.__name__: f for f in (knn, knn_sklearn, retrieval, grid, logistic, features, robustness)}


def whole(found: dict[str, dict], scale: float) -> list[dict]:
    """NTU-60 cross-subject by the paper's protocols, at the rates that were measured: clips to encode, classifiers to fit."""
    rate, step = found["features"]["clips_per_second"], found["grid"]["seconds"] / max(10, round(2000 * scale))
    readings = len(LINEAR.blocks) * len(LINEAR.pools)
    fit = {
        "kNN": (NTU60, found["knn"]["seconds"] / scale**2),
        "logistic regression": (NTU60, found["logistic"]["seconds"] / scale),
        "linear grid, cached crops": (NTU60 + LINEAR.cached_views * NTU60_TRAIN, step * LINEAR.steps * readings),
        "linear grid, new crops": (NTU60 + LINEAR.steps * LINEAR.batch_size, step * LINEAR.steps * readings),
    }
    return [
        {"protocol": name, "clips encoded": clips, "encoding, min": clips / rate / 60, "classifiers, min": seconds / 60}
        for name, (clips, seconds) in fit.items()
    ]


def alone(name: str, a, queue) -> None:
    """One job, in its own process."""
    row = JOBS[name](a)
    row["peak_GB"] = peak_mb() / 1e3
    queue.put({"what": name} | row)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--data")
    parser.add_argument("--only", nargs="+", default=list(JOBS), choices=list(JOBS))
    a = parser.parse_args()
    context, rows = multiprocessing.get_context("spawn"), []
    for name in a.only:
        queue = context.Queue()
        process = context.Process(target=alone, args=(name, a, queue))
        process.start()
        process.join()
        if process.exitcode:
            sys.exit(f"{name} failed")
        rows.append(queue.get())
        print(f"{name:<12} {rows[-1]['seconds']:8.1f} s", flush=True)
    found = {r["what"]: r for r in rows}
    if {"knn", "knn_sklearn"} <= found.keys():
        difference = abs(found["knn"]["accuracy"] - found["knn_sklearn"]["accuracy"])
        assert difference < 1e-3, f"kNN and scikit-learn's differ by {difference}"
    report("evaluation", rows, "each line in its own process, features made beforehand; budget of kNN: 60 s, 2 GB")
    if {"knn", "logistic", "grid", "features"} <= found.keys():
        report(
            "evaluation_ntu60", whole(found, a.scale), "estimated from the rates above; two people a clip, the paper's encoder"
        )


if __name__ == "__main__":
    main()
