"""Execute a notebook without a browser: python notebooks/execute.py NOTEBOOK OUT

OUT gets the executed notebook, and what the notebook itself leaves there (figures, run). SLIMLAB_DATA names a reader's own data.
"""

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tqdm import tqdm


def execute(notebook: Path, out: Path) -> int:
    """0, or 1 where a cell failed; the executed notebook is written either way."""
    out.mkdir(parents=True, exist_ok=True)
    os.environ["SLIMLAB_OUT"] = str(out.resolve())
    if os.environ.get("SLIMLAB_DATA"):
        os.environ["SLIMLAB_DATA"] = str(Path(os.environ["SLIMLAB_DATA"]).expanduser().resolve())
    book, target, begin, status = nbformat.read(notebook, as_version=4), out / notebook.name, time.monotonic(), 0
    bar = tqdm(total=sum(c.cell_type == "code" for c in book.cells), desc=notebook.name, unit="cell")
    client = NotebookClient(
        book,
        timeout=3600,
        resources={"metadata": {"path": str(notebook.parent)}},
        on_cell_executed=lambda **_: bar.update(),
    )
    try:
        client.execute()
    except CellExecutionError as error:
        print(str(error)[-3000:], file=sys.stderr)
        status = 1
    finally:
        bar.close()
        nbformat.write(book, target)
    print(f"{'failed' if status else 'done'} after {time.monotonic() - begin:.0f} s")
    print(f"executed notebook  {target}")
    for name in sorted(p for p in out.iterdir() if p.is_dir()):
        print(f"{'run folder' if name.name.startswith('run') else name.name:<18} {name}")
    return status


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(execute(Path(sys.argv[1]), Path(sys.argv[2])))
