"""MaskExplorer, kernel side: the picture is the mask, the reading is its count, a saved file holds it."""

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
import torch

from slimlab import masking, plot, widgets
from slimlab.data import test_view as view_of  # pytest would take the name for a test
from slimlab.plot.masks import connected
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2
from tests.widgets.test_clips import some_store


@pytest.fixture
def explorer():
    return widgets.MaskExplorer(some_store(KINECT_V2), ratio=0.5, frames=32)


def test_the_mask_is_the_librarys(explorer):
    expected = masking.semantic_tubes(1, 4, KINECT_V2, 0.5, generator=torch.Generator().manual_seed(0))[0].numpy()
    np.testing.assert_array_equal(explorer.mask, expected)
    explorer.strategy.value = "random_cells"
    explorer.seed.value = 7
    expected = masking.random_cells(1, 4, KINECT_V2, 0.5, generator=torch.Generator().manual_seed(7))[0].numpy()
    np.testing.assert_array_equal(explorer.mask, expected)


def test_motion_reaches_the_strategy_that_asks_for_it():
    store = some_store(KINECT_V2)
    explorer = widgets.MaskExplorer(store, strategy="motion_aware", frames=32)
    motion = masking.motion_magnitude(view_of(store, [0], 32)[0], 8)
    dice = torch.Generator().manual_seed(0)
    expected = masking.motion_aware(1, 4, KINECT_V2, 0.7, generator=dice, motion=motion)[0].numpy()
    np.testing.assert_array_equal(explorer.mask, expected)


