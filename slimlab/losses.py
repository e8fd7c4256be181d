"""Prototype heads and the losses: targets by Sinkhorn or a running center, GLCL, MFP, KoLeo. SLiM, arXiv 2603.10648, section 3.2.

Sinkhorn-Knopp assignment: Caron et al. 2020 (arXiv 2006.09882); cross-entropy over prototypes: DINO (arXiv 2104.14294) and
iBOT (arXiv 2111.07832); KoLeo: Sablayrolles et al. 2019 (arXiv 1806.03198). No coordinate is ever reconstructed.

The trainer takes GLCL and MFP from `prototype_cross_entropy`, which gives the numbers of `global_local_loss` and
`masked_feature_loss` in less memory. It and `directions` have gradients made by hand (`slimlab._fused`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimlab._fused import directions, prototype_cross_entropy
from slimlab._system import distributed

__all__ = [
    "PrototypeHead",
    "RunningCenter",
    "cell_weights",
    "cross_entropy",
    "global_local_loss",
    "koleo_loss",
    "masked_feature_loss",
    "prototype_cross_entropy",
    "sinkhorn_knopp",
]

HALVES = (torch.float16, torch.bfloat16)


class PrototypeHead(nn.Module):
    """Features -> prototype logits: a three-layer MLP, L2 normalisation, a weight-normalised linear layer without bias."""

    def __init__(
        self,
        width: int,
        prototypes: int = 65_536,
        hidden: int = 2048,
        bottleneck: int = 256,
        init_std: float | None = 0.02,
        released: bool = False,
    ):
        """released: prototypes begin as the released code's do, uniform in ±1/sqrt(bottleneck)."""
        super().__init__()
        sizes = [width, hidden, hidden, bottleneck]
        layers: list[nn.Module] = []
        for fan_in, fan_out in pairwise(sizes):
            linear = nn.Linear(fan_in, fan_out)
            nn.init.trunc_normal_(linear.weight, std=init_std or fan_in**-0.5)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.GELU()]
        self.mlp = nn.Sequential(*layers[:-1])
        self.prototypes = nn.Parameter(torch.empty(prototypes, bottleneck))  # directions; only these matter
        self.norms = nn.Parameter(torch.ones(prototypes, 1))
        if released:
            nn.init.uniform_(self.prototypes, -(bottleneck**-0.5), bottleneck**-0.5)
        else:
            nn.init.trunc_normal_(self.prototypes, std=init_std or bottleneck**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(…, width) -> logits (…, K): cosines with the prototypes, times their norms."""
        return F.linear(self.embed(x), self.directions)

    def embed(self, x: Tensor) -> Tensor:
        """(…, width) -> (…, bottleneck) of unit length, what is compared with the prototypes."""
        x = self.mlp(x)
        return F.normalize(x.float() if x.dtype in HALVES else x, dim=-1, eps=1e-6)

    @property
    def directions(self) -> Tensor:
        """(K, bottleneck): unit prototypes times their norms, `normalize(prototypes) * norms`."""
        return directions(self.prototypes, self.norms)


@torch.no_grad()
def sinkhorn_knopp(logits: Tensor, temperature: float, iterations: int = 3, inplace: bool = False) -> Tensor:
    """Soft assignments (N, K) of N samples to K prototypes, used equally often; rows sum to one.

    inplace  the logits' memory becomes the assignments': at 65,536 prototypes a second matrix is what does not fit

    Of several processes the samples of all count, and each gets the rows of its own.
    Alternates: columns to 1/K, rows to 1/N. The scalings are kept as two vectors and each row is shifted by its maximum,
    so that nothing overflows and the matrix is read, not rewritten, in each iteration.
    """
    logits = logits.detach()
    logits = logits.float() if logits.dtype in HALVES else logits if inplace else logits.clone()
    prototypes = logits.shape[1]
    samples = int(distributed.all_reduce_sum(torch.tensor(len(logits), device=logits.device)))
    if samples == 0:
        return logits
    top = logits.amax(dim=1, keepdim=True)  # (N, 1)
    highest = distributed.all_reduce_max(top.amax() if len(top) else top.new_tensor(-torch.inf))
    rows = ((top - highest) / temperature).exp().squeeze(1)  # (N,) undoes the shift
    q = logits.sub_(top).div_(temperature).exp_()  # (N, K)
    columns = q.new_ones(prototypes)
    tiny = torch.finfo(q.dtype).tiny
    with torch.autocast(logits.device.type, enabled=False):  # sums over all samples, which bfloat16 cannot add up
        for _ in range(iterations):
            columns = 1 / (prototypes * distributed.all_reduce_sum(rows @ q)).clamp(min=tiny)  # (K,)
            rows = 1 / (samples * (q @ columns)).clamp(min=tiny)  # (N,)
    q *= columns
    return q.div_(q.sum(dim=1, keepdim=True))


class RunningCenter(nn.Module):
    """Targets without Sinkhorn: softmax((logits - mean) / temperature), mean a running one of the logits (K,), from zero.

    DINO (arXiv 2104.14294), section 3.1. `forward` uses the mean of earlier batches; `follow` takes the last batch in, so that
    a step which is broken off leaves no trace.
    """

    def __init__(self, prototypes: int, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum, self.batch = momentum, None
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(prototypes))

    @torch.no_grad()
    def forward(self, logits: Tensor, temperature: float) -> Tensor:
        """(N, K) -> (N, K), rows sum to one."""
        samples = distributed.all_reduce_sum(torch.tensor(float(len(logits)), device=logits.device))
        self.batch = distributed.all_reduce_sum(logits.float().sum(dim=0)) / samples if samples else None
        return (logits.float() - self.mean).div_(temperature).softmax(dim=-1)

    @torch.no_grad()
    def update(self) -> None:
        """mean <- momentum * mean + (1 - momentum) * the last batch's mean."""
        if self.batch is not None:
            self.mean.lerp_(self.batch, 1 - self.momentum)
            self.batch = None


def cross_entropy(student_logits: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """-sum_k target * log softmax(logits / temperature), (…,) from two (…, K); of half-precision logits in float32."""
    # rows of targets sum to one, so the log-normaliser needs no weighting; one pass fewer over K
    scaled = (student_logits.float() if student_logits.dtype in HALVES else student_logits) / temperature
    return scaled.logsumexp(dim=-1) - (targets * scaled).sum(dim=-1)


def global_local_loss(student_logits: Sequence[Tensor], teacher_targets: Sequence[Tensor], temperature: float = 0.1) -> Tensor:
    """GLCL: each teacher view's CLS assignment, predicted from every other view of the student.

    student_logits   views, globals first, each (B, K)
    teacher_targets  the global views' targets, each (B, K), rows summing to one
    With 2 global and n local views there are 2 + 2n terms, each a mean over the batch, each weighing 1 / (2 + 2n).
    """
    terms = [
        cross_entropy(logits, target, temperature).mean()
        for t, target in enumerate(teacher_targets)
        for s, logits in enumerate(student_logits)
        if s != t
    ]
    return torch.stack(terms).mean()


def masked_feature_loss(student_logits: Tensor, teacher_targets: Tensor, mask: Tensor, temperature: float = 0.1) -> Tensor:
    """MFP: the teacher's assignment of a token, predicted by the student that sees this token masked.

    student_logits, teacher_targets  (tokens, K), the masked tokens in the order of `mask.nonzero()`
    mask                             (views, T', V) bool over all global views of the batch
    A mean over each view's masked tokens, then over all views; views without masked tokens count zero.
    """
    return (cross_entropy(student_logits, teacher_targets, temperature) * cell_weights(mask)).sum()


def cell_weights(mask: Tensor) -> Tensor:
    """(tokens,) what each masked token of mask (views, T', V) weighs in MFP: 1 / (masked tokens of its view * views)."""
    per_view = mask.flatten(1).sum(dim=1)  # (views,)
    return (1 / (per_view * len(mask))).repeat_interleave(per_view)


def koleo_loss(features: Tensor) -> Tensor:
    """KoLeo: -mean log(distance to the nearest neighbour + 1e-6) of L2-normalised features (B, D), B >= 2.

    Spreads the features of one global view over the sphere. A single feature has no neighbour: the loss is zero. Of several
    processes each computes the loss of everybody's features (`distributed.all_gather`).
    """
    features = distributed.all_gather(features)
    if len(features) < 2:
        return features.sum() * 0.0
    features = F.normalize(features.float(), dim=-1, eps=1e-8)
    with torch.no_grad(), torch.autocast(features.device.type, enabled=False):  # bfloat16 finds the wrong neighbors
        similarity = features @ features.T
        nearest = similarity.fill_diagonal_(-2.0).argmax(dim=1)
    distance = (features - features[nearest]).square().sum(dim=1).add(1e-12).sqrt()
    return -(distance + 1e-6).log().mean()
