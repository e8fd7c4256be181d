"""The rows of a table, trained at a scale of one's own, beside the printed figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from slimlab.data import ClipStore
from slimlab.pretrain.config import Config
from slimlab.pretrain.run import replace_file
from slimlab.study.paper.tables import COMMON, SOURCE, TABLES, TRAINED, check, published
from slimlab.study.report import SCORES, compare, spread, summary
from slimlab.study.sweep import Variant, sweep, words

SEEN, REVERSED, OPEN, FEW = "seen", "reversed", "cannot be told apart", "too few seeds or subjects"


@dataclass(frozen=True)
class Comparison:
    """A table of the paper beside what was measured.

    table     its name
    rows      a line for each row: the printed columns, then knn and probe (mean over seeds, 0..1) with sd over seeds and the
              bounds of a 95 % interval over subjects; order: whether the printed difference from the baseline is seen here
    runs      the table of the runs (`study.sweep`)
    differs   what differs from the paper, in words
    """

    table: str
    rows: pd.DataFrame
    runs: pd.DataFrame
    differs: str

    def markdown(self) -> str:
        """For a page or a note."""
        about, printed = TABLES[self.table], list(published(self.table).columns)
        head = ["row", *(f"printed: {c}" for c in printed), "seeds", "kNN", "linear probe", "against the baseline, as printed?"]
        lines = [head, ["---"] * len(head)]
        for row in self.rows.to_dict("records"):
            scores = [_words(row, score) for score in SCORES]
            figures = [f"{row[c]:g}" if row[c] == row[c] else "" for c in printed]
            lines.append([row["row"], *figures, _seeds(row), *scores, row["order"]])
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"# Table {self.table}: {about.title}\n\n{body}\n\n{self.differs}\n"

    def save(self, folder: str | Path) -> Path:
        """Write table.md, table.csv and runs.csv into the folder, each whole. Returns the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / "table.md", lambda f: f.write(self.markdown().encode()))
        replace_file(folder / "table.csv", lambda f: self.rows.to_csv(f, index=False))
        replace_file(folder / "runs.csv", lambda f: self.runs.to_csv(f, index=False))
        return folder


def planned(table: str, base: Config) -> tuple[Config, dict[str, Variant]]:
    """What all rows have in common, and what each changes: `base` with the paper's masks and augmentations.

    Raises ValueError for a table that is not trained.
    """
    check(table, TRAINED)
    settings = base.to_dict() | COMMON
    return Config(**settings), {row: dict(changes) for row, changes in TABLES[table].rows.items()}


def run(
    table: str,
    store: ClipStore,
    base: Config | None = None,
    *,
    seeds: int | Iterable[int] = 3,
    split: str = "cross-subject",
    folder: str | Path | None = None,
    minutes: float | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Comparison:
    """Train every row of the table with every seed, evaluate it frozen, and put it beside the printed figures.

    base     the scale: preset, steps and whatever else the rows share; None: preset `tiny`
    folder   of the runs; the same call goes on there, and several processes share the work (`study.sweep`)
    minutes  begin no further run after so many wall minutes; rows without a run are then left out

    Raises as `study.sweep`, and ValueError for a table that is not trained.
    """
    base, rows = planned(table, base or Config())
    folder = Path(folder) if folder is not None else Path("runs") / f"paper-{table}"
    runs = sweep(store, list(rows.values()), seeds, base, folder, split, minutes=minutes, device=device, progress=progress)
    return Comparison(table, beside(table, runs, rows), runs, _differs(table, store, base, runs))


def beside(table: str, runs: pd.DataFrame, rows: dict[str, Variant]) -> pd.DataFrame:
    """The printed rows in their order, with what was measured of each and what that says of the printed order.

    runs  a sweep's table; rows: what each printed row changes (`planned`)
    """
    named = {words(changes): row for row, changes in rows.items()}
    printed = published(table)
    measured = summary(runs, controls=False).set_index("variant") if len(runs) else pd.DataFrame()
    lines = []
    for row, figures in printed.iterrows():
        variant = next(v for v, name in named.items() if name == row)
        line: dict[str, Any] = {"row": row} | figures.to_dict() | {"variant": variant}
        if variant in measured.index:
            scores = [c for c in measured.columns if c.startswith(SCORES)]
            line |= measured.loc[variant, ["seeds", "failed", *scores]].to_dict()
        lines.append(line | {"order": _order(table, runs, named, variant)})
    return pd.DataFrame(lines)


def _order(table: str, runs: pd.DataFrame, named: dict[str, str], variant: str) -> str:
    """Whether this row's printed difference from the baseline is seen in the linear probe, over subjects and over seeds."""
    baseline = TABLES[table].baseline
    if named[variant] == baseline:
        return "baseline"
    mean = published(table).mean(axis=1).to_dict()
    expected = mean[named[variant]] - mean[baseline]
    other = next(v for v, name in named.items() if name == baseline)
    try:
        found = compare(runs, "variant", variant, other, scores=["probe"]).to_dict("records")[0]
    except ValueError:  # not run, or failed
        return "not measured"
    if "low" not in found or found["pairs"] < 2:
        return FEW
    if not all(found[f"{over}low"] > 0 or found[f"{over}high"] < 0 for over in ("", "seeds_")):
        return OPEN
    return SEEN if (found["difference"] > 0) == (expected > 0) else REVERSED


def _seeds(row: dict[str, Any]) -> str:
    """Over how many seeds the means are, and how many runs failed."""
    count, failed = (row.get(name) for name in ("seeds", "failed"))
    if count is None or count != count:
        return "0"
    return f"{count:g}" + (f" ({failed:g} failed)" if failed else "")


def _words(row: dict[str, Any], score: str) -> str:
    """An accuracy with its spread over seeds and its interval over subjects; empty where nothing was measured."""
    if row.get(score) is None or row[score] != row[score]:
        return ""
    sd, low, high = (row.get(f"{score}_{name}", float("nan")) for name in ("sd", "low", "high"))
    mean, interval = spread(row[score], sd, low, high)
    return f"{mean} ({interval})" if interval else mean


def _differs(table: str, store: ClipStore, base: Config, runs: pd.DataFrame) -> str:
    """What differs from the paper, in words."""
    about, seeds = TABLES[table], len(set(runs["seed"])) if len(runs) else 0
    return (
        f"Printed: top-1 accuracy in % of the linear protocol, 100 epochs of 1,250 steps of 768 clips of NTU RGB+D 60 "
        f"({SOURCE}). Measured: {store.source}, {len(store)} clips; preset {base.preset} with the paper's masks and "
        f"augmentations, {base.steps} steps of {base.batch_size} clips, {seeds} seed{'' if seeds == 1 else 's'}; kNN (k = 1) and "
        "logistic regression on frozen features, mean ± standard deviation over seeds (95 % bootstrap interval over the test "
        f"side's subjects). {about.reading} The last column says whether the linear probe differs from the baseline in the "
        "printed direction, by intervals over subjects and over seeds that both leave out zero."
    )
