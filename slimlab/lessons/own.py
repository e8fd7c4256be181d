"""The reader's own functions: kept when their check passes, and used again where a lesson builds SLiM from them.

They lie beside the lessons' folders, as `own/NAME.py`: the source of the cell's function alone. Lesson 08 takes each from there,
or this package's solution where there is none yet.
"""

from __future__ import annotations

import builtins
import dis
import inspect
import io
import linecache
import math
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimlab._system.cache import replace_file
from slimlab._system.warn import warn

# what a kept function may use without importing it, as in the lessons
NAMES: dict[str, Any] = {"torch": torch, "np": np, "F": F, "nn": nn, "math": math, "Tensor": Tensor, "pd": pd}

_folder: Path | None = None  # of the lesson that has begun; without one nothing is kept


def keep_in(folder: Path) -> None:
    """Keep what passes its check in this folder from now on."""
    global _folder
    _folder = folder


def keep(function: Callable[..., Any]) -> None:
    """Write the function's source into the folder, as NAME.py. Do nothing where no lesson has begun or there is no source."""
    if _folder is None or not function.__name__.isidentifier():
        return
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        return
    try:
        _folder.mkdir(parents=True, exist_ok=True)
        replace_file(_folder / f"{function.__name__}.py", lambda f: f.write(source.encode()))
    except OSError as error:
        warn(f"your function passed, but could not be kept for lesson 08: {error}")
    from slimlab.lessons.solutions import SOLVED  # which needs the checks, and those need this module

    code = getattr(inspect.unwrap(function), "__code__", None)
    used = _globals_of(code) if code and function.__name__ in SOLVED else set()
    if outside := sorted(n for n in used if n not in NAMES and n != function.__name__ and not hasattr(builtins, n)):
        words = ", ".join(f"`{n}`" for n in outside)
        print(f"The function is kept alone, without {words}: define or import that inside it, so that lesson 08 can use it.")


def _globals_of(code: CodeType) -> set[str]:
    """The global names that this code and the functions inside it read."""
    names = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(_globals_of(c) for c in code.co_consts if isinstance(c, CodeType)))


def own(name: str) -> Callable[..., Any]:
    """Return the reader's function of this name, or the solution where none is kept or it fails its check; say which in a line.

    Raises ValueError, naming those there are, for a name that no lesson asks for.
    """
    from slimlab.lessons.solutions import SOLVED  # which needs the checks, and those need this module

    if name not in SOLVED:
        raise ValueError(f"no exercise asks for '{name}'; choose one of {', '.join(SOLVED)}")
    solved, file = SOLVED[name], None if _folder is None else _folder / f"{name}.py"
    if file is None or not file.exists():
        print(f"{name}: the solution of {solved.asked_in}; yours is taken once it passes its check there")
        return solved.solution
    try:
        function = _load(file)
        with _nothing_kept(), redirect_stdout(io.StringIO()):
            solved.check(function)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".removeprefix("NotYet: ").split())
        print(f"{name}: the solution of {solved.asked_in}, since yours ({file}) does not pass: {said}")
        return solved.solution
    print(f"{name}: yours, {file}")
    return function


def _load(file: Path) -> Callable[..., Any]:
    """The function that the file is named after. Raises whatever its source raises, KeyError where it does not define it."""
    source, space = file.read_text(encoding="utf-8"), dict(NAMES)
    linecache.checkcache(str(file))  # so that a check can quote the line that failed
    exec(compile(source, str(file), "exec"), space)
    return space[file.stem]


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """Let checks pass without keeping what they have passed."""
    global _folder
    before, _folder = _folder, None
    try:
        yield
    finally:
        _folder = before
