"""Wait for a condition, never for a clock."""

import time
from collections.abc import Callable
from pathlib import Path


def wait_for(condition: Callable[[], object], what: str, seconds: float = 300) -> None:
    """Return once `condition()` is true; fail after `seconds`, so that a broken program does not hang its test."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def steps_logged(folder: Path) -> int:
    """Lines in the log of the run in `folder`; 0 while there is no log."""
    file = folder / "metrics.jsonl"
    return len(file.read_text().splitlines()) if file.exists() else 0
