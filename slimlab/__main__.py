"""The command line, `slimlab …` or `python -m slimlab …`: every command is a few calls of the library."""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from slimlab import __version__
from slimlab._extras import MissingExtra, require


def main(argv: list[str] | None = None) -> int:
    """Run a command; the exit status: 1 after a complaint about input, 2 a wrong command line, 130 Ctrl-C, 143 SIGTERM."""
    arguments = _parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    try:
        return COMMANDS[arguments.command](arguments) or 0
    except (ValueError, OSError, RuntimeError, FloatingPointError, MemoryError, ModuleNotFoundError) as error:
        if arguments.debug:
            raise
        text = str(error) or ("out of memory" if isinstance(error, MemoryError) else type(error).__name__)
        if isinstance(error, ModuleNotFoundError) and not isinstance(error, MissingExtra):
            text += "; slimlab doctor says what is missing and how to install it"
        print(f"slimlab {arguments.command}: {text}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit) as ended:  # Ctrl-C, and what `slimlab._system.signals` makes of SIGTERM
        status = 130 if isinstance(ended, KeyboardInterrupt) else ended.code
        if status not in (130, 143):
            raise
        print(f"\nstopped{_how_to_resume(arguments)}", file=sys.stderr)
        return int(status)


def _joined(argv: list[str]) -> list[str]:
    """`--up -y` as `--up=-y`: argparse takes what begins with a minus for an option."""
    out: list[str] = []
    for word in argv:
        if out and out[-1] == "--up" and word in ("-x", "-y", "-z"):
            out[-1] = f"--up={word}"
        else:
            out.append(word)
    return out


def _how_to_resume(a: argparse.Namespace) -> str:
    """What the same command would do after Ctrl-C."""
    if a.command == "pretrain":
        again = "the same command without --fresh" if a.fresh else "the same command"
        return f"; {again} goes on from the run's last checkpoint"
    if a.command == "convert":
        return "; the same command goes on where the conversion was stopped"
    return "" if a.command in ("doctor", "lab", "cost") else "; the same command begins anew"


def doctor(_: argparse.Namespace) -> int:
    from slimlab._system import doctor as d

    return d.report()


def lab(a: argparse.Namespace) -> int:
    require("notebook", "the lessons", "jupyterlab")
    return subprocess.call([sys.executable, "-m", "jupyter", "lab", a.notebook])


def convert(a: argparse.Namespace) -> None:
    from slimlab import data

    unit = None if a.unit is None else _number(a.unit)
    print(
        data.convert(a.source, a.destination, a.format, a.dtype, unit=unit, up=a.up, on_error=a.on_error, min_score=a.min_score)
    )


def _number(text: str) -> str | float:
    """A number where it is one, else the word."""
    try:
        return float(text)
    except ValueError:
        return text


def export(a: argparse.Namespace) -> None:
    from slimlab import data

    store = data.open(a.data)
    if a.clips:
        store = store[a.clips]
    if Path(a.destination).suffix == ".html":
        from slimlab import plot

        clips = [store[i] for i in range(min(len(store), 8))] if a.clips else [store[0]]
        titles = [clip.name for clip in clips]
        print(plot.save(plot.player(clips, store.skeleton, titles=titles, fps=store.fps), a.destination))
    else:
        print(f"{len(store)} clips: {data.export(store, a.destination, a.format)}")


def report(a: argparse.Namespace) -> None:
    import pandas as pd

    from slimlab import data
    from slimlab.pretrain.run import replace_file

    found = data.report(data.open(a.data, a.format))
    print(found.summary.to_string(index=False, header=False))
    few = found.look_at[["clip", "frames", "jitter", "bones", "frozen", "reasons"]]
    with pd.option_context("display.width", 120):
        print(few.head(20).round(3).to_string(index=False) if len(few) else "no clip stands out")
    if a.out:
        replace_file(Path(a.out), lambda f: found.table.to_csv(f, index=False))
        print(f"all {len(found.table)} clips: {a.out}")


def pretrain(a: argparse.Namespace) -> None:
    from slimlab import pretrain as p
    from slimlab._system import distributed

    with distributed.processes(a.device):
        train, test = _sides(a)
        _say(f"pre-training on the {len(train)} clips of the training side; the {len(test)} test clips are not seen")
        _say(_fit(a, p, train))


def _say(text: object) -> None:
    """Print, once where several processes run."""
    from slimlab._system import distributed

    if distributed.rank() == 0:
        print(text)


def _fit(a: argparse.Namespace, p, train):
    given = {f.name: getattr(a, f.name) for f in fields(p.Config) if getattr(a, f.name, None) is not None}
    given |= dict(_setting(text, given) for text in a.set)
    start = _weights(a.start, train.skeleton) if a.start else None
    return p.fit(train, p.Config(**given), folder=a.folder, resume=not a.fresh, device=a.device, start=start)


def _setting(text: str, given: dict) -> tuple[str, object]:
    """`FIELD=VALUE` of --set. What a field accepts is checked by `Config`."""
    from slimlab._renamed import RENAMED
    from slimlab.pretrain import Config

    name, equals, value = text.partition("=")
    name = RENAMED.get(name, name)
    known = [f.name for f in fields(Config)]
    if not equals or name not in known:
        raise ValueError(f"--set {text}: should be FIELD=VALUE with one of the fields {', '.join(known)}")
    if name in given and name != "preset":
        raise ValueError(f"--set {text}: --{name.replace('_', '-')} says {given[name]!r}; give one of the two")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):  # a word
        return name, value


