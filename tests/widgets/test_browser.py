"""Explorers in JupyterLab, operated in a real browser: what is clicked is what the kernel then holds, and the page shows it."""

import itertools
import os
from pathlib import Path

import pytest

from tests.lab import wait_for

pytestmark = pytest.mark.integration

SHOTS = os.environ.get("SLIMLAB_SHOTS")  # a folder for screenshots to look at

STORE = "from slimlab import data, pretrain, widgets\nstore = data.synthetic(clips=66)\n"


def shot(page, name):
    if SHOTS:
        page.wait_for_timeout(1000)  # what is still drawn
        page.locator(".jp-OutputArea-output").last.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def drag(page, slider, by):
    """The handle of an ipywidgets slider, by so many pixels."""
    box = slider.locator(".noUi-handle").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + by, y, steps=4)
    page.mouse.up()


def slider(page, name):
    return page.locator(".widget-slider", has=page.get_by_text(name, exact=True)).first


def test_the_clip_player_plays_scrubs_and_turns(page, kernel):
    kernel.show(page, "clips", STORE + "player = widgets.ClipPlayer(store, 1)\nplayer")
    stage = page.locator(".slimlab-stage")
    wait_for(lambda: stage.get_attribute("data-drawn") == "25", "a body of 25 joints")
    still = page.locator("canvas").first.screenshot()

    page.locator(".slimlab-play").click()
    wait_for(lambda: int(stage.get_attribute("data-frame")) > 10, "frames that go by")
    wait_for(lambda: kernel.value("player.frame") > 10 and kernel.value("player.stage.playing"), "a kernel that hears of it")
    page.locator(".slimlab-play").click()
    wait_for(lambda: not kernel.value("player.stage.playing"), "a pause")
    wait_for(lambda: kernel.value("player.frame") == int(stage.get_attribute("data-frame")), "one frame in page and kernel")

    page.locator(".slimlab-scrub").fill("7")
    wait_for(lambda: kernel.value("player.frame") == 7, "the scrubbed frame")
    kernel.client.execute("player.frame = 40")
    wait_for(lambda: stage.get_attribute("data-frame") == "40", "the kernel's frame on the page")
    assert page.locator("canvas").first.screenshot() != still

    page.locator(".slimlab-camera").select_option("side")
    page.locator(".slimlab-speed").select_option("0.5")
    wait_for(lambda: kernel.value("[player.stage.camera, player.stage.speed]") == ["side", 0.5], "camera and speed")
    page.locator(".jupyter-button", has_text="keep beside").click()
    drag(page, slider(page, "clip"), 60)
    wait_for(lambda: stage.get_attribute("data-clips") == "2", "two clips")
    assert kernel.value("player.others") == [1] and kernel.value("player.index") > 1
    shot(page, "clip_player")


def test_the_mask_explorer_follows_slider_and_click(page, kernel):
    kernel.show(page, "masks", STORE + "explorer = widgets.MaskExplorer(store, 1)\nexplorer")
    grid = page.locator(".slimlab-cells").first
    wait_for(lambda: grid.get_attribute("data-panels") == "1", "a grid")
    drag(page, slider(page, "ratio"), 30)
    wait_for(lambda: kernel.value("explorer.ratio.value") > 0.7, "a higher ratio")
    ratio, achieved = kernel.value("[explorer.ratio.value, float(explorer.mask.mean())]")
    assert abs(ratio - achieved) < 0.003
    wait_for(lambda: f"asked {ratio:.2f}, achieved {achieved:.3f}" in page.inner_text("body"), "the new reading")
    kernel.client.execute("explorer.stage.frame = 20")
    wait_for(lambda: page.locator(".slimlab-stage").get_attribute("data-frame") == "20", "the kernel's frame")
    shot(page, "mask_explorer")

    before = kernel.value("explorer.mask.tolist()")
    box = grid.bounding_box()
    cells = box["width"] - 92 - 190 - 4  # between the joints' names and the frequencies
    grid.click(position={"x": 92 + cells * 2.5 / 8, "y": 20 + 6})  # step 2 of the topmost row
    wait_for(lambda: kernel.value("explorer.mask.tolist()") != before, "an edited cell")
    after = kernel.value("explorer.mask.tolist()")
    changed = [(t, j) for t, j in itertools.product(range(8), range(25)) if before[t][j] != after[t][j]]
    assert changed == [(2, kernel.value("list(store.skeleton.parts.values())[0][0]"))]
    wait_for(lambda: "1 tokens edited" in page.inner_text("body"), "the edit in the reading")
    pixel = "(c, [x, y]) => [...c.getContext('2d').getImageData(x * devicePixelRatio, y * devicePixelRatio, 1, 1).data]"
    edited = kernel.value("list(explorer.grid.colors)[2 * 25 * 3:][joint * 3:][:3]".replace("joint", str(changed[0][1])))
    at = [92 + cells * 2.1 / 8, 20 + 3]
    wait_for(lambda: grid.evaluate(pixel, at)[:3] == edited, "the edited cell in its new colour")
    if SHOTS:
        page.get_by_text("all strategies at this ratio").click()
        page.wait_for_timeout(1500)
        shot(page, "mask_explorer_edited")


