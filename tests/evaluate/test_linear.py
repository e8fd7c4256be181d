"""The linear protocol: the vectorised grid against one torch classifier after another, the choice, the ways of drawing."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from slimlab import data, evaluate
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.evaluate.grid import RATES, LinearGrid, feature_specs
from slimlab.evaluate.linear import linear_grid
from tests.conftest import counting_clip, make_store
from tests.evaluate.blobs import blobs

TRAIN, TEST = blobs(150, 0, subjects=6), blobs(90, 1)


def test_readings_are_the_encoders(synthetic):
    """Columns of the long vector are what the encoder gives for each setting alone, summed and concatenated."""
    torch.manual_seed(0)
    encoder = Encoder(EncoderConfig(width=16, depth=3, heads=2, frames=16, init_std=None)).eval()
    x, people, _ = data.test_view(synthetic, [0, 130], frames=16)
    with torch.no_grad():
        for combine in ("sum", "concat"):
            every = encoder.features(x, people, 3, "cls+mean", combine)
            specs = feature_specs((1, 3), ("cls", "mean", "cls+mean"), 16, every.shape[1])
            assert [(w.blocks, w.pool) for w in specs] == [(b, p) for b in (1, 3) for p in ("cls", "mean", "cls+mean")]
            for spec in specs:
                alone = encoder.features(x, people, spec.blocks, spec.pool, combine)
                torch.testing.assert_close(every[:, spec.columns], alone, atol=1e-6, rtol=1e-5)


def test_the_grid_is_one_torch_classifier_after_another():
    """SGD with momentum and cosine from torch.optim, float64, each on its own columns and its own clips."""
    width, classes, steps = 2, 4, 12
    specs = feature_specs((1, 2), ("cls", "cls+mean"), width, 6)
    rates, seed = (0.01, 0.3), 4
    grid = LinearGrid(specs, rates, classes, steps, subsets=2, seed=seed)
    starts = [w[0, 0].clone().double() for w in grid.weights]  # before the first step
    order = np.random.default_rng(0).integers(150, size=(steps, 16))
    inside = np.stack([np.ones(150, bool), np.arange(150) % 6 != 5])
    for step, clips in enumerate(order):
        grid.step(TRAIN.x[clips], TRAIN.labels[clips], step, torch.from_numpy(inside[:, clips]))
    for spec, weight, start in zip(specs, grid.weights, starts, strict=True):
        assert start[:, -1].abs().max() == 0 and 0.003 < float(start[:, :-1].std()) < 0.03
        for side in (0, 1):
            for number, rate in enumerate(rates):
                w, b = start[:, :-1].clone().requires_grad_(), start[:, -1].clone().requires_grad_()
                optimizer = torch.optim.SGD([w, b], lr=rate, momentum=0.9)
                schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
                for clips in order:
                    clips = clips[inside[side][clips]]
                    loss = F.cross_entropy(F.linear(TRAIN.x[clips][:, spec.columns].double(), w, b), TRAIN.labels[clips])
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    schedule.step()
                expected = torch.cat([w, b[:, None]], dim=1).detach()
                torch.testing.assert_close(weight[side, number].double(), expected, atol=1e-4, rtol=1e-4)
                logits = F.linear(TEST.x[:, spec.columns].double(), w, b).detach()
                scores = grid.scores(TEST.x, side, chunk=7)[specs.index(spec), number]
                torch.testing.assert_close(scores.double(), logits, atol=1e-3, rtol=1e-3)
                accuracy = float((logits.argmax(1) == TEST.labels).double().mean())
                assert float(grid.accuracies(TEST.x, TEST.labels, side, 7)[specs.index(spec), number]) == pytest.approx(accuracy)


def test_a_rate_that_explodes_leaves_the_others_alone():
    specs = feature_specs((1,), ("cls",), 6, 12)
    grids = [LinearGrid(specs, rates, 4, 20) for rates in ((3e38, 0.1), (0.1,))]
    for step in range(20):
        for grid in grids:
            grid.step(torch.cat([TRAIN.x, TRAIN.x], dim=1), TRAIN.labels, step)
    assert not torch.isfinite(grids[0].weights[0][0, 0]).all()
    torch.testing.assert_close(grids[0].weights[0][0, 1], grids[1].weights[0][0, 0])


def test_the_rates_are_the_papers():
    assert len(RATES) == 13 and RATES[0] == 1e-5 and RATES[-1] == 0.1 and list(RATES) == sorted(RATES)


def test_the_probe_chooses_its_rate_on_held_out_subjects():
    """By hand: train without subject 5, measure on subject 5, take the best rate of the grid trained on everybody."""
    result = evaluate.linear_probe(TRAIN, TEST, protocol="slim", steps=60, learning_rates=(1e-5, 0.5))
    # ten seeds: -0.022 to 0.011 apart, and 0.26 to 0.92 above the slow rate alone
    assert result.accuracy == pytest.approx(evaluate.linear_probe(TRAIN, TEST).accuracy, abs=0.05)
    torch.testing.assert_close(result.scores.argmax(dim=1), result.predictions)
    slow = evaluate.linear_probe(TRAIN, TEST, protocol="slim", steps=60, learning_rates=(1e-5,))
    assert slow.accuracy < result.accuracy - 0.1
    again = evaluate.linear_probe(TRAIN, TEST, protocol="slim", steps=60, learning_rates=(1e-5, 0.5))
    assert torch.equal(again.scores, result.scores)
    with pytest.raises(ValueError, match="'knn' is no linear probe"):
        evaluate.linear_probe(TRAIN, TEST, protocol="slim-knn")
    with pytest.raises(ValueError, match="protocol 'best' is unknown; choose one of default, slim-linear"):
        evaluate.linear_probe(TRAIN, TEST, protocol="best")


def test_held_out_subjects_get_no_say_in_what_is_chosen_by_them():
    """Wrong labels for the held-out subject change the final classifier, not the one that was judged by them."""
    protocol = replace(evaluate.PROTOCOLS["slim-linear-cached"], steps=100, learning_rates=(0.5,))
    wrong = torch.where(torch.arange(150) % 6 == 5, (TRAIN.labels + 1) % 4, TRAIN.labels)
    grids = []
    for labels in (TRAIN.labels, wrong):
        grid = LinearGrid(feature_specs((1,), ("cls",), 6, 12), protocol.learning_rates, 4, 100, subsets=2)
        inside = torch.stack([torch.ones(150), (torch.arange(150) % 6 != 5).float()])
        for step in range(100):
            grid.step(torch.cat([TRAIN.x, TRAIN.x], dim=1), labels, step, inside)
        grids.append(grid.weights[0])
    assert torch.equal(grids[0][1], grids[1][1]) and not torch.allclose(grids[0][0], grids[1][0])


@pytest.fixture(scope="module")
def labelled_poses():
    """Poses at random, and a label that the height of the arms gives away; 4 subjects to train on, 2 to test."""
    rng, labels = np.random.default_rng(0), np.arange(60) % 2
    poses = rng.normal(0, 0.05, (60, 1, 1, 25, 3)) + np.zeros((1, 20, 1, 1, 1))
    poses[:, :, :, 4:12, 1] += np.where(labels, 0.5, -0.5)[:, None, None, None]
    store = make_store(list(poses.astype(np.float32)), label=labels, subject=np.arange(60) // 10)
    return data.split(store, "cross-subject", train_subjects=[0, 1, 2, 3])


@pytest.fixture(scope="module")
def encoder():
    config = EncoderConfig(width=32, depth=2, heads=2, frames=8, init_std=None, centering="every_frame", input_scale=3.0)
    return evaluate.random_encoder(config, 1).train()


@pytest.mark.parametrize("views", ["deterministic", "random", "cached"])
def test_every_way_of_drawing_views_learns_and_repeats_itself(encoder, labelled_poses, views):
    protocol = replace(
        evaluate.PROTOCOLS["slim-linear"],
        views=views,
        steps=30,
        batch_size=16,
        mirror=False,
        cached_views=2,
        learning_rates=(1e-5, 4.0),
        select=("held-out subjects", "test split"),
    )
    before = [p.clone() for p in encoder.parameters()]
    held, test = linear_grid(encoder, *labelled_poses, protocol, seed=3)
    assert (held.selected_on, test.selected_on) == ("held-out subjects", "test split") and held.candidates == 8
    assert held.lr == 4.0 and {c.spec.blocks for c in (held, test)} <= {1, 2}  # this encoder has two blocks, not four
    assert test.result.accuracy >= held.result.accuracy > 0.75, (held, test)  # ten seeds: 0.90 to 1.00; labels shuffled: to 0.75
    assert test.selected_at == test.result.accuracy
    again = linear_grid(encoder, *labelled_poses, protocol, seed=3)[0]
    assert torch.equal(again.result.scores, held.result.scores)
    assert all(torch.equal(p, b) for p, b in zip(encoder.parameters(), before, strict=True)) and encoder.training


def test_views_differ_where_they_should(encoder, labelled_poses):
    def scores(**changes):
        protocol = replace(evaluate.PROTOCOLS["slim-linear"], steps=2, batch_size=16, learning_rates=(1.0,), **changes)
        return linear_grid(encoder, *labelled_poses, protocol, seed=3)[0].result.scores

    given = scores()
    for changes in ({"mirror": False}, {"rotation": 0.0}, {"noise": 0.1}, {"views": "cached"}, {"views": "deterministic"}):
        assert not torch.allclose(scores(**changes), given), changes


def test_subjects_unknown_means_held_out_clips():
    protocol = evaluate.PROTOCOLS["slim-linear"]
    store = make_store([counting_clip(9) * (1 + i % 2) for i in range(10)], label=[0, 1] * 5)
    encoder = evaluate.random_encoder(EncoderConfig(width=16, depth=1, heads=2, frames=8))
    choice = linear_grid(encoder, store, store, replace(protocol, steps=2, batch_size=4))[0]
    assert choice.selected_on == "held-out clips"
