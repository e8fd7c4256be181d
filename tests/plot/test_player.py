"""Moving bodies: where every joint is drawn, in which colour, and that an exported page plays."""

import numpy as np
import pytest

from slimlab import plot
from slimlab.data import Clip
from slimlab.plot.style import LEFT, MASKED, MIDDLE, RIGHT
from slimlab.skeleton import COCO, H36M, KINECT_V1, KINECT_V2, Skeleton
from tests.conftest import make_store

WORM = Skeleton(["a", "b", "c"], [-1, 0, 1])


def hexes(colours):
    return {"#" + bytes(c).hex().upper() for c in np.asarray(colours).reshape(-1, 3)}


def motion(skeleton, frames=5, people=1, seed=0):
    return np.random.default_rng(seed).normal(size=(frames, people, len(skeleton), 3)).astype(np.float32)


@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, H36M, COCO, WORM], ids=lambda s: str(len(s)))
@pytest.mark.parametrize("people", [1, 2])
def test_any_body_is_drawn_in_every_frame(skeleton, people):
    x = motion(skeleton, people=people)
    figure = plot.player(x, skeleton)
    assert len(figure.frames) == 5 and [f.name for f in figure.frames] == list("01234")
    bones, joints = figure.frames[3].data
    expected = np.stack([-x[3, ..., 0], x[3, ..., 2], x[3, ..., 1]], axis=-1).reshape(-1, 3)  # right, away, up
    drawn = np.stack([joints.x, joints.y, joints.z], axis=1)
    np.testing.assert_allclose(drawn - drawn[0], expected - expected[0], atol=1e-5)
    ends = np.stack([bones.x, bones.y, bones.z], axis=1).reshape(people, -1, 3, 3)  # person, bone, two ends and a gap, axis
    assert np.isnan(ends[:, :, 2]).all()
    for person in range(people):
        for bone, (parent, joint) in enumerate(skeleton.bones):
            np.testing.assert_array_equal(ends[person, bone, :2], drawn.reshape(people, -1, 3)[person, [parent, joint]])


def test_left_and_right_differ_and_a_second_person_is_paler():
    scene = plot.bodies(motion(KINECT_V2, people=2), KINECT_V2)
    left = [a for a, _ in KINECT_V2.mirror]
    right = [b for _, b in KINECT_V2.mirror]
    assert hexes(scene.colors[0, 0, 0, left]) == {LEFT} and hexes(scene.colors[0, 0, 0, right]) == {RIGHT}
    assert hexes(scene.colors[0, 0, 0]) == {LEFT, RIGHT, MIDDLE}
    assert (scene.colors[0, 0, 1].astype(int) >= scene.colors[0, 0, 0]).all() and hexes(scene.colors[0, 0, 1]) != {
        LEFT,
        RIGHT,
        MIDDLE,
    }
    masked = np.zeros(25, bool)
    masked[4] = True
    painted = plot.by_side(KINECT_V2, 2, masked)
    assert hexes(painted[:, 4]) == {MASKED} and hexes(painted[0]) == {LEFT, RIGHT, MIDDLE, MASKED}


def test_absent_people_joints_and_frames_leave_gaps():
    x = motion(KINECT_V2, people=2)
    x[2, 1], x[:, 0, 7] = 0, 0
    scene = plot.bodies(x, KINECT_V2)
    gone = np.isnan(scene.joints).all(axis=-1)
    assert gone[0, 2, 1].all() and gone[0, :, 0, 7].all() and gone.sum() == 25 + 5
    with pytest.raises(ValueError, match="nobody in it"):
        plot.bodies(np.zeros((3, 1, 25, 3)), KINECT_V2)


def test_a_root_that_is_centered_at_zero_is_drawn_and_an_unseen_joint_is_not():
    joints = np.random.default_rng(0).normal(size=(4, 1, 25, 3)).astype(np.float32)
    joints[:, :, KINECT_V2.root] = 0
    joints[:, :, 20] = 0
    seen = np.ones((4, 1, 25), dtype=bool)
    seen[:, :, 20] = False
    clip = Clip(joints, np.ones((4, 1), dtype=bool), -1, "centered", seen)
    drawn = np.isfinite(plot.bodies(clip, KINECT_V2).joints).all(axis=-1)[0]  # (F, M, V)
    assert drawn[:, :, KINECT_V2.root].all() and not drawn[:, :, 20].any() and drawn.sum() == 4 * 24
    figure = plot.frames_strip(clip, KINECT_V2)
    assert [len(ax.collections[0].get_offsets()) for ax in figure.axes if ax.collections] == [24] * 4


def test_clips_run_in_step_and_a_shorter_one_waits():
    scene = plot.bodies([motion(H36M, 3), motion(H36M, 6, people=2)], H36M, titles=["a", "b"])
    assert scene.joints.shape == (2, 6, 2, 17, 3) and scene.titles == ("a", "b")
    np.testing.assert_array_equal(scene.joints[0, 5, 0], scene.joints[0, 2, 0])
    assert np.isnan(scene.joints[0, :, 1]).all()
    figure = plot.player(scene)
    assert {t.scene for t in figure.data} == {"scene", "scene2"} and len(figure.frames[0].data) == 4


