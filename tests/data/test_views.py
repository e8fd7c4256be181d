"""Views against a naive reading of a clip, frame by frame."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from slimlab import data
from slimlab.data.views import BUFFER, sample_views
from slimlab.pretrain.config import PREPRINT_VIEWS, PRESETS
from slimlab.skeleton import Skeleton
from tests import reference
from tests.conftest import counting_clip, make_store

RELEASED = PRESETS["paper"].local_views


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbers(x: torch.Tensor) -> np.ndarray:
    """The frame numbers (from 1) that a view of counting clips shows: (…, 3, T, V, M) -> (…, T)."""
    return x[..., 0, :, 0, 0].double().numpy()


@given(st.lists(st.integers(1, 330), min_size=1, max_size=6), st.sampled_from([8, 16, 32, 64]))
@settings(max_examples=80, deadline=None)
def test_the_test_view_is_the_naive_one(lengths, frames):
    """Center 95 %, no fewer than `frames`: picked evenly, or interpolated where there are fewer."""
    store = make_store([counting_clip(t) for t in lengths])
    x, people, _ = data.test_view(store, range(len(store)), frames=frames)
    assert x.shape == (len(lengths), 3, frames, 25, 1) and x.dtype == torch.float32 and people.all()
    for view, valid in zip(numbers(x), lengths, strict=True):
        length = max(min(valid, frames), round(0.95 * valid))
        start = (valid - length) // 2
        places = [start + i * (length - 1) / (frames - 1) for i in range(frames)]
        expected = [p + 1 if length < frames else int(p + 1e-9) + 1 for p in places]
        np.testing.assert_allclose(view, expected, rtol=1e-6)
        assert view.min() >= 1 and view.max() <= valid  # never beyond the clip


@given(st.lists(st.integers(1, 330), min_size=1, max_size=6), st.sampled_from([8, 16, 32, 64]))
@settings(max_examples=40, deadline=None)
def test_the_released_test_view_differs_where_frames_are_more_than_the_view_has(lengths, frames):
    store = make_store([counting_clip(t) for t in lengths])
    ours, released = (view(store, range(len(store)), frames)[0] for view in (data.test_view, data.released_test_view))
    for row, valid in enumerate(lengths):
        length = max(min(valid, frames), round(0.95 * valid))
        if length <= frames:
            torch.testing.assert_close(released[row], ours[row])
            continue
        start = (valid - length) // 2
        np.testing.assert_array_equal(numbers(released)[row], [start + i * length // frames + 1 for i in range(frames)])


def test_crops_of_the_released_evaluation_may_be_shorter_than_the_view():
    store = make_store([counting_clip(50)] * 200)
    ours, released = (data.random_view(store, range(200), seeded(), 64, shortest=s)[0] for s in (None, 16))
    spans = np.ptp(numbers(released), axis=1) + 1
    assert (np.ptp(numbers(ours), axis=1) == 49).all()
    # 25 to 50 frames, evenly; ten seeds: mean 37.0 to 38.2
    assert spans.min() >= 24.9 and spans.max() <= 50.1 and 36 < spans.mean() < 39
    few = data.random_view(make_store([counting_clip(20)] * 200), range(200), seeded(), 64, shortest=16)[0]
    assert np.ptp(numbers(few), axis=1).min() >= 14.9


def test_the_test_view_starts_and_ends_where_people_do():
    x = counting_clip(100)
    x[:20] = 0
    x[80:] = 0
    view, _, _ = data.test_view(make_store([x]), [0], frames=64)
    assert numbers(view).min() == 21 and numbers(view).max() == 80  # 60 frames are there, all of them are used


def test_two_people_keep_their_places_and_an_absent_one_is_zero():
    pair = counting_clip(64, people=2)
    pair[:, 1] += 1000
    late = counting_clip(64, people=2)
    late[:32, 1] = 0
    store = make_store([pair, counting_clip(64), late])
    x, people, _ = data.test_view(store, [0, 1, 2], frames=64)
    assert people.tolist() == [[True, True], [True, False], [True, True]]
    assert (x[0, ..., 1] - x[0, ..., 0] == 1000).all() and not x[1, ..., 1].any()
    assert not x[2, :, :32, :, 1].any() and (x[2, :, 32:, :, 1] == x[2, :, 32:, :, 0]).all()


def test_an_empty_clip_gives_zeros_and_nobody():
    x, people, _ = data.test_view(make_store([np.zeros((5, 1, 25, 3), np.float32), counting_clip(3)]), [0, 1])
    assert not x[0].any() and people.tolist() == [[False], [True]] and np.isfinite(x.numpy()).all()


def test_resampled_is_linear_interpolation_of_the_whole_clip(synthetic):
    store = synthetic[::13]
    x, _, _ = data.resampled(store, range(len(store)), frames=50)
    for i, clip in enumerate(store):
        t = np.linspace(0, len(clip.joints) - 1, 50)
        for person, joint, axis in ((0, 3, 1), (0, 20, 2)):
            expected = np.interp(t, np.arange(len(clip.joints)), clip.joints[:, person, joint, axis])
            np.testing.assert_allclose(x[i, axis, :, joint, person], expected, atol=1e-5)


def test_views_do_not_depend_on_the_order_of_the_batch(synthetic):
    together, _, _ = data.test_view(synthetic, [4, 50, 9])
    for row, i in enumerate([4, 50, 9]):
        torch.testing.assert_close(together[row], data.test_view(synthetic, [i])[0][0], rtol=0, atol=0)


@given(st.lists(st.integers(1, 400), min_size=2, max_size=8), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_sampled_views_have_their_shapes_and_stay_in_the_clip(lengths, seed):
    store = make_store([counting_clip(t) for t in lengths])
    views = sample_views(store, range(len(store)), seeded(seed))
    batch = len(lengths)
    assert views.globals.shape == (2, batch, 3, 64, 25, 1) and views.origin.shape == (batch, 3)
    assert [tuple(v.shape) for v in views.locals] == [(2, batch, 3, 32, 25, 1), (4, batch, 3, 16, 25, 1), (2, batch, 3, 8, 25, 1)]
    for group in (views.globals, *views.locals):
        for view in numbers(group):
            for frames, valid in zip(view, lengths, strict=True):
                assert frames.min() >= 1 and frames.max() <= valid
                if valid >= BUFFER:
                    assert (np.diff(frames) >= 0).all()  # in order; no reflection at these lengths


def test_local_views_lie_inside_their_global_view():
    store = make_store([counting_clip(300)] * 16)
    views = sample_views(store, range(16), seeded(), global_range=(0.5, 0.6))
    whole = numbers(views.globals)  # (2, B, T)
    for group in views.locals:
        each = len(group) // 2
        for number, view in enumerate(numbers(group)):
            outer = whole[number // each]
            # bins jitter inside the interval: its edges are known to within one bin of the global view
            slack = 300 * 0.6 / 64 + 1
            assert (view.min(axis=1) >= outer.min(axis=1) - slack).all() and (view.max(axis=1) <= outer.max(axis=1) + slack).all()


def test_local_views_may_be_kept_to_the_first_global_view():
    store = make_store([counting_clip(300)] * 16)
    views = sample_views(store, range(16), seeded(2), local_views=PREPRINT_VIEWS)
    assert [tuple(v.shape[:4]) for v in views.locals] == [(1, 16, 3, 32), (1, 16, 3, 16), (1, 16, 3, 8)]
    first, second = numbers(views.globals)
    for group in views.locals:
        view, slack = numbers(group)[0], 300 / 64 + 1
        assert (view.min(axis=1) >= first.min(axis=1) - slack).all() and (view.max(axis=1) <= first.max(axis=1) + slack).all()
    inside = [(v.min(1) >= second.min(1)) & (v.max(1) <= second.max(1)) for v in (numbers(g)[0] for g in views.locals)]
    assert not np.all(inside)


@pytest.mark.parametrize("local_views", [RELEASED, PREPRINT_VIEWS], ids=["released", "preprint"])
@pytest.mark.parametrize("valid", [300, 70, 37, 16])
def test_views_have_the_distributions_of_the_naive_ones(valid, local_views):
    """First, last and a middle frame, and the span, of the views of each length: Kolmogorov-Smirnov against a loop."""
    body = Skeleton(["a", "b"], [-1, 0])
    views = sample_views(make_store([counting_clip(valid, joints=2)], body), [0] * 1500, seeded(7), local_views=local_views)
    rng, naive = np.random.default_rng(1), {}
    inside = [v[:3] for v in local_views]
    for _ in range(300):
        for window, places, _ in reference.views(valid, rng, inside, parents=1 if len(local_views[0]) == 4 else 2):
            naive.setdefault(window, []).append(places + 1)
    for group in (views.globals, *views.locals):
        ours = numbers(group).reshape(-1, group.shape[3])
        loop = np.stack(naive[group.shape[3]])
        whats = (lambda f: f[:, 0], lambda f: f[:, -1], lambda f: f[:, f.shape[1] // 2], lambda f: f[:, -1] - f[:, 0])
        for what in whats:
            test = stats.ks_2samp(what(ours).round(3), what(loop).round(3), method="asymp")
            assert test.statistic < 0.02 or test.pvalue > 1e-3, (valid, group.shape[3])


def test_the_parts_of_a_clip_are_uniform():
    """Span of the global views over the clip: uniform between the bounds, position uniform over what is left."""
    store = make_store([counting_clip(1000)] * 64)
    frames = np.concatenate([numbers(sample_views(store, range(64), seeded(s)).globals).reshape(-1, 64) for s in range(8)])
    span = (frames[:, -1] - frames[:, 0]) / 1000
    # ten seeds: 0.7365 to 0.7422, from 0.487; 1 to 3 and 997 to 1000
    assert abs(span.mean() - 0.74) < 0.02 and span.min() > 0.45 and span.max() <= 1.0  # half a bin is lost at each end
    assert frames[:, 0].min() < 30 and frames[:, -1].max() > 970


def test_released_views_of_short_long_and_tiny_clips():
    """Ends repeated, bins that share no frame, lengths rounded down, a reserve that repeats the frame it turns at."""
    body = Skeleton(["a", "b"], [-1, 0])

    def seen(valid, part=(1.0, 1.0), seed=0):
        store = make_store([counting_clip(valid, joints=2)] * 50, body)
        return numbers(sample_views(store, range(50), seeded(seed), 64, part, (), released=True).globals).reshape(-1, 64)

    expected = [min(max((i + 0.5) * 40 / 64 - 0.5, 0), 39) + 1 for i in range(64)]  # torch's align_corners=False
    np.testing.assert_allclose(seen(40), np.tile(expected, (100, 1)), rtol=1e-6)
    like = torch.nn.functional.interpolate(torch.arange(1.0, 41)[None, None], size=64, mode="linear")[0, 0]
    np.testing.assert_allclose(expected, like, rtol=1e-6)
    for view in seen(150):
        assert len(set(view)) == 64 and (np.diff(view) > 0).all()
        assert ((view - 1) // (150 / 64)).astype(int).tolist() == list(range(64)) or all(
            i * 150 // 64 <= f - 1 < (i + 1) * 150 // 64 for i, f in enumerate(view)
        )
    spans = {int(np.ptp(v)) + 1 for v in seen(63, (0.5, 0.5))}  # 31.5 frames: 31, never 32
    assert spans == {31}
    reserve = [1, 2, 3, 3, 2, 1] * 25
    for view in seen(3):
        picked = view[view == view.round()].astype(int)
        assert set(picked) <= {1, 2, 3}
    whole = sample_views(make_store([counting_clip(3, joints=2)], body), [0], seeded(), 150, (1.0, 1.0), (), released=True)
    assert numbers(whole.globals)[0, 0].tolist() == reserve


def test_between_one_and_two_windows_frames_are_a_subset_in_order():
    store = make_store([counting_clip(100)] * 8)
    views = sample_views(store, range(8), seeded(1), global_range=(1.0, 1.0))
    for frames in numbers(views.globals).reshape(-1, 64):
        assert (np.diff(frames) > 0).all() and (frames == frames.round()).all()


def test_between_one_and_two_windows_the_released_code_skips_a_frame_at_most():
    """As its loader does it: which of window + 1 places skip a frame is drawn, all sets alike."""
    store = make_store([counting_clip(90)])
    rng, gaps, first = torch.Generator().manual_seed(0), [], []
    for _ in range(200):
        views = data.sample_views(store, [0], rng, 64, (1.0, 1.0), (), released=True)
        time = views.globals[:, 0, 0, :, 0, 0]  # (2, 64) the frame's number
        gaps.append(time.diff(dim=1))
        first.append(time[:, 0])
    gaps, first = torch.cat(gaps).round(), torch.cat(first).round()
    assert set(gaps.unique().tolist()) == {1.0, 2.0}
    skipped = (gaps - 1).mean(dim=0)  # of 26 skips in 65 places: 0.4 anywhere
    assert skipped.mean() == pytest.approx(0.4, abs=0.01) and (skipped - 0.4).abs().max() < 0.1  # 4 standard errors
    assert (first - first.min()).mean() == pytest.approx(0.4, abs=0.1)
    plain = data.sample_views(store, [0], rng, 64, (1.0, 1.0), ())
    assert plain.globals[:, 0, 0, :, 0, 0].diff(dim=1).max() > 2


def test_same_seed_same_views_and_other_seed_others(synthetic):
    first, again, other = (sample_views(synthetic, range(20), seeded(s)) for s in (3, 3, 4))
    assert torch.equal(first.globals, again.globals) and not torch.equal(first.globals, other.globals)
    assert all(torch.equal(a, b) for a, b in zip(first.locals, again.locals, strict=True))


def test_each_person_is_drawn():
    pair = counting_clip(80, people=2)
    pair[:, 1] += 1000
    views = sample_views(make_store([pair] * 200), range(200), seeded())
    second = (numbers(views.globals)[0, :, 0] > 1000).mean()
    assert 0.35 < second < 0.65  # ten seeds: 0.465 to 0.545
    assert ((numbers(views.globals)[0, :, 0] > 1000) == (numbers(views.locals[0])[1, :, 0] > 1000)).all()  # one clip, one person


def test_origin_is_the_center_joint_of_the_first_frame(synthetic):
    one = synthetic[synthetic.column("people") == 1]
    views = sample_views(one, range(10), seeded())
    for i in range(10):
        np.testing.assert_array_equal(views.origin[i], one[i].joints[0, 0, one.skeleton.center])


def test_an_empty_clip_has_no_views():
    with pytest.raises(ValueError, match="empty"):
        sample_views(make_store([np.zeros((5, 1, 25, 3), np.float32)]), [0], seeded())


@given(st.lists(st.integers(0, 200), max_size=4), st.sampled_from([8, 64]), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_random_views_are_crops_in_order(lengths, frames, seed):
    """Half of the frames at least (no fewer than `frames`), never beyond the clip, in time's order; same seed, same view."""
    lengths = [100, *lengths]
    store = make_store([counting_clip(t) if t else np.zeros((3, 1, 25, 3), np.float32) for t in lengths])
    x, people, _ = data.random_view(store, range(len(store)), seeded(seed), frames)
    again, _, _ = data.random_view(store, range(len(store)), seeded(seed), frames)
    assert torch.equal(x, again) and x.shape == (len(lengths), 3, frames, 25, 1)
    assert people[:, 0].tolist() == [t > 0 for t in lengths]
    for view, valid in zip(numbers(x), lengths, strict=True):
        if not valid:
            assert not view.any()
            continue
        assert (np.diff(view) >= 0).all() and view.min() >= 1 and view.max() <= valid
        shortest = min(valid, max(frames, round(0.5 * valid)))
        if valid <= frames:  # the whole clip, stretched
            np.testing.assert_allclose(view, np.linspace(1, valid, frames), rtol=1e-5)
        else:
            assert len(set(view)) == frames or valid >= 2 * frames  # a random subset; bins that share a frame can both take it
            if shortest >= 2 * frames:  # one frame of every bin
                assert np.ptp(view) >= shortest * (1 - 2 / frames) - 1


def test_random_views_cover_the_asked_part_and_keep_all_people():
    pair = counting_clip(400, people=2)
    pair[:, 1] += 1000
    store = make_store([pair] * 50)
    x, people, _ = data.random_view(store, range(50), seeded(), frames=16, part=(0.5, 1.0))
    assert people.all() and (x[..., 1] - x[..., 0] == 1000).all()
    covered = np.ptp(numbers(x), axis=1)
    # ten seeds: 182 to 195, 363 to 392, 149 to 187
    assert 0.4 * 400 < covered.min() < 0.6 * 400 and covered.max() > 0.82 * 400 and np.ptp(numbers(x)[:, 0]) > 100


def test_a_set_of_empty_clips_gives_empty_views():
    store = make_store([np.zeros((5, 1, 25, 3), np.float32)] * 2)
    x, people, _ = data.test_view(store, [0, 1], frames=8)
    assert x.shape[:4] == (2, 3, 8, 25) and not x.any() and not people.any()
