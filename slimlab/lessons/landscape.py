"""Lesson 09: a small network that many methods train, what they are judged by, a table of the field, and three checks.

InfoNCE: MoCo (arXiv 1911.05722); prototypes: SwAV (arXiv 2006.09882), DINO (arXiv 2104.14294); BYOL: arXiv 2006.07733; masked
coordinates: MAE (arXiv 2111.06377); predicted features: I-JEPA (arXiv 2301.08243).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimlab import analysis, evaluate
from slimlab.data import ClipStore
from slimlab.encoder import Encoder
from slimlab.lessons.asking import NotYet, attempt, expect, expect_tensor, passed
from slimlab.losses import PrototypeHead, RunningCenter
from slimlab.pretrain.config import Config
from slimlab.pretrain.sampling import clips_of_step
from slimlab.pretrain.schedules import parameter_groups, schedule, set_rates
from slimlab.pretrain.trainer import Trainer
from slimlab.skeleton import Skeleton
from slimlab.study.paper import published


@dataclass(frozen=True)
class Pair:
    """Two augmented views of each of B clips, and tokens of the first one to hide.

    a, b    (B, 3, T, V, 1)
    hidden  (B, T', V) bool: tokens of a that the student does not see; asked: those of them that it has to predict (all but the
            tokens whose joint the recording does not show)
    """

    a: Tensor
    b: Tensor
    hidden: Tensor
    asked: Tensor


class Network(nn.Module):
    """An encoder and the small networks that one method or another puts behind it. Embeddings are of unit length."""

    def __init__(self, config: Config, skeleton: Skeleton) -> None:
        super().__init__()
        width, hidden, size = config.width, config.head_hidden, config.head_bottleneck
        sizes = (width, config.prototypes, hidden, size, config.init_std)
        self.encoder = Encoder(config.encoder(skeleton))
        self.head, self.token_head = PrototypeHead(*sizes), PrototypeHead(*sizes)
        self.predictor, self.token_predictor = _mlp(size, hidden, size), _mlp(width, hidden, width)
        self.decoder = _mlp(width, hidden, 3 * config.patch_frames)
        self.center = RunningCenter(config.prototypes)

    def embed(self, x: Tensor) -> Tensor:
        """Views (B, 3, T, V, 1) -> embeddings (B, E) of CLS."""
        return self.head.embed(self.encoder(x).cls[:, 0])

    def predict(self, embedding: Tensor) -> Tensor:
        """Embeddings (B, E) -> (B, E), by two more layers."""
        return self.predictor(embedding)

    def logits(self, x: Tensor) -> Tensor:
        """Views -> prototype logits (B, K) of CLS."""
        return self.head(self.encoder(x).cls[:, 0])

    def tokens(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Views, and which tokens are hidden (B, T', V) -> tokens (B, T', V, D)."""
        return self.encoder(x, mask=None if hidden is None else hidden[:, None]).tokens[:, 0]

    def token_logits(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        """The same -> prototype logits (B, T', V, K)."""
        return self.token_head(self.tokens(x, hidden))

    def guess(self, x: Tensor, hidden: Tensor) -> Tensor:
        """The same -> a prediction of each token's features (B, T', V, D)."""
        return self.token_predictor(self.tokens(x, hidden))

    def coordinates(self, x: Tensor, hidden: Tensor) -> Tensor:
        """The same -> a prediction of each token's coordinates (B, T', V, 3 * patch_frames)."""
        return self.decoder(self.tokens(x, hidden))


class Constant(Network):
    """It gives every clip and every token the same answer: one embedding, one favorite prototype, the center of the body."""

    def __init__(self, config: Config, skeleton: Skeleton) -> None:
        super().__init__(config, skeleton)
        self.favorite = torch.full((config.prototypes,), -0.5)
        self.favorite[0] = 0.5
        self.size = config.head_bottleneck, config.width, 3 * config.patch_frames
        self.center.mean.copy_(self.favorite)  # as the running mean of its answers comes to be

    def embed(self, x: Tensor) -> Tensor:
        return F.normalize(torch.ones(len(x), self.size[0]), dim=1)

    def predict(self, embedding: Tensor) -> Tensor:
        return embedding

    def logits(self, x: Tensor) -> Tensor:
        return self.favorite.expand(len(x), -1)

    def tokens(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        steps = x.shape[2] // self.encoder.config.patch_frames
        return torch.zeros(len(x), steps, x.shape[3], self.size[1])

    def token_logits(self, x: Tensor, hidden: Tensor | None = None) -> Tensor:
        return self.favorite.expand(*self.tokens(x).shape[:3], -1)

    def guess(self, x: Tensor, hidden: Tensor) -> Tensor:
        return self.tokens(x)

    def coordinates(self, x: Tensor, hidden: Tensor) -> Tensor:
        return torch.zeros(*self.tokens(x).shape[:3], self.size[2])


Loss = Callable[[Network, Network, Pair], Tensor]  # student, teacher, views


def pairs(store: ClipStore, config: Config, steps: int) -> list[Pair]:
    """The same batches for all methods: views and masks of SLiM's trainer, without local views."""
    trainer = Trainer(replace(config, local_views=(), mask_globals=1.0), store.skeleton)
    made = []
    for step in range(steps):
        piece = trainer.sample(store, clips_of_step(len(store), config.batch_size, config.seed, step), step=step)[0]
        assert piece.masks[0] is not None and piece.predicted is not None
        a, b = piece.views[0].chunk(2)
        made.append(Pair(a, b, piece.masks[0][: len(a)], piece.predicted[: len(a)]))
    return made


def trained(start: Network, loss: Loss, batches: Sequence[Pair], config: Config) -> tuple[Network, list[float]]:
    """Train a copy of `start` with this loss; its teacher is its exponential moving average. Returns it and the losses."""
    student = copy.deepcopy(start)
    teacher = copy.deepcopy(start).requires_grad_(False)
    optimizer = torch.optim.AdamW(parameter_groups(student), lr=config.lr)
    values = []
    for step, views in enumerate(batches):
        now = schedule(replace(config, steps=len(batches)), step)
        value = loss(student, teacher, views)
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(student.parameters(), config.gradient_clip)
        set_rates(optimizer, now["lr"], now["weight_decay"])
        optimizer.step()
        torch._foreach_lerp_(list(teacher.parameters()), list(student.parameters()), 1 - now["momentum"])  # pyright: ignore
        teacher.center.update()
        values.append(float(value.detach()))
    return student, values


def judge(network: Network, reads: str, train: ClipStore, test: ClipStore, k: int = 5) -> dict[str, float]:
    """How much the encoder's features ("cls" or "mean" of tokens) tell clips apart: their rank, their mean cosine, kNN."""
    given, asked = (evaluate.features(network.encoder, side, pool=reads, combine="sum", cache=None) for side in (train, test))
    unit = F.normalize(asked.x, dim=1)
    cosine = ((unit @ unit.T).sum() - len(unit)) / (len(unit) * (len(unit) - 1))
    accuracy = evaluate.knn(given, asked, k=min(k, len(train))).accuracy
    return {"rank": analysis.rankme(asked.x), "mean cosine": float(cosine), "kNN": accuracy}


def in_use(network: Network, store: ClipStore) -> float:
    """How many prototypes of the clips' head are in use (`analysis.Prototypes.in_use`)."""
    return analysis.prototypes(network.encoder, network.head, store).in_use()


# what is predicted · from what · decoder or predictor · what prevents collapse · tokens · where
_FIELD: dict[str, tuple[str, str, str, str, str, str]] = {
    "MoCo": ("which view is the same clip's", "momentum encoder", "none", "negatives from a queue", "", "1911.05722"),
    "SwAV": ("prototypes of another view", "the same network", "none", "Sinkhorn over the batch", "", "2006.09882"),
    "BYOL": ("features of another view", "momentum encoder", "predictor", "stop-gradient, predictor, momentum", "", "2006.07733"),
    "DINO": ("prototypes of another view", "momentum encoder", "none", "centering and sharpening", "", "2104.14294"),
    "MAE": ("masked pixels", "the data", "transformer", "the target is data", "", "2111.06377"),
    "iBOT": ("prototypes of masked tokens and views", "momentum encoder", "none", "centering and sharpening", "", "2111.07832"),
    "I-JEPA": (
        "features of masked blocks",
        "momentum encoder",
        "predictor",
        "stop-gradient, predictor, momentum",
        "",
        "2301.08243",
    ),
    "AimCLR": ("which view is the same clip's", "momentum encoder", "none", "negatives from a queue", "", "2112.03590"),
    "CMD": ("the same, and neighbors in other streams", "momentum encoders", "none", "negatives from a queue", "", "2208.12448"),
    "SkeletonMAE": ("masked coordinates", "the data", "transformer", "the target is data", "30 x 25", "2209.02399"),
    "MAMP": ("masked motion", "the data", "transformer", "the target is data", "30 x 25", "2308.07092"),
    "S-JEPA": ("features of masked tokens", "momentum encoder", "transformer", "momentum, centering", "30 x 25", "ECCV 2024"),
    "GFP": (
        "features, local to global",
        "a network trained beside",
        "light",
        "a constraint on diversity",
        "30 x 25",
        "2509.03609",
    ),
    "SLiM": ("prototypes of masked tokens and views", "momentum encoder", "none", "Sinkhorn, KoLeo", "8 x 25", "2603.10648"),
}


def field() -> pd.DataFrame:
    """Methods of the field: what they predict, from what, what prevents collapse; skeleton methods with tokens and accuracy.

    The accuracy is the one that SLiM's table 1 prints (linear evaluation, %); NaN for methods for images.
    """
    columns = ("the student predicts", "target from", "decoder", "against collapse", "tokens", "source")
    rows = {name: (*row[:-1], row[-1] if row[-1].startswith("ECCV") else f"arXiv {row[-1]}") for name, row in _FIELD.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    printed = published("1")["NTU-60 X-Sub"]
    table.insert(len(columns) - 1, "NTU-60 X-Sub", printed.reindex(table.index).to_numpy())
    return table


def check_info_nce(function: Callable[..., Tensor]) -> None:
    """function(a (B, E), b (B, E), temperature) -> scalar: each clip's view a finds its view b among those of the batch, and
    the other way round; cosines over temperature, mean cross-entropy of the two directions. Raises NotYet."""
    for seed, (batch, size, temperature) in enumerate(((6, 4, 0.1), (3, 8, 0.5), (10, 5, 0.2))):
        dice = torch.Generator().manual_seed(seed)
        a, b = (3 * torch.randn(batch, size, generator=dice) + 0.3 for _ in range(2))
        a, b = a.requires_grad_(), b.requires_grad_()
        got = expect_tensor(attempt(function, a, b, temperature), "info_nce", (), "a scalar")
        wanted = _info_nce(a, b, temperature)
        if not torch.allclose(got.to(wanted), wanted, atol=1e-4):
            _name_the_contrast(got.detach().to(wanted), a.detach(), b.detach(), temperature)
        expect(got.requires_grad, "no gradient comes out of info_nce: both views learn (no detach, no no_grad).")
        ours = torch.autograd.grad(got, (a, b), allow_unused=True)
        for name, mine, theirs in zip("ab", ours, torch.autograd.grad(wanted, (a, b)), strict=True):
            expect(
                mine is not None and torch.allclose(mine, theirs, atol=1e-4),
                f"the value of info_nce is right but its gradient by {name} is not: neither view is detached.",
            )
    passed("InfoNCE: each view finds its partner among the clips of the batch, in both directions.", function)


def _info_nce(a: Tensor, b: Tensor, temperature: float) -> Tensor:
    scores = F.normalize(a, dim=1) @ F.normalize(b, dim=1).T / temperature
    own = torch.arange(len(a))
    return (F.cross_entropy(scores, own) + F.cross_entropy(scores.T, own)) / 2


def _name_the_contrast(got: Tensor, a: Tensor, b: Tensor, temperature: float) -> None:
    unit = F.normalize(a, dim=1), F.normalize(b, dim=1)
    cosines, own, n = unit[0] @ unit[1].T, torch.arange(len(a)), len(a)
    scores = cosines / temperature
    rows, columns = F.cross_entropy(scores, own), F.cross_entropy(scores.T, own)
    right = (rows + columns) / 2
    both = torch.cat(unit)
    every = (both @ both.T / temperature).masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
    same_view = F.cross_entropy(every, torch.cat([own + n, own]))
    bare = a @ b.T / temperature
    others = scores.masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
    without = ((others.logsumexp(1) + others.logsumexp(0)) / 2 - scores.diagonal()).mean()
    across = F.normalize(a, dim=0) @ F.normalize(b, dim=0).T / temperature
    mistakes = {
        "info_nce takes view a to b only: the other direction, b to a, counts as much.": rows,
        "info_nce takes view b to a only: the other direction, a to b, counts as much.": columns,
        "info_nce adds the two directions: take their mean.": 2 * right,
        "info_nce sums over the batch: take the mean.": n * right,
        "info_nce compares products: bring the embeddings to length one first.": (
            F.cross_entropy(bare, own) + F.cross_entropy(bare.T, own)
        )
        / 2,
        "info_nce normalizes over the batch: each embedding, a row, has length one (dim=1).": (
            F.cross_entropy(across, own) + F.cross_entropy(across.T, own)
        )
        / 2,
        "info_nce does not use the temperature: divide the cosines by it.": _info_nce(a, b, 1.0),
        "info_nce multiplies by the temperature: divide the cosines by it.": _info_nce(a, b, 1 / temperature),
        "info_nce counts the clips of the same view among the others (as SimCLR does): here the others are those of the other "
        "view.": same_view,
        "info_nce leaves the partner out of the softmax: it stands in the sum as well.": without,
        "info_nce has no other clips in it: without them everybody may give the same answer.": -scores.diagonal().mean(),
        "info_nce has the wrong sign: it is minus the logarithm of the partner's share.": -right,
        "info_nce takes the partner's share, not its logarithm.": -(
            scores.softmax(1).diagonal().mean() + scores.softmax(0).diagonal().mean()
        )
        / 2,
    }
    for sentence, value in mistakes.items():
        expect(not torch.allclose(got, value, atol=1e-4), sentence)
    expect(
        False,
        f"info_nce is {got:.4f} where {right:.4f} is right: cosines over the temperature; for each clip the cross-entropy with "
        "its own partner; mean over clips and both directions.",
    )


def check_byol(function: Callable[..., Tensor]) -> None:
    """function(predicted, targets), each two views (B, E) -> scalar: 2 - 2 cos of a view's prediction with the *other* view's
    target, mean over clips and the two directions; no gradient reaches a target. Raises NotYet."""
    for seed, (batch, size) in enumerate(((5, 4), (3, 7), (2, 3))):
        dice = torch.Generator().manual_seed(seed)
        predicted = [(2 * torch.randn(batch, size, generator=dice)).requires_grad_() for _ in range(2)]
        targets = [(2 * torch.randn(batch, size, generator=dice) + 0.5).requires_grad_() for _ in range(2)]
        got = expect_tensor(attempt(function, list(predicted), list(targets)), "byol", (), "a scalar")
        p, t = ([x.detach() for x in side] for side in (predicted, targets))
        wanted = _byol(p[0], t[1]) / 2 + _byol(p[1], t[0]) / 2
        if not torch.allclose(got.detach().to(wanted), wanted, atol=1e-4):
            _name_the_bootstrap(got.detach().to(wanted), p, t)
        expect(got.requires_grad, "no gradient comes out of byol: the predictions stay attached.")
        by_targets = torch.autograd.grad(got, targets, allow_unused=True, retain_graph=True)
        expect(
            all(g is None or not bool(g.any()) for g in by_targets),
            "byol sends a gradient into its targets, which could then come to the predictions: detach them (stop-gradient).",
        )
        again = _byol(predicted[0], t[1]) / 2 + _byol(predicted[1], t[0]) / 2
        ours, theirs = (torch.autograd.grad(x, predicted, allow_unused=True) for x in (got, again))
        expect(
            all(a is not None and torch.allclose(a, b, atol=1e-4) for a, b in zip(ours, theirs, strict=True)),
            "the value of byol is right but its gradient is not: it has to reach both predictions.",
        )
    passed("BYOL: each view predicts the other's target, and no gradient reaches a target.", function)


def _byol(predicted: Tensor, target: Tensor) -> Tensor:
    return 2 - 2 * F.cosine_similarity(predicted, target, dim=1).mean()


def _name_the_bootstrap(got: Tensor, p: Sequence[Tensor], t: Sequence[Tensor]) -> None:
    right = _byol(p[0], t[1]) / 2 + _byol(p[1], t[0]) / 2
    bare = [(a - b).square() for a, b in ((p[0], t[1]), (p[1], t[0]))]
    unit = [F.normalize(x, dim=1) for x in (*p, *t)]
    mean = [(unit[0] - unit[3]).square().mean(), (unit[1] - unit[2]).square().mean()]
    over = [F.normalize(x, dim=0) for x in (*p, *t)]
    mistakes = {
        "byol compares a view with its own target: the prediction of view 1 goes with the target of view 2.": _byol(p[0], t[0])
        / 2
        + _byol(p[1], t[1]) / 2,
        "byol takes one direction only: view 2 predicts view 1 as well.": _byol(p[0], t[1]),
        "byol takes one direction only: view 1 predicts view 2 as well.": _byol(p[1], t[0]),
        "byol adds the two directions: take their mean.": 2 * right,
        "byol sums over the batch: take the mean over clips.": right * len(p[0]),
        "byol does not bring vectors to length one.": (bare[0].sum(1).mean() + bare[1].sum(1).mean()) / 2,
        "byol does not bring vectors to length one, and takes a mean over their numbers.": (bare[0].mean() + bare[1].mean()) / 2,
        "byol takes a mean over the numbers of a vector: a squared distance is their sum.": (mean[0] + mean[1]) / 2,
        "byol normalizes over the batch: each vector, a row, has length one (dim=1).": (
            (over[0] - over[3]).square().sum(1).mean() + (over[1] - over[2]).square().sum(1).mean()
        )
        / 2,
        "byol gives minus the cosine: that has the same gradient up to a factor, but 2 - 2 cos is asked for.": right / 2 - 1,
        "byol gives 1 - cos: 2 - 2 cos is asked for, the squared distance of unit vectors.": right / 2,
        "byol has the wrong sign: the loss falls as the cosine rises.": -right,
    }
    for sentence, value in mistakes.items():
        expect(not torch.allclose(got, value, atol=1e-4), sentence)
    expect(False, f"byol is {got:.4f} where {right:.4f} is right: 2 - 2 cos, mean over clips and over both directions.")


def check_centered(function: Callable[..., Any]) -> None:
    """function(logits (N, K), center (K,), temperature, momentum) -> targets (N, K), new center (K,): as `losses.RunningCenter`.

    Raises NotYet.
    """
    for seed, (samples, prototypes, temperature, momentum) in enumerate(((6, 5, 0.1, 0.9), (3, 8, 0.5, 0.5), (9, 4, 0.2, 0.99))):
        dice = torch.Generator().manual_seed(seed)
        logits, center = torch.randn(samples, prototypes, generator=dice), torch.randn(prototypes, generator=dice)
        given = logits.clone(), center.clone()
        answer = attempt(function, *given, temperature, momentum)
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise NotYet("centered returns two tensors: the targets and the new center.")
        targets = expect_tensor(answer[0], "centered (targets)", (samples, prototypes), "(N, K)").to(logits)
        moved = torch.as_tensor(answer[1]).to(logits)
        moved = expect_tensor(moved.squeeze(), "centered (center)", (prototypes,), "(K,)")
        library = RunningCenter(prototypes, momentum)
        library.mean.copy_(center)
        wanted = library(logits, temperature)
        library.update()
        if not torch.allclose(targets, wanted, atol=1e-5):
            _name_the_targets(targets, logits, center, temperature, momentum)
        if not torch.allclose(moved, library.mean, atol=1e-5):
            _name_the_center(moved, logits, center, temperature, momentum)
        expect(
            torch.equal(given[0], logits) and torch.equal(given[1], center),
            "centered changes the tensors that it was given: return new ones.",
        )
    passed("Centering: what all clips say on average is taken away, and the average follows.", function)


def _name_the_targets(got: Tensor, logits: Tensor, center: Tensor, temperature: float, momentum: float) -> None:
    after = momentum * center + (1 - momentum) * logits.mean(dim=0)
    mistakes = {
        "the targets of centered use the new center: this batch's targets take the mean of earlier batches away.": (
            ((logits - after) / temperature).softmax(dim=1)
        ),
        "the targets of centered leave the center out.": (logits / temperature).softmax(dim=1),
        "the targets of centered take away the batch's own mean: it is the running center that is subtracted.": (
            ((logits - logits.mean(dim=0)) / temperature).softmax(dim=1)
        ),
        "the targets of centered leave the temperature out.": (logits - center).softmax(dim=1),
        "centered subtracts the center after dividing by the temperature: it is a mean of logits, so it is subtracted first.": (
            (logits / temperature - center).softmax(dim=1)
        ),
        "centered adds the center: subtract it.": ((logits + center) / temperature).softmax(dim=1),
        "the targets of centered sum to one over the samples: the softmax goes over the prototypes.": (
            ((logits - center) / temperature).softmax(dim=0)
        ),
        "centered gives logits as targets: a softmax makes assignments of them.": (logits - center) / temperature,
    }
    for sentence, value in mistakes.items():
        expect(not torch.allclose(got, value, atol=1e-5), sentence)
    expect(False, "the targets of centered differ from softmax((logits - center) / temperature), over the prototypes.")


def _name_the_center(got: Tensor, logits: Tensor, center: Tensor, temperature: float, momentum: float) -> None:
    mean = logits.mean(dim=0)
    mistakes = {
        "the center of centered does not move.": center,
        "the center of centered is the batch's mean: the part `momentum` of the old one stays.": mean,
        "the center of centered gives momentum to the batch: it is the part of the old center that stays.": (
            (1 - momentum) * center + momentum * mean
        ),
        "the center of centered follows the sum of the batch: take its mean.": (
            momentum * center + (1 - momentum) * logits.sum(dim=0)
        ),
        "the center of centered follows logits over the temperature: it is a mean of the logits themselves.": (
            momentum * center + (1 - momentum) * mean / temperature
        ),
        "the center of centered follows the logits after it was subtracted: it is a mean of the logits themselves.": (
            momentum * center + (1 - momentum) * (mean - center)
        ),
    }
    for sentence, value in mistakes.items():
        same = momentum == 0.5 and "gives momentum" in sentence
        expect(same or not torch.allclose(got, value, atol=1e-5), sentence)
    expect(False, "the new center of centered is not momentum * center + (1 - momentum) * the batch's mean.")


def _mlp(width: int, hidden: int, out: int) -> nn.Sequential:
    layers = nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, out)
    for linear in (layers[0], layers[2]):
        nn.init.trunc_normal_(linear.weight, std=linear.in_features**-0.5)
        nn.init.zeros_(linear.bias)
    return nn.Sequential(*layers)
