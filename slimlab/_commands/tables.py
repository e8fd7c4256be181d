"""The paper's figures beside ours: `cost` and `paper`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from slimlab._commands.shared import Command, weights_of

if TYPE_CHECKING:
    from slimlab.pretrain import Config


def add(command: Command) -> None:
    """Their arguments."""
    p = command("cost", "FLOPs and speed of SLiM and of MAMP's encoder, the paper's figures beside ours.")
    p.add_argument("--people", type=float, default=1.2, help="people in a clip, on average")
    p.add_argument("--seconds", type=float, default=5.0, help="for each line against the clock; 0: FLOPs alone")
    p.add_argument("--pretraining", action="store_true", help="also count a training step of each, at the paper's size")
    p.add_argument("--device", default="cpu", help="cpu, cuda, mps")
    p = command("paper", "A table of the paper: its printed figures, and its rows trained on your clips beside them.")
    p.add_argument("table", nargs="?", help="1, 2a, 2b, 3, 4, 5a, 5b, 7, 9, 10, 11a or 11b")
    p.add_argument("data", nargs="?", help="clips to train and test on; without them the printed figures are shown")
    p.add_argument("--list", action="store_true", help="what each table needs, and how long a run takes here")
    p.add_argument("--preset", default="tiny", help="tiny, small or paper")
    p.add_argument("--steps", type=int, help="of each run (default: the preset's)")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--split", default="cross-subject", help="cross-subject, cross-view, ntu60-xsub, file, …")
    p.add_argument("--weights", help="judge these instead of training: small, tiny, tiny-v1, a run's folder, an id on the Hub")
    p.add_argument("--subfolder", help="of --weights, such as ntu60_xsub")
    p.add_argument("--probe", help="of table 1: a file of released linear probes, judged as they are")
    p.add_argument("--source", help="of table 9: clips to pre-train on")
    p.add_argument("--source-split", help="how --source is divided (default: as --split)")
    p.add_argument("--evaluation-steps", type=int, help="of the linear protocol and of fine-tuning")
    p.add_argument(
        "--no-mirror", dest="mirror", action="store_false", help="left and right are different classes: mirror nothing"
    )
    p.add_argument("--minutes", type=float, help="begin no further run after so many; the same command goes on")
    p.add_argument("--out", default="runs/tables", help="folder of the runs, which the tables share, and of OUT/TABLE")
    p.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")


def cost(a: argparse.Namespace) -> None:
    """FLOPs and speed of the encoders, the paper's figures beside ours."""
    import pandas as pd

    from slimlab.analysis import cost as c

    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.float_format", "{:.2f}".format):
        print("GFLOPs a clip; a multiply-add is 2, attention counted; elementwise: with element-wise work\n")
        print(c.table(pretraining=a.pretraining).to_string(index=False, na_rep=""))
        print(f"\nclips of {a.people} people on average\n")
        print(c.mix(a.people, seconds=a.seconds, device=a.device).T.to_string(header=False, na_rep=""))


def paper(a: argparse.Namespace) -> None:
    """The list of tables, the printed figures of one, or its rows trained beside them."""
    from slimlab import pretrain as p

    base = p.Config(preset=a.preset, **({"steps": a.steps} if a.steps else {}))
    if a.list:
        _list(base, a.device)
    elif a.table is None:
        raise ValueError("give a table, such as 4, and DATA; or --list")
    elif a.data is None:
        _printed(a.table)
    elif a.probe:
        _released(a)
    else:
        _beside(a, base)


def _list(base: Config, device: str | None) -> None:
    """What each table needs, and how long a run takes here."""
    from slimlab import data
    from slimlab import pretrain as p
    from slimlab.study import paper as tables

    each = p.estimate(data.synthetic(clips=96), base, device=device)
    print(f"preset {base.preset}, {base.steps} steps of {base.batch_size} clips: a run of the recipe takes {each}\n")
    for name, table in tables.TABLES.items():
        runs = len(table.rows) + len(table.masked)
        trained = f"{runs} run{'s' * (runs > 1)} a seed: slimlab paper {name} DATA" if runs else f"slimlab paper {name}"
        print(f"{name:<4}{table.title}; needs {table.needs}; {trained}")


def _printed(table: str) -> None:
    """The published figures alone."""
    from slimlab.analysis import cost as c
    from slimlab.study import paper as tables

    print(tables.published(table).to_string(na_rep=""))
    if table == "3":
        print(f"\nGFLOPs a clip as counted here (slimlab cost says how)\n{c.table().to_string(index=False, na_rep='')}")


def _beside(a: argparse.Namespace, base: Config) -> None:
    """The rows, trained or judged on a reader's clips, beside the published figures."""
    from slimlab import data, plot
    from slimlab import pretrain as p
    from slimlab.study import paper as tables

    store = data.open(a.data)
    weights = weights_of(a.weights, store.skeleton, a.subfolder) if a.weights else None
    source = data.open(a.source) if a.source else None
    if weights is None:
        for part in tables.planned(a.table, base, a.mirror):
            guess = p.estimate(source or store, part.base, device=a.device, method=part.method)
            count = f"{len(part.rows)} row{'s' * (len(part.rows) > 1)} x {a.seeds} seeds"
            print(f"{part.method.name}: {count}; a run at the size that they share takes {guess}")
    how = {"minutes": a.minutes, "device": a.device, "steps": a.evaluation_steps, "mirror": a.mirror}
    how |= {"weights": weights, "source": source, "source_split": a.source_split}
    out = Path(a.out)
    found = tables.run(a.table, store, base, seeds=a.seeds, split=a.split, folder=out, **how)
    print(found.markdown())
    plot.save(plot.paper_table(found), found.save(out / a.table) / "figure.png")
    print(f"table and figure: {out / a.table}; runs: {out}")


def _released(a: argparse.Namespace) -> None:
    """The released probes on the test side, beside what the paper prints."""
    from slimlab import data
    from slimlab import evaluate as e
    from slimlab.study import paper as tables

    if not a.weights or a.table != "1":
        raise ValueError("--probe is table 1's, with --weights: slimlab paper 1 DATA --weights WEIGHTS --probe FILE")
    store = data.open(a.data)
    weights = weights_of(a.weights, store.skeleton, a.subfolder)
    _, test = data.split(store, a.split)
    found = e.score_probes(weights, test, a.probe)
    print(found.round(4).to_string(index=False))
    print(f"\n{len(test)} test clips, {a.split}; printed:\n{tables.published('1').loc[['SLiM']].to_string(na_rep='')}")
