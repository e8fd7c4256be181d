"""The pictures of the lessons on views, masks and tokens show the numbers they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.patches import FancyBboxPatch

from slimlab import augment, masking, plot
from slimlab.analysis import cost
from slimlab.skeleton import KINECT_V2


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


def test_poses_stand_side_by_side_at_one_scale_and_a_joint_at_the_origin_is_drawn(synthetic):
    x = augment.center(torch.from_numpy(synthetic[0].joints[:1, :1]).permute(3, 0, 2, 1)[None], KINECT_V2)
    pose = x[0, :, 0, :, 0].T.numpy()
    assert (pose[KINECT_V2.center] == 0).all()
    figure = plot.poses({"one": pose, "two": 1.1 * pose}, KINECT_V2, ghost=pose, marked=[3, 7], title="t")
    assert [ax.get_title() for ax in figure.axes] == ["one", "two"]
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() and figure.axes[0].get_aspect() == 1
    bones = len(KINECT_V2) - 1
    assert len(figure.axes[0].lines) == 2 * bones + 1  # the pose, its ghost, the floor
    assert len(figure.axes[0].collections[-1].get_offsets()) == 2  # rings
    assert len(figure.data) == 2 * len(KINECT_V2)
    side = plot.poses({"one": pose}, KINECT_V2, turned=True)
    assert np.ptp(side.data["x"]) == pytest.approx(np.ptp(pose[:, 2]))


def test_a_timeline_has_a_line_a_view():
    views = {"global 1": np.arange(5.0), "local a": np.array([1.5, 3.0])}
    figure = plot.view_timeline(views, 10, "t")
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == list(views)
    assert figure.data["frame"].tolist() == [0, 1, 2, 3, 4, 1.5, 3.0]


def test_limb_lengths_follow_bone_scaling(synthetic):
    table = plot.limb_lengths(synthetic)
    assert sorted(table["limb"].unique()) == ["arm", "leg", "trunk"]
    assert table["subject"].nunique() == len(np.unique(synthetic.column("subject")))
    assert table.groupby("limb")["ratio"].mean().tolist() == pytest.approx([1, 1, 1])
    one = synthetic[synthetic.column("subject") == 1][:2]
    mine = plot.limb_lengths(one).set_index("limb")["length"]
    joints = np.concatenate([c.joints[c.valid] for c in one])  # (rows, V, 3)
    legs = [b for b in KINECT_V2.bones if "leg" in list(KINECT_V2.parts)[KINECT_V2.part_of[b[1]]]]
    by_hand = sum(np.median(np.linalg.norm(joints[:, j] - joints[:, p], axis=1)) for p, j in legs) / 2
    assert mine["leg"] == pytest.approx(by_hand, rel=1e-4)
    assert len(plot.limbs(table, (0.85, 1.15)).axes[0].collections) == 3


def test_a_mask_grows_to_what_was_asked():
    tubes = torch.zeros(1, 8, 25, dtype=torch.int64)
    mask = masking.semantic_tubes(1, 8, KINECT_V2, 0.7, torch.Generator().manual_seed(3), tubes=tubes)[0]
    figure = plot.mask_growth(tubes[0].numpy(), KINECT_V2, panels=4)
    titles = [ax.get_title() for ax in figure.axes]
    count = len(torch.unique(tubes[tubes > 0]))
    assert len(titles) == 4 and titles[0].startswith("tube 1") and titles[-1] == f"{count} tubes\n{mask.sum()} hidden"


def test_asked_and_achieved_and_how_often_and_how_long():
    asked = np.array([0.5, 0.7])
    figure = plot.asked_achieved({"short": (asked, asked - 0.1), "exact": (asked, asked)})
    assert "100.0%" in figure.axes[0].get_title() and "0.0%" in figure.axes[1].get_title()
    masks = np.zeros((4, 8, 25), dtype=bool)
    masks[:, :2, 3] = True
    masks[:2, 4:, 5] = True
    often = plot.mask_frequency({"m": masks}, KINECT_V2).data
    assert often.query("step == 0 and joint == 'head'")["frequency"].item() == 1
    assert often.query("step == 4 and joint == 'left_elbow'")["frequency"].item() == 0.5
    runs = plot.mask_runs({"m": masks}).data.set_index("length")["share"]
    assert runs[2] == pytest.approx(0.5) and runs[4] == pytest.approx(0.5) and runs.sum() == pytest.approx(1)


def test_errors_of_guesses_are_drawn_with_their_control():
    rows = [(r, s, g, 10 * r, 1.0) for r in (0.3, 0.7) for s in ("a", "b") for g in ("time", "average pose")]
    table = pd.DataFrame(rows, columns=["ratio", "strategy", "guess", "error", "standard_error"])
    figure = plot.guess_errors(table, "time")
    assert [t.get_text() for t in figure.axes[0].get_legend().get_texts()][:1] == ["the control:\naverage pose"]
    grid = np.full((8, 25), np.nan)
    grid[0, 0] = 7.0
    assert "7.0 cm" in plot.guess_maps({"m": grid}, KINECT_V2).axes[0].get_title()


def test_a_path_is_cut_and_rotary_depends_on_differences():
    x = np.random.default_rng(0).normal(size=(3, 64, 25)).astype(np.float32)
    figure = plot.patch_cuts(x, KINECT_V2, 10)
    assert "8 patches of 8" in figure.axes[0].get_title(loc="left") and "= 200 tokens" in figure.axes[1].get_title(loc="left")
    np.testing.assert_array_equal(figure.data["metres"].to_numpy().reshape(3, 64), x[:, :, 10])
    scores = plot.rotary(8, 32).data
    spread = scores.groupby("difference")["score"].agg(np.ptp)
    assert len(scores) == 64 and spread.max() < 1e-9 and scores["score"].round(6).nunique() == 15


def test_what_a_pass_costs_is_drawn_with_and_without_a_clock():
    table = cost.asymmetry(seconds=0)
    assert len(plot.asymmetry(table).axes) == 1
    assert len(plot.asymmetry(table.assign(milliseconds=[1.0, 2.0, 3.0, 4.0])).axes) == 2


@pytest.mark.parametrize("here", ["clip", "views", "masks", "encoder", "heads", "targets", "losses", "teacher", "features", None])
def test_the_method_shows_where_one_is(here):
    boxes = [p for p in plot.method(here).axes[0].patches if isinstance(p, FancyBboxPatch)]
    lit = [b for b in boxes if b.get_linewidth() > 1]
    assert len(boxes) == 10 and len(lit) == {None: 0, "encoder": 2, "heads": 2}.get(here, 1)


def test_the_method_has_no_other_parts():
    with pytest.raises(ValueError, match="no part is called 'decoder'; choose one of clip, views"):
        plot.method("decoder")
