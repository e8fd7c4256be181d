"""ClipPlayer and its stage, kernel side: what is sent is what the store holds."""

import numpy as np
import pytest

from slimlab import plot, widgets
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2, Skeleton
from tests.conftest import make_store

WORM = Skeleton(["a", "b", "c"], [-1, 0, 1])


def some_store(skeleton, people=1, clips=3):
    rng = np.random.default_rng(0)
    return make_store([rng.normal(size=(5 + i, people, len(skeleton), 3)).astype(np.float32) for i in range(clips)], skeleton)


def sent(stage):
    return np.frombuffer(stage.joints, np.float32).reshape(*stage.shape, 3)


@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, COCO, WORM], ids=lambda s: str(len(s)))
@pytest.mark.parametrize("people", [1, 2])
def test_any_store_is_played(skeleton, people):
    store = some_store(skeleton, people)
    player = widgets.ClipPlayer(store, 1)
    assert player.stage.shape == [1, 6, people, len(skeleton)]
    np.testing.assert_array_equal(sent(player.stage), plot.bodies(store[1], skeleton).joints)
    assert len(player.stage.scene["bones"]) == len(skeleton) - 1
    assert len(player.stage.colors) == people * len(skeleton) * 3  # one frame's worth: colours that stay are sent once


def test_choosing_another_clip_and_keeping_one_beside():
    player = widgets.ClipPlayer(some_store(KINECT_V1), 0)
    player.keep()
    player.index = 2
    assert player.others == (0,) and player.stage.shape == [2, 7, 1, 20]
    assert player.stage.scene["titles"] == ["clip0", "clip2"]
    player.clear()
    assert player.stage.shape[0] == 1
    player.index = -1
    assert player.index == 2
    with pytest.raises(IndexError):
        widgets.ClipPlayer(some_store(KINECT_V1), 3)


def test_an_action_leads_to_its_first_clip(synthetic):
    player = widgets.ClipPlayer(synthetic, 0)
    player.chooser.action.value = 5
    assert synthetic.labels[player.index] == 5 and synthetic.label_names[5] in player.stage.scene["titles"][0]
    player.index = 0
    assert player.chooser.action.value == -1  # the box does not say what is not so


def test_the_frame_stays_inside_the_clip():
    player = widgets.ClipPlayer(some_store(KINECT_V1), 2)
    player.frame = 6
    assert player.frame == 6
    player.frame = 99
    assert player.frame == 6
    player.index = 0  # two frames shorter
    assert player.frame == 4


def test_the_same_picture_as_a_plain_figure():
    player = widgets.ClipPlayer(some_store(KINECT_V1), 1, others=[0], camera="top", trails=[3], speed=2.0)
    figure = player.animation()
    assert len(figure.frames) == 6 and {t.scene for t in figure.data} == {"scene", "scene2"}
    assert figure.layout.updatemenus[0].buttons[0].label == "top" and figure.layout.updatemenus[1].buttons[0].label == "▶ 2×"


def test_strips_of_what_is_shown():
    player = widgets.ClipPlayer(some_store(KINECT_V1), 1, others=[0])
    figure = player.figure(frames=3)
    assert len(figure.axes) == 6 and set(figure.data["clip"]) == {"clip0", "clip1"}
    line = figure.data.iloc[-1]
    np.testing.assert_allclose(line[["x", "y", "z"]].astype(float), player.store[1].joints[line["frame"], 0, -1])


def test_new_colours_cost_colours_alone():
    stage = widgets.Stage(plot.bodies(some_store(KINECT_V1)[0], KINECT_V1))
    messages = []
    stage.observe(lambda change: messages.append(change["name"]))
    stage.paint(colors=np.zeros((5, 1, 20, 3), np.uint8))
    assert stage.colors == bytes(5 * 20 * 3) and "joints" not in messages
    assert stage.bodies.colors.shape == (1, 5, 1, 20, 3)
