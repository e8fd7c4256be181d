"""The rows of a table, trained at a scale of one's own, beside the printed figures."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

import slimlab
from slimlab import data, evaluate, pretrain
from slimlab.baselines import mae, matched
from slimlab.data import ClipStore
from slimlab.encoder import Encoder, FeatureEncoder
from slimlab.evaluate.features import weights_digest
from slimlab.evaluate.subsets import check_train_test
from slimlab.pretrain.config import Config
from slimlab.pretrain.method import Method
from slimlab.pretrain.run import Run, replace_file, write_json
from slimlab.pretrain.setup import device_of
from slimlab.study.claims import shared
from slimlab.study.paper.judging import JUDGES, Judging
from slimlab.study.paper.tables import COMMON, MAMP, SOURCE, TABLES, TRAINED, accuracies, check, published
from slimlab.study.report import TITLES, compare, spread, summary
from slimlab.study.sweep import StudyError, Variant, sweep, words
from slimlab.study.trial import by_subject, read_row
from slimlab.weights import on_body

SEEN, REVERSED, OPEN, FEW = "seen", "reversed", "cannot be told apart", "too few seeds or subjects"
EQUAL = "equal in print"
UNTRAINED, RAW = "untrained (control)", "raw coordinates (control)"


class Part(NamedTuple):
    """Rows of a table that one method trains: its settings, and what each row changes of them."""

    method: Method
    base: Any
    rows: dict[str, Variant]


@dataclass(frozen=True)
class Comparison:
    """A table of the paper beside what was measured.

    table     its name
    rows      a line for each row: the printed columns, then for each of `scores` the mean over seeds (0..1) with sd over seeds
              and the bounds of a 95 % interval over subjects; order: whether the printed difference from the baseline is seen
              here. Controls that were not printed come last
    runs      a line for each row and seed: what was measured, on each subject too
    scores    what was measured; the last one decides about the order
    differs   what differs from the paper, in words
    """

    table: str
    rows: pd.DataFrame
    runs: pd.DataFrame
    scores: tuple[str, ...]
    differs: str

    def markdown(self) -> str:
        """For a page or a note."""
        about, printed = TABLES[self.table], list(published(self.table).columns)
        scores = [TITLES.get(score, score) for score in self.scores]
        head = ["row", *(f"printed: {c}" for c in printed), "seeds", *scores, "against the baseline, as printed?"]
        lines = [head, ["---"] * len(head)]
        for row in self.rows.to_dict("records"):
            cells = [_words(row, score) for score in self.scores]
            figures = [f"{row[c]:g}" if row[c] == row[c] else "" for c in printed]
            lines.append([row["row"], *figures, _seeds(row), *cells, row["order"]])
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


def planned(table: str, base: Config, mirror: bool = True) -> list[Part]:
    """What the rows of a table have in common, method by method, and what each changes.

    base    the scale; masks and augmentations become the paper's. The masked autoencoder takes its size, steps and batches
    mirror  False where left and right are different classes of the recordings

    Raises ValueError for a table that is not trained, and for table 5b without mirroring, which it is about.
    """
    check(table, TRAINED)
    if table == "5b" and not mirror:
        raise ValueError("table 5b is about mirroring; run it on recordings whose classes do not tell left from right")
    about = TABLES[table]
    settings: dict[str, Any] = base.to_dict() | COMMON | dict(about.shared) | {"mirror": mirror}
    rows = {row: dict(changes) for row, changes in about.rows.items()}
    others = {row: changes for row, changes in rows.items() if about.targets and changes}  # predict something else
    parts = [Part(pretrain.SLIM, Config(**settings), {row: changes for row, changes in rows.items() if row not in others})]
    if others:
        parts.append(Part(matched.METHOD, matched.Config(**settings), others))
    if about.masked:
        size: dict[str, Any] = {
            name: settings[name] for name in ("seed", "steps", "batch_size", "width", "depth", "heads", "evaluations")
        }
        preset = "mamp" if base.preset == "paper" else "tiny"
        own: dict[str, Any] = {"frames": 64, "patch_frames": 8} if about.shared else {}
        masked = mae.Config(preset=preset, mirror=mirror, **size, **own)
        parts.append(Part(mae.METHOD, masked, {row: dict(changes) for row, changes in about.masked.items()}))
    return parts


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
    weights: FeatureEncoder | None = None,
    source: ClipStore | None = None,
    source_split: str | None = None,
    steps: int | None = None,
    mirror: bool = True,
) -> Comparison:
    """Train every row of the table with every seed, evaluate it, and put it beside the printed figures.

    store    the clips, divided by the protocol `split`
    base     the scale: preset, steps and whatever else the rows share; None: preset `tiny`
    folder   of the runs, which all tables may share; the same call goes on there, and several processes share the work
             (`study.sweep`)
    minutes  begin no further run after so many wall minutes; rows without a run are then left out
    weights  judge this encoder instead of training one: tables 1, 2a, 2b, 9, 11a and 11b. Seeds are then draws
    source   recordings to pre-train on, of table 9, and how they are divided (None: as `store`). Where their body is another,
             the masked autoencoder, which cannot move to it, is left out
    steps    of the linear protocol or of fine-tuning (`Judging`)
    mirror   False where left and right are different classes

    Raises as `study.sweep`, and ValueError for a table that is not trained or does not take these arguments.
    """
    begin, base = time.monotonic(), base or Config()
    parts = planned(table, base, mirror)
    if weights is not None and table not in JUDGES:
        raise ValueError(f"table {table} trains every row; weights serve tables {', '.join(JUDGES)}")
    if table == "9" and weights is None and source is None:
        raise ValueError("table 9 is about transfer: give source=, the recordings to pre-train on, or weights=")
    if source is not None and (table != "9" or weights is not None):
        raise ValueError("source= serves table 9 alone, and without weights=; leave it out")
    if isinstance(weights, mae.Encoder):
        raise ValueError("weights are a masked autoencoder's; give an encoder of SLiM's, `slimlab.load_encoder(…)`")
    if source is not None and source.skeleton.names != store.skeleton.names:
        parts = [part for part in parts if part.method.name != mae.METHOD.name]
    seeds = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    folder = Path(folder) if folder is not None else Path("runs") / "tables"
    train, test = data.split(store, split)
    check_train_test(train, test)
    how, trained = Judging(base.preset == "paper", steps, mirror), pd.DataFrame()
    if weights is None:
        clips, by = (store, split) if source is None else (source, source_split or split)
        trained = _trained(parts, clips, seeds, by, folder, minutes, device, progress)
    runs, scores = trained, how.measured(table)
    if table in JUDGES:
        deadline = float("inf") if minutes is None else begin + 60 * minutes
        encoders = list(_encoders(table, parts, trained, weights, seeds, folder, train, test))
        runs = pd.DataFrame(_judged(table, encoders, train, test, how, folder, device_of(device), deadline))
    rows = beside(table, runs, scores)
    return Comparison(table, rows, runs, scores, _differs(table, store, source, base, runs, weights, how))


def _trained(
    parts: list[Part], store: ClipStore, seeds: list[int], split: str, folder: Path, minutes: float | None, device, progress: bool
) -> pd.DataFrame:
    """The table of all sweeps, `variant` being the printed row."""
    begin, tables = time.monotonic(), []
    for part in parts:
        left = None if minutes is None else max(0.0, minutes - (time.monotonic() - begin) / 60)
        variants = list(part.rows.values())
        how: dict[str, Any] = {"minutes": left, "device": device, "progress": progress, "method": part.method}
        runs = sweep(store, variants, seeds, part.base, folder, split, **how)
        if len(runs):
            named = {words(changes): row for row, changes in part.rows.items()}
            tables.append(runs.assign(settings=runs["variant"], variant=[named[v] for v in runs["variant"]]))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


class Judged(NamedTuple):
    """What a table judges: the row and seed it stands for, and the encoder; None: raw coordinates, or a run that failed."""

    row: str
    seed: int
    encoder: FeatureEncoder | None
    run: str = ""
    failed: bool = False


def _encoders(
    table: str,
    parts: list[Part],
    trained: pd.DataFrame,
    weights: FeatureEncoder | None,
    seeds: list[int],
    folder: Path,
    train: ClipStore,
    test: ClipStore,
) -> Iterator[Judged]:
    """What a table judges, method after method, controls last."""
    methods = {row: part.method for part in parts for row in part.rows}
    for line in trained.to_dict("records"):
        row, seed, key = str(line["variant"]), int(line["seed"]), str(line["run"])
        done = Run(folder / "runs" / key, methods[row])
        if done.step < done.config.steps:  # it diverged or collapsed
            yield Judged(row, seed, None, key, failed=True)
            continue
        done.check_unseen(test)
        yield Judged(row, seed, _fitting(done.encoder, train), key)
    if weights is not None:
        fitting = copy.deepcopy(_fitting(weights, train))  # the given one stays on its device
        for seed in seeds[:1] if table == "2b" else seeds:  # kNN draws nothing
            yield Judged("SLiM", seed, fitting)
    if TABLES[table].faults:
        return
    config = weights.config if weights is not None else parts[0].base.encoder(train.skeleton)
    for seed in seeds:
        yield Judged(UNTRAINED, seed, _fitting(evaluate.random_encoder(config, seed), train))
    if table == "2b":
        yield Judged(RAW, seeds[0], None)


def _fitting(encoder: FeatureEncoder, store: ClipStore) -> FeatureEncoder:
    """The encoder on this store's body. Raises ValueError where only SLiM's could be moved there."""
    if encoder.config.skeleton.names == store.skeleton.names:
        return encoder
    if not isinstance(encoder, Encoder):
        raise ValueError("only SLiM's encoder moves to another body; give recordings of one body")
    return on_body(encoder, store.skeleton)


def _judged(
    table: str,
    encoders: list[Judged],
    train: ClipStore,
    test: ClipStore,
    how: Judging,
    folder: Path,
    device: torch.device,
    deadline: float,
) -> Iterator[dict[str, Any]]:
    """A line for each row and seed; what was judged is kept in the folder, under all that decides it."""
    jobs: dict[str, Judged] = {}
    for one in encoders:
        if one.failed:
            yield {"variant": one.row, "seed": one.seed, "run": one.run} | dict.fromkeys(how.measured(table), float("nan"))
            continue
        digest = "raw" if one.encoder is None else weights_digest(one.encoder)
        settings = [asdict(how), asdict(how.linear), asdict(how.few), how.amounts, list(TABLES[table].faults.items())]
        what = [table, one.row, one.seed, digest, train.fingerprint, test.fingerprint, how.measured(table), slimlab.__version__]
        text = json.dumps([*what, *settings], sort_keys=True)
        jobs[f"{table}-{hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"] = one
    names = {"mean": "mean"} if "mean" in how.measured(table) else {}

    def kept(name: str) -> list[dict[str, Any]] | None:
        file = folder / "judged" / f"{name}.json"
        if not file.exists():
            return None
        try:
            return [dict(row) for row in read_row(file)["rows"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StudyError(f"{file}: damaged result ({error}); delete the file to judge this again") from error

    def work(name: str) -> list[dict[str, Any]]:
        one = jobs[name]
        if one.encoder is None:
            sides = [evaluate.raw_features(side) for side in (train, test)]
            found: Any = [("", {"kNN, k = 1": evaluate.knn(sides[0], sides[1])})]
        else:
            found = JUDGES[table](one.encoder.to(device), train, test, one.seed, how)
        who = test.column("subject")
        rows = [{"variant": row} | by_subject(results, who, **names) for row, results in found]
        (folder / "judged").mkdir(parents=True, exist_ok=True)
        write_json(folder / "judged" / f"{name}.json", {"rows": rows})
        return rows

    for name, rows in shared(jobs, kept, work, folder / "claims", deadline):
        one = jobs[name]
        weights = "" if one.encoder is None else weights_digest(one.encoder)
        for found in rows:
            line = {k: v for k, v in found.items() if k not in ("variant", "subjects")}
            subjects = {f"{score}@{p}": v for p, each in found["subjects"].items() for score, v in each.items()}
            about = {"variant": found["variant"] or one.row, "seed": one.seed, "run": one.run, "weights": weights}
            yield about | line | subjects | {"judged": how.words(table), "slimlab": slimlab.__version__}


def beside(table: str, runs: pd.DataFrame, scores: Sequence[str]) -> pd.DataFrame:
    """The printed rows in their order, with what was measured of each and what that says of the printed order.

    runs    a line for each row (`variant`) and seed
    scores  what was measured; the last one decides about the order
    """
    printed = published(table)
    found = summary(runs, list(scores), controls=False).set_index("variant") if len(runs) else pd.DataFrame()
    controls = [row for row in found.index if row not in printed.index]
    lines = []
    for row in [*printed.index, *controls]:
        line: dict[str, Any] = {"row": row} | (printed.loc[row].to_dict() if row in printed.index else {})
        if row in found.index:
            columns = [c for c in found.columns if c.startswith(tuple(scores))]
            line |= found.loc[row, ["seeds", "failed", *columns]].to_dict()
        lines.append(line | {"order": "" if row in controls else _order(table, runs, row, scores[-1])})
    return pd.DataFrame(lines)


def _order(table: str, runs: pd.DataFrame, row: str, score: str) -> str:
    """Whether this row's printed difference from the baseline is seen here, over subjects and over seeds."""
    about, printed = TABLES[table], accuracies(table)
    if row == about.baseline:
        return "baseline"
    if row not in {*about.rows, *about.masked, *about.faults}:
        return "printed alone"
    expected = float((printed.loc[row] - printed.loc[about.baseline]).mean())  # over the columns that both have
    try:
        found = compare(runs, "variant", row, about.baseline, scores=[score]).to_dict("records")[0]
    except (ValueError, KeyError):  # not run, or failed
        return "not measured"
    if expected == 0:
        return EQUAL
    if "low" not in found or found["pairs"] < 2:
        return FEW
    if not all(found[f"{over}low"] > 0 or found[f"{over}high"] < 0 for over in ("", "seeds_")):
        return OPEN
    return SEEN if (found["difference"] > 0) == (expected > 0) else REVERSED


