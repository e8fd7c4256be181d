"""The promises of the package as a whole."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import slimlab

ROOT = Path(slimlab.__file__).parent
HEAVY = "plotly ipywidgets umap sklearn matplotlib IPython".split()


def test_import_is_light():
    """Nothing heavy, also after the core was used; and no torch before a submodule is used."""
    code = (
        "import sys; import slimlab; print('torch' in sys.modules); from slimlab import data, pretrain, evaluate, encoder\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["False", "[]"]


def test_every_name_is_reachable_from_the_top():
    for name in dir(slimlab):
        assert getattr(slimlab, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        slimlab.nonsense  # noqa: B018


def test_everything_public_says_what_it_is():
    """Modules, public classes and public functions have a docstring."""
    silent = []
    for file in (p for p in ROOT.rglob("*.py") if not p.name.startswith("_") or p.name.startswith("__")):
        tree = ast.parse(file.read_text())
        nodes = [tree, *(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_"))]
        silent += [f"{file.name}:{getattr(n, 'name', '')}" for n in nodes if not ast.get_docstring(n)]
    assert set(silent) <= ALLOWED, sorted(set(silent) - ALLOWED)


# nn.Modules whose names say it all
ALLOWED = {f"encoder.py:{n}" for n in ("Attention", "SwiGLU", "Block")} | {"style.py:colour"}


def test_one_version():
    """The package, CITATION.cff and the newest section of CHANGELOG.md agree; the command line prints it."""
    cited = re.search(r"^version: (.+)$", (ROOT.parent / "CITATION.cff").read_text(), re.MULTILINE)
    newest = re.search(r"^## \[(.+?)\]", (ROOT.parent / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert cited and newest and cited[1] == newest[1] == slimlab.__version__


def test_the_command_is_slimlab(capsys):
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    module, _, function = project["scripts"]["slimlab"].partition(":")
    with pytest.raises(SystemExit) as ended:
        getattr(import_module(module), function)(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"slimlab {slimlab.__version__}\n"


def test_type_checkers_read_the_annotations():
    packaged = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["slimlab"]
    assert "py.typed" in packaged and (ROOT / "py.typed").exists()
