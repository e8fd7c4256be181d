"""TrainingMonitor, kernel side: the loop is the library's, stop and go on give the numbers of an uninterrupted run."""

import asyncio

import numpy as np
import pytest
import torch

from slimlab import analysis, plot, pretrain, widgets
from slimlab.plot.training import PANELS, POINTS, training_values
from tests.plot.test_plot import metrics


async def until(condition):
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")


async def held(monitor):
    """Until the run waits for the end of its pause: the step that the pause came into is done."""
    await until(lambda: monitor._go_on._waiters)


async def test_start_pause_stop_and_go_on_to_the_same_numbers(synthetic, quick, tmp_path):
    whole = pretrain.fit(synthetic, quick, folder=tmp_path / "whole", progress=False).metrics
    monitor = widgets.TrainingMonitor(synthetic, config=quick, folder=tmp_path / "parts", beside=(tmp_path / "whole",))
    monitor.start_button.click()
    await until(lambda: len(monitor.metrics) >= 2)
    monitor.pause_button.click()
    assert monitor.status == "paused"
    await held(monitor)
    at = len(monitor.metrics)
    monitor.stop_button.click()
    await until(lambda: not monitor.running)
    assert len(monitor.metrics) == at < 12  # no step was made in the pause, nor after it
    assert monitor.status == "stopped" and pretrain.Run(tmp_path / "parts").about["status"] == "interrupted"
    run = await monitor.train()
    assert monitor.status == "finished" and run.about["status"] == "finished"
    columns = ["step", "loss", "glcl", "mfp", "knn"]
    np.testing.assert_array_equal(run.metrics[columns].to_numpy(), whole[columns].to_numpy())
    np.testing.assert_array_equal(monitor.metrics[columns].to_numpy(), whole[columns].to_numpy())
    panels = monitor.curves.scene["panels"]
    assert [p["title"] for p in panels] == list(PANELS.values())
    assert [line["name"] for line in panels[0]["lines"]] == ["parts", "whole"]
    numbers = np.frombuffer(monitor.curves.points, np.float32)
    mine, other = numbers[:24].reshape(2, 12), numbers[24:48].reshape(2, 12)
    np.testing.assert_array_equal(mine, other)  # both runs, one over the other
    np.testing.assert_allclose(mine[1], whole["loss"], rtol=1e-6)
    drawn = monitor.figure().data.query("panel != 'clips_per_second'").set_index("run")
    np.testing.assert_array_equal(drawn.loc["parts"].to_numpy(), drawn.loc["whole"].to_numpy())


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
    figure = plot.training({"a": metrics(), "b": metrics(20)}, marks=[(7, "mask 0.30")])
    knn = figure.axes[list(PANELS).index("knn")]
    np.testing.assert_allclose(knn.lines[0].get_ydata(), metrics()["knn"].dropna())
    assert all(len({line.get_color() for line in ax.lines[:2]}) == 2 for ax in figure.axes)
    assert all(ax.lines[-1].get_xdata()[0] == 7 for ax in figure.axes) and "mask 0.30" in figure.axes[0].texts[0].get_text()
    drawn = figure.data[(figure.data["run"] == "b") & (figure.data["panel"] == "glcl")]
    np.testing.assert_allclose(drawn["value"], metrics(20)["glcl"])
    assert len(training_values(metrics(3000))["glcl"]["x"]) == POINTS
    assert all(len(v["x"]) == 0 for v in training_values(metrics(0).iloc[:0]).values())
    plot.training({"not begun": metrics(0).iloc[:0]})


async def test_the_mask_ratio_is_changed_while_it_runs(synthetic, quick, tmp_path):
    monitor = widgets.TrainingMonitor(synthetic, config=quick, folder=tmp_path / "run")
    monitor.ratio.value = (0.2, 0.4)
    assert "once the run has begun" in monitor.line.value and not (tmp_path / "run").exists()
    monitor.start()
    await until(lambda: len(monitor.metrics) >= 3)
    monitor.pause()
    await held(monitor)
    at = len(monitor.metrics)
    monitor.ratio.value = (0.3, 0.5)
    assert monitor.curves.scene["marks"] == [{"x": at, "text": "mask 0.30-0.50"}]
    monitor.pause()  # go on
    await until(lambda: len(monitor.metrics) > at)
    monitor.stop()
    await until(lambda: monitor.status == "stopped")
    stopped = len(monitor.metrics)
    monitor.ratio.value = (0.1, 0.2)  # also between stop and go on
    run = await monitor.train()
    assert run.changes == [{"step": at, "mask_ratio": [0.3, 0.5]}, {"step": stopped, "mask_ratio": [0.1, 0.2]}]
    monitor.ratio.value = (0.6, 0.7)
    assert "the run has 12" in monitor.line.value
    for step in pretrain.steps(synthetic, quick, folder=tmp_path / "again"):
        for change in run.changes:
            if change["step"] == step.step + 1:
                step.run.change(step.step + 1, change["mask_ratio"])
    np.testing.assert_array_equal(pretrain.Run(tmp_path / "again").metrics["mfp"], run.metrics["mfp"])
    assert widgets.TrainingMonitor(synthetic, config=quick, folder=run.folder).ratio.value == (0.1, 0.2)


def test_the_masked_sample_shows_what_the_networks_say(synthetic, quick, tmp_path):
    run = pretrain.fit(synthetic, quick, folder=tmp_path / "run", progress=False)
    sample = widgets.TrainingMonitor(synthetic, config=quick, folder=run.folder).sample
    found = sample.found
    again = analysis.agreement(run.student, run.teacher, synthetic, 0, found.mask)
    torch.testing.assert_close(found.values, again.values)
    assert f"{found.masked:.1%}" in sample.note.value and found.mask.float().mean() == pytest.approx(0.7, abs=0.01)
    sizes = np.frombuffer(sample.stage.sizes, np.float32).reshape(2, 32, 1, 25)
    np.testing.assert_array_equal(sizes[0, 20, 0] == 0, found.mask[20 // 16])  # the student does not see them
    assert sample.grid.scene["crossed"] == [found.mask.nonzero().tolist()]
    sample.seed.value = 5
    assert not torch.equal(sample.found.mask, found.mask)
    sample.chooser.index = 7
    assert sample.found.name == synthetic.column("clip")[7] and sample.figure() is not None
    with pytest.raises(ValueError, match="no network yet"):
        widgets.MaskedSample(synthetic).figure()
