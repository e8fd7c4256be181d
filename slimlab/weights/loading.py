"""Encoders on disk: `config.json` + `model.safetensors`, the released layout, and `slimlab.json` beside it.

config.json holds the sizes under the names of the released code; slimlab.json what that layout has no room for: the body,
the centering, the input scale. Where weights are found and how they are read: layout.py.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from slimlab import skeleton as bodies
from slimlab._renamed import new_names
from slimlab._system.cache import TEMPORARY
from slimlab._system.warn import warn
from slimlab.encoder import Encoder, EncoderConfig
from slimlab.skeleton import KINECT_V2, Skeleton
from slimlab.skeleton.matching import match_joints
from slimlab.weights.layout import FILES, Found, check_sizes, misfits, read, sizes

BODIES = tuple(name for name, body in vars(bodies).items() if isinstance(body, bodies.Skeleton) and body in bodies.DECLARED)

SHIPPED = Path(__file__).parent / "shipped"


def save_encoder(encoder: Encoder, folder: str | Path) -> Path:
    """Write an encoder into `folder`, replacing what is there file by file, each whole. Returns the folder."""
    from safetensors.torch import save_file

    folder, config = Path(folder), encoder.config
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f"{TEMPORARY}{folder.name}-{uuid.uuid4().hex}")
    try:
        beside.mkdir()
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
        for name in FILES:
            os.replace(beside / name, folder / name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder


def load_encoder(path: str | Path, subfolder: str | None = None, skeleton: Skeleton | None = None) -> Encoder:
    """Read an encoder: weights in the released layout, as slimlab or the authors wrote them, or a slimlab run's.

    path       a folder with config.json and model.safetensors; a run's folder (its teacher's encoder); a `.pth` checkpoint
               (its teacher's encoder); or an id on the Hugging Face Hub, such as "JeonghyeokDo/SLiM" (needs slimlab[hub])
    subfolder  a folder inside `path`, such as "ntu60_xsub"
    skeleton   the body of the clips to come. Joint embeddings are taken over by joint name; joints without a counterpart
               get their parent's and are named in a warning. Weights without slimlab.json do not say their body: it is this
               one where the number of joints agrees, else Kinect v2

    The tensors decide the sizes; a config.json or slimlab.json that states others is refused, before memory is taken for them.
    Without slimlab.json the sizes are read from the tensors, but the heads cannot be: they are config.json's `num_heads`, and
    width / 32 without it (the paper's 8 at 256; a warning says so at other widths). Such weights take clips uncentered, as the
    released evaluation does.

    Raises FileNotFoundError or ValueError that names the file and what is wrong with it: every size that is stated otherwise,
    every tensor that is missing, unexpected or of another shape.
    """
    found = read(path, subfolder)
    config = _config(found, skeleton)
    own = ("width", "depth", "hidden", "registers", "patch_frames") if found.own else ()
    joints = {"joints": len(config.skeleton)} if found.own else {}
    check_sizes(found, {name: getattr(config, name) for name in own} | joints)
    with torch.device("meta"):  # no memory is taken before the shapes are known to fit
        expected = Encoder(config).state_dict()
    if wrong := misfits(expected, found.tensors):
        raise ValueError(f"{found.file}: does not fit its configuration: {'; '.join(wrong)}")
    encoder = Encoder(config)
    encoder.load_state_dict(found.tensors)
    if skeleton is not None and skeleton.names != encoder.config.skeleton.names:
        encoder = on_body(encoder, skeleton)
    return encoder.eval()


def pretrained(name: str = "tiny", skeleton: Skeleton | None = None) -> Encoder:
    """An encoder that comes with slimlab, pre-trained on synthetic motion without labels; `pretrained_record` says how.

    tiny     Kinect v2, 25 joints; clips mirrored and turned about the vertical axis in training
    small    the same on the paper's grid, 8 time steps of 25 tokens; `slimlab.pretrain.pretrained_run` has its prototypes
    tiny-v1  Kinect v1, 20 joints; not mirrored, so that left and right stay two things
    skeleton as in `load_encoder`. Raises ValueError for another name.
    """
    return load_encoder(_shipped(name), skeleton=skeleton)


def pretrained_record(name: str = "tiny") -> dict[str, Any]:
    """How such an encoder was made: settings, data, command, environment, wall seconds, results."""
    record = json.loads((_shipped(name) / "record.json").read_text())
    return record | {"config": new_names(record["config"])}


def shipped() -> list[str]:
    """Names of the weights that come with slimlab."""
    return sorted(folder.name for folder in SHIPPED.iterdir() if (folder / "record.json").exists())


def _shipped(name: str) -> Path:
    if name not in shipped():
        raise ValueError(f"no weights called '{name}' come with slimlab; there are {', '.join(shipped())}")
    return SHIPPED / name


def on_body(encoder: Encoder, skeleton: Skeleton) -> Encoder:
    """The same encoder for another body: joint embeddings go with joint names, all other weights are shared by all joints."""
    source = encoder.config.skeleton
    places = match_joints(skeleton, source)
    if all(p is None for p in places):
        raise ValueError(f"no joint of this body ({', '.join(skeleton.names)}) has a counterpart in {', '.join(source.names)}")
    missing = [skeleton.names[j] for j, p in enumerate(places) if p is None]
    if missing:
        warn(f"joints without a counterpart get their parent's embedding: {', '.join(missing)}")
    for joint in skeleton.order:
        if places[joint] is None:
            parent = skeleton.parents[joint]
            places[joint] = places[parent] if parent >= 0 else next(p for p in places if p is not None)
    rows = torch.tensor([0, *(1 + p for p in places if p is not None)])  # (1 + V,): CLS, then the joints
    moved = Encoder(replace(encoder.config, skeleton=skeleton))
    state = encoder.state_dict()
    moved.load_state_dict(state | {"pos_embed": state["pos_embed"][:, rows]})
    return moved.train(encoder.training)


def _config(found: Found, skeleton: Skeleton | None) -> EncoderConfig:
    """The configuration that slimlab wrote, or the one that the tensors and config.json tell."""
    try:
        if found.own:
            own = dict(found.own)
            body = Skeleton(**own.pop("skeleton"))
            return EncoderConfig(**own, skeleton=body)
        size = sizes(found)
        body = next((s for s in (skeleton, KINECT_V2) if s is not None and len(s) == size["joints"]), None)
        if body is None:
            same = [f"skeleton.{name}" for name in BODIES if len(getattr(bodies, name)) == size["joints"]]
            raise ValueError(
                f"for {size['joints']} joints; say which, skeleton={' or '.join(same) or 'Skeleton(names, parents)'}"
            )
        heads = int(found.config.get("num_heads", max(1, size["width"] // 32)))
        if "num_heads" not in found.config and size["width"] != EncoderConfig.width:
            warn(f"{found.file}: the number of heads is not told; {heads}, as 32 numbers a head make it")
        config = EncoderConfig(
            skeleton=body,
            width=size["width"],
            depth=size["depth"],
            heads=heads,
            patch_frames=size["patch_frames"],
            registers=size["registers"],
            centering="none",  # pre-trained centered, evaluated as clips come: the protocol that gives the published numbers
        )
        if config.hidden != size["hidden"]:
            config = replace(config, mlp_ratio=1.5 * size["hidden"] / size["width"])
        return config
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{found.file}: no configuration of an encoder ({error})") from error
