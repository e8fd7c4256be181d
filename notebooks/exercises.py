"""Exercises of a notebook: found, checked in their form, and solved.

An exercise is a code cell tagged "exercise" and "raises-exception": a comment `# Exercise N · difficulty D of 3 · about M
minutes`, one or more definitions to be written, and the call of a check `lessons.check_…(…)`. It may use the lesson's imports
and nothing else of the lesson. The markdown cell after it holds, folded, a hint, common mistakes and the solution, which defines
the same names.
"""

import ast
import re
from dataclasses import dataclass

import nbformat
from nbformat import NotebookNode

TAGS = {"exercise", "raises-exception"}
HEAD = re.compile(r"# Exercise (\d+) · difficulty ([1-3]) of 3 · about (\d+) minutes")
FOLDED = re.compile(r"<details><summary>(.*?)</summary>(.*?)</details>\n?", re.DOTALL)
CODE = re.compile(r"```python\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Exercise:
    """One exercise: the index of its cell, its number, difficulty, minutes, code as given and code as solved."""

    cell: int
    number: int
    difficulty: int
    minutes: int
    given: str
    solved: str


def find(book: NotebookNode) -> list[Exercise]:
    """All exercises of a notebook. Raises ValueError that says what does not follow the format."""
    return [_exercise(book, i) for i, cell in enumerate(book.cells) if "exercise" in cell.metadata.get("tags", [])]


def imports(book: NotebookNode) -> str:
    """The import statements of a notebook, which an exercise may use."""
    code = [ast.parse(_plain(c.source)) for c in book.cells if c.cell_type == "code"]
    return "\n".join(ast.unparse(n) for tree in code for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom))


def solve(book: NotebookNode) -> NotebookNode:
    """The same notebook with every exercise solved, and without the folded solutions. Hints stay."""
    solved = nbformat.from_dict(book)
    for exercise in find(book):
        cell, after = solved.cells[exercise.cell], solved.cells[exercise.cell + 1]
        cell.source = exercise.solved
        cell.metadata["tags"] = ["exercise"]
        after.source = FOLDED.sub(lambda found: "" if found[1] == "Solution" else found[0], after.source).strip()
    return solved


def _exercise(book: NotebookNode, i: int) -> Exercise:
    cell, place = book.cells[i], f"cell {i}"
    if set(cell.metadata["tags"]) != TAGS or cell.cell_type != "code":
        raise ValueError(f"{place}: an exercise is a code cell with the tags {sorted(TAGS)}, not {cell.metadata['tags']}")
    head = HEAD.match(cell.source)
    if not head:
        raise ValueError(f"{place}: must begin with '# Exercise N · difficulty D of 3 · about M minutes'")
    if "lessons.check_" not in cell.source:
        raise ValueError(f"{place}: no check `lessons.check_…(…)`")
    after = book.cells[i + 1] if i + 1 < len(book.cells) else None
    folded = dict(FOLDED.findall(after.source)) if after is not None and after.cell_type == "markdown" else {}
    if not {"Hint", "Common mistakes", "Solution"} <= set(folded):
        raise ValueError(
            f"{place}: the markdown cell after it must fold Hint, Common mistakes and Solution, not {sorted(folded)}"
        )
    solution = CODE.search(folded["Solution"])
    if not solution:
        raise ValueError(f"{place}: its solution has no block of Python")
    return Exercise(i, *map(int, head.groups()), cell.source, _filled_in(cell.source, solution[1].strip(), place))


def _filled_in(given: str, solution: str, place: str) -> str:
    """The exercise's cell with its definitions replaced by the solution's."""
    new = {name for node in ast.parse(solution).body for name in _defined(node)}
    old = [node for node in ast.parse(given).body if _defined(node)]
    names = {name for node in old for name in _defined(node)}
    if not old or not names <= new:
        raise ValueError(f"{place}: defines {sorted(names)}, its solution {sorted(new)}")
    lines = given.splitlines()
    first = min(node.lineno for node in old) - 1
    drop = {line for node in old for line in range(node.lineno - 1, node.end_lineno or node.lineno)}
    before = [line for i, line in enumerate(lines[:first]) if i not in drop]
    rest = [line for i, line in enumerate(lines) if i >= first and i not in drop]
    return "\n".join([*before, solution, *rest])


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()


def _plain(source: str) -> str:
    """Without IPython's own lines (%magic, !command)."""
    return "\n".join("pass" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
