"""TrainingMonitor, kernel side: the loop is the library's, stop and go on give the numbers of an uninterrupted run."""

import asyncio

import numpy as np
import pytest

from slimlab import plot, pretrain, widgets
from slimlab.plot.training import PANELS, POINTS, training_values
from tests.plot.test_plot import metrics


async def until(condition):
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")


async def test_start_pause_stop_and_go_on_to_the_same_numbers(synthetic, quick, tmp_path):
    whole = pretrain.fit(synthetic, quick, folder=tmp_path / "whole", progress=False).metrics
    monitor = widgets.TrainingMonitor(synthetic, config=quick, folder=tmp_path / "parts", beside=(tmp_path / "whole",))
    monitor.start_button.click()
    await until(lambda: len(monitor.metrics) >= 2)
    monitor.pause_button.click()
    assert monitor.status == "paused"
    await asyncio.sleep(0.1)
    at = len(monitor.metrics)
    await asyncio.sleep(0.3)
    assert len(monitor.metrics) == at < 12
    monitor.stop_button.click()
    await until(lambda: not monitor.running)
    assert monitor.status == "stopped" and pretrain.Run(tmp_path / "parts").about["status"] == "interrupted"
    run = await monitor.train()
    assert monitor.status == "finished" and run.about["status"] == "finished"
    columns = ["step", "loss", "glcl", "mfm", "knn"]
    np.testing.assert_array_equal(run.metrics[columns].to_numpy(), whole[columns].to_numpy())
    np.testing.assert_array_equal(monitor.metrics[columns].to_numpy(), whole[columns].to_numpy())
    mine, other = monitor.figure.data[0], monitor.figure.data[len(PANELS)]
    np.testing.assert_array_equal(mine.y, other.y)  # both runs, one over the other
    assert mine.name == "parts" and other.name == "whole"


async def test_a_run_that_fails_says_so(synthetic, quick, tmp_path):
    pretrain.fit(synthetic, quick, folder=tmp_path, progress=False)
    other = pretrain.Config(**(quick.to_dict() | {"seed": 1}))
    monitor = widgets.TrainingMonitor(synthetic, config=other, folder=tmp_path)
    with pytest.raises(pretrain.RunError, match="seed"):
        await monitor.train()
    assert monitor.status == "failed" and "seed" in monitor.line.value and not monitor.running


def test_what_makes_no_monitor_is_refused(synthetic, tmp_path):
    with pytest.raises(ValueError, match="folder="):
        widgets.TrainingMonitor(synthetic)
    with pytest.raises(ValueError, match="give a store"):
        widgets.TrainingMonitor()
    with pytest.raises(pretrain.RunError, match="no run there"):
        widgets.TrainingMonitor(tmp_path)


def test_curves_of_runs_one_colour_each():
    figure = plot.training({"a": metrics(), "b": metrics(20)})
    assert len(figure.data) == 2 * len(PANELS)
    knn = figure.data[list(PANELS).index("knn")]
    np.testing.assert_allclose(knn.y, metrics()["knn"].dropna())
    assert len({t.line.color for t in figure.data}) == 2
    assert len(training_values(metrics(3000))[0]["x"]) == POINTS
    assert all(len(v["x"]) == 0 for v in training_values(metrics(0).iloc[:0]))
