"""The quickstart in JupyterLab, operated in a real browser: pictures appear, Stop stops, running again goes on."""

import re
import shutil
from pathlib import Path

import pytest

from slimlab.pretrain.run import Run
from tests.lab import TOKEN, idle, run_all, serve, wait_for
from tests.waiting import steps_logged

pytestmark = pytest.mark.integration

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "00_quickstart.ipynb"


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on a folder with the notebook; yields (address, folder)."""
    shutil.copy(NOTEBOOK, tmp_path)
    with serve(tmp_path, SLIMLAB_OUT=str(tmp_path / "out"), SLIMLAB_MINUTES="10") as address:
        yield address, tmp_path


def test_train_stop_and_go_on(browser, lab):
    address, folder = lab
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/lab/tree/00_quickstart.ipynb?token={TOKEN}", timeout=300_000)
    run_all(page)

    training = page.locator(".jp-CodeCell", has_text="async for step in pretrain.stream")
    wait_for(lambda: done_steps(training) >= 11, "training steps on the screen")
    pictures = page.locator(".jp-CodeCell .jp-OutputArea-output img")
    assert pictures.count() >= 4  # body, mask, control, curves
    for i in range(pictures.count()):
        assert pictures.nth(i).evaluate("img => img.naturalWidth") > 200

    page.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    wait_for(lambda: stopped(folder), "a checkpoint after Stop")
    wait_for(lambda: idle(page), "an idle kernel after Stop")
    at = stopped(folder)
    (run,) = {file.parent for file in (folder / "out").glob("run-*/run.json")}
    assert at >= 11 and steps_logged(run) == at  # nothing was trained after the checkpoint, and an idle kernel trains nothing

    training.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    wait_for(lambda: done_steps(training) > at + 5, "going on after Stop")
    first = re.search(r"step (\d+) of", training.locator(".jp-OutputArea").inner_text())
    assert first and int(first.group(1)) > at
    page.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    wait_for(lambda: idle(page), "an idle kernel at the end")
    page.screenshot(path=str(folder / "lab.png"))
    assert complaints == []


def done_steps(cell) -> int:
    """The step that the cell's status line shows; 0 before there is one."""
    found = re.findall(r"step (\d+) of", cell.locator(".jp-OutputArea").first.inner_text()) if cell.count() else []
    return int(found[-1]) if found else 0


def stopped(folder: Path) -> int:
    """Steps in the checkpoint of the interrupted run; 0 while there is none."""
    runs = list((folder / "out").glob("run-*/run.json"))
    if not runs:
        return 0
    run = Run(runs[0].parent)
    return run.step if run.about["status"] == "interrupted" else 0
