"""Small real files in the formats that people have, where SLIMLAB_TEST_DATA has a folder `cases` beside it."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def cases() -> Path:
    folder = Path(os.environ.get("SLIMLAB_TEST_DATA", "unset")).parent / "cases"
    if not folder.is_dir():
        pytest.skip("needs files that people have: a folder `cases` beside that of SLIMLAB_TEST_DATA")
    return folder
