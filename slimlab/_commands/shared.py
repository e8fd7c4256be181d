"""What several commands read: data, its two sides, weights, the file of a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

Command = Callable[[str, str], argparse.ArgumentParser]  # its name and what it does -> its parser


def add_data(parser: argparse.ArgumentParser) -> None:
    """The arguments that `sides` reads."""
    parser.add_argument("data", help="a store, a file or folder that slimlab knows, or the word 'synthetic' or 'ui-prmd'")
    parser.add_argument("--split", default="cross-subject", help="cross-subject, cross-view, ntu60-xsub, file, …")
    parser.add_argument("--train-subjects", type=int, nargs="+", help="subjects of the training side (default: odd ones)")


def weights_of(name: str, skeleton, subfolder: str | None = None):
    """An encoder by its shipped name, or from its folder or id, for this body."""
    from slimlab import weights
    from slimlab.weights.layout import CHECKPOINTS

    if Path(name).suffix == ".onnx":
        return weights.load_onnx(name)
    if name in weights.shipped():
        return weights.pretrained(name, skeleton=skeleton)
    known = f"give {', '.join(weights.shipped())}, a run's folder, a .safetensors, .pth or .onnx file, or OWNER/NAME on the Hub"
    if Path(name).is_file() and Path(name).suffix not in (".safetensors", *CHECKPOINTS):
        raise ValueError(f"{name}: holds no weights; {known}")
    if not Path(name).expanduser().exists() and "/" not in name:
        raise ValueError(f"{name}: no such file or folder, seen from {Path.cwd()}; {known}")
    return weights.load_encoder(name, subfolder, skeleton)


def sides(a: argparse.Namespace):
    """Training and test side of the data of `add_data`."""
    from slimlab import data

    return data.split(data.open(a.data), a.split, train_subjects=a.train_subjects)


def table_file(file: str, *endings: str) -> Path:
    """A table to write. Raises ValueError for another ending; ask before the work begins, and make its folder once it can."""
    out = Path(file)
    if out.suffix not in endings:
        raise ValueError(f"{out}: should end in {' or '.join(endings)}")
    return out
