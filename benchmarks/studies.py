"""Studies, one command each: variants times seeds, pre-trained and evaluated, then a table, comparisons and a figure.

    python benchmarks/studies.py STUDY UTD_MHAD [--steps N] [--seeds 3] [--minutes M] [--out out/studies] [--docs docs/studies]

STUDY: mask-ratio, mask-ratio-grid, bone-scaling, labels; and losses, local-views, patch-frames, depth, prototypes, augmentation.
Odd subjects train, even ones test; preset `tiny`, in mask-ratio-grid a small network on the paper's grid. Interrupted or killed,
the same command goes on; a second process started with the same command shares the work (one thread each: OMP_NUM_THREADS=1).
Nothing is chosen by the test side. With --docs the results are written where they are checked in: the table of runs (.csv),
report and comparisons (.md), the figure (.png).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch

import slimlab
from slimlab import data, evaluate, plot, pretrain, study
from slimlab.data.store import ClipStore, pack_seen
from slimlab.pretrain.config import PREPRINT_VIEWS, Config
from slimlab.pretrain.run import replace_file
from slimlab.released import faults
from slimlab.skeleton import KINECT_V2, Skeleton
from slimlab.skeleton.matching import match_joints

RATIOS, STRATEGIES = (0.3, 0.5, 0.7, 0.9), ("semantic_tubes", "random_cells", "joint_tubes")
UNMASKED = {"mask_globals": 0.0, "mask_locals": False, "mfp_weight": 0.0}
FAULTY, OFF = {"released_quirks": ("bone_scaling",)}, {"bone_scale": (1.0, 1.0)}


def in_kinect_v2_order(store: ClipStore) -> ClipStore:
    """The same clips, joints listed as Kinect v2 lists them: shoulder center last, head and shoulders before it.

    UTD-MHAD's own order has every parent first, so that rebuilding in index order does it no harm; NTU RGB+D's has not.
    """
    order = [j for j in match_joints(KINECT_V2, store.skeleton) if j is not None]
    body, place = store.skeleton, {old: new for new, old in enumerate(order)}
    if len(order) != len(body):
        raise SystemExit(f"{store.source}: {len(body) - len(order)} joints have no counterpart on Kinect v2")
    parents = [place.get(body.parents[old], -1) for old in order]
    parts = {name: [place[j] for j in chain] for name, chain in body.parts.items()}
    mirror = [(place[a], place[b]) for a, b in body.mirror]
    ordered = Skeleton([body.names[j] for j in order], parents, parts, mirror, place[body.center])
    wrong = (faults.IndexOrdered(**ordered.to_dict()).from_bones != ordered.from_bones).any(axis=1)
    print(f"rebuilt in index order {wrong.sum()} of {len(order)} joints land in a wrong place", flush=True)
    a = store.arrays
    arrays = replace(a, joints=a.joints[:, order], seen=pack_seen(a.seen_in(slice(None))[:, order]))
    return ClipStore(arrays, store.table, ordered, store.label_names, store.fps, store.source)


@dataclass(frozen=True)
class Study:
    """question; what the base changes of `tiny`; variants; how the figure stands; pairs (field, a, b) to compare; their names."""

    question: str
    variants: list[dict[str, Any]]
    changes: dict[str, Any] = field(default_factory=dict)
    x: str | None = None
    hue: str | None = None
    pairs: tuple[tuple[str, Any, Any], ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[ClipStore], ClipStore] = lambda store: store


# A network of a quarter of `small`'s work on its grid: 8 time steps of tokens, one local view of 4, masks on both.
GRID = {"preset": "small", "width": 32, "depth": 2, "heads": 2, "mask_locals": True, "rotation": 0.3, "mirror": False}
GRID_VARIANTS = [
    UNMASKED,
    *study.product({"masking": ("semantic_tubes",), "mask_ratio": (0.5, 0.6, 0.7, 0.8, 0.9)}),
    *study.product({"masking": ("random_cells",), "mask_ratio": (0.5, 0.7, 0.9)}),
]

STUDIES = {
    # The paper's placement: half of the global and all local views are masked. `tiny` masks half of the global ones alone, one
    # in six of the pairs that GLCL compares, where a ratio could hardly matter.
    "mask-ratio": Study(
        "Which mask ratio and strategy is best, and do semantic tubes beat random tokens?",
        [UNMASKED, *study.product({"masking": STRATEGIES, "mask_ratio": RATIOS})],
        {"mask_locals": True},
        "mask_ratio",
        "masking",
        (
            ("masking", "semantic_tubes", "random_cells"),
            ("masking", "semantic_tubes", "joint_tubes"),
            ("mask_ratio", 0.3, 0.5),
            ("mask_ratio", 0.7, 0.5),
            ("mask_ratio", 0.9, 0.5),
            ("variant", "masking=semantic_tubes, mask_ratio=0.5", "mask_globals=0.0, mask_locals=False, mfp_weight=0.0"),
        ),
        {"mask_globals=0.0, mask_locals=False, mfp_weight=0.0": "nothing masked"}
        | {f"masking={m}, mask_ratio={r}": f"{m.replace('_', ' ')}, {r}" for m in STRATEGIES for r in RATIOS},
    ),
    "mask-ratio-grid": Study(
        "Which mask ratio is best on the paper's grid of 8 time steps, and do semantic tubes beat random tokens there?",
        GRID_VARIANTS,
        GRID,
        "mask_ratio",
        "masking",
        (
            ("masking", "semantic_tubes", "random_cells"),
            *(("mask_ratio", ratio, 0.7) for ratio in (0.5, 0.6, 0.8, 0.9)),
            ("variant", "masking=semantic_tubes, mask_ratio=0.7", "mask_globals=0.0, mask_locals=False, mfp_weight=0.0"),
        ),
        {"mask_globals=0.0, mask_locals=False, mfp_weight=0.0": "nothing masked"}
        | {
            f"masking={v['masking']}, mask_ratio={v['mask_ratio']}": f"{v['masking'].replace('_', ' ')}, {v['mask_ratio']}"
            for v in GRID_VARIANTS[1:]
        },
    ),
    "bone-scaling": Study(
        "What does bone scaling that rebuilds joints in index order cost?",
        [{}, FAULTY, OFF],
        pairs=(("released_quirks", ("bone_scaling",), False), ("bone_scale", (1.0, 1.0), (0.85, 1.15))),
        names={"base": "right scaling", "released_quirks=('bone_scaling',)": "faulty scaling", "bone_scale=(1.0, 1.0)": "none"},
        prepare=in_kinect_v2_order,
    ),
    "losses": Study(
        "Which loss helps?", [{}, {"mfp_weight": 0.0}, {"mfp_weight": 1.0}, {"glcl_weight": 0.0}, {"koleo_weight": 0.0}]
    ),
    "local-views": Study(
        "Do local views help?",
        [{}, {"local_views": ()}, {"local_views": ((16, 2, (0.3, 0.8)),)}, {"local_views": PREPRINT_VIEWS[1:2]}],
    ),
    "patch-frames": Study("How many frames should a token hold?", study.product({"patch_frames": (4, 8, 16)}), x="patch_frames"),
    "depth": Study("How deep?", study.product({"depth": (1, 2, 3, 4, 6)}), x="depth"),
    "prototypes": Study("How many prototypes?", study.product({"prototypes": (32, 64, 128, 256, 1024)}), x="prototypes"),
    "augmentation": Study(
        "Does augmentation help?", [{}, {"augment_probability": 0.0}, {"noise": 0.0}, {"augment_probability": 0.0, "noise": 0.0}]
    ),
}
LESSON = Path(slimlab.__file__).parent / "lessons" / "runs"
SCRATCH_STEPS = 600  # with labels, on 27 to 431 clips
LABELS = Study("How many labels do the features need?", [], x="labels", hue="features")


def swept(chosen: Study, store: ClipStore, steps: int, seeds: int, minutes: float | None, out: Path) -> pd.DataFrame:
    base = Config(**{"preset": "tiny", "steps": steps, "evaluations": 3, "snapshots": 1} | chosen.changes)
    print(f"{len(chosen.variants)} variants x {seeds} seeds x {steps} steps, {torch.get_num_threads()} threads", flush=True)
    return study.sweep(chosen.prepare(store), chosen.variants, seeds, base, out, minutes=minutes)


def labelled(store: ClipStore, steps: int, seeds: int, out: Path) -> pd.DataFrame:
    """Features of several makes, judged with 1, 2, 4, 8 and 16 labelled clips of each class; UTD-MHAD's training side has 16.

    A seed decides both: which clips keep their label, and the encoder that was pre-trained or left as initialised.
    """
    train, test = data.split(store, "cross-subject")
    runs = study.sweep(train, [{}], seeds, Config(steps=steps, evaluations=3, snapshots=1), out, test=test).set_index("seed")[
        "run"
    ]
    config, tables = Config(preset="tiny"), []
    shipped, pretrained_on = slimlab.pretrained("tiny", skeleton=store.skeleton), f"pre-trained here, {steps:,} steps"
    for seed in range(seeds):
        makes = {
            pretrained_on: pretrain.Run(out / "runs" / runs[seed]).encoder,
            "shipped, synthetic motion": shipped,
            "untrained": evaluate.random_encoder(config.encoder(store.skeleton), seed),
        }
        sides = {name: tuple(evaluate.features(encoder, side) for side in (train, test)) for name, encoder in makes.items()}
        sides["raw coordinates"] = tuple(evaluate.raw_features(side) for side in (train, test))
        tables.append(study.label_curve(sides, draws=[seed]))
    file = out / f"from-scratch-{train.fingerprint[:8]}-{SCRATCH_STEPS}-{seeds}.csv"  # the slow part, kept
    if not file.exists():
        same = {"mirror": config.mirror, "rotation": config.rotation}
        scratch = study.from_scratch(config.encoder(store.skeleton), train, test, draws=seeds, steps=SCRATCH_STEPS, **same)
        replace_file(file, lambda f: f.write(scratch.to_csv(index=False).encode()))
    table = pd.concat([*tables, study.load(file)], ignore_index=True)
    return table.sort_values(["features", "labels", "seed"], key=lambda c: c.map(_place(c)), ignore_index=True)


def _place(column: pd.Series) -> dict[Any, int]:
    """Values in the order in which they come first."""
    return {value: i for i, value in enumerate(dict.fromkeys(column))}


def compared(table: pd.DataFrame, chosen: Study) -> pd.DataFrame:
    """The study's pairs, those of them that were run."""
    lines = []
    for name, a, b in chosen.pairs:
        try:
            lines.append(study.compare(table, name, a, b))
        except ValueError as missing:
            print(missing)
    return pd.concat(lines, ignore_index=True) if lines else pd.DataFrame()


