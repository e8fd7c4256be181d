"""Settings, one step, and the run of the MAE baseline; loop, data, checkpoints and resume are those of `slimlab.pretrain`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from slimlab import augment, masking, pretrain
from slimlab._validation import Rule, boolean, check, choice, integer, number, pair
from slimlab.baselines.mae.network import MAE, Encoder, EncoderConfig, load_encoder, motion_target, save_encoder
from slimlab.data import ClipStore, sample_views, test_view
from slimlab.encoder import unseen_tokens
from slimlab.evaluate import prepare
from slimlab.pretrain.config import RULES as SLIM_RULES
from slimlab.pretrain.presets import begins_with, make_plain
from slimlab.pretrain.sampling import generator
from slimlab.pretrain.schedules import learning_rate, parameter_groups, set_rates
from slimlab.pretrain.trainer import check_finite
from slimlab.skeleton import Skeleton


def _mask_ratio(value: Any) -> str:
    """What is wrong with a mask ratio: some tokens have to be seen and some predicted."""
    problem = number(0, 1, above=True)(value) or value == 1
    return "must lie between 0 and 1, so that tokens are seen and predicted" if problem else ""


def _beta(value: Any) -> str:
    """What is wrong with one of Adam's betas."""
    return "must lie in 0..1, below 1" if number(0, 1)(value) or value == 1 else ""


_SHARED = (
    *("seed", "steps", "minutes", "width", "depth", "heads", "patch_frames", "centering", "input_scale"),
    *("augment_probability", "bone_scale", "rotation", "masking", "base_lr", "min_lr", "warmup", "gradient_clip"),
    *("evaluations", "snapshots", "checkpoint_seconds"),
)
RULES: dict[str, Rule] = {name: SLIM_RULES[name] for name in _SHARED} | {
    "preset": choice(("mamp", "tiny")),
    "batch_size": integer(1),
    "decoder_depth": integer(1),
    "frames": integer(1),
    "view_range": SLIM_RULES["global_range"],
    "mirror": boolean,
    "mask_ratio": _mask_ratio,
    "weight_decay": number(),
    "betas": pair(_beta),
}


PRESETS: dict[str, Config] = {}  # filled below


