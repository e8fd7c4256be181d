"""A recording made of labeled clips: its windows are read as clips are, and its seams are seen."""

import numpy as np
import pytest
import torch

from slimlab import analysis, data, evaluate
from slimlab.data import DataError
from slimlab.encoder import EncoderConfig

CONFIG = EncoderConfig(
    width=32, depth=2, heads=2, frames=32, patch_frames=8, init_std=None, centering="every_frame", input_scale=3.0
)


@pytest.fixture(scope="module")
def known():
    """Single people, 32 frames a clip, at 30 frames a second."""
    store = data.synthetic(clips=132)
    x = data.test_view(store, np.arange(len(store)), 32)[0][..., :1].numpy()
    one = store.column("people") == 1
    return data.from_arrays(x[one], labels=store.labels[one], label_names=store.label_names, fps=30)


@pytest.fixture(scope="module")
def predictor(known):
    return evaluate.fit_predictor(evaluate.random_encoder(CONFIG, 1), known)


@pytest.fixture(scope="module")
def recording(known):
    """Ten clips end to end: 320 frames."""
    clips = [known[i].joints for i in range(0, 100, 10)]
    return data.from_arrays(np.concatenate(clips).transpose(3, 0, 2, 1), fps=30)


def test_windows_are_read_as_clips_are(known, predictor, recording):
    table = analysis.timeline(predictor, recording, gallery=known, seconds=32 / 30, stride=16 / 30)
    assert table["first_frame"].tolist() == list(range(0, 320 - 31, 16))
    np.testing.assert_allclose(table["time"], (table["first_frame"] + 16) / 30)
    on_clips = table[table["first_frame"] % 32 == 0]
    for place, row in zip(range(0, 100, 10), on_clips.itertuples(), strict=True):
        expected = predictor.predict(known[[place]]).iloc[0]
        assert row.label == expected["label"] and row.confidence == pytest.approx(expected["confidence"], abs=1e-4)
        assert row.nearest == known.column("clip")[place] and row.distance == pytest.approx(0, abs=1e-5) and row.novelty == 0
    assert table["novelty"].between(0, 1).all() and "nearest" not in analysis.timeline(predictor, recording, seconds=1)
    x = evaluate.features(predictor.encoder, data.windows(recording, 32 / 30, 16 / 30)).x
    alike = (x[3] * x[4]).sum() / x[3].norm() / x[4].norm()
    assert table["change"].iloc[4] == pytest.approx(1 - float(alike), abs=1e-5) and table["change"].iloc[0] == 0


def test_peaks_are_high_and_single():
    values = np.array([0, 1, 1, 9, 1, 2, 1, 8, 8, 1, 1, 0.0])
    assert np.flatnonzero(analysis.peaks(values)).tolist() == [3, 7]
    assert not analysis.peaks(np.ones(5)).any() and analysis.peaks(np.array([0, 0, 5.0])).tolist() == [False, False, True]


def test_without_a_frame_rate_it_says_so(known, predictor, recording):
    silent = data.from_arrays(data.test_view(known, [0], 32)[0].numpy())
    with pytest.raises(DataError, match="no frame rate is known"):
        analysis.timeline(predictor, silent)


def test_a_recording_is_read_once_and_compared_with_any_gallery(known, predictor, recording, monkeypatch):
    read = analysis.read_recording(predictor, recording, gallery=known, seconds=1, k=3)
    calls = []
    monkeypatch.setattr(type(predictor), "features", lambda *given: calls.append(given))
    part = np.arange(0, len(known), 3)
    gallery = evaluate.features(predictor.encoder, known).rows(part)
    again = analysis.compare_with(read, gallery, k=2)
    assert not calls and again.neighbors.shape == (len(read.windows), 2)
    x = torch.nn.functional.normalize(read.features.x, dim=1)
    g = torch.nn.functional.normalize(gallery.x, dim=1)
    alike = x @ g.T
    own = (g @ g.T).fill_diagonal_(-2).amax(dim=1)
    np.testing.assert_allclose(again.similarity, alike.topk(2).values, atol=1e-6)
    novelty = (own[None] > alike.amax(dim=1)[:, None]).double().mean(dim=1)
    np.testing.assert_allclose(again.table["novelty"], novelty, atol=1.5 / len(g))
    assert again.table["nearest"].tolist() == gallery.table["clip"].to_numpy()[alike.argmax(dim=1)].tolist()
    assert read.table["nearest"].tolist() == known.column("clip")[read.neighbors[:, 0]].tolist()
    assert read.windows.arrays.joints is recording.arrays.joints  # windows share the recording's coordinates
    with pytest.raises(ValueError, match=f"k 0 should be 1..{len(part)}"):
        analysis.compare_with(read, gallery, k=0)
    with pytest.raises(ValueError, match="the gallery has 3 features"):
        analysis.compare_with(read, evaluate.Features(gallery.x[:, :3], gallery.labels, gallery.table))


def test_windows_further_apart_are_compared(known, predictor, recording):
    read = analysis.read_recording(predictor, recording, seconds=32 / 30, stride=8 / 30, apart=32 / 30)
    x = torch.nn.functional.normalize(read.features.x, dim=1)
    change = read.table["change"].to_numpy()
    np.testing.assert_allclose(change[2:-2], 1 - (x[4:] * x[:-4]).sum(dim=1), atol=1e-6)
    assert not change[:2].any() and not change[-2:].any() and not analysis.changes(read.features, 10**6).any()
    np.testing.assert_allclose(analysis.changes(read.features)[1:], 1 - (x[1:] * x[:-1]).sum(dim=1), atol=1e-6)
    with pytest.raises(ValueError, match="0 places apart"):
        analysis.timeline(predictor, recording, seconds=1, stride=0.5, apart=0.1)


def test_a_recording_shorter_than_a_window_has_its_own_middle(known, predictor):
    table = analysis.timeline(predictor, known[[0]], seconds=10)
    assert table["time"].tolist() == pytest.approx([16 / 30])


def test_where_nobody_is_nothing_changes_and_nothing_is_near(known, predictor):
    """Three windows of nobody between the same clip twice: one change as the person goes, one as the person comes."""
    x = known[0].joints.transpose(3, 0, 2, 1)
    recording = data.from_arrays(np.concatenate([x, *[np.zeros_like(x)] * 3, x], axis=1), fps=30)
    table = analysis.timeline(predictor, recording, gallery=known, seconds=32 / 30, stride=32 / 30)
    nobody = [False, True, True, True, False]
    assert (table["label"] == "").tolist() == (table["nearest"] == "").tolist() == nobody
    assert table["distance"].isna().tolist() == table["novelty"].isna().tolist() == nobody
    np.testing.assert_allclose(table["change"], [0, 1, 0, 0, 1], atol=1e-6)


@pytest.mark.parametrize("name", ["seconds", "stride", "apart"])
def test_numbers_that_are_not_finite_are_refused(known, predictor, name):
    with pytest.raises(ValueError, match=f"{name} is (nan|inf); give a number of seconds"):
        analysis.timeline(predictor, known, **{name: float("nan" if name == "stride" else "inf")})