def document(name: str, chosen: Study, table: pd.DataFrame, docs: Path) -> None:
    """Table, report, comparisons and figure into the folder of what is checked in."""
    docs.mkdir(parents=True, exist_ok=True)
    replace_file(docs / f"{name}.csv", lambda f: f.write(table.to_csv(index=False, float_format="%.6g").encode()))
    if (shipped := LESSON / f"{name}.csv").exists():  # lesson 12 reads it wherever it is opened
        replace_file(shipped, lambda f: f.write((docs / f"{name}.csv").read_bytes()))
    table = study.load(docs / f"{name}.csv")  # what is drawn and said is what is checked in
    report, pairs = study.report(table, names=chosen.names), compared(table, chosen)
    plot.save(plot.study(table, chosen.x, chosen.hue, names=chosen.names), docs / f"{name}-figure.png")
    text = f"# {chosen.question}\n\n{made(name, table)}\n\n![]({name}-figure.png)\n\n{report.markdown()}"
    if len(pairs):
        replace_file(docs / f"{name}-pairs.csv", lambda f: pairs.to_csv(f, index=False, float_format="%.6g"))
        text += f"\nIn pairs (same seed, all else alike), a minus b:\n\n{pair_lines(pairs, chosen.names)}"
    if "held_out_knn" in table:
        variant = study.best(table)
        text += f"\nBest on the held-out training subject (nothing of the test side): {chosen.names.get(variant, variant)}.\n"
    replace_file(docs / f"{name}.md", lambda f: f.write(text.encode()))


