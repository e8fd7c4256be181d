"""A run to hand on: all that can be looked at again, without the checkpoint; nothing in it has to be unpickled."""

from __future__ import annotations

import json
from pathlib import Path

from slimlab._system.cache import replace_file
from slimlab.pretrain.run import NETWORKS, Run, RunError, write_json
from slimlab.weights import SHIPPED, save_encoder

MACHINE = ("command", "platform")  # of run.json's environment; they may name folders and stay where the run was made


def pack(run: Run, folder: str | Path, every: int = 1) -> Run:
    """Write into a new or empty `folder` what of a run can be looked at, and return that as a run.

    These are the settings, the metrics (every `every`-th step, and those that were measured), the clips that it saw, the encoder,
    and teacher and student with their prototype heads as safetensors. It has no optimizer and no snapshots, so it cannot go on;
    `fit(start=...)` can begin with its encoder.

    Raises RunError where `folder` holds something, or the run has no checkpoint.
    """
    from safetensors.torch import save_file

    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise RunError(f"{folder}: holds something already; give a new folder to pack {run.folder} into")
    networks = {"teacher": run.teacher, "student": run.student}
    rows = ({k: v for k, v in row.items() if v == v} for row in run.metrics.to_dict("records"))  # without NaN
    lines = (json.dumps(row) + "\n" for row in rows if row["step"] % every == 0 or "knn" in row)
    folder.mkdir(parents=True, exist_ok=True)
    for which, network in networks.items():
        tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
        save_file(tensors, folder / NETWORKS[which])
    save_encoder(networks["teacher"].encoder, folder / "encoder")
    for name in ("train_clips.csv", "config.json"):
        (folder / name).write_bytes((run.folder / name).read_bytes())
    replace_file(folder / "metrics.jsonl", lambda f: f.write("".join(lines).encode()))
    environment = {k: v for k, v in run.about["environment"].items() if k not in MACHINE}
    write_json(folder / "run.json", run.about | {"environment": environment})
    return Run(folder)


def pretrained_run(name: str = "small") -> Run:
    """The run that made weights which come with slimlab, packed: for `PrototypeExplorer`, training curves and `agreement`.

    Raises ValueError for weights that came without their run.
    """
    if not (SHIPPED / name / "run.json").exists():
        there = ", ".join(sorted(file.parent.name for file in SHIPPED.glob("*/run.json")))
        raise ValueError(f"no run called '{name}' comes with slimlab; there is {there}")
    return Run(SHIPPED / name)
