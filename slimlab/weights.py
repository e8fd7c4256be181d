"""Encoders on disk: `config.json` + `model.safetensors`, the released layout, and `slimlab.json` beside it.

config.json holds the sizes under the names of the released code; slimlab.json what that layout has no room for: the body,
the centring, the input scale. Nothing is unpickled.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

from slimlab.encoder import Encoder, EncoderConfig
from slimlab.skeleton import KINECT_V2, Skeleton


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
    skeleton   the body, where the folder has no slimlab.json to name it (default: Kinect v2)
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
    return encoder.eval()


def _config(folder: Path, skeleton: Skeleton | None) -> EncoderConfig:
    own = folder / "slimlab.json"
    file = own if own.exists() else folder / "config.json"
    try:
        values: dict[str, Any] = json.loads(file.read_text())
        if own.exists():
            body = Skeleton(**values.pop("skeleton"))
            if skeleton is not None and skeleton.names != body.names:
                raise ValueError(f"was made for the joints {', '.join(body.names)}, not for {', '.join(skeleton.names)}")
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
