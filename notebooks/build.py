"""Build notebooks/*.ipynb from notebooks/src/*.py (py:percent), without outputs and with fixed cell ids.

python notebooks/build.py            write them
python notebooks/build.py --check    exit 1 where a notebook is not what its source gives
"""

import sys
from pathlib import Path

import jupytext
import nbformat

HERE = Path(__file__).parent


def build(source: Path) -> str:
    """The notebook's text for one source file."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for i, cell in enumerate(notebook.cells):
        cell.id = f"{source.stem[:2]}-{i:02d}"
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return nbformat.writes(notebook) + "\n"


def main() -> int:
    stale = []
    for source in sorted((HERE / "src").glob("*.py")):
        target, text = HERE / f"{source.stem}.ipynb", build(source)
        if "--check" in sys.argv:
            if not target.exists() or target.read_text() != text:
                stale.append(target.name)
        else:
            target.write_text(text)
            print(target.relative_to(HERE.parent))
    if stale:
        print(f"not what their sources give: {', '.join(stale)}; run `make notebooks`", file=sys.stderr)
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
