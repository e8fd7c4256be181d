"""`animate` and `figures`."""

from __future__ import annotations

import argparse

from slimlab._commands.shared import Command


def add(command: Command) -> None:
    """Their arguments."""
    p = command("animate", "Clips as a GIF, APNG, MP4 or WebM, by the file's ending: several in step, or one masked.")
    p.add_argument("data", help="anything that convert reads, a store, or the word 'synthetic' or 'ui-prmd'")
    p.add_argument("file", help="….gif, ….apng, ….mp4 or ….webm")
    p.add_argument("--clip", type=int, nargs="+", default=[0], metavar="N", help="which ones, from 0 (default: the first)")
    p.add_argument("--mask", type=float, metavar="RATIO", help="draw a mask on the clip, and what the student sees of it")
    p.add_argument("--masking", help="the strategy of --mask (default: semantic_tubes)")
    p.add_argument("--steps", type=int, default=8, help="time steps of --mask")
    p.add_argument("--seed", type=int, default=0, help="of --mask")
    p.add_argument("--camera", default="front", choices=["front", "oblique", "side", "top"])
    p.add_argument("--fps", type=float, help="pictures per second (default: the clip's own, in a GIF at most 15)")
    p.add_argument("--speed", type=float, default=1.0, help="0.5 is slow motion")
    p.add_argument("--dpi", type=float, default=100, help="pixels per inch; a row of bodies is 3 inches high")
    p.add_argument("--title", default="")
    p = command("figures", "Every figure of a run, as PDF, PNG and CSV.")
    p.add_argument("run")
    p.add_argument("data", nargs="?", help="trained and held-out clips together (default: where the run's data came from)")
    p.add_argument("--out", help="another folder than RUN/figures")
    p.add_argument("--method", default="pca", choices=["pca", "tsne", "umap"], help="of the embedding")
    p.add_argument(
        "--formats",
        nargs="+",
        default=["pdf", "png"],
        choices=["pdf", "svg", "png"],
        help="of each figure; CSV is always beside it",
    )


def animate(a: argparse.Namespace) -> None:
    """Clips as a GIF, APNG, MP4 or WebM: several in step, or one masked."""
    from slimlab import data, plot

    if a.masking and a.mask is None:
        raise ValueError(f"--masking {a.masking}: give the ratio as well, such as --mask 0.7")
    store = data.open(a.data)
    wrong = [i for i in a.clip if not 0 <= i < len(store)]
    if wrong:
        raise ValueError(f"--clip {wrong[0]}: {a.data} has the clips 0 to {len(store) - 1}")
    clips = [store[i] for i in a.clip]
    if a.mask is None:
        scene = plot.bodies(clips, store.skeleton, fps=store.fps)
    elif len(clips) > 1:
        raise ValueError("--mask draws one clip; give one number to --clip")
    else:
        drawn = plot.draw_mask(a.masking or "semantic_tubes", store.skeleton, a.steps, a.mask, a.seed)
        scene = plot.masked_bodies(clips[0], drawn, store.skeleton, store.fps)
    how = {"fps": a.fps, "speed": a.speed, "dpi": a.dpi, "camera": a.camera, "grid": None if a.mask is None else 0}
    print(plot.animate(scene, a.file, title=a.title, **how))


def figures(a: argparse.Namespace) -> None:
    """Every figure of a run."""
    from slimlab import data, plot

    store = None if a.data is None else data.open(a.data)
    written = plot.gallery(a.run, store, a.out, method=a.method, formats=a.formats)
    print(f"{len(written)} files in {written[0].parent}: {', '.join(sorted({f.stem for f in written}))}")
