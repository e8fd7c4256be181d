"""Every exercise of every notebook: as given it fails with its sentence, solved it passes; and the solutions build solves it."""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from slimlab.lessons import NotYet
from tests.script import load

ROOT = Path(__file__).parents[2]
BOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
exercises = load("exercises")

CELLS = [
    '''# Exercise 1 · difficulty 2 of 3 · about 15 minutes
import math
def sinkhorn(logits, temperature, iterations=3):
    """Rows that sum to one."""
    raise NotImplementedError

lessons.check_sinkhorn(sinkhorn)''',
    """Some words.
<details><summary>Hint</summary> Divide. </details>
<details><summary>Common mistakes</summary> Rows first. </details>
<details><summary>Solution</summary>

```python
def even(q, dim):
    return q / q.sum(dim=dim, keepdim=True)

def sinkhorn(logits, temperature, iterations=3):
    q = ((logits - logits.max()) / temperature).exp()
    for _ in range(iterations):
        q = even(even(q, 0), 1)
    return q
```
</details>""",
]


def a_book(exercise=CELLS[0], after=CELLS[1], tags=("exercise", "raises-exception")):
    new = nbformat.v4
    book = new.new_notebook(cells=[new.new_code_cell("from slimlab import lessons\nhere = 1"), new.new_code_cell(exercise)])
    book.cells[1].metadata["tags"] = list(tags)
    book.cells.append(new.new_markdown_cell(after))
    return book


def every_exercise():
    books = {path.stem: nbformat.read(path, as_version=4) for path in BOOKS} | {"made here": a_book()}
    found = [(stem, book, exercise) for stem, book in books.items() for exercise in exercises.find(book)]
    return [pytest.param(exercises.imports(book), e, id=f"{stem}-{e.number}") for stem, book, e in found]


@pytest.mark.parametrize("imports, exercise", every_exercise())
def test_given_it_fails_with_its_sentence_and_solved_it_passes(imports, exercise, capsys):
    space = {"__name__": "lesson"}
    exec(imports, space)
    with pytest.raises(NotYet) as told:
        exec(exercise.given, dict(space))
    sentence = str(told.value)
    assert len(sentence) > 20 and "\n" not in sentence and sentence.endswith((".", ")")), sentence
    assert "raise NotImplementedError" not in exercise.given or "is still empty" in sentence
    capsys.readouterr()
    exec(exercise.solved, dict(space))
    assert "✓" in capsys.readouterr().out


def test_a_notebook_is_solved():
    book = a_book()
    solved = exercises.solve(book)
    code, after = solved.cells[1], solved.cells[2].source
    assert (
        code.source.startswith("# Exercise 1") and "import math\ndef even" in code.source and "NotImplemented" not in code.source
    )
    assert code.source.rstrip().endswith("lessons.check_sinkhorn(sinkhorn)") and code.metadata["tags"] == ["exercise"]
    assert "Solution" not in after and "Divide." in after and "Rows first." in after
    assert book.cells[1].source == CELLS[0]  # the given one is left alone


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(tags=["exercise"]), "tags"),
        (dict(exercise=CELLS[0].replace("difficulty 2", "difficulty 4")), "must begin with"),
        (dict(exercise=CELLS[0].replace("lessons.check", "check")), "no check"),
        (dict(after="nothing"), "must fold"),
        (dict(after=CELLS[1].replace("```python", "```")), "no block of Python"),
        (dict(after=CELLS[1].replace("def sinkhorn", "def other")), "defines"),
    ],
)
def test_what_does_not_follow_the_format_is_named(wrong, says):
    with pytest.raises(ValueError, match=says):
        exercises.find(a_book(**wrong))


def test_solutions_are_written_beside_the_notebooks_and_leave_them_alone(tmp_path):
    before = {p.name: p.read_bytes() for p in BOOKS}
    command = [sys.executable, "notebooks/build.py", "--solutions", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert {p.name for p in tmp_path.iterdir()} == set(before) and {p.name: p.read_bytes() for p in BOOKS} == before
    for path in tmp_path.iterdir():
        given, solved = (nbformat.read(folder / path.name, as_version=4) for folder in (ROOT / "notebooks", tmp_path))
        assert [solved.cells[e.cell].source for e in exercises.find(given)] == [e.solved for e in exercises.find(given)]
        assert "<summary>Solution" not in "".join(c.source for c in solved.cells)
