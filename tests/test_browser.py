"""The quickstart in JupyterLab, operated in a real browser: pictures appear, Stop stops, running again goes on."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from slimlab.doctor import chromium
from slimlab.run import Run

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "00_quickstart.ipynb"
TOKEN = "test"


@pytest.fixture(scope="module")
def browser():
    if not chromium():
        if os.environ.get("SLIMLAB_REQUIRE_BROWSER"):
            pytest.fail("SLIMLAB_REQUIRE_BROWSER is set, but there is no Chromium")
        pytest.skip("needs Chromium: apt-get install chromium, or set SLIMLAB_CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on a folder with the notebook; yields (address, folder)."""
    shutil.copy(NOTEBOOK, tmp_path)
    settings = tmp_path / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps({"windowingMode": "none"}))  # all cells in the page
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    own = {
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "SLIMLAB_OUT": str(tmp_path / "out"),
        "SLIMLAB_MINUTES": "10",
    }
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}", "--ServerApp.port_retries=0"]
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(120):
        try:
            urllib.request.urlopen(f"{address}/api?token={TOKEN}", timeout=2)
            break
        except OSError:
            assert server.poll() is None, (tmp_path / "lab.log").read_text()[-2000:]
            time.sleep(0.5)
    yield address, tmp_path
    server.terminate()
    server.wait(timeout=20)


def wait_for(condition, seconds, what):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.3)


def test_train_stop_and_go_on(browser, lab):
    address, folder = lab
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{address}/lab/tree/00_quickstart.ipynb?token={TOKEN}", timeout=90_000)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=90_000)
    wait_for(lambda: "Python 3" in page.locator(".jp-NotebookPanel-toolbar").inner_text() and idle(page), 90, "a kernel")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    training = page.locator(".jp-CodeCell", has_text="async for step in pretrain.stream")
    wait_for(lambda: done_steps(training) >= 11, 240, "training steps on the screen")
    pictures = page.locator(".jp-CodeCell .jp-OutputArea-output img")
    assert pictures.count() >= 4  # body, mask, control, curves
    for i in range(pictures.count()):
        assert pictures.nth(i).evaluate("img => img.naturalWidth") > 200

    page.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    wait_for(lambda: stopped(folder), 30, "a checkpoint after Stop")
    wait_for(lambda: idle(page), 30, "an idle kernel after Stop")
    at = stopped(folder)
    time.sleep(2)
    assert stopped(folder) == at and at >= 11  # it has really stopped

    training.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    wait_for(lambda: done_steps(training) > at + 5, 60, "going on after Stop")
    first = re.search(r"step (\d+) of", training.locator(".jp-OutputArea").inner_text())
    assert first and int(first.group(1)) > at
    page.locator('[data-command="notebook:interrupt-kernel"]').first.click()
    wait_for(lambda: idle(page), 30, "an idle kernel at the end")
    page.screenshot(path=str(folder / "lab.png"))
    assert complaints == []


def idle(page) -> bool:
    return page.locator('.jp-NotebookPanel-toolbar [data-status="idle"]').count() > 0


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
