"""Where an encoder's weights lie (folder, run, `.pth` file, Hub id) and what is in them: named tensors and their sizes.

Files are the released ones of SLiM (https://github.com/KAIST-VICLab/SLiM): `config.json` + `model.safetensors`, or a training
checkpoint `{"teacher": {"backbone.<name>": tensor}}`. Nothing is unpickled but plain tensors.
"""

from __future__ import annotations

import json
import pickletools
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mode
from typing import Any

import torch
from torch import Tensor

FILES = ("config.json", "slimlab.json", "model.safetensors")
BACKBONE = "backbone."
MOST_BYTES = 1 << 24  # of a checkpoint's names and shapes
PAPER = {"width": 256, "depth": 8, "hidden": 688, "registers": 4, "joints": 25, "patch_frames": 8}


@dataclass(frozen=True)
class Found:
    """tensors by name; the contents of config.json and slimlab.json, {} where there is none; the file, for complaints."""

    file: Path
    tensors: dict[str, Tensor]
    config: dict[str, Any]
    own: dict[str, Any]


CHECKPOINTS = (".pth", ".pt", ".tar", ".ckpt")  # files of the authors' kind


def read(path: str | Path, subfolder: str | None = None) -> Found:
    """Find and read weights; arguments and complaints as in `weights.load_encoder`."""
    place = Path(path).expanduser()
    if not place.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+", str(path)):
        place = _from_hub(str(path), subfolder)
    place = place / (subfolder or "")
    if place.is_file():
        if place.suffix == ".onnx":
            raise ValueError(f"{place}: an encoder exported to ONNX; open it with weights.load_onnx")
        if place.suffix in CHECKPOINTS:
            return Found(place, _checkpoint(place), {}, {})
        folder, file = place.parent, place
    else:
        folder = place / "encoder" if (place / "encoder" / "model.safetensors").exists() else place
        file = folder / "model.safetensors"
    if not file.exists():
        inside = sorted(p.parent.name for p in place.glob("*/model.safetensors"))
        hint = f"or subfolder= {' or '.join(inside)}" if inside else "or a run's folder, or a .pth file"
        raise FileNotFoundError(f"{file}: no such file; give a folder with config.json and model.safetensors, {hint}")
    return Found(file, _safetensors(file), _json(folder / FILES[0]), _json(folder / FILES[1]))


def sizes(found: Found) -> dict[str, int]:
    """width, depth, hidden, registers, joints, patch_frames: as the tensors' shapes tell, and the paper's where they do not."""
    return PAPER | _told(found)


def check_sizes(found: Found, own: Mapping[str, int]) -> None:
    """Raises ValueError, naming both sizes, where config.json or slimlab.json states another size than the tensors have.

    own  the sizes that slimlab.json states, under the names of `sizes`; empty without that file
    """
    told = _told(found)
    names = {"embed_dim": "width", "depth": "depth", "num_register_tokens": "registers", "num_joints": "joints"}
    stated = [("config.json", key, found.config[key], name) for key, name in names.items() if key in found.config]
    if isinstance(patch := found.config.get("patch_size"), list) and patch:
        stated.append(("config.json", "patch_size[0]", patch[0], "patch_frames"))
    stated += [("slimlab.json", name, value, name) for name, value in own.items()]
    wrong = [f"{file} says {key} {value}, the tensors {told[n]}" for file, key, value, n in stated if told.get(n, value) != value]
    if wrong:
        raise ValueError(
            f"{found.file}: {'; '.join(wrong)}; these files do not belong together. Take the ones that came with the weights"
        )


