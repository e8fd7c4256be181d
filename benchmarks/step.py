"""A pre-training step: seconds, memory, and the part of the machine's matmul peak that it reaches.

    python benchmarks/step.py [--steps 2] [--no-compile] [--quick]

Every line runs in a process of its own on synthetic clips, so that its peak of memory, all of Python in it, is its own. The
first step is left out of the time. References in the same run: the step as one would first write it (`naive`: every logit,
every view and both losses in one graph), and MAMP's. `of fp32 peak`: FLOPs of the step (`cost.pretraining_flops`) over its
seconds and the measured peak.
"""

import argparse
import time
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from _report import matmul_peak, measured, report

from slimlab import data, losses
from slimlab.analysis import cost
from slimlab.baselines import mae
from slimlab.pretrain import Config
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.trainer import Trainer

CLIPS = 132


def naive_targets(trainer, pieces, temperature):
    """The teacher's assignments of CLS (2B, K) and of the masked tokens (tokens, K)."""
    (piece,), teacher = pieces, trainer.teacher
    with torch.no_grad():
        seen = teacher.encoder(piece.views[0])
        targets = losses.sinkhorn_knopp(teacher.cls_head(seen.cls[:, 0]), temperature)
        return targets, losses.sinkhorn_knopp(teacher.token_head(seen.tokens[:, 0][piece.predicted]), temperature)


def naive_backward(trainer, pieces, assigned):
    """All of the loss in one graph, from all logits."""
    c, student, (piece,), (targets, cell_targets) = trainer.config, trainer.student, pieces, assigned
    views, masks, mask = piece.views, piece.masks, piece.predicted
    outs = [student.encoder(x, mask=None if m is None else m[:, None]) for x, m in zip(views, masks, strict=True)]
    logits = student.cls_head(torch.cat([out.cls[:, 0] for out in outs])).split(len(views[0]) // 2)
    glcl = losses.global_local_loss(logits, targets.chunk(2), c.student_temperature)
    cells = student.token_head(outs[0].tokens[:, 0][mask])
    mfp = losses.masked_feature_loss(cells, cell_targets, mask, c.student_temperature)
    koleo = torch.stack([losses.koleo_loss(view) for view in outs[0].cls[:, 0].chunk(2)]).sum()
    loss = c.glcl_weight * glcl + c.mfp_weight * mfp + c.koleo_weight * koleo
    loss.backward()
    return {"loss": loss.item(), "glcl": glcl.item(), "mfp": mfp.item(), "koleo": koleo.item()}


def steps(config, count: int, naive: bool = False, threads: int = 0) -> dict:
    """Median seconds of `count` steps after the first, and the first loss."""
    torch.set_num_threads(threads or torch.get_num_threads())
    store = data.synthetic(clips=CLIPS)
    trainer = (Trainer if isinstance(config, Config) else mae.Trainer)(config, store.skeleton)
    if naive:
        trainer.targets, trainer.backward = partial(naive_targets, trainer), partial(naive_backward, trainer)
    times, losses = [], []
    for step in range(1 + count):
        clips = clips_of_step(len(store), config.batch_size, config.seed, step)
        begin = time.perf_counter()
        losses.append(trainer.step(store, clips, step)["loss"])
        times.append(time.perf_counter() - begin)
    return {"s/step": float(np.median(times[1:])), "loss": losses[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2, help="timed, of the paper's size; ten times as many of tiny's")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--only", default="", help="lines whose name holds this word, such as tiny")
    parser.add_argument("--quick", action="store_true", help="a few clips and prototypes: does it run?")
    a = parser.parse_args()
    batch, most = (2, 256) if a.quick else (32, 65_536)
    few = min(most, 4096)
    paper = Config(preset="paper", batch_size=batch, prototypes=most)
    small = replace(paper, prototypes=few)
    tiny, mamp = Config(preset="tiny"), mae.Config(preset="mamp", batch_size=batch // 2)
    cases = {
        "paper": (paper, a.steps),
        "paper, bf16": (replace(paper, precision="bf16"), a.steps),
        f"paper, {few:,} prototypes": (small, a.steps),
        f"paper, {few:,} prototypes, naive": (small, a.steps, True),
        f"paper, {few:,} prototypes, bf16": (replace(small, precision="bf16"), a.steps),
        f"paper, {few:,} prototypes, one thread": (small, 1, False, 1),
        f"paper, {few:,} prototypes, batch {batch // 4 or 2}": (replace(small, batch_size=batch // 4 or 2), a.steps),
        f"paper, {few:,} prototypes, batch {batch * 2}": (replace(small, batch_size=batch * 2), 1),
        f"paper, {most // 4:,} prototypes": (replace(paper, prototypes=most // 4), 1),
        "MAMP": (mamp, a.steps),
        "tiny": (tiny, 10 * a.steps),
        "tiny, naive": (tiny, 10 * a.steps, True),
        "tiny, bf16": (replace(tiny, precision="bf16"), 10 * a.steps),
        "tiny, one thread": (tiny, 10 * a.steps, False, 1),
        "tiny of the MAE": (mae.Config(preset="tiny"), 10 * a.steps),
    }
    if not a.no_compile:
        cases[f"paper, {few:,} prototypes, compiled"] = (replace(small, compile=True), a.steps)
    peak, work, rows = matmul_peak(), {}, []
    for name, (config, *rest) in cases.items():
        if a.only not in name:
            continue
        found = measured(steps, config, *rest)
        what = replace(config, batch_size=2, **({"precision": "fp32", "compile": False} if isinstance(config, Config) else {}))
        if what not in work:
            work[what] = cost.pretraining_flops(what)
        flops = work[what] * config.batch_size
        rows.append(
            {
                "step": name,
                "clips": config.batch_size,
                "s/step": found["s/step"],
                "clips/s": config.batch_size / found["s/step"],
                "peak MB": found["peak_mb"],
                "TFLOP": flops / 1e12,
                "of fp32 peak": flops / found["s/step"] / peak,
                "first loss": found["loss"],
            }
        )
        print(rows[-1], flush=True)
    note = f"fp32 matmul peak {peak / 1e9:.0f} GFLOP/s"
    small = [row for row in rows if row["step"].startswith("tiny")]
    if len(small) < len(rows):
        report("step", [row for row in rows if row not in small], f"{note}; budget of `paper`: 20 s, 5,000 MB")
    if small:
        report("step_tiny", small, note)


if __name__ == "__main__":
    main()
