"""The report finds each planted fault, and only there; its figures equal plain loops."""

import numpy as np
import pytest

from slimlab import data
from tests.conftest import make_store


def test_figures_equal_a_plain_loop(synthetic):
    store = synthetic[[0, 3, 50]]
    table = data.report(store).table
    for i, clip in enumerate(store):
        turns, still, frames = [], 0, 0
        for m in range(clip.joints.shape[1]):
            x = clip.joints[clip.valid[:, m], m].astype(np.float64)
            turns += [np.linalg.norm(x[t + 1, j] - 2 * x[t, j] + x[t - 1, j]) for t in range(1, len(x) - 1) for j in range(25)]
            still += sum(np.array_equal(x[t], x[t - 1]) for t in range(1, len(x)))
            frames += len(x) - 1
        assert table["jitter"][i] == pytest.approx(np.median(turns), rel=1e-3)
        assert table["frozen"][i] == pytest.approx(still / frames)
        x = clip.joints[clip.valid[:, 0], 0].astype(np.float64)
        lengths = np.array([[np.linalg.norm(f[j] - f[p]) for p, j in store.skeleton.bones] for f in x])
        if clip.joints.shape[1] == 1:
            assert table["bones"][i] == pytest.approx(np.median(lengths.std(axis=0) / lengths.mean(axis=0)), rel=1e-3)


def test_planted_faults_are_found(synthetic):
    good = data.clean.smooth(synthetic[:1], 9)[0].joints[:, :1]
    frozen, shaken, ghost, away = (good.copy() for _ in range(4))
    frozen[10:] = frozen[10]
    shaken += np.random.default_rng(0).normal(0, 0.1, shaken.shape).astype(np.float32)
    ghost[..., 1] *= 0.05
    away[3:6] = 0
    clips = [good, frozen, shaken, ghost, away, good.copy(), np.zeros((4, 1, 25, 3))]
    report = data.report(make_store(clips, camera=[1, 2, 1, 1, 1, 2, 1], subject=[1, 1, 2, 2, 3, 3, 3]))
    reasons = report.table["reasons"].tolist()
    assert reasons[0] == reasons[5] == "copy" and reasons[1] == "frozen" and set(reasons[2].split()) == {"jitter", "bones"}
    assert "ghosts" in reasons[3] and report.table["ghosts"][3] == "person 0: too wide"
    assert reasons[4] == "gaps" and report.table["empty_frames"][4] == 3 and reasons[6] == "empty"
    facts = dict(zip(report.summary["what"], report.summary["value"], strict=True))
    assert facts["clips copied across cameras"] == "1-2: 1" and facts["clips copied across subjects"] == "1-3: 1"
    assert facts["subjects"].startswith("3, ") and facts["classes"] == "unknown" and facts["clips to look at"] == 7
    assert report.table["copies"].tolist() == ["clip5", "", "", "", "", "clip0", ""] and len(report.look_at) == 7
    assert "7 to look at" in repr(report)


def test_a_real_set_is_mostly_sound(utd):
    part = utd[np.arange(0, len(utd), 20)]
    report = data.report(part)
    assert len(report.look_at) < 0.2 * len(part)
    assert (report.table["jitter"] < 0.05).all()


def test_a_set_that_shakes_as_a_whole_is_judged_by_itself(synthetic):
    """Not most of the synthetic clips, but the one that shakes more than they do."""
    found = data.report(synthetic)
    # ten sets: 3 to 7 %, 0.057 to 0.073
    assert len(found.look_at) < 0.2 * len(synthetic) and found.limits["jitter"] > 0.03 and found.limits["bones"] == 0.15
    clips = [clip.joints[:, :1] for clip in synthetic[:30]]
    clips[4] = clips[4] + np.random.default_rng(0).normal(0, 0.1, clips[4].shape).astype(np.float32)
    shaken = data.report(make_store(clips))
    assert "jitter" in shaken.table["reasons"][4] and shaken.table["reasons"].str.contains("jitter").sum() == 1
    facts = dict(zip(shaken.summary["what"], shaken.summary["value"], strict=True))
    assert "this set's own outliers" in facts["jitter, median (mm)"]
    values = np.sort(shaken.table["jitter"].to_numpy())
    first, third = values[len(values) // 4], values[3 * len(values) // 4]
    assert shaken.limits["jitter"] == pytest.approx(third * (third / first) ** 1.5, rel=0.2)


def test_a_clean_set_is_judged_by_what_is_usual(utd):
    assert data.report(utd[::20]).limits == {"frozen": 0.3, "jitter": 0.03, "bones": 0.15}
