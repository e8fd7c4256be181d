"""Inference of the paper's encoder against a plain PyTorch ViT of the same size, and how it grows.

    python benchmarks/encoder.py [--batch 16] [--seconds 2] [--no-compile]

The plain ViT has the same width, depth, heads, tokens and SwiGLU and PyTorch's fused attention, but neither rotary embedding nor
masks, people or named outputs; all variants take turns in one run. `of peak` is the part of the measured float32 matmul peak
that the products of the encoder's own count (`cost.flops`) reach. Memory is that of a process of its own.
"""

import argparse

import torch
import torch.nn.functional as F
from _report import matmul_peak, measured, report, turns
from torch import nn

from slimlab.analysis import cost
from slimlab.baselines import mae
from slimlab.encoder import Encoder, EncoderConfig


class PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.w12, self.w3 = nn.Linear(width, 2 * hidden), nn.Linear(hidden, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width))
        gate, value = self.w12(self.norm2(x)).chunk(2, dim=-1)
        return x + self.w3(F.silu(gate) * value)


class PlainViT(nn.Module):
    """x (B, 3, T, V, 1) -> (B, 1 + 4 + T/8*V, D)."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, config.width, (config.patch_frames, 1), (config.patch_frames, 1))
        length = 1 + config.registers + config.frames // config.patch_frames * len(config.skeleton)
        self.first = nn.Parameter(torch.zeros(1, 1 + config.registers, config.width))
        self.positions = nn.Parameter(torch.zeros(1, length, config.width))
        self.blocks = nn.Sequential(*(PlainBlock(config.width, config.heads, config.hidden) for _ in range(config.depth)))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x):
        tokens = self.embed(x.squeeze(-1)).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.first.expand(len(x), -1, -1), tokens], dim=1) + self.positions
        return self.norm(self.blocks(tokens))


@torch.inference_mode()
def against_plain(batch: int, seconds: float, compiled: bool) -> list[dict]:
    config = EncoderConfig()
    x = torch.randn(batch, 3, config.frames, len(config.skeleton), 1)
    slim, plain, masked = Encoder(config).eval(), PlainViT(config).eval(), mae.Encoder().eval()
    half = Encoder(config).eval()
    half.load_state_dict(slim.state_dict())
    half = half.bfloat16()
    long = torch.randn(batch, 3, masked.config.frames, len(config.skeleton), 1)

    def cast():
        with torch.autocast("cpu", torch.bfloat16):
            slim(x)

    calls = {
        "plain ViT, fused attention": lambda: plain(x),
        "slimlab": lambda: slim(x),
        "slimlab, bf16 autocast": cast,
        "slimlab, bf16 weights": lambda: half(x.bfloat16()),
        "MAE baseline (750 tokens, fused)": lambda: masked(long),
    }
    if compiled:
        translated = Encoder(config).eval()
        translated.load_state_dict(slim.state_dict())
        translated.compile_blocks()
        calls["slimlab, compiled"] = lambda: translated(x)
    peak, times, work = matmul_peak(), turns(calls, seconds), cost.flops(slim)
    reference = times["plain ViT, fused attention"]
    rows = []
    for name, each in times.items():
        flops = cost.flops(masked) if "MAE" in name else work
        rows.append(
            {
                "encoder": name,
                "clips/s": batch / each,
                "over plain ViT": reference / each,
                "GFLOP/s": flops * batch / each / 1e9,
                "of fp32 peak": flops * batch / each / peak,
            }
        )
    return rows


def grown(people: float, frames: int, batch: int, seconds: float) -> dict:
    """One line of how inference grows, in its own process."""
    encoder = Encoder(EncoderConfig(frames=frames)).eval()
    speed = cost.throughput(encoder, people, batch, seconds)
    return {"people": people, "frames": frames, "batch": batch, "clips/s": speed, "GFLOP/clip": cost.flops(encoder, people) / 1e9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each line against the clock")
    parser.add_argument("--no-compile", action="store_true")
    a = parser.parse_args()
    rows = against_plain(a.batch, a.seconds, not a.no_compile)
    report(
        "encoder", rows, f"paper, one person, 64 frames, batches of {a.batch}; eager: at least 1, compiled or bf16: at least 1.2"
    )
    cases = [(1, 64, 16), (1.25, 64, 16), (2, 64, 16), (1, 32, 16), (1, 16, 16), (1, 8, 16), (1, 64, 1), (1, 64, 64)]
    report("encoder_scaling", [measured(grown, *case, a.seconds / 2) for case in cases], "absent people are not encoded")


if __name__ == "__main__":
    main()
