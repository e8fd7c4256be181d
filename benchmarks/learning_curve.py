"""How far a long run comes on UTD-MHAD: kNN and probe on the test subjects along the way, as a table and a figure.

    python benchmarks/learning_curve.py UTD_MHAD [--minutes 30] [--steps N] [--start WEIGHTS] [--points 12] [--out out/curve]

Odd subjects train, even ones test, preset `tiny`. The curve is for looking at: no setting and no moment is chosen by it, the
result is its last line. Interrupted, the same command goes on; a point that was being judged when it was stopped may be missing.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import slimlab
from slimlab import data, evaluate, plot, pretrain
from slimlab._system.cache import replace_file
from slimlab.plot.style import colour, figure, styled

READINGS = ("cls+mean", "tokens")


def scores(encoder, train, test) -> dict[str, float]:
    row = {}
    for pool in READINGS:
        sides = [evaluate.features(encoder, side, pool=pool) for side in (train, test)]
        row |= {f"kNN, {pool}": evaluate.knn(*sides).accuracy, f"probe, {pool}": evaluate.linear_probe(*sides).accuracy}
    return row


@styled
def drawn(curve: pd.DataFrame, raw: dict[str, float]):
    """Two panels, kNN and probe: a line for each reading, raw coordinates dotted."""
    fig, axes = figure(6.4, 2.6, 1, 2, sharex=True, sharey=True)
    for ax, score in zip(axes, ("kNN", "probe"), strict=True):
        for i, reading in enumerate(READINGS):
            ax.plot(curve["step"], curve[f"{score}, {reading}"], color=colour(i), marker="o", markersize=3, label=reading)
        ax.axhline(raw[score], color="0.4", linestyle=":", label="raw coordinates")
        ax.set_title(score, loc="left")
        ax.set_xlabel("step")
        ax.locator_params(axis="x", nbins=4)
    axes[0].set_ylabel("accuracy, test subjects")
    axes[1].legend(frameon=False, loc="lower right")
    fig.data = curve
    return fig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--steps", type=int, help="instead of minutes")
    parser.add_argument("--start", help="begin with these shipped weights: small, tiny, tiny-v1")
    parser.add_argument("--points", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/curve"))
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    train, test = data.split(data.open(a.data), "cross-subject")
    start = slimlab.pretrained(a.start, skeleton=train.skeleton) if a.start else None
    length = {"steps": a.steps} if a.steps else {"minutes": a.minutes}
    file, points = a.out / "curve.csv", set()
    for step in pretrain.steps(train, pretrain.Config(preset="tiny", **length), folder=a.out / "run", start=start):
        points = points or set(np.linspace(0, step.steps - 1, a.points + 1).round().astype(int).tolist())
        if step.step in points:
            row = {"step": step.step + 1} | scores(step.trainer.teacher.encoder, train, test)
            print(row, flush=True)
            before = pd.read_csv(file) if file.exists() else pd.DataFrame()
            table = pd.concat([before, pd.DataFrame([row])]).drop_duplicates("step").sort_values("step")
            replace_file(file, lambda f, table=table: table.to_csv(f, index=False))
    run, curve = pretrain.Run(a.out / "run"), pd.read_csv(file)
    expected = np.linspace(0, run.config.steps - 1, a.points + 1).round().astype(int) + 1
    if missing := sorted(set(expected.tolist()) - set(curve["step"])):
        print(f"not judged, as the run was stopped there: steps {missing}; remove {a.out} and run again for a whole curve")
    run.check_unseen(test)
    print(f"{run.config.steps} steps, {run.about['seconds'] / 60:.1f} wall minutes, {a.threads} threads")
    print(curve.to_string(index=False, float_format="{:.3f}".format))
    sides = [evaluate.raw_features(side) for side in (train, test)]
    raw = {"kNN": evaluate.knn(*sides).accuracy, "probe": evaluate.linear_probe(*sides).accuracy}
    plot.save(drawn(curve, raw), a.out / "curve.png")


if __name__ == "__main__":
    main()
