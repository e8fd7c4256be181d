"""Encoders on disk: `config.json` + `model.safetensors`, the released layout, and `slimlab.json` beside it.

config.json holds the sizes under the names of the released code; slimlab.json what that layout has no room for: the body,
the centring, the input scale. Nothing is unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from slimlab.counterparts import counterparts
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.skeleton import KINECT_V2, Skeleton

SHIPPED = Path(__file__).parent / "pretrained"


def save_encoder(encoder: Encoder, folder: str | Path) -> Path:
    """Write an encoder into `folder`, replacing what is there file by file, each whole. Returns the folder."""
    from safetensors.torch import save_file

    folder, config = Path(folder), encoder.config
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        save_file({k: v.detach().cpu().contiguous() for k, v in encoder.state_dict().items()}, beside / "model.safetensors")
        sizes = {
            "embed_dim": config.width,
            "depth": config.depth,
            "num_heads": config.heads,
            "num_joints": len(config.skeleton),
            "num_register_tokens": config.registers,
            "patch_size": [config.patch_frames, 1],
        }
        (beside / "config.json").write_text(json.dumps(sizes, indent=1))
        own = {f.name: getattr(config, f.name) for f in fields(config)} | {"skeleton": config.skeleton.to_dict()}
        (beside / "slimlab.json").write_text(json.dumps(own, indent=1))
        folder.mkdir(exist_ok=True)
        for name in ("config.json", "slimlab.json", "model.safetensors"):
            os.replace(beside / name, folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def load_encoder(path: str | Path, subfolder: str | None = None, skeleton: Skeleton | None = None) -> Encoder:
    """Read an encoder from such a folder, or from a slimlab run (its teacher's encoder).

    subfolder  a folder inside `path`
    skeleton   the body of the clips to come. Joint embeddings are taken over by joint name; joints without a counterpart
               get their parent's and are named in a warning. For a folder without slimlab.json: its body (default: Kinect v2)
    Raises FileNotFoundError or ValueError that names the file and what is wrong with it: every tensor that is missing,
    unexpected or of another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(path) / subfolder if subfolder else Path(path)
    if (folder / "encoder" / "model.safetensors").exists():
        folder = folder / "encoder"
    file = folder / "model.safetensors"
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file; give a folder with config.json and model.safetensors, or a run's folder")
    try:
        tensors = load_file(file)
    except SafetensorError as error:
        raise ValueError(f"{file}: damaged ({error}); download it again") from error
    encoder = Encoder(_config(folder, skeleton))
    expected = {k: tuple(v.shape) for k, v in encoder.state_dict().items()}
    found = {k: tuple(v.shape) for k, v in tensors.items()}
    wrong = [f"{k} is missing" for k in expected.keys() - found.keys()]
    wrong += [f"{k} is unexpected" for k in found.keys() - expected.keys()]
    wrong += [f"{k} is {found[k]}, should be {expected[k]}" for k in expected.keys() & found.keys() if found[k] != expected[k]]
    if wrong:
        raise ValueError(f"{file}: does not fit its configuration: {'; '.join(sorted(wrong))}")
    encoder.load_state_dict(tensors)
    if skeleton is not None and skeleton.names != encoder.config.skeleton.names:
        encoder = on_body(encoder, skeleton)
    return encoder.eval()


def pretrained(name: str = "tiny", skeleton: Skeleton | None = None) -> Encoder:
    """An encoder that comes with slimlab, pre-trained on synthetic motion without labels; `pretrained_record` says how.

    tiny     Kinect v2, 25 joints; clips mirrored and turned about the vertical axis in training
    tiny-v1  Kinect v1, 20 joints; not mirrored, so that left and right stay two things
    skeleton as in `load_encoder`. Raises ValueError for another name.
    """
    return load_encoder(_shipped(name), skeleton=skeleton)


def pretrained_record(name: str = "tiny") -> dict[str, Any]:
    """How such an encoder was made: settings, data, command, environment, wall seconds, results."""
    return json.loads((_shipped(name) / "record.json").read_text())


def shipped() -> list[str]:
    """Names of the weights that come with slimlab."""
    return sorted(file.parent.name for file in SHIPPED.glob("*/model.safetensors"))


def _shipped(name: str) -> Path:
    if name not in shipped():
        raise ValueError(f"no weights called '{name}' come with slimlab; there are {', '.join(shipped())}")
    return SHIPPED / name


def on_body(encoder: Encoder, skeleton: Skeleton) -> Encoder:
    """The same encoder for another body: joint embeddings go with joint names, all other weights are shared by all joints."""
    source = encoder.config.skeleton
    places = counterparts(skeleton, source)
    if all(p is None for p in places):
        raise ValueError(f"no joint of this body ({', '.join(skeleton.names)}) has a counterpart in {', '.join(source.names)}")
    missing = [skeleton.names[j] for j, p in enumerate(places) if p is None]
    if missing:
        warnings.warn(f"joints without a counterpart get their parent's embedding: {', '.join(missing)}", stacklevel=3)
    for joint in skeleton.order:
        if places[joint] is None:
            parent = skeleton.parents[joint]
            places[joint] = places[parent] if parent >= 0 else next(p for p in places if p is not None)
    rows = torch.tensor([0, *(1 + p for p in places if p is not None)])  # (1 + V,): CLS, then the joints
    moved = Encoder(replace(encoder.config, skeleton=skeleton))
    state = encoder.state_dict()
    moved.load_state_dict(state | {"pos_embed": state["pos_embed"][:, rows]})
    return moved.train(encoder.training)


def _config(folder: Path, skeleton: Skeleton | None) -> EncoderConfig:
    own = folder / "slimlab.json"
    file = own if own.exists() else folder / "config.json"
    try:
        values: dict[str, Any] = json.loads(file.read_text())
        if own.exists():
            body = Skeleton(**values.pop("skeleton"))
            return EncoderConfig(**values, skeleton=body)
        # released weights: pre-trained centred, evaluated as they come; the protocol that gives the published numbers
        return EncoderConfig(
            skeleton=skeleton or KINECT_V2,
            width=values["embed_dim"],
            depth=values["depth"],
            heads=values["num_heads"],
            registers=values.get("num_register_tokens", 4),
            centring="none",
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file}: no configuration of an encoder ({error})") from error
