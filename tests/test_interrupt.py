"""Signals wait for the end of what must not be cut in half."""

import os
import signal
import threading

import pytest

from slimlab.interrupt import HELD, ended_gently, held
from tests.systems import kills, waits_for_signals


@kills
@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_is_answered_after_the_body(number, raised):
    before, done = [signal.getsignal(s) for s in HELD], []
    with pytest.raises(raised) as caught, held() as came:
        os.kill(os.getpid(), number)
        done.append(list(came))
    assert done == [[number]]
    assert [signal.getsignal(s) for s in HELD] == before
    if raised is SystemExit:
        assert caught.value.code == 143


def test_nothing_happens_without_a_signal_and_an_error_passes_through():
    before = [signal.getsignal(s) for s in HELD]
    with held() as came:
        pass
    assert came == []
    with pytest.raises(ZeroDivisionError), held():
        raise ZeroDivisionError
    assert [signal.getsignal(s) for s in HELD] == before


@kills
def test_an_own_handler_is_called(monkeypatch):
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with held():
            os.kill(os.getpid(), signal.SIGTERM)
            assert heard == []
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@waits_for_signals
def test_sigterm_ends_gently_outside_of_what_holds_it():
    with pytest.raises(SystemExit) as caught, ended_gently():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.sigtimedwait([], 1)  # it is answered by now
    assert caught.value.code == 143 and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    with pytest.raises(SystemExit), ended_gently(), held():
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("late", [signal.SIGINT, signal.SIGTERM])
def test_an_error_between_two_handlers_leaves_none_behind(monkeypatch, late):
    """Such as a Ctrl-C that comes once a handler is set and before the body."""
    before, set_handler, asked = [signal.getsignal(s) for s in HELD], signal.signal, []

    def set_then_fail(number, handler):
        old = set_handler(number, handler)
        asked.append(number)
        if number == late and asked.count(late) == 1:
            raise KeyboardInterrupt
        return old

    monkeypatch.setattr(signal, "signal", set_then_fail)
    for around in [held] if late == signal.SIGINT else [held, ended_gently]:
        asked.clear()
        with pytest.raises(KeyboardInterrupt), around():
            pass
        assert [signal.getsignal(s) for s in HELD] == before


def test_ctrl_c_is_given_back_last(monkeypatch):
    """Heard again, it may raise before the next line: nothing may be left to give back then."""
    set_handler, asked = signal.signal, []
    monkeypatch.setattr(signal, "signal", lambda number, handler: asked.append(number) or set_handler(number, handler))
    with held():
        asked.clear()
    assert asked[-1] == signal.SIGINT and set(asked) == set(HELD)


def test_other_threads_hold_nothing():
    before, came = [signal.getsignal(s) for s in HELD], []

    def body():
        with held() as got:
            came.append([signal.getsignal(s) for s in HELD])
            assert got == []

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert came == [before]
