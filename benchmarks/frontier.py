"""Cost against accuracy: grids of 2, 4 and 8 time steps at three sizes, and the MAE at one; one table, one figure.

    python benchmarks/frontier.py UTD_MHAD [--steps 1200] [--out out/frontier] [--docs docs]

Each run is preset `small`'s recipe with one local view of 32 frames, on the synthetic motion that shipped weights learn on (seed
1000), on UTD-MHAD's body, one seed. A grid of 64 frames has tokens of 32, 16 or 8 frames. Ten encoders of each run are judged,
frozen, read by --pool: kNN and probe on UTD-MHAD and on the default synthetic set, odd to even subjects. Every run has the same
steps; equal training compute is read from the encoders along the way. Two runs at a time, a thread each; killed, the same
command goes on.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import pandas as pd
import torch
from make_weights import CLIPS, SEED, SUBJECTS
from threadpoolctl import threadpool_limits

from slimlab import data, evaluate, plot, pretrain
from slimlab._system.cache import replace_file
from slimlab.analysis import cost
from slimlab.baselines import mae
from slimlab.plot.style import colour, figure, styled

SIZES = {"S": (32, 2, 2), "M": (64, 4, 4), "L": (96, 4, 6)}  # width, depth, heads
GRIDS = {2: 32, 4: 16, 8: 8}  # time steps -> frames a token
MODELS = [f"{steps} steps {size}" for steps in GRIDS for size in SIZES] + ["MAE M"]


def settings(model: str, steps: int):
    """The run's settings, and the method that trains by them."""
    width, depth, heads = SIZES[model[-1]]
    shared = {"steps": steps, "width": width, "depth": depth, "heads": heads, "evaluations": 0, "mirror": True}
    small = pretrain.PRESETS["small"]
    if model.startswith("MAE"):
        return mae.Config(**shared, view_range=small.global_range, rotation=small.rotation, patch_frames=8), mae.METHOD
    grid = {"patch_frames": GRIDS[int(model[0])], "local_views": small.local_views[:1]}
    return pretrain.Config(preset="small", **shared, **grid), pretrain.SLIM


@cache
def sides(real: str) -> dict[str, tuple]:
    """name -> (train, test), on UTD-MHAD's body."""
    store = data.open(real)
    return {"UTD-MHAD": data.split(store), "synthetic": data.split(data.on_body(data.synthetic(), store.skeleton))}


def judged(encoder, real: str, pool: str) -> dict[str, float]:
    row = {}
    for name, stores in sides(real).items():
        features = [evaluate.features(encoder, store, pool=pool, cache=None) for store in stores]
        row[f"{name} kNN"] = evaluate.knn(*features).accuracy
        row[f"{name} probe"] = evaluate.linear_probe(*features).accuracy
    return row


def one(model: str, steps: int, real: str, pool: str, out: Path) -> pd.DataFrame:
    """The table of one model, a line for each encoder along the way."""
    torch.set_num_threads(1)
    run_folder = _folder(model, steps, out)
    file = run_folder.with_name(f"{run_folder.name}-{pool}.csv")
    if file.exists():
        return pd.read_csv(file)
    config, method = settings(model, steps)
    store = data.on_body(data.synthetic(CLIPS, SEED, SUBJECTS), sides(real)["UTD-MHAD"][0].skeleton)
    run = pretrain.fit(store, config, folder=run_folder, progress=False, method=method)
    encoder = run.encoder
    known = {"model": model, "parameters": cost.parameters(encoder), "MFLOPs a clip": cost.flops(encoder) / 1e6}
    known |= {"training minutes": run.about["seconds"] / 60}
    step_flops = cost.pretraining_flops(config, encoder.config.skeleton) * config.batch_size
    rows = []
    for step, folder in run.snapshots.items():
        rows.append(known | {"step": step, "training PFLOPs": step * step_flops / 1e15} | judged(method.load(folder), real, pool))
    table = pd.DataFrame(rows)
    replace_file(file, lambda f: table.to_csv(f, index=False))
    return table


def _folder(model: str, steps: int, out: Path) -> Path:
    return out / f"{model.replace(' ', '-')}-{steps}"


def speed(model: str, steps: int, out: Path) -> float:
    """Clips a second of inference, when nothing else runs."""
    _, method = settings(model, steps)
    return cost.throughput(method.load(_folder(model, steps, out) / "encoder"))


@styled
def draw(table: pd.DataFrame):
    """Left: accuracy against the cost of a clip after all steps. Right: against the training compute along the way."""
    columns = [c for c in table.columns if c.endswith(("kNN", "probe"))]
    fig, axes = figure(7.2, 1.9 * len(columns), len(columns), 2, sharex="col", sharey="row")
    colors = {name: colour(i) for i, name in enumerate(dict.fromkeys(m.split()[0] for m in table["model"]))}
    marks = {"S": "s", "M": "o", "L": "^"}
    for line, column in zip(axes, columns, strict=True):
        for model, rows in table.groupby("model", sort=False):
            how = {"color": colors[str(model).split()[0]], "marker": marks[str(model)[-1]], "markersize": 4}
            line[0].plot(rows["MFLOPs a clip"].iloc[-1], rows[column].iloc[-1], label=model, linestyle="none", **how)
            line[1].plot(rows["training PFLOPs"], rows[column], linewidth=0.8, **how | {"markersize": 2})
        line[0].set(ylabel=column, xscale="log")
        line[1].set(xscale="log")
        for ax in line:
            ax.xaxis.set_major_formatter("{x:g}")  # slimlab's style draws text as it is, without mathematics
    axes[-1, 0].set_xlabel("MFLOPs a clip, inference")
    axes[-1, 1].set_xlabel("training so far, PFLOPs")
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper", fontsize=7)
    fig.data = table
    return fig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="UTD-MHAD's Skeleton folder, or the same clips in any format that slimlab knows")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--pool", default="time+part")
    parser.add_argument("--out", type=Path, default=Path("out/frontier"))
    parser.add_argument("--docs", type=Path, help="also write frontier.csv and frontier.png here")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2, initializer=threadpool_limits, initargs=(1,)) as pool:
        tables = list(pool.map(one, *zip(*[(m, a.steps, a.data, a.pool, a.out) for m in MODELS], strict=True)))
    table = pd.concat(tables, ignore_index=True)
    table["clips/s"] = table["model"].map({model: speed(model, a.steps, a.out) for model in MODELS})
    last = table.groupby("model", sort=False).tail(1)
    print(last.round(3).to_string(index=False))
    if a.docs:
        plot.save(draw(table), a.docs / "frontier.png")


if __name__ == "__main__":
    main()
