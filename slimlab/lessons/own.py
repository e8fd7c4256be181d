"""The reader's own functions: kept when their check passes, and used again where a lesson builds SLiM from them.

They lie beside the lessons' folders, as `own/NAME.py`: the source of the cell's function alone. Lesson 08 takes each from
there, or this package's solution where there is none yet.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slimlab._system.cache import replace_file

_folder: Path | None = None  # of the lesson that has begun; without one nothing is kept


def keep_in(folder: Path) -> None:
    """Keep what passes its check in this folder from now on."""
    global _folder
    _folder = folder


def keep(function: Callable[..., Any]) -> None:
    """Write the function's source into the folder, as NAME.py. Do nothing where no lesson has begun or there is no source."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return
    if _folder is not None:
        _folder.mkdir(parents=True, exist_ok=True)
        replace_file(_folder / f"{function.__name__}.py", lambda f: f.write(source.encode()))
