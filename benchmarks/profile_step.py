"""Where the time of a pre-training step goes, against the arithmetic limit of the machine.

    python benchmarks/profile_step.py [--preset paper] [--batch 32] [--prototypes 65536] [--steps 2] [--device cpu]

A stopwatch runs around the parts of a step, each without the parts inside it, so that they add up to the whole. `limit` is the
FLOPs of a part's matrix products over the measured float32 matmul peak: what it would take if nothing else cost anything.
Heads' gradients by the logits are made on the way forward (`losses.prototype_cross_entropy`), so they are in its line.
"""

import argparse
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace

import torch
from _report import matmul_peak, report

from slimlab import analysis, data
from slimlab.analysis import cost
from slimlab.encoder import Encoder
from slimlab.losses import PrototypeHead
from slimlab.pretrain import Config, gradcache, sampling, trainer
from slimlab.pretrain.networks import Networks
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer

OTHERS = "everything else"


class Stopwatch:
    """Seconds of named parts, each without the parts inside it."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.seconds, self.stack, self.since = device, defaultdict(float), [OTHERS], 0.0

    def switch(self) -> None:
        """Put the time since the last switch down to the part that runs."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.seconds[self.stack[-1]] += now - self.since
        self.since = now

    @contextmanager
    def part(self, name: str):
        self.switch()
        self.stack.append(name)
        yield
        self.switch()
        self.stack.pop()

    def around(self, owner, name: str, part) -> None:
        """Time calls of owner.name as `part`, a text or a function of the arguments that gives one."""
        original = getattr(owner, name)

        def timed(*args, **kwargs):
            with self.part(part if isinstance(part, str) else part(*args)):
                return original(*args, **kwargs)

        setattr(owner, name, timed)


def watch(watch: Stopwatch, one: Trainer) -> None:
    """Put the stopwatch around the parts of a step."""

    def side(text: str):
        return lambda module, *_: f"{text}, {'student' if torch.is_grad_enabled() else 'teacher'}"

    watch.around(sampling, "views_of_step", "views")
    watch.around(Trainer, "_views", "augmentation")
    watch.around(Trainer, "_masks", "masks")
    watch.around(Encoder, "cls_and_tokens", side("encoder forward"))
    watch.around(PrototypeHead, "forward", side("head forward"))
    watch.around(PrototypeHead, "embed", side("head forward"))
    watch.around(trainer, "sinkhorn_knopp", "Sinkhorn")
    watch.around(trainer, "prototype_cross_entropy", "cross-entropy, with gradients by logits")
    watch.around(gradcache, "koleo_loss", "KoLeo")
    watch.around(gradcache, "learn", "head backward")
    watch.around(analysis, "effective_prototypes", "monitor values")
    watch.around(analysis, "used_prototypes", "monitor values")
    watch.around(torch.nn.utils, "clip_grad_norm_", "gradient clipping")
    watch.around(one.optimizer, "step", "optimiser")
    watch.around(Trainer, "_update_teacher", "teacher's average")

    def encoder_backward(gradient):  # the gradient has come to the encoder's last norm: from here on it is the encoder's
        watch.switch()
        watch.stack[-1] = "encoder backward"

    def ask(module, inputs, output):
        if output.requires_grad:
            output.register_hook(encoder_backward)

    one.student.encoder.norm.register_forward_hook(ask)


def asked(encoder: Encoder, frames: int, ratio: float = 0) -> float:
    """FLOPs of a view of which the losses ask for CLS and this share of its tokens."""
    x = torch.zeros(1, 3, frames, len(encoder.config.skeleton), 1)
    tokens = torch.zeros(1, frames // encoder.config.patch_frames, x.shape[3], dtype=torch.bool)
    tokens.view(-1)[: round(ratio * tokens.numel())] = True
    return cost.count(lambda: encoder.cls_and_tokens(x, None, tokens if ratio else None))[0]


def work(config: Config, cells: int) -> dict[str, float]:
    """FLOPs of the matrix products of each part of a step."""
    clips, E, K, H, D = config.batch_size, config.head_bottleneck, config.prototypes, config.head_hidden, config.width
    encoder = Networks(config, data.synthetic(clips=22).skeleton).encoder
    of = {v[0]: asked(encoder, v[0]) for v in config.local_views}
    ratio = sum(config.mask_bounds) / 2
    masked, seen = asked(encoder, config.global_frames, ratio), asked(encoder, config.global_frames)
    whole = 2 * clips * (config.mask_globals * masked + (1 - config.mask_globals) * seen)
    local_views = {v[0]: v[1] * (v[3] if len(v) > 3 else 2) for v in config.local_views}
    student = whole + clips * sum(count * of[frames] for frames, count in local_views.items())
    mlp, views = 2 * (D * H + H * H + H * E), (2 + sum(local_views.values())) * clips
    return {
        "encoder forward, teacher": whole,
        "encoder forward, student": student,
        "encoder backward": 2 * student,
        "head forward, teacher": (2 * clips + cells) * (mlp + 2 * E * K),
        "head forward, student": (views + cells) * mlp,
        "head backward": 2 * (views + cells) * mlp,
        "cross-entropy, with gradients by logits": 3 * (views + cells) * 2 * E * K,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--prototypes", type=int)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--device", default="cpu")
    a = parser.parse_args()
    config = Config(preset=a.preset, batch_size=a.batch, precision=a.precision)
    config = replace(config, prototypes=a.prototypes or config.prototypes)
    store = data.synthetic(clips=132)
    one = Trainer(config, store.skeleton, device=a.device)
    one.step(store, clips_of_step(len(store), a.batch, 0, 0), 0)  # first use: allocations, caches
    stopwatch, cells = Stopwatch(one.device), []
    watch(stopwatch, one)
    draw = one._masks
    one._masks = lambda views, step: cells.append(masks := draw(views, step)) or masks
    stopwatch.since = begin = time.perf_counter()
    for step in range(1, 1 + a.steps):
        one.step(store, clips_of_step(len(store), a.batch, 0, step), step)
    stopwatch.switch()
    whole = (time.perf_counter() - begin) / a.steps
    spent = dict(stopwatch.seconds)  # what follows runs the encoder once more, to count
    masked = sum(int(m[0].sum()) for m in cells if m[0] is not None) // a.steps
    peak, flops, rows = matmul_peak(), work(config, masked), []
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1]):
        row = {"part": name, "s": seconds / a.steps, "share": seconds / a.steps / whole}
        rows.append(row | ({"TFLOP": flops[name] / 1e12, "limit, s": flops[name] / peak} if name in flops else {}))
    total = sum(flops.values())
    rows.append({"part": "the step", "s": whole, "share": 1.0, "TFLOP": total / 1e12, "limit, s": total / peak})
    what = (
        f"{a.preset}, {a.batch} clips, {config.prototypes:,} prototypes, {a.precision}; fp32 matmul peak {peak / 1e9:.0f} GFLOP/s"
    )
    name = f"profile_{a.preset}" + ("" if a.precision == "fp32" else f"_{a.precision}")
    report(name, rows, what, a.device)


if __name__ == "__main__":
    main()
