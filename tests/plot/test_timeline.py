"""The figure of a long recording holds the numbers that it is given."""

import numpy as np
import pandas as pd
import pytest

from slimlab import plot

TABLE = pd.DataFrame(
    {
        "first_frame": [0, 15, 30, 45],
        "time": [1.0, 1.5, 2.0, 2.5],
        "label": ["b", "a", "", "b"],
        "confidence": [0.9, 0.4, 0.0, 0.8],
        "change": [0.0, 0.5, 0.1, 0.1],
        "boundary": [False, True, False, False],
    }
)
TRUTH = pd.DataFrame({"start": [0.0, 1.2, 2.2], "end": [1.2, 2.0, 4.0], "label_name": ["b", "a", "$c_{<b>"]})


def test_marks_stand_in_the_rows_of_their_classes():
    figure = plot.timeline(TABLE, TRUTH, names=["a", "b"], title="a recording")
    label, confidence, change = figure.axes
    assert [t.get_text() for t in label.get_yticklabels()] == ["a", "b", "$c_{<b>"]
    marks = next(line for line in label.lines if line.get_label() == "label of a window")
    assert marks.get_xydata().tolist() == [[1.0, 1], [1.5, 0], [2.5, 1]]
    strips = [c.get_paths()[0].get_extents().extents.tolist() for c in label.collections]
    np.testing.assert_allclose(strips, [[0, 0.58, 1.2, 1.42], [1.2, -0.42, 2, 0.42], [2.2, 1.58, 4, 2.42]])
    np.testing.assert_allclose(confidence.lines[0].get_ydata(), TABLE["confidence"])
    assert change.lines[1].get_xydata().tolist() == [[1.5, 0.5]]
    assert figure.data["true"].tolist() == ["b", "a", "", "$c_{<b>"]


def test_the_table_stands_beside_the_file(tmp_path):
    figure = plot.timeline(TABLE.assign(novelty=[0, 1, 0.5, 0.2]))
    assert [ax.get_ylabel() for ax in figure.axes[1:]] == ["confidence", "novelty", "change"] and "true" not in figure.data
    plot.save(figure, tmp_path / "timeline.pdf")
    assert pd.read_csv(tmp_path / "timeline.csv")["time"].tolist() == TABLE["time"].tolist()


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="no windows"):
        plot.timeline(TABLE[:0])
    with pytest.raises(ValueError, match="truth has no column start, end"):
        plot.timeline(TABLE, TRUTH[["label_name"]])
