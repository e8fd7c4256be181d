"""Joints that were not seen: at zero, no coordinate for anything; and clips without any are treated as if there were none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slimlab import augment, data, evaluate
from slimlab.baselines import mae
from slimlab.data import ghosts, streams
from slimlab.data.views import sample_views
from slimlab.encoder import EncoderConfig
from slimlab.evaluate import controls
from slimlab.pretrain.trainer import Trainer
from slimlab.skeleton import COCO, H36M, KINECT_V1, KINECT_V2
from tests.conftest import make_store

BODIES = [KINECT_V2, KINECT_V1, H36M, COCO]
FAR = 3.0  # metres from the camera


def recorded(body, batch=4, frames=6, people=2, seed=0, part=0.25):
    """Clips 3 m from the camera with a random part of the joints unseen in random frames, and what was seen (B, T, V, M).
    The first two joints of everyone are always seen."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, 3, frames, len(body), people, generator=rng, dtype=torch.float64) * 0.3 + FAR
    seen = torch.rand(batch, 1, frames, len(body), people, generator=rng)[:, 0] >= part
    seen[:, 0] |= torch.arange(len(body)).view(1, -1, 1) < 2
    return torch.where(seen[:, None], x, 0), seen


def zero_outside(x, seen):
    return not torch.where(seen[:, None], 0, x).any() and bool((x.abs().sum(dim=1) > 0)[seen].any())


@pytest.mark.parametrize("bad", [0.0, float("nan")])
def test_seen_is_neither_zero_nor_nan_save_a_root_at_the_origin(bad):
    x, seen = recorded(KINECT_V2)
    x = torch.where(seen[:, None], x, bad)
    assert torch.equal(augment.find_seen(x), seen)
    c = KINECT_V2.center
    x[:, :, :, c, 0] = 0
    rooted = seen.clone()
    rooted[:, :, c, 0] = True
    assert torch.equal(augment.find_seen(x, KINECT_V2), rooted)
    elsewhere = augment.find_seen(x, KINECT_V2, origin=torch.ones(len(x), 3))  # a crop in which the center joint was never seen
    assert not elsewhere[:, :, c, 0].any()
    x[:, :, :, :, 0] = 0
    assert not augment.find_seen(x, KINECT_V2)[..., 0].any()  # who is absent is not seen at all


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(BODIES), st.integers(0, 99), st.sampled_from([0.0, float("nan")]))
def test_unseen_joints_stay_at_zero_through_everything(body, seed, bad):
    x, seen = recorded(body, seed=seed)
    x = torch.where(seen[:, None], x, bad)
    known = augment.find_seen(x, body)
    rng = torch.Generator().manual_seed(seed)
    for how in ("first_frame", "every_frame"):
        y = augment.center(x, body, how, seen=known)
        assert zero_outside(y, known)
        assert y.abs().max() < FAR  # nothing was left at, or moved by, the distance of the camera
        assert zero_outside(augment.scale_bones(y, body, torch.full((4, len(body.parts)), 1.1), known), known)
        assert zero_outside(augment.rotate(y, torch.ones(4, 3)), known)
        assert zero_outside(augment.jitter(y, 0.1, rng, seen=known), known)
        assert zero_outside(augment.drop_axis(y, torch.tensor([0, 1, 2, -1])), known)
        mirrored = known[:, :, body.mirror_index]
        assert zero_outside(augment.mirror(y, body), mirrored)
        z = augment.skeleton_aware(y, body, rng, probability=1.0, seen=known)
        assert zero_outside(z, mirrored)
        after = augment.seen_after(z, body, known)
        assert not (after & ~mirrored).any()
        both = known & known[:, :, [p if p >= 0 else j for j, p in enumerate(body.parents)]]
        assert not torch.where(both[:, None], 0, streams.of(y, body, "bone", known)).any()
        moves = streams.of(y, body, "motion", known)
        assert not torch.where((known[:, 1:] & known[:, :-1])[:, None], 0, moves[:, :, :-1]).any()
        assert moves.abs().max() < FAR


