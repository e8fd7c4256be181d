"""Fine-tuning and the few labels it gets."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlab import data, evaluate
from slimlab.data import DataError
from slimlab.encoder import EncoderConfig
from slimlab.evaluate.subsets import amount_words, batches, held_out
from slimlab.skeleton import COCO
from tests.conftest import counting_clip, make_store

CONFIG = EncoderConfig(width=16, depth=1, heads=2, frames=8, init_std=None, centering="every_frame", input_scale=3.0)


@given(st.lists(st.integers(-1, 5), min_size=1, max_size=300), st.integers(0, 9))
@settings(max_examples=50, deadline=None)
def test_few_labels_are_a_part_of_every_class(labels, seed):
    labels = np.array(labels)
    for amount in ({"fraction": 0.01}, {"fraction": 0.5}, {"fraction": 1.0}, {"fraction": 1}, {"per_class": 1}, {"per_class": 3}):
        chosen = evaluate.few_labels(labels, **amount, seed=seed)
        assert (np.diff(chosen) > 0).all() and (labels[chosen] >= 0).all()
        for label in range(6):
            has, keeps = (labels == label).sum(), (labels[chosen] == label).sum()
            expected = max(1, round(amount["fraction"] * has)) if "fraction" in amount else amount["per_class"]
            assert keeps == min(has, expected)
    small, large = (set(evaluate.few_labels(labels, fraction=a, seed=seed).tolist()) for a in (0.1, 0.5))
    assert small <= large
    np.testing.assert_array_equal(*(evaluate.few_labels(labels, fraction=0.1, seed=seed) for _ in range(2)))


def test_another_seed_is_another_subset_and_impossible_amounts_are_refused(synthetic):
    subsets = {tuple(evaluate.few_labels(synthetic, fraction=0.1, seed=seed)) for seed in range(5)}
    assert len(subsets) == 5
    for fraction in (0, -1, 0.0, 1.5, 2):
        with pytest.raises(ValueError, match=r"fraction is .* above 0 and at most 1"):
            evaluate.few_labels(synthetic, fraction=fraction)
    for per_class in (0, -1, 0.1, 1.5):
        with pytest.raises(ValueError, match=r"per_class is .* whole number"):
            evaluate.few_labels(synthetic, per_class=per_class)
    with pytest.raises(ValueError, match="give per_class=5"):
        evaluate.few_labels(synthetic)
    with pytest.raises(ValueError, match="only one of the two"):
        evaluate.few_labels(synthetic, per_class=1, fraction=0.1)


def test_what_an_amount_means_does_not_depend_on_its_type(synthetic):
    """1 and 1.0, and NumPy's numbers, are one number."""
    classes = len(np.unique(synthetic.labels))
    for one in (1, 1.0, np.int64(1), np.float32(1)):
        assert len(evaluate.few_labels(synthetic, per_class=one)) == classes
        assert len(evaluate.few_labels(synthetic, fraction=one)) == len(synthetic)
    for amount, words in (({"per_class": 1}, "1 a class"), ({"fraction": 1}, "100 %"), ({"fraction": 1.0}, "100 %"), ({}, "all")):
        settings = evaluate.Protocol(**amount)
        assert amount_words(settings.per_class, settings.fraction) == words
    for impossible in ({"per_class": 0.1}, {"fraction": 5}, {"per_class": 1, "fraction": 0.1}):
        with pytest.raises(ValueError, match=r"per_class is|fraction is"):
            evaluate.Protocol(**impossible)


def test_batches_hold_every_clip_once_an_epoch():
    drawn = np.concatenate(list(batches(10, 4, 10, torch.Generator().manual_seed(0))))
    for epoch in range(4):
        assert sorted(drawn[10 * epoch : 10 * epoch + 10]) == list(range(10))
    assert [len(b) for b in batches(3, 8, 2, torch.Generator())] == [8, 8]  # fewer clips than a batch: some come again


