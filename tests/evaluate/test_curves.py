"""Robustness, few labels and transfer: the tables are what the single calls give, controls stand in them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slimlab import data, evaluate, pretrain, study
from slimlab.data import DataError
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import corruption
from slimlab.pretrain.run import RunError
from slimlab.skeleton import COCO, KINECT_V1
from tests.conftest import make_store

CONFIG = EncoderConfig(width=16, depth=2, heads=2, frames=8, init_std=None, centering="every_frame", input_scale=3.0)
CONTROLS = ["raw coordinates", "random encoder, plain", "random encoder, best-scaled input"]
PROVENANCE = {"train", "test", "train_subjects", "test_subjects", "weights", "seed", "slimlab", "torch"}


@pytest.fixture(scope="module")
def case(synthetic):
    few = synthetic[np.isin(synthetic.labels, (0, 3, 7, 11))]  # small, for the many fits of a probe
    return evaluate.random_encoder(CONFIG, 1), *data.split(few, "cross-subject")


@pytest.fixture(scope="module")
def robust(case):
    chosen = {"noise": (0.02, 0.2), "frame rate": (4,), "missing joints": (0.5,)}
    return evaluate.robustness(*case, chosen, seed=2, about={"split": "cross-subject"})


def test_robustness_has_every_curve_with_its_controls(robust, case):
    assert list(dict.fromkeys(robust["features"])) == [*CONTROLS, "pre-trained encoder"]
    assert len(robust) == 4 * 2 * (3 + 2 + 2) and robust["accuracy"].between(0, 1).all()
    assert set(robust.columns) >= PROVENANCE | {"unit", "split"} and (robust["test"] == case[2].fingerprint).all()
    assert ((robust["low"] <= robust["accuracy"]) & (robust["accuracy"] <= robust["high"])).all()
    assert robust["weights"].nunique() == 4 and (robust.loc[robust["features"] == "raw coordinates", "weights"] == "").all()
    clean = robust[robust["severity"] == np.where(robust["corruption"] == "frame rate", 1, 0)]
    assert (clean.groupby(["features", "classifier"])["accuracy"].nunique() == 1).all() and len(clean) == 4 * 2 * 3
    assert (robust[robust["corruption"] == "frame rate"]["unit"] == "every n-th frame is kept").all()


def test_robustness_is_each_evaluation_by_hand(robust, case):
    encoder, train, test = case
    rows = robust.set_index(["features", "classifier", "corruption", "severity"])["accuracy"]
    for severity in (0.0, 0.02, 0.2):
        worse = corruption.noise(test, severity, seed=2) if severity else test
        for name, read in (
            ("pre-trained encoder", lambda s: evaluate.features(encoder, s)),
            (CONTROLS[0], evaluate.raw_features),
        ):
            given, asked = read(train), read(worse)
            knn = evaluate.knn(given, asked)
            assert rows[name, "kNN", "noise", severity] == pytest.approx(knn.accuracy)
            assert rows[name, "probe", "noise", severity] == pytest.approx(evaluate.linear_probe(given, asked).accuracy)
            line = robust[(robust["features"] == name) & (robust["classifier"] == "kNN") & (robust["severity"] == severity)]
            interval = evaluate.over_subjects(knn, test)
            noise = line[line["corruption"] == "noise"].iloc[0]
            assert (noise["low"], noise["high"]) == pytest.approx((interval.low, interval.high))


def test_labels_run_out_for_all_features_alike(case):
    encoder, train, test = case
    table = evaluate.label_curve(encoder, train, test, per_class=(1,), fractions=(0.5, 1), seeds=2, classifiers=("kNN",))
    assert len(table) == 4 * 2 * 3 and set(table.columns) >= PROVENANCE
    classes = len(np.unique(train.labels))
    for amount, size, words in (
        ({"per_class": 1}, classes, "1 a class"),
        ({"fraction": 0.5}, None, "50 %"),
        ({"fraction": 1}, len(train), "100 %"),
    ):
        for seed in (0, 1):
            few = evaluate.few_labels(train, **amount, seed=seed)
            part = table[(table["labels"] == words) & (table["seed"] == seed)]
            assert (part["label_clips"] == len(few)).all() and len(part) == 4 and (size is None or len(few) == size)
            by_hand = evaluate.knn(evaluate.raw_features(train[few]), evaluate.raw_features(test))
            assert part.set_index("features")["accuracy"]["raw coordinates"] == pytest.approx(by_hand.accuracy)
    assert table[table["label_clips"] == len(train)].groupby("features")["accuracy"].nunique().eq(1).all()


def test_unknown_words_are_refused_before_anything_is_read(case):
    with pytest.raises(ValueError, match="corruption 'rain' is not there; choose among missing joints"):
        evaluate.robustness(*case, ("rain",))
    with pytest.raises(ValueError, match="classifier 'svm' is not there; choose among kNN, probe"):
        evaluate.label_curve(*case, classifiers=("svm",))
    for amounts in ({"fractions": (0.1, 3)}, {"per_class": (1, 0.1)}):
        with pytest.raises(ValueError, match=r"fraction is 3|per_class is 0\.1"):
            evaluate.label_curve(*case, **amounts)


def test_sides_that_cannot_be_evaluated_are_refused_before_anything_is_trained(case, monkeypatch):
    encoder, train, test = case
    monkeypatch.setattr(evaluate.Features, "__init__", lambda *_, **__: pytest.fail("features were read"))
    nobody = make_store([np.ones((9, 1, 25, 3), np.float32)] * 3, label=[-1, 0, 1])
    alike = make_store([np.ones((9, 1, 25, 3), np.float32)] * 3, label=[1, 1, 1])
    for ask in (
        lambda *sides: evaluate.transfer(encoder, *sides, supervised_seconds=99.0),
        lambda *sides: evaluate.robustness(encoder, *sides),
        lambda *sides: study.sweep(sides[0], [{}], 1, test=sides[1]),
        lambda *sides: study.from_scratch(CONFIG, *sides),
    ):
        with pytest.raises(DataError, match="single class"):
            ask(alike, test)
        with pytest.raises(DataError, match="training side has no labelled clips"):
            ask(train[:0], test)
        with pytest.raises(DataError, match="test side has no labelled clips"):
            ask(train, test[:0])
        with pytest.raises(DataError, match="1 of 3 test clips have no label"):
            ask(train, nobody)


def test_a_body_with_other_joints_is_reached_by_their_names(case):
    encoder = case[0]
    rng = np.random.default_rng(0)
    clips = [rng.normal(size=(12, 1, len(KINECT_V1), 3)).astype(np.float32) for _ in range(24)]
    other = make_store(clips, KINECT_V1, label=np.arange(24) % 2, subject=1 + np.arange(24) // 12)
    train, test = data.split(other, "cross-subject")
    table = evaluate.transfer({"here": encoder, "again": encoder}, train, test, about={"pre-trained on": "nothing"})
    assert table["features"].tolist() == [*CONTROLS, "again", "here"]
    assert table["joints"].tolist() == ["", "", "", "20 of 20", "20 of 20"] and (table["pre-trained on"] == "nothing").all()
    from slimlab.weights import on_body

    moved = on_body(encoder, KINECT_V1)
    by_hand = evaluate.compare(moved, train, test).set_index("features")["kNN"]["pre-trained encoder"]
    assert table.set_index("features")["kNN"]["here"] == by_hand == table.set_index("features")["kNN"]["again"]
    few = make_store(
        [np.ones((9, 1, len(COCO), 3), np.float32) * i for i in (1, 2, 3, 4)], COCO, label=[0, 1] * 2, subject=[1, 1, 2, 2]
    )
    sides = data.split(few, "cross-subject")
    assert "of 17" in evaluate.transfer(encoder, *sides).iloc[-1]["joints"]


def test_a_run_that_saw_a_test_clip_is_refused(case, quick, tmp_path):
    _, train, test = case
    run = pretrain.fit(train, replace(quick, steps=2, batch_size=4, width=16, evaluations=0), folder=tmp_path / "run")
    table = evaluate.transfer(run, train, test, supervised_seconds=0.0)
    assert table["features"].tolist()[-2:] == ["supervised from scratch, 0 s", "pre-trained encoder"]
    least = evaluate.supervised(run.encoder.config, train, steps=1)  # the least that fits into any time, on any machine
    assert table["weights"].iloc[-2] == evaluate.weights_digest(least)
    with pytest.raises(RunError, match="was trained on"):
        evaluate.transfer(run, test, train)


def test_the_control_is_trained_on_the_encoders_device(case, monkeypatch):
    import sys

    module, asked = sys.modules["slimlab.evaluate.transfer"], []
    monkeypatch.setattr(module, "supervised", lambda config, train, device, **_: asked.append(device))
    monkeypatch.setattr(module, "compare", lambda *_, **__: pd.DataFrame({"features": []}))
    evaluate.transfer(evaluate.random_encoder(CONFIG).to("meta"), *case[1:], supervised_seconds=1.0)
    assert [d.type for d in asked] == ["meta"]


def test_equal_time_is_a_number_of_steps_with_a_whole_schedule(case):
    _, train, _ = case
    clock = iter((0.0, 1.0, 10.0))  # before, after 2 steps, after 10 more: a step takes a second
    encoder = evaluate.supervised(CONFIG, train, seconds=3.0, batch_size=8, clock=lambda: next(clock))
    again = evaluate.supervised(CONFIG, train, steps=3, batch_size=8)
    assert encoder.steps == 3 and evaluate.weights_digest(again) == evaluate.weights_digest(encoder)


def test_a_row_says_what_made_it(case, tmp_path):
    encoder, train, test = case
    table = evaluate.compare(encoder, train, test, details=True, about={"split": "cross-subject", "run": "runs/a"})
    assert set(table.columns) >= PROVENANCE | {"split", "run", "k", "pool", "kNN_low", "probe_high"}
    plain = evaluate.compare(encoder, train, test)
    assert list(plain.columns) == ["features", "kNN", "probe"] and plain["kNN"].tolist() == table["kNN"].tolist()
    table.to_csv(tmp_path / "t.csv", index=False)
    row = pd.read_csv(tmp_path / "t.csv").iloc[-1]
    # from the row alone: the sides by their subjects, checked by fingerprint, the weights by their digest
    subjects = [int(p) for p in row["train_subjects"].split()]
    side = train[np.isin(train.column("subject"), subjects)]
    assert side.fingerprint == row["train"] and evaluate.weights_digest(encoder) == row["weights"]
    interval = evaluate.over_subjects(evaluate.knn(*(evaluate.features(encoder, s) for s in (train, test))), test)
    assert (row["kNN_low"], row["kNN_high"]) == pytest.approx((interval.low, interval.high))


@pytest.fixture(scope="module")
def people():
    """Real recordings: each of ten people does two exercises once."""
    store = data.ui_prmd("correct")[:200:10]
    sizes = EncoderConfig(skeleton=store.skeleton, width=16, depth=2, heads=2, frames=16, init_std=None)
    return evaluate.random_encoder(sizes, 1), *data.split(store)


def test_one_labeled_subject_is_each_in_turn(people):
    encoder, train, test = people
    how = {"pool": "time+part", "about": {"split": "cross-subject"}}
    table = evaluate.one_labeled_subject(encoder, train, test, **how)
    assert len(table) == 4 * 2 * 2 and set(table.columns) >= PROVENANCE | {"worst", "best", "split"}
    rows = table.set_index(["features", "classifier", "labels"])
    given, asked = (evaluate.features(encoder, store, pool="time+part") for store in (train, test))
    results = []
    for subject in (1, 3, 5, 7, 9):
        of = np.flatnonzero(train.column("subject") == subject)
        results.append(evaluate.knn(evaluate.Features(given.x[of], given.labels[of], given.table.iloc[of]), asked))
    row = rows.loc[("pre-trained encoder", "kNN", "one subject")]
    reached = [r.accuracy for r in results]
    assert row["accuracy"] == pytest.approx(np.mean(reached)) and (row["worst"], row["best"]) == (min(reached), max(reached))
    interval = evaluate.over_subjects(results, test)
    assert (row["low"], row["high"]) == pytest.approx((interval.low, interval.high))
    whole = rows.loc[("pre-trained encoder", "probe", "all subjects")]
    probe = evaluate.linear_probe(given, asked)
    assert whole["accuracy"] == whole["worst"] == whole["best"] == pytest.approx(probe.accuracy)


def test_one_labeled_subject_refuses_who_cannot_teach(people, case):
    encoder, train, test = people
    unknown = make_store([np.ones((8, 1, 25, 3), np.float32) * (i + 1) for i in range(4)], label=[0, 1, 0, 1])
    with pytest.raises(DataError, match="clip 'clip0' has no known subject"):
        evaluate.one_labeled_subject(case[0], unknown, case[2])
    single = train[(train.column("subject") != 3) | (train.labels == 0)]
    with pytest.raises(DataError, match="subject 3 has clips of a single class"):
        evaluate.one_labeled_subject(encoder, single, test)
