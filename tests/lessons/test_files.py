"""The lesson's sample files are what their formats say, for every body; the checks of its exercises name mistakes."""

import numpy as np
import pytest
import torch

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


def first_person(x):
    x = x.transpose(1, 3, 2, 0)
    used = np.flatnonzero(x[:, 0].any(axis=(1, 2)))
    return x[: used[-1] + 1 if len(used) else 1]


def without_beginning(x):
    x, used = right(x), np.flatnonzero(x.any(axis=(0, 2, 3)))
    return x[used[0] :] if len(used) else x


@pytest.mark.parametrize(
    "wrong, says",
    [
        (without_gaps, "that is a gap"),
        (first_person, "the first person alone"),
        (without_beginning, "before somebody comes in"),
        (lambda x: x, "is asked for"),
        (lambda x: x.transpose(1, 3, 2, 0), "last used frame"),
        (lambda x: right(x)[:, :, :, ::-1], "mixes up"),
        (lambda x: x.transpose(1, 3, 2, 0)[: np.flatnonzero(x.any(axis=(0, 2, 3)))[-1:].sum() + x.any()], "keep one"),
        (lambda x: None, "no NumPy array"),
        (lambda x: "ten frames", "no NumPy array"),
    ],
)
def test_trim(wrong, says):
    for form in (np.asarray, np.float64, torch.tensor, np.ndarray.tolist):
        lessons.check_trim(lambda x, form=form: form(right(x)))
    with pytest.raises(lessons.NotYet) as told:
        lessons.check_trim(wrong)
    assert says in str(told.value), told.value


def sides(subjects, digests, held_out, empty_too=False, copies=False, both=False):
    testing = np.isin(subjects, held_out)
    known = [d for d in digests[testing] if d or empty_too]
    left_out = np.isin(digests, [] if copies else known)
    return np.flatnonzero(~testing & ~left_out), np.flatnonzero(testing & ~(left_out & both))


def by_name(subjects, digests, held_out):
    train, test = sides(subjects, digests, held_out, copies=True)
    return [i for i in train if f"clip {i}" not in {f"clip {j}" for j in test}], test


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda *a: sides(*a, empty_too=True), "no copy of another"),
        (lambda *a: sides(*a, copies=True), "has the digest of a test clip"),
        (lambda *a: sides(*a, both=True), "the test side is"),
        (by_name, "has the digest of a test clip"),
        (lambda s, d, h: (~np.isin(s, h), np.isin(s, h)), "masks"),
        (lambda s, d, h: (np.arange(len(s)), sides(s, d, h)[1]), "on both sides"),
        (lambda s, d, h: (sides(s, d, h)[0][1:], sides(s, d, h)[1]), "nothing else"),
        (lambda s, d, h: None, "returned nothing"),
        (lambda s, d, h: 5, "two arrays"),
    ],
)
def test_sides(wrong, says):
    for form in (list, tuple, lambda pair: [set(map(int, side)) for side in pair], lambda pair: tuple(map(torch.tensor, pair))):
        lessons.check_sides(lambda *a, form=form: form(sides(*a)))
    with pytest.raises(lessons.NotYet) as told:
        lessons.check_sides(wrong)
    assert says in str(told.value), told.value


def carry(rows, names, new_names, parents):
    def place(joint):
        return names.index(new_names[joint]) if new_names[joint] in names else place(parents[joint])

    return rows[[place(joint) for joint in range(len(new_names))]]


def in_index_order(rows, names, new_names, parents):
    out = np.zeros((len(new_names), rows.shape[1]))
    for joint, name in enumerate(new_names):
        out[joint] = rows[names.index(name)] if name in names else out[parents[joint]]
    return out


def otherwise(rows, names, new_names, parents, row):
    return np.stack([rows[names.index(n)] if n in names else row(rows) for n in new_names])


@pytest.mark.parametrize(
    "wrong, says",
    [
        (in_index_order, "Fill parents first"),
        (lambda r, n, m, p: r[np.arange(len(m)) % len(r)], "go by names"),
        (lambda *a: otherwise(*a, lambda rows: 0 * rows[0]), "leaves neck empty"),
        (lambda *a: otherwise(*a, lambda rows: rows.mean(axis=0)), "the mean of all rows"),
        (lambda *a: otherwise(*a, lambda rows: rows[-1] + 0), "nearest ancestor with a counterpart is|the last row"),
        (lambda *a: carry(*a)[1:], "shape"),
        (lambda *a: None, "returned no"),
    ],
)
def test_carry(wrong, says):
    for form in (np.asarray, np.float64, torch.tensor, np.ndarray.tolist):
        lessons.check_carry(lambda *a, form=form: form(carry(*a)))
    with pytest.raises(lessons.NotYet, match=says):
        lessons.check_carry(wrong)
