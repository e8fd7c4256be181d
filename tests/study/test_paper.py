"""The paper's tables: what was printed, what each row changes, and the rows trained."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from slimlab import data, plot
from slimlab.__main__ import main
from slimlab.pretrain import PRESETS, Config
from slimlab.pretrain.trainer import Trainer
from slimlab.study import paper
from slimlab.study.paper import running


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
    assert list(paper.TABLES[table].rows) == list(paper.published(table).index)
    assert paper.TABLES[table].rows[paper.TABLES[table].baseline] == {}


@pytest.mark.parametrize("table", paper.TRAINED)
def test_a_row_differs_from_the_baseline_in_what_it_names_and_in_a_loss_within_two_steps(table, synthetic):
    small = {"batch_size": 16, "width": 16, "depth": 1, "prototypes": 16, "head_hidden": 16, "head_bottleneck": 16}
    views = {"global_frames": 64, "patch_frames": 8, "local_views": ((32, 1, (0.35, 0.7)),)}
    base, rows = paper.planned(table, Config(preset="tiny", steps=2, **small, **views))
    losses = {}
    for row, changes in rows.items():
        config = replace(base, **changes)
        differ = {f.name for f in fields(Config) if getattr(config, f.name) != getattr(base, f.name)}
        assert differ == {name for name in changes if changes[name] != getattr(base, name)} and (changes == {} or differ)
        trainer = Trainer(config, synthetic.skeleton)
        steps = [trainer.step(synthetic, np.arange(16), step) for step in range(2)]
        losses[row] = [step[name] for step in steps for name in ("loss", "glcl", "mfp")]
    for row in rows:
        assert all(losses[row] != losses[other] for other in rows if other != row), row


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
        _, rows = paper.planned("4", Config())
        return running.beside("4", runs, rows)["order"].tolist()

    noise = np.random.default_rng(0).uniform(-0.01, 0.01, (3, len(subjects)))
    assert verdicts(lambda v, s, p: 0.6 + 0.2 * (v == "base") + noise[s, p]) == ["seen"] * 4 + ["baseline"]
    assert verdicts(lambda v, s, p: 0.6 - 0.2 * (v == "base") + noise[s, p]) == ["reversed"] * 4 + ["baseline"]
    of_seeds = verdicts(lambda v, s, p: 0.6 + (0.3 - 0.2 * s) * (v == "base") + noise[s, p])
    of_subjects = verdicts(lambda v, s, p: 0.6 + (0.3 - 0.6 * (p % 2)) * (v == "base") + noise[s, p])
    assert set(of_seeds[:-1]) == set(of_subjects[:-1]) == {"cannot be told apart"}


def test_the_command_shows_what_was_printed(capsys):
    assert main(["paper", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "5a  masks of the global and of the local branch" in listed and "7 runs a seed: slimlab paper 5a DATA" in listed
    assert main(["paper", "10"]) == 0
    assert "teacher's prototypes, cross-entropy" in capsys.readouterr().out
    for words, says in ((["paper"], "give a table"), (["paper", "6"], "not among"), (["paper", "1", "synthetic"], "4, 5a, 5b")):
        assert main(words) == 1
        assert says in capsys.readouterr().err


def test_the_paper_preset_is_the_baseline_of_the_tables():
    base, _ = paper.planned("4", PRESETS["paper"])
    assert base == PRESETS["paper"]
    assert torch.tensor(base.rotation).rad2deg().tolist() == pytest.approx([30, 180, 30])
