"""All figures of a run, as PDF, PNG and CSV: `slimlab figures RUN`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from slimlab import analysis, augment, data, evaluate, masking
from slimlab.analysis import projection
from slimlab.data import ClipStore, DataError
from slimlab.encoder import Encoder
from slimlab.plot import body, looking, masks, prototypes, results, retrieval
from slimlab.plot.augmentations import augmented
from slimlab.plot.style import save
from slimlab.plot.training import change_marks, training
from slimlab.pretrain.run import Run
from slimlab.released import naive

FORMATS = ("pdf", "png")


def gallery(
    run: Run | str | Path,
    store: ClipStore | None = None,
    folder: str | Path | None = None,
    method: str = "pca",
    seed: int = 0,
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw everything there is to see of a run into `folder` (None: the run's own, figures/). Returns the files.

    store    the clips, trained on and held out together; None: where the run says that its data came from
    method   of the embedding: pca, tsne, umap
    formats  of each figure: "pdf", "svg", "png"; its data is always beside it, as CSV
    losses, training curves · a clip, its mask, all strategies, augmentations · attention, its heads and distances · token PCA and
    likeness · teacher against masked student · prototypes: usage, assignment, nearest · embedding by subject; with labelled
    clips that the run has not seen also by class and correctness · confusion · neighbours. One clip of the most common class
    stands for all where a single one is shown. Raises DataError where the clips cannot be found, RunError for a damaged run.
    """
    run = run if isinstance(run, Run) else Run(run)
    if not formats or set(formats) - {"pdf", "svg", "png"}:
        raise ValueError(f"formats are {list(formats)}; choose among pdf, svg, png")
    store = data_of(run) if store is None else store
    folder = Path(folder) if folder is not None else run.folder / "figures"
    written = []
    for name, figure in figures(run, store, method, seed):
        written += [save(figure, folder / f"{name}.{suffix}") for suffix in formats]
    return written


def data_of(run: Run) -> ClipStore:
    """The clips that the run was made from. Raises DataError where they are not there any more, naming the remedy."""
    source = str(run.about.get("data", "")).replace("performers=", "subjects=")  # as slimlab 0.1 called them
    made = re.fullmatch(r"synthetic\((.*)\)", source)
    if made:
        return data.synthetic(**{k: int(v) for k, v in (pair.split("=") for pair in made.group(1).split(", "))})
    made = re.fullmatch(r"ui_prmd\(which='([a-z]+)', classes='([a-z ]+)'\)", source)
    if made:
        return data.ui_prmd(*made.groups())
    try:
        return data.open(source)
    except DataError as error:
        raise DataError(f"{run.folder}: its data cannot be opened ({error}); give the clips: figures RUN DATA") from error


def figures(run: Run, store: ClipStore, method: str = "pca", seed: int = 0) -> Iterator[tuple[str, Figure]]:
    """(name, figure) one after the other; see `gallery`."""
    seen = np.isin(store.recordings(), np.asarray(run.seen["digest"]))
    somebody = store.column("people") > 0
    train, test = store[seen & somebody], store[~seen & somebody]
    shown = test if len(test) else train
    if not len(shown):
        raise DataError(f"{store.source}: no clip with anybody in it; there is nothing to draw")
    index = _typical(shown)
    yield from _of_training(run)
    yield from _of_clip(run, shown, index, seed)
    yield from _inside(run, shown, index, seed)
    yield from _of_prototypes(run, shown)
    yield from _of_features(run.encoder, train, test, index, method, seed)


def _of_training(run: Run) -> Iterator[tuple[str, Figure]]:
    if len(run.metrics):
        yield "losses", results.losses(run.metrics)
        yield "training", training({run.folder.name: run.metrics}, change_marks(run.changes))


def _of_clip(run: Run, shown: ClipStore, index: int, seed: int) -> Iterator[tuple[str, Figure]]:
    """What a clip looks like, what is masked of it, what augmentation makes of it."""
    clip, skeleton = shown[index], shown.skeleton
    config, (x, _, _) = run.config, data.test_view(shown, [index], run.config.global_frames)
    steps, ratio = config.global_frames // config.patch_frames, sum(config.mask_bounds) / 2
    motion = masking.motion_magnitude(x[..., :1], config.patch_frames)
    draws = {name: masks.draw_mask(name, skeleton, steps, ratio, seed, motion) for name in masking.STRATEGIES}
    yield "clip", body.frames_strip(clip, skeleton)
    yield "mask", body.mask_on_body(clip, draws[config.masking].mask, skeleton)
    yield "mask_grid", masks.mask_grid(draws[config.masking], skeleton)
    yield "mask_strategies", masks.mask_gallery(draws, skeleton)
    x = torch.from_numpy(clip.joints).permute(3, 0, 2, 1)[None].contiguous()  # (1, 3, T, V, M)
    seen = torch.from_numpy(clip.seen).permute(0, 2, 1)[None]  # (1, T, V, M)
    x = augment.center(x, skeleton, seen=seen)
    factors = torch.linspace(*config.bone_scale, int(skeleton.part_groups.max()) + 1)[torch.from_numpy(skeleton.part_groups)][
        None
    ]
    angles = torch.as_tensor(config.rotation, dtype=torch.float32).expand(3)[None]
    made = {"mirrored": augment.mirror(x, skeleton), "bones scaled": augment.scale_bones(x, skeleton, factors, seen)}
    made |= {
        "turned": augment.rotate(x, angles),
        "bones rebuilt in index order": naive.scale_bones_by_index(x, skeleton, factors),
    }
    yield "augmentations", augmented(x, made, skeleton, mirrored=("mirrored",), title=clip.name)


