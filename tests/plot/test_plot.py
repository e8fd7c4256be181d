"""Figures: what they show, and that a paper can take them as they are."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from slimlab import evaluate, masking, plot
from slimlab.analysis import projection
from slimlab.evaluate import Features
from slimlab.plot.style import LEFT, MASKED, RIGHT
from tests.conftest import make_store


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []  # a notebook would show it twice


def features(n=40, classes=3):
    x = torch.randn(n, 8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(n) % classes
    table = pd.DataFrame(
        {"clip": [f"c{i}" for i in range(n)], "label_name": [f"action {i}" for i in labels.tolist()], "subject": np.arange(n) % 2}
    )
    return Features(x, labels, table)


def drawn_colours(ax):
    return {matplotlib.colors.to_hex(line.get_color()).upper() for line in ax.lines}


def test_a_strip_shows_both_sides_in_their_colours_at_equal_scale(synthetic):
    figure = plot.frames_strip(synthetic[0], synthetic.skeleton, frames=6)
    assert len(figure.axes) == 6
    limits = {(*ax.get_xlim(), *ax.get_ylim()) for ax in figure.axes}
    assert len(limits) == 1 and all(ax.get_aspect() == 1 for ax in figure.axes)
    assert {LEFT, RIGHT} <= drawn_colours(figure.axes[0])


def test_a_bone_is_drawn_where_its_joints_are(synthetic):
    clip = synthetic[0]
    figure = plot.frames_strip(clip, synthetic.skeleton, frames=1)
    parent, joint = synthetic.skeleton.bones[4]
    expected = clip.joints[0, 0, [parent, joint]][:, :2] * [-1, 1]  # Kinect's x grows to the camera's left
    assert any(
        len(line.get_xdata()) == 2 and np.allclose(np.c_[line.get_xdata(), line.get_ydata()], expected)
        for line in figure.axes[0].lines
    )


def test_masked_joints_are_pink_and_counted(synthetic):
    mask = masking.semantic_tubes(1, 8, synthetic.skeleton, 0.6, generator=torch.Generator().manual_seed(0))[0].numpy()
    figure = plot.mask_on_body(synthetic[0], mask, synthetic.skeleton)
    assert f"{mask.sum()} of {mask.size} tokens masked" in figure.axes[-1].get_title()
    assert MASKED in drawn_colours(figure.axes[0]) and int(figure.data["masked"].sum()) == mask.sum()
    image = figure.axes[-1].images[0].get_array()
    order = [j for part in synthetic.skeleton.parts.values() for j in part]
    np.testing.assert_array_equal(np.asarray(image), mask[:, order].T)
    assert MASKED not in drawn_colours(plot.mask_on_body(synthetic[0], np.zeros((8, 25), bool), synthetic.skeleton).axes[0])


def test_two_people_short_clips_and_empty_ones(synthetic):
    two = synthetic[int(np.flatnonzero(synthetic.column("people") == 2)[0])]
    one = synthetic[int(np.flatnonzero(synthetic.column("people") == 1)[0])]
    lines = [len(plot.frames_strip(c, synthetic.skeleton, frames=1).axes[0].lines) for c in (one, two)]
    assert lines[1] - lines[0] == len(synthetic.skeleton.bones)
    short = make_store([one.joints[:1], np.zeros((3, 1, 25, 3), np.float32)])
    assert len(plot.frames_strip(short[0], short.skeleton).axes) == 1
    with pytest.raises(ValueError, match="nobody in it"):
        plot.frames_strip(short[1], short.skeleton)


def metrics(n=50):
    t = np.arange(n)
    return pd.DataFrame(
        {"step": t, "glcl": 4.85 - t / n, "glcl_over_lnk": 1 - t / n / 4.85, "mfp": 2.4, "koleo": 1.0, "target_prototypes": 9.0}
        | {"used_prototypes": 30.0, "rank": np.where(t % 10 == 9, 5.0 + t, np.nan), "knn": np.where(t % 10 == 9, t / n, np.nan)}
    )


def test_training_curves():
    m = metrics()
    figure = plot.losses(m)
    assert figure.axes[0].get_title(loc="left") == "losses (nats)" and figure.axes[2].get_xlabel() == "step"
    knn = figure.axes[2].lines[0]
    np.testing.assert_allclose(knn.get_ydata(), m["knn"].dropna())
    assert any(np.allclose(line.get_ydata(), 4.85) for line in figure.axes[0].lines)  # ln K, where nothing is known
    plot.losses(m.iloc[:1])  # after the first step


def test_an_embedding_shows_every_clip_and_its_quality():
    f = features(classes=12)
    figure = plot.embedding(projection.fit(f.x), f)
    points = np.concatenate([c.get_offsets() for c in figure.axes[0].collections])
    assert len(points) == len(f) and len(figure.axes[0].collections) == 12
    assert len({(tuple(c.get_facecolor()[0]), id(c.get_paths()[0].vertices.tobytes())) for c in figure.axes[0].collections}) == 12


def test_a_confusion_matrix_shows_the_counts():
    f = features()
    result = evaluate.knn(f, f, k=5)
    figure = plot.confusion(result, ["a", "b", "c"])
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["a", "b", "c"]
    assert figure.data is not None
    names = ["deep squat", "standing shoulder scaption, incorrect", "lunge"]  # too long to stand below columns
    figure = plot.confusion(result, names)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["1", "2", "3"]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [f"{n}  {i}" for i, n in enumerate(names, start=1)]
    assert list(figure.data.columns) == [*names, "true"]


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_saved_figures_embed_their_fonts_and_leave_their_data(tmp_path, suffix):
    path = plot.save(plot.losses(metrics()), tmp_path / "deep" / f"curves{suffix}")
    raw = path.read_bytes()
    if suffix == ".pdf":
        assert b"/FontFile2" in raw and b"/Type3" not in raw
    if suffix == ".svg":
        assert b"<text" in raw  # text, not outlines
    assert len(pd.read_csv(path.with_suffix(".csv"))) == 50
    assert sorted(p.name for p in path.parent.iterdir()) == sorted({path.name, "curves.csv"})


def test_the_readers_own_style_is_left_alone(synthetic):
    before = dict(matplotlib.rcParams)
    plot.frames_strip(synthetic[0], synthetic.skeleton)
    assert dict(matplotlib.rcParams) == before
