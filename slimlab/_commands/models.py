"""A model at work: `embed`, `export-model`, `predict` and `stream`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from slimlab._commands.shared import Command, table_file, weights_of


def add(command: Command) -> None:
    """Their arguments."""
    p = command("embed", "Features of a file, as .csv or .npz.")
    p.add_argument(
        "run",
        help="a run's folder, one with config.json and model.safetensors, small, tiny, tiny-v1 (shipped), or an .onnx file",
    )
    p.add_argument("file")
    p.add_argument("--out")
    p.add_argument("--device", help="cpu (default), cuda, mps")
    p = command("export-model", "An encoder as an ONNX file, which runs without slimlab.")
    p.add_argument("model", help="a run's folder, small, tiny, tiny-v1 (shipped), or a folder that slimlab predict --save wrote")
    p.add_argument("destination", metavar="model.onnx")
    p.add_argument(
        "--body", metavar="NAME", help="for another body: that of data (a file, a store), or coco, smpl_22, mediapipe_33, …"
    )
    p.add_argument("--attention", action="store_true", help="also give each block's attention")
    p.add_argument("--blocks", action="store_true", help="also give each block's tokens")
    p = command("predict", "Labels of new clips, with a confidence, by a linear probe that is fitted on labeled ones.")
    p.add_argument(
        "model",
        help="a folder that --save wrote, or one exported as .onnx; or, with --labels, a run's folder, small, tiny, tiny-v1 "
        "(shipped), or any .onnx file of export-model",
    )
    p.add_argument("file", nargs="?", help="the new clips")
    p.add_argument("--labels", metavar="DATA", help="labeled clips to fit the probe on")
    p.add_argument("--pool", help="with --labels, how features are read, as of evaluate (default: cls+mean)")
    p.add_argument("--people", type=int, help="most people in a clip of those to come, where more than in --labels")
    p.add_argument("--save", metavar="FOLDER", help="keep the fitted predictor")
    p.add_argument("--out", help="another .csv than FILE.labels.csv")
    p = command("stream", "Labels of frames as they come: lines of numbers on standard input, or the frames of a file.")
    p.add_argument("predictor", help="a folder that slimlab predict --save wrote, or one exported as .onnx")
    p.add_argument("file", nargs="?", help="replay its clips, frame by frame, and print how long an answer takes")
    p.add_argument("--window", type=int, default=90, help="frames that an answer is about")
    p.add_argument("--stride", type=int, default=8, help="frames from one answer to the next")


def embed(a: argparse.Namespace) -> None:
    """Features of a file, as a table."""
    import numpy as np
    import pandas as pd

    from slimlab import data, evaluate
    from slimlab._system import distributed
    from slimlab.pretrain.run import replace_file

    out = table_file(a.out or Path(a.file).with_suffix(".features.csv").name, ".csv", ".npz")
    store = data.open(a.file)
    out.parent.mkdir(parents=True, exist_ok=True)
    with distributed.processes(a.device) as device:
        features = evaluate.features(weights_of(a.run, store.skeleton).to(device or "cpu"), store, progress=True)
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


def _body(name: str):
    """A body by its name, or that of data."""
    from slimlab import data, skeleton, weights
    from slimlab.data.opening import IN_PACKAGE

    if name.upper() in weights.BODIES:
        return getattr(skeleton, name.upper())
    if name in IN_PACKAGE or Path(name).expanduser().exists():
        return data.open(name).skeleton
    raise ValueError(f"--body {name}: should be data (a file, a store, ui-prmd), or one of {', '.join(weights.BODIES).lower()}")


def export_model(a: argparse.Namespace) -> None:
    """An encoder, or a predictor with its encoder, as an ONNX file."""
    from slimlab import evaluate as e
    from slimlab import weights
    from slimlab.encoder import Encoder

    body = _body(a.body) if a.body else None
    options = {"attention": a.attention, "blocks": a.blocks}
    if (Path(a.model) / "predictor.json").exists():
        if a.body:
            raise ValueError("--body: a predictor's probe belongs to its body; export the encoder alone, or fit it on that body")
        print(e.load_predictor(a.model).export_onnx(a.destination, **options))
        return
    if Path(a.model).suffix == ".onnx":
        raise ValueError(f"{a.model}: is an ONNX file already; give shipped weights, a run or an encoder's folder")
    encoder = weights_of(a.model, body)
    assert isinstance(encoder, Encoder)
    print(weights.export_onnx(encoder, a.destination, **options))


def predict(a: argparse.Namespace) -> None:
    """Labels of new clips, by a predictor that was saved or is fitted on labeled clips first."""
    from slimlab import data
    from slimlab import evaluate as e
    from slimlab.pretrain.run import replace_file

    if a.save and not a.labels:
        raise ValueError("--save keeps a predictor that is fitted now; give --labels DATA")
    if (a.people or a.pool) and not a.labels:
        raise ValueError("--people and --pool are of a predictor that is fitted now; give --labels DATA")
    if a.out and not a.file:
        raise ValueError("--out is for the labels of new clips; give FILE")
    new = out = None
    if a.file is not None:  # before the fit, which takes longer
        out = table_file(a.out or Path(a.file).with_suffix(".labels.csv").name, ".csv")
        new = data.open(a.file)
        out.parent.mkdir(parents=True, exist_ok=True)
    if a.labels:
        known = data.open(a.labels)
        known = known.with_people(a.people or known.max_people)
        found = e.fit_predictor(weights_of(a.model, known.skeleton), known, pool=a.pool or "cls+mean", progress=True)
        about = found.about or {}
        if "held_out" in about:
            print(f"accuracy on {about['held_out_by']}, without them in the fit: {about['held_out']:.3f}")
        if a.save:
            print(f"predictor: {found.save(a.save)}")
    else:
        found = _predictor(a.model)
    if new is None or out is None:
        return
    table = found.predict(new, progress=True)
    replace_file(out, lambda f: table.to_csv(f, index=False, float_format="%.4f"))
    print(table.head(10).round(3).to_string(index=False))
    print(f"{len(table)} clips: {out}. A confidence is the probe's own probability, which was not calibrated")


def stream(a: argparse.Namespace) -> None:
    """Labels of frames as they come: lines of V x 3 numbers on standard input, or the frames of a file."""
    import numpy as np

    from slimlab import data
    from slimlab import evaluate as e

    predictor = _predictor(a.predictor)
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
        if a.file and not live.latencies:
            print(
                f"{name.strip()}: shorter than the window of {live.window} frames, no answer; give a smaller --window",
                file=sys.stderr,
            )
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


def _predictor(name: str):
    """A predictor from its folder or file."""
    from slimlab import evaluate, weights

    if name in weights.shipped() and not Path(name).exists():
        raise ValueError(
            f"{name}: an encoder without labels; fit a predictor: slimlab predict {name} --labels DATA --save FOLDER"
        )
    return evaluate.load_predictor(name)
