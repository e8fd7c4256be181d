"""A probe that is kept: fitted on labeled clips, saved beside its encoder, and asked about new clips or frames as they come."""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from slimlab._system.cache import replace_file
from slimlab.data import ClipStore, DataError, from_arrays
from slimlab.encoder import Encoder
from slimlab.evaluate.features import Features, check_body, features
from slimlab.evaluate.probe import ITERATIONS, fit_logistic
from slimlab.evaluate.result import labelled
from slimlab.evaluate.subsets import check_train_test, held_out
from slimlab.weights import OnnxEncoder, export_onnx, load_encoder, load_onnx, save_encoder

PROBE, ABOUT = "probe.safetensors", "predictor.json"
ENCODER, EXPORTED = "encoder", "encoder.onnx"  # a folder, or a file; predictor.json says which
KEPT = 10_000  # answers of a stream whose time is kept


@dataclass(frozen=True, eq=False)
class Predictor:
    """An encoder and a linear probe on its features: labels for new clips, with a confidence.

    encoder  frozen, an `Encoder` or an `OnnxEncoder`; pool: how its features are read
    mean, scale  (F,) by which features are standardised; weight (C, F), bias (C,): logits of the C classes
    names    of the classes
    people   most people in a clip of those it was fitted on
    about    how it was made: clips, their fingerprint, and `held_out`, the accuracy on held-out subjects (or clips) of the
             same probe fitted without them: what to expect on people that it does not know
    """

    encoder: Encoder | OnnxEncoder
    mean: Tensor
    scale: Tensor
    weight: Tensor
    bias: Tensor
    names: tuple[str, ...]
    pool: str = "cls+mean"
    people: int = 1
    about: dict[str, Any] | None = None

    def logits(self, x: Tensor) -> Tensor:
        """(N, F) features -> (N, C)."""
        return (x - self.mean) / self.scale @ self.weight.T + self.bias

    def predict(self, store: ClipStore, progress: bool = False, cache: str | Path | None = "default") -> pd.DataFrame:
        """A line for each clip: clip, label, confidence (the probe's probability, 0..1), second label and its confidence.

        A clip with nobody in it has no label, and confidence 0. cache: as of `features`.

        Raises ValueError where the store's body is not the encoder's, DataError where a clip holds more people than known.
        """
        return self.label(self.features(store, progress, cache))

    def features(self, store: ClipStore, progress: bool = False, cache: str | Path | None = "default") -> Features:
        """What the probe reads of each clip (`evaluate.features`). Raises what `predict` raises."""
        check_body(self.encoder, store)
        if store.max_people > self.people:
            raise DataError(
                f"{store.source}: clips of up to {store.max_people} people; this predictor was fitted on clips of at most "
                f"{self.people}; fit it on clips of as many: fit_predictor(encoder, labeled.with_people({store.max_people}))"
            )
        return features(self.encoder, store.with_people(self.people), pool=self.pool, progress=progress, cache=cache)

    def label(self, read: Features) -> pd.DataFrame:
        """The table of `predict`, of features that were read before by `Predictor.features`."""
        chances = self.logits(read.x).softmax(dim=1)  # (N, C)
        top = chances.topk(min(2, chances.shape[1]), dim=1)
        table = pd.DataFrame({"clip": read.table["clip"].to_numpy()})
        for place, what in enumerate(("", "second_")[: top.indices.shape[1]]):
            table[f"{what}label"] = [self.names[i] for i in top.indices[:, place].tolist()]
            table[f"{what}confidence"] = top.values[:, place].numpy()
        nobody = read.table["people"].to_numpy() == 0
        table.loc[nobody, table.columns.str.endswith("label")] = ""
        table.loc[nobody, table.columns.str.endswith("confidence")] = 0.0
        return table

    def save(self, folder: str | Path) -> Path:
        """Write encoder, probe and what is known of it into a folder, for `load_predictor`. Returns the folder.

        A predictor that is there is replaced. Raises FileExistsError where the folder holds other files of these names.
        """
        folder, encoder = Path(folder).expanduser(), self.encoder
        place = EXPORTED if isinstance(encoder, OnnxEncoder) else ENCODER
        _check_own(folder, encoder.content if isinstance(encoder, OnnxEncoder) else None)
        (folder / ABOUT).unlink(missing_ok=True)  # a folder that is half written is no predictor
        if isinstance(encoder, OnnxEncoder):
            folder.mkdir(parents=True, exist_ok=True)
            content = encoder.content
            replace_file(folder / place, lambda f: f.write(content))
        else:
            save_encoder(encoder, folder / place)
        replace_file(folder / PROBE, lambda f: f.write(self._probe()))
        said = self._said() | {"encoder": place}
        replace_file(folder / ABOUT, lambda f: f.write((json.dumps(said, indent=1) + "\n").encode()))
        return folder

    def export_onnx(self, path: str | Path, **options: bool) -> Path:
        """Write the encoder as an ONNX file with the probe in its metadata, for `load_predictor`. Returns the path.

        options  as of `weights.export_onnx`, which says what else the file is good for
        Raises ValueError where the encoder comes from an ONNX file itself: `save` keeps such a predictor.
        """
        if isinstance(self.encoder, OnnxEncoder):
            raise ValueError(f"{path}: the encoder comes from an ONNX file; keep the predictor with Predictor.save")
        probe = base64.b64encode(self._probe()).decode()
        return export_onnx(self.encoder, path, extra={"predictor": self._said() | {"probe": probe}}, **options)

    def _said(self) -> dict[str, Any]:
        return {"names": self.names, "pool": self.pool, "people": self.people, "about": self.about}

    def _probe(self) -> bytes:
        from safetensors.torch import save

        tensors = {"mean": self.mean, "scale": self.scale, "weight": self.weight, "bias": self.bias}
        return save({name: value.contiguous() for name, value in tensors.items()})


