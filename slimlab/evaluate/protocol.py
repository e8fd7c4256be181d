"""The switchboard: every choice that stands between an encoder and its number, and the named sets of choices.

SLiM, arXiv 2603.10648, section 4, and its released settings. `evaluate.run` carries a protocol out.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from slimlab.encoder import POOLS
from slimlab.evaluate.features import TEST_VIEWS, TOGETHER
from slimlab.evaluate.grid import RATES
from slimlab.evaluate.subsets import check_amount
from slimlab.evaluate.training import ENCODER_LR, HEAD_LR, ROTATION

CLASSIFIERS = ("logistic", "grid", "knn", "retrieval", "finetune")
READ_ONCE = ("logistic", "knn", "retrieval")  # classifiers that are given features and ask for no new views
VIEWS = ("deterministic", "random", "cached")
SELECTIONS = ("held-out subjects", "test split")


@dataclass(frozen=True)
class Protocol:
    """Every field that holds several values is a grid.

    classifier  logistic: scikit-learn's regression on standardised features; grid: linear classifiers by SGD, all in one pass;
                knn, retrieval: by cosine; finetune: the whole network
    blocks      CLS tokens of so many last blocks (an encoder with fewer gives all it has)
    pools       cls, mean, cls+mean; logistic, knn and retrieval also take time, part, time+part and tokens
                (`slimlab.encoder.pooled`), which read the last block alone
    combine     people: concat, sum, mean over those who are there
    per_class, fraction  how many training clips of every class are used, or what part: see `few_labels`; without either all
    k, temperature  of kNN; k above the number of training clips is left out
    learning_rates  of the grid, times batch_size / 256; steps, batch_size of the grid and of fine-tuning
    head_lr, encoder_lr  of fine-tuning, times batch_size / 256; the paper's belong to its 20,000 steps (`finetune`)
    iterations  the most of the logistic regression
    views       what the grid trains on: deterministic, the test view; random, a new augmented crop in every step; cached,
                `cached_views` augmented crops of every clip, read once
    mirror, rotation, noise  of those crops: see `augmented_view`; no mirror where left and right are different classes
    details     "released": training crops of at least 16 frames and frame floor(i L / frames) of the test view, as in the
                released code (`augmented_view`, `data.released_test_view`); "plain": as slimlab does elsewhere
    select      by what the best of the grid is chosen: "held-out subjects" of the training side (clips, where subjects are
                unknown), "test split", or both, a row each. The published linear figures are chosen on the test split

    Raises ValueError for an unknown word or an impossible number.
    """

    classifier: str = "logistic"
    blocks: tuple[int, ...] = (1,)
    pools: tuple[str, ...] = ("cls+mean",)
    combine: str = "concat"
    per_class: int | None = None
    fraction: float | None = None
    k: tuple[int, ...] = (1,)
    temperature: tuple[float, ...] = (0.07,)
    learning_rates: tuple[float, ...] = RATES
    steps: int = 20_000
    batch_size: int = 64
    head_lr: float = HEAD_LR
    encoder_lr: float = ENCODER_LR
    views: str = "deterministic"
    cached_views: int = 4
    iterations: int = 1000
    mirror: bool = True
    rotation: float | tuple[float, float, float] = ROTATION
    noise: float = 0.01
    details: str = "plain"
    select: tuple[str, ...] = ("held-out subjects",)

    def __post_init__(self) -> None:
        for name, known in (
            ("classifier", CLASSIFIERS),
            ("pools", POOLS if self.classifier in READ_ONCE else TOGETHER),
            ("combine", ("concat", "sum", "mean")),
            ("views", VIEWS),
            ("details", tuple(TEST_VIEWS)),
            ("select", SELECTIONS),
        ):
            value = getattr(self, name)
            for word in (value,) if name in ("classifier", "combine", "views", "details") else value:
                if word not in known:
                    raise ValueError(f"protocol: {name} '{word}' is unknown; choose among {', '.join(known)}")
        if min(self.steps, self.iterations, self.batch_size, self.cached_views, *self.blocks, *self.k) < 1:
            raise ValueError("protocol: steps, iterations, batch_size, cached_views, blocks and k must be at least 1")
        if not (self.head_lr > 0 and self.encoder_lr >= 0):
            raise ValueError("protocol: head_lr must be above 0, encoder_lr at least 0")
        check_amount(self.per_class, self.fraction)


RELEASED: dict[str, Any] = {"details": "released"}  # of all protocols of the paper
LINEAR = Protocol("grid", (1, 4), ("cls", "cls+mean"), "sum", views="random", **RELEASED)
PROTOCOLS: dict[str, Protocol] = {
    "default": Protocol(),
    "slim-linear": LINEAR,  # 10 epochs x 2,000 steps of 64 clips
    "slim-linear-cached": Protocol("grid", (1, 4), ("cls", "cls+mean"), "sum", views="cached", **RELEASED),
    "slim-knn": Protocol("knn", k=(1, 10, 20, 100, 200), **RELEASED),
    "slim-retrieval": Protocol("retrieval", **RELEASED),
    "slim-finetune": Protocol("finetune", combine="sum", batch_size=256, **RELEASED),
    "slim-semi-1": Protocol("finetune", combine="sum", batch_size=256, fraction=0.01, **RELEASED),
    "slim-semi-10": Protocol("finetune", combine="sum", batch_size=256, fraction=0.1, **RELEASED),
}


def named(protocol: str | Protocol, **changes: Any) -> Protocol:
    """The protocol of this name, or the protocol given, with these fields changed. Raises ValueError for an unknown name."""
    if not isinstance(protocol, Protocol):
        if protocol not in PROTOCOLS:
            raise ValueError(f"protocol '{protocol}' is unknown; choose one of {', '.join(PROTOCOLS)}")
        protocol = PROTOCOLS[protocol]
    known = [f.name for f in fields(Protocol)]
    for name in changes:
        if name not in known:
            raise ValueError(f"a protocol has no field '{name}'; it has {', '.join(known)}")
    return replace(protocol, **changes)