@pytest.mark.parametrize("body", BODIES, ids=lambda s: str(len(s)))
def test_bone_scaling_with_unseen_joints_agrees_with_a_walk_down_the_tree(body):
    """A bone between two seen joints is scaled; otherwise the joint keeps its place beside its nearest seen ancestor."""
    x, seen = recorded(body)
    factors = torch.rand(4, len(body.parts), dtype=torch.float64) + 0.5
    expected = torch.zeros_like(x)
    for b, t, m in np.ndindex(len(x), x.shape[2], x.shape[4]):
        for joint in body.order:
            if not seen[b, t, joint, m]:
                continue
            above, steps = body.parents[joint], 1
            while above >= 0 and not seen[b, t, above, m]:
                above, steps = body.parents[above], steps + 1
            place = x[b, :, t, joint, m]
            if above >= 0:
                factor = factors[b, body.part_of[joint]] if steps == 1 else 1
                place = expected[b, :, t, above, m] + factor * (place - x[b, :, t, above, m])
            expected[b, :, t, joint, m] = place
    torch.testing.assert_close(augment.scale_bones(x, body, factors, seen), expected)


def test_one_unseen_hand_moves_no_other_joint():
    x, _ = recorded(KINECT_V2, part=0.0)
    hand = KINECT_V2.names.index("left_hand_tip")  # a leaf
    without = x.clone()
    without[:, :, :, hand] = 0
    others = [j for j in range(len(KINECT_V2)) if j != hand]
    for make in (
        lambda v: augment.center(v, KINECT_V2),
        lambda v: augment.scale_bones(v, KINECT_V2, torch.full((4, 5), 0.9)),
        lambda v: augment.skeleton_aware(v, KINECT_V2, torch.Generator().manual_seed(2), 1.0, mirrors=False),
        lambda v: streams.bone(v, KINECT_V2),
        streams.motion,
    ):
        torch.testing.assert_close(make(without)[:, :, :, others], make(x)[:, :, :, others])


def test_first_frame_centering_takes_the_first_frame_that_shows_the_center_joint():
    x, _ = recorded(KINECT_V2, part=0.0)
    c = KINECT_V2.center
    x[0, :, :2, c, 0] = 0  # not in the first two frames
    x[1, :, :, c, 1] = float("nan")  # never
    y = augment.center(x, KINECT_V2)
    torch.testing.assert_close(y[0, :, :, 5, 0], x[0, :, :, 5, 0] - x[0, :, 2, c, 0][:, None])
    torch.testing.assert_close(y[1, :, :, 5, 1], x[1, :, :, 5, 1])
    assert not y[0, :, :2, c, 0].any() and not y[1, :, :, c, 1].any()


def test_every_frame_centering_takes_the_nearest_frame_that_shows_it():
    x, _ = recorded(KINECT_V2, batch=1, people=1, part=0.0)
    c = KINECT_V2.center
    x[:, :, [0, 2, 3], c] = 0  # seen in 1, 4, 5
    y = augment.center(x, KINECT_V2, "every_frame")
    for frame, nearest in enumerate([1, 1, 1, 4, 4, 5]):
        torch.testing.assert_close(y[0, :, frame, 7, 0], x[0, :, frame, 7, 0] - x[0, :, nearest, c, 0])


def test_root_centered_clips_stay_as_they_are():
    x, _ = recorded(KINECT_V2, part=0.0)
    x = x - x[:, :, :, [KINECT_V2.center]]
    for how in ("first_frame", "every_frame"):
        assert torch.equal(augment.center(x, KINECT_V2, how), x)
    factors = torch.full((4, 5), 1.1, dtype=torch.float64)
    moved = augment.scale_bones(x + FAR, KINECT_V2, factors) - FAR
    torch.testing.assert_close(augment.scale_bones(x, KINECT_V2, factors), moved)


def former(x, skeleton, how, origin, generator):
    """Centering, noise, bones and motion of clips without unseen joints, written down without any thought of these."""
    there = (x != 0).flatten(3).any(dim=3).any(dim=1) if x.shape[4] == 1 else None
    assert there is not None and there.all()
    middle = origin.view(-1, 3, 1, 1, 1) if how == "first_frame" else x[:, :, :, [skeleton.center]]
    x = augment_former(x - middle, skeleton, generator)
    x = x + torch.randn(x.shape, generator=generator) * torch.tensor(0.01) * torch.ones(1)
    parents = [p if p >= 0 else j for j, p in enumerate(skeleton.parents)]
    moves = torch.zeros_like(x)
    moves[:, :, :-1] = x[:, :, 1:] - x[:, :, :-1]
    return {"joint": x, "bone": x - x[:, :, :, parents], "motion": moves}


def augment_former(x, skeleton, generator):
    whole = torch.ones(len(x), *x.shape[2:], dtype=torch.bool)
    return augment.skeleton_aware(x, skeleton, generator, seen=whole)


