"""Clips -> one feature vector each, by a frozen encoder on the deterministic test view."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm.auto import tqdm

from slimlab import augment
from slimlab._renamed import old_names
from slimlab._system import cache as disk
from slimlab._system import distributed
from slimlab.data import ClipStore, released_test_view, streams, test_view
from slimlab.data.store import ranges
from slimlab.data.views import View
from slimlab.encoder import POOLS, Encoder, EncoderConfig, FeatureEncoder, combined
from slimlab.evaluate.grid import feature_specs
from slimlab.weights import OnnxEncoder

CutView = Callable[..., View]  # as `data.test_view`: (store, indices, frames) -> x, people, seen
TEST_VIEWS: dict[str, CutView] = {"plain": test_view, "released": released_test_view}  # of a protocol's `details`
TOGETHER = ("cls", "mean", "cls+mean")  # pools that are read from the network in one go; the others each on its own
KEPT_BLOCKS = 4  # last blocks whose CLS token is kept: the most that a protocol of the paper reads


@dataclass(frozen=True)
class Features:
    """x (N, F) float32; labels (N,) int64, -1 unknown; table: the store's, a line per row of x."""

    x: Tensor
    labels: Tensor
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.x)

    def rows(self, clips: np.ndarray) -> Features:
        """Those of these clips alone."""
        return Features(self.x[clips], self.labels[clips], self.table.iloc[clips])


class Inputs(NamedTuple):
    """What an encoder takes, on its device: `encoder(x, people=people, seen=seen)`.

    x (B, 3, T, V, M); people (B, M) bool; seen (B, T, V, M) bool, or None where every joint was seen
    """

    x: Tensor
    people: Tensor
    seen: Tensor | None


def inputs(
    encoder: FeatureEncoder,
    store: ClipStore,
    indices: Sequence[int] | np.ndarray,
    frames: int | None = None,
    view: Callable[..., View] = test_view,
) -> Inputs:
    """The test view of these clips as the encoder takes it.

    frames  length of the view; None: the encoder's own
    view    what cuts it: called with the store, the indices and the frames, as `data.test_view`
    """
    return inputs_of(view(store, indices, frames or encoder.config.frames), encoder, store)


def inputs_of(view: View, encoder: FeatureEncoder, store: ClipStore) -> Inputs:
    """A view of clips of this store, such as `data.test_view` gives, as the encoder takes it."""
    config, device = encoder.config, next(encoder.parameters()).device
    x, people, seen = (part.to(device) for part in view)
    known = augment.shown(x, seen)
    given = to_inputs(augment.center(x, config.skeleton, config.centering, seen=known), people, config, known, store)
    return given._replace(x=given.x.to(next(encoder.parameters()).dtype))  # coordinates are float32, weights may be bfloat16


