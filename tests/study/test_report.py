"""The report's numbers against pandas, comparisons against the statistics they stand on, figures against both."""

import itertools

import numpy as np
import pandas as pd
import pytest

from slimlab import evaluate, plot, study

CLIPS = {2: 40, 4: 25, 6: 30}


def made_up(seeds=3, seed=0) -> pd.DataFrame:
    """A table as a sweep gives it: 2 strategies x 2 ratios and a variant without masks, made-up numbers."""
    rng, rows = np.random.default_rng(seed), []
    variants = [
        ("none", "tubes", "(0.5, 0.9)"),
        *((f"{m}, {r}", m, r) for m, r in itertools.product(("tubes", "cells"), (0.5, 0.9))),
    ]
    for run, (variant, masking, ratio) in itertools.product(range(seeds), variants):
        row = {
            "variant": variant,
            "masking": masking,
            "mask_ratio": ratio,
            "seed": run,
            "error": "",
            "held_out_knn": rng.random(),
        }
        for score, bonus in (("knn", 0.0), ("probe", 0.1), ("untrained_knn", -0.2), ("untrained_probe", -0.1)):
            hits = {p: int(rng.binomial(n, 0.6 + bonus + 0.1 * (masking == "tubes"))) for p, n in CLIPS.items()}
            if score.startswith("untrained"):
                hits = {p: int(n * (0.3 + 0.05 * run)) for p, n in CLIPS.items()}  # one a seed
            row |= {score: sum(hits.values()) / sum(CLIPS.values())} | {f"{score}@{p}": hits[p] / CLIPS[p] for p in CLIPS}
        rows.append(row | {f"clips@{p}": n for p, n in CLIPS.items()})
    return pd.DataFrame(rows)


def test_a_summary_is_what_pandas_says():
    table = made_up()
    summary = study.summary(table).set_index("variant")
    by_variant = table.groupby("variant", sort=False)
    assert summary.index.tolist() == [*by_variant.groups, "untrained encoder"]
    for score in ("knn", "probe"):
        variants = summary.iloc[:-1]
        np.testing.assert_allclose(variants[score], by_variant[score].mean()[variants.index])
        np.testing.assert_allclose(variants[f"{score}_sd"], by_variant[score].std(ddof=1)[variants.index])
        control = table.drop_duplicates("seed")[f"untrained_{score}"]
        assert summary.loc["untrained encoder", score] == pytest.approx(control.mean())
    rows = table[table["variant"] == "cells, 0.9"]
    means = {p: rows[f"knn@{p}"].mean() for p in CLIPS}
    resampled = [
        sum(means[p] * CLIPS[p] for p in drawn) / sum(CLIPS[p] for p in drawn) for drawn in itertools.product(CLIPS, repeat=3)
    ]
    low, high = np.quantile(resampled, [0.025, 0.975], method="inverted_cdf")
    assert tuple(summary.loc["cells, 0.9", ["knn_low", "knn_high"]]) == pytest.approx((low, high))
    seeds = evaluate.over_seeds(rows["knn"].to_numpy())
    assert tuple(summary.loc["cells, 0.9", ["knn_seeds_low", "knn_seeds_high"]]) == pytest.approx((seeds.low, seeds.high))


def test_failed_runs_are_counted_and_left_out():
    table = made_up()
    table.loc[1, [c for c in table if c.startswith(("knn", "probe"))]] = np.nan
    summary = study.summary(table).set_index("variant")
    variant = table.loc[1, "variant"]
    rest = table[(table["variant"] == variant) & table["knn"].notna()]
    assert summary.loc[variant, "failed"] == 1 and summary.loc[variant, "seeds"] == 2
    assert summary.loc[variant, "knn"] == pytest.approx(rest["knn"].mean())
    assert "failed" in study.report(table).markdown().splitlines()[0]
    table.loc[table["variant"] == variant, ["knn", "probe"]] = np.nan
    assert "–" in study.report(table).markdown()
    table["held_out_knn"] = [0.9 if a == variant else 0.5 for a in table["variant"]]
    assert study.best(table, "probe") != variant


