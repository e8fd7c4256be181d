"""A recording made of labeled clips: its windows are read as clips are, and its seams are seen."""

import numpy as np
import pytest

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
