"""Marks of tests that need what not every operating system has."""

import importlib.util
import multiprocessing
import os
import shutil
import signal

import pytest

forks = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="Processes are forked here, which this system cannot do."
)
kills = pytest.mark.skipif(os.name == "nt", reason="POSIX signals are sent here, which Windows does not have.")
waits_for_signals = pytest.mark.skipif(
    not hasattr(signal, "sigtimedwait"), reason="The test waits by sigtimedwait, which macOS and Windows do not have."
)
limits = pytest.mark.skipif(
    importlib.util.find_spec("resource") is None, reason="Limits of a process are set by `resource`, which Windows does not have."
)
has_sh = pytest.mark.skipif(shutil.which("sh") is None, reason="A script for sh is checked by sh, which is not on this system.")