def test_held_out_are_the_last_subjects(synthetic):
    outside, name = held_out(synthetic.table, len(synthetic))
    subjects = np.unique(synthetic.column("subject"))
    assert name == "held-out subjects" and outside.any() and not outside.all()
    last = subjects[-max(1, len(subjects) // 5) :]
    np.testing.assert_array_equal(outside, np.isin(synthetic.column("subject"), last))
    for table in (None, synthetic.table.assign(subject=-1), synthetic.table.assign(subject=3)):
        outside, name = held_out(table, 10)
        assert name == "held-out clips" and outside.sum() == 2


@pytest.fixture(scope="module")
def poses():
    """A label that the height of the arms gives away: 40 clips to train on, 20 to test."""
    rng, labels = np.random.default_rng(0), np.arange(60) % 2
    clips = rng.normal(0, 0.05, (60, 1, 1, 25, 3)) + np.zeros((1, 12, 1, 1, 1))
    clips[:, :, :, 4:12, 1] += np.where(labels, 0.5, -0.5)[:, None, None, None]
    store = make_store(list(clips.astype(np.float32)), label=labels, subject=np.arange(60) // 20)
    return data.split(store, "cross-subject", train_subjects=[0, 1])


@pytest.mark.parametrize("frozen", [True, False])
def test_it_learns_repeats_itself_and_leaves_the_encoder_alone(poses, frozen):
    encoder = evaluate.random_encoder(CONFIG, 1)
    before = copy.deepcopy(encoder.state_dict())
    rates = {"head_lr": 3.0, "encoder_lr": 0.1, "batch_size": 16, "mirror": False}
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    results = [evaluate.finetune(encoder, *poses, fraction=0.5, steps=n, frozen=frozen, seed=2, **rates) for n in (25, 25, 1)]
    assert torch.equal(torch.rand(1), expected)
    # ten seeds: 0.90 to 1.00 frozen, 1.00 not; a head that is not trained: 0.50
    assert results[0].accuracy > 0.75 and torch.equal(results[0].scores, results[1].scores)
    assert not torch.equal(results[0].scores, results[2].scores)
    assert all(torch.equal(v, before[k]) for k, v in encoder.state_dict().items())


def test_the_first_step_is_sgds(poses):
    """One step on all labels: the head's gradient by hand, at head_lr * batch / 256, the encoder untouched by a zero head."""
    from slimlab.evaluate.training import augmented_view

    encoder, (train, test) = evaluate.random_encoder(CONFIG, 1), poses
    result = evaluate.finetune(encoder, train, test, steps=1, batch_size=8, head_lr=0.5, seed=4)
    rng = torch.Generator().manual_seed(4)
    clips = next(batches(len(train), 8, 1, rng))
    x, people, _ = augmented_view(encoder, train, clips, rng)
    with torch.no_grad():
        pooled = encoder.features(x, people, combine="sum").double()
    labels = torch.from_numpy(train.labels[clips])
    weight, bias = torch.zeros(2, 32, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for i in range(8):
        for c in range(2):
            error = (0.5 - float(labels[i] == c)) / 8
            weight[c] -= 0.5 * 8 / 256 * error * pooled[i]
            bias[c] -= 0.5 * 8 / 256 * error
    # a zero head gives the encoder no gradient, so weight decay alone moves it: 1e-4 times a tiny rate
    f = evaluate.features(encoder, test, combine="sum")
    torch.testing.assert_close(result.scores.double(), f.x.double() @ weight.T + bias, atol=1e-4, rtol=1e-3)


def test_unlabelled_and_empty_clips_do_no_harm_to_few_labels():
    """One label a class of clips of which half have none; a clip without people is a clip like others."""
    clips = [counting_clip(9), np.zeros((5, 1, 25, 3), np.float32)] * 3
    store = make_store(clips, label=[0, 1, -1, -1, 0, 1])
    encoder = evaluate.random_encoder(CONFIG, 1)
    test = store[store.labels >= 0]
    assert torch.isfinite(evaluate.finetune(encoder, store, test, per_class=1, steps=2, batch_size=4).scores).all()
    with pytest.raises(DataError, match="2 of 6 training clips have no label"):
        evaluate.finetune(encoder, store, test)


def test_fine_tuning_refuses_what_it_cannot_use(poses):
    encoder, (train, test) = evaluate.random_encoder(CONFIG, 1), poses
    with pytest.raises(DataError, match="1 of 2 test clips have no label"):
        evaluate.finetune(encoder, train, make_store([counting_clip(9)] * 2, label=[-1, 0]))
    with pytest.raises(DataError, match="training side has no labelled clips"):
        evaluate.finetune(encoder, make_store([counting_clip(9)], label=[-1]), test, fraction=0.1)
    with pytest.raises(ValueError, match="made for 25 joints"):
        evaluate.finetune(encoder, make_store([np.ones((5, 1, 17, 3), np.float32)], COCO, label=[0]), test)
    with pytest.raises(FloatingPointError, match="try a smaller learning rate"):
        evaluate.finetune(encoder, train, test, steps=9, batch_size=8, head_lr=1e38, encoder_lr=1e30)
