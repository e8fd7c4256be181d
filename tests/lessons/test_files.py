"""The lesson's sample files are what their formats say, for every body; its exercise's check names mistakes."""

import numpy as np
import pytest

from slimlab import data, lessons
from slimlab.skeleton import COCO, KINECT_V1, Skeleton


@pytest.mark.parametrize("joints", [25, 20, 17, "shuffled"])
def test_every_sample_opens_and_moves_alike(tmp_path, synthetic, joints):
    few = synthetic[[0, 4, 60]]
    if joints == 20:
        few = data.on_body(few, KINECT_V1)
    elif joints == 17:
        few = data.from_arrays(np.random.default_rng(0).normal(0, 0.2, size=(3, 3, 9, 17, 1)), labels=[0, 1, 2], skeleton=COCO)
    elif joints == "shuffled":  # Kinect v1's joints in another order, as UTD-MHAD has them
        order = [3, 2, 1, 0, *range(4, 20)]
        parents = [order.index(KINECT_V1.parents[j]) if j else -1 for j in order]
        few = data.on_body(few, Skeleton([KINECT_V1.names[j] for j in order], parents))
    written = lessons.write_samples(few, tmp_path / "files")
    assert len(written) == {25: 7, 20: 5, 17: 3, "shuffled": 5}[joints]
    for format, path in written.items():
        read = data.on_body(data.open(path), few.skeleton)
        assert len(read) == len(few), format
        assert all(any(lessons.alike(clip, other, 1e-3) for other in read) for clip in few), format
    assert not lessons.alike(few[0], few[1])


def test_copies_are_smuggled_under_other_names(synthetic):
    train, test = data.split(synthetic, "cross-subject")
    leaky = lessons.with_copies(train, test, every=3)
    assert len(leaky) == len(train) + -(-len(test) // 3) and set(leaky.column("subject")) == set(train.column("subject"))
    with pytest.raises(data.DataError, match="same coordinates on both sides"):
        data.splits.checked(leaky, test, "a leak")
    planted = lessons.with_clips(synthetic[:5], [*(c.joints for c in synthetic[:5]), synthetic[2].joints], copy_of=2)
    assert data.report(planted).table["copies"].tolist() == ["", "", "renamed", "", "", synthetic[2].name]


def right(x):
    x = x.transpose(1, 3, 2, 0)
    used = np.flatnonzero(x.any(axis=(1, 2, 3)))
    return x[: used[-1] + 1 if len(used) else 1]


def without_gaps(x):
    x = x.transpose(1, 3, 2, 0)
    used = x.any(axis=(1, 2, 3))
    return x[used] if used.any() else x[:1]


@pytest.mark.parametrize(
    "wrong, says",
    [
        (without_gaps, "that is a gap"),
        (lambda x: x, "is asked for"),
        (lambda x: x.transpose(1, 3, 2, 0), "last used frame"),
        (lambda x: right(x)[:, :, :, ::-1], "mixes up"),
        (lambda x: x.transpose(1, 3, 2, 0)[: np.flatnonzero(x.any(axis=(0, 2, 3)))[-1:].sum() + x.any()], "keep one"),
        (lambda x: None, "no NumPy array"),
    ],
)
def test_trim(wrong, says):
    lessons.check_trim(right)
    with pytest.raises(lessons.NotYet) as told:
        lessons.check_trim(wrong)
    assert says in str(told.value), told.value
