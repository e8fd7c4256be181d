"""Benchmarks can be started: each says what it does and takes, and the one that reaches into a step finds its parts."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import slimlab

FOLDER = Path(slimlab.__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(p for p in FOLDER.glob("[a-z]*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_each_says_what_it_does_and_writes_nothing(script, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr(sys, "argv", [script.name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(script), run_name="__main__")
    assert stopped.value.code == 0
    said = capsys.readouterr().out
    assert said.startswith("usage:") and script.name in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.integration
def test_the_parts_of_a_step_add_up_to_it(tmp_path):
    command = [sys.executable, str(FOLDER / "profile_step.py"), "--preset", "tiny", "--batch", "4", "--steps", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "bench" / "profile_tiny.json").read_text())
    seconds = {row["part"]: row["s"] for row in found["rows"]}
    whole = seconds.pop("the step")
    parts = {"encoder forward, student", "encoder forward, teacher", "encoder backward", "head backward", "teacher's average"}
    assert parts <= set(seconds) and all(seconds[name] > 0 for name in parts)
    assert sum(seconds.values()) == pytest.approx(whole, rel=0.01)
