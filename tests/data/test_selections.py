"""Labels given to a selection, and a store without it: always copies."""

import numpy as np
import pytest

from slimlab import data


def test_a_label_is_given_to_a_copy_alone(synthetic):
    before, names = synthetic.labels.copy(), synthetic.label_names
    copy = data.relabel(synthetic, [3, 5], " odd ")
    assert copy.label_names == (*names, "odd") and copy.labels[[3, 5]].tolist() == [len(names)] * 2
    assert copy.column("label_name")[3] == "odd" and copy.fps == synthetic.fps and copy.max_people == synthetic.max_people
    others = np.setdiff1d(np.arange(len(synthetic)), [3, 5])
    np.testing.assert_array_equal(copy.labels[others], before[others])
    np.testing.assert_array_equal(synthetic.labels, before)
    assert synthetic.label_names == names and "odd" not in synthetic.column("label_name")
    np.testing.assert_array_equal(copy[3].joints, synthetic[3].joints)
    again = data.relabel(copy, np.arange(len(copy)) < 2, names[1])  # a class that is there, a mask
    assert again.label_names == copy.label_names and again.labels[:2].tolist() == [1, 1]


def test_classes_that_have_only_a_number_keep_it(synthetic):
    bare = data.ClipStore(synthetic.arrays, synthetic.table.assign(label_name=""), synthetic.skeleton)
    copy = data.relabel(bare, [0], "new")
    assert copy.labels[0] == synthetic.labels.max() + 1 == len(copy.label_names) - 1
    np.testing.assert_array_equal(copy.labels[1:], synthetic.labels[1:])


def test_clips_are_left_out_and_bad_selections_are_refused(synthetic):
    rest = data.exclude(synthetic, [0, -1])
    assert len(rest) == len(synthetic) - 2
    np.testing.assert_array_equal(rest.column("clip"), synthetic.column("clip")[1:-1])
    for bad in ("", "  ", 3):
        with pytest.raises(ValueError, match="name of the class"):
            data.relabel(synthetic, [0], bad)
    for act in (data.exclude, lambda s, c: data.relabel(s, c, "a")):
        with pytest.raises(IndexError, match="clips are numbered from 0"):
            act(synthetic, [len(synthetic)])


def test_a_selection_is_exported_with_its_new_labels(synthetic, tmp_path):
    copy = data.relabel(synthetic, [3, 5], "odd")[[3, 5]]
    read = data.open(data.export(copy, tmp_path / "odd"))
    assert len(read) == 2 and set(read.column("label_name")) == {"odd"}
