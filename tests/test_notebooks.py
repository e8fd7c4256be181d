"""Notebooks: built from their sources, short cells, no outputs, and they run."""

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest

from tests.script import load

pytestmark = pytest.mark.integration

exercises = load("exercises")
ROOT = Path(__file__).parent.parent
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
OF_25_JOINTS = ("14_your_data", "13_paper")  # begin with synthetic motion
PICTURES = "image/png image/svg+xml application/vnd.plotly.v1+json application/vnd.jupyter.widget-view+json".split()


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
    for cell in (c for c in book.cells if c.cell_type == "code"):
        assert cell.outputs == [] and cell.execution_count is None
        assert len(cell.source.splitlines()) <= 15, cell.source
        for node in (n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.ClassDef)):
            assert (node.end_lineno or 0) - node.lineno < 10, cell.source
    first = book.cells[0].source
    assert first.startswith(f"# {path.stem[:2]} · ") and "**Needs**" in first
    text = words(book)
    assert "redict" in text and "control" in text


@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_form_of_a_lesson(path):
    """The course's bar: what it teaches and takes, a frame, exercises, a summary, questions with folded answers, reading."""
    book = nbformat.read(path, as_version=4)
    code = [c.source for c in book.cells if c.cell_type == "code"]
    first, text = " ".join(book.cells[0].source.split()), words(book)
    assert "**After this lesson** you can" in first
    assert re.search(r"\*\*Takes\*\* about \d+ minutes", first)
    assert f'lessons.begin("{path.stem}"' in code[0] and "here.end()" in code[-1]
    assert 2 <= len(exercises.find(book)) <= 4
    assert [e.number for e in exercises.find(book)] == list(range(1, len(exercises.find(book)) + 1))
    assert "## Summary" in text and "*Predict" in text
    assert "$" in text or path.stem == "14_your_data"  # reading files has no equation of the paper's
    questions = text.split("## Test yourself")[1].split("## ")[0]
    asked, folded = questions.split("<details>")[0], questions.count("<details>")  # a list with one fold, or a fold for each
    assert 3 <= max(folded, len(re.findall(r"^\d\. ", asked, re.MULTILINE))) <= 6 and folded
    reading = text.split("## Further reading")[1]
    assert "arxiv.org/abs/" in reading
    assert any("widgets." in c for c in code)


def words(book) -> str:
    return "\n".join(c.source for c in book.cells if c.cell_type == "markdown")


def executed(out, book="00_quickstart", **variables):
    done = run("notebooks/execute.py", ROOT / "notebooks" / f"{book}.ipynb", out, **variables)
    assert done.returncode == 0, done.stderr[-2000:]
    return done, nbformat.read(out / f"{book}.ipynb", as_version=4)


def outputs(book) -> str:
    return "\n".join(str(o) for c in book.cells if c.cell_type == "code" for o in c.outputs)


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """Each notebook executed in quick mode, once: name -> (folder, what the command said, executed notebook)."""

    @cache
    def of(name):
        out = tmp_path_factory.mktemp(name)
        return out, *executed(out, name, SLIMLAB_QUICK="1")

    return of


def look_through(book) -> None:
    """Nothing failed but empty exercises, with their sentence; there is something to see at once; the time is told."""
    for cell in (c for c in book.cells if c.cell_type == "code"):
        for output in (o for o in cell.outputs if o.output_type == "error"):
            assert "exercise" in cell.metadata.get("tags", []) and output.ename == "NotYet", output
            assert len(output.traceback) == 1  # a sentence, no traceback
    pictures = [i for i, c in enumerate(book.cells) if c.cell_type == "code" and any(p in str(c.outputs) for p in PICTURES)]
    assert pictures[0] < 5
    last = [c for c in book.cells if c.cell_type == "code"][-1]
    assert "took" in str(last.outputs) and "cores" in str(last.outputs)


@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_it_runs_in_quick_mode_and_says_whose_motion_it_shows(path, quick):
    book = quick(path.stem)[2]
    look_through(book)
    data_line = "SYNTHETIC motion" if path.stem in OF_25_JOINTS else "REAL people, UI-PRMD"
    assert data_line in outputs(book)


@pytest.mark.full
@pytest.mark.parametrize("path", [p for p in BOOKS if p.stem not in OF_25_JOINTS], ids=lambda p: p.stem)
def test_it_runs_on_synthetic_motion(path, tmp_path):
    book = executed(tmp_path, path.stem, SLIMLAB_QUICK="1", SLIMLAB_DATA="synthetic")[1]
    look_through(book)
    assert "SYNTHETIC motion" in outputs(book)


@pytest.mark.full
@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_it_runs_as_it_is(path, tmp_path):
    look_through(executed(tmp_path, path.stem, SLIMLAB_QUICK="")[1])


@pytest.mark.full
@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_it_runs_on_other_data(path, tmp_path, real_data):
    _, book = executed(tmp_path, path.stem, SLIMLAB_QUICK="", SLIMLAB_DATA=str(real_data / "utd_mhad.npz"))
    look_through(book)


@pytest.mark.full
@pytest.mark.parametrize("path", BOOKS, ids=lambda p: p.stem)
def test_with_its_solutions_it_runs_without_an_error(path, tmp_path):
    run("notebooks/build.py", "--solutions", tmp_path / "solutions")
    done = run("notebooks/execute.py", tmp_path / "solutions" / path.name, tmp_path, SLIMLAB_QUICK="1")
    assert done.returncode == 0, done.stderr[-2000:]
    solved = nbformat.read(tmp_path / path.name, as_version=4)
    assert "'error'" not in outputs(solved) and outputs(solved).count("✓") >= len(
        exercises.find(nbformat.read(path, as_version=4))
    )


def test_quickstart_leaves_figures_and_run(quick):
    out, done, book = quick("00_quickstart")
    figures = {p.name for p in (out / "figures").iterdir()}
    assert {"clip.pdf", "mask.pdf", "training.pdf", "confusion.pdf", "embedding.pdf", "results.csv"} <= figures
    assert str(out / "00_quickstart.ipynb") in done.stdout and "run folder" in done.stdout
    assert outputs(book).count("image/png") >= 6 and "raw coordinates" in outputs(book)


def test_quickstart_runs_on_a_readers_own_data(tmp_path, real_data):
    _, book = executed(tmp_path, SLIMLAB_QUICK="1", SLIMLAB_DATA=str(real_data / "utd_mhad.npz"))
    assert "861 clips" in outputs(book) and "27 classes" in outputs(book)


def test_the_papers_table_runs_without_the_real_files_and_says_so(quick):
    out, _, book = quick("13_paper")
    said = outputs(book)
    assert "SYNTHETIC" in said and "6,368,768 parameters" in said and "28.32" in said and "4.78" in said
    assert "held-out clips" in said and "test split" in said
    assert (out / "synthetic_as_ntu.npz").exists()


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
