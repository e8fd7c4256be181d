"""A sweep gives one table, however often it is stopped and by however many processes it is run."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slimlab import data, evaluate, study
from slimlab._renamed import old_names
from slimlab.pretrain import Run, RunError
from slimlab.pretrain.config import Config
from tests.systems import kills
from tests.waiting import wait_for

VARIANTS = [{"mask_ratio": 0.5}, {"mask_ratio": 0.9, "masking": "random_cells"}]
SMALL = Config(
    steps=6, batch_size=8, width=32, depth=1, prototypes=16, head_hidden=32, head_bottleneck=16, evaluations=2, snapshots=1
)
PASSING = ["seconds", "cpu_seconds", "started", "threads", "commit"]  # what may differ between two makings of the same row


@pytest.fixture(scope="module")
def sides(synthetic):
    return data.split(synthetic, "cross-subject")


@pytest.fixture(scope="module")
def whole(sides, tmp_path_factory):
    """Folder and table of a sweep that nobody disturbed."""
    folder = tmp_path_factory.mktemp("sweep")
    return folder, study.sweep(sides[0], VARIANTS, 2, SMALL, folder, test=sides[1], progress=False)


def work(store, variants, seeds, base, folder, test):
    import torch

    torch.set_num_threads(1)
    study.sweep(store, variants, seeds, base, folder, test=test, progress=False)


def test_a_row_says_what_it_is_and_can_be_checked(whole, sides):
    folder, table = whole
    assert len(table) == 4 and table["seed"].tolist() == [0, 0, 1, 1]  # seeds outermost
    assert table["mask_ratio"].tolist() == [0.5, 0.9] * 2 and set(table["masking"]) == {"semantic_tubes", "random_cells"}
    line = table.iloc[1]
    assert (line["train"], line["test"]) == tuple(s.fingerprint for s in sides) and line["split"] == "given"
    encoder = Run(folder / "runs" / line["run"]).encoder
    features = [evaluate.features(encoder, side) for side in sides]
    result = evaluate.knn(*features)
    assert line["knn"] == pytest.approx(result.accuracy) and line["probe"] == pytest.approx(
        evaluate.linear_probe(*features).accuracy
    )
    hits, who = (result.predictions == result.labels).numpy(), sides[1].column("subject")
    for p in np.unique(who):
        assert line[f"knn@{p}"] == pytest.approx(hits[who == p].mean()) and line[f"clips@{p}"] == (who == p).sum()
    raw = [evaluate.raw_features(side) for side in sides]
    assert set(table["raw_knn"]) == {evaluate.knn(*raw).accuracy}
    assert table.groupby("seed")["untrained_knn"].nunique().tolist() == [1, 1]  # a control a seed, shared by variants
    again = Config(**{"preset": line["preset"], "seed": int(line["seed"]), **json.loads(line["changes"])})
    assert again == replace(SMALL, seed=0, **VARIANTS[1])
    saved = pd.read_csv(folder / "runs" / line["run"] / "predictions.csv")
    assert (saved["knn"] == saved["label"]).mean() == pytest.approx(line["knn"])
    assert not (folder / "runs" / line["run"] / "checkpoint.pt").exists() and not list((folder / "claims").iterdir())


@pytest.mark.parametrize("preset", ["tiny", "paper"])
def test_the_changes_are_what_somebody_changed(tmp_path, preset):
    variant = {"mask_ratio": [0.5, 0.75], "precision": "bf16"}  # as JSON gives it
    config = Config(preset=preset, seed=3, **variant)
    row = {
        "variant": variant,
        "config": config.to_dict(),
        "seed": 3,
        "knn": 0.5,
        "probe": 0.5,
        "train": "a",
        "test": "b",
        "subjects": {},
    }
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "result.json").write_text(json.dumps(row))
    assert json.loads(study.read(tmp_path)["changes"].iloc[0]) == variant


def test_a_folder_of_an_earlier_version_stays_readable(whole, sides, tmp_path, monkeypatch):
    folder, _ = whole
    kept = [*folder.glob("runs/*/result.json"), *folder.glob("controls/*.json")]
    assert len(kept) == 4 + 3
    for file in kept:
        row = json.loads(file.read_text())
        row |= {k: old_names(row[k]) for k in ("variant", "config") if k in row}
        row = {{"subjects": "performers", "variant": "arm"}.get(k, k): v for k, v in row.items()}
        (tmp_path / file.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.relative_to(folder)).write_text(json.dumps(row))
    pd.testing.assert_frame_equal(study.read(tmp_path), study.read(folder))
    trial = study.sweep.__globals__["trial"]
    fresh = trial.controls(*sides, replace(SMALL, seed=0), folder)
    monkeypatch.setattr(trial, "scores", lambda *a: pytest.fail("a control that was kept was computed again"))
    assert trial.controls(*sides, replace(SMALL, seed=0), tmp_path) == fresh


def test_asked_again_it_does_nothing_anew(whole, sides, monkeypatch):
    folder, table = whole
    monkeypatch.setattr(study.sweep.__globals__["trial"], "run", lambda *a: pytest.fail("a finished run was done again"))
    again = study.sweep(sides[0], VARIANTS, 2, SMALL, folder, test=sides[1], progress=False)
    pd.testing.assert_frame_equal(again, table)
    half = study.sweep(sides[0], VARIANTS[:1], 1, SMALL, folder, test=sides[1], progress=False)  # a smaller question, same folder
    assert half["knn"].tolist() == table["knn"].tolist()[:1]
    assert sorted(study.read(folder)["run"]) == sorted(table["run"])


@kills
@pytest.mark.integration
def test_two_processes_share_it_one_is_killed_and_the_table_is_the_same(whole, sides, tmp_path):
    fork = multiprocessing.get_context("spawn")
    workers = [fork.Process(target=work, args=(sides[0], VARIANTS, 2, SMALL, tmp_path, sides[1])) for _ in range(2)]
    for worker in workers:
        worker.start()
    wait_for(lambda: list(tmp_path.glob("runs/*/metrics.jsonl")), "a run that has begun")
    os.kill(workers[0].pid, signal.SIGKILL)
    for worker in workers:
        worker.join(600)
    table = study.sweep(sides[0], VARIANTS, 2, SMALL, tmp_path, test=sides[1], progress=False)
    expected = whole[1]
    for column in set(table.columns) - set(PASSING):
        if pd.api.types.is_float_dtype(expected[column]):
            np.testing.assert_allclose(table[column], expected[column], atol=1e-4, err_msg=column)
        else:
            assert table[column].tolist() == expected[column].tolist(), column
    for run in table["run"]:  # nobody did a step twice
        assert Run(tmp_path / "runs" / run).metrics["step"].tolist() == list(range(SMALL.steps))
    assert not list((tmp_path / "claims").iterdir())


def test_stopped_in_a_run_it_goes_on_in_that_run(whole, sides, tmp_path, monkeypatch):
    trial = study.sweep.__globals__["trial"]
    true, done = trial.pretrain.steps, []

    def stopping(*args, **kwargs):
        for step in true(*args, **kwargs):
            done.append(step.step)
            yield step
            if len(done) == 3:
                raise KeyboardInterrupt

    monkeypatch.setattr(trial.pretrain, "steps", stopping)
    with pytest.raises(KeyboardInterrupt):
        study.sweep(sides[0], VARIANTS[:1], 1, SMALL, tmp_path, test=sides[1], progress=False)
    assert not list((tmp_path / "claims").iterdir())
    table = study.sweep(sides[0], VARIANTS[:1], 1, SMALL, tmp_path, test=sides[1], progress=False)
    assert done == [0, 1, 2, 3, 4, 5] and table["knn"].tolist() == whole[1]["knn"].tolist()[:1]
    assert table["cpu_seconds"].isna().all()  # two processes' parts, of which one is unknown


def test_a_budget_stops_between_runs(sides, tmp_path):
    table = study.sweep(sides[0], VARIANTS, 2, SMALL, tmp_path, test=sides[1], minutes=1e-9, progress=False)
    assert len(table) == 0


def test_a_damaged_result_is_named_before_work_starts(whole, sides, tmp_path):
    import shutil

    folder = shutil.copytree(whole[0], tmp_path / "sweep")
    run = folder / "runs" / whole[1]["run"].iloc[2]
    text = (run / "result.json").read_text()
    for broken in (text[: len(text) // 2], "{}"):
        (run / "result.json").write_text(broken)
        for ask in (lambda: study.sweep(sides[0], VARIANTS, 2, SMALL, folder, test=sides[1]), lambda: study.read(folder)):
            with pytest.raises(study.StudyError, match=f"{run.name}.*damaged result.*delete the folder"):
                ask()
    (run / "result.json").unlink()
    (run / "config.json").write_text("{")
    with pytest.raises(RunError, match=f"{run.name}.*damaged run"):
        study.sweep(sides[0], VARIANTS, 2, SMALL, folder, test=sides[1], progress=False)
    with pytest.raises(study.StudyError, match="no finished run"):
        study.read(tmp_path)


def test_a_run_that_diverges_is_a_row_with_its_error(sides, tmp_path):
    base = replace(SMALL, base_lr=1e30, gradient_clip=1e30)
    table = study.sweep(sides[0], [{}], 1, base, tmp_path, test=sides[1], progress=False)
    assert "step" in table["error"].iloc[0] and table["knn"].isna().all() and table["raw_knn"].notna().all()
    assert study.summary(table)["failed"].tolist()[0] == 1


@pytest.mark.parametrize(
    "grid, seeds, says",
    [
        ({"mask_rate": [0.5]}, 1, "no field mask_rate"),
        ([{"seed": 3}], 1, "cannot be a variant's"),
        ([{"mask_ratio": 1.5}], 1, "must lie in 0..1"),
        ([], 1, "nothing to do"),
        ({"mask_ratio": [0.5]}, 0, "nothing to do"),
    ],
)
def test_an_impossible_question_is_refused_before_anything_is_written(sides, tmp_path, grid, seeds, says):
    with pytest.raises(ValueError, match=says):
        study.sweep(sides[0], grid, seeds, SMALL, tmp_path / "new", test=sides[1])
    assert not (tmp_path / "new").exists()


def test_all_combinations():
    assert study.product({"depth": (1, 2), "masking": ("a",)}) == [{"depth": 1, "masking": "a"}, {"depth": 2, "masking": "a"}]
