"""Fine-tuning: the whole network and a linear layer on all or few labels. SLiM, arXiv 2603.10648, section 4."""

from __future__ import annotations

import copy

import torch

from slimlab.data import ClipStore
from slimlab.encoder import FeatureEncoder
from slimlab.evaluate.features import TEST_VIEWS, check_body, features
from slimlab.evaluate.result import Result, score
from slimlab.evaluate.subsets import alike, batches, with_labels
from slimlab.evaluate.training import ENCODER_LR, HEAD_LR, ROTATION, augmented_view, linear_head, train_with_labels


def finetune(
    encoder: FeatureEncoder,
    train: ClipStore,
    test: ClipStore,
    *,
    per_class: int | None = None,
    fraction: float | None = None,
    steps: int = 20_000,
    batch_size: int = 256,
    head_lr: float = HEAD_LR,
    encoder_lr: float = ENCODER_LR,
    weight_decay: float = 1e-4,
    frozen: bool = False,
    combine: str = "sum",
    mirror: bool = True,
    rotation: float | tuple[float, float, float] = ROTATION,
    noise: float = 0.01,
    details: str = "plain",
    seed: int = 0,
    progress: bool = False,
) -> Result:
    """Train a copy of the encoder and a linear layer (CLS and mean token of the last block), classify the test view of `test`.

    per_class, fraction  train on so many clips, or on this part, of every class (`few_labels`); without either on all clips
    head_lr, encoder_lr  times batch_size / 256; SGD with momentum 0.9, cosine to 0. The paper's rates belong to its 20,000
             steps: in few steps they move little
    frozen   train the linear layer alone: few labels on features as they are
    combine  people: "sum", "mean" or "concat"
    details  of the views, "plain" or "released": as in `Protocol`
    mirror   False where left and right are different classes
    seed     decides which clips keep their label, and all views

    The encoder given is not changed. The defaults are the paper's; the schedule is that of its linear protocol, to which the
    paper adds nothing. Raises DataError where labels are missing, ValueError where bodies differ or the amount of labels is
    impossible, FloatingPointError on NaN.
    """
    for store in (train, test):
        check_body(encoder, store)
    if details not in TEST_VIEWS:
        raise ValueError(f"finetune: details is {details!r}; choose one of {', '.join(TEST_VIEWS)}")
    if combine == "concat":
        train, test = alike(train, test)
    few = with_labels(train, test, per_class, fraction, seed)
    rng, truth = torch.Generator().manual_seed(seed), torch.from_numpy(few.labels)
    classes = int(max(train.labels.max(), test.labels.max())) + 1
    model = copy.deepcopy(encoder).train()
    head = linear_head(model, train.max_people if combine == "concat" else 1, classes)
    factor = batch_size / 256
    groups = [{"params": list(head.parameters()), "lr": head_lr * factor}]
    if not frozen:
        groups.append({"params": list(model.parameters()), "lr": encoder_lr * factor})
    optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=weight_decay)
    order = batches(len(few), batch_size, steps, rng)

    def draw():
        clips = next(order)
        given = augmented_view(model, few, clips, rng, mirror, rotation, noise, details)
        return given, truth[clips].to(given.x.device)

    train_with_labels(model, head, optimizer, draw, steps, combine=combine, progress="fine-tuning" if progress else "")
    f = features(model.eval(), test, combine=combine, cache=None, view=TEST_VIEWS[details])
    with torch.no_grad():
        scores = head(f.x.to(head.weight.device)).cpu()
    return score(scores.argmax(dim=1), f.labels, classes, scores=scores)
