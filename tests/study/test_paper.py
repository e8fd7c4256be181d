"""The paper's tables: what was printed, what each row changes, and the rows trained."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from slimlab import data, evaluate, plot, study
from slimlab.__main__ import main
from slimlab.baselines import mae
from slimlab.pretrain import PRESETS, Config
from slimlab.pretrain.trainer import Trainer
from slimlab.study import StudyError, paper
from slimlab.study.paper import judging, running

BEST = "MFP + GLCL"


def test_every_table_has_its_printed_figures():
    assert list(paper.TABLES) == ["1", "2a", "2b", "3", "4", "5a", "5b", "7", "9", "10", "11a", "11b"]
    for table in paper.TABLES:
        printed = paper.published(table)
        assert len(printed) >= 3 and printed.notna().any(axis=1).all() and printed.index.is_unique
    assert paper.published("1").loc["SLiM"].tolist() == [87.9, 93.2, 81.2, 83.6, 59.7]
    assert paper.published("2b").loc["SLiM", "NTU-60 X-View"] == 89.9
    assert paper.published("7").loc["SLiM-30", "NTU-60, mean of both"] == 90.9
    ten = paper.published("10")
    assert np.allclose(ten[["NTU-60 X-Sub", "NTU-60 X-View"]].mean(axis=1), ten["mean"], atol=0.011)
    best = paper.published("4").loc["MFP + GLCL"]
    for table in ("5a", "5b"):  # one and the same run
        assert paper.published(table).loc[paper.TABLES[table].baseline].equals(best)
    with pytest.raises(ValueError, match="table '6' is not among 1, 2a"):
        paper.published("6")


@pytest.mark.parametrize("table", paper.TRAINED)
def test_rows_are_those_that_were_printed_and_one_is_the_baseline(table):
    about, printed = paper.TABLES[table], list(paper.published(table).index)
    if table in ("4", "5a", "5b", "10"):
        assert list(about.rows) == printed
    else:
        assert {*(about.faults or about.rows), *about.masked} <= set(printed)
    assert about.faults or about.rows[about.baseline] == {}
    assert about.baseline in printed and set(paper.TRAINED) == set(paper.TABLES) - {"3"}
    assert not set(about.measured) & set(paper.published(table).columns), (
        "what is measured would take the place of what is printed"
    )
    columns = set(paper.accuracies(table).columns)
    assert columns and not columns & {"frames", "frames a token", "GFLOPs"}


@pytest.mark.parametrize("table", paper.TRAINED)
def test_a_row_differs_from_the_baseline_in_what_it_names_and_in_a_loss_within_two_steps(table, synthetic):
    small = {"batch_size": 16, "width": 16, "depth": 1, "prototypes": 16, "head_hidden": 16, "head_bottleneck": 16}
    views = {"global_frames": 64, "patch_frames": 8, "local_views": ((32, 1, (0.35, 0.7)),)}
    losses = {}
    for part in paper.planned(table, Config(preset="tiny", steps=2, **small, **views)):
        for row, changes in part.rows.items():
            config = replace(part.base, **changes)
            differ = {f.name for f in fields(config) if getattr(config, f.name) != getattr(part.base, f.name)}
            assert differ == set(changes), f"{row} names a setting that is the base's own"
            trainer = part.method.trainer(config, synthetic.skeleton)
            steps = [trainer.step(synthetic, np.arange(16), step) for step in range(2)]
            losses[row] = [step[name] for step in steps for name in ("loss", "glcl", "mfp") if name in step]
    for row in losses:
        assert all(losses[row] != losses[other] for other in losses if other != row), row


def test_a_table_is_trained_taken_up_again_and_written(tmp_path, quick):
    store = data.synthetic(clips=88)
    base = replace(quick, steps=2, evaluations=1)
    found = paper.run("4", store, base, seeds=1, folder=tmp_path / "runs", progress=False)
    assert found.rows["row"].tolist() == list(paper.published("4").index) and len(found.runs) == 5
    assert found.rows["order"].iloc[-1] == "baseline"
    assert set(found.rows["order"][:-1]) == {"too few seeds or subjects"}  # by one seed
    assert found.rows["probe"].between(0, 1).all() and (found.rows["probe_low"] <= found.rows["probe"]).all()
    text = found.markdown()
    assert (
        "| MFP + GLCL | 87.7 | 92.7 |" in text
        and "2 steps of 8 clips, 1 seed;" in text
        and "| 87.7 | 92.7 | 1 |" in text
        and "88 clips" in text
    )
    folder = found.save(tmp_path / "table")
    assert sorted(f.name for f in folder.iterdir()) == ["runs.csv", "table.csv", "table.md"]
    figure = plot.paper_table(found)
    assert figure.data is found.rows and figure.axes[0].get_xlabel() == "printed, top-1 in %"
    again = paper.run("4", store, base, seeds=1, folder=tmp_path / "runs", progress=False)
    assert again.runs["run"].tolist() == found.runs["run"].tolist() and again.rows.equals(found.rows)
    part = paper.run("5b", store, base, seeds=1, folder=tmp_path / "part", minutes=0.0, progress=False)
    assert set(part.rows["order"]) == {"not measured", "baseline"} and "88 clips" in part.markdown()


@pytest.mark.parametrize("table", ["1", "2a", "2b", "11a", "11b"])
def test_weights_are_judged_and_what_was_judged_is_kept(tmp_path, quick, table):
    store = data.synthetic(clips=88)
    encoder = evaluate.random_encoder(quick.encoder(store.skeleton), 7)
    how = {"seeds": 2, "folder": tmp_path, "progress": False, "weights": encoder, "steps": 2}
    found = paper.run(table, store, quick, **how)
    about, rows = paper.TABLES[table], found.rows.set_index("row")
    own = list(about.faults) or ["SLiM", "untrained (control)"]
    assert rows.loc[own, list(about.measured)].notna().all(axis=None) and found.scores == about.measured
    printed = paper.published(table)
    assert rows.loc[printed.index, list(printed.columns)].equals(printed)
    if table == "2b":
        assert (
            rows.loc["raw coordinates (control)", "kNN, k = 1"]
            == evaluate.knn(*(evaluate.raw_features(side) for side in data.split(store, "cross-subject"))).accuracy
        )
    if table == "11b":
        assert rows.loc[own, "mean"].tolist() == pytest.approx(rows.loc[own, list(about.measured[:3])].mean(axis=1).tolist())
    if table == "11a":
        clean = evaluate.knn(*(evaluate.features(encoder, side) for side in data.split(store, "cross-subject"))).accuracy
        assert rows.loc["clean", "knn"] == clean and rows.loc["clean", "knn_sd"] == 0
    kept = {f.name: f.stat().st_mtime_ns for f in (tmp_path / "judged").iterdir()}
    assert paper.run(table, store, quick, **how).rows.equals(found.rows)
    assert {f.name: f.stat().st_mtime_ns for f in (tmp_path / "judged").iterdir()} == kept
    assert "weights as given" in found.markdown() and len(plot.paper_table(found).axes) == 2
    assert set(rows["order"]) <= {"baseline", "printed alone", "", "not measured", *("seen", "reversed", "cannot be told apart")}


def test_methods_are_trained_and_judged_side_by_side(tmp_path, quick):
    store, other = data.synthetic(clips=88), data.synthetic(clips=88, seed=3)
    base = replace(quick, steps=2, evaluations=1)
    how = {"seeds": 1, "folder": tmp_path, "progress": False, "steps": 2}
    found = paper.run("1", store, base, **how).rows.set_index("row")
    assert found.loc[["SLiM", "MAMP", "untrained (control)"], "linear protocol"].notna().all()
    assert found.loc["GFP", "order"] == "printed alone" and found.loc["MAMP", "order"] == "too few seeds or subjects"
    runs = sorted(p.name for p in (tmp_path / "runs").iterdir())
    paper.run("2b", store, base, **how)
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == runs, "tables share their runs"
    nine = paper.run("9", other, base, source=store, **how)
    assert nine.rows.set_index("row").loc["SLiM", "linear protocol"] >= 0 and "pre-trained on" in nine.differs
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == runs
    for table, wrong, says in (
        ("9", {}, "give source="),
        ("1", {"source": other}, "source= serves table 9 alone"),
        ("1", {"weights": mae.Encoder(mae.EncoderConfig(width=16, depth=1, heads=2))}, "a masked autoencoder's"),
        ("4", {"weights": evaluate.random_encoder(quick.encoder(store.skeleton))}, "weights serve tables 1, 2a"),
        ("5b", {"mirror": False}, "about mirroring"),
    ):
        with pytest.raises(ValueError, match=says):
            paper.run(table, store, base, **how | wrong)


def test_tables_share_a_folder_and_each_method_has_its_runs(tmp_path, quick):
    """Table 10's last row is SLiM itself, which 5a and 1 have, too; its others and the autoencoder's have ids of their own."""
    store, base = data.synthetic(clips=88), replace(quick, steps=2, evaluations=1)
    how = {"seeds": 1, "folder": tmp_path, "progress": False}
    five, ten = (paper.run(table, store, base, **how) for table in ("5a", "10"))
    shared = ten.runs.set_index("variant").loc["teacher's prototypes, cross-entropy"]
    assert shared["run"] == five.runs.set_index("variant").loc["STM / STM, 50 to 90 %", "run"] and shared["method"] == "slim"
    assert set(ten.runs["method"]) == {"slim", "matched"} and ten.runs["run"].is_unique
    one = paper.run("1", store, base, **how, steps=2)
    assert one.rows.set_index("row").loc[["SLiM", "MAMP"], "linear protocol"].notna().all()
    late = paper.run("1", store, base, **how, steps=2, minutes=0.0)  # what was judged is read whatever the time
    assert late.rows.equals(one.rows)
    assert set(study.read(tmp_path)["method"]) == {"slim"}
    with pytest.raises(StudyError, match="give that one as method="):
        study.read(tmp_path, method=replace(mae.METHOD, name="another"))


def test_a_run_that_failed_is_said(tmp_path, quick, monkeypatch):
    store, base = data.synthetic(clips=88), replace(quick, steps=3, evaluations=1)
    real = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda self, s, c, step: real(self, s, c, step) if step < 2 else fail(step))
    found = paper.run("2b", store, base, seeds=1, folder=tmp_path, progress=False)
    row = found.rows.set_index("row").loc["SLiM"]
    assert row["seeds"] == 0 and row["failed"] == 1 and "| 0 (1 failed) |" in found.markdown()


def fail(step):
    raise FloatingPointError(f"step {step}: loss is nan")


@pytest.mark.parametrize("whole, steps", [(True, None), (False, None), (False, 1000)])
def test_fine_tuning_below_the_papers_scale_has_the_same_rate_times_steps(whole, steps):
    """As `finetune` applies them: rates times batch / 256."""
    ours, paper_s = judging.Judging(whole, steps).few, judging.Judging(True).few
    assert (paper_s.steps, paper_s.batch_size, paper_s.head_lr, paper_s.encoder_lr) == (20_000, 256, 1e-3, 1e-5)
    for name in ("head_lr", "encoder_lr"):
        total = [getattr(p, name) * p.batch_size / 256 * p.steps for p in (ours, paper_s)]
        assert total[0] == pytest.approx(total[1])
    assert judging.Judging(whole).measured("2a")[0] == ("1 %" if whole else "1 clip a class")


def test_an_order_is_seen_where_subjects_and_seeds_agree(tmp_path, quick):
    """Runs are made up here: the table of a sweep, with other accuracies."""
    made = paper.run(
        "4", data.synthetic(clips=88), replace(quick, steps=1, evaluations=1), seeds=3, folder=tmp_path, progress=False
    ).runs
    subjects = [c.partition("@")[2] for c in made.columns if c.startswith("clips@")]

    def verdicts(probe):
        runs = made.copy()
        for place, row in runs.iterrows():
            for number, subject in enumerate(subjects):
                runs.loc[place, f"probe@{subject}"] = probe(row["variant"], row["seed"], number)
        runs["probe"] = runs[[f"probe@{s}" for s in subjects]].mean(axis=1)
        return running.beside("4", runs, ("knn", "probe"))["order"].tolist()

    noise = np.random.default_rng(0).uniform(-0.01, 0.01, (3, len(subjects)))
    assert verdicts(lambda v, s, p: 0.6 + 0.2 * (v == BEST) + noise[s, p]) == ["seen"] * 4 + ["baseline"]
    assert verdicts(lambda v, s, p: 0.6 - 0.2 * (v == BEST) + noise[s, p]) == ["reversed"] * 4 + ["baseline"]
    of_seeds = verdicts(lambda v, s, p: 0.6 + (0.3 - 0.2 * s) * (v == BEST) + noise[s, p])
    of_subjects = verdicts(lambda v, s, p: 0.6 + (0.3 - 0.6 * (p % 2)) * (v == BEST) + noise[s, p])
    assert set(of_seeds[:-1]) == set(of_subjects[:-1]) == {"cannot be told apart"}


def test_the_command_shows_what_was_printed(capsys):
    assert main(["paper", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "5a  masks of the global and of the local branch" in listed and "7 runs a seed: slimlab paper 5a DATA" in listed
    assert main(["paper", "10"]) == 0
    assert "teacher's prototypes, cross-entropy" in capsys.readouterr().out
    assert main(["paper", "3"]) == 0
    assert "SLiM encoder, 64 frames" in capsys.readouterr().out
    for words, says in (
        (["paper"], "give a table"),
        (["paper", "6"], "not among"),
        (["paper", "3", "synthetic"], "not among 1, 2a"),
    ):
        assert main(words) == 1
        assert says in capsys.readouterr().err


def test_the_paper_preset_is_the_baseline_of_the_tables():
    for table in paper.TRAINED:
        part, *_ = paper.planned(table, PRESETS["paper"])
        assert {k: v for k, v in part.base.to_dict().items() if k in PRESETS["paper"].to_dict()} == PRESETS["paper"].to_dict()
    [part] = paper.planned("4", PRESETS["paper"])
    base = part.base
    assert base == PRESETS["paper"]
    assert not any(part.base.mirror for part in paper.planned("7", PRESETS["paper"], mirror=False))
    masked = paper.planned("7", PRESETS["paper"])[1].base
    assert (masked.preset, masked.width, masked.steps, masked.batch_size) == ("mamp", 256, 187_500, 768)
    assert torch.tensor(base.rotation).rad2deg().tolist() == pytest.approx([30, 180, 30])
