import numpy as np
import pandas as pd
import pytest

from slimlab import plot


def robust():
    rows = [
        {"features": f, "classifier": c, "corruption": k, "severity": s, "unit": "metres"}
        | {"accuracy": 0.9 - 0.1 * s - 0.1 * (f == "raw"), "low": 0.1, "high": 0.95}
        for f in ("raw", "encoder")
        for c in ("kNN", "probe")
        for k in ("noise", "frame rate", "view rotation", "missing joints")
        for s in (0.0, 1.0, 2.0)
    ]
    return pd.DataFrame(rows)


def test_a_panel_a_corruption_and_a_line_a_kind_of_features():
    table = robust()
    figure = plot.robustness(table)
    seen = [ax for ax in figure.axes if ax.get_visible()]
    assert [ax.get_title(loc="left") for ax in seen] == ["noise", "frame rate", "view rotation", "missing joints"]
    for ax in seen:
        np.testing.assert_allclose([line.get_ydata() for line in ax.lines], [[0.8, 0.7, 0.6], [0.9, 0.8, 0.7]])
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "1", "2"] and len(ax.collections) == 2
    assert (figure.data["classifier"] == "kNN").all() and len(figure.data) == 24
    assert not plot.robustness(table.assign(low=np.nan), "probe").axes[0].collections
    with pytest.raises(ValueError, match="it has kNN, probe"):
        plot.robustness(table, "svm")


def test_label_curves_show_mean_and_spread():
    rows = [
        {"features": f, "classifier": "kNN", "labels": w, "label_clips": n, "seed": s, "accuracy": 0.1 * s + n / 100}
        for f in ("raw", "encoder")
        for w, n in (("10 %", 10), ("50 %", 50))
        for s in (0, 1)
    ]
    figure = plot.label_curve(pd.DataFrame(rows))
    lines = figure.axes[0].containers
    assert len(lines) == 2
    np.testing.assert_allclose(lines[0].lines[0].get_ydata(orig=False), [0.15, 0.55])
    assert "2 seeds" in figure.axes[0].get_title(loc="left")
