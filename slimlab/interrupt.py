"""Ctrl-C and SIGTERM wait for the end of a step, so that what is then saved is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HELD = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def held() -> Iterator[list[int]]:
    """Signals that come in the body are collected in the list that it gives, and answered after the body (see `answer`).

    In another thread than the main one, which alone hears signals, it does nothing.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.getsignal(number) for number in HELD}
    try:
        for number in HELD:
            signal.signal(number, lambda number, frame: came.append(number))
        yield came
    finally:
        for number in reversed(HELD):  # Ctrl-C last: once it is heard again it may raise before the next line
            handler = before[number]
            if handler is not None:  # None: not set from Python, and not ours to set again
                signal.signal(number, handler)
    answer(came)


@contextmanager
def ended_gently() -> Iterator[None]:
    """In the body SIGTERM, which would end Python on the spot, raises SystemExit (143) instead. An own handler is left alone."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    try:
        signal.signal(signal.SIGTERM, end)
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def answer(came: list[int]) -> None:
    """Do what the first of these signals would have done; where that is the end on the spot, raise SystemExit instead."""
    if not came:
        return
    number = came[0]
    came.clear()
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, None)
    elif handler == signal.SIG_DFL:
        raise SystemExit(128 + number)
