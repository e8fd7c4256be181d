"""The promises of the package as a whole."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import slimlab

ROOT = Path(slimlab.__file__).parent
CORE = "skeleton augment masking encoder objectives config trainer pretrain".split()
HEAVY = "plotly ipywidgets umap sklearn matplotlib IPython".split()


def test_import_is_light():
    """At most 1.5 s beyond torch's own import, and nothing heavy, also after the core was used."""
    code = (
        "import time; import torch; begin = time.perf_counter(); import slimlab\n"
        "from slimlab import data, pretrain, evaluate, encoder\n"
        "print(time.perf_counter() - begin); import sys\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(3)]
    assert all(r.splitlines()[1] == "[]" for r in runs), runs
    assert min(float(r.splitlines()[0]) for r in runs) < 1.5


def test_every_name_is_reachable_from_the_top():
    for name in dir(slimlab):
        assert getattr(slimlab, name) is not None
    try:
        slimlab.nonsense  # noqa: B018
    except AttributeError as error:
        assert "nonsense" in str(error)


def test_files_stay_readable():
    lines = {p: len(p.read_text().splitlines()) for p in ROOT.rglob("*.py")}
    assert {str(p): n for p, n in lines.items() if n > 350} == {}
    assert sum(lines[ROOT / f"{name}.py"] for name in CORE) <= 2000


def test_everything_public_says_what_it_is():
    """Modules, public classes and public functions have a docstring."""
    silent = []
    for file in (p for p in ROOT.rglob("*.py") if not p.name.startswith("_") or p.name.startswith("__")):
        tree = ast.parse(file.read_text())
        nodes = [tree, *(n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_"))]
        silent += [f"{file.name}:{getattr(n, 'name', '')}" for n in nodes if not ast.get_docstring(n)]
    assert set(silent) <= ALLOWED, sorted(set(silent) - ALLOWED)


# one-line commands of the command line, whose help text is their description, and nn.Modules whose names say it all
ALLOWED = {f"__main__.py:{n}" for n in ("lab", "convert", "export", "report", "pretrain", "evaluate", "embed", "figures", "cost")}
ALLOWED |= {f"encoder.py:{n}" for n in ("Attention", "SwiGLU", "Block")} | {"style.py:colour"}


def test_import_time_is_measured_against_torch_alone():
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import slimlab"], check=True)
    assert time.perf_counter() - begin < 1.5  # without torch: submodules come when they are used
