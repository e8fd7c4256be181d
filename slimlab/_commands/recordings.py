"""Clips: `convert`, `export` and `report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from slimlab._commands.shared import Command, table_file


def add(command: Command) -> None:
    """Their arguments."""
    p = command("convert", "Convert any known format into a memory-mapped store.")
    p.add_argument("source")
    p.add_argument("destination")
    p.add_argument(
        "--format", help="where it is not recognised: ragged, utd-mhad, ntu-npz, ntu-skeleton, pyskl, … (data/README.md)"
    )
    p.add_argument("--dtype", default="float32", choices=["float32", "float16"])
    p.add_argument(
        "--unit", help="of the source's lengths: m, cm, mm, inch, or the meters in one (default: what the source says)"
    )
    p.add_argument("--up", help="the source's axis that points up: x, y, z, -x, -y, -z (default: what the source says)")
    p.add_argument(
        "--min-score", type=float, help="a joint with a lower score was not seen, 0 to 1 (pose estimators; default: 0.3)"
    )
    p.add_argument(
        "--on-error", default="raise", choices=["raise", "skip"], help="skip: leave bad clips out and list them in skipped.csv"
    )
    p = command("export", "Write clips as ragged .npz, NTU's .npz, .csv, a store's folder, or an .html page that plays them.")
    p.add_argument("data", help="anything that convert reads, a store, or the word 'synthetic' or 'ui-prmd'")
    p.add_argument("destination", help="….csv, ….npz, ….html, or a folder's name")
    p.add_argument("--format", choices=["store", "ragged", "ntu-npz", "csv"], help="where the ending does not say it")
    p.add_argument(
        "--clips", type=int, nargs="+", metavar="N", help="these alone, from 0 (.html: at most 8; the first by default)"
    )
    p = command("report", "What a set holds, and which of its clips deserve a look.")
    p.add_argument("data", help="anything that convert reads, a store, or the word 'synthetic' or 'ui-prmd'")
    p.add_argument("--format", help="where it is not recognised")
    p.add_argument("--out", help="also write the table of all clips, as .csv")


def convert(a: argparse.Namespace) -> None:
    """Any known format into a memory-mapped store."""
    from slimlab import data

    unit = None if a.unit is None else _number(a.unit)
    print(
        data.convert(a.source, a.destination, a.format, a.dtype, unit=unit, up=a.up, on_error=a.on_error, min_score=a.min_score)
    )


def _number(text: str) -> str | float:
    """A number where it is one, else the word."""
    try:
        return float(text)
    except ValueError:
        return text


def export(a: argparse.Namespace) -> None:
    """Clips as files of another format, or as a page that plays them."""
    from slimlab import data

    store = data.open(a.data)
    if a.clips:
        store = store[a.clips]
    if Path(a.destination).suffix == ".html":
        from slimlab import plot

        clips = [store[i] for i in range(min(len(store), 8))] if a.clips else [store[0]]
        titles = [clip.name for clip in clips]
        print(plot.save(plot.player(clips, store.skeleton, titles=titles, fps=store.fps), a.destination))
    else:
        print(f"{len(store)} clips: {data.export(store, a.destination, a.format)}")


def report(a: argparse.Namespace) -> None:
    """What a set holds, and which of its clips deserve a look."""
    import pandas as pd

    from slimlab import data
    from slimlab.pretrain.run import replace_file

    out = None if a.out is None else table_file(a.out, ".csv")
    found = data.report(data.open(a.data, a.format))
    print(found.summary.to_string(index=False, header=False))
    few = found.look_at[["clip", "frames", "jitter", "bones", "frozen", "reasons"]]
    with pd.option_context("display.width", 120):
        print(few.head(20).round(3).to_string(index=False) if len(few) else "no clip stands out")
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        replace_file(out, lambda f: found.table.to_csv(f, index=False))
        print(f"all {len(found.table)} clips: {out}")