def test_augmentation_readings_turn_red(page, kernel):
    kernel.show(page, "augmentations", STORE + "explorer = widgets.AugmentationExplorer(store, 1)\nexplorer")
    stage = page.locator(".slimlab-stage")
    wait_for(lambda: stage.get_attribute("data-clips") == "3", "three bodies")
    page.locator("select", has=page.locator("option", has_text="shear")).select_option("flip without changing sides")
    wait_for(lambda: "left is right in 100% of the frames" in page.inner_text(".slimlab-readings"), "the flip's reading")
    assert kernel.value("explorer.against.value") == "flip without changing sides"
    shot(page, "augmentation_explorer")


def test_a_training_loop_is_paused_stopped_and_goes_on(page, kernel):
    config = "pretrain.Config(steps=3000, batch_size=8, width=32, depth=1, prototypes=16, evaluations=2)"
    folder = str(kernel.folder / "run")
    code = f"monitor = widgets.TrainingMonitor(store, config={config}, folder={folder!r})\nmonitor"
    kernel.show(page, "training", STORE + code)
    curves = page.locator(".slimlab-curves")
    curves.wait_for(timeout=300_000)
    button = lambda name: page.locator(".jupyter-button", has_text=name)  # noqa: E731
    button("start").click()
    wait_for(lambda: "step " in page.inner_text(".slimlab-status"), "a first step")
    wait_for(lambda: int(curves.get_attribute("data-points")) > 20, "curves on the page")
    wait_for(lambda: curves.get_attribute("data-panels") == "12", "12 panels")
    stage = page.locator(".slimlab-stage")
    wait_for(lambda: stage.get_attribute("data-clips") == "2", "the masked sample")
    button("pause").click()
    wait_for(lambda: kernel.value("monitor.status") == "paused", "a pause")
    drag(page, slider(page, "mask ratio"), 40)  # its lower end
    wait_for(lambda: len(kernel.value("monitor.latest.run.changes")) == 1, "a recorded change")
    change, at = kernel.value("[monitor.latest.run.changes[0], len(monitor.metrics)]")
    assert change["step"] == at and change["mask_ratio"][0] > 0.5
    assert kernel.value("monitor.curves.scene['marks'][0]['x']") == at
    shot(page, "training_monitor")
    button("stop").click()
    wait_for(lambda: kernel.value("monitor.status") == "stopped", "a stop")
    at, about = kernel.value("[len(monitor.metrics), pretrain.Run(monitor.folder).about['status']]")
    assert 2 < at < 3000 and about == "interrupted"
    button("go on").click()
    wait_for(lambda: kernel.value("len(monitor.metrics)") > at, "steps after the checkpoint")
    button("stop").click()
    wait_for(lambda: kernel.value("monitor.status") == "stopped", "the last stop")
    steps = kernel.value("monitor.metrics['step'].tolist()")
    assert steps == list(range(len(steps)))  # none twice, none left out


def test_the_same_in_notebook_7(browser, kernel):
    """On a page of its own: at its start Notebook 7 complains about a setting of its own, whatever the notebook holds."""
    page = browser.new_page(viewport={"width": 1300, "height": 1100})
    kernel.show(page, "seven", STORE + "explorer = widgets.MaskExplorer(store, 1)\nexplorer", app="notebooks")
    assert "/notebooks/" in page.url and page.locator("#jp-top-bar, .jp-NotebookPanel").count()
    grid, stage = page.locator(".slimlab-cells").first, page.locator(".slimlab-stage")
    wait_for(lambda: grid.get_attribute("data-panels") == "1", "a grid")
    before = kernel.value("explorer.mask.tolist()")
    box = grid.bounding_box()
    grid.click(position={"x": 92 + (box["width"] - 286) * 2.5 / 8, "y": 26})
    wait_for(lambda: kernel.value("explorer.mask.tolist()") != before, "an edited cell")
    page.locator(".slimlab-play").click()
    wait_for(lambda: kernel.value("explorer.stage.frame") > 3, "frames that go by")
    wait_for(lambda: stage.get_attribute("data-clips") == "2", "2 clips")
    shot(page, "notebook_7")
    page.close()