@pytest.mark.parametrize("how", ["first_frame", "every_frame"])
def test_clips_without_unseen_joints_are_treated_bit_by_bit_as_before(synthetic, how):
    views = sample_views(synthetic, np.arange(24), torch.Generator().manual_seed(0))
    for group in (views.globals, *views.locals):
        x, origin = group.flatten(0, 1), views.origin.repeat(len(group), 1)
        assert augment.find_seen(x).all()
        rng = torch.Generator().manual_seed(3)
        seen = augment.find_seen(x, KINECT_V2, origin)
        y = augment.center(x, KINECT_V2, how, origin, seen)
        y = augment.skeleton_aware(y, KINECT_V2, rng, seen=seen)
        y = augment.jitter(y, 0.01, rng, seen=augment.seen_after(y, KINECT_V2, seen))
        expected = former(x, KINECT_V2, how, origin, torch.Generator().manual_seed(3))
        for stream in streams.STREAMS:
            assert torch.equal(streams.of(y, KINECT_V2, stream, augment.seen_after(y, KINECT_V2, seen)), expected[stream])


def test_a_clip_with_unseen_joints_does_not_change_its_neighbors_in_the_batch():
    x, _ = recorded(KINECT_V2, batch=8, part=0.0)
    other = x.clone()
    other[3, :, :, 7] = 0
    a, b = (augment.skeleton_aware(v, KINECT_V2, torch.Generator().manual_seed(1), 1.0) for v in (x, other))
    rest = [i for i in range(8) if i != 3]
    assert torch.equal(a[rest], b[rest])


def walk(frames=40, seed=0, people=1):
    steps = np.random.default_rng(seed).normal(size=(frames, people, len(KINECT_V2), 3)) * 0.01
    pose = np.random.default_rng(99).normal(size=(1, people, len(KINECT_V2), 3)) * 0.3
    return (pose + steps.cumsum(axis=0) + FAR).astype(np.float32)


