import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlab import _tubes, masking
from slimlab._tubes import Runs
from slimlab.skeleton import COCO, H36M, KINECT_V1, KINECT_V2, MEDIAPIPE_33
from tests import reference

BODIES = {25: KINECT_V2, 20: KINECT_V1, 17: H36M, 18: COCO}


@pytest.mark.parametrize("strategy", masking.STRATEGIES)
@settings(max_examples=25, deadline=None)
@given(
    ratio=st.floats(0, 1),
    steps=st.sampled_from([1, 2, 4, 8]),
    body=st.sampled_from(list(BODIES.values())),
    seed=st.integers(0, 99),
)
def test_every_strategy_reaches_the_budget_exactly(strategy, ratio, steps, body, seed):
    rng = torch.Generator().manual_seed(seed)
    mask = masking.STRATEGIES[strategy](6, steps, body, ratio, generator=rng)
    assert mask.shape == (6, steps, len(body)) and mask.dtype == torch.bool
    assert mask.sum(dim=(1, 2)).tolist() == [round(ratio * steps * len(body))] * 6


@pytest.mark.parametrize("strategy", masking.STRATEGIES)
def test_one_ratio_each_and_the_seed_decides(strategy):
    draw = masking.STRATEGIES[strategy]
    ratios = torch.linspace(0.5, 0.9, 9)
    masks = [draw(9, 8, KINECT_V2, ratios, generator=torch.Generator().manual_seed(s)) for s in (4, 4, 5)]
    assert masks[0].sum(dim=(1, 2)).tolist() == [round(float(r) * 200) for r in ratios]
    assert torch.equal(masks[0], masks[1]) and not torch.equal(masks[0], masks[2])


BODIES_AND_GRIDS = {
    "ratio": st.floats(0, 1),
    "steps": st.sampled_from([1, 2, 4, 8, 30]),
    "body": st.sampled_from(list(BODIES.values())),
    "seed": st.integers(0, 99),
}


def runs_of(row):
    """How many stretches of True there are in a sequence."""
    return int(row[0]) + sum(int(b and not a) for a, b in itertools.pairwise(row))


@settings(max_examples=25, deadline=None)
@given(**BODIES_AND_GRIDS)
def test_joint_tubes_take_joints_over_all_time(ratio, steps, body, seed):
    for mask in masking.joint_tubes(4, steps, body, ratio, generator=torch.Generator().manual_seed(seed)).numpy():
        partial = [column for column in mask.T if column.any() and not column.all()]
        assert len(partial) <= 1 and all(runs_of(c) == 1 and (c[0] or c[-1]) for c in partial)


@settings(max_examples=25, deadline=None)
@given(**BODIES_AND_GRIDS)
def test_body_parts_take_parts_over_all_time(ratio, steps, body, seed):
    for mask in masking.body_parts(4, steps, body, ratio, generator=torch.Generator().manual_seed(seed)).numpy():
        touched = [list(p) for p in body.parts.values() if mask[:, list(p)].any()]
        trimmed = [p for p in touched if not mask[:, p].all()]
        assert len(trimmed) <= 1
        for chain in trimmed:  # whole joints from the chain's beginning, then one in part
            share = mask[:, chain].mean(axis=0)
            assert list(share) == sorted(share, reverse=True) and ((share > 0) & (share < 1)).sum() <= 1


@settings(max_examples=25, deadline=None)
@given(**BODIES_AND_GRIDS)
def test_time_blocks_are_one_block_of_all_joints(ratio, steps, body, seed):
    for mask in masking.time_blocks(4, steps, body, ratio, generator=torch.Generator().manual_seed(seed)).numpy():
        masked = mask.any(axis=1)
        partial = np.flatnonzero(masked & ~mask.all(axis=1))
        assert not masked.any() or runs_of(masked) == 1
        assert len(partial) <= 1 and all(p in (masked.argmax(), steps - 1 - masked[::-1].argmax()) for p in partial)


@pytest.mark.parametrize("strategy", ["joint_tubes", "body_parts", "time_blocks"])
def test_no_joint_and_no_end_of_time_is_preferred(strategy):
    mask = masking.STRATEGIES[strategy](10_000, 6, KINECT_V2, 0.34, generator=torch.Generator().manual_seed(0)).float()
    np.testing.assert_allclose(mask.mean(dim=(0, 2)), mask.mean(dim=(0, 2)).flip(0), atol=0.02)  # either end alike
    if strategy != "body_parts":  # parts differ in size, so their joints do too
        np.testing.assert_allclose(mask.mean(dim=(0, 1)), np.full(25, 0.34), atol=0.02)


