"""One run of a sweep: pre-train, evaluate on the test side, subject by subject, beside its controls."""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import evaluate, pretrain
from slimlab._renamed import old_names
from slimlab.data import ClipStore
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import Features, Result
from slimlab.pretrain.method import SLIM, Method
from slimlab.pretrain.run import Collapsed, Run, replace_file, write_json
from slimlab.pretrain.setup import device_of

RENAMED = {"arm": "variant", "performers": "subjects"}  # names of slimlab 0.1 in rows and tables
PROTOCOL = "features cls+mean of the test view; kNN k=1, cosine; probe: logistic regression, C=1, standardised"


def check(folder: Path, method: Method = SLIM) -> None:
    """Raises RunError where an unfinished run in this folder cannot be taken up again."""
    if (folder / "config.json").exists():
        Run(folder, method)


def run(
    train: ClipStore,
    test: ClipStore,
    config: Any,
    folder: Path,
    key: str,
    device: torch.device | str | None,
    method: Method = SLIM,
) -> dict[str, Any]:
    """Pre-train (or go on), evaluate; the row of the table. A run that diverges or collapses, or of which the
    probe does not converge, gives a row with `error`."""
    at = folder / "runs" / key
    fresh, error = not (at / "config.json").exists(), ""
    begin, used = time.time(), time.process_time()
    try:
        for _ in pretrain.steps(train, config, folder=at, device=device, method=method):
            pass
    except FloatingPointError as problem:
        error = str(problem)
    except Collapsed as problem:
        error = problem.reason
    used = time.process_time() - used
    done = Run(at, method)
    row = {
        "seed": config.seed,
        "steps": config.steps,
        "error": error,
        "knn": None,
        "probe": None,
        **_monitored(done.metrics),
        "subjects": {},
    }
    beside = {}
    try:
        if not error:
            row |= _judged(done, train, test, at, device)
        beside = controls(train, test, config, folder, device, method)
    except evaluate.NotConverged as problem:  # the same features would not converge when asked again
        row["error"] = error or str(problem).partition(";")[0]
    return joined(row, beside) | {
        "train": train.fingerprint,
        "test": test.fingerprint,
        "data": Path(train.source).name,
        "train_clips": len(train),
        "test_clips": len(test),
        "protocol": PROTOCOL,
        "slimlab": slimlab.__version__,
        "commit": commit(),
        "torch": torch.__version__,
        "device": done.about["environment"]["device"],
        "threads": torch.get_num_threads(),
        "seconds": done.about.get("seconds"),  # wall time of pre-training
        "cpu_seconds": round(used, 1) if fresh else None,  # of this process; unknown where several had a part
        "started": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(begin)),
        "run": key,
        "method": method.name,
        "config": config.to_dict(),
    }


def _judged(done: Run, train: ClipStore, test: ClipStore, at: Path, device: torch.device | str | None) -> dict[str, Any]:
    done.check_unseen(test)
    encoder = done.encoder.to(device_of(device))
    row, said = scores([evaluate.features(encoder, side) for side in (train, test)])
    clips = pd.DataFrame({"clip": test.column("clip"), "subject": test.column("subject"), "label": test.labels, **said})
    replace_file(at / "predictions.csv", lambda f: f.write(clips.to_csv(index=False).encode()))
    return row


def scores(sides: Sequence[Features], name: str = "", iterations: int = 1000) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """({knn, probe, subjects: {subject: {clips, knn, probe}}}, predictions of both) of (train, test) features.

    name  put before the scores: "raw" gives raw_knn, raw_probe; iterations: the most of the probe
    """
    train, test = sides
    prefix = f"{name}_" if name else ""
    results = {"knn": evaluate.knn(train, test), "probe": evaluate.linear_probe(train, test, iterations=iterations)}
    row = by_subject({f"{prefix}{score}": r for score, r in results.items()}, np.asarray(test.table["subject"]))
    return row, {score: r.predictions.numpy() for score, r in results.items()}


def by_subject(results: Mapping[str, Result], who: np.ndarray, mean: str = "") -> dict[str, Any]:
    """{score: accuracy, subjects: {subject: {clips, score: accuracy}}} of results on the same clips.

    who   (N,) the clips' subjects
    mean  the name of a further score, the mean of all; "": none
    """
    hits = {score: (r.predictions == r.labels).numpy().astype(float) for score, r in results.items()}
    if mean:
        hits[mean] = np.mean(list(hits.values()), axis=0)
    subjects = {
        str(p): {"clips": int((who == p).sum())} | {score: float(hit[who == p].mean()) for score, hit in hits.items()}
        for p in np.unique(who)
    }
    return {score: float(hit.mean()) for score, hit in hits.items()} | {"subjects": subjects}


def _monitored(metrics: pd.DataFrame) -> dict[str, float | None]:
    """The run's last look at a held-out training subject, and its feature rank."""
    last = {}
    for name, column in (("held_out_knn", "knn"), ("rank", "rank")):
        values = metrics[column].dropna().tolist() if column in metrics else []
        last[name] = float(values[-1]) if values else None
    return last


def controls(
    train: ClipStore,
    test: ClipStore,
    config: Any,
    folder: Path,
    device: torch.device | str | None = None,
    method: Method = SLIM,
) -> dict[str, Any]:
    """`scores` of raw coordinates and of the encoder as it was before its first step; kept in the sweep's folder."""
    data, sized = [train.fingerprint, test.fingerprint], config.encoder(train.skeleton)
    was = old_names(asdict(sized))  # so that what earlier versions kept is found
    text = json.dumps(was, sort_keys=True, default=str)

    def raw():
        return [evaluate.raw_features(side) for side in (train, test)]

    def untrained():
        own = isinstance(sized, EncoderConfig)  # else another method's encoder, which its trainer makes
        encoder = evaluate.random_encoder(sized, config.seed) if own else method.trainer(config, train.skeleton).encoder
        encoder = encoder.to(device_of(device))
        return [evaluate.features(encoder, side) for side in (train, test)]

    return joined(_control(folder, "raw", data, raw), _control(folder, "untrained", [*data, text, str(config.seed)], untrained))


def joined(*rows: dict[str, Any]) -> dict[str, Any]:
    """One row of several; what they say of each subject goes together."""
    out: dict[str, Any] = {}
    for row in rows:
        subjects = {p: out.get("subjects", {}).get(p, {}) | v for p, v in row.get("subjects", {}).items()}
        out |= row | {"subjects": out.get("subjects", {}) | subjects}
    return out


def _control(folder: Path, name: str, what: list[str], features: Callable[[], Sequence[Features]]) -> dict[str, Any]:
    digest = hashlib.blake2b("|".join(what).encode(), digest_size=8).hexdigest()
    file = folder / "controls" / f"{name}-{digest}.json"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, scores(features(), name)[0])
    return read_row(file)


def read_row(file: Path) -> dict[str, Any]:
    """A row that was kept on disk, also one of slimlab 0.1, which had other names."""
    row = json.loads(file.read_text())
    for old, new in RENAMED.items():
        if isinstance(row, dict) and old in row:
            row[new] = row.pop(old)
    return row


@functools.cache
def commit() -> str:
    """The clone's commit, "+" where files were changed since; "" outside a clone."""
    try:
        where = {"cwd": Path(__file__).parent, "capture_output": True, "text": True, "timeout": 10, "check": True}
        number = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], **where).stdout.strip()
        changed = subprocess.run(["git", "status", "--porcelain", "--untracked-files=no"], **where).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
    return number + ("+" if changed else "")
