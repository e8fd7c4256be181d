"""One switchboard: every preset runs, and its rows are what the functions give."""

from dataclasses import replace

import pytest
import torch

from slimlab import data, evaluate
from slimlab.baselines import mae
from slimlab.data import DataError
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import PROTOCOLS, Protocol
from tests.conftest import counting_clip, make_store

CONFIG = EncoderConfig(width=16, depth=2, heads=2, frames=8, init_std=None, centering="every_frame", input_scale=3.0)
SMALL = {"steps": 3, "batch_size": 8}


@pytest.fixture(scope="module")
def case(synthetic):
    return evaluate.random_encoder(CONFIG, 1), *data.split(synthetic, "cross-subject")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_gives_rows_with_what_is_needed_to_repeat_them(case, name):
    encoder, train, test = case
    trains = PROTOCOLS[name].classifier in ("grid", "finetune")
    table = evaluate.run(encoder, train, test, name, seed=3, **(SMALL if trains else {}))
    score = table["mAP" if name == "slim-retrieval" else "accuracy"]
    assert len(table) >= 1 and score.between(0, 1).all() and (table["protocol"] == name).all()
    assert (
        table["train"] == train[evaluate.few_labels(train, fraction=PROTOCOLS[name].fraction or 1.0, seed=3)].fingerprint
    ).all()
    assert (table["test"] == test.fingerprint).all() and (table["seed"] == 3).all()
    assert table["changed"].iloc[0] == ("batch_size=8, steps=3" if trains else "")


@pytest.mark.parametrize("name", ["default", "slim-knn", "slim-linear", "slim-linear-cached", "slim-semi-10"])
def test_the_mae_which_has_no_cls_token_goes_through_the_same_protocols(case, name):
    _, train, test = case
    sizes = mae.EncoderConfig(width=16, depth=2, heads=2, patch_frames=4, frames=8, centering="every_frame")
    changes = SMALL if PROTOCOLS[name].classifier in ("grid", "finetune") else {}
    table = evaluate.run(mae.Encoder(sizes), train, test, name, **changes)
    assert table["accuracy"].between(0, 1).all() and (table["blocks"] == 1).all()
    if name == "slim-linear":
        assert table["candidates"].tolist() == [13] and table["pool"].tolist() == ["mean"]


def test_knn_rows_are_knns(case):
    encoder, train, test = case
    table = evaluate.run(encoder, train, test, "slim-knn", blocks=(1, 4), pools=("cls", "cls+mean"), temperature=(0.07, 0.2))
    assert set(table["k"]) == {k for k in (1, 10, 20, 100, 200) if k <= len(train)}
    for row in table.itertuples():
        how = {"blocks": row.blocks, "pool": row.pool, "combine": row.people, "view": data.released_test_view}
        sides = [evaluate.features(encoder, s, **how) for s in (train, test)]
        assert row.accuracy == pytest.approx(evaluate.knn(*sides, row.k, row.temperature).accuracy), row
    assert set(table["blocks"]) == {1, 2}  # four were asked for, this encoder has two


def test_the_papers_protocols_cut_views_as_the_released_code_does(case):
    """A setting that each protocol of the paper has and the default one has not, and that changes numbers."""
    encoder, train, test = case
    assert {name: p.details for name, p in PROTOCOLS.items()} == {
        name: "plain" if name == "default" else "released" for name in PROTOCOLS
    }
    for name, changes in (("slim-linear", SMALL | {"steps": 30}), ("slim-semi-10", SMALL | {"steps": 30})):
        settings = PROTOCOLS[name]
        scores = [rows(encoder, train, test, replace(settings, details=d, **changes)) for d in ("plain", "released", "released")]
        assert torch.equal(scores[1], scores[2]) and not torch.equal(scores[0], scores[1]), name
    with pytest.raises(ValueError, match="details 'ours' is unknown; choose among plain, released"):
        Protocol(details="ours")
    with pytest.raises(ValueError, match="details is 'ours'; choose one of plain, released"):
        evaluate.finetune(encoder, train, test, details="ours")


def rows(encoder, train, test, p):
    """The scores of a grid's choice or of a fine-tuned network."""
    if p.classifier == "grid":
        return evaluate.linear_grid(encoder, train, test, p)[0].result.scores
    sizes = {"steps": p.steps, "batch_size": p.batch_size, "fraction": p.fraction, "head_lr": 0.1}
    return evaluate.finetune(encoder, train, test, details=p.details, **sizes).scores


@pytest.mark.parametrize("name", ["default", "slim-knn", "slim-retrieval"])
def test_readings_with_time_and_parts_stand_beside_the_papers(case, name):
    encoder, train, test = case
    table = evaluate.run(encoder, train, test, name, pools=("cls+mean", "time+part"), **({"k": (1,)} if "knn" in name else {}))
    assert table["pool"].tolist() == ["cls+mean", "time+part"] and (table["blocks"] == 1).all()
    sides = [evaluate.features(encoder, s, pool="time+part") for s in (train, test)]
    if name == "default":
        assert table["accuracy"][1] == pytest.approx(evaluate.linear_probe(*sides).accuracy)


def test_a_classifier_that_asks_for_new_views_takes_the_papers_readings_alone():
    with pytest.raises(ValueError, match=r"pools 'time' is unknown; choose among cls, mean, cls\+mean"):
        Protocol("grid", pools=("time",))


def test_the_default_is_the_probe_on_the_default_features(case):
    encoder, train, test = case
    probe = evaluate.linear_probe(*(evaluate.features(encoder, s) for s in (train, test)))
    assert evaluate.run(encoder, train, test)["accuracy"].tolist() == [pytest.approx(probe.accuracy)]


def test_a_selection_on_the_test_split_says_so(case):
    encoder, train, test = case
    table = evaluate.run(encoder, train, test, "slim-linear-cached", select=("held-out subjects", "test split"), **SMALL)
    assert table["selected_on"].tolist() == ["held-out subjects", "test split"]
    assert (table["candidates"] == 2 * 2 * 13).all()
    assert table["accuracy"][1] == table["selected_at"][1] >= table["accuracy"][0]


def test_the_papers_settings():
    linear = PROTOCOLS["slim-linear"]
    assert (linear.steps, linear.batch_size, linear.blocks, linear.pools) == (20_000, 64, (1, 4), ("cls", "cls+mean"))
    assert (linear.combine, linear.views, len(linear.learning_rates)) == ("sum", "random", 13)
    assert linear == replace(PROTOCOLS["slim-linear-cached"], views="random")
    assert PROTOCOLS["slim-knn"].combine == "concat" and PROTOCOLS["slim-knn"].temperature == (0.07,)
    assert (PROTOCOLS["slim-semi-1"].fraction, PROTOCOLS["slim-semi-10"].fraction) == (0.01, 0.1)


def test_unknown_words_and_unlabelled_clips_are_refused(case):
    encoder, train, test = case
    with pytest.raises(ValueError, match=r"protocol 'best' is unknown; choose one of default, slim-linear"):
        evaluate.run(encoder, train, test, "best")
    for field, value in (("combine", "max"), ("views", "none"), ("select", ("luck",)), ("pools", ("cls", "max"))):
        with pytest.raises(ValueError, match=f"protocol: {field} .* is unknown"):
            Protocol(**{field: value})
    with pytest.raises(ValueError, match="must be at least 1"):
        Protocol(steps=0)
    with pytest.raises(DataError, match="test side has no labelled clips"):
        evaluate.run(encoder, train, make_store([counting_clip(9)], label=[-1]))
