"""What an encoder costs: parameters, FLOPs, clips a second, peak memory; the published figures beside ours.

Convention: a multiply-add is 2 FLOPs; matrix products and convolutions count, attention's two products included; element-wise
work does not, unless `elementwise` is set (one operation per element written, two for a softmax with its scaling, five for
LayerNorm). Counted by PyTorch's `FlopCounterMode`. The counter does not know the fused attention kernel of the CPU, so
attention runs as plain matrix products while it counts; inference is counted on tensors without data. The backward pass is
that of the plain products: nothing is recomputed.

A SLiM encoder and one of the MAE baseline go through the same functions.
"""

from __future__ import annotations

import copy
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from slimlab import data
from slimlab.baselines import mae
from slimlab.encoder import Encoder
from slimlab.pretrain import SLIM
from slimlab.pretrain.config import Config
from slimlab.pretrain.sampling import clips_of_step
from slimlab.skeleton import KINECT_V2, Skeleton

NTU_PEOPLE = 1.2  # people in a clip of NTU RGB+D, about: 11 of its 60 actions have two
MAMP_VISIBLE = 74  # tokens that MAMP's encoder sees in pre-training: int(750 * (1 - 0.9)) in floating point


def parameters(module: nn.Module) -> int:
    """Numbers that are learned."""
    return sum(p.numel() for p in module.parameters())


def flops(encoder: nn.Module, people: float = 1, frames: int | None = None, elementwise: bool = False) -> float:
    """FLOPs of encoding one clip with so many people, who are sequences of their own; a mean over clips may be a fraction.

    frames  length of the view; None: the encoder's own
    """
    plain, others = _one_person(encoder, frames)
    return people * (plain + others if elementwise else plain)


def mae_flops(masked: mae.MAE, visible: int, elementwise: bool = False) -> tuple[float, float]:
    """FLOPs of (encoder, decoder) in a forward pass of pre-training, one person, of whom `visible` tokens are seen."""
    encoding, decoding = _one_view(masked, visible)
    return (sum(encoding), sum(decoding)) if elementwise else (encoding[0], decoding[0])


def pretraining_flops(config: Any, skeleton: Skeleton = KINECT_V2, clips: int = 2) -> float:
    """FLOPs a clip of one training step, as it runs: all views, teacher, heads or decoder, losses, backward, augmentation.

    config  of SLiM or of the MAE; a range of mask ratios is replaced by its middle, so that the number is no matter of luck
    """
    if isinstance(config, Config):
        config = replace(config, mask_ratio=sum(config.mask_bounds) / 2)
    step, _ = _training_step(config, skeleton, clips)
    return count(step)[0] / clips


def count(call: Callable[[], Any]) -> tuple[float, float]:
    """FLOPs of a call in the convention above: (products and convolutions, element-wise work)."""
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, _Elementwise() as others:
        call()
    return float(counter.get_total_flops()), float(others.operations)


def throughput(
    encoder: nn.Module, people: float = 1, batch_size: int = 16, seconds: float = 2.0, skip_absent: bool = True
) -> float:
    """Clips a second of inference on the encoder's device, from the median of the batches that fit in `seconds` (at least 3).

    people       mean people a clip, 1 to 2: so many of the clips hold a second one
    skip_absent  False: every clip's empty second body is encoded too, as the released codes do
    """
    x, there = _batch(encoder, people, batch_size)
    with torch.inference_mode():
        encoder(x[:1])
        taken = _median_seconds(lambda: encoder(x, people=there if skip_absent else None), x.device, seconds)
    return batch_size / taken


def memory(encoder: nn.Module, people: float = 1, batch_size: int = 16) -> int:
    """Peak bytes of inference on such a batch, weights included. See `peak_bytes`."""
    x, there = _batch(encoder, people, batch_size)
    with torch.inference_mode():
        return peak_bytes(lambda: encoder(x, people=there), x.device, encoder)


def pretraining_memory(config: Any, skeleton: Skeleton = KINECT_V2, clips: int = 2, device: torch.device | str = "cpu") -> int:
    """Peak bytes of a training step of so many clips: weights, gradients, moments and what the graph keeps. See `peak_bytes`."""
    step, trainer = _training_step(config, skeleton, clips, device)
    step()  # the optimiser's moments come with the first step
    return peak_bytes(step, torch.device(device), *trainer.networks.values())


