"""The cost table: the paper's figures beside ours, and both ratios on a mix of one- and two-person clips.

    python benchmarks/cost_table.py [--people 1.2] [--batch 10] [--seconds 20] [--device cpu] [--out out/cost_table]

Writes OUT/cost.json and OUT/cost.md. The convention is that of `slimlab.analysis.cost`. `--seconds 0` leaves the clock out;
`--no-pretraining` the training steps, of which SLiM's at the paper's size takes 2 GB.
"""

import argparse
import json
import os
import platform
from pathlib import Path

import torch

from slimlab._system.cache import replace_file
from slimlab.analysis import cost
from slimlab.baselines import mae
from slimlab.encoder import Encoder


def machine(device: str) -> str:
    """What it was measured on, in a line."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else processor()
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, torch {torch.__version__}, {platform.system()}"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def markdown(table) -> str:
    """A table as GitHub shows it; empty where there is no number."""

    def cell(value) -> str:
        return "" if value != value else f"{value:.2f}" if isinstance(value, float) else str(value)

    rows = [list(table.columns), ["---"] * len(table.columns), *(map(cell, row) for row in table.itertuples(index=False))]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=float, default=cost.NTU_PEOPLE)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each of the four lines against the clock")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no-pretraining", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out/cost_table"))
    a = parser.parse_args()
    printed = cost.table(pretraining=not a.no_pretraining)
    mixed = cost.mix(a.people, a.batch, a.seconds, a.device)
    encoders = {"SLiM": Encoder().to(a.device), "MAMP": mae.Encoder().to(a.device)}
    sizes = {n: {"parameters": cost.parameters(e), "peak_bytes": cost.memory(e, a.people, a.batch)} for n, e in encoders.items()}
    text = [
        "GFLOPs a clip; a multiply-add is 2, attention counted; `elementwise`: with element-wise work.",
        markdown(printed),
        f"{a.people} people a clip on average, batches of {a.batch}; {machine(a.device)}.",
        markdown(mixed),
        *(f"{n}: {s['parameters']:,} parameters, {s['peak_bytes'] / 1e6:.0f} MB at most in inference" for n, s in sizes.items()),
    ]
    print("\n\n".join(text))
    a.out.mkdir(parents=True, exist_ok=True)
    record = {"machine": machine(a.device), "people": a.people, "batch": a.batch, "sizes": sizes}
    record |= {name: json.loads(table.to_json(orient="records")) for name, table in (("table", printed), ("mix", mixed))}
    replace_file(a.out / "cost.json", lambda f: f.write((json.dumps(record, indent=1) + "\n").encode()))
    replace_file(a.out / "cost.md", lambda f: f.write(("\n\n".join(text) + "\n").encode()))


if __name__ == "__main__":
    main()
