"""Notebooks: built from their sources, short cells, no outputs, and they run."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def run(*command, **variables):
    return subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, cwd=ROOT, env=os.environ | variables
    )


def test_there_are_some_and_they_are_what_their_sources_give():
    assert BOOKS and len(BOOKS) == len(list((ROOT / "notebooks" / "src").glob("*.py")))
    done = run("notebooks/build.py", "--check")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_form(path):
    book = nbformat.read(path, as_version=4)
    code = [c for c in book.cells if c.cell_type == "code"]
    for cell in code:
        assert cell.outputs == [] and cell.execution_count is None
        assert len(cell.source.splitlines()) <= 15, cell.source
    assert book.cells[0].source.startswith("# ") and "**Needs**" in book.cells[0].source
    text = "\n".join(c.source for c in book.cells if c.cell_type == "markdown")
    assert "redict" in text and "control" in text


def executed(out, book="00_quickstart", **variables):
    done = run("notebooks/execute.py", ROOT / "notebooks" / f"{book}.ipynb", out, **variables)
    assert done.returncode == 0, done.stderr[-2000:]
    return done, nbformat.read(out / f"{book}.ipynb", as_version=4)


def outputs(book) -> str:
    return "\n".join(str(o) for c in book.cells if c.cell_type == "code" for o in c.outputs)


def test_quickstart_runs_and_leaves_figures_and_run(tmp_path):
    done, book = executed(tmp_path, SLIMLAB_QUICK="1")
    figures = {p.name for p in (tmp_path / "figures").iterdir()}
    assert {"clip.pdf", "mask.pdf", "training.pdf", "confusion.pdf", "embedding.pdf", "results.csv"} <= figures
    assert str(tmp_path / "00_quickstart.ipynb") in done.stdout and "run folder" in done.stdout
    assert outputs(book).count("image/png") >= 6 and "raw coordinates" in outputs(book)
    pictures = [i for i, c in enumerate(c for c in book.cells if c.cell_type == "code") if "image/png" in str(c.outputs)]
    assert pictures[0] <= 2  # something to see at once


def test_quickstart_runs_on_a_readers_own_data(tmp_path, real_data):
    _, book = executed(tmp_path, SLIMLAB_QUICK="1", SLIMLAB_DATA=str(real_data / "utd_mhad.npz"))
    assert "861 clips" in outputs(book) and "27 classes" in outputs(book)


def test_the_papers_table_runs_without_the_real_files_and_says_so(tmp_path):
    _, book = executed(tmp_path, "12_paper", SLIMLAB_QUICK="1")
    said = outputs(book)
    assert "SYNTHETIC" in said and "6,368,768 parameters" in said and "28.32" in said and "4.78" in said
    assert "held-out clips" in said and "test split" in said
    assert (tmp_path / "synthetic_as_ntu.npz").exists()


def test_bad_data_fails_with_its_reason_in_sight(tmp_path):
    done = run(
        "notebooks/execute.py", ROOT / "notebooks" / "00_quickstart.ipynb", tmp_path / "o", SLIMLAB_DATA=str(tmp_path / "no")
    )
    assert done.returncode == 1 and "no such file or folder" in done.stderr
    assert (tmp_path / "o" / "00_quickstart.ipynb").exists()  # executed up to there


@pytest.mark.full
def test_quickstart_run_twice_goes_on_and_says_the_same(tmp_path):
    """Half a minute of training; the second time the run is found finished, and every number is the same."""
    tables = []
    for _ in range(2):
        executed(tmp_path, SLIMLAB_MINUTES="0.5")
        tables.append((tmp_path / "figures" / "results.csv").read_text())
    assert tables[0] == tables[1] and "shipped encoder" in tables[0]
    assert len(list(tmp_path.glob("run-*"))) == 1
