"""`slimlab doctor`: versions, device, which optional packages are missing, and the remedy for each."""

from __future__ import annotations

import importlib.metadata as metadata
import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass

CORE = "torch numpy pandas pyarrow scikit-learn scipy safetensors filelock platformdirs tqdm".split()
EXTRAS = {  # as in pyproject.toml
    "plot": "matplotlib plotly".split(),
    "notebook": "jupyterlab ipywidgets anywidget ipykernel nbclient jupytext".split(),
    "video": ["imageio-ffmpeg"],
    "umap": ["umap-learn"],
    "hub": ["huggingface_hub"],
    "formats": ["ezc3d", "h5py"],
    "onnx": "onnxruntime onnx onnxscript".split(),
    "dev": ["playwright"],
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; `remedy` is empty where all is well. Only `required` ones make the doctor's exit status 1."""

    what: str
    state: str
    remedy: str = ""
    required: bool = True


def chromium() -> str | None:
    """Path of a Chromium or Chrome for the browser tests, or None; SLIMLAB_CHROMIUM names another."""
    names = "chromium chromium-browser google-chrome google-chrome-stable chrome".split()
    found = (shutil.which(name) for name in names)
    return os.environ.get("SLIMLAB_CHROMIUM") or next((path for path in found if path), None)


def examine() -> list[Finding]:
    """Everything the doctor looks at. Nothing is imported but torch, nothing is changed."""
    findings = [_python()]
    findings += [_package(name, "pip install -e . in a checkout of slimlab") for name in CORE]
    for extra, names in EXTRAS.items():
        remedy = f"only for what needs it: pip install 'slimlab[{extra}]'"
        findings += [_package(name, remedy, required=False) for name in names]
    browser = chromium()
    remedy = "only for the browser tests: apt-get install chromium, or set SLIMLAB_CHROMIUM to a Chrome's path"
    findings.append(Finding("Chromium", browser or "missing", "" if browser else remedy, required=False))
    findings.append(_stop())
    findings += _device()
    findings.append(_memory())
    return findings


def report() -> int:
    """Print the findings; 0 where nothing required is missing, else 1."""
    findings = examine()
    for f in findings:
        mark = "ok  " if not f.remedy else "MISS" if f.required else "note"
        print(f"{mark}  {f.what:<16} {f.state}" + (f"\n      remedy: {f.remedy}" if f.remedy else ""))
    return int(any(f.remedy and f.required for f in findings))


def _python() -> Finding:
    fine = sys.version_info >= (3, 11)
    return Finding(
        "Python", f"{platform.python_version()} on {platform.platform()}", "" if fine else "install Python 3.11 or newer"
    )


def _package(name: str, remedy: str, required: bool = True) -> Finding:
    try:
        return Finding(name, metadata.version(name), required=required)
    except metadata.PackageNotFoundError:
        return Finding(name, "missing", remedy, required)


def _stop() -> Finding:
    try:
        version = [int(v) for v in metadata.version("ipykernel").split(".")[:2]]
    except (metadata.PackageNotFoundError, ValueError):
        return Finding("Stop button", "no notebook here", required=False)
    remedy = "" if version >= [7, 4] else "pip install 'ipykernel>=7.4' (older ones do not stop a cell that awaits)"
    return Finding("Stop button", "works" if not remedy else "would not stop training", remedy)


def _device() -> list[Finding]:
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    where = [Finding("CPU", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads for torch")]
    if torch.cuda.is_available():
        where.append(Finding("CUDA", f"{torch.cuda.get_device_name()}, {torch.version.cuda}"))
    elif torch.version.cuda:
        where.append(Finding("CUDA", "this torch is built for it, but finds no GPU or driver"))
    else:
        where.append(Finding("CUDA", "this torch is built for the CPU alone"))
    where.append(Finding("MPS", "there" if torch.backends.mps.is_available() else "not on this machine"))
    return where


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError, AttributeError):
        return Finding("memory", "unknown on this system")
    return Finding("memory", f"{total:.0f} GB, {shutil.disk_usage('.').free / 1e9:.0f} GB free on this disk")
