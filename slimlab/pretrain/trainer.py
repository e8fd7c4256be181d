"""Teacher, student and one step of pre-training. SLiM, arXiv 2603.10648, section 3; schedules of section 4.1.

All randomness of step s comes from (seed, s), so a run that was stopped and resumed draws what it would have drawn.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from slimlab import augment, masking
from slimlab._system import distributed
from slimlab.augment import fill_unseen
from slimlab.data import ClipStore, test_view
from slimlab.encoder import Encoder, unseen_tokens
from slimlab.evaluate import to_input
from slimlab.evaluate.features import CutView
from slimlab.evaluate.rank import effective_prototypes, used_prototypes
from slimlab.losses import PrototypeHead, RunningCentre, cell_weights, koleo_loss, prototype_cross_entropy, sinkhorn_knopp
from slimlab.pretrain.config import Config
from slimlab.pretrain.networks import Networks, check_start
from slimlab.pretrain.sampling import Sampler, generator
from slimlab.pretrain.schedules import parameter_groups, schedule, set_rates
from slimlab.skeleton import Skeleton

LOSSES = ("glcl", "mfm", "koleo")
LARGE = 1 << 25  # coordinates of the global views times width, above which the two are encoded one after the other


def rows_of(own: slice, views: int, batch: int) -> Tensor:
    """Of views*batch rows, view after view, those of the clips `own`."""
    return torch.arange(views * batch).unflatten(0, (views, batch))[:, own].flatten()


Masks = list[Tensor | None]  # (views*B, T', V) bool for each group of views, globals first; None: nothing is hidden
Piece = tuple[list[Tensor], Masks, Masks]  # views, masks and unseen tokens of the clips that are worked on at once


class Trainer:
    """Student, teacher and optimiser on one device; `step` takes a batch of clips and updates all three.

    start  an encoder whose weights student and teacher begin with; the heads are new

    It makes none of the authors' mistakes; `pretrain.method.trainer_of` finds the trainer of settings that ask for them.

    Raises ValueError where the settings ask for mistakes that this class does not make, `start` is another encoder, the device
    cannot compute in the precision of the settings, or the mask ratio masks no token of this body.
    """

    makes_mistakes = False

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
            self.student = Networks(config, skeleton).to(device)
        if start is not None:
            check_start(start, self.student.encoder)
            self.student.encoder.load_state_dict(start.state_dict())
        self.teacher = copy.deepcopy(self.student).requires_grad_(False).eval()
        centred = ("cls", "cells") if config.targets == "centring" else ()
        self.centres = nn.ModuleDict({name: RunningCentre(config.prototypes) for name in centred}).to(device)
        groups = parameter_groups(self.student, config.patch_lr_factor)
        self.optimizer = torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.999), fused=True)
        if config.compile:
            self.student.encoder.compile_blocks()
            self.teacher.encoder.compile_blocks()
        self._sampler = Sampler(self.device)
        self.test_view: CutView = test_view  # of the clips that the run is measured on while it goes on
        self._forward: nn.Module = self.student
        if distributed.world_size() > 1:
            self._forward = DistributedDataParallel(self.student)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What a checkpoint holds beside the optimiser."""
        return {"student": self.student, "teacher": self.teacher, "centres": self.centres}

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
        views, unseen = self._views(store, clips, step)
        masks = self._masks(views, step)
        self.optimizer.zero_grad(set_to_none=True)
        _, values = self.losses(views, masks, now["temperature"], unseen)
        check_finite(values, LOSSES, step)
        set_rates(self.optimizer, now["lr"], now["weight_decay"])
        frozen = step < self.config.frozen_prototypes * self.config.steps
        norms = []
        for network in self.student.children():
            if frozen and isinstance(network, PrototypeHead):
                network.prototypes.grad = network.norms.grad = None
            norms.append(nn.utils.clip_grad_norm_(network.parameters(), self.config.gradient_clip))
        values["gradient"] = float(torch.stack(norms).norm())
        check_finite(values, ("gradient",), step)
        self.optimizer.step()
        self._follow(now["momentum"])
        return values | now

    @torch.no_grad()
    def _follow(self, momentum: float) -> None:
        """teacher <- momentum * teacher + (1 - momentum) * student; the centres take the step's batch in."""
        torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
            list(self.teacher.parameters()), list(self.student.parameters()), 1 - momentum
        )
        for centre in self.centres.modules():
            if isinstance(centre, RunningCentre):
                centre.follow()

    def _targets(self, which: str, logits: Tensor, temperature: float) -> Tensor:
        """Teacher's logits (N, K) -> assignments, rows sum to one, where the logits were."""
        if which in self.centres:
            return self.centres[which](logits, temperature)
        if self.config.targets == "softmax":
            return (logits.float() / temperature).softmax(dim=-1)
        return sinkhorn_knopp(logits, temperature, inplace=True)

    def _views(self, store: ClipStore, clips: np.ndarray, step: int) -> tuple[list[Tensor], Masks]:
        """Augmented views of this process's clips, globals first, each (views*B, 3, T, V, 1), view after view; and the tokens of
        each whose joint was not seen, None where every joint of the store was."""
        c = self.config
        views, rng = self._sampler(c, store, clips, step)
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
                x, self.skeleton, rng, c.augment_probability, c.bone_scale, c.rotation, c.mirror, rows, seen
            )
            seen = augment.seen_after(x, self.skeleton, seen)
            x = self._noise(x, len(clips), number == 0, rng, rows, seen)
            x, shown = to_input(x, config, seen)
            out.append(fill_unseen(x, shown) if store.has_unseen else x)
            unseen.append(unseen_tokens(shown, c.patch_frames)[:, 0] if store.has_unseen else None)
        return out, unseen

    def _centered(self, x: Tensor, origin: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Views x (B, 3, T, V, 1) around their center joint, and which joints of who is there were seen (B, T, V, 1)."""
        seen = seen & augment.present(x)[:, 0]
        return augment.center(x, self.skeleton, self.config.centring, origin, seen), seen

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

    def _masks(self, views: list[Tensor], step: int) -> Masks:
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
        mask[which] = self._draw(views[0], 2, ratios, rng, which)
        masks: Masks = [mask if masked else None]
        if not c.mask_locals:
            masks += [None] * len(counts[1:])
        else:
            ratios = self._local_ratios(counts[1:], rng)
            masks += [self._draw(x, n // batch, r, rng) for x, n, r in zip(views[1:], counts[1:], ratios, strict=True)]
        own = [rows_of(distributed.shard(batch), n // batch, batch) for n in counts]
        return [None if m is None else m[rows].to(self.device) for m, rows in zip(masks, own, strict=True)]

    def _local_ratios(self, counts: Sequence[int], rng: torch.Generator) -> Sequence[Tensor]:
        """A mask ratio for each local view, `counts` of them in each group."""
        return masking.stratified_ratios(sum(counts), self.config.mask_bounds, rng).split(list(counts))

    @property
    def _strategy(self) -> Callable[..., Tensor]:
        """What draws the masks."""
        return masking.STRATEGIES[self.config.masking]

    def _draw(self, x: Tensor, views: int, ratios: Tensor, rng: torch.Generator, which: Tensor | slice = slice(None)) -> Tensor:
        """Masks (n, T', V) for the rows `which` of a whole group, of which x (views*B, 3, T, V, 1) are this process's; the
        views' own motion where the strategy looks at it."""
        c = self.config
        known: dict[str, Any] = masking.known_of(c.masking, x, c.patch_frames)
        known = {name: distributed.all_gather(value.unflatten(0, (views, -1)).transpose(0, 1)) for name, value in known.items()}
        known = {name: value.transpose(0, 1).flatten(0, 1)[which] for name, value in known.items()}  # view after view again
        return self._strategy(len(ratios), x.shape[2] // c.patch_frames, self.skeleton, ratios, generator=rng, **known)

    def losses(
        self, views: list[Tensor], masks: Masks, temperature: float, unseen: Masks | None = None
    ) -> tuple[Tensor, dict[str, float]]:
        """This process's total loss, and what to log, of all processes, from views (globals first) and their masks.

        unseen  tokens whose joint was not seen: they are mask tokens for student and teacher, and no target of MFP

        Where gradients are on, they are added to the student's here, `microbatch` clips at a time and group of views after group,
        the local ones first, so that one graph at a time is in memory (large global views are two groups); the loss comes back
        without. Sinkhorn, centre and KoLeo see the whole batch all the same: a first pass makes the targets and, of a batch in
        parts, what KoLeo asks of each clip's features.
        """
        c, batch = self.config, len(views[0]) // 2
        size = c.microbatch or batch
        parts = [slice(first, min(first + size, batch)) for first in range(0, batch, size)]
        pieces = [_part_of(views, masks, unseen or [None] * len(views), part, batch) for part in parts]
        targets, cell_targets = self._all_targets(pieces, temperature)  # (2, B, K), (cells, K) for each part
        terms = 2 * (sum(map(len, views)) // batch - 1)  # of GLCL: each teacher view with every other view
        koleo, pull = self._koleo(pieces) if len(parts) > 1 else (torch.zeros((), device=self.device), None)
        sums = torch.zeros(2, device=self.device)  # GLCL, MFP
        hidden: Tensor | None = None
        for part, (seen, drawn, lacking), cells in zip(parts, pieces, cell_targets, strict=True):
            own, clips = targets[:, part], part.stop - part.start  # own (2, b, K)
            for x, m, u in zip(seen[1:], drawn[1:], lacking[1:], strict=True):
                with self._alone(), self._cast():
                    _, embedded, _ = self._forward(x, _either(m, u))
                    both = own.mean(dim=0).repeat(len(x) // clips, 1)  # both teacher views weigh alike
                    weights = targets.new_full((len(x),), 2 / (batch * terms))
                    local = self._compare(embedded, both, weights)
                    _learn(c.glcl_weight * local)
                sums[0] += local.detach()
                del embedded, both, local  # and with them their graph
            hidden, predicted = _either(drawn[0], lacking[0]), self._predicted(drawn[0], lacking[0])
            weighs = None if predicted is None else cell_weights(predicted) * clips / batch
            other = own.flip(0).flatten(0, 1)  # (2b, K): a global view is to predict the other one
            together, first = clips if seen[0].numel() * c.width > LARGE else 2 * clips, 0
            for rows in (slice(start, start + together) for start in range(0, 2 * clips, together)):
                last = part is parts[-1] and rows.stop == 2 * clips
                with nullcontext() if last else self._alone(), self._cast():
                    masked = [None if m is None else m[rows] for m in (hidden, predicted)]
                    cls, embedded, known = self._forward(seen[0][rows], *masked)
                    weights = targets.new_full((len(cls),), 1 / (batch * terms))
                    glcl = self._compare(embedded, other[rows], weights)
                    loss, mfm = c.glcl_weight * glcl, torch.zeros((), device=self.device)
                    if known is not None and cells is not None and weighs is not None:
                        these = slice(first, first := first + len(known[0]))
                        mfm = self._compare(known, cells[these], weighs[these])
                        loss = loss + c.mfm_weight * mfm
                    if pull is None:
                        spread = _koleo_of(cls.unflatten(0, (-1, clips)))
                        loss, koleo = loss + c.koleo_weight * spread, koleo + spread.detach()
                    else:
                        loss = loss + c.koleo_weight * (cls.float() * pull[:, part].flatten(0, 1)[rows]).sum()
                    if last:
                        loss = loss + self._reached(hidden, predicted)
                    _learn(loss)
                sums += torch.stack([glcl.detach(), mfm.detach()])
                del embedded, known, cls, loss, glcl, mfm
        self._forget_unused(masks, unseen)
        glcl, mfm = sums
        loss = c.glcl_weight * glcl + c.mfm_weight * mfm + c.koleo_weight * koleo.detach()
        numbers = (distributed.all_reduce_sum(torch.stack([loss, glcl, mfm, koleo.detach()])) / distributed.world_size()).tolist()
        values: dict[str, float] = dict(zip(("loss", *LOSSES), numbers, strict=True))
        values["glcl_over_lnk"] = values["glcl"] / math.log(c.prototypes)
        values["target_prototypes"] = effective_prototypes(targets.flatten(0, 1))
        values["used_prototypes"] = used_prototypes(targets.flatten(0, 1))
        if known_targets := [cells for cells in cell_targets if cells is not None]:
            values["cell_target_prototypes"] = effective_prototypes(*known_targets)
        return loss, values

    @torch.no_grad()
    def _all_targets(self, pieces: list[Piece], temperature: float) -> tuple[Tensor, list[Tensor | None]]:
        """The teacher's assignments of the whole batch: CLS (2, B, K), and of each piece's masked cells (cells, K)."""
        teacher, cls, cells = self.teacher, [], []
        with self._cast():
            for views, masks, unseen in pieces:
                out = teacher.encoder(views[0], mask=None if unseen[0] is None else unseen[0][:, None])
                cls.append(teacher.cls_head(out.cls[:, 0]).unflatten(0, (2, -1)))  # (2, b, K)
                predicted = self._predicted(masks[0], unseen[0])
                if predicted is not None:
                    cells.append(out.tokens[:, 0][predicted])  # (cells, D)
            counts = [len(c) for c in cells]
            logits = torch.cat(cls, dim=1) if len(cls) > 1 else cls[0]
            of_cells = teacher.token_head(torch.cat(cells)) if cells else None
        targets = self._targets("cls", logits.flatten(0, 1), temperature).unflatten(0, (2, -1))
        if of_cells is None:
            return targets, [None] * len(pieces)
        return targets, list(self._targets("cells", of_cells, temperature).split(counts))

    def _koleo(self, pieces: list[Piece]) -> tuple[Tensor, Tensor]:
        """KoLeo of the whole batch, and its gradient (2, B, D) by the CLS features, from a pass that keeps no graph."""
        with torch.no_grad(), self._cast():
            seen = []
            for views, masks, unseen in pieces:
                hidden = _either(masks[0], unseen[0])
                seen.append(self.student.encoder(views[0], mask=None if hidden is None else hidden[:, None]).cls[:, 0])
        features = torch.cat([s.float().unflatten(0, (2, -1)) for s in seen], dim=1)  # (2, B, D)
        with torch.enable_grad():
            koleo = _koleo_of(features.requires_grad_())
        return koleo, torch.autograd.grad(koleo, features)[0]

    def _compare(self, embedded: tuple[Tensor, Tensor], targets: Tensor, weights: Tensor) -> Tensor:
        """The student's embedding and its head's directions against the teacher's assignments, a scalar."""
        return prototype_cross_entropy(*embedded, targets, weights, self.config.student_temperature)

    def _predicted(self, mask: Tensor | None, unseen: Tensor | None) -> Tensor | None:
        """The tokens of the global views that MFP predicts: those that are masked and were seen."""
        if mask is None or not self.config.mfm_weight:
            return None
        return mask if unseen is None else mask & ~unseen

    def _reached(self, hidden: Tensor | None, predicted: Tensor | None) -> Tensor | float:
        """Zero, of what the step's last forward pass leaves out: DDP waits for a gradient of every parameter."""
        if not isinstance(self._forward, DistributedDataParallel):
            return 0.0
        left_out = list(self.student.token_head.parameters()) if predicted is None else []
        if hidden is None:
            left_out.append(self.student.encoder.mask_token)
        return 0.0 * sum(p.sum() for p in left_out)

    def _forget_unused(self, masks: Masks, unseen: Masks | None) -> None:
        """Take the zero gradients of `_reached` away again: one process has none, and a zero one lets AdamW decay the weight."""
        if masks[0] is None or not self.config.mfm_weight:
            for parameter in self.student.token_head.parameters():
                parameter.grad = None
        if all(mask is None for mask in (*masks, *(unseen or []))):
            self.student.encoder.mask_token.grad = None

    def _alone(self):
        """Gradients made inside are not yet added up over the processes."""
        return self._forward.no_sync() if isinstance(self._forward, DistributedDataParallel) else nullcontext()

    def _cast(self) -> torch.autocast:
        """Around the networks: matrix products in bfloat16 where the settings say so; weights and losses stay float32."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")


def _either(mask: Tensor | None, unseen: Tensor | None) -> Tensor | None:
    """What the student does not see: the masked tokens and those whose joint was not seen."""
    if mask is None or unseen is None:
        return unseen if mask is None else mask
    return mask | unseen


def _part_of(views: list[Tensor], masks: Masks, unseen: Masks, part: slice, batch: int) -> Piece:
    """Views, masks and unseen tokens of some of the batch's clips, view after view."""
    if part == slice(0, batch):
        return views, masks, unseen

    def own(x: Tensor) -> Tensor:
        return x.unflatten(0, (-1, batch))[:, part].flatten(0, 1)

    def own_of(group: Masks) -> Masks:
        return [None if m is None else own(m) for m in group]

    return [own(x) for x in views], own_of(masks), own_of(unseen)


def _koleo_of(cls: Tensor) -> Tensor:
    """KoLeo of CLS features (views, B, D), added up over the views."""
    return torch.stack([koleo_loss(view) for view in cls]).sum()


def _learn(loss: Tensor) -> None:
    if torch.is_grad_enabled():
        loss.backward()


def check_precision(precision: str, device: torch.device) -> None:
    """Raises ValueError where this device cannot compute in this precision."""
    lacks = device.type == "cuda" and not torch.cuda.is_bf16_supported()
    lacks = lacks or (device.type == "mps" and not torch.backends.mps.is_macos_or_newer(14, 0))
    if precision == "bf16" and lacks:
        raise ValueError(f"precision 'bf16': this {device.type} device does not have bfloat16; take precision='fp32'")


def check_masks(config: Config, joints: int) -> None:
    """Raises ValueError where the highest mask ratio is above zero but masks no token of a global view."""
    cells, highest = config.global_frames // config.patch_frames * joints, config.mask_bounds[1]
    if highest and not masking.budget(highest, 1, cells):
        raise ValueError(
            f"mask_ratio {config.mask_ratio} masks none of the {cells} tokens of a global view; take at least {1 / cells:.3g}, "
            "or 0"
        )


def check_finite(values: dict[str, float], names: Sequence[str], step: int) -> None:
    """Raises FloatingPointError that names step and value where one of these is not finite."""
    for name in names:
        if not math.isfinite(values[name]):
            raise FloatingPointError(
                f"step {step}: {name} is {values[name]}. The last checkpoint is kept. Try a smaller base_lr, a longer warmup, a "
                "smaller gradient_clip or a higher teacher_temperature"
            )
