"""The classroom's bundle: what pip is asked for, what the folder holds, and that a failure leaves nothing."""

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest

from slimlab import data
from tests.script import ROOT, load
from tests.systems import has_sh

bundle = load("bundle")


@pytest.fixture
def asked(monkeypatch):
    """pip's arguments, instead of gigabytes; `fails` makes pip fail."""
    calls = SimpleNamespace(commands=[], fails=False)

    def run(command, **_):
        calls.commands.append(command[3:])
        if command[3] == "wheel":
            (Path(command[command.index("-w") + 1]) / "slimlab-9-py3-none-any.whl").touch()
        return SimpleNamespace(returncode=int(calls.fails))

    few = data.synthetic(clips=22)
    monkeypatch.setattr(bundle, "subprocess", SimpleNamespace(run=run))
    monkeypatch.setattr(bundle, "data", SimpleNamespace(synthetic=lambda clips: few, save_ragged=data.save_ragged))
    return calls


def test_the_folder_holds_the_course_and_pip_is_asked_for_the_locked_versions(tmp_path, asked):
    (tmp_path / "own.csv").write_text("clip\n")
    assert bundle.make(tmp_path / "class", tmp_path / "own.csv", ["--extra-index-url", "https://x"]) == 0
    own, needed = asked.commands
    assert own[:2] == ["wheel", "--no-deps"] and own[-1] == str(ROOT)
    assert needed[:3] == ["download", "-c", str(ROOT / "requirements.lock")]
    assert needed[-3].endswith("slimlab-9-py3-none-any.whl[notebook,umap]") and needed[-2:] == ["--extra-index-url", "https://x"]
    out = tmp_path / "class"
    names = sorted(p.name for p in (ROOT / "notebooks").glob("*.ipynb"))
    assert [sorted(p.name for p in (out / f).iterdir()) for f in ("notebooks", "solutions")] == [names, names]
    for name in names:
        assert (out / "notebooks" / name).read_text() == (ROOT / "notebooks" / name).read_text()
        assert "<summary>Solution" not in str(nbformat.read(out / "solutions" / name, as_version=4))
    assert len(data.open(out / "data" / "synthetic.npz")) == 22 and (out / "data" / "own.csv").exists()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    start = (out / "START_HERE.md").read_text()
    assert f"Python {version}" in start and "UI-PRMD" in start and "holds synthetic motion" in start
    assert f"py -{version} -m venv" in (out / "install.bat").read_text()
    for name in ("install.sh", "install.bat"):
        assert "slimlab[notebook,umap]" in (out / name).read_text()


@has_sh
def test_the_script_that_installs_it_is_one_for_sh(tmp_path):
    (tmp_path / "install.sh").write_text(bundle.SH)
    assert subprocess.run(["sh", "-n", str(tmp_path / "install.sh")]).returncode == 0


def test_when_pip_fails_nothing_is_left(tmp_path, asked):
    asked.fails = True
    assert bundle.make(tmp_path / "class") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_taken_folder_and_missing_data_are_refused_before_work_starts(tmp_path, asked):
    with pytest.raises(SystemExit, match="is there already"):
        bundle.make(tmp_path)
    with pytest.raises(SystemExit, match="no such file"):
        bundle.make(tmp_path / "class", given=tmp_path / "gone")
    assert asked.commands == []


@pytest.mark.full
@pytest.mark.skipif(importlib.util.find_spec("setuptools") is None, reason="needs setuptools, to build without a network")
def test_slimlabs_wheel_holds_weights_and_widgets(tmp_path):
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    names = set(zipfile.ZipFile(next(tmp_path.glob("slimlab-*.whl"))).namelist())
    shipped = [
        p for kind in ("shipped/*/*", "widgets/*.js", "widgets/*.css", "lessons/*.py") for p in (ROOT / "slimlab").glob(kind)
    ]
    assert shipped and {str(p.relative_to(ROOT)) for p in shipped if p.is_file()} <= names