def peak_bytes(call: Callable[[], Any], device: torch.device, *modules: nn.Module) -> int:
    """Most bytes in use at once during a call.

    CUDA: `torch.cuda.max_memory_allocated`. Elsewhere: the largest sum of all tensors alive at once, those of `modules` and
    every one that the call makes; scratch inside a kernel, Python and libraries are not in it.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        call()
        return torch.cuda.max_memory_allocated(device)
    with _LiveTensors() as live:
        for module in modules:
            for tensor in (*module.parameters(), *module.buffers()):
                live.add(tensor)
        call()
    return live.peak


def table(pretraining: bool = True) -> pd.DataFrame:
    """GFLOPs a clip as printed in SLiM's paper (arXiv 2603.10648) and as counted here, line by line.

    Columns: what, people, paper (printed), counted, elementwise (with element-wise work). The last lines are ratios.
    pretraining  also count real training steps of both methods, which takes seconds and 2 GB
    """
    slim, masked = Encoder(), mae.MAE()
    nothing, visible = float("nan"), f"MAMP encoder, {MAMP_VISIBLE} tokens"
    one_person = {f"SLiM encoder, {f} frames": _one_person(slim, f) for f in (64, 32, 16, 8)}
    whole = "SLiM encoder, 64 frames"
    one_person["MAMP encoder, all 750 tokens"] = _one_person(masked.encoder)
    one_person[visible], one_person["MAMP decoder"] = _one_view(masked, MAMP_VISIBLE)
    printed = {whole: 3.59, "MAMP encoder, all 750 tokens": 28.32, visible: 1.97, "MAMP decoder": 17.70}  # for two people
    lines = []
    for what, (plain, others) in one_person.items():
        lines.append((what, 1, nothing, plain / 1e9, (plain + others) / 1e9))
        lines.append((what, 2, printed.get(what, nothing), 2 * plain / 1e9, 2 * (plain + others) / 1e9))
    if pretraining:
        step = pretraining_flops(Config(preset="paper")) / 1e9
        lines.append(("SLiM pre-training, forward and backward, all views", 1, nothing, step, nothing))
        step = pretraining_flops(mae.Config(preset="mamp"), clips=1) / 1e9
        lines.append(("MAMP pre-training, forward and backward, a view", 1, nothing, step / 2, nothing))  # two views a clip
    of = {what: np.array([plain, plain + others]) for what, (plain, others) in one_person.items()}
    inference = of["MAMP encoder, all 750 tokens"]
    lines.append(("ratio: MAMP inference / SLiM inference", 2, 7.89, *(inference / of[whole])))
    lines.append(("ratio: MAMP inference / its pre-training encoder", 2, 14.38, *(inference / of[visible])))
    return pd.DataFrame(lines, columns=["what", "people", "paper", "counted", "elementwise"])


def mix(
    people: float = NTU_PEOPLE, batch_size: int = 10, seconds: float = 5.0, device: torch.device | str = "cpu"
) -> pd.DataFrame:
    """SLiM against MAMP at the paper's sizes on clips of one and two people, by GFLOPs and by the clock.

    A line each for the empty second body encoded (as both are released) and left out. Columns: method, encoded, gflops (a clip),
    clips_per_second, and each line's cost as a multiple of SLiM's with two bodies always and with those who are there.
    Attention is the same fused kernel in both. `seconds` for each line; 0 leaves the clock out. Raises ValueError for people
    outside 1..2.
    """
    _check_people(people)
    encoders = {"SLiM": Encoder().to(device).eval(), "MAMP": mae.Encoder().to(device).eval()}
    lines = []
    for method, encoder in encoders.items():
        for skip in (False, True):
            cost = flops(encoder, people if skip else 2) / 1e9
            speed = throughput(encoder, people, batch_size, seconds, skip) if seconds else float("nan")
            lines.append((method, "those who are there" if skip else "two bodies always", cost, speed))
    out = pd.DataFrame(lines, columns=["method", "encoded", "gflops", "clips_per_second"])
    for name, of in (("two bodies always", 0), ("those who are there", 1)):
        out[f"GFLOPs over SLiM, {name}"] = out["gflops"] / out["gflops"][of]
        out[f"time over SLiM, {name}"] = out["clips_per_second"][of] / out["clips_per_second"]
    return out


def asymmetry(seconds: float = 1.0, batch_size: int = 4, device: torch.device | str = "cpu") -> pd.DataFrame:
    """One pass of each network of the paper's sizes for a clip of one person: what pre-training runs, and what features need.

    Columns: method, what, tokens, gflops, milliseconds (a clip; the median of the batches that fit in `seconds`; 0 seconds: no
    clock, NaN). Attention is the same fused kernel in both; the passes are forward alone, without gradient.
    """
    slim, masked = Encoder().to(device).eval(), mae.MAE().to(device).eval()
    config, rng = masked.encoder.config, torch.Generator().manual_seed(0)
    x = torch.randn(batch_size, 3, slim.config.frames, len(slim.config.skeleton), 1, generator=rng).to(device)
    clips = torch.randn(batch_size, 3, config.frames, len(config.skeleton), generator=rng).to(device)
    places = torch.rand(batch_size, config.steps * len(config.skeleton), generator=rng).argsort(dim=1)[:, :MAMP_VISIBLE, None]
    places = places.to(device).expand(-1, -1, config.width)  # (B, N, D)
    with torch.inference_mode():
        seen = masked.encoder.encode(masked.encoder.embed(clips).gather(1, places))  # (B, N, D)
        encoding, decoding = _one_view(masked, MAMP_VISIBLE)
        whole, cells = config.steps * len(config.skeleton), slim.config.frames // slim.config.patch_frames * len(KINECT_V2)
        passes = [
            ("SLiM", "a view, pre-training or inference", cells, _one_person(slim), lambda: slim(x)),
            (
                "MAMP",
                "inference, encoder",
                whole,
                _one_person(masked.encoder),
                lambda: masked.encoder.encode(masked.encoder.embed(clips)),
            ),
            (
                "MAMP",
                "pre-training, encoder",
                MAMP_VISIBLE,
                encoding,
                lambda: masked.encoder.encode(masked.encoder.embed(clips).gather(1, places)),
            ),
            ("MAMP", "pre-training, decoder", whole, decoding, lambda: masked.decode(seen, places)),
        ]
        lines = []
        for method, what, tokens, operations, call in passes:
            taken = 1000 * _median_seconds(call, x.device, seconds) / batch_size if seconds else float("nan")
            lines.append((method, what, tokens, operations[0] / 1e9, taken))
    return pd.DataFrame(lines, columns=["method", "what", "tokens", "gflops", "milliseconds"])


def _one_person(encoder: Any, frames: int | None = None) -> tuple[float, float]:
    """`count` of encoding one person, on tensors without data."""
    encoder = copy.deepcopy(encoder).to("meta")
    x = torch.zeros(1, 3, frames or encoder.config.frames, len(encoder.config.skeleton), 1, device="meta")
    with torch.no_grad():
        if isinstance(encoder, mae.Encoder):  # its forward asks who is there, which is data
            return count(lambda: encoder.encode(encoder.embed(x[..., 0])))
        return count(lambda: encoder(x))


def _one_view(masked: mae.MAE, visible: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """`count` of encoder and of decoder in a forward pass of pre-training, on tensors without data."""
    masked = copy.deepcopy(masked).to("meta")
    config = masked.encoder.config
    clips = torch.zeros(1, 3, config.frames, len(config.skeleton), device="meta")
    seen = torch.zeros(1, visible, config.width, device="meta")
    with torch.no_grad():
        encoding = count(lambda: masked.encoder.encode(masked.encoder.embed(clips)[:, :visible]))
        return encoding, count(lambda: masked.decode(seen, seen.long()))


def _check_people(people: float) -> None:
    if not 1 <= people <= 2:
        raise ValueError(f"people a clip is {people}, should be 1..2")


def _batch(encoder: Any, people: float, batch_size: int) -> tuple[Tensor, Tensor]:
    """Random clips x (B, 3, T, V, M) and who is there (B, M), on the encoder's device; absent people are zeros."""
    _check_people(people)
    device, config = next(encoder.parameters()).device, encoder.config
    there = torch.ones(batch_size, 1 if people == 1 else 2, dtype=torch.bool)
    there[round((people - 1) * batch_size) :, 1:] = False
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(batch_size, 3, config.frames, len(config.skeleton), there.shape[1], generator=rng)
    return (x * there[:, None, None, None]).to(device), there.to(device)


