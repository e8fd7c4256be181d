"""All figures of a run, as PDF, PNG and CSV: `python -m slimlab figures RUN`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from slimlab import data, evaluate, inspection, masking, projection
from slimlab.data import ClipStore, DataError
from slimlab.plot import body, looking, results, retrieval
from slimlab.plot.style import save
from slimlab.run import Run

FORMATS = (".pdf", ".png")


def gallery(
    run: Run | str | Path, store: ClipStore | None = None, folder: str | Path | None = None, method: str = "pca", seed: int = 0
) -> list[Path]:
    """Draw everything there is to see of a run into `folder` (None: the run's own, figures/). Returns the files, PDF and PNG.

    store   the clips, trained on and held out together; None: where the run says that its data came from
    method  of the embedding: pca, tsne, umap
    losses · mask · attention, its heads and distances · token PCA and likeness · prototypes; with labelled clips that the run has
    not seen also embedding by class, performer and correctness · confusion · neighbours. One clip of the most common class
    stands for all where a single one is shown. Raises DataError where the clips cannot be found, RunError for a damaged run.
    """
    run = run if isinstance(run, Run) else Run(run)
    store = data_of(run) if store is None else store
    folder = Path(folder) if folder is not None else run.folder / "figures"
    written = []
    for name, figure in figures(run, store, method, seed):
        written += [save(figure, folder / f"{name}{suffix}") for suffix in FORMATS]
    return written


def data_of(run: Run) -> ClipStore:
    """The clips that the run was made from. Raises DataError where they are not there any more, naming the remedy."""
    source = str(run.about.get("data", ""))
    made = re.fullmatch(r"synthetic\((.*)\)", source)
    if made:
        return data.synthetic(**{k: int(v) for k, v in (pair.split("=") for pair in made.group(1).split(", "))})
    try:
        return data.open(source)
    except DataError as error:
        raise DataError(f"{run.folder}: its data cannot be opened ({error}); give the clips: figures RUN DATA") from error


def figures(run: Run, store: ClipStore, method: str = "pca", seed: int = 0) -> Iterator[tuple[str, Figure]]:
    """(name, figure) one after the other; see `gallery`."""
    metrics = run.metrics
    if len(metrics):
        yield "losses", results.losses(metrics)
    seen = np.isin(store.column("digest"), np.asarray(run.seen["digest"]))
    somebody = store.column("people") > 0
    train, test = store[seen & somebody], store[~seen & somebody]
    shown = test if len(test) else train
    if not len(shown):
        raise DataError(f"{store.source}: no clip with anybody in it; there is nothing to draw")
    encoder, teacher = run.encoder, run.teacher
    index = _typical(shown)
    look = inspection.inside(encoder, shown, index)
    rng = torch.Generator().manual_seed(seed)
    ratio = sum(run.config.mask_bounds) / 2
    mask = masking.STRATEGIES[run.config.masking](1, look.steps, store.skeleton, ratio, generator=rng)[0]
    yield "mask", body.mask_on_body(shown[index], mask.numpy(), store.skeleton)
    yield "attention_cls", looking.attention(look)
    yield "attention_cell", looking.attention(look, query=(look.steps // 2, _mover(look)))
    yield "attention_rollout", looking.attention(look, rolled=True)
    yield "attention_masked", looking.attention(inspection.inside(encoder, shown, index, mask))
    yield "attention_heads", looking.attention_heads(look)
    some = shown[np.linspace(0, len(shown) - 1, min(len(shown), 256)).round().astype(int)]
    distances = inspection.attention_distances(encoder, some)
    yield "attention_distance", looking.attention_distance(distances, store.skeleton, look.steps)
    yield "token_pca", looking.token_pca(look)
    yield "token_similarity", looking.token_similarity(look, look.steps // 2, _mover(look))
    for kind, head in (("clips", teacher.cls_head), ("cells", teacher.token_head)):
        yield f"prototypes_{kind}", looking.prototype_usage(inspection.prototypes(teacher.encoder, head, some, kind))
    if not len(test) or not len(train) or not (train.labels >= 0).all() or not (test.labels >= 0).all():
        return
    gallery, queries = evaluate.features(encoder, train), evaluate.features(encoder, test)
    result = evaluate.knn(gallery, queries)
    plane = projection.fit(queries.x, method, seed, labels=queries.labels)
    yield "embedding_class", results.embedding(plane, queries)
    yield "embedding_performer", results.embedding(plane, queries, "subject", title=f"{method.upper()}, by performer")
    right = np.where((result.predictions == result.labels).numpy(), "right", "wrong")
    yield "embedding_correct", results.embedding(plane, queries, right, title=f"{method.upper()}, kNN (k = 1)")
    yield "confusion", results.confusion(result, store.label_names, title="kNN (k = 1)")
    nearest = evaluate.knn(gallery, queries, k=min(5, len(train))).neighbours
    assert nearest is not None
    yield "neighbours", retrieval.neighbours(test, index, train, nearest[index].numpy())


def _typical(store: ClipStore) -> int:
    """The clip of median length in the most common class, so that the choice is nobody's taste."""
    labels = store.labels
    of_class = np.flatnonzero(labels == np.bincount(labels - labels.min()).argmax() + labels.min())
    order = of_class[np.argsort(store.column("frames")[of_class], kind="stable")]
    return int(order[len(order) // 2])


def _mover(look: inspection.Inside) -> int:
    """The joint that moves furthest against the body's middle."""
    x = look.joints[:, 0] - look.joints[:, 0].mean(dim=1, keepdim=True)
    return int((x[1:] - x[:-1]).norm(dim=-1).sum(dim=0).argmax())
