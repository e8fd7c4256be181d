"""A sweep's table, summed up: a line for each variant with its spread over seeds and its interval over subjects; variants
compared in pairs.

Two kinds of spread say two things. Over seeds: would another run of the same recipe give the same? Over subjects
(`evaluate.over_subjects`): would other people? A comparison is made on the same seeds and subjects, where most of both
cancels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from slimlab import _renamed, evaluate
from slimlab.pretrain.run import replace_file
from slimlab.study.trial import RENAMED

SCORES = ("knn", "probe")
CONTROLS = {"untrained": "untrained encoder", "raw": "raw coordinates"}
TITLES = {"knn": "kNN", "probe": "linear probe", "held_out_knn": "leave-one-subject kNN"}


def fields(table: pd.DataFrame) -> list[str]:
    """What the variants of a sweep's table change: the columns between `variant` and `seed`.

    Raises ValueError for a table that is no sweep's.
    """
    if "variant" not in table or "seed" not in table:
        raise ValueError(
            "this is no table of a sweep: it lacks the columns 'variant' and 'seed'; give what `study.sweep` returned"
        )
    columns = [str(c) for c in table.columns]
    return [c for c in columns[columns.index("variant") + 1 : columns.index("seed")] if c != "split"]


def subjects(table: pd.DataFrame) -> list[str]:
    """The test side's subjects, as the table names them; empty where they are unknown."""
    return [c.partition("@")[2] for c in map(str, table.columns) if c.startswith("clips@") and c != "clips@-1"]


def per_clip(rows: pd.DataFrame, score: str) -> tuple[np.ndarray, np.ndarray]:
    """(clips,) the accuracy on each clip's subject, mean over these runs, and (clips,) the subject: what the statistics of
    `evaluate` take. Empty where subjects are unknown."""
    who = subjects(rows)
    clips = np.array([int(rows[f"clips@{p}"].iloc[0]) for p in who], dtype=int)
    means = np.array([rows[f"{score}@{p}"].mean() for p in who])
    return np.repeat(means, clips), np.repeat(np.array(who), clips)


def summary(table: pd.DataFrame, scores: Sequence[str] = SCORES, level: float = 0.95, controls: bool = True) -> pd.DataFrame:
    """A line for each variant, controls last: seeds, failed, and of every score mean, sd (sample, over seeds), low and high
    (bootstrap over subjects of the mean over seeds), seeds_low and seeds_high (Student's t over seeds)."""
    names, lines = fields(table), []
    for variant, rows in table.groupby("variant", sort=False):
        line: dict[str, Any] = {"variant": variant} | {n: rows[n].iloc[0] for n in names}
        lines.append(line | _line(rows, {s: s for s in scores}, level))
    if controls:
        for control, title in CONTROLS.items():
            columns = {s: f"{control}_{s}" for s in scores if f"{control}_{s}" in table}
            if not columns:
                continue
            once = table.drop_duplicates(["seed", *columns.values()] if control == "untrained" else list(columns.values()))
            lines.append({"variant": title} | _line(once, columns, level))
    return pd.DataFrame(lines)


def _line(rows: pd.DataFrame, columns: Mapping[str, str], level: float) -> dict[str, Any]:
    known = rows.dropna(subset=list(columns.values()))
    out: dict[str, Any] = {"seeds": len(known), "failed": len(rows) - len(known)}
    for score, column in columns.items():
        if not len(known):
            out |= dict.fromkeys((score, f"{score}_sd", f"{score}_low", f"{score}_high"), np.nan)
            continue
        seeds = evaluate.over_seeds(known[column].to_numpy(float), level)
        out |= {score: seeds.mean, f"{score}_sd": seeds.sd}
        if len(subjects(known)) > 1 and f"{column}@{subjects(known)[0]}" in known:
            people = evaluate.over_subjects(*per_clip(known, column), level=level)
            out |= {f"{score}_low": people.low, f"{score}_high": people.high}
        out |= {f"{score}_seeds_low": seeds.low, f"{score}_seeds_high": seeds.high}
    return out