def robustness(a: argparse.Namespace) -> None:
    """The table of `evaluate.robustness` and its figures, in a folder of the run."""
    import pandas as pd

    from slimlab import evaluate as e
    from slimlab import plot
    from slimlab._system import distributed
    from slimlab.pretrain.run import Run, replace_file

    run, (train, test) = Run(a.run), _sides(a)
    run.check_unseen(test)
    folder = Path(a.out or run.folder / "robustness")
    with distributed.processes(a.device) as device:
        chosen = {"corruptions": a.corruptions} if a.corruptions else {}
        how = {"k": a.k, "pool": a.pool, "seed": a.seed, "progress": True, "about": {"split": a.split, "run": str(run.folder)}}
        table = e.robustness(run.encoder.to(device or "cpu"), train, test, **chosen, **how)
        if distributed.rank():
            return
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "robustness.csv", lambda f: table.to_csv(f, index=False))
    written = [folder / "robustness.csv"]
    for classifier in ("kNN", "probe"):
        figure = plot.robustness(table, classifier)
        written += [plot.save(figure, folder / f"robustness_{classifier}.{suffix}") for suffix in ("pdf", "png")]
    shown = table[table["features"].isin(["raw coordinates", "pre-trained encoder"])]
    wide = shown.pivot_table("accuracy", ["corruption", "severity"], ["features", "classifier"], sort=False)
    with pd.option_context("display.width", 160):
        print(wide.to_string(float_format="{:.3f}".format))
    print(f"{len(written)} files: {folder}")


def evaluate(a: argparse.Namespace) -> None:
    from slimlab._system import distributed

    if a.equal_time and distributed.started() > 1:
        raise ValueError(
            "--equal-time stops by the clock, which processes read differently; evaluate in one, or say --supervised STEPS"
        )
    with distributed.processes(a.device) as device:
        _evaluate(a, device)


def _evaluate(a: argparse.Namespace, device) -> None:
    import pandas as pd

    from slimlab import evaluate as e
    from slimlab._system import distributed
    from slimlab.evaluate.subsets import check_train_test
    from slimlab.pretrain.run import Run, replace_file

    run = Run(a.run)
    train, test = _sides(a)
    run.check_unseen(test)
    check_train_test(train, test)
    c, encoder = run.config, run.encoder.to(device or "cpu")
    same = {"mirror": c.mirror, "rotation": c.rotation, "seed": a.seed, "device": device or "cpu", "progress": True}
    others = {}
    if a.supervised:
        others["supervised from scratch"] = e.supervised(encoder.config, train, a.supervised, **same)
    if a.equal_time:
        seconds = run.about.get("seconds", 0.0)
        control = e.supervised(encoder.config, train, batch_size=c.batch_size, seconds=seconds, **same)
        others[f"supervised from scratch, {seconds:.0f} s as the run"] = control
    about = {"split": a.split, "run": str(run.folder)}
    table = e.compare(encoder, train, test, a.seed, a.k, others, a.pool, details=True, about=about, iterations=a.iterations)
    if distributed.rank():
        return
    with pd.option_context("display.width", 160, "display.max_columns", 9):
        print(table.iloc[:, :7].to_string(index=False, float_format="{:.3f}".format))
    print("low, high: 95 % bootstrap interval over the test subjects")
    replace_file(run.folder / "evaluation.csv", lambda f: table.to_csv(f, index=False))
    print(f"{len(train)} training and {len(test)} test clips, {a.split}; written to {run.folder / 'evaluation.csv'}")


