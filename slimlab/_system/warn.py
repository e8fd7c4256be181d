"""A warning points at the reader's own line, however deep inside slimlab its reason is found."""

from __future__ import annotations

import sys
import warnings


def warn(text: str) -> None:
    """A UserWarning at the nearest caller outside slimlab."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "slimlab":
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)