def made(name: str, table: pd.DataFrame) -> str:
    """How the table came about, in one paragraph."""
    text = f"`python benchmarks/studies.py {name} UTD_MHAD` made these {len(table)} rows"
    if "seconds" in table:
        wall, cpu, threads = table["seconds"].sum() / 60, table["cpu_seconds"].sum() / 60, sorted(set(table["threads"]))
        text += f": {table['steps'].iloc[0]} steps a run, {wall:.0f} minutes of wall time summed over runs, {cpu:.0f} CPU minutes"
        text += f" ({int(table['cpu_seconds'].isna().sum())} runs were taken up again and are not in the CPU minutes)"
        text += f", {threads[0]} thread a run"
    return text + "."


def pair_lines(pairs: pd.DataFrame, names: dict[str, str]) -> str:
    columns = "a | b | score | pairs | difference | over subjects | p | over seeds | p | a ahead".split(" | ")
    head = f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}\n"
    for r in pairs.itertuples():
        a, b = (names.get(str(v), v) for v in (r.a, r.b))
        over = f"{r.low:+.3f} to {r.high:+.3f} | {r.p:.3f} | {r.seeds_low:+.3f} to {r.seeds_high:+.3f} | {r.seeds_p:.2f}"
        head += f"| {r.field} {a} | {b} | {r.score} | {r.pairs} | {r.difference:+.3f} | {over} | {r.better} of {r.pairs} |\n"
    return head


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", choices=[*STUDIES, "labels"])
    parser.add_argument("data", help="UTD-MHAD's Skeleton folder, or the same clips in any format that slimlab knows")
    parser.add_argument("--steps", type=int, help="of pre-training (default: 600, labels 3000)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="begin no further run after so many; the same command goes on")
    parser.add_argument("--out", type=Path, default=Path("out/studies"))
    parser.add_argument("--docs", type=Path, help="write what is checked in there: docs/studies")
    a = parser.parse_args()
    store, out = data.open(a.data), a.out / a.study
    chosen = STUDIES.get(a.study, LABELS)
    if a.study == "labels":
        table = labelled(store, a.steps or 3000, a.seeds, out)
    else:
        table = swept(chosen, store, a.steps or 600, a.seeds, a.minutes, out)
    print(study.report(table, names=chosen.names).markdown())
    if a.docs:
        document(a.study, chosen, table, a.docs)


if __name__ == "__main__":
    main()
