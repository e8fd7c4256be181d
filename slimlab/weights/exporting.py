"""An encoder for other runtimes: ONNX and torch.export, with any number of clips, people and frames.

The graph is that of `Encoder.forward` with three differences, because a graph has no control flow: people who are absent are
encoded and then set to zero, rotary tables are computed from the number of time steps, and running maxima over time are maxima
over a table. Tests hold the two equal.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from slimlab import __version__
from slimlab._extras import require
from slimlab._system.cache import replace_file
from slimlab.augment import fill_between, shown
from slimlab.encoder import Encoder, unseen_tokens

INPUTS = ("x", "mask", "people", "seen")
OUTPUTS = ("cls", "registers", "tokens", "block_cls")  # in every file
OPTIONAL = ("blocks", "attention")  # in this order after them
METADATA = "slimlab"  # the file's metadata under this name: JSON
FORMAT = 1  # of these files
OPSET = 18  # the oldest that torch's exporter writes without a conversion


class ExportedEncoder(nn.Module):
    """`Encoder.forward` as one graph: (x, mask, people, seen) -> the tensors that `export_onnx` lists."""

    def __init__(self, encoder: Encoder, blocks: bool = False, attention: bool = False) -> None:
        super().__init__()
        self.encoder, self.with_blocks, self.with_attention = encoder, blocks, attention
        half = encoder.config.width // encoder.config.heads // 2
        frequency = 10000.0 ** (-torch.arange(half, dtype=torch.float64) / half)
        self.frequency: Tensor
        self.register_buffer("frequency", frequency.float())  # as in `rotary_tables`

    def forward(self, x: Tensor, mask: Tensor, people: Tensor, seen: Tensor) -> tuple[Tensor, ...]:
        encoder, config = self.encoder, self.encoder.config
        persons, joints, span = x.shape[4], len(config.skeleton), config.patch_frames
        steps = x.shape[2] // span
        mask = mask | unseen_tokens(seen, span)  # (B, M, T/8, V)
        clips = _fill_unseen(x, seen).permute(0, 4, 1, 2, 3).flatten(0, 1)  # (B*M, 3, T, V)
        sequence = encoder._embed(clips, mask.flatten(0, 1))  # (B*M, N, D)
        rotary = self._rotary_tables(steps, joints, mask)
        after, weights = [], []
        for block in encoder.blocks:
            sequence, attention = block(sequence, rotary, True)
            after.append(sequence)
            weights.append(attention)
        sequence = encoder.norm(sequence)

        def per_person(values: Tensor) -> Tensor:
            """(B*M, …) -> (B, M, …), zeros for people who are absent; a product would let their NaN through."""
            values = values.unflatten(0, (-1, persons))
            return torch.where(people[(...,) + (None,) * (values.ndim - 2)], values, 0.0)

        first = 1 + config.registers
        tokens = sequence[:, first:].unflatten(1, (steps, joints))
        every_cls = [encoder.norm(a[:, :1]) for a in after[:-1]] + [sequence[:, :1]]
        out = [sequence[:, 0], sequence[:, 1:first], tokens, torch.cat(every_cls, dim=1)]
        if self.with_blocks:
            out.append(torch.stack(after, dim=1))  # (B*M, L, N, D)
        if self.with_attention:
            out.append(torch.stack(weights, dim=1))  # (B*M, L, H, N, N)
        return tuple(per_person(values) for values in out)

    def _rotary_tables(self, steps: int, joints: int, mask: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin (N, D/heads), as `Encoder._rotary_tables`, computed anew: the graph has no cache."""
        time = torch.arange(steps, dtype=torch.float32, device=mask.device)
        angle = (time[:, None, None] * self.frequency).expand(-1, joints, -1).flatten(0, 1)  # (T/8*V, size/2)
        angle = torch.cat([angle.new_zeros(1 + self.encoder.config.registers, angle.shape[1]), angle])  # (N, size/2)
        cos, sin = angle.cos(), angle.sin()
        return torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)


def _fill_unseen(x: Tensor, seen: Tensor) -> Tensor:
    """`augment.fill_unseen` without running maxima, which ONNX does not have: a maximum over a triangle of moments instead."""
    known = shown(x, seen)
    frames = x.shape[2]
    time = torch.arange(frames, device=x.device)
    here, other = time[:, None, None, None], time[None, :, None, None]  # (T, 1, 1, 1), (1, T, 1, 1)
    # in float32, which is exact here: some runtimes have no maximum of integers
    before = torch.where(known[:, None] & (other <= here), other.float(), -1.0).amax(dim=2)  # (B, T, V, M)
    after = torch.where(known[:, None] & (other >= here), other.float(), frames).amin(dim=2)
    return fill_between(x, seen, known, before.long(), after.long())


