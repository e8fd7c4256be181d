"""Execute a notebook without a browser: python notebooks/execute.py NOTEBOOK OUT

OUT gets the executed notebook, and what the notebook itself leaves there (figures, run). SLIMLAB_DATA names a reader's own data.
"""

import os
import re
import sys
import time
from pathlib import Path

import nbformat
import zmq
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm
from traitlets.config import Config

STEP = re.compile(r"step (\d+) of (\d+)")  # of `pretrain.Step` in words


class Client(NotebookClient):
    """Executes a notebook, and tells its progress: a bar over the cells, and one over the steps of a training in a cell."""

    name = ""  # beside the first bar

    def execute(self, **kwargs) -> NotebookNode:
        self.cells = tqdm(total=sum(c.cell_type == "code" for c in self.nb.cells), desc=self.name, unit="cell")
        self.training: tqdm | None = None
        self.on_cell_executed = self._next_cell
        try:
            return super().execute(**kwargs)
        finally:
            self._trained()
            self.cells.close()

    def process_message(self, msg: dict, cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        said = msg["content"].get("data", {}).get("text/plain", "") if msg["msg_type"].endswith("display_data") else ""
        if found := STEP.match(said):
            done, total = int(found[1]), int(found[2])
            if self.training is None:
                self.training = tqdm(desc="training", unit="step", mininterval=0.5, leave=False)
            self.training.total = total  # with a budget of minutes it is known better step by step
            self.training.update(done - self.training.n)
        return super().process_message(msg, cell, cell_index)

    def _next_cell(self, **_) -> None:
        self._trained()
        self.cells.update()

    def _trained(self) -> None:
        if self.training is not None:
            self.training.close()
        self.training = None


def execute(notebook: Path, out: Path) -> int:
    """0, or 1 where a cell failed; the executed notebook is written either way."""
    out.mkdir(parents=True, exist_ok=True)
    os.environ["SLIMLAB_OUT"] = str(out.resolve())
    given = os.environ.get("SLIMLAB_DATA", "")
    if given and Path(given).expanduser().exists():  # or it is a word that `slimlab.data.open` knows
        os.environ["SLIMLAB_DATA"] = str(Path(given).expanduser().resolve())  # a notebook runs in its own folder
    book, target, begin, status = nbformat.read(notebook, as_version=4), out / notebook.name, time.monotonic(), 0
    client = Client(book, timeout=3600, resources={"metadata": {"path": str(notebook.parent)}}, config=_config())
    client.name = notebook.name
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        print(str(error)[-3000:], file=sys.stderr)
        status = 1
    finally:
        nbformat.write(book, target)
    print(f"{'failed' if status else 'done'} after {time.monotonic() - begin:.0f} s")
    print(f"executed notebook  {target}")
    for name in sorted(p for p in out.iterdir() if p.is_dir()):
        print(f"{'run folder' if name.name.startswith('run') else name.name:<18} {name}")
    return status


def _config() -> Config:
    """Messages to and from the kernel are encrypted where ZeroMQ can: without, the kernel warns of eavesdropping."""
    return Config(KernelManager={"transport_encryption": "auto"} if zmq.has("curve") else {})


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(execute(Path(sys.argv[1]), Path(sys.argv[2])))
