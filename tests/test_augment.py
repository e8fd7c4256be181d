import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlab import augment
from slimlab.skeleton import COCO, H36M, KINECT_V1, KINECT_V2

BODIES = [KINECT_V2, KINECT_V1, H36M, COCO]


def clips(body, batch=3, frames=5, people=2, seed=0):
    return torch.randn(batch, 3, frames, len(body), people, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def bone_vectors(x, body):
    return torch.stack([x[:, :, :, j] - x[:, :, :, p] for p, j in body.bones], dim=3)


@pytest.mark.parametrize("body", BODIES, ids=lambda s: str(len(s)))
def test_mirroring_twice_changes_nothing_and_once_swaps_sides(body):
    x = clips(body)
    once = augment.mirror(x, body)
    torch.testing.assert_close(augment.mirror(once, body), x)
    left, right = body.mirror[0]
    torch.testing.assert_close(once[:, 1:, :, left], x[:, 1:, :, right])
    torch.testing.assert_close(once[:, 0, :, left], -x[:, 0, :, right])


@pytest.mark.parametrize("body", BODIES, ids=lambda s: str(len(s)))
def test_bone_scaling_changes_lengths_by_the_factor_and_no_direction(body):
    x = clips(body)
    factors = torch.rand(3, len(body.parts), dtype=torch.float64) + 0.5
    y = augment.scale_bones(x, body, factors)
    before, after = bone_vectors(x, body), bone_vectors(y, body)
    of_bone = factors[:, [body.part_of[j] for _, j in body.bones]]
    torch.testing.assert_close(after, before * of_bone[:, None, None, :, None])
    torch.testing.assert_close(y[:, :, :, body.root], x[:, :, :, body.root])


@pytest.mark.parametrize("body", BODIES, ids=lambda s: str(len(s)))
def test_bone_scaling_by_one_changes_nothing(body):
    """The authors' code moves 14 of 25 joints here: it rebuilds in index order, where parents may come late."""
    x = clips(body)
    torch.testing.assert_close(augment.scale_bones(x, body, torch.ones(3, len(body.parts))), x)


def test_bone_scaling_agrees_with_a_loop_over_the_tree():
    x, body = clips(KINECT_V2, batch=1, people=1), KINECT_V2
    factors = torch.tensor([[0.9, 1.1, 1.1, 0.85, 0.85]], dtype=torch.float64)
    expected = x.clone()
    for joint in body.order[1:]:
        parent = body.parents[joint]
        bone = x[:, :, :, joint] - x[:, :, :, parent]
        expected[:, :, :, joint] = expected[:, :, :, parent] + bone * factors[0, body.part_of[joint]]
    torch.testing.assert_close(augment.scale_bones(x, body, factors), expected)


def test_wrong_number_of_factors_is_named():
    with pytest.raises(ValueError, match=r"\(B, 5\)"):
        augment.scale_bones(clips(KINECT_V2), KINECT_V2, torch.ones(3, 4))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-4, 4), min_size=3, max_size=3))
def test_rotation_preserves_distances_and_can_be_undone(angles):
    x = clips(KINECT_V1, batch=1)
    angle = torch.tensor([angles], dtype=torch.float64)
    y = augment.rotate(x, angle)
    torch.testing.assert_close(bone_vectors(y, KINECT_V1).norm(dim=1), bone_vectors(x, KINECT_V1).norm(dim=1))
    from scipy.spatial.transform import Rotation

    expected = Rotation.from_euler("xyz", angles).as_matrix()  # extrinsic: x, then y, then z
    np.testing.assert_allclose(y[0, :, 0, 3, 0], expected @ x[0, :, 0, 3, 0].numpy(), atol=1e-9)


def test_quarter_turn_about_the_vertical_axis():
    x = torch.zeros(1, 3, 1, len(COCO), 1)
    x[0, 0] = 1.0
    y = augment.rotate(x, torch.tensor([[0.0, np.pi / 2, 0.0]]))
    torch.testing.assert_close(y[0, :, 0, 0, 0], torch.tensor([0.0, 0.0, -1.0]), atol=1e-6, rtol=0)


def test_absent_people_stay_absent():
    x = clips(KINECT_V2).float()
    x[:, :, 2:4, :, 1] = 0
    rng = torch.Generator().manual_seed(0)
    for y in (
        augment.mirror(x, KINECT_V2),
        augment.scale_bones(x, KINECT_V2, torch.full((3, 5), 1.1)),
        augment.rotate(x, torch.ones(3, 3)),
        augment.jitter(x, 0.1, rng),
        augment.center(x, KINECT_V2, "first_frame"),
        augment.center(x, KINECT_V2, "every_frame"),
        augment.skeleton_aware(x, KINECT_V2, rng, probability=1.0),
    ):
        assert not y[:, :, 2:4, :, 1].any()
        assert y[:, :, 2:4, :, 0].any()