def misfits(expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> list[str]:
    """Every tensor that is missing, unexpected or of another shape than expected, in words and in order."""
    wrong = [f"{name} is missing" for name in expected.keys() - tensors.keys()]
    wrong += [f"{name} is unexpected" for name in tensors.keys() - expected.keys()]
    for name in expected.keys() & tensors.keys():
        shape, wanted = tuple(tensors[name].shape), tuple(expected[name].shape)
        if shape != wanted:
            wrong.append(f"{name} is {shape}, should be {wanted}")
    return sorted(wrong)


def _told(found: Found) -> dict[str, int]:
    """The sizes that the tensors tell. Width and hidden are what most of them say, so that a misshapen one stands out."""
    shapes = {name: tuple(tensor.shape) for name, tensor in found.tensors.items()}

    def most(pattern: str, axis: int) -> int | None:
        values = [s[axis] for name, s in shapes.items() if re.fullmatch(pattern, name) and len(s) > axis]
        return mode(values) if values else None

    blocks = [int(name.split(".")[1]) for name in shapes if re.fullmatch(r"blocks\.\d{1,4}\..*", name)]
    positions = most("pos_embed", 1)
    told = {
        "width": most(r"(.*\.)?norm\d?\.weight", 0),
        "depth": 1 + max(blocks) if blocks else None,
        "hidden": most(r"blocks\.\d+\.mlp\.w3\.weight", 1),
        "registers": most("register_tokens", 1),
        "joints": None if positions is None else positions - 1,
        "patch_frames": most(r"patch_embed\.proj\.weight", 2),
    }
    return {name: value for name, value in told.items() if value is not None}


def _json(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        values = json.loads(file.read_text())
        return dict(values)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{file}: no configuration of an encoder ({error})") from error


def _safetensors(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except SafetensorError as error:
        raise ValueError(f"{file}: damaged ({error}); download it again") from error


def _checkpoint(file: Path) -> dict[str, Tensor]:
    """The teacher's encoder of a training checkpoint; its heads are left out."""
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make torch raise anything
        names = _names(file)
        if names and not any(name.startswith(BACKBONE) for name in names):
            raise ValueError(
                f"{file}: these are not SLiM's tensors, which are called {BACKBONE}cls_token and so on; it holds "
                f"{', '.join(names[:3])}, …; give a SLiM checkpoint"
            ) from error
        reason = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{file}: damaged, or more than plain tensors in it, which slimlab does not open ({reason})") from error
    teacher = state.get("teacher") if isinstance(state, dict) else None
    if not isinstance(teacher, dict) or not any(str(name).startswith(BACKBONE) for name in teacher):
        holds = (
            ", ".join(map(str, list(teacher if isinstance(teacher, dict) else state)[:5])) if isinstance(state, dict) else state
        )
        raise ValueError(f"{file}: no released checkpoint, which is {{'teacher': {{'backbone.…': tensor}}}}; it holds {holds}")
    tensors = {name.removeprefix(BACKBONE): t for name, t in teacher.items() if str(name).startswith(BACKBONE)}
    odd = [name for name, value in tensors.items() if not isinstance(value, Tensor)]
    if odd:
        raise ValueError(f"{file}: {', '.join(odd)} of the teacher's encoder should be tensors")
    return tensors


def _names(file: Path) -> list[str]:
    """Names with a dot in a sound archive of torch, found without unpickling; none where it is no such archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            member = next(n for n in archive.namelist() if n.endswith("data.pkl"))
            if archive.getinfo(member).file_size > MOST_BYTES:
                return []
            words = [str(arg) for op, arg, _ in pickletools.genops(archive.read(member)) if "UNICODE" in op.name]
        return [w for w in words if re.fullmatch(r"[\w-]+(\.[\w-]+)+", w) and len(w) < 200]
    except Exception:  # whatever damaged bytes provoke in zipfile or pickletools
        return []


def _from_hub(repository: str, subfolder: str | None) -> Path:
    """Its files in the Hub's local cache, downloaded where they are missing or old."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise FileNotFoundError(
            f"{repository}: no such folder here; if it is an id on the Hugging Face Hub: pip install 'slimlab[hub]'"
        ) from error
    inside = f"{subfolder.strip('/')}/" if subfolder else ""
    try:
        return Path(snapshot_download(repository, allow_patterns=[inside + name for name in FILES]))
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise FileNotFoundError(f"{repository}: no such folder here, and the Hugging Face Hub gives none ({reason})") from error
