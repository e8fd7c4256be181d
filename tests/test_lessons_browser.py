"""A lesson in JupyterLab, from its first cell to its last: pictures, widgets, an exercise failed and then solved by typing."""

import shutil
from pathlib import Path

import nbformat
import pytest

from tests.lab import TOKEN, run_all, serve, wait_for
from tests.lessons.test_exercises import exercises

BOOKS = Path(__file__).parent.parent / "notebooks"


@pytest.mark.full
@pytest.mark.parametrize("name, widget", [("05_learning", "Sinkhorn assignment"), ("06_pretraining", "refresh")])
def test_from_first_to_last_cell(browser, tmp_path, name, widget):
    shutil.copy(BOOKS / f"{name}.ipynb", tmp_path)
    with serve(tmp_path, SLIMLAB_OUT=str(tmp_path / "out"), SLIMLAB_QUICK="1") as address:
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/lab/tree/{name}.ipynb?token={TOKEN}", timeout=90_000)
        run_all(page)
        cells = page.locator(".jp-CodeCell")
        wait_for(lambda: f"{name} took" in cells.last.inner_text(), 600, "the lesson's last line")

        pictures = page.locator(".jp-CodeCell .jp-OutputArea-output img")
        assert pictures.count() >= 4
        for i in range(pictures.count()):
            assert pictures.nth(i).evaluate("img => img.naturalWidth") > 200
        assert page.locator(".jupyter-widgets", has_text=widget).count() >= 1
        assert page.locator(".katex, mjx-container").count() > 3  # equations are set

        given = exercises.find(nbformat.read(BOOKS / f"{name}.ipynb", as_version=4))
        asked = [page.locator(".jp-CodeCell", has_text=f"# Exercise {e.number} ·") for e in given]
        for cell in asked:
            assert "Not yet:" in cell.inner_text() and "is still empty" in cell.inner_text()
            assert "Traceback" not in cell.inner_text()
        asked[0].locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(given[0].solved)
        page.keyboard.press("Control+Enter")
        wait_for(lambda: "✓" in asked[0].inner_text(), 60, "the check of the solved exercise")
        look(page, tmp_path / "screenshots")
        assert complaints == []


def look(page, folder: Path) -> None:
    """A screenshot of each cell with an output, to be looked at."""
    folder.mkdir()
    outputs = page.locator(".jp-CodeCell", has=page.locator(".jp-OutputArea-output"))
    for i in range(outputs.count()):
        outputs.nth(i).scroll_into_view_if_needed()
        page.screenshot(path=str(folder / f"{i:02d}.png"))