def _training_step(config: Any, skeleton: Skeleton, clips: int, device: torch.device | str = "cpu") -> tuple[Callable, Any]:
    """A call that trains on `clips` synthetic clips, and its trainer."""
    method = next(m for m in (SLIM, mae.METHOD) if isinstance(config, m.settings))
    store = data.on_body(data.synthetic(clips=22), skeleton)
    trainer = method.trainer(config, skeleton, device=device)

    chosen = clips_of_step(len(store), clips, config.seed, 0)
    return lambda: trainer.step(store, chosen, 0), trainer


def _median_seconds(call: Callable[[], Any], device: torch.device, seconds: float) -> float:
    """Median of the calls that fit in `seconds`, at least 3."""
    times, begin = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - begin < seconds:
        times.append(_seconds(call, device))
    return float(np.median(times))


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    begin = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    if device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - begin


class _Elementwise(TorchDispatchMode):
    """Counts element-wise operations: see the module's docstring."""

    operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        each = {"_softmax": 2, "_safe_softmax": 2, "native_layer_norm": 5, "addmm": 1, "addcmul": 2, "clone": 0}.get(
            name, int(torch.Tag.pointwise in func.tags)
        )
        if each:
            self.operations += each * tree_leaves(out)[0].numel()
        return out


class _LiveTensors(TorchDispatchMode):
    """Follows the bytes of all storages that are alive."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[int] = set()
        self.now = self.peak = 0

    def add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self.known:
            return
        self.known.add(key)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self.known.discard(key)
        self.now -= size

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves((args, kwargs, out)):
            if isinstance(leaf, Tensor):
                self.add(leaf)
        return out
