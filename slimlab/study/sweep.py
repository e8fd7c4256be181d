"""Sweeps: variants (changes of a configuration) times seeds, each a run folder; the table is made from the folders.

    FOLDER/runs/<id>/       a run (slimlab/pretrain/run.py), and when it is finished
        result.json         its row of the table
        predictions.csv     clip, subject, label, and what kNN and probe said
    FOLDER/controls/        rows of the controls that runs share, by content
    FOLDER/claims/          which process does which run now (claims.py)

The id is a digest of settings, seed and data, so that a sweep finds its finished runs however it was asked.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tqdm.auto import tqdm

from slimlab import data
from slimlab._renamed import new_names, old_names, saved_settings
from slimlab.data import ClipStore
from slimlab.evaluate.subsets import check_train_test
from slimlab.pretrain.method import SLIM, Method
from slimlab.pretrain.run import write_json
from slimlab.study import trial
from slimlab.study.claims import shared

Variant = dict[str, Any]


class StudyError(RuntimeError):
    """A sweep that cannot go on or a table that cannot be read; the text names folder, reason and remedy."""


def product(grid: Mapping[str, Sequence[Any]]) -> list[Variant]:
    """All combinations of the values: [{"mask_ratio": 0.3, "masking": "random_cells"}, …], the last name fastest."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def sweep(
    store: ClipStore,
    grid: Mapping[str, Sequence[Any]] | Sequence[Variant],
    seeds: int | Iterable[int] = 3,
    base: Any = None,
    folder: str | Path | None = None,
    split: str = "cross-subject",
    test: ClipStore | None = None,
    minutes: float | None = None,
    device: torch.device | str | None = None,
    keep_checkpoints: bool = False,
    progress: bool = True,
    method: Method = SLIM,
) -> pd.DataFrame:
    """Pre-train every variant with every seed, evaluate it, and return the table: one row a finished run.

    store     all clips, divided by the protocol `split` (`data.split`); or the training side, where `test` is given
    grid      field of the method's settings (`pretrain.Config`) -> its values, all combinations; or a list of variants, each
              a dict of changed fields ({} is the base itself)
    seeds     how many (0, 1, …), or which; a seed decides initialisation, order of clips, views and masks
    base      the settings that variants change; None: the method's own, of SLiM preset `tiny`
    folder    of the whole sweep; None: runs/study-<digest of the question>
    minutes   begin no further run after so many wall minutes; the table then lacks rows, and the same call goes on
    method    what is pre-trained: SLiM, or another method, such as `slimlab.baselines.mae.METHOD`
    keep_checkpoints  also keep optimiser, heads and snapshots of finished runs (encoder and metrics are always kept)

    Seeds are the outer loop: whenever it is stopped, variants have been tried equally often, give or take one. Stopped or killed,
    the same call goes on where it was, in the middle of a run too. Several processes may be started on the same folder:
    each takes the next run that nobody has (a dead process's run is taken over), and each returns the whole table. A process
    that hangs keeps its run; stop it, and the next one continues there.
    Settings are best compared on `held_out_knn`, a training subject's; `knn` and `probe` are the test side's, to be reported.
    A run that diverges or collapses, or of which the probe does not converge, is a row with `error` and without accuracies.

    Raises ValueError for a field that Config lacks or an impossible value, StudyError where a result in the folder is damaged,
    RunError where a run is, DataError where the split is impossible or a side cannot be evaluated; all before the first run.
    """
    train, test = (store, test) if test is not None else data.split(store, split)
    name = "given" if store is train else split
    jobs = planned(grid, seeds, base or method.settings(), train, test, method)
    check_train_test(train, test)
    folder = Path(folder) if folder is not None else Path("runs") / f"study-{_digest(''.join(sorted(jobs)))}"
    finished = {key: row for key in jobs if (row := _result(folder, key)) is not None}
    for key in jobs.keys() - finished.keys():
        trial.check(folder / "runs" / key, method)
    deadline = float("inf") if minutes is None else time.monotonic() + 60 * minutes

    def work(key: str) -> dict[str, Any]:
        variant, config = jobs[key]
        row = {"variant": variant, "split": name} | trial.run(train, test, config, folder, key, device, method)
        _finish(folder, key, row, keep_checkpoints)
        return row

    left = [key for key in jobs if key not in finished]
    with tqdm(total=len(jobs), initial=len(finished), desc="runs of the sweep", disable=not progress) as bar:
        for key, row in shared(left, lambda key: _result(folder, key), work, folder / "claims", deadline):
            finished[key] = row
            bar.update()
            shown = {k: f"{row[k]:.3f}" for k in ("knn", "probe") if row.get(k) is not None}
            bar.set_postfix({"last": words(jobs[key][0]), "seed": jobs[key][1].seed} | shown, refresh=True)
    variants = {key: variant for key, (variant, _) in jobs.items()}
    return _table([(variants[key], finished[key]) for key in jobs if key in finished], method)


