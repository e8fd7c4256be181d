"""A run beside its controls: `evaluate` and `robustness`."""

from __future__ import annotations

import argparse
from pathlib import Path

from slimlab._commands.shared import Command, add_data, sides


def add(command: Command) -> None:
    """Their arguments."""
    p = command("evaluate", "kNN and linear probe of a run, beside its controls.")
    p.add_argument("run")
    add_data(p)
    p.add_argument("-k", type=int, default=1, help="neighbours of kNN")
    p.add_argument("--pool", default="cls+mean", help="cls, mean, cls+mean (the paper's), time, part, time+part or tokens")
    p.add_argument("--seed", type=int, default=0, help="seed of the controls")
    p.add_argument("--iterations", type=int, default=1000, help="the most of the linear probe")
    p.add_argument("--supervised", type=int, default=0, metavar="STEPS", help="also train the same encoder with labels")
    p.add_argument("--equal-time", action="store_true", help="also train it with labels for as long as the run took")
    p.add_argument("--device", help="cpu (default), cuda, mps")
    p = command("robustness", "Accuracy as recordings get worse, a run beside its controls: table and figures.")
    p.add_argument("run")
    add_data(p)
    p.add_argument("--corruptions", nargs="+", metavar="NAME", help="'missing joints', noise, … (default: all)")
    p.add_argument("-k", type=int, default=1, help="neighbours of kNN")
    p.add_argument("--pool", default="cls+mean", help="how features are read, as of evaluate")
    p.add_argument("--seed", type=int, default=0, help="seed of the faults and of the controls")
    p.add_argument("--out", help="another folder than RUN/robustness")
    p.add_argument("--device", help="cpu (default), cuda, mps")


def robustness(a: argparse.Namespace) -> None:
    """The table of `evaluate.robustness` and its figures, in a folder of the run."""
    import pandas as pd

    from slimlab import evaluate as e
    from slimlab import plot
    from slimlab._system import distributed
    from slimlab.pretrain.run import Run, replace_file

    run, (train, test) = Run(a.run), sides(a)
    run.check_unseen(test)
    folder = Path(a.out or run.folder / "robustness")
    with distributed.processes(a.device) as device:
        chosen = {"corruptions": a.corruptions} if a.corruptions else {}
        how = {"k": a.k, "pool": a.pool, "seed": a.seed, "progress": True, "about": {"split": a.split, "run": str(run.folder)}}
        table = e.robustness(run.encoder.to(device or "cpu"), train, test, **chosen, **how)
        if distributed.rank():
            return
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "robustness.csv", lambda f: table.to_csv(f, index=False))
    written = [folder / "robustness.csv"]
    for classifier in ("kNN", "probe"):
        figure = plot.robustness(table, classifier)
        written += [plot.save(figure, folder / f"robustness_{classifier}.{suffix}") for suffix in ("pdf", "png")]
    shown = table[table["features"].isin(["raw coordinates", "pre-trained encoder"])]
    wide = shown.pivot_table("accuracy", ["corruption", "severity"], ["features", "classifier"], sort=False)
    with pd.option_context("display.width", 160):
        print(wide.to_string(float_format="{:.3f}".format))
    print(f"{len(written)} files: {folder}")


def evaluate(a: argparse.Namespace) -> None:
    """kNN and linear probe of a run, beside its controls."""
    from slimlab._system import distributed

    if a.equal_time and distributed.started() > 1:
        raise ValueError(
            "--equal-time stops by the clock, which processes read differently; evaluate in one, or say --supervised STEPS"
        )
    with distributed.processes(a.device) as device:
        _evaluate(a, device)


def _evaluate(a: argparse.Namespace, device) -> None:
    import pandas as pd

    from slimlab import evaluate as e
    from slimlab._system import distributed
    from slimlab.evaluate.subsets import check_train_test
    from slimlab.pretrain.run import Run, replace_file

    run = Run(a.run)
    train, test = sides(a)
    run.check_unseen(test)
    check_train_test(train, test)
    c, encoder = run.config, run.encoder.to(device or "cpu")
    same = {"mirror": c.mirror, "rotation": c.rotation, "seed": a.seed, "device": device or "cpu", "progress": True}
    others = {}
    if a.supervised:
        others["supervised from scratch"] = e.supervised(encoder.config, train, a.supervised, **same)
    if a.equal_time:
        seconds = run.about.get("seconds", 0.0)
        control = e.supervised(encoder.config, train, batch_size=c.batch_size, seconds=seconds, **same)
        others[f"supervised from scratch, {seconds:.0f} s as the run"] = control
    about = {"split": a.split, "run": str(run.folder)}
    table = e.compare(encoder, train, test, a.seed, a.k, others, a.pool, details=True, about=about, iterations=a.iterations)
    if distributed.rank():
        return
    with pd.option_context("display.width", 160, "display.max_columns", 9):
        print(table.iloc[:, :7].to_string(index=False, float_format="{:.3f}".format))
    print("low, high: 95 % bootstrap interval over the test subjects")
    replace_file(run.folder / "evaluation.csv", lambda f: table.to_csv(f, index=False))
    print(f"{len(train)} training and {len(test)} test clips, {a.split}; written to {run.folder / 'evaluation.csv'}")