def prepare(x: Tensor, config: EncoderConfig, seen: Tensor | None = None, origin: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Clips in meters -> the encoder's x and seen, as its configuration says: centering, stream, scale.

    x       (B, 3, T, V, M) as recorded
    seen    (B, T, V, M) bool, as of `data.test_view`; None: `augment.find_seen`, where joints at zero were not seen
    origin  as in `augment.center`
    """
    known = augment.find_seen(x, config.skeleton, origin) if seen is None else augment.shown(x, seen)
    x = augment.center(x, config.skeleton, config.centering, origin, known)
    return to_input(x, config, known), input_seen(x, config, known)


def to_inputs(x: Tensor, people: Tensor, config: EncoderConfig, seen: Tensor, store: ClipStore) -> Inputs:
    """`to_input`, with `input_seen` where a joint of the store may be unseen; arguments as in `to_input`."""
    return Inputs(to_input(x, config, seen), people, input_seen(x, config, seen) if store.has_unseen else None)


def to_input(x: Tensor, config: EncoderConfig, seen: Tensor) -> Tensor:
    """The part of `prepare` that follows augmentation: the stream of centered x, times the input scale.

    x     (B, 3, T, V, M)
    seen  (B, T, V, M) bool, of x as it is here, False where nobody is
    """
    return streams.of(x, config.skeleton, config.stream, seen) * config.input_scale


def input_seen(x: Tensor, config: EncoderConfig, seen: Tensor) -> Tensor:
    """(B, T, V, M) bool: where `to_input` of the same x has values, and True where nobody is, who hides nothing."""
    return streams.seen_in(seen, config.skeleton, config.stream) | ~augment.present(x)[:, 0]


def check_body(encoder: FeatureEncoder, store: ClipStore) -> None:
    """Raises ValueError where the store's body is not the encoder's, TypeError where it is no `FeatureEncoder`."""
    lacking = [name for name in ("config", "has_cls", "features") if not hasattr(encoder, name)]
    if lacking:
        raise TypeError(
            f"{type(encoder).__name__} has no {', '.join(lacking)}; evaluation takes a network that has what "
            "`slimlab.encoder.FeatureEncoder` lists"
        )
    skeleton = encoder.config.skeleton
    if store.skeleton.names != skeleton.names:
        remedy = "load it with skeleton=store.skeleton; a predictor is fitted on clips of its body (slimlab predict --labels)"
        if isinstance(encoder, OnnxEncoder):
            remedy = "export one for this body: slimlab export-model MODEL model.onnx --body CLIPS, or in Python "
            remedy += "weights.export_onnx(weights.on_body(encoder, store.skeleton), path)"
        raise ValueError(
            f"the encoder was made for {len(skeleton)} joints ({skeleton.names[0]}, …), the clips have "
            f"{len(store.skeleton)} ({store.skeleton.names[0]}, …); {remedy}"
        )


def features(
    encoder: FeatureEncoder,
    store: ClipStore,
    *,
    blocks: int = 1,
    pool: str = "cls+mean",
    combine: str = "concat",
    frames: int | None = None,
    batch_size: int = 64,
    progress: bool = False,
    cache: str | Path | None = "default",
    view: CutView = test_view,
) -> Features:
    """Features of every clip, on the encoder's device; `blocks`, `pool`, `combine` as in `Encoder.features`.

    frames  length of the test view; None: the encoder's own
    view    what cuts the test view of clips: called as `data.test_view`; `data.released_test_view` is the released code's,
            without its mistake, `released.faults.test_view` with it
    cache   folder of features kept by content (clips, weights, settings, code): the CLS tokens of the last four blocks and the
            mean token of each person are read once and serve every protocol, in every process; other pools are kept beside them,
            but for "tokens". None: nothing is read or kept. Default: $SLIMLAB_CACHE or the user's cache; at most 2 GB are kept
    Clips without people come out as zeros; of a store without clips there are no rows. Of several processes
    (`distributed.processes`) all call this with the same encoder and store; each reads its share and has all rows.
    Raises ValueError where the store's body is not the encoder's.
    """
    check_body(encoder, store)
    frames = frames or encoder.config.frames

    kept = disk.folder("features", cache)
    has_cls, together = encoder.has_cls, pool in TOGETHER
    keeps = combine in ("concat", "sum", "mean") and (has_cls or (blocks == 1 and pool != "cls"))
    keeps = keeps and pool in POOLS and pool != "tokens" and (together or blocks == 1)
    code = _code(encoder, view) if kept is not None and keeps else None
    if kept is None or code is None:
        x = _read(encoder, store, blocks, pool, combine, frames, view, batch_size, progress)
        return Features(x, torch.from_numpy(store.labels), store.table)
    most = max(blocks, min(KEPT_BLOCKS, encoder.config.depth)) if has_cls and together else 1
    read_as = "cls+mean" if together else pool
    clips = (store.fingerprint, str(store.arrays.joints.dtype), store.max_people, _who_when(store))
    how = (most, read_as, frames, view.__qualname__, next(encoder.parameters()).device.type)
    file = kept / f"{disk.digest(clips, weights_digest(encoder), *how, code)}.npy"
    found = disk.read(file)
    missing = found is None or found.ndim != 2 or len(found) != len(store)
    if distributed.all_reduce_max(torch.tensor(int(missing))) or found is None:  # of several processes all read, or none
        found = _read(encoder, store, most, read_as, "concat", frames, view, batch_size, progress, with_people=True).numpy()
        disk.keep(file, found)
    every, people = torch.from_numpy(found).split([found.shape[1] - store.max_people, store.max_people], dim=1)
    if has_cls and together:
        spec = feature_specs([blocks, most], [pool], encoder.config.width, every.shape[1])[0]
        every = every[:, spec.columns]
    every = combined(every.unflatten(1, (store.max_people, -1)), people > 0, combine)  # (N, F)
    return Features(every.contiguous(), torch.from_numpy(store.labels), store.table)


@contextmanager
def evaluating(encoder: FeatureEncoder) -> Iterator[None]:
    """The encoder in evaluation mode inside, and as it was afterwards, whatever happens."""
    was_training = encoder.training
    encoder.eval()
    try:
        yield
    finally:
        encoder.train(was_training)


@torch.inference_mode()
def _read(encoder, store, blocks, pool, combine, frames, view, batch_size, progress, with_people: bool = False) -> Tensor:
    """(N, F) float32, and with `with_people` who is there as M more columns of 0 and 1."""
    config, device = encoder.config, next(encoder.parameters()).device
    rows, shared = [], len(store) >= distributed.world_size()
    own = distributed.shard(len(store)) if shared else slice(0, len(store))
    starts = range(own.start, own.stop, batch_size)
    with evaluating(encoder):
        for start in tqdm(starts, desc="features", disable=not progress or distributed.rank() > 0, leave=False):
            x, people, seen = inputs(encoder, store, np.arange(start, min(start + batch_size, own.stop)), frames, view)
            read = encoder.features(x, people, blocks, pool, combine, seen).float()
            rows.append((torch.cat([read, people.float()], dim=1) if with_people else read).cpu())
        if not len(store):  # no rows, as wide as those of a clip
            x = torch.zeros(1, 3, frames, len(config.skeleton), store.max_people, device=device)
            people = torch.zeros(1, store.max_people, dtype=torch.bool, device=device)
            read = encoder.features(x, people, blocks, pool, combine).float()
            rows.append((torch.cat([read, people.float()], dim=1) if with_people else read)[:0].cpu())
    return distributed.all_gather(torch.cat(rows)) if shared else torch.cat(rows)


def _who_when(store: ClipStore) -> str:
    """A digest of who is there in which frames, which the coordinates alone do not tell."""
    a = store.arrays
    counts = a.first_track[store.clips + 1] - a.first_track[store.clips]
    tracks = a.tracks[ranges(a.first_track[store.clips], counts)]
    rows = ranges(tracks[:, 2], tracks[:, 3])
    return disk.digest(counts, tracks[:, [1, 3]], np.asarray(a.frames[rows]), store.has_unseen)


def weights_digest(encoder: FeatureEncoder) -> str:
    """24 hex digits of an encoder's weights and configuration."""
    own = {f.name: getattr(encoder.config, f.name) for f in fields(encoder.config)}
    own = old_names(own)  # so that the same weights have the digest that they have in tables of earlier versions
    own["skeleton"] = encoder.config.skeleton.to_json()
    state = encoder.state_dict()
    return disk.digest(
        type(encoder).__qualname__, sorted(own.items()), *(part for name in sorted(state) for part in (name, state[name]))
    )


def _code(encoder: FeatureEncoder, view: CutView) -> str | None:
    """A digest of the code that turns clips into features; None where it cannot be read, as of a class made in a notebook."""
    home = sys.modules.get(getattr(view, "__module__", ""))
    if home is None or getattr(home, getattr(view, "__qualname__", ""), None) is not view:
        return None  # such as a function made by a function: its file does not say all that it does
    modules = (augment, streams, home, sys.modules[Encoder.__module__])
    modules = (*modules, sys.modules[type(encoder).__module__], sys.modules[__name__])
    try:
        files = [Path(module.__file__).read_bytes() for module in modules]  # pyright: ignore[reportArgumentType]
    except (AttributeError, TypeError, OSError):
        return None
    return disk.digest(*files, torch.__version__)