def planned(
    grid: Mapping[str, Sequence[Any]] | Sequence[Variant],
    seeds: int | Iterable[int],
    base: Any,
    train: ClipStore,
    test: ClipStore,
    method: Method = SLIM,
) -> dict[str, tuple[Variant, Any]]:
    """id -> (variant, configuration) of every run, seeds outermost. Raises ValueError as `sweep` does."""
    variants = product(grid) if isinstance(grid, Mapping) else list(grid)
    variants = [new_names(variant) for variant in variants]
    seeds = list(range(seeds)) if isinstance(seeds, int) else list(seeds)
    if not variants or not seeds:
        raise ValueError("sweep: nothing to do; give at least one variant and one seed")
    jobs: dict[str, tuple[Variant, Any]] = {}
    for seed, variant in itertools.product(seeds, variants):
        if unknown := set(variant) - set(base.to_dict()):
            known = ", ".join(base.to_dict())
            raise ValueError(f"sweep: {type(base).__name__} has no field {', '.join(sorted(unknown))}; fields: {known}")
        if fixed := set(variant) & {"seed", "preset"}:
            raise ValueError(
                f"sweep: {', '.join(sorted(fixed))} cannot be a variant's; seeds have their argument, the preset is base's"
            )
        config = replace(base, seed=seed, **variant)
        own = "" if method.name == SLIM.name else method.name  # SLiM's runs keep the ids of earlier versions
        text = json.dumps(_recorded(config), sort_keys=True) + own + train.fingerprint + test.fingerprint
        jobs.setdefault(f"{_digest(text)}-seed{seed}", (variant, config))
    return jobs


def read(folder: str | Path, method: Method = SLIM) -> pd.DataFrame:
    """The table of every finished run of this method in a sweep's folder.

    Raises StudyError where there is none or a result is damaged.
    """
    folder = Path(folder)
    found = [_result(folder, file.parent.name) for file in sorted(folder.glob("runs/*/result.json"))]
    rows = [row for row in found if row is not None and row["method"] == method.name]
    if not rows and (others := sorted({row["method"] for row in found if row is not None})):
        raise StudyError(f"{folder}: its runs are of the method {', '.join(others)}; give that one as method=")
    if not rows:
        raise StudyError(f"{folder}: no finished run there; give the folder of a sweep, or let it finish its first run")
    return _table([(row["variant"], row) for row in rows], method)


def _recorded(config: Any) -> dict[str, Any]:
    """What tells one run from another: no setting that changes no number, and none that is at the class's own default, so that a
    field which slimlab gets later does not hide the runs of today."""
    plain = {f.name: f.default for f in fields(config)}  # None: the preset's
    settings = {k: v for k, v in config.to_dict().items() if k not in ("checkpoint_seconds", "snapshots")}
    differs = {k: v for k, v in settings.items() if v is not None and v != plain[k]}
    return old_names(differs)  # so that runs of earlier versions are found


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def _result(folder: Path, key: str) -> dict[str, Any] | None:
    file = folder / "runs" / key / "result.json"
    if not file.exists():
        return None
    try:
        row = trial.read_row(file)
        row.setdefault("method", SLIM.name)  # the first results do not say
        settings = saved_settings if row["method"] == SLIM.name else new_names
        row |= {name: read(row[name]) for name, read in (("variant", new_names), ("config", settings)) if name in row}
        if missing := {"variant", "seed", "knn", "probe", "train", "test"} - set(row):
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    except (OSError, ValueError, TypeError) as error:
        raise StudyError(f"{file}: damaged result ({error}); delete the folder {file.parent} to do this run again") from error
    return row


def _finish(folder: Path, key: str, row: dict[str, Any], keep_checkpoints: bool) -> None:
    run = folder / "runs" / key
    write_json(run / "result.json", row)
    if not keep_checkpoints:
        (run / "checkpoint.pt").unlink(missing_ok=True)
        shutil.rmtree(run / "snapshots", ignore_errors=True)


def words(variant: Variant) -> str:
    """What the table calls a variant."""
    return ", ".join(f"{k}={v}" for k, v in variant.items()) or "base"


def _cell(value: Any) -> Any:
    return tuple(_cell(v) for v in value) if isinstance(value, list) else value


def _table(results: list[tuple[Variant, dict[str, Any]]], method: Method) -> pd.DataFrame:
    """One line a run: what was changed, what came out, what is needed to do it again."""
    fields = list(dict.fromkeys(name for variant, _ in results for name in variant))
    lines = []
    for variant, row in results:
        config = {k: _cell(v) for k, v in row["config"].items()}
        plain = method.settings(preset=config["preset"]).to_dict()
        differs = {k: v for k, v in config.items() if k not in ("preset", "seed") and v != _cell(plain.get(k))}
        rest = {k: v for k, v in row.items() if k not in ("variant", "config", "subjects")}
        subjects = {f"{score}@{p}": v for p, scores in row["subjects"].items() for score, v in scores.items()}
        line = {"variant": words(variant), **{name: config[name] for name in fields}, **rest}
        lines.append(line | {"preset": config["preset"], "changes": json.dumps(differs, sort_keys=True)} | subjects)
    return pd.DataFrame(lines)