def _seeds(row: dict[str, Any]) -> str:
    """Over how many seeds the means are, and how many runs failed."""
    count, failed = (row.get(name) for name in ("seeds", "failed"))
    if count is None or count != count:
        return "0" if row["order"] != "printed alone" else ""
    return f"{count:g}" + (f" ({failed:g} failed)" if failed else "")


def _words(row: dict[str, Any], score: str) -> str:
    """An accuracy with its spread over seeds and its interval over subjects; empty where nothing was measured."""
    if row.get(score) is None or row[score] != row[score]:
        return ""
    sd, low, high = (row.get(f"{score}_{name}", float("nan")) for name in ("sd", "low", "high"))
    mean, interval = spread(row[score], sd, low, high)
    return f"{mean} ({interval})" if interval else mean


def _differs(
    table: str,
    store: ClipStore,
    source: ClipStore | None,
    base: Config,
    runs: pd.DataFrame,
    weights: FeatureEncoder | None,
    how: Judging,
) -> str:
    """What differs from the paper, in words."""
    about, seeds = TABLES[table], len(set(runs["seed"])) if len(runs) else 0
    trained = "" if source is None else f"pre-trained on {source.source}, {len(source)} clips; "
    if weights is None:
        changed = "with the paper's masks and augmentations" + ("" if how.mirror else ", but no mirroring")
        trained += f"preset {base.preset} {changed}, {base.steps} steps of {base.batch_size} clips"
    else:
        trained += "weights as given, not trained here"
    by = how.words(table) if table in JUDGES else "kNN (k = 1) and logistic regression on frozen features"
    reading = about.reading if weights is None else about.reading.replace(MAMP, "").strip()
    last = how.measured(table)[-1]
    chance = f" In {seeds} seeds, signs agree by chance with p = {2.0 ** (1 - seeds):g}." if seeds > 1 else ""
    return (
        f"Printed: top-1 accuracy in %, 100 to 150 epochs of 1,250 steps of 768 clips of NTU RGB+D 60 or 120 ({SOURCE}). "
        f"Measured: {store.source}, {len(store)} clips; {trained}, {seeds} seed{'' if seeds == 1 else 's'}; {by}; mean ± "
        f"standard deviation over seeds (95 % bootstrap interval over the test side's subjects). {reading} The last column says "
        f"whether “{TITLES.get(last, last)}” differs from the baseline in the printed direction, by intervals over subjects and "
        f"over seeds that both leave out zero.{chance}"
    )
