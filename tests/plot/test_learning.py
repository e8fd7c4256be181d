"""Pictures of learning: what they draw is what they were given."""

import numpy as np
import pandas as pd
import pytest
import torch

from slimlab import analysis, losses, plot
from slimlab.analysis import projection
from slimlab.pretrain.config import Config
from slimlab.pretrain.schedules import learning_rate


def logits(samples=9, prototypes=5):
    return torch.randn(samples, prototypes, generator=torch.Generator().manual_seed(0)) / 4


def test_sinkhorns_stages_end_where_the_library_does():
    x = logits()
    stages = analysis.sinkhorn_stages(x, 0.1, 3)
    assert [n for n, _ in stages] == ["exp", "columns 1", "rows 1", "columns 2", "rows 2", "columns 3", "rows 3"]
    for name, q in stages:
        assert float(q.sum()) == pytest.approx(1)
        if name != "exp":
            sums = q.sum(0 if name.startswith("columns") else 1)
            torch.testing.assert_close(sums, torch.full_like(sums, 1 / len(sums)))
    torch.testing.assert_close(9 * stages[-1][1].float(), losses.sinkhorn_knopp(x, 0.1), atol=1e-5, rtol=1e-4)


def test_assignments_show_matrix_and_sums():
    stages = analysis.sinkhorn_stages(logits(), 0.1)[:3]
    figure = plot.assignments(stages)
    assert len(figure.axes) == 12
    bars = [p.get_height() for p in figure.axes[0].patches]
    np.testing.assert_allclose(bars, stages[0][1].sum(0), rtol=1e-6)
    assert figure.data["share"].sum() == pytest.approx(3) and len(figure.data) == 3 * 45


def test_schedules_are_the_trainers():
    config = Config(steps=200)
    figure = plot.schedules(config)
    data = figure.data.set_index("step")
    assert all(data["lr"][s] == learning_rate(config, s) for s in data.index)
    assert data["momentum"].is_monotonic_increasing and len(figure.axes) == 4


def test_runs_lie_over_one_another_and_may_lack_a_column():
    metrics = pd.DataFrame({"step": range(6), "glcl": np.linspace(5, 4, 6), "knn": [np.nan] * 5 + [0.4]})
    figure = plot.runs({"a": metrics, "b": metrics.drop(columns="knn")}, ["glcl", "knn"], smooth=1)
    assert [len(ax.lines) for ax in figure.axes] == [2, 1]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), metrics["glcl"])
    assert figure.axes[1].lines[0].get_xdata().tolist() == [5]
    assert set(figure.data["run"]) == {"a", "b"}


def test_planes_have_a_panel_each_and_their_own_colours():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4))
    labels = np.arange(30) % 3
    planes = {"one": projection.fit(x, labels=labels), "two": projection.fit(2 * x + 5, labels=labels)}
    figure = plot.planes(planes, labels, legend=True)
    drawn = [ax for ax in figure.axes if ax.collections]
    assert len(drawn) == 2 and all(len(ax.collections) == 3 for ax in drawn)
    assert "trust" in drawn[0].get_title(loc="left") and "same label" in drawn[0].get_title(loc="left")
    other = plot.planes(planes, {"one": labels, "two": np.zeros(30)}, shared=True)
    drawn = [ax for ax in other.axes if ax.collections]
    assert [len(ax.collections) for ax in drawn] == [3, 1] and drawn[0].get_xlim() == drawn[1].get_xlim()
    assert len(other.data) == 60


def test_norms_show_median_and_largest():
    rows = [{"layer": layer, "kind": kind, "norm": n} for layer in (0, 1) for kind in ("cls", "cell") for n in (1.0, 2.0, 9.0)]
    figure = plot.token_norms(pd.DataFrame(rows))
    cells = figure.axes[0].collections[1].get_offsets()
    np.testing.assert_allclose(cells[:, 1], 2.0)
    assert figure.data["max"].tolist() == [9.0] * 4
