"""kNN and linear probe against scikit-learn; the controls."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from sklearn.neighbors import KNeighborsClassifier

from slimlab import __main__ as cli
from slimlab import data, evaluate, study
from slimlab.data import DataError
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import Features
from slimlab.evaluate.controls import best_scaled
from tests.conftest import counting_clip, make_store
from tests.evaluate.blobs import blobs

TRAIN, TEST = blobs(150, 0), blobs(90, 1)


@pytest.mark.parametrize("k", [1, 7])
def test_knn_is_scikit_learns(k):
    result = evaluate.knn(TRAIN, TEST, k=k, chunk=13)

    def weights(distance):
        w = np.exp((1 - distance) / 0.07)
        return w / w.sum(axis=1, keepdims=True)

    reference = KNeighborsClassifier(k, metric="cosine", weights=weights).fit(TRAIN.x, TRAIN.labels)
    np.testing.assert_array_equal(result.predictions, reference.predict(TEST.x))
    assert result.accuracy == pytest.approx(reference.score(TEST.x, TEST.labels))
    places = reference.kneighbors(TEST.x, return_distance=False)
    np.testing.assert_array_equal(result.neighbours, places)


def test_several_k_are_each_their_own():
    grid = evaluate.knn_grid(TRAIN, TEST, (1, 7, 150), (0.07, 0.5), chunk=13)
    assert list(grid) == [(k, t) for k in (1, 7, 150) for t in (0.07, 0.5)]
    for (k, temperature), result in grid.items():
        alone = evaluate.knn(TRAIN, TEST, k, temperature)
        assert torch.equal(result.predictions, alone.predictions) and result.neighbours.shape == (90, k)
        probabilities = result.scores.softmax(dim=1)
        weights = ((torch.nn.functional.normalize(TEST.x[:1]) @ torch.nn.functional.normalize(TRAIN.x).T)[0] / temperature).exp()
        nearest = result.neighbours[0]
        naive = [float(weights[nearest][TRAIN.labels[nearest] == c].sum() / weights[nearest].sum()) for c in range(4)]
        np.testing.assert_allclose(probabilities[0], naive, atol=1e-5)


def test_the_probes_scores_are_scikit_learns_probabilities():
    gap = Features(TRAIN.x, torch.where(TRAIN.labels == 2, 0, TRAIN.labels), None)  # class 2 is never trained on
    scores = evaluate.linear_probe(gap, TEST).scores
    mean, sd = TRAIN.x.mean(0), TRAIN.x.std(0, correction=0)
    reference = LogisticRegression(max_iter=1000).fit((TRAIN.x - mean) / sd, gap.labels).predict_proba((TEST.x - mean) / sd)
    np.testing.assert_allclose(scores.softmax(dim=1)[:, [0, 1, 3]], reference, atol=1e-3)
    assert not scores.softmax(dim=1)[:, 2].any()


def test_the_probe_is_scikit_learns():
    result = evaluate.linear_probe(TRAIN, TEST)
    mean, sd = TRAIN.x.mean(0), TRAIN.x.std(0, correction=0)
    reference = LogisticRegression(max_iter=1000).fit((TRAIN.x - mean) / sd, TRAIN.labels)
    assert (result.predictions.numpy() == reference.predict((TEST.x - mean) / sd)).mean() > 0.98  # ten seeds: 1.00
    assert 0.6 < result.accuracy < 1  # ten seeds: 0.90 to 0.96


def test_results_agree_with_themselves():
    result = evaluate.knn(TRAIN, TEST, k=3)
    assert result.confusion.sum() == 90 and result.confusion.trace() / 90 == pytest.approx(result.accuracy)
    for c in range(4):
        of_class = TEST.labels == c
        assert result.per_class[c] == pytest.approx(float((result.predictions[of_class] == c).double().mean()))
    assert "accuracy" in repr(result)


def test_anything_with_x_and_labels_will_do():
    class Mine:
        x, labels = TRAIN.x.numpy().astype(np.float64), TRAIN.labels.tolist()

    assert evaluate.knn(Mine, TEST).accuracy == evaluate.knn(TRAIN, TEST).accuracy


def test_a_class_without_test_clips_is_nan():
    few = Features(TEST.x[TEST.labels > 0], TEST.labels[TEST.labels > 0], None)
    assert np.isnan(evaluate.knn(TRAIN, few).per_class[0])


def test_missing_labels_and_impossible_k_are_refused():
    unlabelled = Features(TEST.x, torch.where(TEST.labels == 1, -1, TEST.labels), None)
    with pytest.raises(DataError, match="test clips have no label"):
        evaluate.knn(TRAIN, unlabelled)
    with pytest.raises(ValueError, match=r"k is 0, should be 1..150"):
        evaluate.knn(TRAIN, TEST, k=0)
    with pytest.raises(DataError, match="training features are empty"):
        evaluate.knn(Features(TRAIN.x[:0], TRAIN.labels[:0], None), TEST)
    with pytest.raises(DataError, match="single class"):
        evaluate.linear_probe(Features(TRAIN.x, TRAIN.labels * 0, None), TEST)
    with pytest.raises(ValueError, match="choose rows with `few_labels`"):
        evaluate.linear_probe(TRAIN, TEST, fraction=0.1)
    with pytest.raises(ValueError, match="a protocol has no field 'labels'; it has classifier"):
        evaluate.linear_probe(TRAIN, TEST, labels=0.1)


def test_what_a_probe_that_does_not_converge_advises_can_be_followed(synthetic):
    """More iterations, from the library's calls and from the command line."""
    with pytest.raises(evaluate.NotConverged, match="did not converge in 1 iterations; allow more by iterations=10 "):
        evaluate.linear_probe(TRAIN, TEST, iterations=1)
    few = synthetic[np.isin(synthetic.labels, (0, 3))]
    case = evaluate.random_encoder(EncoderConfig(width=8, depth=1, heads=1, frames=8)), *data.split(few, "cross-subject")
    raw = {"raw": tuple(evaluate.raw_features(side, 4) for side in case[1:])}
    for ask in (
        lambda n: evaluate.compare(*case, iterations=n),
        lambda n: evaluate.transfer(*case, iterations=n),
        lambda n: evaluate.robustness(*case, {"noise": (0.1,)}, ("probe",), iterations=n),
        lambda n: evaluate.label_curve(*case, fractions=(1,), seeds=1, classifiers=("probe",), iterations=n),
        lambda n: evaluate.run(*case, iterations=n),
        lambda n: study.label_curve(raw, (2,), 1, iterations=n),
    ):
        with pytest.raises(evaluate.NotConverged, match="allow more by iterations=10 "):
            ask(1)
    assert len(study.label_curve(raw, (2,), 1, iterations=100)) == 1
    assert cli._parser().parse_args(["evaluate", "run", "clips", "--iterations", "10"]).iterations == 10


