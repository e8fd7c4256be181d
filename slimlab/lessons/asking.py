"""How a check calls the reader's function and says what it found."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from slimlab.lessons.own import keep

GREEN, RED, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[0m"  # notebooks and terminals both know these


class NotYet(Exception):
    """An exercise that is not solved yet. In a notebook it shows as its one sentence, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{RED}Not yet:{PLAIN} {self}"]


def attempt(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What the reader's function returns. Raises NotYet where it is still empty, or fails, naming the line."""
    name = getattr(function, "__name__", "the function")
    try:
        return function(*args, **kwargs)
    except NotYet:
        raise
    except Exception as error:
        if isinstance(error, NotImplementedError) and not str(error):  # torch's own ones say what is not implemented
            raise NotYet(f"{name} is still empty: put your own lines in the place of `raise NotImplementedError`.") from None
        raise NotYet(f"{name} stopped{_where(function, error)} with {type(error).__name__}: {_one_line(error)}.") from error


def expect(condition: bool | Tensor, otherwise: str) -> None:
    """Raise NotYet with the sentence `otherwise` unless the condition holds."""
    if not bool(condition):
        raise NotYet(otherwise)


def expect_tensor(value: Any, name: str, shape: tuple[int, ...], what: str = "", dtype: torch.dtype | None = None) -> Tensor:
    """`value`, a finite tensor of this shape and, if given, dtype; raises NotYet that says what it is instead.

    what  the shape in words, such as "(N, K)"
    """
    if value is None:
        raise NotYet(f"{name} returned nothing: end it with a line `return …`.")
    if not isinstance(value, Tensor):
        raise NotYet(f"{name} returned a {type(value).__name__}: a torch tensor is asked for.")
    if tuple(value.shape) != tuple(shape):
        words = f"{what} = {tuple(shape)}" if what else f"{tuple(shape)}"
        raise NotYet(f"{name} returned the shape {tuple(value.shape)}: {words} is asked for.")
    if dtype is not None and value.dtype != dtype:
        raise NotYet(f"{name} returned {value.dtype}: {dtype} is asked for.")
    if value.is_floating_point() and not bool(value.isfinite().all()):
        raise NotYet(f"{name} returned numbers that are infinite or NaN: look for exp, log or a division that gets out of range.")
    return value


def passed(sentence: str, function: Callable[..., Any] | None = None) -> None:
    """Print the sentence of success, in green, and keep the reader's function for the lesson that is built from them."""
    print(f"{GREEN}✓ {sentence}{PLAIN}")
    if function is not None:
        keep(function)


def _where(function: Callable[..., Any], error: Exception) -> str:
    """The last line of the reader's own code that the error passed through."""
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    line = linecache.getline(own[-1].filename, own[-1].lineno or 0).strip() if own else ""
    return f" in the line `{line}`" if line else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or "without a word"