def test_pairs_agree_in_all_but_the_field():
    table = made_up()
    line = study.compare(table, "masking", "tubes", "cells", scores=("knn",)).iloc[0]
    wide = table[table["variant"] != "none"].pivot(index=["mask_ratio", "seed"], columns="masking", values="knn")
    d = wide["tubes"] - wide["cells"]
    assert line["pairs"] == 6 and line["difference"] == pytest.approx(d.mean()) and line["better"] == (d > 0).sum()
    per_seed = [wide[m].groupby("seed").mean().to_numpy() for m in ("tubes", "cells")]
    assert line["seeds_p"] == evaluate.paired_seeds(*per_seed).p and line["smallest_seeds_p"] == 0.25
    assert line["low"] <= line["difference"] <= line["high"]
    sides = [table[(table["masking"] == m) & (table["variant"] != "none")] for m in ("tubes", "cells")]
    hits, who = zip(*(study.report.__globals__["per_clip"](side, "knn") for side in sides), strict=True)
    assert line["p"] == evaluate.paired(*hits, who[0]).p
    back = study.compare(table, "masking", "cells", "tubes", scores=("knn",)).iloc[0]
    assert back["difference"] == pytest.approx(-line["difference"]) and back["p"] == line["p"]
    variants = study.compare(table, "variant", "tubes, 0.5", "none", scores=("knn",)).iloc[0]
    by_variant = table.pivot(index="seed", columns="variant", values="knn")
    assert variants["pairs"] == 3 and variants["difference"] == pytest.approx(
        (by_variant["tubes, 0.5"] - by_variant["none"]).mean()
    )
    with pytest.raises(ValueError, match="do not differ in 'depth'"):
        study.compare(table, "depth", 1, 2)
    with pytest.raises(ValueError, match="no runs with masking=tubes and masking=walls"):
        study.compare(table, "masking", "tubes", "walls")


def test_what_is_written_can_be_read_again(tmp_path):
    table = made_up()
    table.to_csv(tmp_path / "table.csv", index=False)
    numbers = [study.summary(t).select_dtypes("number") for t in (study.load(tmp_path / "table.csv"), table)]
    pd.testing.assert_frame_equal(*numbers)
    table.rename(columns={"variant": "arm"}).to_csv(tmp_path / "old.csv", index=False)
    pd.testing.assert_frame_equal(study.load(tmp_path / "old.csv"), study.load(tmp_path / "table.csv"))
    again = study.compare(study.load(tmp_path / "table.csv"), "mask_ratio", 0.9, 0.5)  # numbers came back as text
    assert again["pairs"].tolist() == [6, 6]
    with pytest.raises(ValueError, match="no table of a sweep"):
        study.summary(pd.DataFrame({"accuracy": [1.0]}))
    files = study.report(table, names={"none": "nothing masked 100 %"}).save(tmp_path / "report")
    markdown, latex, csv = (f.read_text() for f in files)
    first = study.summary(table).iloc[0]
    assert f"| nothing masked 100 % | 3 | {first['knn']:.3f} ± {first['knn_sd']:.3f} |" in markdown
    assert rf"nothing masked 100 \% & 3 & {first['knn']:.3f} $\pm$ {first['knn_sd']:.3f} &" in latex
    assert latex.count(r"\\") == 1 + len(study.summary(table)) and r"\toprule" in latex
    np.testing.assert_allclose(pd.read_csv(files[2])["knn"], study.summary(table)["knn"])
    assert csv.startswith("variant,masking,mask_ratio")


