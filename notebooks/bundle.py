"""Make a folder that installs and runs the course without a network, for a classroom.

    python notebooks/bundle.py OUT [--platform win_amd64] [--python 3.11] [--data PATH] [-- pip options]

OUT gets: wheels/ (slimlab's own, which holds the shipped weights, and all that it needs, in the versions of requirements.lock),
notebooks/, solutions/ (for the teacher; take it out before you hand the folder on), data/ (the synthetic clips as a file, and a
copy of PATH), the site if out/site is there, install.sh and install.bat, START_HERE.md. Needs a network and a few GB; options
after -- go to pip, such as --extra-index-url https://download.pytorch.org/whl/cpu, which saves Linux the CUDA libraries.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from build import build, text
from exercises import solve

from slimlab import data

HERE = Path(__file__).parent
ROOT = HERE.parent
SITE = ROOT / "out" / "site"

START = """# slimlab, the course, without a network

1. Python {python} has to be there. Install: `sh install.sh` (Linux, macOS) or `install.bat` (Windows). Nothing is downloaded.
2. Start: `.venv/bin/python -m slimlab lab notebooks/00_quickstart.ipynb`, on Windows
   `.venv\\Scripts\\python -m slimlab lab notebooks\\00_quickstart.ipynb`.
3. Something missing? `.venv/bin/python -m slimlab doctor` names it with its remedy.

The wheels are those of {platform}. Weights: inside slimlab's wheel, `slimlab.pretrained("tiny")`. Data: every lesson makes its
synthetic clips itself; `data/synthetic.npz` holds the same ones as a file. {more}
"""
SH = """#!/bin/sh
set -e
cd "$(dirname "$0")"
"${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --no-index --find-links wheels slimlab
.venv/bin/python -m slimlab doctor
"""
BAT = """@echo off
cd /d "%~dp0"
py -PYTHON -m venv .venv || exit /b 1
.venv\\Scripts\\python -m pip install --no-index --find-links wheels slimlab || exit /b 1
.venv\\Scripts\\python -m slimlab doctor
"""


def main() -> int:
    """What the command line asks for; 1 where pip fails, and then nothing is left at OUT."""
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--platform", default="", help="of the classroom's machines, as pip names it; default: this one's")
    parser.add_argument("--python", default=f"{sys.version_info.major}.{sys.version_info.minor}", help="their version of Python")
    parser.add_argument("--data", type=Path, help="a data set to hand out too, if its licence allows")
    args = parser.parse_args(sys.argv[1:split])
    return make(args.out, args.platform, args.python, args.data, sys.argv[split + 1 :])


def make(out: Path, platform: str = "", python: str = "3.11", given: Path | None = None, pip: list[str] | None = None) -> int:
    """Write the bundle beside `out`, then put it there. Exits where `out` is taken or `given` is not there."""
    if out.exists():
        sys.exit(f"{out}: is there already; remove it or give another folder")
    if given is not None and not given.exists():
        sys.exit(f"{given}: no such file or folder; --data names what to hand out")
    beside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        (beside / "wheels").mkdir(parents=True)
        for command in commands(beside / "wheels", platform, python, pip or []):
            if subprocess.run([sys.executable, "-m", "pip", *command], cwd=ROOT).returncode:
                print("pip failed (above); nothing was written", file=sys.stderr)
                return 1
        fill(beside, platform, python, given)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(f"{out}: {size / 1e9:.1f} GB; begin with {out / 'START_HERE.md'}")
    return 0


def commands(wheels: Path, platform: str, python: str, pip: list[str]) -> list[list[str]]:
    """pip's arguments: slimlab's own wheel, then all that slimlab needs, in the locked versions."""
    where = str(wheels.resolve())
    other = ["--platform", platform, "--python-version", python, "--only-binary=:all:"] if platform else []
    lock = ["-c", str(ROOT / "requirements.lock")]
    return [
        ["wheel", "--no-deps", "-w", where, str(ROOT)],
        ["download", *lock, *other, "--find-links", where, "-d", where, "slimlab", *pip],
    ]


def fill(out: Path, platform: str, python: str, given: Path | None) -> None:
    """Everything but the wheels."""
    (out / "notebooks").mkdir()
    (out / "solutions").mkdir()
    (out / "data").mkdir()
    for source in sorted((HERE / "src").glob("*.py")):
        book = build(source)
        (out / "notebooks" / f"{source.stem}.ipynb").write_text(text(book), encoding="utf-8")
        (out / "solutions" / f"{source.stem}.ipynb").write_text(text(solve(book)), encoding="utf-8")
    data.save_ragged(data.synthetic(clips=660), out / "data" / "synthetic.npz")
    more = ""
    if given is not None:
        copy = shutil.copytree if given.is_dir() else shutil.copy
        copy(given, out / "data" / given.name)
        more = f'`data/{given.name}`: write its path into a lesson\'s `lessons.begin(…, data="../data/{given.name}")`.'
    if (SITE / "index.html").exists():
        shutil.copytree(SITE, out / "site")
        more += " The lessons as pages, already run: open `site/index.html`."
    here = platform or "this teacher's kind of machine"
    (out / "START_HERE.md").write_text(START.format(python=python, platform=here, more=more.strip()), encoding="utf-8")
    (out / "install.sh").write_text(SH, encoding="utf-8")
    (out / "install.bat").write_text(BAT.replace("PYTHON", python).replace("\n", "\r\n"), encoding="utf-8", newline="")


if __name__ == "__main__":
    sys.exit(main())
