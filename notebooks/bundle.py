"""Make a folder that installs and runs the course without a network, for a classroom.

    python notebooks/bundle.py OUT [--data PATH] [-- pip options]

OUT gets: wheels/ (slimlab's own, which holds the shipped weights, and all that it needs, in the versions of requirements.lock),
notebooks/, solutions/ (for the teacher; take it out before you hand the folder on), data/ (synthetic motion as a file, and a
copy of PATH), the site if out/site is there, install.sh and install.bat, START_HERE.md. Needs a network and a few GB; options
after -- go to pip, such as --extra-index-url https://download.pytorch.org/whl/cpu, which saves Linux the CUDA libraries.

Make it on a machine of the room's kind: the wheels are those of this system and this Python. (pip can fetch another system's
wheels, but decides by this one which packages are needed, and would leave out what only Windows needs.)
"""

import argparse
import platform
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
EXTRAS = "notebook,umap"  # of pyproject.toml: what the lessons need
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

START = """# slimlab, the course, without a network

1. Python {python} has to be there. Install: `sh install.sh` (Linux, macOS) or `install.bat` (Windows). Nothing is downloaded.
2. Start: `.venv/bin/python -m slimlab lab notebooks/00_quickstart.ipynb`, on Windows
   `.venv\\Scripts\\python -m slimlab lab notebooks\\00_quickstart.ipynb`.
3. Something missing? `.venv/bin/python -m slimlab doctor` names it with its remedy.

The wheels are for Python {python} on {platform}. Inside slimlab's wheel are the weights and recordings of ten real people
(UI-PRMD, public domain), with which the lessons begin. `data/synthetic.npz` holds synthetic motion as a file: the clips that a
lesson makes itself with `lessons.begin(…, data="synthetic")`. {more}
"""
SH = """#!/bin/sh
set -e
cd "$(dirname "$0")"
"${PYTHON:-python3}" -m venv .venv
.venv/bin/python -m pip install --no-index --find-links wheels 'slimlab[notebook,umap]'
.venv/bin/python -m slimlab doctor
"""
BAT = """@echo off
cd /d "%~dp0"
py -PYTHON -m venv .venv || exit /b 1
.venv\\Scripts\\python -m pip install --no-index --find-links wheels "slimlab[notebook,umap]" || exit /b 1
.venv\\Scripts\\python -m slimlab doctor
"""


def main() -> int:
    """What the command line asks for; 1 where pip fails, and then nothing is left at OUT."""
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", type=Path, help="a data set to hand out too, if its licence allows")
    args = parser.parse_args(sys.argv[1:split])
    return make(args.out, args.data, sys.argv[split + 1 :])


def make(out: Path, given: Path | None = None, pip: list[str] | None = None) -> int:
    """Write the bundle beside `out`, then put it there. Exits where `out` is taken or `given` is not there."""
    if out.exists():
        sys.exit(f"{out}: is there already; remove it or give another folder")
    if given is not None and not given.exists():
        sys.exit(f"{given}: no such file or folder; --data names what to hand out")
    beside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        (beside / "wheels").mkdir(parents=True)
        if not wheels(beside / "wheels", pip or []):
            print("pip failed (above); nothing was written", file=sys.stderr)
            return 1
        fill(beside, given)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    print(f"{out}: {size / 1e9:.1f} GB; begin with {out / 'START_HERE.md'}")
    return 0


def wheels(folder: Path, options: list[str]) -> bool:
    """slimlab's own wheel, then all that it needs in the locked versions; whether pip managed."""
    where = str(folder.resolve())
    if not _pip("wheel", "--no-deps", "-w", where, str(ROOT)):
        return False
    own = next(folder.resolve().glob("slimlab-*.whl"))  # the file, not the name: another index may know the name
    return _pip("download", "-c", str(ROOT / "requirements.lock"), "-d", where, f"{own}[{EXTRAS}]", *options)


def _pip(*command: str) -> bool:
    return subprocess.run([sys.executable, "-m", "pip", *command], cwd=ROOT).returncode == 0


def fill(out: Path, given: Path | None) -> None:
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
    start = START.format(python=PYTHON, platform=f"{platform.system()} {platform.machine()}", more=more.strip())
    (out / "START_HERE.md").write_text(start, encoding="utf-8")
    (out / "install.sh").write_text(SH, encoding="utf-8")
    (out / "install.bat").write_text(BAT.replace("PYTHON", PYTHON).replace("\n", "\r\n"), encoding="utf-8", newline="")


if __name__ == "__main__":
    sys.exit(main())
