"""Optional packages: the library runs without them, and what needs one says which extra brings it."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import slimlab

ROOT = Path(slimlab.__file__).parents[1]
OPTIONAL = (
    "matplotlib plotly jupyterlab ipywidgets anywidget IPython ipykernel nbclient nbformat jupytext umap huggingface_hub ezc3d "
    "h5py onnx onnxruntime onnxscript"
).split()


@pytest.fixture
def bare(monkeypatch):
    """slimlab as it is imported where no optional package is installed; what was imported before comes back afterwards."""
    for name in [n for n in sys.modules if n.partition(".")[0] == "slimlab"]:
        monkeypatch.delitem(sys.modules, name)
    for name in OPTIONAL:
        monkeypatch.setitem(sys.modules, name, None)  # import raises ModuleNotFoundError
    import slimlab

    yield slimlab
    for name in [n for n in sys.modules if n.partition(".")[0] == "slimlab"]:
        del sys.modules[name]  # monkeypatch then puts back those that were imported before, and no others


def test_the_bare_library_trains_and_evaluates(bare, tmp_path):
    data, evaluate, pretrain = bare.data, bare.evaluate, bare.pretrain
    train, test = data.split(data.synthetic(clips=22), "cross-subject")
    run = pretrain.fit(train, pretrain.Config(steps=2, batch_size=4, evaluations=1), folder=tmp_path / "run", device="cpu")
    table = evaluate.compare(run.encoder, train, test)
    assert len(run.metrics) == 2 and {"kNN", "probe"} <= set(table.columns)


@pytest.mark.parametrize(
    "use, extra, package",
    [
        (lambda lab: lab.plot, "plot", "matplotlib"),
        (lambda lab: lab.widgets, "notebook", "ipywidgets"),
        (lambda lab: lab.weights.export_onnx(lab.pretrained("tiny"), "model.onnx"), "onnx", "onnx and onnxscript"),
        (lambda lab: lab.weights.load_onnx("model.onnx"), "onnx", "onnxruntime"),
        (lambda lab: lab.analysis.projection.fit([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], method="umap"), "umap", "umap"),
    ],
)
def test_a_missing_extra_is_named_in_one_sentence(bare, use, extra, package):
    with pytest.raises(ModuleNotFoundError, match=rf"need .*{package}.*: pip install 'slimlab\[{extra}\]'$"):
        use(bare)


def test_the_command_line_names_the_extra_too(bare, capsys):
    from slimlab.__main__ import main

    assert main(["lab"]) == 1
    assert capsys.readouterr().err == "slimlab lab: the lessons need jupyterlab: pip install 'slimlab[notebook]'\n"
    assert main(["figures", "a-run"]) == 1
    assert capsys.readouterr().err == "slimlab figures: figures need matplotlib and plotly: pip install 'slimlab[plot]'\n"


def test_every_package_that_the_project_needs_is_declared_once():
    """What a message tells the reader to install is an extra of pyproject.toml, and no extra's package is a requirement."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert {"notebook", "plot", "video", "umap", "hub", "formats", "onnx", "all", "docs", "dev"} <= set(extras)

    def names(lines):
        return {line.split(">")[0].split("[")[0] for line in lines}

    optional = set().union(*(names(extras[e]) for e in ("notebook", "plot", "video", "umap", "hub", "formats", "onnx"))) - {
        "slimlab"
    }
    assert not names(project["dependencies"]) & optional


@pytest.mark.full
def test_an_installation_of_the_bare_library_works_from_the_shell(tmp_path):
    """`pip install .` into a new environment without optional packages, then open, convert, pretrain and evaluate."""
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def shell(*command):
        done = subprocess.run(command, cwd=tmp_path, env=clean, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    shell(sys.executable, "-m", "venv", "venv")
    source = tmp_path / "source"  # a copy: pip leaves a folder build/ where it builds
    shutil.copytree(ROOT / "slimlab", source / "slimlab", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shell(str(scripts / "python"), "-m", "pip", "install", "--quiet", "-c", str(ROOT / "requirements.lock"), str(source))
    assert not {"matplotlib", "plotly", "jupyterlab", "umap-learn"} & {
        line.partition("==")[0] for line in shell(str(scripts / "python"), "-m", "pip", "list", "--format=freeze").split()
    }
    lab = str(scripts / "slimlab")
    assert shell(lab, "--version") == f"slimlab {slimlab.__version__}\n"
    shell(lab, "doctor")
    shell(lab, "export", "synthetic", "clips.npz")
    shell(lab, "report", "clips.npz")
    shell(lab, "convert", "clips.npz", "store")
    shell(lab, "pretrain", "store", "--steps", "3", "--batch-size", "8", "--device", "cpu", "--folder", "run")
    assert "pre-trained encoder" in shell(lab, "evaluate", "run", "store")
    shell(lab, "embed", "run", "clips.npz", "--out", "features.csv")