def embed(a: argparse.Namespace) -> None:
    import numpy as np
    import pandas as pd

    from slimlab import data, evaluate
    from slimlab._system import distributed
    from slimlab.pretrain.run import replace_file

    out = Path(a.out or Path(a.file).with_suffix(".features.csv").name)
    if out.suffix not in (".csv", ".npz"):
        raise ValueError(f"{out}: features are written as .csv or .npz")
    store = data.open(a.file)
    with distributed.processes(a.device) as device:
        features = evaluate.features(_weights(a.run, store.skeleton).to(device or "cpu"), store, progress=True)
        if distributed.rank():
            return
    x = features.x.numpy()
    if out.suffix == ".npz":
        names = np.array(list(features.table["clip"]), dtype=np.str_)
        replace_file(out, lambda f: np.savez(f, features=x, clips=names, labels=features.labels.numpy()))
    else:
        columns = [f"f{i}" for i in range(x.shape[1])]
        table = pd.concat([features.table[["clip", "label"]], pd.DataFrame(x, columns=columns)], axis=1)
        replace_file(out, lambda f: table.to_csv(f, index=False))
    print(f"{len(x)} clips, {x.shape[1]} features each: {out}")


def predict(a: argparse.Namespace) -> None:
    """Labels of new clips, by a predictor that was saved or is fitted on labeled clips first."""
    from slimlab import data
    from slimlab import evaluate as e
    from slimlab.pretrain.run import replace_file

    if a.save and not a.labels:
        raise ValueError("--save keeps a predictor that is fitted now; give --labels DATA")
    if a.labels:
        known = data.open(a.labels)
        known = known.with_people(a.people or known.max_people)
        found = e.fit_predictor(_weights(a.model, known.skeleton), known, pool=a.pool, progress=True)
        about = found.about or {}
        if "held_out" in about:
            print(f"accuracy on {about['held_out_by']}, without them in the fit: {about['held_out']:.3f}")
        if a.save:
            print(f"predictor: {found.save(a.save)}")
    else:
        found = e.load_predictor(a.model)
    if a.file is None:
        return
    table = found.predict(data.open(a.file), progress=True)
    out = Path(a.out or Path(a.file).with_suffix(".labels.csv").name)
    replace_file(out, lambda f: table.to_csv(f, index=False, float_format="%.4f"))
    print(table.head(10).round(3).to_string(index=False))
    print(f"{len(table)} clips: {out}. A confidence is the probe's own probability, which was not calibrated")


def stream(a: argparse.Namespace) -> None:
    """Labels of frames as they come: lines of V x 3 numbers on standard input, or the frames of a file."""
    import numpy as np

    from slimlab import data
    from slimlab import evaluate as e

    predictor = e.load_predictor(a.predictor)
    joints, latencies = len(predictor.encoder.config.skeleton), []

    def recordings():
        if a.file is None:
            yield "", _lines(joints)
            return
        store = data.open(a.file)
        e.check_body(predictor.encoder, store)
        for clip in store:
            yield f"{clip.name}\t", iter(np.where(clip.seen[..., None], clip.joints, 0))

    for name, frames in recordings():
        live = e.Live(predictor, a.window, a.stride)
        for frame in frames:
            if (said := live.push(frame)) is not None:
                print(f"{name}{said['frame']}\t{said['label']}\t{said['confidence']:.3f}", flush=True)
        latencies += live.latencies
    if latencies:
        middle, slow = (1000 * np.percentile(latencies, q) for q in (50, 99))
        print(f"{len(latencies)} answers, {middle:.1f} ms median, {slow:.1f} ms at the 99th percentile", file=sys.stderr)


def _lines(joints: int):
    """Frames (M, V, 3) from lines of numbers on standard input. Raises ValueError that names the line."""
    import numpy as np

    for number, line in enumerate(sys.stdin, 1):
        try:
            values = np.array(line.replace(",", " ").split(), dtype=np.float32)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}; a frame is {joints} joints x 3 numbers for each person") from error
        if not values.size or values.size % (joints * 3):
            raise ValueError(f"line {number} holds {values.size} numbers; a frame is {joints} joints x 3 for each person")
        yield values.reshape(-1, joints, 3)


