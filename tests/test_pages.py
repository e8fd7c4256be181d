"""README, CONTRIBUTING and docs: commands that are shown are commands that exist, and paths that are named are there."""

import re
import shlex
from pathlib import Path

import pytest

import slimlab
from slimlab import __main__ as cli

ROOT = Path(slimlab.__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"(?:^|&& |\.venv\S*|-m )slimlab ((?:--debug )?[a-z]+ [^&#\n]*)", re.MULTILINE)
SHOWN = sorted({line.strip() for p in PAGES for block in FENCED.findall(p.read_text()) for line in COMMAND.findall(block)})


def test_commands_are_found():
    assert {line.split()[0] for line in SHOWN} >= {"convert", "pretrain", "evaluate", "embed", "figures"}


@pytest.mark.parametrize("line", [line for line in SHOWN if "…" not in line])
def test_a_command_that_is_shown_is_understood(line, monkeypatch):
    """Each is parsed as typed; nothing is run."""
    ran = []
    for name in cli.COMMANDS:
        monkeypatch.setitem(cli.COMMANDS, name, lambda given, name=name: ran.append(name))
    assert cli.main(shlex.split(line)) == 0
    assert ran == [line.split()[0]]


def test_make_targets_that_are_named_are_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for p in [*PAGES, ROOT / "CONTRIBUTING.md"] for name in re.findall(r"`make ([a-z-]+)", p.read_text())}
    assert {"test", "docs", "quickstart"} <= named <= targets


def test_benchmarks_that_are_named_are_there():
    named = {name for p in PAGES for name in re.findall(r"\b(?:benchmarks|notebooks)/\w+\.py", p.read_text())}
    assert named and [name for name in sorted(named) if not (ROOT / name).exists()] == []
