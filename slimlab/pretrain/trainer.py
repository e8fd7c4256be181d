"""Teacher, student and one step of pre-training. SLiM, arXiv 2603.10648, section 3; schedules of section 4.1.

All randomness of step s comes from (seed, s), so a run that was stopped and resumed draws what it would have drawn.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from slimlab import augment, masking
from slimlab._system import distributed
from slimlab.augment import fill_unseen
from slimlab.data import ClipStore
from slimlab.encoder import Encoder, unseen_tokens
from slimlab.evaluate.features import TEST_VIEWS, CutView, input_seen, to_input
from slimlab.evaluate.rank import effective_prototypes, used_prototypes
from slimlab.losses import PrototypeHead, RunningCenter, cell_weights, prototype_cross_entropy, sinkhorn_knopp
from slimlab.pretrain.config import Config
from slimlab.pretrain.gradcache import Piece, Terms, accumulate, koleo_by_features, split
from slimlab.pretrain.gradcache import koleo as koleo_of
from slimlab.pretrain.networks import Networks, check_start
from slimlab.pretrain.sampling import Sampler, generator
from slimlab.pretrain.schedules import parameter_groups, schedule, set_rates
from slimlab.skeleton import Skeleton

LOSSES = ("glcl", "mfp", "koleo")


def rows_of(own: slice, views: int, batch: int) -> Tensor:
    """Of views*batch rows, view after view, those of the clips `own`."""
    return torch.arange(views * batch).unflatten(0, (views, batch))[:, own].flatten()


class Targets(NamedTuple):
    """What the student has to find: the teacher's assignments cls (2, B, K) of the global views; and for each piece's masked
    tokens (tokens, K) theirs, or None."""

    cls: Tensor
    tokens: list[Tensor | None]


class Trainer:
    """Student, teacher and optimiser on one device; `step` takes a batch of clips and updates all three.

    start  an encoder whose weights student and teacher begin with; the heads are new

    It makes none of the authors' mistakes; `pretrain.method.trainer_of` finds the trainer of settings that ask for them.

    Raises ValueError where the settings ask for mistakes that this class does not make, `start` is another encoder, the device
    cannot compute in the precision of the settings, or the mask ratio masks no token of this body.
    """

    makes_mistakes = False
    made_of: type[Networks] = Networks

    def __init__(
        self, config: Config, skeleton: Skeleton, *, device: torch.device | str = "cpu", start: Encoder | None = None
    ) -> None:
        self.config, self.device = config, torch.device(device)
        if config.released_quirks and not self.makes_mistakes:
            raise ValueError(
                f"released_quirks {config.released_quirks!r}: Trainer makes no mistakes; take "
                "slimlab.pretrain.method.trainer_of(config, skeleton, device=...)"
            )
        check_precision(config.precision, self.device)
        check_masks(config, len(skeleton))
        self.skeleton = replace(skeleton)  # what augmentations and masks go by
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.student = self.made_of(config, skeleton).to(device)
        if start is not None:
            check_start(start, self.student.encoder)
            self.student.encoder.load_state_dict(start.state_dict())
        self.teacher = copy.deepcopy(self.student).requires_grad_(False).eval()
        centered = ("cls", "cells") if config.targets == "centering" else ()
        self.centers = nn.ModuleDict({name: RunningCenter(config.prototypes) for name in centered}).to(device)
        groups = parameter_groups(self.student, config.patch_lr_factor, released=config.details == "released")
        self.optimizer = torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.999), fused=True)
        if config.compile:
            self.student.encoder.compile_blocks()
            self.teacher.encoder.compile_blocks()
        self.sampler = Sampler(self.device)
        self.test_view: CutView = TEST_VIEWS[config.details]  # of the clips that the run is measured on while it goes on
        self._forward: nn.Module = self.student
        if distributed.world_size() > 1:
            self._forward = DistributedDataParallel(self.student)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What a checkpoint holds beside the optimiser."""
        return {"student": self.student, "teacher": self.teacher, "centers": self.centers}

    @property
    def encoder(self) -> Encoder:
        """What the run is for: the teacher's."""
        return self.teacher.encoder

    def schedule(self, step: int) -> dict[str, float]:
        """Learning rate, weight decay, teacher momentum and temperature at this step."""
        return schedule(self.config, step)

    def step(self, store: ClipStore, clips: np.ndarray, step: int) -> dict[str, float]:
        """One update on these clips. Returns losses and monitor values; raises FloatingPointError, naming the loss, on NaN."""
        now = self.schedule(step)
        pieces = self.sample(store, clips, step=step)
        targets = self.targets(pieces, now["temperature"])
        self.optimizer.zero_grad(set_to_none=True)
        values = self.backward(pieces, targets)
        check_finite(values, LOSSES, step)
        values["gradient"] = self._clip(step)
        check_finite(values, ("gradient",), step)
        self._update_student(now, step)
        self._update_teacher(now["momentum"])
        return values | now

    def sample(self, store: ClipStore, clips: np.ndarray, *, step: int) -> list[Piece]:
        """Views and masks of a step, in pieces of `config.microbatch` clips."""
        views, unseen = self._views(store, clips, step)
        masks = self._masks(views, step)
        predicted = _without(masks[0], unseen[0]) if self.config.mfp_weight else None
        hidden = [_either(m, u) for m, u in zip(masks, unseen, strict=True)]
        return split(views, hidden, unseen[0], predicted, size=self.config.microbatch)

    @torch.no_grad()
    def targets(self, pieces: list[Piece], temperature: float) -> Targets:
        """The teacher's assignments, over the whole batch of all processes."""
        teacher, cls, tokens = self.teacher, [], []
        with self._cast():
            for piece in pieces:
                first, found = teacher.encoder.cls_and_tokens(piece.views[0], piece.unseen, piece.predicted)
                cls.append(teacher.cls_head(first).unflatten(0, (2, -1)))  # (2, b, K)
                if piece.predicted is not None:
                    tokens.append(found)  # (tokens, D)
            logits = torch.cat(cls, dim=1) if len(cls) > 1 else cls[0]
        assigned = self.assign("cls", logits.flatten(0, 1), temperature=temperature).unflatten(0, (2, -1))
        if not tokens:
            return Targets(assigned, [None] * len(pieces))
        return Targets(assigned, list(self.token_targets(pieces, tokens, temperature=temperature)))

    def token_targets(self, pieces: Sequence[Piece], tokens: Sequence[Tensor], *, temperature: float) -> Sequence[Tensor]:
        """What the student has to find for each piece's masked tokens: the teacher's assignments (tokens, K) of its own features
        (tokens, D) of them."""
        with self._cast():
            logits = self.teacher.token_head(torch.cat(list(tokens)))
        return self.assign("cells", logits, temperature=temperature).split([len(t) for t in tokens])

    def assign(self, which: str, logits: Tensor, *, temperature: float) -> Tensor:
        """Teacher's logits (N, K) of "cls" or "cells" -> assignments, rows sum to one, where the logits were."""
        if which in self.centers:
            return self.centers[which](logits, temperature)
        if self.config.targets == "softmax":
            return (logits.float() / temperature).softmax(dim=-1)
        return sinkhorn_knopp(logits, temperature, inplace=True)

    def backward(self, pieces: list[Piece], targets: Targets) -> dict[str, float]:
        """Add the gradients of the loss to the student's, where gradients are on. Returns what to log, of all processes.

        The local views come first, group after group, then the global ones; `gradcache` says why they are apart.
        """
        c, batch = self.config, targets.cls.shape[1]
        whole, pull = koleo_by_features(self._features(pieces)) if len(pieces) > 1 else (None, None)
        graphs: list[Callable[[], Terms]] = []
        for piece, tokens in zip(pieces, targets.tokens, strict=True):
            own, pulled = targets.cls[:, piece.clips], None if pull is None else pull[:, piece.clips]
            graphs += [partial(self._of_locals, piece, own, number, batch) for number in range(1, len(piece.views))]
            graphs += [partial(self._of_globals, piece, own, rows, batch, tokens, pulled) for rows in piece.rows(c.width)]
        last = pieces[-1]
        glcl, mfp, koleo = accumulate(graphs, cast=self._cast, alone=self._alone, unreached=lambda: self._reached(last))
        self._forget_unused(last)
        koleo = koleo if whole is None else whole.detach()
        return self._logged(torch.stack([glcl, mfp, koleo]), targets)

    def _of_locals(self, piece: Piece, own: Tensor, number: int, batch: int) -> Terms:
        """GLCL of a group of local views: each is to predict both teacher views, own (2, b, K)."""
        x = piece.views[number]
        _, embedded, _ = self._forward(x, piece.masks[number])
        both = own.mean(dim=0).repeat(len(x) // len(piece), 1)  # both teacher views weigh alike
        glcl = self._compare(embedded, both, own.new_full((len(x),), 2 / (batch * piece.terms)))
        none = torch.zeros((), device=self.device)
        return Terms(self.config.glcl_weight * glcl, glcl.detach(), none, none)

    def _of_globals(
        self, piece: Piece, own: Tensor, rows: slice, batch: int, tokens: Tensor | None, pull: Tensor | None
    ) -> Terms:
        """GLCL, MFP and KoLeo of some rows of the global views.

        own (2, b, K), tokens (tokens, K): the teacher's assignments; pull (2, b, D): KoLeo's gradient by the CLS features, None
        where it is computed here
        """
        c, predicted = self.config, piece.predicted
        mfp = koleo = torch.zeros((), device=self.device)
        x = piece.views[0][rows]
        masks = [None if m is None else m[rows] for m in (piece.masks[0], predicted)]
        cls, embedded, known = self._forward(x, *masks)
        other = own.flip(0).flatten(0, 1)[rows]  # a global view is to predict the other one
        glcl = self._compare(embedded, other, own.new_full((len(cls),), 1 / (batch * piece.terms)))
        total = c.glcl_weight * glcl
        if known is not None and tokens is not None and predicted is not None:
            first = int(predicted[: rows.start].sum()) if rows.start else 0
            these = slice(first, first + len(known[0]))
            mfp = self._missed(known, tokens[these], (cell_weights(predicted) * len(piece) / batch)[these])
            total = total + c.mfp_weight * mfp
        if pull is None:
            spread = koleo_of(cls.unflatten(0, (-1, len(piece))))
            total, koleo = total + c.koleo_weight * spread, spread
        else:
            total = total + c.koleo_weight * (cls.float() * pull.flatten(0, 1)[rows]).sum()
        return Terms(total, glcl.detach(), mfp.detach(), koleo.detach())

    @torch.no_grad()
    def _features(self, pieces: list[Piece]) -> list[Tensor]:
        """The student's CLS features (2b, D) of each piece's global views."""
        with self._cast():
            return [self.student.encoder.cls_and_tokens(p.views[0], p.masks[0], None)[0] for p in pieces]

    def _compare(self, embedded: tuple[Tensor, Tensor], targets: Tensor, weights: Tensor) -> Tensor:
        """The student's embedding and its head's directions against the teacher's assignments, a scalar."""
        return prototype_cross_entropy(*embedded, targets, weights, self.config.student_temperature)

    def _missed(self, known: tuple[Tensor, ...], targets: Tensor, weights: Tensor) -> Tensor:
        """How far what the student says of masked tokens (`Networks.predict`) is from their targets, a scalar."""
        return self._compare((known[0], known[1]), targets, weights)

    def _logged(self, losses: Tensor, targets: Targets) -> dict[str, float]:
        """Losses (3,) and what they come to, of all processes, and how many prototypes the targets use."""
        c, (glcl, mfp, koleo) = self.config, losses
        loss = c.glcl_weight * glcl + c.mfp_weight * mfp + c.koleo_weight * koleo
        numbers = (distributed.all_reduce_sum(torch.stack([loss, glcl, mfp, koleo])) / distributed.world_size()).tolist()
        values: dict[str, float] = dict(zip(("loss", *LOSSES), numbers, strict=True))
        values["glcl_over_lnk"] = values["glcl"] / math.log(c.prototypes)
        values["target_prototypes"] = effective_prototypes(targets.cls.flatten(0, 1))
        values["used_prototypes"] = used_prototypes(targets.cls.flatten(0, 1))
        if known := [tokens for tokens in targets.tokens if tokens is not None]:
            values["cell_target_prototypes"] = effective_prototypes(*known)
        return values

    def _clip(self, step: int) -> float:
        """Clip the gradient of encoder and heads, each on its own. Returns its norm before. Frozen prototypes have none, save in
        the released details, where their rate is zero."""
        without = self._frozen(step) and self.config.details != "released"
        norms = []
        for network in self.student.children():
            if without and isinstance(network, PrototypeHead):
                network.prototypes.grad = network.norms.grad = None
            norm = nn.utils.clip_grad_norm_(network.parameters(), self.config.gradient_clip)
            norms.append(norm.to(self.device))  # without a gradient it is on the CPU
        return float(torch.stack(norms).norm())

    def _frozen(self, step: int) -> bool:
        """Whether the prototypes stand still."""
        return step < self.config.frozen_prototypes * self.config.steps

    def _update_student(self, now: dict[str, float], step: int) -> None:
        """AdamW, at this step's rates."""
        set_rates(self.optimizer, now["lr"], now["weight_decay"], frozen=self._frozen(step))
        self.optimizer.step()

    @torch.no_grad()
    def _update_teacher(self, momentum: float) -> None:
        """The exponential moving average: teacher <- momentum * teacher + (1 - momentum) * student; centers take the batch in."""
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            list(self.teacher.parameters()), list(self.student.parameters()), 1 - momentum
        )
        for center in self.centers.modules():
            if isinstance(center, RunningCenter):
                center.update()

    def _views(self, store: ClipStore, clips: np.ndarray, step: int) -> tuple[list[Tensor], list[Tensor | None]]:
        """Augmented views of this process's clips, globals first, each (views*B, 3, T, V, 1), view after view; and the tokens of
        each whose joint was not seen, None where every joint of the store was."""
        c = self.config
        views, rng = self.sampler(c, store, clips, step)
        own = distributed.shard(len(clips))
        config = self.student.encoder.config
        out, unseen = [], []
        for number, (group, shown) in enumerate(zip([views.globals, *views.locals], views.seen, strict=True)):
            count = len(group)
            rows = (count * len(clips), rows_of(own, count, len(clips)))
            x = group.to(self.device, non_blocking=True).flatten(0, 1)  # (views*B, 3, T, V, 1)
            origin = views.origin.repeat(count, 1)
            x, seen = self._centered(x, origin, shown.to(self.device, non_blocking=True).flatten(0, 1))
            x = augment.skeleton_aware(
                x, self.skeleton, rng, c.augment_probability, c.bone_scale, c.rotation, c.mirror, rows, seen, c.scaling
            )
            seen = augment.seen_after(x, self.skeleton, seen)
            x = self._noise(x, len(clips), number == 0, rng, rows, seen)
            given, tokens = to_input(x, config, seen), None
            if store.has_unseen:
                shown = input_seen(x, config, seen)
                given, tokens = fill_unseen(given, shown), unseen_tokens(shown, c.patch_frames)[:, 0]
            out.append(given)
            unseen.append(tokens)
        return out, unseen

    def _centered(self, x: Tensor, origin: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Views x (B, 3, T, V, 1) around their center joint, and which joints of who is there were seen (B, T, V, 1)."""
        seen = augment.shown(x, seen)
        return augment.center(x, self.skeleton, self.config.centering, origin, seen), seen

    def _noise(self, x: Tensor, batch: int, is_global: bool, rng: torch.Generator, rows: augment.Rows, seen: Tensor) -> Tensor:
        """Global view 0: sd 0.01. Global view 1: sd 0.05 for 1 in 10, an axis to zero for 2 in 10. Locals: 0.01 for half."""
        if not self.config.noise:
            return x
        count, which = rows
        chance = torch.rand(count, generator=rng)
        if not is_global:
            return augment.jitter(x, self.config.noise * 0.01 * (chance[which] < 0.5).float(), rng, rows, seen)
        std = torch.cat([torch.full((batch,), 0.01), 0.05 * (chance[batch:] < 0.1).float()])
        axis = torch.randint(3, (count,), generator=rng)
        first = torch.arange(count) < batch
        axis = torch.where(first | (torch.rand(count, generator=rng) >= 0.2), -1, axis)
        return augment.drop_axis(augment.jitter(x, self.config.noise * std[which], rng, rows, seen), axis[which])

    def _masks(self, views: list[Tensor], step: int) -> list[Tensor | None]:
        """A bool mask (views*B, T', V) for each group of this process's views, None where nothing is masked.

        They are drawn for the whole batch, so that ratios are stratified over it whatever the number of processes.
        """
        c = self.config
        rng = generator(c.seed, 2, step)
        counts = [len(x) * distributed.world_size() for x in views]  # in the whole batch
        batch = counts[0] // 2
        masked = round(c.mask_globals * counts[0])
        which = torch.randperm(counts[0], generator=rng)[:masked]
        mask = torch.zeros(counts[0], views[0].shape[2] // c.patch_frames, len(self.skeleton), dtype=torch.bool)
        ratios = masking.stratified_ratios(masked, c.mask_bounds, rng)
        mask[which] = self._draw(views[0], 2, ratios, rng, which, strategy=c.masking)
        masks: list[Tensor | None] = [mask if masked else None]
        if not c.mask_locals:
            masks += [None] * len(counts[1:])
        else:
            ratios = self._local_ratios(counts[1:], rng)
            strategy = c.masking_locals or c.masking
            masks += [
                self._draw(x, n // batch, r, rng, strategy=strategy)
                for x, n, r in zip(views[1:], counts[1:], ratios, strict=True)
            ]
        own = [rows_of(distributed.shard(batch), n // batch, batch) for n in counts]
        return [None if m is None else m[rows].to(self.device) for m, rows in zip(masks, own, strict=True)]

    def _local_ratios(self, counts: Sequence[int], rng: torch.Generator) -> Sequence[Tensor]:
        """A mask ratio for each local view, `counts` of them in each group."""
        return masking.stratified_ratios(sum(counts), self.config.mask_bounds_locals, rng).split(list(counts))

    def _strategy(self, name: str) -> Callable[..., Tensor]:
        """What draws the masks of this name."""
        return masking.STRATEGIES[name]

    def _draw(
        self,
        x: Tensor,
        views: int,
        ratios: Tensor,
        rng: torch.Generator,
        which: Tensor | slice = slice(None),
        *,
        strategy: str,
    ) -> Tensor:
        """Masks (n, T', V) for the rows `which` of a whole group, of which x (views*B, 3, T, V, 1) are this process's; the
        views' own motion where the strategy looks at it."""
        c = self.config
        if c.details == "released":  # whole tokens, rounded down
            cells = x.shape[2] // c.patch_frames * len(self.skeleton)
            ratios = (ratios * cells + 1e-6).floor() / cells
        known: dict[str, Any] = masking.known_of(strategy, x, c.patch_frames)
        known = {name: distributed.all_gather(value.unflatten(0, (views, -1)).transpose(0, 1)) for name, value in known.items()}
        known = {name: value.transpose(0, 1).flatten(0, 1)[which] for name, value in known.items()}  # view after view again
        return self._strategy(strategy)(len(ratios), x.shape[2] // c.patch_frames, self.skeleton, ratios, generator=rng, **known)

    def _reached(self, piece: Piece) -> Tensor | float:
        """Zero, of what the step's last forward pass leaves out: DDP waits for a gradient of every parameter."""
        if not isinstance(self._forward, DistributedDataParallel):
            return 0.0
        left_out = self._unasked(piece)
        if piece.masks[0] is None:
            left_out.append(self.student.encoder.mask_token)
        return 0.0 * sum(p.sum() for p in left_out)

    def _forget_unused(self, piece: Piece) -> None:
        """Take the zero gradients of `_reached` away again: one process has none, and a zero one lets AdamW decay the weight."""
        for parameter in self._unasked(piece):
            parameter.grad = None
        if all(mask is None for mask in piece.masks):
            self.student.encoder.mask_token.grad = None

    def _unasked(self, piece: Piece) -> list[nn.Parameter]:
        """Weights of the heads that no loss of this step reaches."""
        return list(self.student.token_head.parameters()) if piece.predicted is None else []

    def _alone(self):
        """Gradients made inside are not yet added up over the processes."""
        return self._forward.no_sync() if isinstance(self._forward, DistributedDataParallel) else nullcontext()

    def _cast(self) -> torch.autocast:
        """Around the networks: matrix products in bfloat16 where the settings say so; weights and losses stay float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")


def _either(mask: Tensor | None, unseen: Tensor | None) -> Tensor | None:
    """What the student does not see: the masked tokens and those whose joint was not seen."""
    return mask | unseen if mask is not None and unseen is not None else unseen if mask is None else mask


def _without(mask: Tensor | None, unseen: Tensor | None) -> Tensor | None:
    """What MFP predicts: the masked tokens whose joint was seen."""
    return mask & ~unseen if mask is not None and unseen is not None else mask


def check_precision(precision: str, device: torch.device) -> None:
    """Raises ValueError where this device cannot compute in this precision."""
    lacks = device.type == "cuda" and not torch.cuda.is_bf16_supported()
    lacks = lacks or (device.type == "mps" and not torch.backends.mps.is_macos_or_newer(14, 0))
    if precision == "bf16" and lacks:
        raise ValueError(f"precision 'bf16': this {device.type} device does not have bfloat16; take precision='fp32'")


def check_masks(config: Config, joints: int) -> None:
    """Raises ValueError where the highest mask ratio is above zero but masks no token of a global view, or of any local one."""
    asked = [("mask_ratio", config.mask_bounds[1], config.global_frames, "global")]
    if config.mask_ratio_locals is not None and config.local_views:
        asked.append(("mask_ratio_locals", config.mask_bounds_locals[1], max(v[0] for v in config.local_views), "local"))
    for name, highest, frames, kind in asked:
        cells = frames // config.patch_frames * joints
        if highest and not masking.budget(highest, 1, cells):
            raise ValueError(
                f"{name} {getattr(config, name)} masks none of the {cells} tokens of a {kind} view; take at least "
                f"{1 / cells:.3g}, or 0"
            )


def check_finite(values: dict[str, float], names: Sequence[str], step: int) -> None:
    """Raises FloatingPointError that names step and value where one of these is not finite."""
    for name in names:
        if not math.isfinite(values[name]):
            raise FloatingPointError(
                f"step {step}: {name} is {values[name]}. The last checkpoint is kept. Try a smaller base_lr, a longer warmup, a "
                "smaller gradient_clip or a higher teacher_temperature"
            )