def figures(a: argparse.Namespace) -> None:
    from slimlab import data, plot

    store = None if a.data is None else data.open(a.data)
    written = plot.gallery(a.run, store, a.out, method=a.method, formats=a.formats)
    print(f"{len(written)} files in {written[0].parent}: {', '.join(sorted({f.stem for f in written}))}")


def cost(a: argparse.Namespace) -> None:
    import pandas as pd

    from slimlab.analysis import cost as c

    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.float_format", "{:.2f}".format):
        print("GFLOPs a clip; a multiply-add is 2, attention counted; elementwise: with element-wise work\n")
        print(c.table(pretraining=a.pretraining).to_string(index=False, na_rep=""))
        print(f"\nclips of {a.people} people on average\n")
        print(c.mix(a.people, seconds=a.seconds, device=a.device).T.to_string(header=False, na_rep=""))


def paper(a: argparse.Namespace) -> None:
    """The list of tables, the printed figures of one, or its rows trained beside them."""
    from slimlab import data, plot
    from slimlab import pretrain as p
    from slimlab.study import paper as tables

    given = {"steps": a.steps} if a.steps else {}
    base = p.Config(preset=a.preset, **given)
    if a.list:
        each = p.estimate(data.synthetic(clips=96), base, device=a.device)
        print(f"preset {base.preset}, {base.steps} steps of {base.batch_size} clips: a run of the recipe takes {each}\n")
        for name, table in tables.TABLES.items():
            runs = len(table.rows) + len(table.masked)
            trained = f"{runs} run{'s' * (runs > 1)} a seed: slimlab paper {name} DATA" if runs else f"slimlab paper {name}"
            print(f"{name:<4}{table.title}; needs {table.needs}; {trained}")
        return
    if a.table is None:
        raise ValueError("give a table, such as 4, and DATA; or --list")
    if a.data is None:
        print(tables.published(a.table).to_string(na_rep=""))
        if a.table == "3":
            from slimlab.analysis import cost as c

            print(f"\nGFLOPs a clip as counted here (slimlab cost says how)\n{c.table().to_string(index=False, na_rep='')}")
        return
    store = data.open(a.data)
    weights = _weights(a.weights, store.skeleton, a.subfolder) if a.weights else None
    if a.probe:
        _released(a, store, weights)
        return
    source = data.open(a.source) if a.source else None
    if weights is None:
        for part in tables.planned(a.table, base, a.mirror):
            guess = p.estimate(source or store, part.base, device=a.device, method=part.method)
            count = f"{len(part.rows)} row{'s' * (len(part.rows) > 1)} x {a.seeds} seeds"
            print(f"{part.method.name}: {count}; a run at the size that they share takes {guess}")
    how = {"minutes": a.minutes, "device": a.device, "steps": a.evaluation_steps, "mirror": a.mirror}
    how |= {"weights": weights, "source": source, "source_split": a.source_split}
    out = Path(a.out)
    found = tables.run(a.table, store, base, seeds=a.seeds, split=a.split, folder=out, **how)
    print(found.markdown())
    plot.save(plot.paper_table(found), found.save(out / a.table) / "figure.png")
    print(f"table and figure: {out / a.table}; runs: {out}")


COMMANDS = {
    f.__name__: f
    for f in (doctor, lab, convert, export, report, pretrain, evaluate, robustness, embed, predict, stream, figures, cost, paper)
}


def _released(a: argparse.Namespace, store, weights) -> None:
    """The released probes on the test side, beside what the paper prints."""
    from slimlab import data
    from slimlab import evaluate as e
    from slimlab.study import paper as tables

    if weights is None or a.table != "1":
        raise ValueError("--probe is table 1's, with --weights: slimlab paper 1 DATA --weights WEIGHTS --probe FILE")
    _, test = data.split(store, a.split)
    found = e.score_probes(weights, test, a.probe)
    print(found.round(4).to_string(index=False))
    print(f"\n{len(test)} test clips, {a.split}; printed:\n{tables.published('1').loc[['SLiM']].to_string(na_rep='')}")


def _weights(name: str, skeleton, subfolder: str | None = None):
    """An encoder by its shipped name, or from its folder or id, for this body."""
    from slimlab import weights

    if name in weights.shipped():
        return weights.pretrained(name, skeleton=skeleton)
    return weights.load_encoder(name, subfolder, skeleton)