def test_motion_aware_follows_its_distribution():
    """One cell drawn: frequencies are softmax(motion / largest / temperature)."""
    rng = np.random.default_rng(0)
    motion = rng.random((2, 20))
    mask = masking.motion_aware(
        40_000, 2, KINECT_V1, 1 / 40, torch.Generator().manual_seed(0), motion=torch.from_numpy(motion).expand(40_000, 2, 20)
    )
    expected = np.exp(motion / motion.max() / 0.8)
    np.testing.assert_allclose(mask.double().mean(dim=0), expected / expected.sum(), atol=0.004)


def test_motion_aware_is_free_of_units_and_takes_still_clips():
    motion = torch.rand(4, 8, 25, generator=torch.Generator().manual_seed(1))
    draws = [
        masking.motion_aware(4, 8, KINECT_V2, 0.9, torch.Generator().manual_seed(0), motion=m) for m in (motion, 64 * motion)
    ]
    assert torch.equal(*draws)
    still = masking.motion_aware(4000, 2, KINECT_V1, 0.3, torch.Generator().manual_seed(0), motion=torch.zeros(4000, 2, 20))
    np.testing.assert_allclose(still.float().mean(dim=0), np.full((2, 20), 0.3), atol=0.04)
    with pytest.raises(ValueError, match=r"motion is \(4, 8, 20\).*\(4, 8, 25\)"):
        masking.motion_aware(4, 8, KINECT_V2, 0.9, motion=motion[:, :, :20])


def test_motion_magnitude_is_the_mean_step_of_each_cell():
    x = torch.zeros(1, 3, 8, 25, 1)
    x[0, 0, :, 7, 0] = 3 * torch.arange(8.0)
    x[0, 1, :, 7, 0] = 4 * torch.arange(8.0)  # five a frame
    motion = masking.motion_magnitude(x, 4)
    assert motion.shape == (1, 2, 25)
    assert motion[0, :, 7].tolist() == [5.0, 3.75]  # the last frame has no successor
    assert motion.sum() == 8.75


def test_impossible_ratios_are_refused():
    with pytest.raises(ValueError, match=r"1\.2"):
        masking.semantic_tubes(1, 8, KINECT_V2, 1.2)


def boundaries(mask):
    """Masked cells with a visible neighbour: in time, or along a body part's chain."""
    mask = mask.numpy()
    in_time = (mask[:, 1:] != mask[:, :-1]).sum()
    along = sum((mask[:, :, list(p)[1:]] != mask[:, :, list(p)[:-1]]).sum() for p in KINECT_V2.parts.values())
    return in_time + along


def test_tubes_hang_together_where_random_cells_do_not():
    rng = torch.Generator().manual_seed(0)
    tubes, cells = (draw(64, 8, KINECT_V2, 0.5, generator=rng) for draw in (masking.semantic_tubes, masking.random_cells))
    assert boundaries(tubes) < 0.5 * boundaries(cells)  # ten seeds: 0.23 to 0.26


def test_tubes_are_numbered_without_changing_the_draw():
    numbers = torch.zeros(16, 8, 25, dtype=torch.long)
    rng = [torch.Generator().manual_seed(5) for _ in range(2)]
    mask = masking.semantic_tubes(16, 8, KINECT_V2, 0.8, generator=rng[0], tubes=numbers)
    assert torch.equal(mask, masking.semantic_tubes(16, 8, KINECT_V2, 0.8, generator=rng[1]))
    assert torch.equal(mask, numbers > 0)  # every masked cell has its tube
    for sample in numbers:
        for tube in sample.unique()[1:]:
            joints = (sample == tube).any(dim=0).nonzero()[:, 0]
            assert len(np.unique(KINECT_V2.part_of[joints])) == 1  # and a tube stays within one body part