def test_the_feet_stand_on_the_floor_and_metres_stay_metres(synthetic):
    clip = synthetic[0]
    scene = plot.bodies(clip, synthetic.skeleton)
    assert abs(np.nanmin(scene.joints[0, ..., 2], axis=(1, 2))).max() < 0.35  # lowest joint near the floor
    length = lambda x, a, b: np.linalg.norm(x[..., a, :] - x[..., b, :], axis=-1)  # noqa: E731
    for a, b in synthetic.skeleton.bones:
        np.testing.assert_allclose(length(scene.joints[0], a, b), length(clip.joints, a, b), atol=1e-5)
    figure = plot.player(scene)
    size = [np.ptp(figure.layout.scene[f"{axis}axis"].range) for axis in "xyz"]
    aspect = figure.layout.scene.aspectratio
    np.testing.assert_allclose([aspect.x, aspect.y, aspect.z], size / np.max(size))  # a metre is as long on every axis


def test_values_become_colours_with_a_bar():
    x = motion(KINECT_V1, 4)
    values = np.linspace(0, 1, 4 * 20).reshape(4, 1, 20)
    values[0, 0, 0] = np.nan
    scene = plot.bodies(x, KINECT_V1, values=values, label="attention", limits=(0, 2))
    assert scene.bar == (0, 2, "attention") and scene.colors.shape == (1, 4, 1, 20, 3)
    np.testing.assert_array_equal(scene.colors[0, 2, 0], plot.shaded(values[2, 0], (0, 2)))
    assert scene.colors[0, 0, 0, 0].tolist() == [217] * 3  # no number, no colour
    figure = plot.player(scene)
    bar = figure.data[-1].marker
    assert bar.showscale and (bar.cmin, bar.cmax, bar.colorbar.title.text) == (0, 2, "attention")
    r, g, b = scene.colors[0, 3, 0, 19]
    assert figure.frames[3].data[1].marker.color[19] == f"rgb({r},{g},{b})"
    assert "marker" not in plot.player(x, KINECT_V1).frames[3].data[1].to_plotly_json()  # colours that stay are sent once


def test_painting_again_keeps_the_motion():
    scene = plot.bodies(motion(KINECT_V1, 4), KINECT_V1)
    sizes = np.full((4, 1, 20), 2.0)
    painted = scene.painted(sizes=sizes)
    assert painted.joints is scene.joints and (painted.sizes == 2).all() and (painted.colors == scene.colors).all()
    with pytest.raises(ValueError, match="3 frames, the clips have 4"):
        scene.painted(sizes=sizes[:3])
    with pytest.raises(ValueError, match="colors: shape"):
        scene.painted(colors=np.zeros((4, 1, 25, 3)))
    with pytest.raises(ValueError, match="2 arrays for 1 clips"):
        scene.painted(sizes=[sizes, sizes])


def test_an_exported_page_holds_all_that_it_needs_to_play(tmp_path, synthetic):
    figure = plot.player(synthetic[0], synthetic.skeleton, trails=[11], speed=0.5)
    assert len(figure.layout.sliders[0].steps) == len(figure.frames) == len(synthetic[0].joints)
    assert figure.layout.updatemenus[1].buttons[0].label == "▶ 0.5×"
    assert all(t.hoverinfo == "skip" for t in figure.data)  # hovering stalls three-dimensional pictures
    page = tmp_path / "clip.html"
    figure.write_html(page, include_plotlyjs="cdn")
    assert "Plotly.addFrames" in page.read_text()


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"shape \(5, 1, 20, 3\); expected \(F, M, 25, 3\)"):
        plot.player(motion(KINECT_V1), KINECT_V2)
    with pytest.raises(ValueError, match="camera 'below'"):
        plot.player(motion(WORM), WORM, camera="below")
    with pytest.raises(ValueError, match="skeleton"):
        plot.player(motion(WORM))
    with pytest.raises(ValueError, match="at most 8"):
        plot.player([motion(WORM)] * 9, WORM)
    with pytest.raises(ValueError, match="2 titles for 1"):
        plot.player(motion(WORM), WORM, titles=["a", "b"])
    with pytest.raises(ValueError, match="no clips"):
        plot.player([], WORM)


def test_one_frame_and_a_clip_from_a_store():
    store = make_store([motion(KINECT_V2, 1)])
    assert len(plot.player(store[0], store.skeleton).frames) == 1


def test_arrays_centered_at_a_joint_keep_that_joint():
    """Zero is then where the center joint is; of a person whom zero does not lie within, it was not seen."""
    x = np.random.default_rng(0).normal(size=(5, 2, 25, 3)).astype(np.float32)
    center = KINECT_V2.center
    x[:, :, center] = 0
    x[:, 1] += np.where(x[:, 1] != 0, 9, 0)
    x[2, 0] = 0  # nobody
    drawn = plot.bodies(x, KINECT_V2).joints[0]
    assert np.isfinite(drawn[..., 0]).all(axis=2).tolist() == [[t != 2, False] for t in range(5)]
