"""Teacher, student and one step of pre-training. SLiM, arXiv 2603.10648, section 3; schedules of section 4.1.

All randomness of step s comes from (seed, s), so a run that was stopped and resumed draws what it would have drawn.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slimlab import augment, inspection, masking, quirks
from slimlab.config import Config
from slimlab.data import ClipStore, Views, sample_views
from slimlab.encoder import Encoder
from slimlab.evaluate import to_input
from slimlab.objectives import (
    PrototypeHead,
    RunningCentre,
    global_local_loss,
    koleo_loss,
    masked_feature_loss,
    sinkhorn_knopp,
)
from slimlab.skeleton import Skeleton

LOSSES = ("glcl", "mfm", "koleo")


def generator(seed: int, purpose: int, number: int) -> torch.Generator:
    """A CPU generator for one purpose at one step; different arguments give independent streams."""
    state = np.random.SeedSequence([seed, purpose, number]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(state >> 1))


def clips_of_step(clips: int, batch: int, seed: int, step: int) -> np.ndarray:
    """Positions (batch,) of the step's clips: every clip once an epoch, in an order that only seed and epoch decide."""
    places = np.arange(step * batch, (step + 1) * batch)
    orders = {e: torch.randperm(clips, generator=generator(seed, 0, e)).numpy() for e in np.unique(places // clips).tolist()}
    return np.array([orders[p // clips][p % clips] for p in places.tolist()])


class Networks(nn.Module):
    """Encoder and the two prototype heads; the teacher is another one of these."""

    def __init__(self, config: Config, skeleton: Skeleton) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder(skeleton))
        sizes = (config.width, config.prototypes, config.head_hidden, config.head_bottleneck, config.init_std)
        self.cls_head = PrototypeHead(*sizes)
        self.token_head = PrototypeHead(*sizes)


class Trainer:
    """Student, teacher and optimiser on one device; `step` takes a batch of clips and updates all three.

    start  an encoder whose weights student and teacher begin with; the heads are new. Raises ValueError where it is another
    """

    def __init__(
        self, config: Config, skeleton: Skeleton, device: torch.device | str = "cpu", start: Encoder | None = None
    ) -> None:
        self.config, self.device = config, torch.device(device)
        self.skeleton = quirks.IndexOrdered(**skeleton.to_dict()) if config.makes("bone_scaling") else replace(skeleton)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.student = Networks(config, skeleton).to(device)
        if start is not None:
            _check_start(start, self.student.encoder)
            self.student.encoder.load_state_dict(start.state_dict())
        self.teacher = copy.deepcopy(self.student).requires_grad_(False).eval()
        centred = ("cls", "cells") if config.targets == "centring" else ()
        self.centres = nn.ModuleDict({name: RunningCentre(config.prototypes) for name in centred}).to(device)
        groups = parameter_groups(self.student, config.patch_lr_factor)
        self.optimizer = torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.999), fused=True)

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
        c, part = self.config, step / self.config.steps
        first, last = c.teacher_temperature
        return {
            "lr": learning_rate(c, step),
            "weight_decay": cosine(c.weight_decay, part),
            "momentum": cosine(c.momentum, part),
            "temperature": first + (last - first) * min(1.0, part / max(1e-9, c.temperature_warmup)),
        }

    def step(self, store: ClipStore, clips: np.ndarray, step: int) -> dict[str, float]:
        """One update on these clips. Returns losses and monitor values; raises FloatingPointError, naming the loss, on NaN."""
        now = self.schedule(step)
        views = self._views(store, clips, step)
        masks = self._masks(views, step)
        loss, values = self.losses(views, masks, now["temperature"])
        check_finite(values, LOSSES, step)
        set_rates(self.optimizer, now["lr"], now["weight_decay"])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
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
        """Teacher's logits (N, K) -> assignments, rows sum to one."""
        return self.centres[which](logits, temperature) if which in self.centres else sinkhorn_knopp(logits, temperature)

    def _views(self, store: ClipStore, clips: np.ndarray, step: int) -> list[Tensor]:
        """Augmented views, globals first: each (views*B, 3, T, V, 1), view after view."""
        c = self.config
        rng = generator(c.seed, 1, step)
        if c.makes("absent_frames"):
            store, clips = quirks.with_absent_frames(store, clips), np.arange(len(clips))
        views: Views = sample_views(store, clips, rng, c.global_frames, c.global_range, c.local_views)
        config = self.student.encoder.config
        out = []
        for number, group in enumerate([views.globals, *views.locals]):
            count, batch = group.shape[:2]
            x = group.to(self.device).flatten(0, 1)  # (views*B, 3, T, V, 1)
            origin = views.origin.repeat(count, 1)
            faulty = c.makes("centring") and config.centring == "first_frame"
            x = quirks.center(x, origin) if faulty else augment.center(x, self.skeleton, config.centring, origin)
            x = augment.skeleton_aware(x, self.skeleton, rng, c.augment_probability, c.bone_scale, c.rotation, c.mirror)
            x = self._noise(x, batch, number == 0, rng)
            out.append(to_input(x, config))
        return out

    def _noise(self, x: Tensor, batch: int, is_global: bool, rng: torch.Generator) -> Tensor:
        """Global view 0: sd 0.01. Global view 1: sd 0.05 for 1 in 10, an axis to zero for 2 in 10. Locals: 0.01 for half."""
        if not self.config.noise:
            return x
        chance = torch.rand(len(x), generator=rng)
        if not is_global:
            return augment.jitter(x, self.config.noise * 0.01 * (chance < 0.5).float(), rng)
        std = torch.cat([torch.full((batch,), 0.01), 0.05 * (chance[batch:] < 0.1).float()])
        axis = torch.randint(3, (len(x),), generator=rng)
        first = torch.arange(len(x)) < batch
        axis = torch.where(first | (torch.rand(len(x), generator=rng) >= 0.2), -1, axis)
        return augment.drop_axis(augment.jitter(x, self.config.noise * std, rng), axis)

    def _masks(self, views: list[Tensor], step: int) -> list[Tensor | None]:
        """A bool mask (views*B, T', V) for each group of views, None where nothing is masked."""
        c, joints = self.config, len(self.skeleton)
        rng = generator(c.seed, 2, step)
        steps = [x.shape[2] // c.patch_frames for x in views]
        masked = round(c.mask_globals * len(views[0]))
        which = torch.randperm(len(views[0]), generator=rng)[:masked]
        mask = torch.zeros(len(views[0]), steps[0], joints, dtype=torch.bool)
        ratios = masking.stratified_ratios(masked, c.mask_bounds, rng)
        mask[which] = self._draw(views[0][which.to(self.device)], ratios, rng)
        masks: list[Tensor | None] = [mask if masked else None]
        counts = [len(x) for x in views[1:]]
        if not c.mask_locals:
            return [None if m is None else m.to(self.device) for m in masks] + [None] * len(counts)
        if c.makes("local_ratios"):
            ratios = [masking.stratified_ratios(n, c.mask_bounds, rng, shuffle=False) for n in counts]
        else:
            ratios = masking.stratified_ratios(sum(counts), c.mask_bounds, rng).split(counts)
        masks += [self._draw(x, r, rng) for x, r in zip(views[1:], ratios, strict=True)]
        return [None if m is None else m.to(self.device) for m in masks]

    def _draw(self, x: Tensor, ratios: Tensor, rng: torch.Generator) -> Tensor:
        """Masks (n, T', V) for n views x (n, 3, T, V, 1); the views' own motion where the strategy looks at it."""
        c = self.config
        known: dict[str, Any] = masking.known_of(c.masking, x, c.patch_frames)
        faulty = c.makes("mask_budget") and c.masking == "semantic_tubes"
        draw = quirks.semantic_tubes if faulty else masking.STRATEGIES[c.masking]
        return draw(len(x), x.shape[2] // c.patch_frames, self.skeleton, ratios, generator=rng, **known)

    def losses(self, views: list[Tensor], masks: list[Tensor | None], temperature: float) -> tuple[Tensor, dict[str, float]]:
        """Total loss and what to log, from views (globals first) and their masks."""
        c, student, teacher = self.config, self.student, self.teacher
        mask = masks[0]
        with torch.no_grad():
            seen = teacher.encoder(views[0])
            targets = self._targets("cls", teacher.cls_head(seen.cls[:, 0]), temperature)  # (2B, K)
        cls = []
        for x, m in zip(views, masks, strict=True):
            out = student.encoder(x, mask=None if m is None else m[:, None])
            cls.append(out.cls[:, 0])  # (views*B, D)
            if len(cls) == 1:
                tokens = out.tokens[:, 0]  # (2B, T', V, D)
        logits = student.cls_head(torch.cat(cls)).split(len(views[0]) // 2)  # per view (B, K)
        glcl = global_local_loss(logits, targets.chunk(2), c.student_temperature)
        koleo = sum((koleo_loss(view) for view in cls[0].chunk(2)), torch.zeros((), device=self.device))
        mfm, cell_targets = torch.zeros((), device=self.device), None
        if mask is not None and c.mfm_weight:
            with torch.no_grad():
                cell_targets = self._targets("cells", teacher.token_head(seen.tokens[:, 0][mask]), temperature)  # (cells, K)
            mfm = masked_feature_loss(student.token_head(tokens[mask]), cell_targets, mask, c.student_temperature)
        loss = c.glcl_weight * glcl + c.mfm_weight * mfm + c.koleo_weight * koleo
        numbers = torch.stack([loss, glcl, mfm, koleo]).tolist()
        values: dict[str, float] = dict(zip(("loss", *LOSSES), numbers, strict=True))
        values["glcl_over_lnk"] = values["glcl"] / math.log(c.prototypes)
        values["target_prototypes"] = inspection.effective_prototypes(targets)
        values["used_prototypes"] = inspection.used_prototypes(targets)
        if cell_targets is not None:
            values["cell_target_prototypes"] = inspection.effective_prototypes(cell_targets)
        return loss, values


def parameter_groups(network: nn.Module, patch_lr_factor: float = 1.0) -> list[dict]:
    """For AdamW: no weight decay on biases and norms; a learning-rate factor on the patch embedding."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        decays = not (name.endswith(("bias", ".norms")) or "norm" in name.rpartition(".")[0].rpartition(".")[2])
        groups.setdefault((decays, "patch_embed" in name), []).append(parameter)
    return [{"params": p, "decays": decays, "factor": patch_lr_factor if patch else 1.0} for (decays, patch), p in groups.items()]


def set_rates(optimizer: torch.optim.Optimizer, lr: float, weight_decay: float) -> None:
    """This step's learning rate and weight decay, in groups that `parameter_groups` made."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group["factor"]
        group["weight_decay"] = weight_decay if group["decays"] else 0.0


def learning_rate(config: Any, step: int) -> float:
    """Linear warm-up to config.lr over the `warmup` part of the run, then a cosine to config.min_lr."""
    rise = (step + 1) / max(1.0, config.warmup * config.steps)
    fall = (step / config.steps - config.warmup) / max(1e-9, 1 - config.warmup)
    return config.lr * rise if rise < 1 else cosine((config.lr, config.min_lr), fall)


def cosine(bounds: tuple[float, float], part: float) -> float:
    """From the first bound to the last on half a cosine; part 0..1 of the way."""
    return bounds[1] + (bounds[0] - bounds[1]) * 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, part))))


def _check_start(start: Encoder, encoder: Encoder) -> None:
    theirs, ours = (asdict(replace(e.config, init_std=None, frames=e.config.patch_frames)) for e in (start, encoder))
    differ = [f"{k} {theirs[k]}, not {ours[k]}" for k in ours if k != "skeleton" and theirs[k] != ours[k]]
    if theirs["skeleton"]["names"] != ours["skeleton"]["names"]:
        differ.append("another body (load it with skeleton=store.skeleton)")
    if differ:
        raise ValueError(f"start: these weights do not fit the run's settings: {'; '.join(differ)}")


def check_finite(values: dict[str, float], names: Sequence[str], step: int) -> None:
    """Raises FloatingPointError that names step and value where one of these is not finite."""
    for name in names:
        if not math.isfinite(values[name]):
            raise FloatingPointError(
                f"step {step}: {name} is {values[name]}. The last checkpoint is kept. Try a smaller base_lr, a longer warmup, a "
                "smaller gradient_clip or a higher teacher_temperature"
            )
