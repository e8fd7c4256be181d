import numpy as np
import pytest

from slimlab import data
from slimlab.data import DataError
from slimlab.data.splits import NTU60, NTU120
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
    store = make_store([counting_clip(2 + i) for i in range(4)], subject=[1, 2, 3, -1], camera=[1, 1, 2, 2])
    with pytest.raises(DataError, match=r"clip 'clip3' has no known subject.*protocols that may fit: cross-view$"):
        data.split(store)
    assert np.array_equal(data.split(store, "cross-view")[1].column("camera"), [1, 1])


def test_a_copy_on_both_sides_is_refused_unless_allowed():
    """NW-UCLA copies in circulation: the same bytes under two cameras."""
    clips = [counting_clip(n) for n in (3, 4, 5, 4)]
    store = make_store(clips, subject=[1, 1, 2, 2], camera=[1, 2, 2, 1])
    for protocol in ("cross-subject", "cross-view"):
        with pytest.raises(DataError, match=r"both sides, 1 times: training clip 'clip1' is test clip 'clip3'"):
            data.split(store, protocol)
        assert sum(map(len, data.split(store, protocol, allow="duplicates"))) == 4
    with pytest.raises(DataError, match="it may hold duplicates"):
        data.split(store, allow="everything")
    empty = make_store([np.zeros((3, 1, 25, 3)), np.zeros((3, 1, 25, 3))], subject=[1, 2])
    assert len(data.split(empty)[0]) == 1  # two clips of nobody are no copies


def test_a_file_that_leaks_a_subject_is_refused_unless_allowed():
    store = make_store([counting_clip(n) for n in (3, 4, 5)], subject=[1, 2, 2], split=["train", "train", "test"])
    with pytest.raises(DataError, match=r"subjects on both sides \(2\)"):
        data.split(store, "file")
    assert len(data.split(store, "file", allow=["subjects"])[1]) == 1


def test_leave_one_out_tests_on_everyone_once(synthetic):
    sides = list(data.leave_one_out(synthetic))
    assert [sorted(set(test.table["subject"])) for _, test in sides] == [[s] for s in sorted(set(synthetic.table["subject"]))]
    for train, test in sides:
        assert len(train) + len(test) == len(synthetic) and not set(train.table["subject"]) & set(test.table["subject"])
    assert len(list(data.leave_one_out(synthetic, "camera"))) == 3
    with pytest.raises(DataError, match="one setup"):
        list(data.leave_one_out(synthetic[synthetic.column("setup") == 1], "setup"))


def test_folds_keep_subjects_together_and_are_even():
    store = make_store([counting_clip(n + 1) for n in range(40)], subject=np.repeat([1, 2, 3, 4, 5], [12, 10, 8, 6, 4]))
    tests = [test for _, test in data.folds(store, 3, seed=1)]
    assert sorted(n for t in tests for n in t.column("clip")) == sorted(store.column("clip"))
    seen = [set(t.table["subject"]) for t in tests]
    assert sum(map(len, seen)) == 5 and max(map(len, tests)) - min(map(len, tests)) <= 6
    again = [test.fingerprint for _, test in data.folds(store, 3, seed=1)]
    assert again == [t.fingerprint for t in tests]
    with pytest.raises(DataError, match="6 folds of 5 subjects"):
        list(data.folds(store, 6))
