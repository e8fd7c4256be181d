"""A 10-minute recording of real labeled clips: its timeline against its labels, and the latency of `slimlab stream`.

    python benchmarks/long_recordings.py [--weights small] [--pool tokens] [--minutes 10] [--seconds 2] [--stride 0.25] [--docs]

UI-PRMD, exercises done correctly. Clips of the even subjects are joined in random order, one subject after another
(`data.concatenate`); predictor and gallery are those of the odd subjects. Two controls are read in the same way: an untrained
encoder of the same architecture, centering and input scale, and the joints' coordinates themselves. All runs on one thread.
Writes out/bench/long_recordings*.json; with --docs also the tables and the figure of docs/long_recordings.md.
"""

import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from _report import OUT, report
from scipy.stats import rankdata
from torch import Tensor, nn

import slimlab
from slimlab import analysis, data, evaluate, plot
from slimlab._system.cache import replace_file
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import Features, Live, Predictor, fit_predictor
from slimlab.plot.timeline import true_labels

DOCS = Path(__file__).parent.parent / "docs"
TABLES = ("long_recordings", "long_recordings_unseen", "long_recordings_stream", "long_recordings_boundaries")
TOLERANCE = 1.0  # seconds


class Coordinates(nn.Module):
    """The input itself, in place of an encoder: joints of the test view, centered in every frame."""

    has_cls = False

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = replace(config, centering="every_frame", input_scale=1.0)
        self.nothing = nn.Parameter(torch.zeros(0))

    def features(
        self, x: Tensor, people=None, blocks: int = 1, pool: str = "tokens", combine: str = "concat", seen=None
    ) -> Tensor:
        """(B, 3, T, V, M) -> (B, 3 * T * V * M)."""
        return x.flatten(1)


def recording(store: data.ClipStore, minutes: float, repetitions: int, seed: int) -> tuple[data.ClipStore, pd.DataFrame]:
    """Clips of one subject after another, as many minutes of each; so many of an exercise in a row, in random order."""
    rng, chosen = np.random.default_rng(seed), []
    subjects = np.unique(store.column("subject"))
    for subject in subjects:
        rows = []
        for label in np.unique(store.labels):
            own = rng.permutation(np.flatnonzero((store.column("subject") == subject) & (store.labels == label)))
            rows += [own[i : i + repetitions] for i in range(0, len(own), repetitions)]
        own = np.concatenate([rows[i] for i in rng.permutation(len(rows))])
        enough = np.cumsum(store.column("frames")[own]) >= minutes * 60 * store.fps / len(subjects)
        if not enough.any():
            raise SystemExit(f"subject {subject} has fewer than {minutes / len(subjects):.1f} minutes; give fewer --minutes")
        chosen += own[: enough.argmax() + 1].tolist()
    return data.concatenate(store, chosen)


def whole_windows(table: pd.DataFrame, parts: pd.DataFrame, length: int) -> np.ndarray:
    """(N,) bool: the window lies in one clip."""
    first = table["first_frame"].to_numpy()
    part = np.searchsorted(parts["first_frame"], first, side="right") - 1
    return first + length <= (parts["first_frame"] + parts["frames"]).to_numpy()[part]


