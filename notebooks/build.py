"""Build notebooks/*.ipynb from notebooks/src/*.py (py:percent), without outputs and with fixed cell ids.

python notebooks/build.py                    write them
python notebooks/build.py --check            exit 1 where a notebook is not what its source gives
python notebooks/build.py --solutions OUT    write them to OUT with every exercise solved, for a teacher
"""

import argparse
import sys
from pathlib import Path

import jupytext
import nbformat
from exercises import solve
from nbformat import NotebookNode

HERE = Path(__file__).parent


def build(source: Path) -> NotebookNode:
    """The notebook of one source file."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{source.stem[:2]}-{i:02d}"
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def text(notebook: NotebookNode) -> str:
    """What stands in the file."""
    return nbformat.writes(notebook) + "\n"


def main() -> int:
    """What the command line asks for; 1 where a notebook is stale."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--solutions", type=Path, metavar="OUT")
    args = parser.parse_args()
    sources = sorted((HERE / "src").glob("*.py"))
    if args.check:
        stale = [s.stem for s in sources if not _is((HERE / f"{s.stem}.ipynb"), text(build(s)))]
        if stale:
            print(f"not what their sources give: {', '.join(stale)}; run `make notebooks`", file=sys.stderr)
        return int(bool(stale))
    out = args.solutions or HERE
    out.mkdir(parents=True, exist_ok=True)
    for source in sources:
        notebook = solve(build(source)) if args.solutions else build(source)
        (out / f"{source.stem}.ipynb").write_text(text(notebook), encoding="utf-8")
        print(out / f"{source.stem}.ipynb")
    return 0


def _is(target: Path, wanted: str) -> bool:
    return target.exists() and target.read_text(encoding="utf-8") == wanted


if __name__ == "__main__":
    sys.exit(main())