def fit_predictor(
    encoder: Encoder | OnnxEncoder,
    store: ClipStore,
    *,
    pool: str = "cls+mean",
    iterations: int = ITERATIONS,
    progress: bool = False,
) -> Predictor:
    """Fit a probe on the labeled clips of a store: standardised features, logistic regression, as `linear_probe`.

    Raises DataError where no clip has a label or all have the same, ValueError where the store's body is not the encoder's,
    NotConverged where the iterations are too few.
    """
    check_body(encoder, store)
    known = store[store.labels >= 0]
    check_train_test(known, known)
    read = features(encoder, known, pool=pool, progress=progress)
    about = {"clips": len(known), "data": known.source, "fingerprint": known.fingerprint}
    outside, what = held_out(known.table, len(known))
    if 0 < outside.sum() < len(known) and len(np.unique(known.labels[~outside])) > 1:
        inside = _fitted(encoder, read.rows(np.flatnonzero(~outside)), known, pool, iterations)
        judged = read.rows(np.flatnonzero(outside))
        right = inside.logits(judged.x).argmax(dim=1) == judged.labels
        about |= {"held_out": float(right.double().mean()), "held_out_clips": int(outside.sum()), "held_out_by": what}
    return replace(_fitted(encoder, read, known, pool, iterations), about=about)


def _fitted(encoder: Encoder | OnnxEncoder, read: Features, store: ClipStore, pool: str, iterations: int) -> Predictor:
    x, labels, _, _, classes = labelled(read, read)
    probe = fit_logistic(x, labels, iterations=iterations)
    scaler, regression = probe[0], probe[-1]
    found = torch.from_numpy(regression.classes_).long()
    weight, bias = torch.zeros(classes, x.shape[1]), torch.full((classes,), -torch.inf)
    rows, offsets = (torch.from_numpy(v).float() for v in (regression.coef_, regression.intercept_))
    if len(found) == 2:  # one row of logits, of the second class
        rows, offsets = torch.cat([torch.zeros_like(rows), rows]), torch.cat([torch.zeros_like(offsets), offsets])
    weight[found], bias[found] = rows, offsets
    names = tuple(store.label_names[i] if i < len(store.label_names) else str(i) for i in range(classes))
    mean, scale = (torch.from_numpy(np.asarray(v)).float() for v in (scaler.mean_, scaler.scale_))
    return Predictor(encoder, mean, scale, weight, bias, names, pool, store.max_people)


def load_predictor(path: str | Path) -> Predictor:
    """Read what `Predictor.save` or `Predictor.export_onnx` wrote: a folder, or a file that ends in .onnx.

    Raises FileNotFoundError or ValueError that names the file and what is wrong with it.
    """
    path = Path(path).expanduser()
    if path.suffix == ".onnx" and not path.is_dir():
        encoder = load_onnx(path)
        if "predictor" not in encoder.about:
            raise ValueError(
                f"{path}: an encoder without a probe; fit one with fit_predictor, or slimlab predict {path} --labels DATA"
            )
        return _checked(path, encoder, lambda: encoder.about["predictor"], None)
    if not (path / ABOUT).exists():
        raise FileNotFoundError(
            f"{path / ABOUT}: no such file; give a folder that Predictor.save, or slimlab predict --save, wrote"
        )
    about = _about(path / ABOUT)
    if about is None:
        raise ValueError(f"{path / ABOUT}: damaged, or not what Predictor.save wrote; fit the predictor again")
    exported = (path / EXPORTED).exists() if "encoder" not in about else about["encoder"] == EXPORTED  # older ones do not say
    encoder = load_onnx(path / EXPORTED) if exported else load_encoder(path / ENCODER)
    return _checked(path, encoder, lambda: about, path / PROBE)