def best(table: pd.DataFrame, by: str = "held_out_knn") -> str:
    """The variant with the highest mean of `by` over seeds: by default a kNN on a held-out training subject, so that nothing of
    the test side has a say. Variants that lack a seed which others have are left out.

    Raises ValueError where no variant has all seeds.
    """
    means: Any = table.groupby("variant", sort=False)[by].agg(["mean", "count"])  # pandas is loosely typed here
    means = means[means["count"] == table["seed"].nunique()]
    if not len(means):
        raise ValueError(f"best: no variant has '{by}' for all of its seeds")
    return str(means["mean"].idxmax())


def load(path: str | Path) -> pd.DataFrame:
    """A sweep's table from the .csv that `table.to_csv(path, index=False)` wrote, also one of slimlab 0.1, where variants were
    called arms. Raises ValueError for another table."""
    table = pd.read_csv(path, dtype={"error": str}).rename(columns=RENAMED | _renamed.RENAMED)
    for column in ("variant", "changes", *_renamed.VALUES):
        if column in table:
            table[column] = [_renamed.in_words(v) if isinstance(v, str) else v for v in table[column]]
    if "error" in table:
        table["error"] = table["error"].fillna("")
    fields(table)
    return table


def compare(table: pd.DataFrame, field: str, a: Any, b: Any, scores: Sequence[str] = SCORES, level: float = 0.95) -> pd.DataFrame:
    """Is `field` = a better than b? Runs that agree in all else, the seed included, are paired; a line a score. With field
    "variant" two whole variants are compared, whatever they differ in.

    pairs, a, b (means), difference = a - b, better (pairs in which a is ahead); low, high, p: bootstrap and sign flips over
    subjects (`evaluate.paired`); seeds_low, seeds_high, seeds_p: the same over seeds, each the mean over its pairs.
    smallest_p, smallest_seeds_p: the least that so few subjects or seeds can give. Raises ValueError where nothing pairs.
    """
    others = ["seed"] if field == "variant" else [n for n in fields(table) if n != field] + ["seed"]
    if field not in [*fields(table), "variant"]:
        raise ValueError(f"compare: the variants do not differ in '{field}'; they do in {', '.join(fields(table)) or 'nothing'}")
    sides = []
    for value in (a, b):
        rows: Any = table[[_same(v, value) for v in table[field]]]
        sides.append(rows.assign(pair=[tuple(map(str, r)) for r in rows[others].itertuples(index=False)]).set_index("pair"))
    lines = []
    for score in scores:
        left, right = (side.dropna(subset=[score]) for side in sides)
        common = [p for p in left.index if p in right.index]
        if not common:
            raise ValueError(f"compare: no runs with {field}={a} and {field}={b} agree in all else ({', '.join(others)})")
        left, right = left.loc[common], right.loc[common]
        d = left[score].to_numpy(float) - right[score].to_numpy(float)
        line = {"field": field, "a": a, "b": b, "score": score, "pairs": len(d), "mean_a": left[score].mean()}
        line |= {"mean_b": right[score].mean(), "difference": d.mean(), "better": int((d > 0).sum())}
        if len(subjects(table)) > 1:
            (mine, who), (theirs, _) = per_clip(left, score), per_clip(right, score)
            test = evaluate.paired(mine, theirs, who, level=level)
            line |= {"low": test.low, "high": test.high, "p": test.p, "smallest_p": test.smallest_p}
        means = [side.groupby("seed")[score].mean() for side in (left, right)]
        test = evaluate.paired_seeds(*(m.to_numpy(float) for m in means), level=level)
        line |= {"seeds": test.units, "seeds_low": test.low, "seeds_high": test.high}
        lines.append(line | {"seeds_p": test.p, "smallest_seeds_p": test.smallest_p})
    return pd.DataFrame(lines)


def _same(cell: Any, value: Any) -> bool:
    return str(cell) == str(value) or (isinstance(value, (int, float)) and _number(cell) == float(value))


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")