def test_raw_coordinates_are_the_naive_ones(synthetic):
    one = synthetic[synthetic.column("people") == 1][:5]
    f = evaluate.raw_features(one, frames=20)
    root = one.skeleton.root
    for i, clip in enumerate(one):
        joints = clip.joints[:, 0] - clip.joints[:, 0, root : root + 1]
        t = np.linspace(0, len(joints) - 1, 20)
        flat = np.stack([np.interp(t, np.arange(len(joints)), c) for c in joints.reshape(len(joints), -1).T], axis=1)
        # interpolated before it is centered, which is the same: both are linear
        np.testing.assert_allclose(f.x[i, : flat.size], flat.ravel(), atol=1e-4)
        assert not f.x[i, flat.size :].any()


def test_raw_coordinates_on_utd_mhad(utd):
    """The figure that the data set is known by here: 64 resampled frames, root-centered, 1-NN."""
    train, test = data.split(utd, "cross-subject")
    raw = evaluate.raw_features(train), evaluate.raw_features(test)
    assert evaluate.knn(*raw).accuracy == pytest.approx(0.853, abs=0.0006)
    assert evaluate.linear_probe(*raw).accuracy == pytest.approx(0.784, abs=0.01)


def test_random_encoders_leave_the_global_generator_alone():
    config = EncoderConfig(width=16, depth=1, heads=2)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    a, b = evaluate.random_encoder(config, 1), evaluate.random_encoder(config, 1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(a.pos_embed, b.pos_embed) and not torch.equal(a.pos_embed, evaluate.random_encoder(config, 2).pos_embed)


def test_the_comparison_has_every_control(synthetic):
    train, test = data.split(synthetic, "cross-subject")
    config = EncoderConfig(width=16, depth=1, heads=2, frames=32)
    table = evaluate.compare(evaluate.random_encoder(config, 3), train, test)
    assert table["features"].tolist() == [
        "raw coordinates",
        "random encoder, plain",
        "random encoder, best-scaled input",
        "pre-trained encoder",
    ]
    assert table[["kNN", "probe"]].to_numpy().min() >= 0 and table[["kNN", "probe"]].to_numpy().max() <= 1
    chosen = best_scaled(config, train)
    assert chosen.config.centering == "every_frame" and chosen.config.init_std is None


def test_the_supervised_control_learns_its_labels():
    """Poses at random, and a label that only one arm's height gives away: labels find it, an untrained network does not."""
    rng, labels = np.random.default_rng(0), np.arange(240) % 2
    poses = rng.normal(0, 0.1, (240, 1, 1, 25, 3)) + np.zeros((1, 20, 1, 1, 1))
    for joint in (9, 10, 11):
        poses[:, :, :, joint, 1] = np.where(labels, 0.3, -0.3)[:, None, None] + rng.normal(0, 0.1, (240, 20, 1))
    store = make_store(list(poses.astype(np.float32)), label=labels, subject=np.arange(240) // 120)
    train, test = data.split(store, "cross-subject")
    config = EncoderConfig(width=32, depth=1, heads=2, frames=16, init_std=None, centering="every_frame", input_scale=3.0)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    learned, again, untrained = (evaluate.supervised(config, train, steps=n, seed=1) for n in (150, 150, 1))
    assert torch.equal(torch.rand(1), expected)  # the global generator is left alone
    assert all(torch.equal(p, q) for p, q in zip(learned.parameters(), again.parameters(), strict=True))
    accuracy = [evaluate.knn(evaluate.features(e, train), evaluate.features(e, test)).accuracy for e in (learned, untrained)]
    assert accuracy[0] > 0.9 and accuracy[1] < 0.75, accuracy  # ten seeds: 0.98 to 1.00 and 0.52 to 0.62


def test_the_supervised_control_needs_labels_and_people():
    config = EncoderConfig(width=16, depth=1, heads=2)
    with pytest.raises(DataError, match="1 training clips have no label or nobody"):
        evaluate.supervised(config, make_store([counting_clip(9)] * 2, label=[0, -1]))


def test_where_clips_were_recorded_does_not_matter_to_the_supervised_control():
    """Centered on the first frame, as the paper's encoder: the same clips five metres away train the same network."""
    rng = np.random.default_rng(0)
    clips = [rng.normal(0, 0.2, (20, 1, 25, 3)).astype(np.float32) for _ in range(6)]
    config = EncoderConfig(width=16, depth=1, heads=2, frames=16)
    here, there = (
        evaluate.supervised(
            config, make_store([c + np.float32(d) for c in clips], label=[0, 1] * 3), steps=2, lr=1e-4, rotation=1.0
        )
        for d in (0, 5)
    )
    x = torch.from_numpy(rng.normal(0, 0.2, (2, 3, 16, 25, 1)).astype(np.float32))
    with torch.no_grad():
        before = evaluate.random_encoder(config).eval().features(x)
        moved, apart = (here.features(x) - before).norm(), (here.features(x) - there.features(x)).norm()
    assert apart < 0.05 * moved  # ten seeds: below 0.0001


def test_the_table_of_classes_is_scikit_learns():
    result = evaluate.knn(TRAIN, TEST, k=5)
    table = result.table(["a", "b", "c", "d"])
    precision, recall, f1, support = precision_recall_fscore_support(TEST.labels, result.predictions, labels=range(4))
    np.testing.assert_allclose(table[["precision", "recall", "f1"]].to_numpy().T, [precision, recall, f1])
    assert table["clips"].tolist() == support.tolist() and table["class"].tolist() == ["a", "b", "c", "d"]
    assert result.accuracy == pytest.approx(accuracy_score(TEST.labels, result.predictions))
    np.testing.assert_array_equal(result.confusion, confusion_matrix(TEST.labels, result.predictions))
    for c, row in enumerate(table.itertuples()):
        wrong = [int(((TEST.labels == c) & (result.predictions == p)).sum()) if p != c else 0 for p in range(4)]
        assert row.times == max(wrong) and (row.taken_for == "abcd"[int(np.argmax(wrong))] if max(wrong) else row.taken_for == "")
    never = evaluate.knn(Features(TRAIN.x, TRAIN.labels * 0, None), Features(TEST.x, TEST.labels % 2 * 3, None))
    assert np.isnan(never.table()["recall"][1]) and np.isnan(never.table()["precision"][3]) and np.isnan(never.table()["f1"][2])


def test_the_clips_behind_every_number():
    for result in (evaluate.knn(TRAIN, TEST, k=5), evaluate.linear_probe(TRAIN, TEST)):
        everything = np.concatenate([result.clips(t, p) for t in range(4) for p in range(4)])
        assert sorted(everything) == list(range(90))
        for c, row in enumerate(result.table().itertuples()):
            assert len(result.clips(c)) == row.clips and len(result.clips(c, c)) == round(row.recall * row.clips)
            assert len(result.clips(predicted=c)) == result.confusion[:, c].sum()
            if row.times:
                assert len(result.clips(c, int(row.taken_for))) == row.times
        assert len(result.clips()) == 90 - result.confusion.trace()
        assert all(result.predictions[i] != TEST.labels[i] for i in result.clips())