@pytest.mark.parametrize("frames", [40, 9])  # picked frames, interpolated ones
def test_views_do_not_interpolate_towards_zero(frames):
    clip = walk(frames)
    clip[::2, 0, 7] = 0
    clip[:2, 0, KINECT_V2.center] = 0
    store = make_store([clip])
    made = [data.test_view(store, [0], 64)[0], data.resampled(store, [0], 64)[0]]
    made.append(data.random_view(store, [0], torch.Generator().manual_seed(0), 64)[0])
    views = sample_views(store, [0], torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(views.origin[0], clip[2, 0, KINECT_V2.center])
    for x in (*made, views.globals.flatten(0, 1), *(v.flatten(0, 1) for v in views.locals)):
        size = x.norm(dim=1)
        assert ((size == 0) | (size > 2)).all()


def test_the_pipelines_input_stays_within_a_bodys_reach(quick):
    """Of a body 3 m away, with its center joint late and a quarter of its joints missing: nothing of the 3 m is left."""
    clips = [walk(seed=i) for i in range(8)]
    for clip in clips:
        clip[:3, 0, KINECT_V2.center] = 0
    store = evaluate.corruption.missing_joints(make_store(clips), 0.25)
    for centering in ("first_frame", "every_frame"):
        for stream in streams.STREAMS:
            config = EncoderConfig(centering=centering, stream=stream, input_scale=1.0)
            x, _, _ = data.test_view(store, np.arange(8), 64)
            assert evaluate.prepare(x, config)[0].abs().max() < FAR
            trainer = Trainer(replace(quick, centering=centering, stream=stream), KINECT_V2)
            [piece] = trainer.sample(store, np.arange(8), step=0)
            for group in piece.views:
                assert group.abs().max() < FAR * trainer.encoder.config.input_scale
    assert controls.raw_features(store).x.abs().max() < FAR
    masked = mae.Trainer(mae.Config(steps=1), KINECT_V2)
    assert masked.views(store, np.arange(8), 0)[0].abs().max() < FAR * masked.encoder.config.input_scale


def test_zeros_in_the_file_and_the_corruption_are_one_thing(synthetic):
    """`missing_joints` gives what a store of the same zeros gives."""
    few = synthetic[:12]
    worse = evaluate.corruption.missing_joints(few, 0.25, seed=1)
    given = make_store([clip.joints for clip in worse])
    assert all("zero-joints" in f.split() for f in given.table["flags"])
    wide = given.with_people(worse.max_people)
    assert torch.equal(controls.raw_features(wide).x, controls.raw_features(worse).x)


def test_clips_in_the_plane_stay_in_it():
    x, _ = recorded(COCO, batch=16, part=0.0)
    flat = x.clone()
    flat[:8, 2] = 0
    assert augment.planar(flat).tolist() == [True] * 8 + [False] * 8
    rng = torch.Generator().manual_seed(0)
    y = augment.skeleton_aware(flat, COCO, rng, probability=1.0)
    assert not y[:8, 2].any() and not torch.equal(y[:8], flat[:8])
    assert not augment.jitter(flat, 0.1, rng)[:8, 2].any()
    other = augment.skeleton_aware(x, COCO, torch.Generator().manual_seed(0), probability=1.0)
    assert torch.equal(y[8:], other[8:])
    distance = (y[:8, :, :, 3] - y[:8, :, :, 1]).norm(dim=1), (other[:8, :, :, 3] - other[:8, :, :, 1]).norm(dim=1)
    assert not torch.equal(*distance)  # the plane is turned, not projected


def test_reports_and_ghosts_do_not_take_zero_for_a_place():
    clip = walk(60)
    hidden = clip.copy()
    hidden[10:30:2, 0, [7, 20]] = 0
    whole, holes = (data.report(make_store([c])).table.iloc[0] for c in (clip, hidden))
    for column in ("jitter", "bones"):
        assert holes[column] == pytest.approx(whole[column], rel=0.2)
    assert ghosts.motion(hidden[:, 0]) == pytest.approx(ghosts.motion(clip[:, 0]), rel=0.2)
    standing = np.array([[[0.0, 0.1, 3.0], [0.3, 1.7, 3.0], [0, 0, 0]]] * 20) + np.array([2.0, 0, 0]) * np.array([[1], [1], [0]])
    assert ghosts.why_ghost(standing, 20) == ""


def test_align_view_takes_a_frame_that_shows_hips_and_center():
    clip = walk(12)
    late = clip.copy()
    late[:3, 0, KINECT_V2.center] = 0
    late[:2, 0, KINECT_V2.names.index("left_hip")] = 0
    a = data.clean.align_view(make_store([late]))[0].joints
    b = data.clean.align_view(make_store([clip[3:]]))[0].joints
    np.testing.assert_allclose(a[3:], b, atol=1e-5)


@pytest.mark.parametrize("long", [True, False])
def test_a_joint_of_empty_cells_is_unseen_and_flagged(long, tmp_path):
    import pandas as pd

    data.export(make_store([walk(4)]), tmp_path / "a.csv", long=long)
    table = pd.read_csv(tmp_path / "a.csv")
    if long:
        table.loc[(table["frame"] == 1) & (table["joint"] == "head"), ["x", "y", "z"]] = np.nan
    else:
        table.loc[table["frame"] == 1, ["head_x", "head_y", "head_z"]] = np.nan
    store = data.from_table(table)
    head = KINECT_V2.names.index("head")
    assert not store[0].joints[1, 0, head].any() and store[0].joints[2, 0, head].all()
    assert store.table["flags"].tolist() == ["zero-joints"] and np.isfinite(store.arrays.joints).all()


def test_filling_is_numpys_interpolation():
    x, seen = recorded(KINECT_V2, frames=12, part=0.5)
    seen[0, :, 3, 0] = False  # never seen
    x = torch.where(seen[:, None], x, 0)
    filled = augment.fill_unseen(x, seen)
    for b, j, m in np.ndindex(len(x), len(KINECT_V2), x.shape[4]):
        shown = np.flatnonzero(seen[b, :, j, m])
        for axis in range(3):
            path = x[b, axis, :, j, m].numpy()
            expected = np.interp(np.arange(12), shown, path[shown]) if len(shown) else np.zeros(12)
            np.testing.assert_allclose(filled[b, axis, :, j, m], expected, rtol=1e-12)


def test_filling_takes_nothing_from_frames_without_the_person():
    x, seen = recorded(KINECT_V2, batch=1, people=1, part=0.0)
    x[:, :, :3] = 0  # away, which hides nothing
    x[:, :, 3, 7], seen[:, 3, 7] = 0, False
    filled = augment.fill_unseen(x, seen)
    torch.testing.assert_close(filled[:, :, 3, 7], x[:, :, 4, 7])
    assert not filled[:, :, :3].any()
