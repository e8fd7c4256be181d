"""Naive augmentations fail in the way that they are there to show, and the checks see it."""

import pytest
import torch

from slimlab import augment
from slimlab.plot.invariants import invariants, laws, same_sides
from slimlab.released import naive
from slimlab.skeleton import COCO, KINECT_V1, KINECT_V2, Skeleton

WORM = Skeleton(["a", "b", "c"], [-1, 0, 1])


def clip(skeleton, people=1):
    x = torch.randn(1, 3, 6, len(skeleton), people, generator=torch.Generator().manual_seed(0))
    x[:, :, 2:4, :, -1] = 0 if people > 1 else x[:, :, 2:4, :, -1]
    return x


def holds(table):
    return dict(zip(table["check"], table["holds"], strict=True))


def test_bones_in_index_order_move_14_joints_that_should_stay():
    x = clip(KINECT_V2)
    ones = torch.ones(1, len(KINECT_V2.parts))
    wrong = naive.scale_bones_by_index(x, KINECT_V2, ones)
    moved = (wrong - x).abs().amax(dim=(0, 1, 2, 4)) > 1e-4
    assert moved.sum() == 14
    assert not holds(invariants(x, wrong, KINECT_V2))["bones of trunk"]
    factors = 1 + 0.2 * torch.rand(1, len(KINECT_V1.parts), generator=torch.Generator().manual_seed(1))
    x = clip(KINECT_V1)  # whose indices are in order
    torch.testing.assert_close(naive.scale_bones_by_index(x, KINECT_V1, factors), augment.scale_bones(x, KINECT_V1, factors))


@pytest.mark.parametrize("skeleton", [KINECT_V2, KINECT_V1, COCO], ids=lambda s: str(len(s)))
@pytest.mark.parametrize("people", [1, 2])
def test_what_slim_does_keeps_every_promise(skeleton, people):
    x = clip(skeleton, people)
    groups = torch.from_numpy(skeleton.part_groups)
    factors = (0.85 + 0.3 * torch.rand(10, generator=torch.Generator().manual_seed(2)))[groups][None]
    out = augment.rotate(augment.mirror(augment.scale_bones(x, skeleton, factors), skeleton), torch.tensor([[0.3, 1.0, -0.2]]))
    table = invariants(x, out, skeleton, mirrored=True)
    assert table["holds"].all(), table
    assert laws(x, skeleton, torch.tensor([[0.3, 1.0, -0.2]]))["holds"].all()


def test_a_flip_without_change_of_sides_is_seen_and_a_true_mirror_is_not():
    x = clip(KINECT_V2)
    assert not holds(invariants(x, naive.flip(x), KINECT_V2))["sides"]
    assert holds(invariants(x, augment.mirror(x, KINECT_V2), KINECT_V2, mirrored=True))["sides"]
    assert (same_sides(x, naive.flip(x), KINECT_V2) == -1).all() and (same_sides(x, x, KINECT_V2) == 1).all()
    assert "sides" not in holds(invariants(clip(WORM), naive.flip(clip(WORM)), WORM))  # a body without sides


def test_only_a_flip_turns_the_sides_of_bodies_that_move(synthetic):
    """Scaled, turned, stretched, sheared, noisy bodies keep their sides in every frame; flipped ones in none."""
    factors = torch.tensor([[1.15 if "arm" in part else 0.85 for part in KINECT_V2.parts]])
    for clip in synthetic[::12]:
        x = torch.from_numpy(clip.joints[:, :1]).permute(3, 0, 2, 1)[None]
        kept = [
            augment.scale_bones(x, KINECT_V2, factors),
            augment.rotate(x, torch.tensor([[0.3, 2.0, 0.3]])),
            naive.stretch(x, torch.tensor([[1.2, 0.8, 1.0]])),
            naive.shear(x, torch.tensor([0.3])),
            augment.jitter(x, 0.03, torch.Generator().manual_seed(9)),
        ]
        there = (x != 0).flatten(3).any(dim=3).any(dim=1)[0].numpy()  # (T,)
        for out in kept:
            assert (same_sides(x, out, KINECT_V2) == there).all()
        assert (same_sides(x, naive.flip(x), KINECT_V2) == -1 * there).all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: naive.stretch(x, torch.tensor([[1.2, 0.8, 1.0]])),
        lambda x: naive.shear(x, torch.tensor([0.3])),
        lambda x: augment.jitter(x, 0.03, torch.Generator().manual_seed(9)),
    ],
    ids=["stretch", "shear", "jitter"],
)
def test_bones_that_change_their_length_are_red(spoil):
    x = clip(KINECT_V2, people=2)
    table = holds(invariants(x, spoil(x), KINECT_V2))
    assert not any(ok for check, ok in table.items() if check.startswith("bones of"))
    assert table["nobody moved in"]


def test_someone_who_appears_is_seen():
    x = clip(KINECT_V2, people=2)
    assert not holds(invariants(x, x + 1, KINECT_V2))["nobody moved in"]