def test_first_frame_centering_uses_the_frame_in_which_a_person_appears():
    x = clips(KINECT_V2).float() + 5
    x[:, :, :2, :, 1] = 0
    y = augment.center(x, KINECT_V2, "first_frame")
    torch.testing.assert_close(y[:, :, 0, 1, 0], torch.zeros(3, 3))
    torch.testing.assert_close(y[:, :, 2, 1, 1], torch.zeros(3, 3))
    torch.testing.assert_close(y[:, :, 4, 3, 1], x[:, :, 4, 3, 1] - x[:, :, 2, 1, 1])


def test_every_frame_centering_and_unknown_centering():
    x = clips(KINECT_V1)
    y = augment.center(x, KINECT_V1, "every_frame")
    assert y[:, :, :, KINECT_V1.center].abs().max() == 0
    assert augment.center(x, KINECT_V1, "none") is x
    with pytest.raises(ValueError, match="first_frame"):
        augment.center(x, KINECT_V1, "hips")


def test_jitter_has_the_asked_spread_per_clip():
    x = torch.ones(2, 3, 64, 25, 1)
    noise = augment.jitter(x, torch.tensor([0.0, 0.05]), torch.Generator().manual_seed(0)) - x
    assert noise[0].abs().max() == 0
    assert abs(float(noise[1].std()) - 0.05) < 0.002  # ten seeds: 0.0492 to 0.0506


def test_dropping_an_axis():
    x = torch.ones(4, 3, 2, 25, 1)
    y = augment.drop_axis(x, torch.tensor([0, 1, 2, -1]))
    assert [[bool(v.any()) for v in clip] for clip in y] == [
        [False, True, True],
        [True, False, True],
        [True, True, False],
        [True] * 3,
    ]


def test_skeleton_aware_is_its_three_parts_and_the_seed_decides():
    x = clips(KINECT_V2, batch=400, people=1).float()
    y = augment.skeleton_aware(x, KINECT_V2, torch.Generator().manual_seed(1))
    torch.testing.assert_close(y, augment.skeleton_aware(x, KINECT_V2, torch.Generator().manual_seed(1)))
    unchanged = torch.isclose(y, x, atol=1e-5).flatten(1).all(dim=1).float().mean()
    assert 0.05 < unchanged < 0.2  # (1 - 0.5)^3 = 0.125 of the views; ten seeds: 0.087 to 0.153
    ratio = bone_vectors(y, KINECT_V2).norm(dim=1) / bone_vectors(x, KINECT_V2).norm(dim=1)
    mirrored = torch.stack([bone_vectors(augment.mirror(x, KINECT_V2), KINECT_V2).norm(dim=1)]).squeeze(0)
    either = torch.minimum((ratio - 1).abs(), (bone_vectors(y, KINECT_V2).norm(dim=1) / mirrored - 1).abs())
    assert either.max() <= 0.1501


def test_mirroring_can_be_left_out():
    x = clips(KINECT_V2, batch=64, people=1).float()
    y = augment.skeleton_aware(x, KINECT_V2, torch.Generator().manual_seed(1), 1.0, (1.0, 1.0), 0.0, mirrors=False)
    torch.testing.assert_close(y, x)


def test_joints_may_change_places_without_their_axis():
    x = clips(KINECT_V2, batch=8, people=1).float()
    rng = torch.Generator().manual_seed(1)
    y = augment.skeleton_aware(x, KINECT_V2, rng, 1.0, (1.0, 1.0), 0.0, mirrors="joints")
    torch.testing.assert_close(y, x[:, :, :, torch.from_numpy(KINECT_V2.mirror_index)])


def test_axes_may_be_scaled_instead_of_bones():
    x = clips(KINECT_V2, batch=64, people=1).float()
    rng = torch.Generator().manual_seed(1)
    y = augment.skeleton_aware(x, KINECT_V2, rng, 1.0, (0.5, 1.5), 0.0, mirrors=False, scaling="axes")
    factors = y.flatten(2).norm(dim=2) / x.flatten(2).norm(dim=2)  # (B, 3)
    torch.testing.assert_close(y, x * factors.view(-1, 3, 1, 1, 1))
    assert 0.5 <= factors.min() < 0.6 and 1.4 < factors.max() <= 1.5 and factors.std(dim=1).min() > 0.001


def test_composition_equals_the_functions_one_after_another():
    body, x = KINECT_V2, clips(KINECT_V2, batch=8).float()
    rng = torch.Generator().manual_seed(5)
    y = augment.skeleton_aware(x, body, rng, probability=1.0)
    rng = torch.Generator().manual_seed(5)
    torch.rand(3, 8, generator=rng)
    factors = (0.85 + (1.15 - 0.85) * torch.rand(8, 3, generator=rng))[:, body.part_groups]
    angles = (2 * torch.rand(8, 3, generator=rng) - 1) * 0.3
    expected = augment.rotate(augment.mirror(augment.scale_bones(x, body, factors), body), angles)
    torch.testing.assert_close(y, expected, atol=1e-5, rtol=1e-5)