def matched(found: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """Precision and recall of moments found, each true one counted once, within TOLERANCE."""
    free, hits = list(true), 0
    for moment in found:
        near = [t for t in free if abs(t - moment) <= TOLERANCE]
        if near:
            free.remove(min(near, key=lambda t: abs(t - moment)))
            hits += 1
    return hits / max(1, len(found)), hits / max(1, len(true))


def auroc(scores: np.ndarray, positive: np.ndarray) -> float:
    """The probability that a positive scores higher than a negative; ties count half."""
    ranks, p, n = rankdata(scores), positive.sum(), (~positive).sum()
    return float((ranks[positive].sum() - p * (p + 1) / 2) / (p * n))


def unseen(name: str, read: analysis.Recording, known: Features, labels: np.ndarray, whole: np.ndarray, names) -> list[dict]:
    """Leave each exercise out of the gallery in turn: are its windows more novel than those of the others?"""
    rows = []
    for label, exercise in enumerate(names):
        rest = np.flatnonzero(known.labels.numpy() != label)
        table = analysis.compare_with(read, known.rows(rest)).table[whole]
        is_new = labels[whole] == exercise
        if is_new.any() and not is_new.all():
            scores = {of: auroc(table[of].to_numpy(), is_new) for of in ("novelty", "distance")}
            rows.append({"features": name, "left out": exercise, "windows": int(is_new.sum())} | scores)
    return rows


def boundaries(name: str, row: str, read: analysis.Recording, parts: pd.DataFrame, seconds: float, stride: float) -> list[dict]:
    """Changes of exercise that are found, by windows that follow each other and by windows a window's length apart."""
    label, rng, lines = parts["label"].to_numpy(), np.random.default_rng(0), []
    true = parts["start"].to_numpy()[1:][label[1:] != label[:-1]]
    for what, apart in (("a stride", stride), ("a window", seconds)):
        places = round(apart / stride)
        peak = analysis.peaks(analysis.changes(read.features, places))
        moments = read.table["time"].to_numpy()[peak] - (places % 2) * stride / 2  # midway between the two windows
        precision, recall = matched(moments, true)
        chance = [matched(np.sort(rng.uniform(0, parts["end"].iloc[-1], len(moments))), true) for _ in range(100)]
        by_chance = np.mean(chance, axis=0)
        lines.append(
            {
                "repetitions in a row": row,
                "features": name,
                "compared windows are apart": what,
                "changes": len(true),
                "boundaries": len(moments),
                "precision": precision,
                "by chance": float(by_chance[0]),
                "recall": recall,
                "recall by chance": float(by_chance[1]),
            }
        )
    return lines


def latencies(predictor: Predictor, long: data.ClipStore, window: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds of every push and, of those that answered, of the answers."""
    live, pushes = Live(predictor, window, stride), []
    frames = np.where(long[0].seen[..., None], long[0].joints, 0)
    for frame in frames[: window + 20 * stride]:  # warm-up
        live.push(frame)
    live = Live(predictor, window, stride)
    for frame in frames:
        begin = time.perf_counter()
        live.push(frame)
        pushes.append(time.perf_counter() - begin)
    return 1000 * np.array(pushes), 1000 * np.array(live.latencies)


def main() -> None:
    os.environ["SLIMLAB_CACHE"] = "off"  # so that times are those of reading, not of finding what an earlier run read
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="small", help="shipped name, file or folder")
    parser.add_argument("--pool", default="tokens", help="how its features are read, as its card says")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seconds", type=float, default=2.0, help="a window's length: half of the clips last 2.4 s or less")
    parser.add_argument("--stride", type=float, default=0.25)
    parser.add_argument("--repetitions", type=int, default=5, help="of an exercise in a row, in the second recording")
    parser.add_argument("--answer-every", type=int, default=8, help="frames between two answers of the stream")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--docs", action="store_true", help="write docs/long_recordings.md's tables and its figure")
    a = parser.parse_args()
    torch.set_num_threads(1)

    store = data.ui_prmd("correct")
    odd = store.column("subject") % 2 == 1
    known, held_out = store[odd], store[~odd]
    long, parts = recording(held_out, a.minutes, 1, a.seed)
    total = int(parts["frames"].sum())
    in_rows = recording(held_out, a.minutes, a.repetitions, a.seed)
    encoder = slimlab.pretrained(a.weights, skeleton=store.skeleton)
    models = {
        f"`{a.weights}`": encoder,
        "untrained": evaluate.random_encoder(replace(encoder.config, init_std=None), a.seed),
        "coordinates": Coordinates(encoder.config),
    }
    window = round(a.seconds * store.fps)
    rows, novel, found, first = [], [], [], None
    for name, model in models.items():
        predictor = fit_predictor(model, known, pool=a.pool)
        gallery = predictor.features(known)
        how = {"gallery": gallery, "seconds": a.seconds, "stride": a.stride, "apart": a.seconds}
        begin = time.perf_counter()
        read = analysis.read_recording(predictor, long, **how)
        took = time.perf_counter() - begin
        table, true = read.table, np.array(true_labels(read.table["time"].to_numpy(), parts))
        whole, right = whole_windows(table, parts, window), table["label"].to_numpy() == true
        rows.append(
            {
                "features": name,
                "accuracy, windows in one clip": float(right[whole].mean()),
                "accuracy, all windows": float(right.mean()),
                "time, s": took,
            }
        )
        novel += unseen(name, read, gallery, true, whole, store.label_names)
        found += boundaries(name, "1", read, parts, a.seconds, a.stride)
        found += boundaries(
            name, f"{a.repetitions}", analysis.read_recording(predictor, in_rows[0], **how), in_rows[1], a.seconds, a.stride
        )
        if first is None:
            first = predictor, table, whole
    assert first is not None
    predictor, table, whole = first
    common = pd.Series(np.array(true_labels(table["time"].to_numpy(), parts))[whole]).value_counts(normalize=True)
    rows.append(
        {
            "features": "chance: the most frequent exercise",
            "accuracy, windows in one clip": float(common.iloc[0]),
        }
    )
    note = (
        f"{total / store.fps / 60:.1f} minutes, {total:,} frames, {len(parts)} clips of 5 held-out subjects, "
        f"{len(table):,} windows of {a.seconds:g} s every {a.stride:g} s, {int(whole.sum())} of them in one clip"
    )
    report(TABLES[0], rows, note)
    report(
        TABLES[3],
        found,
        f"changes of exercise found within {TOLERANCE:g} s, in recordings of {a.minutes:g} minutes with one repetition of an "
        f"exercise in a row, and with {a.repetitions}; chance: as many boundaries at random moments, mean of 100 draws",
    )
    each = pd.DataFrame(novel)
    summary = []
    for name, own in each.groupby("features", sort=False):
        line = {"features": name, "exercises left out": len(own)}
        for of in ("novelty", "distance"):
            line |= {
                f"AUROC of {of}": float(own[of].mean()),
                f"{of}, worst": float(own[of].min()),
                f"{of}, best": float(own[of].max()),
            }
        summary.append(line)
    report(TABLES[1], summary, "each exercise left out of the gallery in turn; windows that lie in one clip; chance is 0.5")
    replace_file(OUT / "long_recordings_unseen.csv", lambda f: each.to_csv(f, index=False, float_format="%.4f"))
    pushes, answers = latencies(predictor, long, window, a.answer_every)
    lines = [("a frame", pushes), (f"an answer (every {a.answer_every} frames)", answers)]
    stream = [
        {"what": what, "times": len(ms), "median, ms": float(np.median(ms)), "99th percentile, ms": float(np.percentile(ms, 99))}
        for what, ms in lines
    ]
    report(TABLES[2], stream, f"the recording frame by frame, window of {window} frames, `{a.weights}`, one thread")
    if a.docs:
        write(table, parts, store.label_names)


def write(table: pd.DataFrame, parts: pd.DataFrame, names) -> None:
    """Tables and figure of docs/long_recordings.md."""
    import write_performance

    page = DOCS / "long_recordings.md"
    text, missing = write_performance.fill(page.read_text())
    if missing:
        raise SystemExit(f"not measured: {', '.join(missing)}")
    replace_file(page, lambda f: f.write(text.encode()))
    shown = table[table["time"] < 120]
    figure = plot.timeline(shown, parts[parts["end"] < 120], names=names)
    figure.savefig(DOCS / "long_recordings.png", dpi=130, bbox_inches="tight")
    print(f"{page}: written, and long_recordings.png")


if __name__ == "__main__":
    sys.exit(main())
