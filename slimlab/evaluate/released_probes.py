"""Released linear probes: read from their file and scored without training anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from slimlab.data import ClipStore, released_test_view
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.controls import bounds
from slimlab.evaluate.features import CutView, features
from slimlab.evaluate.grid import feature_specs
from slimlab.evaluate.result import Result, labelled, score

KEY = re.compile(r"(?:.*\.)?(classifier_(\d+)_blocks_avgpool_(True|False)_lr_([\d_.e+-]*\d))(?:\.linear)?\.(weight|bias)")


@dataclass(frozen=True)
class Probe:
    """weight (C, F), bias (C): CLS tokens of the last `blocks` blocks, then the mean token where `pool` is "cls+mean"; lr as in
    the name (after batch / 256)."""

    name: str
    weight: Tensor
    bias: Tensor
    blocks: int
    pool: str
    lr: float


def load_probes(file: str | Path) -> dict[str, Probe]:
    """Name -> probe, from a .pth (read with weights_only=True, nothing is unpickled) or .safetensors file.

    Accepted: tensors called `<name>.weight`, `<name>.bias` or `<name>.linear.weight`, `<name>.linear.bias`, after any prefix,
    flat or in nested dictionaries; <name> is `classifier_<n>_blocks_avgpool_<True|False>_lr_<digits>`, the learning rate
    with "_" for "." as DINOv2 writes it (0_00010). All other entries are left alone.
    Raises FileNotFoundError, or ValueError that names the file and every tensor that is missing or of another shape.
    """
    file = Path(file)
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file; give the .pth or .safetensors file that holds the classifiers")
    found: dict[str, dict[str, tuple[str, Tensor]]] = {}
    wrong, about = [], {}
    for key, tensor in _tensors(_read(file)):
        match = KEY.fullmatch(key)
        if match is None:
            continue
        name, blocks, mean, lr, kind = match.groups()
        if kind in found.setdefault(name, {}):
            wrong.append(f"{key} stands beside {found[name][kind][0]}")
        found[name][kind] = (key, tensor)
        about[name] = (int(blocks), "cls+mean" if mean == "True" else "cls", float(lr.replace("_", ".", 1)))
    if not found:
        raise ValueError(
            f"{file}: no linear probe in it (no tensor called classifier_<n>_blocks_avgpool_<bool>_lr_<rate>.weight)"
        )
    for name, parts in found.items():
        missing = {"weight", "bias"} - parts.keys()
        if missing:
            wrong.append(f"the {missing.pop()} beside {next(iter(parts.values()))[0]} is missing")
            continue
        (weight_key, weight), (bias_key, bias) = parts["weight"], parts["bias"]
        columns = about[name][0] + (about[name][1] == "cls+mean")
        if weight.ndim != 2 or weight.shape[1] % max(1, columns):
            wrong.append(f"{weight_key} is {tuple(weight.shape)}, should be (classes, {columns} x width)")
        elif bias.shape != weight.shape[:1]:
            wrong.append(f"{bias_key} is {tuple(bias.shape)}, should be {(len(weight),)}")
    if wrong:
        raise ValueError(f"{file}: {'; '.join(wrong)}")
    return {n: Probe(n, p["weight"][1].float(), p["bias"][1].float(), *about[n]) for n, p in found.items()}


def score_probe(probe: Probe, test, blocks: int | None = None) -> Result:
    """Classify `Features` (or anything with x and labels) that were read as the protocol says, with people summed.

    test    evaluate.features(encoder, store, blocks=probe.blocks, pool=probe.pool, combine="sum", view=data.released_test_view)
    blocks  where one set of features serves many probes: features(…, blocks=blocks, pool="cls+mean", combine="sum")
    Raises ValueError where the features are not as wide as the probe, DataError where labels are missing.
    """
    x, truth, *_ = labelled(test, test)
    if blocks is not None:
        if probe.blocks > blocks or x.shape[1] % (blocks + 1):
            raise ValueError(
                f"{probe.name}: features (N, {x.shape[1]}) of {blocks} blocks and the mean token do not serve a probe of "
                f"{probe.blocks} blocks"
            )
        width = x.shape[1] // (blocks + 1)
        every = feature_specs([probe.blocks, blocks], [probe.pool], width, x.shape[1])
        x = x[:, every[0].columns]
    classes, wide = probe.weight.shape
    if x.shape[1] != wide:
        raise ValueError(
            f"{probe.name}: features are (N, {x.shape[1]}), the probe takes (N, {wide}); read them with "
            f'evaluate.features(encoder, store, blocks={probe.blocks}, pool="{probe.pool}", combine="sum")'
        )
    if int(truth.max()) >= classes:
        raise ValueError(f"{probe.name}: knows classes 0..{classes - 1}, the clips have a class {int(truth.max())}")
    scores = x @ probe.weight.T + probe.bias
    return score(scores.argmax(dim=1), truth, classes, scores=scores)


def score_probes(
    encoder: FeatureEncoder, test: ClipStore, file: str | Path, *, view: CutView = released_test_view
) -> pd.DataFrame:
    """Every probe of a file on these clips, by the released protocol, a row each: probe, blocks, pool, lr, accuracy, and low and
    high of a 95 % bootstrap interval over the clips' subjects.

    view  what cuts the test view: `data.released_test_view`; `released.faults.test_view` makes the released code's mistake, too

    Raises as `load_probes` and `score_probe`.
    """
    probes = load_probes(file)
    most = max(probe.blocks for probe in probes.values())
    read = features(encoder, test, blocks=most, pool="cls+mean", combine="sum", view=view)  # once, for all of them
    rows = []
    for probe in probes.values():
        result = score_probe(probe, read, blocks=most)
        low, high = bounds(result, test)
        about = {"probe": probe.name, "blocks": probe.blocks, "pool": probe.pool, "lr": probe.lr}
        rows.append(about | {"accuracy": result.accuracy, "low": low, "high": high})
    return pd.DataFrame(rows)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make torch raise anything
        raise ValueError(f"{file}: cannot be read as plain tensors ({error})") from error
    if not isinstance(state, Mapping):
        raise ValueError(f"{file}: holds a {type(state).__name__}, should be a dictionary of tensors")
    return state


def _tensors(state: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for key, value in state.items():
        if isinstance(value, Tensor):
            yield f"{prefix}{key}", value
        elif isinstance(value, Mapping):
            yield from _tensors(value, f"{prefix}{key}.")
