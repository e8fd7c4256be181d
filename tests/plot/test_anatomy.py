"""The picture of a body says what the declaration says."""

import numpy as np
import pytest

from slimlab import plot
from slimlab.plot.anatomy import table
from slimlab.skeleton import KINECT_V2, SMPL_24, Skeleton


def test_every_joint_is_listed_with_parent_partner_and_part(synthetic):
    fig = plot.anatomy(KINECT_V2, synthetic[4])
    assert fig.data.equals(table(KINECT_V2)) and fig.data["center"].sum() == 1
    words = " ".join(t.get_text() for ax in fig.axes for t in ax.texts)
    assert all(name in words for name in KINECT_V2.names) and all(part in words for part in KINECT_V2.parts)
    line = fig.data.loc[5]
    assert (line["name"], line["parent"], line["mirror"], line["part"]) == (
        "left_elbow",
        "left_shoulder",
        "right_elbow",
        "left arm",
    )
    assert len(fig.axes[0].lines) == len(KINECT_V2.bones) + len(KINECT_V2.mirror) + 1


def test_any_body_is_drawn_and_missing_joints_are_left_out():
    body = Skeleton([f"j{i}" for i in range(24)], SMPL_24.parents)  # nothing to go by but the tree
    pose = np.random.default_rng(0).normal(size=(24, 3))
    pose[7] = 0
    assert len(plot.anatomy(body, pose).axes[0].texts) == 23
    for wrong in (pose[:5], pose * 0):
        with pytest.raises(ValueError, match="anatomy"):
            plot.anatomy(body, wrong)


def test_tracks_show_each_version_over_time(synthetic, tmp_path):
    clip = synthetic[4]
    gone = clip.joints.copy()
    gone[5:9] = 0
    fig = plot.tracks({"as it is": clip, "gap": gone}, joint=6, axis="x", fps=30.0)
    assert [ax.get_title(loc="left") for ax in fig.axes] == ["as it is", "gap"]
    drawn = fig.axes[1].lines[1].get_ydata()
    assert np.isnan(drawn[5:9]).all() and np.isfinite(drawn).sum() == len(gone) - 4
    np.testing.assert_array_equal(fig.axes[1].lines[0].get_ydata(), clip.joints[:, 0, 6, 0])
    assert len(fig.data) == 2 * len(gone) and fig.data["time"].iloc[1] == pytest.approx(1 / 30)
    with pytest.raises(ValueError, match="axis"):
        plot.tracks({"a": clip}, 0, "w")


def test_a_player_is_saved_as_a_page(synthetic, tmp_path):
    page = plot.save(plot.player(synthetic[0], KINECT_V2), tmp_path / "pages" / "clip.html")
    text = page.read_text()
    assert "Plotly.newPlot" in text and len(text) > 1e6 and [p.name for p in page.parent.iterdir()] == ["clip.html"]