def test_grid_and_body_show_the_mask(explorer):
    shown = np.frombuffer(explorer.grid.colors, np.uint8).reshape(4, 25, 3)
    np.testing.assert_array_equal((shown != plot.tube_colors(np.array(0))).any(axis=-1), explorer.mask)
    np.testing.assert_array_equal(explorer.grid.scene["bars"]["values"], explorer.drawn.frequency)
    colours = np.frombuffer(explorer.stage.colors, np.uint8).reshape(2, 32, 1, 25, 3)
    sizes = np.frombuffer(explorer.stage.sizes, np.float32).reshape(2, 32, 1, 25)
    for frame in (0, 7, 8, 31):
        hidden = explorer.mask[frame // 8]
        np.testing.assert_array_equal((colours[0, frame, 0] != 178).any(axis=-1), hidden)
        np.testing.assert_array_equal(sizes[1, frame, 0] == 0, hidden)  # the student does not see them
        assert (sizes[0] == 1).all()


def test_asked_and_achieved_are_told(explorer):
    explorer.ratio.value = 0.65
    assert "asked <b>0.65</b>, achieved <b>0.650</b> (65 of 100 tokens)" in explorer.reading.value


def test_cells_are_edited_by_hand_and_forgotten_by_the_next_draw(explorer):
    before = explorer.mask
    explorer.toggle(2, 7)
    assert (explorer.mask != before).sum() == 1 and explorer.mask[2, 7] != before[2, 7]
    assert "1 tokens edited" in explorer.reading.value
    assert explorer.grid.scene["crossed"] == [[[2, 7]]]
    explorer.grid.clicked = {"panel": 0, "step": 2, "joint": 7}
    np.testing.assert_array_equal(explorer.mask, before)
    explorer.toggle(2, 7)
    explorer.redraw()
    np.testing.assert_array_equal(explorer.mask, before)
    explorer.mask = np.ones((4, 25), bool)
    assert explorer.mask.all() and "achieved <b>1.000</b>" in explorer.reading.value
    with pytest.raises(ValueError, match=r"\(T', V\) = \(4, 25\)"):
        explorer.mask = np.ones((25, 4), bool)


def test_another_view_length_and_another_clip(explorer):
    explorer.frames.value = 16
    assert explorer.mask.shape == (2, 25) and explorer.stage.shape[1] == 16 and explorer.grid.scene["steps"] == 2
    explorer.chooser.index = 2
    assert "clip2" in explorer.stage.scene["titles"][0]
    with pytest.raises(ValueError, match="multiple of patch_frames"):
        widgets.MaskExplorer(some_store(KINECT_V2), frames=20)


def test_what_is_saved_can_be_read_again(explorer, tmp_path):
    explorer.toggle(0, 0)
    path = explorer.save(tmp_path / "deep" / "mine")
    saved = np.load(path, allow_pickle=False)
    np.testing.assert_array_equal(saved["mask"], explorer.mask)
    assert json.loads(str(saved["about"])) == {"strategy": "semantic_tubes", "ratio": 0.5, "seed": 0, "edited": 1}
    table = pd.read_csv(path.with_suffix(".csv"))
    assert table["masked"].sum() == explorer.mask.sum() and set(table["joint"]) == set(KINECT_V2.names)
    assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("skeleton", [KINECT_V1, COCO], ids=["v1", "coco"])
def test_other_bodies_and_two_people(skeleton):
    explorer = widgets.MaskExplorer(some_store(skeleton, people=2), frames=32)
    assert explorer.mask.shape == (4, len(skeleton)) and explorer.stage.shape[2] == 2
    explorer.beside.value = "time_blocks"
    explorer.more.selected_index = 0
    assert explorer.gallery.scene["titles"][1].startswith("random cells, 0.7")
    explorer.gallery.clicked = {"panel": 1, "step": 0, "joint": 0}
    assert explorer.strategy.value == "random_cells" and explorer.gallery.panel == 1


def test_runs_are_counted_by_length():
    explorer = widgets.MaskExplorer(some_store(KINECT_V2), frames=32)
    explorer.mask = np.array([[1] * 25, [0] * 25, [1] * 25, [1] * 25], bool)
    assert plot.run_lengths(explorer.mask).tolist() == [1, 2] * 25
    assert [int(n) for n in re.findall(r"14px'>(\d*)<", explorer.runs.value) if n] == [25, 25]


def test_the_cursor_goes_with_the_frame(explorer):
    explorer.stage.frame = 17
    assert explorer.grid.now == 2


def test_frequencies_and_runs_against_a_plain_count():
    drawn = plot.draw_mask("joint_tubes", KINECT_V1, 8, 0.5)
    assert plot.run_lengths(drawn.mask).tolist() == [8] * 10 and abs(drawn.frequency.mean() - 0.5) < 1e-6
    mask = np.array([[1, 0], [1, 1], [0, 0], [1, 1]], bool)
    assert sorted(plot.run_lengths(mask)) == [1, 1, 1, 2]
    with pytest.raises(ValueError, match="strategy 'nonsense'"):
        plot.draw_mask("nonsense", KINECT_V1)


def test_connected_runs():
    """Against a flood fill."""
    mask = np.random.default_rng(0).random((6, 25)) < 0.6
    label = connected(mask, KINECT_V2)
    assert ((label > 0) == mask).all()
    beside = {(a, b) for part in KINECT_V2.parts.values() for a, b in itertools.pairwise(part)}
    seen, groups = set(), []
    for start in zip(*np.nonzero(mask), strict=True):
        if start in seen:
            continue
        group, todo = set(), [start]
        while todo:
            t, j = cell = todo.pop()
            if cell in group or not (0 <= t < 6) or not mask[cell]:
                continue
            group.add(cell)
            todo += [(t - 1, j), (t + 1, j)] + [(t, b if a == j else a) for a, b in beside if j in (a, b)]
        seen |= group
        groups.append(group)
    assert len(np.unique(label[mask])) == len(groups)
    assert all(len({label[c] for c in g}) == 1 for g in groups)
    assert connected(np.ones((2, 25), bool), KINECT_V2).min() == 1


def test_the_figures_show_the_mask_and_its_counts():
    drawn = plot.draw_mask("joint_tubes", KINECT_V2, 8, 0.5)
    figure = plot.mask_grid(drawn, KINECT_V2)
    order = [j for part in KINECT_V2.parts.values() for j in part]
    image = np.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_array_equal((image != plot.tube_colors(np.array(0))).any(axis=-1), drawn.mask.T[order])
    assert [b.get_width() for b in figure.axes[1].patches] == pytest.approx(drawn.frequency[order])
    runs = [b.get_height() for b in figure.axes[2].patches]
    assert runs == [0, 0, 0, 1, 0, 0, 0, 12]  # 100 cells: 12 whole joints and 4 steps of one
    assert figure.data["masked"].sum() == 100 and len(figure.data) == 200
    both = plot.mask_gallery({"a": drawn, "b": plot.draw_mask("time_blocks", KINECT_V2, 8, 0.5)}, KINECT_V2)
    assert len(both.axes) == 2 and both.data.groupby("strategy")["masked"].sum().tolist() == [100, 100]


def test_every_figure_of_the_explorer(explorer):
    explorer.toggle(1, 3)
    for which in ("body", "grid"):
        assert explorer.figure(which).data["masked"].sum() == explorer.mask.sum()
    assert explorer.figure("strategies").data["strategy"].nunique() == len(masking.STRATEGIES)
    with pytest.raises(ValueError, match="choose body"):
        explorer.figure("head")
