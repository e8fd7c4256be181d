"""A notebook executed from the command line: it tells its progress, and nothing that reads like an error."""

import subprocess
import sys

import nbformat
import pytest

from tests.script import ROOT

pytestmark = pytest.mark.integration

TRAINING = """
from IPython.display import display
import time

class Step:
    def __init__(self, step): self.step = step
    def __repr__(self): return f"step {self.step} of 50: GLCL 3.38"

line = display(display_id=True)
for i in (10, 20, 30):
    line.update(Step(i))
    time.sleep(0.6)  # longer than the bar waits between two pictures
"""


def test_it_tells_cells_and_steps_and_warns_of_nothing(tmp_path):
    new = nbformat.v4
    book = new.new_notebook(cells=[new.new_code_cell("1 + 1"), new.new_code_cell(TRAINING)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "small.ipynb")
    command = [sys.executable, str(ROOT / "notebooks" / "execute.py"), str(tmp_path / "small.ipynb"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "2/2" in done.stderr and "training" in done.stderr and "20/50" in done.stderr
    for line in done.stderr.replace("\r", "\n").splitlines():
        assert not line.strip(" \x1b[A") or line.startswith(("small.ipynb:", "training:")), line  # the two bars, and no warning