def _inside(run: Run, shown: ClipStore, index: int, seed: int) -> Iterator[tuple[str, Figure]]:
    """Attention, tokens, and what the masked student makes of a clip."""
    encoder, config = run.encoder, run.config
    look = analysis.inside(encoder, shown, index)
    x, _, _ = data.test_view(shown, [index], encoder.config.frames)
    known = masking.known_of(config.masking, x[..., :1], config.patch_frames)
    rng, ratio = torch.Generator().manual_seed(seed), sum(config.mask_bounds) / 2
    mask = masking.STRATEGIES[config.masking](1, look.steps, shown.skeleton, ratio, generator=rng, **known)[0]
    yield "attention_cls", looking.attention(look)
    yield "attention_cell", looking.attention(look, query=(look.steps // 2, _mover(look)))
    yield "attention_rollout", looking.attention(look, rolled=True)
    yield "attention_masked", looking.attention(analysis.inside(encoder, shown, index, mask))
    yield "attention_heads", looking.attention_heads(look)
    distances = analysis.attention_distances(encoder, _some(shown))
    yield "attention_distance", looking.attention_distance(distances, shown.skeleton, look.steps)
    yield "token_pca", looking.token_pca(look)
    yield "token_similarity", looking.token_similarity(look, look.steps // 2, _mover(look))
    yield "agreement", prototypes.agreement(analysis.agreement(run.student, run.teacher, shown, index, mask))


def _of_prototypes(run: Run, shown: ClipStore) -> Iterator[tuple[str, Figure]]:
    teacher, some = run.teacher, _some(shown)
    for kind, head in (("clips", teacher.cls_head), ("cells", teacher.token_head)):
        found = analysis.prototypes(teacher.encoder, head, some, kind)
        yield f"prototypes_{kind}", prototypes.prototype_usage(found)
        batch = np.linspace(0, len(found) - 1, min(32, len(found))).round().astype(int)
        columns = found.table.iloc[batch]
        names = [str(some.column("clip")[int(i)]) for i in columns["clip"]]
        if kind == "cells":
            cells = zip(names, columns["joint"], columns["step"], strict=True)
            names = [f"{name}, {some.skeleton.names[int(j)]}, step {t}" for name, j, t in cells]
        assigned = prototypes.prototype_assignment(found, batch, names, run.config.teacher_temperature[1])
        yield f"prototypes_{kind}_assigned", assigned
        most = int(found.usage().argmax())
        yield f"prototypes_{kind}_nearest", prototypes.prototype_nearest(found, most, some)


def _of_features(
    encoder: Encoder, train: ClipStore, test: ClipStore, index: int, method: str, seed: int
) -> Iterator[tuple[str, Figure]]:
    """Embedding, confusion, neighbours; of what needs labels, where there are labelled clips on both sides."""
    shown = test if len(test) else train
    if len(shown) < 2:
        return
    queries = evaluate.features(encoder, shown)
    plane = projection.fit(queries.x, method, seed, labels=queries.labels)
    yield "embedding_subject", results.embedding(plane, queries, "subject", title=f"{method.upper()}, by subject")
    if not len(test) or not len(train) or not (train.labels >= 0).all() or not (test.labels >= 0).all():
        return
    gallery = evaluate.features(encoder, train)
    result = evaluate.knn(gallery, queries)
    yield "embedding_class", results.embedding(plane, queries)
    right = np.where((result.predictions == result.labels).numpy(), "right", "wrong")
    yield "embedding_correct", results.embedding(plane, queries, right, title=f"{method.upper()}, kNN (k = 1)")
    yield "confusion", results.confusion(result, train.label_names, title="kNN (k = 1)")
    nearest = evaluate.knn(gallery, queries, k=min(5, len(train))).neighbours
    assert nearest is not None
    yield "neighbours", retrieval.neighbours(test, index, train, nearest[index].numpy())


def _some(store: ClipStore, most: int = 256) -> ClipStore:
    """At most so many clips, evenly spread over the store."""
    return store[np.linspace(0, len(store) - 1, min(len(store), most)).round().astype(int)]


def _typical(store: ClipStore) -> int:
    """The clip of median length in the most common class, so that the choice is nobody's taste."""
    labels = store.labels
    of_class = np.flatnonzero(labels == np.bincount(labels - labels.min()).argmax() + labels.min())
    order = of_class[np.argsort(store.column("frames")[of_class], kind="stable")]
    return int(order[len(order) // 2])


def _mover(look: analysis.Inside) -> int:
    """The joint that moves furthest against the body's middle."""
    x = look.joints[:, 0] - look.joints[:, 0].mean(dim=1, keepdim=True)
    return int((x[1:] - x[:-1]).norm(dim=-1).sum(dim=0).argmax())