def _sides(a: argparse.Namespace):
    from slimlab import data

    return data.split(data.open(a.data), a.split, train_subjects=a.train_subjects)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="slimlab", description="Workbench for SLiM on skeleton motion.")
    parser.add_argument("--version", action="version", version=f"slimlab {__version__}")
    parser.add_argument("--debug", action="store_true", help="show where an error was raised (before the command's name)")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text)

    def with_data(p: argparse.ArgumentParser) -> None:
        p.add_argument("data", help="a store, a file or folder that slimlab knows, or the word 'synthetic' or 'ui-prmd'")
        p.add_argument("--split", default="cross-subject", help="cross-subject, cross-view, ntu60-xsub, file, …")
        p.add_argument("--train-subjects", type=int, nargs="+", help="subjects of the training side (default: odd ones)")

    command("doctor", "Versions, device, what is missing and the remedy.")
    p = command("lab", "Open JupyterLab on a notebook.")
    p.add_argument("notebook", nargs="?", default="notebooks/00_quickstart.ipynb")
    p = command("convert", "Convert any known format into a memory-mapped store.")
    p.add_argument("source")
    p.add_argument("destination")
    p.add_argument(
        "--format", help="where it is not recognised: ragged, utd-mhad, ntu-npz, ntu-skeleton, pyskl, … (data/README.md)"
    )
    p.add_argument("--dtype", default="float32", choices=["float32", "float16"])
    p.add_argument(
        "--unit", help="of the source's lengths: m, cm, mm, inch, or the meters in one (default: what the source says)"
    )
    p.add_argument("--up", help="the source's axis that points up: x, y, z, -x, -y, -z (default: what the source says)")
    p.add_argument(
        "--min-score", type=float, help="a joint with a lower score was not seen, 0 to 1 (pose estimators; default: 0.3)"
    )
    p.add_argument(
        "--on-error", default="raise", choices=["raise", "skip"], help="skip: leave bad clips out and list them in skipped.csv"
    )
    p = command("export", "Write clips as ragged .npz, NTU's .npz, .csv, a store's folder, or an .html page that plays them.")
    p.add_argument("data", help="anything that convert reads, a store, or the word 'synthetic' or 'ui-prmd'")
    p.add_argument("destination", help="….csv, ….npz, ….html, or a folder's name")
    p.add_argument("--format", choices=["store", "ragged", "ntu-npz", "csv"], help="where the ending does not say it")
    p.add_argument(
        "--clips", type=int, nargs="+", metavar="N", help="these alone, from 0 (.html: at most 8; the first by default)"
    )
    p = command("report", "What a set holds, and which of its clips deserve a look.")
    p.add_argument("data", help="anything that convert reads, a store, or the word 'synthetic' or 'ui-prmd'")
    p.add_argument("--format", help="where it is not recognised")
    p.add_argument("--out", help="also write the table of all clips, as .csv")
    p = command("pretrain", "Pre-train on the training side of a split.")
    with_data(p)
    p.add_argument("--preset", default="tiny", help="tiny, small or paper")
    p.add_argument("--folder", help="the run's folder (default: runs/…)")
    p.add_argument("--steps", type=int)
    p.add_argument("--minutes", type=float, help="wall minutes instead of steps")
    p.add_argument("--batch-size", type=int, help="of all processes together")
    p.add_argument("--microbatch", type=int, help="clips of a process in memory at once; the numbers stay those of the batch")
    p.add_argument("--precision", choices=["fp32", "bf16"])
    p.add_argument("--compile", action="store_true", default=None, help="translate the encoder's blocks (torch.compile)")
    p.add_argument("--seed", type=int)
    p.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    p.add_argument("--start", metavar="WEIGHTS", help="begin with these: small, tiny, tiny-v1 (shipped), a run's folder")
    p.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="any other field of slimlab.pretrain.Config; repeatable"
    )
    p.add_argument("--fresh", action="store_true", help="start anew instead of resuming")
    p = command("evaluate", "kNN and linear probe of a run, beside its controls.")
    p.add_argument("run")
    with_data(p)
    p.add_argument("-k", type=int, default=1, help="neighbours of kNN")
    p.add_argument("--pool", default="cls+mean", help="cls, mean, cls+mean (the paper's), time, part, time+part or tokens")
    p.add_argument("--seed", type=int, default=0, help="seed of the controls")
    p.add_argument("--iterations", type=int, default=1000, help="the most of the linear probe")
    p.add_argument("--supervised", type=int, default=0, metavar="STEPS", help="also train the same encoder with labels")
    p.add_argument("--equal-time", action="store_true", help="also train it with labels for as long as the run took")
    p.add_argument("--device", help="cpu (default), cuda, mps")
    p = command("robustness", "Accuracy as recordings get worse, a run beside its controls: table and figures.")
    p.add_argument("run")
    with_data(p)
    p.add_argument("--corruptions", nargs="+", metavar="NAME", help="'missing joints', noise, … (default: all)")
    p.add_argument("-k", type=int, default=1, help="neighbours of kNN")
    p.add_argument("--pool", default="cls+mean", help="how features are read, as of evaluate")
    p.add_argument("--seed", type=int, default=0, help="seed of the faults and of the controls")
    p.add_argument("--out", help="another folder than RUN/robustness")
    p.add_argument("--device", help="cpu (default), cuda, mps")
    p = command("embed", "Features of a file, as .csv or .npz.")
    p.add_argument("run", help="a run's folder, one with config.json and model.safetensors, or small, tiny, tiny-v1 (shipped)")
    p.add_argument("file")
    p.add_argument("--out")
    p.add_argument("--device", help="cpu (default), cuda, mps")
    p = command("predict", "Labels of new clips, with a confidence, by a linear probe that is fitted on labeled ones.")
    p.add_argument(
        "model", help="a folder that --save wrote; or, with --labels, a run's folder, or small, tiny, tiny-v1 (shipped)"
    )
    p.add_argument("file", nargs="?", help="the new clips")
    p.add_argument("--labels", metavar="DATA", help="labeled clips to fit the probe on")
    p.add_argument("--pool", default="cls+mean", help="how features are read, as of evaluate")
    p.add_argument("--people", type=int, help="most people in a clip of those to come, where more than in --labels")
    p.add_argument("--save", metavar="FOLDER", help="keep the fitted predictor")
    p.add_argument("--out", help="another .csv than FILE.labels.csv")
    p = command("stream", "Labels of frames as they come: lines of numbers on standard input, or the frames of a file.")
    p.add_argument("predictor", help="a folder that slimlab predict --save wrote")
    p.add_argument("file", nargs="?", help="replay its clips, frame by frame, and print how long an answer takes")
    p.add_argument("--window", type=int, default=90, help="frames that an answer is about")
    p.add_argument("--stride", type=int, default=8, help="frames from one answer to the next")
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
    p = command("cost", "FLOPs and speed of SLiM and of MAMP's encoder, the paper's figures beside ours.")
    p.add_argument("--people", type=float, default=1.2, help="people in a clip, on average")
    p.add_argument("--seconds", type=float, default=5.0, help="for each line against the clock; 0: FLOPs alone")
    p.add_argument("--pretraining", action="store_true", help="also count a training step of each, at the paper's size")
    p.add_argument("--device", default="cpu", help="cpu, cuda, mps")
    p = command("paper", "A table of the paper: its printed figures, and its rows trained on your clips beside them.")
    p.add_argument("table", nargs="?", help="1, 2a, 2b, 3, 4, 5a, 5b, 7, 9, 10, 11a or 11b")
    p.add_argument("data", nargs="?", help="clips to train and test on; without them the printed figures are shown")
    p.add_argument("--list", action="store_true", help="what each table needs, and how long a run takes here")
    p.add_argument("--preset", default="tiny", help="tiny, small or paper")
    p.add_argument("--steps", type=int, help="of each run (default: the preset's)")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--split", default="cross-subject", help="cross-subject, cross-view, ntu60-xsub, file, …")
    p.add_argument("--weights", help="judge these instead of training: small, tiny, tiny-v1, a run's folder, an id on the Hub")
    p.add_argument("--subfolder", help="of --weights, such as ntu60_xsub")
    p.add_argument("--probe", help="of table 1: a file of released linear probes, judged as they are")
    p.add_argument("--source", help="of table 9: clips to pre-train on")
    p.add_argument("--source-split", help="how --source is divided (default: as --split)")
    p.add_argument("--evaluation-steps", type=int, help="of the linear protocol and of fine-tuning")
    p.add_argument(
        "--no-mirror", dest="mirror", action="store_false", help="left and right are different classes: mirror nothing"
    )
    p.add_argument("--minutes", type=float, help="begin no further run after so many; the same command goes on")
    p.add_argument("--out", default="runs/tables", help="folder of the runs, which the tables share, and of OUT/TABLE")
    p.add_argument("--device", help="cpu, cuda, mps (default: the best there is)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