def test_any_name_can_stand_in_a_table_of_latex_or_markdown():
    name = "a#b$c{d}e^f_g%h&i\\j~k<l>m|n\no"
    report = study.report(made_up(), names={"none": name})
    escaped = r"a\#b\$c\{d\}e\textasciicircum{}f\_g\%h\&i\textbackslash{}j\textasciitilde{}k\textless{}l\textgreater{}m|n o & 3 &"
    assert escaped in report.latex()
    assert "\n{}[0.5, 0.9] & 3 &" in study.report(made_up(), names={"none": "[0.5, 0.9]"}).latex()
    lines = report.markdown().splitlines()
    assert r"k<l>m\|n o | 3 |" in lines[2] and len({line.replace(r"\|", "").count("|") for line in lines}) == 1


def test_the_figure_shows_means_intervals_seeds_and_controls(tmp_path):
    table = made_up()
    summary = study.summary(table).set_index("variant")
    figure = plot.study(table, "mask_ratio", "masking", names={"none": "nothing masked"})
    for ax, score in zip(figure.axes, ("knn", "probe"), strict=True):
        assert len(ax.containers) == 2  # a line for each strategy, with its bars
        for box, masking in zip(ax.containers, ("tubes", "cells"), strict=True):
            line, _, (bars,) = box.lines
            variants = summary.loc[[f"{masking}, {r}" for r in (0.5, 0.9)]]
            np.testing.assert_allclose(np.asarray(line.get_ydata(), float), variants[score])
            ends = np.array([segment[:, 1] for segment in bars.get_segments()], dtype=float)
            np.testing.assert_allclose(ends, variants[[f"{score}_low", f"{score}_high"]].to_numpy(float))
        flat = [line for line in ax.lines if len(set(np.asarray(line.get_ydata(), float))) == 1 and len(line.get_ydata()) == 2]
        assert {round(float(line.get_ydata()[0]), 9) for line in flat} >= {
            round(float(summary.loc[variant, score]), 9) for variant in ("none", "untrained encoder")
        }
        dots = [line for line in ax.lines if len(line.get_ydata()) == 3]
        assert len(dots) == 4
    plot.save(figure, tmp_path / "figure.pdf")
    np.testing.assert_allclose(pd.read_csv(tmp_path / "figure.csv")["knn"], summary["knn"])
    forest = plot.study(table)
    assert [t.get_text() for t in forest.axes[0].get_yticklabels()] == summary.index.tolist()
    with pytest.raises(ValueError, match="do not differ in 'depth'"):
        plot.study(table, "depth")


def test_one_subject_or_one_seed_says_less_and_does_not_fail():
    table = made_up(seeds=1)
    summary = study.summary(table)
    assert summary["knn_sd"].isna().all() and summary["knn_low"].notna().all()
    assert "±" not in study.report(table).markdown()
    alone = table.drop(columns=[c for c in table if c.endswith(("@4", "@6"))])
    assert "knn_low" not in study.summary(alone)
    plot.study(alone, "mask_ratio", "masking")
    assert "low" not in study.compare(alone, "masking", "tubes", "cells")


def test_fewer_labels_are_the_first_of_more(utd):
    train, test = evaluate_sides(utd)
    curve = study.label_curve({"raw": (train, test)}, per_class=(1, 4), draws=2)
    assert curve[["labels", "seed"]].to_numpy().tolist() == [[1, 0], [1, 1], [4, 0], [4, 1]]
    assert curve["train_clips"].tolist() == [27, 27, 108, 108]
    few = evaluate.few_labels(train.labels, per_class=4, seed=1)
    given = evaluate.Features(train.x[few], train.labels[few], train.table.iloc[few])
    assert curve["knn"].iloc[3] == pytest.approx(evaluate.knn(given, test).accuracy)
    assert curve.groupby("labels")["knn"].mean().is_monotonic_increasing
    assert study.report(curve).markdown().count("\n") == 4


def evaluate_sides(store):
    from slimlab import data

    return [evaluate.raw_features(side, 16) for side in data.split(store, "cross-subject")]
