"""The documentation site is made without a warning: every page, link and docstring in it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.integration
def test_the_documentation_is_made_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "docs")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    inside = (tmp_path / "docs" / "inside" / "index.html").read_text()
    assert "The lessons attention and embeddings explain" in inside  # which are links in the repository