def _about(file: Path) -> dict[str, Any] | None:
    """What `Predictor.save` said in this file; None where it did not write it."""
    try:
        said = json.loads(file.read_text())
    except (OSError, ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) and {"names", "pool", "people", "about"} <= said.keys() else None


def _check_own(folder: Path, content: bytes | None) -> None:
    """Raises FileExistsError where a predictor would replace a file that is none's; content: of its exported encoder, or None."""
    about, exported = folder / ABOUT, folder / EXPORTED
    taken = about if about.exists() and _about(about) is None else None
    if content is not None and exported.exists() and not about.exists() and not (folder / PROBE).exists():
        taken = taken or (exported if exported.read_bytes() != content else None)
    if taken:
        raise FileExistsError(f"{taken}: Predictor.save did not write this file; give another folder, or move it away")


def _checked(path: Path, encoder: Encoder | OnnxEncoder, read: Callable[[], Any], probe: Path | None) -> Predictor:
    """A predictor of what `read` gives and the probe in a file, or in it. Raises ValueError where they do not fit."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        about = read()
        tensors = load(base64.b64decode(about["probe"], validate=True) if probe is None else probe.read_bytes())
        mean, scale, weight, bias = (tensors[name] for name in ("mean", "scale", "weight", "bias"))
        names = tuple(about["names"])
        if weight.shape != (len(names), len(mean)) or bias.shape != (len(names),) or scale.shape != mean.shape:
            raise ValueError(f"the probe is {tuple(weight.shape)} for {len(names)} classes and {len(mean)} features")
        pool, people = about["pool"], int(about["people"])
        if people < 1 or (length := _length(encoder, pool, people)) != len(mean):
            raise ValueError(
                f"{people} people" if people < 1 else f"the encoder gives {length} features, the probe reads {len(mean)}"
            )
        return Predictor(encoder, mean, scale, weight, bias, names, pool, people, about["about"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ValueError(f"{path}: no predictor ({error}); fit it again") from error


@torch.inference_mode()
def _length(encoder: Encoder | OnnxEncoder, pool: str, people: int) -> int:
    """How many features a clip of so many people has."""
    config, like = encoder.config, next(encoder.parameters())
    x = torch.zeros(1, 3, config.frames, len(config.skeleton), people, dtype=like.dtype, device=like.device)
    return encoder.features(x, pool=pool).shape[1]


class Live:
    """Labels for frames that arrive one by one: the last `window` frames are asked about every `stride` frames.

    `latencies` are the seconds that each of the last 10,000 answers took: a stream may run for days.
    """

    def __init__(self, predictor: Predictor, window: int = 90, stride: int = 8) -> None:
        if window < 2 or stride < 1:
            raise ValueError(f"window {window} must be at least 2 frames, stride {stride} at least 1")
        self.predictor, self.window, self.stride = predictor, window, stride
        self.latencies: deque[float] = deque(maxlen=KEPT)
        self._frames: deque[np.ndarray] = deque(maxlen=window)
        self._count = 0

    def push(self, frame: np.ndarray) -> dict[str, Any] | None:
        """Take a frame: (V, 3) or (M, V, 3) meters, y up, zeros where a joint was not seen or nobody is there.

        Returns {frame, label, confidence, second_label, second_confidence} once `window` frames are there and `stride` have come
        since the last answer, None in between; an empty label where nobody was there in the whole window. Raises ValueError
        where the shape does not fit or a number is not finite; the frame is then not taken.
        """
        body, people = self.predictor.encoder.config.skeleton, self.predictor.people
        frame = np.asarray(frame, dtype=np.float32)
        frame = frame[None] if frame.ndim == 2 else frame  # (M, V, 3)
        if frame.ndim != 3 or frame.shape[1:] != (len(body), 3) or len(frame) > people:
            raise ValueError(f"a frame is {frame.shape}, should be (V, 3) or (M, V, 3) with V = {len(body)} and M up to {people}")
        if not np.isfinite(frame).all():
            person, joint = np.argwhere(~np.isfinite(frame))[0, :2]
            raise ValueError(
                f"frame {self._count}, person {person}, joint {body.names[joint]}: is not finite; give zeros where a joint was "
                "not seen"
            )
        self._frames.append(np.concatenate([frame, np.zeros((people - len(frame), *frame.shape[1:]), np.float32)]))
        self._count += 1
        if len(self._frames) < self.window or (self._count - self.window) % self.stride:
            return None
        begin = time.perf_counter()
        clip = np.stack(self._frames).transpose(3, 0, 2, 1)  # (3, T, V, M)
        if not clip.any():
            return {"frame": self._count - 1, "label": "", "confidence": 0.0, "second_label": "", "second_confidence": 0.0}
        row = self.predictor.predict(from_arrays(clip, skeleton=body), cache=None).iloc[0].drop("clip").to_dict()
        self.latencies.append(time.perf_counter() - begin)
        return {"frame": self._count - 1} | row
