"""Lessons operated in JupyterLab as a student does: run all cells, read the sentences of the exercises, solve one."""

import shutil

import nbformat
import pytest

from tests.lab import TOKEN, run_all, serve, wait_for
from tests.script import ROOT, load

pytestmark = pytest.mark.integration

exercises = load("exercises")
CHOSEN = [
    p
    for n in ("01_skeletons", "04_masking", "05_learning", "06_pretraining", "07_evaluation", "13_paper")
    if (p := ROOT / "notebooks" / f"{n}.ipynb").exists()
]


@pytest.mark.full
@pytest.mark.parametrize("path", CHOSEN, ids=lambda p: p.stem)
def test_from_the_first_to_the_last_cell(path, browser, tmp_path):
    shutil.copy(path, tmp_path)
    given = exercises.find(nbformat.read(path, as_version=4))
    with serve(tmp_path, SLIMLAB_OUT=str(tmp_path / "out"), SLIMLAB_QUICK="1") as address:
        page, complaints = browser.new_page(viewport={"width": 1300, "height": 1000}), []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/lab/tree/{path.name}?token={TOKEN}", timeout=300_000)
        run_all(page)
        cells = page.locator(".jp-CodeCell")
        wait_for(lambda: "took" in cells.last.locator(".jp-OutputArea").inner_text(), "the lesson's last line")
        assert page.locator(".jp-OutputArea", has_text="Not yet:").count() == len(given)
        assert page.locator(".jp-OutputArea", has_text="Traceback").count() == 0
        for image in page.locator(".jp-CodeCell .jp-OutputArea-output img").all():
            assert image.evaluate("img => img.naturalWidth") > 100

        cell = cells.filter(has_text="# Exercise 1 ·").first
        cell.locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(given[0].solved)
        page.keyboard.press("Control+Enter")
        wait_for(lambda: "✓" in cell.locator(".jp-OutputArea").inner_text(), "the sentence of success")
        page.screenshot(path=str(tmp_path / "lesson.png"))
        assert complaints == []
        page.close()