@settings(max_examples=60, deadline=None)
@given(
    ratio=st.floats(0, 1),
    steps=st.sampled_from([1, 2, 4, 8, 30]),
    body=st.sampled_from([*BODIES.values(), MEDIAPIPE_33]),
    seed=st.integers(0, 99),
)
def test_many_masks_at_once_are_those_of_the_definition(ratio, steps, body, seed):
    """The same draws give the same masks, bit by bit, where clips are worked on side by side and as bits."""
    n, rng = 5, torch.Generator().manual_seed(seed)
    ours = masking.semantic_tubes(n, steps, body, ratio, generator=rng)
    rng.manual_seed(seed)
    draws = [torch.rand(_tubes.DRAWS, 6, n, generator=rng).numpy() for _ in range(_tubes.ROUNDS // _tubes.DRAWS)]
    goal = round(ratio * steps * len(body))
    grown = _tubes.grow(np.full(n, goal), steps, skeleton=body, draw=iter(draws).__next__)
    for clip in range(n):
        plain = masking.one_semantic_tube_mask(steps, body, masked=goal, draws=np.concatenate(draws)[:, :, clip])
        np.testing.assert_array_equal(grown[clip], plain)
        assert plain.sum() == goal or ratio > 0.95  # the draws run out near 1 alone, where random cells complete the mask
        np.testing.assert_array_equal(ours[clip][torch.from_numpy(plain)], True)
        assert int(ours[clip].sum()) == goal


def test_the_definition_trims_after_ten_failures_alone():
    """Draws that always propose the whole trunk over all time, of which too much is missing at the end."""
    whole = np.array([0.0, 0.999, 0.0, 0.999, 0.0], dtype=np.float32)
    for proposals, masked in ((1, 0), (10, 0), (11, 3)):
        mask = masking.one_semantic_tube_mask(8, KINECT_V2, masked=3, draws=[whole] * proposals)
        assert mask.sum() == masked


PARTS = list(KINECT_V2.parts.values())


def test_joints_are_masked_as_often_as_in_the_authors_procedure():
    """Per-joint frequencies against a plain loop, on the masks in which the loop reaches its budget."""
    rng = np.random.default_rng(0)
    loop = [reference.tubes(8, 25, PARTS, 100, rng) for _ in range(2400)]
    reached = [m.mean(axis=0) for m in loop if m.sum() == 100]
    assert 0.7 < len(reached) / len(loop) < 0.95  # the loop misses its budget in about 18 % of draws
    ours = masking.semantic_tubes(6000, 8, KINECT_V2, 0.5, generator=torch.Generator().manual_seed(0)).float().mean(dim=(0, 1))
    np.testing.assert_allclose(ours, np.mean(reached, axis=0), atol=0.05)  # ten seeds: 0.012 to 0.035


def test_tubes_have_the_shapes_of_the_authors_procedure():
    """Joints and duration of a mask's first tube, which always fits: how often each pair comes."""
    rng, shapes = np.random.default_rng(0), []
    for _ in range(2000):
        taken = []
        reference.tubes(8, 25, PARTS, 48, rng, taken)
        shapes.append(taken[0])
    generator = torch.Generator().manual_seed(0)
    runs = Runs(KINECT_V2)
    tubes = runs.unpack(runs.propose(np.full(4000, 48), 8, torch.rand(6, 4000, generator=generator).numpy()))
    ours = np.stack([tubes.any(axis=1).sum(axis=1), tubes.any(axis=2).sum(axis=1)], axis=1)
    for joints in range(1, 7):
        for duration in range(1, 9):
            expected = np.mean([s == (joints, duration) for s in shapes])
            assert np.mean((ours == (joints, duration)).all(axis=1)) == pytest.approx(expected, abs=0.025), (joints, duration)


def test_random_cells_are_uniform():
    mask = masking.random_cells(4000, 4, KINECT_V1, 0.3, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(mask.float().mean(dim=0), np.full((4, 20), 0.3), atol=0.04)  # ten seeds: to 0.023


def test_stratified_ratios_cover_the_range_in_random_order():
    ratios = masking.stratified_ratios(32, (0.5, 0.9), torch.Generator().manual_seed(0))
    bins = ((ratios - 0.5) / 0.4 * 32).floor().long()
    assert sorted(bins.tolist()) == list(range(32)) and bins.tolist() != list(range(32))


def test_the_whole_batch_is_masked_without_a_loop_over_clips():
    """The number of drawing rounds must not grow with the batch."""
    calls = []
    original = torch.rand

    def counted(*args, **kwargs):
        calls.append(args)
        return original(*args, **kwargs)

    for n in (8, 512):
        calls.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(masking.torch, "rand", counted)
            masking.semantic_tubes(n, 8, KINECT_V2, 0.9, generator=torch.Generator().manual_seed(0))
        assert len(calls) <= _tubes.ROUNDS + 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("strategy", masking.STRATEGIES)
def test_masks_on_cuda(strategy):
    mask = masking.STRATEGIES[strategy](4, 8, KINECT_V2, 0.7, device="cuda")
    assert mask.is_cuda and mask.sum(dim=(1, 2)).tolist() == [140] * 4
    seeded = [
        masking.STRATEGIES[strategy](4, 8, KINECT_V2, 0.7, torch.Generator().manual_seed(1), d).cpu() for d in ("cpu", "cuda")
    ]
    assert torch.equal(*seeded)