@dataclass(frozen=True)
class Report:
    """`summary` of a sweep's table, as text: Markdown (also what a notebook shows), LaTeX (booktabs), CSV."""

    table: pd.DataFrame
    scores: tuple[str, ...]
    level: float
    names: dict[str, str]

    def cells(self) -> pd.DataFrame:
        """Variant, seeds, and for each score "mean ± sd" and "[low, high]", as text."""
        out = pd.DataFrame(
            {"variant": [self.names.get(a, a) for a in self.table["variant"]], "seeds": self.table["seeds"].astype(str)}
        )
        if any(self.table["failed"].tolist()):
            out["failed"] = self.table["failed"].astype(str)
        for score in self.scores:
            columns = [
                self.table.get(f"{score}{end}", pd.Series(np.nan, self.table.index)) for end in ("", "_sd", "_low", "_high")
            ]
            shown = [spread(*values) for values in zip(*columns, strict=True)]
            out[TITLES.get(score, score)] = [mean for mean, _ in shown]
            out[f"{TITLES.get(score, score)}, {self.level:.0%} over subjects"] = [interval for _, interval in shown]
        return out

    def markdown(self) -> str:
        cells = self.cells()
        lines = [cells.columns, ["---"] * len(cells.columns), *cells.itertuples(index=False)]
        return "".join(f"| {' | '.join(_cell_text(c) for c in line)} |\n" for line in lines)

    def latex(self) -> str:
        """A tabular with booktabs' rules; `\\usepackage{booktabs}` is all it needs."""
        cells = self.cells()
        lines = [cells.columns, *cells.itertuples(index=False)]
        head, *body = (" & ".join(_tex(str(c)) for c in line) + r" \\" for line in lines)
        rows = [rf"\begin{{tabular}}{{l{'r' * (len(cells.columns) - 1)}}}", r"\toprule", head, r"\midrule", *body]
        return "\n".join([*rows, r"\bottomrule", r"\end{tabular}", ""])

    def csv(self) -> str:
        return self.table.to_csv(index=False)

    def save(self, path: str | Path) -> list[Path]:
        """Write `path`.md, .tex and .csv (the suffix of `path` is left out). Returns them."""
        path = Path(path).with_suffix("")
        path.parent.mkdir(parents=True, exist_ok=True)
        texts = {".md": self.markdown(), ".tex": self.latex(), ".csv": self.csv()}
        for suffix, text in texts.items():
            replace_file(path.with_suffix(suffix), lambda f, text=text: f.write(text.encode()))
        return [path.with_suffix(suffix) for suffix in texts]

    def _repr_markdown_(self) -> str:
        return self.markdown()


def report(
    table: pd.DataFrame,
    scores: Sequence[str] = SCORES,
    level: float = 0.95,
    names: Mapping[str, str] | None = None,
    controls: bool = True,
) -> Report:
    """The table of `sweep` as a report. names: variant -> what to call it. Raises ValueError for a table that is no sweep's."""
    return Report(summary(table, scores, level, controls), tuple(scores), level, dict(names or {}))


def spread(mean: float, sd: float, low: float, high: float) -> tuple[str, str]:
    """A mean with its standard deviation, and its interval, as text; what is NaN is left out."""
    middle = "–" if np.isnan(mean) else f"{mean:.3f}" if np.isnan(sd) else f"{mean:.3f} ± {sd:.3f}"
    return middle, "" if np.isnan(low) else f"{low:.3f} to {high:.3f}"


# Our own because `Styler.to_latex(escape="latex")` of pandas 3.1.1 passes on `<`, `>` and line ends, and a first "[", at which
# LaTeX stops.
TEX = str.maketrans(
    {**{c: f"\\{c}" for c in "#$%&_{}"}, "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "±": r"$\pm$", "–": "--", "\n": " "}
)


def _tex(text: str) -> str:
    text = text.translate(TEX)  # in one pass, so that what one escape brings is not escaped again
    return f"{{}}{text}" if text[:1] in ("[", "*") else text  # else LaTeX takes it for an argument of the row's end before it


def _cell_text(cell: object) -> str:
    """A Markdown table's cell, which a bar or the end of the line would end."""
    return str(cell).replace("|", r"\|").replace("\n", " ")
