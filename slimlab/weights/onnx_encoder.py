"""Encoders that were exported to ONNX, run by onnxruntime wherever `evaluate` takes an encoder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from slimlab._extras import require
from slimlab.encoder import (
    NOT_COMPUTED,
    EncoderConfig,
    FeatureEncoder,
    Intermediate,
    Output,
    check_reading,
    combined,
    pooled,
)
from slimlab.skeleton import Skeleton
from slimlab.weights.exporting import FORMAT, INPUTS, METADATA, OPTIONAL, OUTPUTS


class OnnxEncoder(FeatureEncoder):
    """An exported encoder, as `load_onnx` opens it. It answers as the `Encoder` that was exported, without gradients.

    config   as of the encoder
    about    the file's metadata: `config`, `version` of slimlab, and whatever else `export_onnx` was given
    content  the file's bytes
    Answers are computed on the CPU and come back on the device of what was asked.
    """

    config: EncoderConfig
    has_cls = True

    def __init__(self, session: Any, content: bytes, about: dict[str, Any], config: EncoderConfig) -> None:
        super().__init__()
        self.session, self.content, self.about, self.config = session, content, about, config
        self.outputs = [output.name for output in session.get_outputs()]
        self.place = nn.Parameter(torch.empty(0), requires_grad=False)  # where x has to be: `next(encoder.parameters()).device`
        digest = hashlib.sha256(content).digest()
        self.register_buffer("digest", torch.tensor(list(digest), dtype=torch.uint8))  # what `weights_digest` tells weights by

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        people: Tensor | None = None,
        seen: Tensor | None = None,
        return_intermediates: bool | Literal["tokens"] = False,
    ) -> Output:
        """As `Encoder.forward`.

        Raises ValueError where a shape does not fit, or the file does not hold the intermediates that are asked for.
        """
        wanted: list[str] = list(OUTPUTS[:3])
        if return_intermediates:
            wanted += OPTIONAL[:1] if return_intermediates == "tokens" else OPTIONAL
        if lacking := [name for name in wanted if name not in self.outputs]:
            asked = ", ".join(f"{name}=True" for name in lacking)
            raise ValueError(f"the ONNX file holds no {' and no '.join(lacking)}; export it with {asked}")
        got = self._run(wanted, x, mask, people, seen)
        after = None
        if return_intermediates:
            tokens, attention = got["blocks"].unbind(2), got.get("attention")
            weights = [NOT_COMPUTED] * len(tokens) if attention is None else attention.unbind(2)
            after = [Intermediate(*pair) for pair in zip(tokens, weights, strict=True)]
        return Output(cls=got["cls"], registers=got["registers"], tokens=got["tokens"], intermediates=after)

    def features(
        self,
        x: Tensor,
        people: Tensor | None = None,
        blocks: int = 1,
        pool: str = "cls+mean",
        combine: str = "concat",
        seen: Tensor | None = None,
    ) -> Tensor:
        """One vector a clip (B, F), as `Encoder.features`."""
        check_reading(blocks, pool, combine, self.config.depth)
        got = self._run(["tokens", "block_cls"], x, None, people, seen)
        parts = [got["block_cls"][:, :, -blocks:].flatten(2)] if "cls" in pool else []
        if pool != "cls":
            parts.append(pooled(got["tokens"], self.config.skeleton, pool.removeprefix("cls+")))
        return combined(torch.cat(parts, dim=-1), people, combine)

    def _run(
        self, wanted: list[str], x: Tensor, mask: Tensor | None, people: Tensor | None, seen: Tensor | None
    ) -> dict[str, Tensor]:
        joints, span = len(self.config.skeleton), self.config.patch_frames
        if x.ndim != 5 or x.shape[1] != 3 or x.shape[3] != joints or x.shape[2] % span or not x.shape[2]:
            raise ValueError(
                f"x is {tuple(x.shape)}, should be (B, 3, T, V, M) with V = {joints} joints and T a multiple of {span}"
            )
        batch, _, frames, _, persons = x.shape
        shapes = {
            "mask": (batch, persons, frames // span, joints),
            "people": (batch, persons),
            "seen": (batch, frames, joints, persons),
        }
        feed = {"x": x.detach().cpu().float().numpy()}
        for name, given in zip(INPUTS[1:], (mask, people, seen), strict=True):
            shape = shapes[name]
            if given is None:
                feed[name] = np.full(shape, name != "mask")
                continue
            fits = given.shape == shape
            if name == "mask":  # also (T/8, V), or the same for all people
                fits = given.ndim in (2, 4) and given.shape[-2:] == shape[-2:]
            if given.dtype != torch.bool or not fits:
                raise ValueError(f"{name} is {given.dtype} {tuple(given.shape)}, should be bool of shape {shape}")
            feed[name] = given.expand(shape).cpu().numpy()
        answers = self.session.run(wanted, feed)
        return {name: torch.from_numpy(answer).to(x.device) for name, answer in zip(wanted, answers, strict=True)}


def load_onnx(path: str | Path) -> OnnxEncoder:
    """Open an encoder that `export_onnx` or `slimlab export-model` wrote. onnxruntime runs it on as many threads as torch has.

    Raises:
        MissingExtra: Without slimlab[onnx].
        FileNotFoundError: Without such a file.
        ValueError: Where it is damaged or no such encoder; the message names the file.
    """
    require("onnx", "ONNX files", "onnxruntime")
    import onnxruntime

    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; slimlab export-model writes one")
    content = path.read_bytes()  # from bytes, a graph cannot point to other files
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what is wrong comes as an exception
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        metadata = session.get_modelmeta().custom_metadata_map
    except Exception as error:  # onnxruntime's own classes, and those of what reads the bytes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: damaged, or no ONNX file ({reason}); export or download it again") from error
    if METADATA not in metadata:
        raise ValueError(f"{path}: an ONNX file without slimlab's metadata; slimlab export-model writes one with it")
    try:
        about = dict(json.loads(metadata[METADATA]))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']!r}, this version reads {FORMAT}")
        own: dict[str, Any] = dict(about["config"])
        own["skeleton"] = Skeleton(**own["skeleton"])
        config = EncoderConfig(**own)
        _check(session, config)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: no encoder that this version of slimlab exports ({error}); export it again") from error
    return OnnxEncoder(session, content, about, config).eval()


def _check(session: Any, config: EncoderConfig) -> None:
    """Raises ValueError where the graph's inputs and outputs are not those of an encoder of this configuration."""
    inputs, outputs = ({t.name: t for t in tensors} for tensors in (session.get_inputs(), session.get_outputs()))
    joints, width = len(config.skeleton), config.width
    lacking = [name for name in (*INPUTS, *OUTPUTS) if name not in (inputs if name in INPUTS else outputs)]
    if lacking or len(inputs) != len(INPUTS):
        raise ValueError(f"inputs {', '.join(inputs)}, outputs {', '.join(outputs)}; lacking {', '.join(lacking) or 'nothing'}")
    stated = {"x": inputs["x"].shape[2:4], "tokens": outputs["tokens"].shape[3:], "block_cls": outputs["block_cls"].shape[2:]}
    expected = {
        "x": [f"{config.patch_frames}*steps", joints],
        "tokens": [joints, width],
        "block_cls": [config.depth, width],
    }
    for name, sizes in expected.items():
        if stated[name] != sizes:
            raise ValueError(f"{name} has the sizes {stated[name]}, the configuration says {sizes}")
