import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.data.protocols import NTU60, NTU120
from tests.conftest import counting_clip, make_store


def test_sides_are_whole_disjoint_and_by_the_rule(synthetic):
    rules = {
        "cross-subject": lambda t: t["subject"] % 2 == 1,
        "cross-view": lambda t: t["camera"] != 1,
        "cross-setup": lambda t: t["setup"] % 2 == 0,
        "ntu60-xview": lambda t: t["camera"].isin([2, 3]),
        "ntu60-xsub": lambda t: t["subject"].isin(NTU60),
        "ntu120-xset": lambda t: t["setup"] % 2 == 0,
    }
    store = data.synthetic(clips=480, seed=0)
    for protocol, rule in rules.items():
        train, test = data.split(store, protocol)
        assert rule(train.table).all() and not rule(test.table).any()
        assert sorted([*train.column("clip"), *test.column("clip")]) == sorted(store.column("clip"))


def test_the_benchmarks_lists_have_their_published_sizes():
    assert len(NTU60) == 20 and len(NTU120) == 53 and max(NTU60) <= 40 and max(NTU120) <= 106
    # Shahroudy et al. 2016, section 4.2.1
    assert sorted(NTU60) == [1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38]
    # Liu et al. 2019, section 4.1
    more = "45 46 47 49 50 52 53 54 55 56 57 58 59 70 74 78 80 81 82 83 84 85 86 89 91 92 93 94 95 97 98 100 103"
    assert sorted(NTU120 - NTU60) == [int(v) for v in more.split()]


def test_training_subjects_may_be_named(synthetic):
    train, test = data.split(synthetic, "cross-subject", train_subjects=[2, 3])
    assert set(train.table["subject"]) == {2, 3} and not set(test.table["subject"]) & {2, 3}


def test_a_split_can_be_split_again(synthetic):
    train, _ = data.split(synthetic, "cross-subject")
    inner, held_out = data.split(train, "cross-subject", train_subjects=[1])
    assert len(inner) + len(held_out) == len(train) and set(held_out.table["subject"]) == set(train.table["subject"]) - {1}


@pytest.mark.parametrize(
    "protocol, subjects, says",
    [
        ("crosssubject", None, "choose one of cross-subject"),
        ("cross-view", [1], "goes with 'cross-subject'"),
        ("file", None, "no train and test side of its own"),
        ("cross-subject", [99], "leaves the training side empty; subjects here: 1, 2"),
    ],
)
def test_impossible_splits_are_refused(synthetic, protocol, subjects, says):
    with pytest.raises(DataError) as caught:
        data.split(synthetic, protocol, train_subjects=subjects)
    assert says in str(caught.value)


def test_an_unknown_column_is_named_with_what_fits():
    store = make_store([counting_clip(2)] * 4, subject=[1, 2, 3, -1], camera=[1, 1, 2, 2])
    with pytest.raises(DataError, match=r"clip 'clip3' has no known subject.*protocols that may fit: cross-view$"):
        data.split(store)
    assert np.array_equal(data.split(store, "cross-view")[1].column("camera"), [1, 1])
