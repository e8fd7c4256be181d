"""The explorer of long recordings, driven from Python: time, cursor, body and neighbors go together."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from slimlab import analysis, data, evaluate, widgets
from slimlab.data import DataError
from slimlab.encoder import EncoderConfig
from slimlab.widgets.stills import still

CONFIG = EncoderConfig(
    width=32, depth=2, heads=2, patch_frames=8, frames=32, init_std=None, centering="every_frame", input_scale=3.0
)


@pytest.fixture(scope="module")
def known():
    store = data.synthetic(clips=88)
    return store[store.column("people") == 1]


@pytest.fixture(scope="module")
def predictor(known):
    return evaluate.fit_predictor(evaluate.random_encoder(CONFIG, 1), known.with_people(2))


@pytest.fixture(scope="module")
def long(known):
    return data.concatenate(known, [3, 20, 11, 40])


@pytest.fixture
def explorer(long, known, predictor):
    return widgets.TimelineExplorer(long[0], 0, predictor, known, truth=long[1], seconds=1.0)


def test_it_shows_what_the_plain_function_gives(explorer, long, known, predictor):
    expected = analysis.timeline(predictor, long[0], gallery=known, seconds=1.0)
    pd.testing.assert_frame_equal(explorer.recording.table, expected)
    given = {"analysis": analysis, "predictor": predictor, "store": long[0], "gallery": known}
    pd.testing.assert_frame_equal(eval(explorer.code(), given), expected)
    points = np.frombuffer(explorer.signals.points, np.float32)
    n = len(expected)
    np.testing.assert_allclose(points[n : 2 * n], expected["confidence"], atol=1e-6)
    assert [p["title"] for p in explorer.signals.scene["panels"]] == ["confidence", "novelty", "change; orange: a boundary"]
    assert explorer.figure().data["label"].tolist() == expected["label"].tolist() and plt.get_fignums() == []


def test_scrubbing_playing_and_clicking_move_everything(explorer, long):
    middle = float(explorer.recording.table["time"][5])
    explorer.stage.frame = 60  # the page played on, or was scrubbed
    assert explorer.time == 2.0 and explorer.labels.cursor == explorer.signals.cursor == [2.0]
    explorer.labels.picked = {"panel": 0, "x": middle, "count": 1}
    assert explorer.time == middle and explorer.window == 5 and explorer.stage.frame == round(middle * 30)
    row = explorer.recording.table.iloc[5]
    assert row["label"] in explorer.note.value and f"novelty {row['novelty']:.2f}" in explorer.note.value
    assert row["nearest"] in explorer.beside.bodies.titles[0] and len(explorer.neighbors) == 2
    assert explorer.recording.neighbors[5].tolist() == explorer.neighbors.tolist()
    explorer.time = 1e9
    assert explorer.stage.frame == len(explorer.stage.bodies) - 1 == long[1]["frames"].sum() - 1
    explorer.time = -1
    assert explorer.time == 0 and explorer.stage.frame == 0


def test_other_windows_are_read_again(explorer):
    before = len(explorer.recording.table)
    explorer.seconds, explorer.stride = 2.0, 1.0
    assert explorer.recording.table["first_frame"].diff().dropna().eq(30).all() and len(explorer.recording.table) < before
    assert explorer.code().endswith("seconds=2, stride=1)") and explorer._controls[0].value == 2
    with pytest.raises(ValueError, match=r"stride 0\.001 is under a frame"):
        explorer.stride = 0.001


def test_without_gallery_and_truth(long, predictor, tmp_path):
    explorer = widgets.TimelineExplorer(long[0], 0, predictor, seconds=1.0, time=1.5)
    assert explorer.beside is None and "novelty" not in explorer.note.value and not len(explorer.neighbors)
    assert explorer.labels.cursor == [1.5] and "true" not in explorer.figure().data
    assert explorer.save(tmp_path / "t.svg").exists() and (tmp_path / "t.csv").exists()
    assert still(explorer, 900).height > 500


def test_what_does_not_fit_is_named(long, known, predictor):
    with pytest.raises(ValueError, match="no setting 'colour'"):
        widgets.TimelineExplorer(long[0], 0, predictor, colour=1)
    with pytest.raises(ValueError, match="k is 9"):
        widgets.TimelineExplorer(long[0], 0, predictor, known, k=9)
    silent = data.from_arrays(long[0][0].joints.transpose(3, 0, 2, 1))
    with pytest.raises(DataError, match="no frame rate"):
        widgets.TimelineExplorer(silent, 0, predictor)
    assert widgets.TimelineExplorer(silent, 0, predictor, fps=30).code().endswith("fps=30)")


def test_a_clip_centered_at_its_root_is_drawn_whole(known, predictor):
    body, clip = known.skeleton, known[0]
    centered = data.from_arrays((clip.joints - clip.joints[:, :, [body.center]]).transpose(3, 0, 2, 1), skeleton=body, fps=30)
    e = widgets.TimelineExplorer(centered, 0, predictor, seconds=1.0)
    assert np.isfinite(e.stage.bodies.joints).all()


def test_the_words_know_the_windows_frames_and_the_code_the_rate(known, predictor):
    clip = data.from_arrays(known[0].joints.transpose(3, 0, 2, 1), skeleton=known.skeleton)
    rate = 30000 / 1001
    e = widgets.TimelineExplorer(clip, 0, predictor, known, seconds=10.0, fps=rate)
    assert f"Window 0.0 to {len(known[0].joints) / rate:.1f} s" in e.note.value  # shorter than ten seconds
    assert f"fps={rate!r}" in e.code()