def export_program(
    encoder: Encoder, path: str | Path | None = None, *, attention: bool = False, blocks: bool = False
) -> ExportedProgram:
    """An encoder as a `torch.export` program: inputs and outputs of `export_onnx`, as a tuple in that order.

    The program takes any number of clips and people, and at least two time steps; torch's exporter guards against one.

    path  where it is also written, as .pt2 for `torch.export.load`; the configuration lies in it as `slimlab.json`
    Raises ValueError where the path does not end in .pt2, or the encoder has no block.
    """
    if not encoder.config.depth:
        raise ValueError("an encoder of depth 0 has nothing to export")
    path = None if path is None else _checked(path, ".pt2")
    with torch.random.fork_rng(devices=[]):  # what is drawn here is overwritten
        model = Encoder(encoder.config)  # a copy: the exporter traces in evaluation mode, on the CPU, in float32
    model.load_state_dict(encoder.state_dict())
    module = ExportedEncoder(model, blocks, attention).eval().requires_grad_(False)
    span, joints = model.config.patch_frames, len(model.config.skeleton)
    batch, people, steps = 3, 2, 4  # of the example; what is 1 in it would stay 1
    example = (
        torch.zeros(batch, 3, steps * span, joints, people),
        torch.zeros(batch, people, steps, joints, dtype=torch.bool),
        torch.ones(batch, people, dtype=torch.bool),
        torch.ones(batch, steps * span, joints, people, dtype=torch.bool),
    )
    b, m, s = Dim("batch", min=1), Dim("people", min=1), Dim("steps", min=1)
    shapes = ({0: b, 2: span * s, 4: m}, {0: b, 1: m, 2: s}, {0: b, 1: m}, {0: b, 1: span * s, 3: m})
    with torch.no_grad(), quiet_exporter():
        program = torch.export.export(module, example, dynamic_shapes=shapes)
    if path is not None:
        buffer = BytesIO()
        torch.export.save(program, buffer, extra_files={"slimlab.json": json.dumps(_about(encoder))})
        replace_file(path, lambda f: f.write(buffer.getvalue()))
    return program


def export_onnx(
    encoder: Encoder, path: str | Path, *, attention: bool = False, blocks: bool = False, extra: dict[str, Any] | None = None
) -> Path:
    """Write an encoder as one ONNX file (opset 18), for `load_onnx` and for any runtime of ONNX. Returns the path.

    Any number of clips B, people M and time steps T/8 (8: the encoder's `patch_frames`); D is its width. All inputs are needed:

    x       (B, 3, T, V, M) float32, prepared as the configuration says (`evaluate.prepare`)
    mask    (B, M, T/8, V) bool, True: the mask token takes the cell's place
    people  (B, M) bool: who is there; features of the others are zero
    seen    (B, T, V, M) bool: joints that were seen, as in `Encoder.forward`

    Outputs, float32:

    cls        (B, M, D), registers (B, M, R, D) and tokens (B, M, T/8, V, D), after the final norm
    block_cls  (B, M, L, D): the CLS token of each of the L blocks, through the final norm
    blocks     (B, M, L, N, D), where asked for: each block's sequence before the final norm, N = 1 + R + T/8*V
    attention  (B, M, L, H, N, N), where asked for: each block's attention by its H heads

    The file's metadata says under the name `slimlab`, in JSON, the configuration with the body's names, parents and parts.

    extra  further entries of that JSON
    The same weights give the same bytes with the same versions of torch, onnx and onnxscript.
    Raises MissingExtra without slimlab[onnx], ValueError where the path does not end in .onnx, or the encoder has no block.
    """
    require("onnx", "ONNX files", "onnx", "onnxscript")
    path = _checked(path, ".onnx")
    names = [*OUTPUTS, *(n for n, asked in zip(OPTIONAL, (blocks, attention), strict=True) if asked)]
    with quiet_exporter():
        program = torch.onnx.export(
            export_program(encoder, attention=attention, blocks=blocks),
            dynamo=True,
            opset_version=OPSET,
            input_names=INPUTS,
            output_names=names,
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    model = program.model_proto
    _tidy(model, encoder, names)
    model.metadata_props.add(key=METADATA, value=json.dumps(_about(encoder) | (extra or {})))
    content = model.SerializeToString(deterministic=True)
    replace_file(path, lambda f: f.write(content))
    return path


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """The exporter without its notes on packages that are not installed and constants that it leaves alone."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _about(encoder: Encoder) -> dict[str, Any]:
    """The metadata: which layout of files this is, who wrote it, the configuration."""
    own = {f.name: getattr(encoder.config, f.name) for f in fields(encoder.config)}
    return {"format": FORMAT, "version": __version__, "config": own | {"skeleton": encoder.config.skeleton.to_dict()}}


def _checked(path: str | Path, suffix: str) -> Path:
    path = Path(path).expanduser()
    if path.suffix != suffix:
        raise ValueError(f"{path}: give a file name that ends in {suffix}")
    if path.is_dir():
        raise ValueError(f"{path}: is a folder; give the name of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _tidy(model: Any, encoder: Encoder, outputs: list[str]) -> None:
    """Take the exporter's notes out of an `onnx.ModelProto` (traces with paths of this machine) and name the dimensions."""
    from onnx import TensorProto, helper

    c = encoder.config
    joints, frames, length = len(c.skeleton), f"{c.patch_frames}*steps", f"{1 + c.registers}+{len(c.skeleton)}*steps"
    shapes = {
        "x": ("batch", 3, frames, joints, "people"),
        "mask": ("batch", "people", "steps", joints),
        "people": ("batch", "people"),
        "seen": ("batch", frames, joints, "people"),
        "cls": ("batch", "people", c.width),
        "registers": ("batch", "people", c.registers, c.width),
        "tokens": ("batch", "people", "steps", joints, c.width),
        "block_cls": ("batch", "people", c.depth, c.width),
        "blocks": ("batch", "people", c.depth, length, c.width),
        "attention": ("batch", "people", c.depth, c.heads, length, length),
    }
    number, truth = TensorProto.FLOAT, TensorProto.BOOL

    def declared(name: str) -> Any:
        return helper.make_tensor_value_info(name, truth if name in INPUTS[1:] else number, shapes[name])

    graph = model.graph
    graph.name = "encoder"
    for part in (model, graph, *graph.node, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for field, names in (("value_info", ()), ("input", INPUTS), ("output", outputs)):
        graph.ClearField(field)
        getattr(graph, field).extend(declared(name) for name in names)
    model.producer_name, model.producer_version = "slimlab", __version__