@begins_with(PRESETS)
@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a run of the MAE. What is not given has the preset's value; the values here are those of `tiny`. What is not
    named here means what it does in `slimlab.pretrain.Config`.

    preset      "mamp": MAMP's sizes and recipe. "tiny": the same method at the size of SLiM's `tiny`
    batch_size  clips a step; each gives two views, as in SLiM
    frames      of a view; view_range the part of the clip that it covers
    masking     a name in `masking.STRATEGIES`; "motion_aware" is MAMP's

    Raises ValueError for an unknown preset or an impossible value.
    """

    preset: str = "tiny"
    seed: int = 0
    steps: int = 2000
    minutes: float | None = None
    batch_size: int = 32
    # networks
    width: int = 64
    depth: int = 3
    heads: int = 2
    decoder_depth: int = 2
    patch_frames: int = 4
    centering: str = "every_frame"
    input_scale: float = 3.0
    # views, augmentation, masks
    frames: int = 64
    view_range: tuple[float, float] = (0.8, 1.0)
    augment_probability: float = 0.5
    mirror: bool = False
    bone_scale: tuple[float, float] = (0.85, 1.15)
    rotation: float | tuple[float, float, float] = 0.3
    masking: str = "motion_aware"
    mask_ratio: float = 0.9
    # optimisation
    base_lr: float = 2e-3 * 32**0.5
    min_lr: float = 1e-5
    warmup: float = 20 / 400
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.95)
    gradient_clip: float = 3.0
    # bookkeeping
    evaluations: int = 10
    snapshots: int = 10
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        make_plain(self)
        check(self, RULES)
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.frames % self.patch_frames:
            raise ValueError(f"frames {self.frames} must be a multiple of patch_frames {self.patch_frames}")

    @property
    def lr(self) -> float:
        """The highest learning rate of the run: base_lr * sqrt(batch_size / 1024)."""
        return self.base_lr * (self.batch_size / 1024) ** 0.5

    def encoder(self, skeleton: Skeleton) -> EncoderConfig:
        """The encoder of this run on this body."""
        shared = {f.name: getattr(self, f.name) for f in fields(EncoderConfig) if hasattr(self, f.name)}
        return EncoderConfig(skeleton=skeleton, **shared)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `Config(**d)` makes it again."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


# MAMP, section 4.1: NTU-60 X-Sub, 400 epochs of 40,091 clips in batches of 128, learning rate 1e-3 falling to 5e-4
PRESETS["mamp"] = Config(
    preset="mamp",
    steps=400 * 40_091 // 128,
    batch_size=64,
    width=256,
    depth=8,
    heads=8,
    decoder_depth=5,
    patch_frames=4,
    centering="first_frame",
    input_scale=1.0,
    frames=120,
    view_range=(0.5, 1.0),
    augment_probability=0.5,
    mirror=False,
    bone_scale=(1.0, 1.0),
    rotation=0.3,
    masking="motion_aware",
    mask_ratio=0.9,
    base_lr=1e-3 * 16**0.5,
    min_lr=5e-4,
    warmup=20 / 400,
    weight_decay=0.05,
    betas=(0.9, 0.95),
    gradient_clip=3.0,
    evaluations=100,
    snapshots=10,
    checkpoint_seconds=600.0,
)

# The size, views, augmentation and input of SLiM's `tiny` with MAMP's tokens: 64 frames, since 4-frame patches are the point of
# the method (16 x 25 tokens, where SLiM's tiny has 2 x 25), and a decoder of 2 blocks for 3, as MAMP has 5 for 8.
PRESETS["tiny"] = Config()


class Trainer:
    """Encoder, decoder and optimiser on one device; `step` takes a batch of clips and updates them.

    start  an encoder of the same sizes whose weights this one begins with; the decoder is new

    Raises ValueError where the mask ratio leaves no token of this body to see or to predict.
    """

    def __init__(
        self, config: Config, skeleton: Skeleton, *, device: torch.device | str = "cpu", start: Encoder | None = None
    ) -> None:
        self.config, self.device = config, torch.device(device)
        cells = config.frames // config.patch_frames * len(skeleton)
        if int(masking.budget(config.mask_ratio, 1, cells)) in (0, cells):
            raise ValueError(
                f"mask_ratio {config.mask_ratio} masks none or all of the {cells} tokens of a view; some have to be seen and "
                f"some predicted: take a ratio in {1 / cells:.3g}..{1 - 1 / cells:.3g}"
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.mae = MAE(config.encoder(skeleton), config.decoder_depth).to(device)
        if start is not None:
            self.encoder.load_state_dict(start.state_dict())
        self.test_view = test_view  # of the clips that the run is measured on while it goes on
        self.optimizer = torch.optim.AdamW(parameter_groups(self.mae), lr=config.lr, betas=config.betas, fused=True)

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What a checkpoint holds beside the optimiser."""
        return {"mae": self.mae}

    @property
    def encoder(self) -> Encoder:
        """What the run is for."""
        return self.mae.encoder

    def step(self, store: ClipStore, clips: np.ndarray, step: int) -> dict[str, float]:
        """One update on these clips. Returns what to log; raises FloatingPointError, naming it, on NaN."""
        c = self.config
        x, unseen = self.views(store, clips, step)
        loss = self.loss(x, self.masks(x, step), unseen)
        values = {"loss": loss.item()}
        check_finite(values, ("loss",), step)
        lr = learning_rate(c, step)
        set_rates(self.optimizer, lr, c.weight_decay)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        values["gradient"] = float(nn.utils.clip_grad_norm_(self.mae.parameters(), c.gradient_clip))
        check_finite(values, ("gradient",), step)
        self.optimizer.step()
        return values | {"lr": lr}

    def views(self, store: ClipStore, clips: np.ndarray, step: int) -> tuple[Tensor, Tensor | None]:
        """Two augmented views of one person of each clip, (2B, 3, T, V, 1), without noise, which would be motion to predict; and
        the tokens (2B, T', V) whose joint was not seen, None where every joint was."""
        c, config = self.config, self.encoder.config
        rng = generator(c.seed, 1, step)
        views = sample_views(store, clips, rng, c.frames, c.view_range, ())
        x = views.globals.to(self.device).flatten(0, 1)  # (2B, 3, T, V, 1)
        seen = views.seen[0].to(self.device).flatten(0, 1)  # (2B, T, V, 1)
        origin = views.origin.repeat(2, 1)
        x, _ = prepare(x, config, seen, origin)  # pyright: ignore[reportArgumentType]  # has the same fields
        x = augment.skeleton_aware(x, config.skeleton, rng, c.augment_probability, c.bone_scale, c.rotation, c.mirror, seen=seen)
        if not store.has_unseen:
            return x, None
        seen = augment.seen_after(x, config.skeleton, seen)
        return augment.fill_unseen(x, seen), unseen_tokens(seen, c.patch_frames)[:, 0]

    def masks(self, x: Tensor, step: int) -> Tensor:
        """(2B, T', V) bool for views x."""
        c, config = self.config, self.encoder.config
        known = masking.known_of(c.masking, x, c.patch_frames)
        draw, rng = masking.STRATEGIES[c.masking], generator(c.seed, 2, step)
        return draw(len(x), config.steps, config.skeleton, c.mask_ratio, generator=rng, device=self.device, **known)

    def loss(self, x: Tensor, mask: Tensor, unseen: Tensor | None = None) -> Tensor:
        """Mean squared error of the predicted motion over the masked tokens that were seen; about 1 where nothing is known."""
        clips = x.squeeze(-1)  # (2B, 3, T, V)
        target = motion_target(clips, self.config.patch_frames)
        error = (self.mae(clips, mask, unseen) - target).square().mean(dim=-1)  # (2B, T', V)
        return error[mask if unseen is None else mask & ~unseen].mean()


METHOD = pretrain.Method("mae", Config, Trainer, load_encoder, save_encoder)
Run = partial(pretrain.Run, method=METHOD)  # `Run(folder)` opens a run of the MAE; its `.encoder` is an `Encoder`


def fit(
    store: ClipStore,
    config: Config | None = None,
    *,
    folder: str | Path | None = None,
    resume: bool = True,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> pretrain.Run:
    """Pre-train the MAE on all clips of `store` and return the finished run: `pretrain.fit` with this method."""
    return pretrain.fit(store, config, folder=folder, resume=resume, device=device, progress=progress, method=METHOD)
