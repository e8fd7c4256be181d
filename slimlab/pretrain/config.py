"""What a pre-training run is: one frozen dataclass, three presets (how they work: `slimlab.pretrain.presets`).

Every schedule is a fraction of the run's steps, so that a run of any length keeps its shape. `paper` is the recipe of SLiM
(arXiv 2603.10648, section 4.1 and the released settings); `tiny` is the same method sized for two CPU cores; `small` is at such a
size, but on the paper's own grid of tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from slimlab import augment
from slimlab._validation import Rule, boolean, check, choice, integer, number, optional, pair
from slimlab.data.streams import STREAMS
from slimlab.encoder import EncoderConfig, check_heads
from slimlab.masking import STRATEGIES
from slimlab.pretrain.presets import begins_with, make_plain
from slimlab.released import faults
from slimlab.skeleton import Skeleton

LocalViews = tuple[tuple[int, int, tuple[float, float]] | tuple[int, int, tuple[float, float], int], ...]

# The view set of SLiM's first preprint: one view of each length, inside the first global view's interval alone. How long
# their intervals are it does not say; these are the released code's.
PREPRINT_VIEWS: LocalViews = ((32, 1, (0.35, 0.7), 1), (16, 1, (0.15, 0.4), 1), (8, 1, (0.05, 0.2), 1))

PAPER_ROTATION = (math.pi / 6, math.pi, math.pi / 6)  # rad about x, y (up), z: any turn about the vertical, tilts of 30 degrees
RELEASED_ROTATION = 0.3  # rad about each axis, in the released pre-training code


# settings that may change from one part of a run to the next
RUNTIME = ("checkpoint_seconds", "precision", "compile", "microbatch")


def _mask_ratio(value: Any) -> str:
    """What is wrong with a mask ratio: a number, or a pair of bounds."""
    return pair(FRACTION, ordered=True)(value) if isinstance(value, tuple) else FRACTION(value)


def _mirror(value: Any) -> str:
    """What is wrong with mirroring: on, off, or the joints alone."""
    return "" if isinstance(value, bool) or value == "joints" else "must be True, False or 'joints'"


def _rotation(value: Any) -> str:
    """What is wrong with the most rad about each axis: a number for all three, or three."""
    angles = value if isinstance(value, tuple) and len(value) == 3 else (value,)
    return "must be an angle of at least 0 rad, or three, one for each axis" if any(map(number(), angles)) else ""


def _released_quirks(value: Any) -> str:
    """What is wrong with the choice of the authors' mistakes: True, False, a name, or names."""
    names = () if isinstance(value, bool) else value if isinstance(value, tuple) else (value,)
    unknown = [str(name) for name in names if name not in faults.NAMES]
    return f"holds {', '.join(unknown)}, which is unknown; choose True, or of {', '.join(faults.NAMES)}" if unknown else ""


def _local_views(value: Any) -> str:
    """What is wrong with the local views: none, or tuples of frames, views, part of the interval and global views."""
    rules = (integer(1), integer(1), pair(number(0, 1, above=True), ordered=True), integer(1, 2))
    for view in value if isinstance(value, tuple) else (value,):
        if not isinstance(view, tuple) or len(view) not in (3, 4) or any(r(v) for r, v in zip(rules, view, strict=False)):
            return f"has the view {view!r}, which should be (frames, views, (least, most part)), and 1 or 2 global views"
    return ""


FRACTION = number(0, 1)
RULES: dict[str, Rule] = {  # what each field accepts; what several fields have to agree on is in `Config.__post_init__`
    "preset": choice(("paper", "small", "tiny")),
    "seed": integer(0, 2**63 - 1),
    "steps": integer(1),
    "minutes": optional(number(0, above=True)),
    "batch_size": integer(2),  # a single clip leaves Sinkhorn and KoLeo nothing to compare
    "released_quirks": _released_quirks,
    "details": choice(("plain", "released")),
    "width": integer(1),
    "depth": integer(1),
    "heads": integer(1),
    "patch_frames": integer(1),
    "registers": integer(0),
    "init": choice(("normal", "fan_in")),
    "centering": choice(augment.CENTERINGS),
    "input_scale": number(0, above=True),
    "stream": choice(STREAMS),
    "global_frames": integer(1),
    "global_range": pair(number(0, 1, above=True), ordered=True),
    "local_views": _local_views,
    "augment_probability": FRACTION,
    "mirror": _mirror,
    "scaling": choice(augment.SCALINGS),
    "bone_scale": pair(number(0, above=True), ordered=True),
    "rotation": _rotation,
    "noise": number(),
    "masking": choice(list(STRATEGIES)),
    "mask_ratio": _mask_ratio,
    "mask_globals": FRACTION,
    "mask_locals": boolean,
    "masking_locals": optional(choice(list(STRATEGIES))),
    "mask_ratio_locals": optional(_mask_ratio),
    "targets": choice(("sinkhorn", "centering", "softmax")),
    "prototypes": integer(2),
    "head_hidden": integer(1),
    "head_bottleneck": integer(1),
    "student_temperature": number(0, above=True),
    "teacher_temperature": pair(number(0, above=True)),
    "temperature_warmup": FRACTION,
    "glcl_weight": number(),
    "mfp_weight": number(),
    "koleo_weight": number(),
    "base_lr": number(),
    "min_lr": number(),
    "patch_lr_factor": number(),
    "warmup": FRACTION,
    "weight_decay": pair(number()),
    "gradient_clip": number(0, above=True),
    "momentum": pair(FRACTION),
    "frozen_prototypes": FRACTION,
    "evaluations": integer(0),
    "snapshots": integer(1),
    "checkpoint_seconds": number(),
    "precision": choice(("fp32", "bf16")),
    "microbatch": optional(integer(1)),
    "compile": boolean,
}


PRESETS: dict[str, Config] = {}  # filled below


def _bounds(ratio: float | tuple[float, float]) -> tuple[float, float]:
    return (ratio, ratio) if isinstance(ratio, (int, float)) else (ratio[0], ratio[1])


@begins_with(PRESETS)
@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of a run. What is not given has the preset's value; the values here are those of `tiny`.

    `Config(preset="paper", steps=4)` is `PRESETS["paper"]` with four steps. `dataclasses.replace(config, ...)` changes what it
    names alone, so a preset is chosen when a Config is made.

    minutes        wall minutes instead of steps: a few throw-away steps are timed first and `steps` set from them
    stream         what the encoder is given: joint, bone or motion (`slimlab.data.streams`), made after the augmentations
    rotation       most rad about each axis (x, y up, z), or one number for all three
    noise          factor of the jitter and of the dropped axis of views (`Trainer._noise`): 1 as the paper, 0 none
    local_views    (frames, views per global view, part of its interval) for each granularity; a fourth number, 1, keeps them
                   to the first global view (PREPRINT_VIEWS)
    mirror         True: left and right change places and x its sign. "joints": the joints alone change places, which mirrors
                   nothing (table 5b of the paper, "limited"). False where left and right are different classes
    scaling        what bone_scale bounds: "bones", a factor for the bones of each part; "axes", for each axis (5b, "limited")
    mask_globals   part of the global views that is masked; mask_locals: whether local views are masked too
    masking_locals, mask_ratio_locals  of the local views, where not as `masking` and `mask_ratio` (table 5a)
    base_lr        learning rate at batch 1,024; it goes with the square root of the batch size
    teacher_temperature  (first, last), linear over the `temperature_warmup` part of the run
    targets        "sinkhorn", or "centering": softmax after a running mean of the teacher's logits; "softmax": nothing keeps the
                   prototypes in balance, which collapses (to be shown, lesson 05)
    momentum, weight_decay  (first, last), on a cosine over the run
    frozen_prototypes  part of the run in which the prototypes stand still
    evaluations    how often leave-one-subject kNN and feature rank are measured on the training side
    released_quirks  True: make the authors' known mistakes (`released.faults`), to compare with their runs; or some of them by
                   name (`faults.NAMES`), such as ("bone_scaling",), to see what one costs
    details        "released": as the released code does it where the paper is silent, which is no mistake. Prototypes begin as
                   nn.Linear's weights do; their norms decay; while they stand still, their gradients count for Adam's moments
                   and for the clipping; views are cut as `data.sample_views(released=True)` cuts them; a mask ratio is rounded
                   down to whole tokens; the first step of the warm-up has a learning rate of zero. "plain": none of these
    precision      "fp32", or "bf16": matrix products in bfloat16 (autocast); weights, targets and losses stay float32
    compile        let `torch.compile` translate the encoder's blocks: minutes at the start of a run, and a C++ compiler is needed
    microbatch     clips of a process that go through the networks at once, where memory is short; Sinkhorn, center and KoLeo
                   see the whole batch all the same, in two passes. At most batch_size. None: all
    snapshots      how many encoders are kept along the way (`Run.snapshots`), the last step's among them

    Snapshots and evaluations are at most one a step: a run with fewer steps has as many as it has steps. Every field is checked
    here (RULES); what depends on the device or the body is checked by the `Trainer`.

    Raises ValueError that names field, value and what the field accepts, for an unknown preset or an impossible value.
    """

    preset: str = "tiny"
    seed: int = 0
    steps: int = 2000
    minutes: float | None = None
    batch_size: int = 32
    released_quirks: bool | str | tuple[str, ...] = False
    details: str = "plain"
    # encoder
    width: int = 64
    depth: int = 3
    heads: int = 2
    patch_frames: int = 16
    registers: int = 4
    init: str = "fan_in"
    centering: str = "every_frame"
    input_scale: float = 3.0
    stream: str = "joint"
    # views, augmentation, masks
    global_frames: int = 32
    global_range: tuple[float, float] = (0.8, 1.0)
    local_views: LocalViews = ((16, 1, (0.4, 0.8)),)
    augment_probability: float = 0.5
    mirror: bool | str = False
    scaling: str = "bones"
    bone_scale: tuple[float, float] = (0.85, 1.15)
    rotation: float | tuple[float, float, float] = 0.3
    noise: float = 1.0
    masking: str = "semantic_tubes"
    mask_ratio: float | tuple[float, float] = (0.5, 0.9)
    mask_globals: float = 0.5
    mask_locals: bool = False
    masking_locals: str | None = None
    mask_ratio_locals: float | tuple[float, float] | None = None
    # heads and losses
    targets: str = "sinkhorn"
    prototypes: int = 128
    head_hidden: int = 256
    head_bottleneck: int = 64
    student_temperature: float = 0.1
    teacher_temperature: tuple[float, float] = (0.02, 0.02)
    temperature_warmup: float = 30 / 150
    glcl_weight: float = 1.0
    mfp_weight: float = 0.25
    koleo_weight: float = 0.02
    # optimisation
    base_lr: float = 4e-3 * 32**0.5
    min_lr: float = 1e-5
    patch_lr_factor: float = 1.0
    warmup: float = 0.05
    weight_decay: tuple[float, float] = (0.04, 0.04)
    gradient_clip: float = 3.0
    momentum: tuple[float, float] = (0.97, 1.0)
    frozen_prototypes: float = 0.0
    # bookkeeping
    evaluations: int = 10
    snapshots: int = 10
    checkpoint_seconds: float = 30.0
    # how it is computed, not what: a run may go on under others
    precision: str = "fp32"
    microbatch: int | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        make_plain(self)
        check(self, RULES)
        check_heads(self.width, self.heads)
        for frames in (self.global_frames, *(v[0] for v in self.local_views)):
            if frames % self.patch_frames:
                raise ValueError(f"views of {frames} frames do not divide into patches of {self.patch_frames}")
        if self.microbatch is not None and self.microbatch > self.batch_size:
            raise ValueError(f"microbatch {self.microbatch} must be at most batch_size {self.batch_size}, or None for all clips")
        for name in ("masking_locals", "mask_ratio_locals"):
            if getattr(self, name) is not None and not self.mask_locals:
                raise ValueError(f"{name} {getattr(self, name)!r} has no effect where mask_locals is False; set mask_locals=True")
        views = 2 * self.batch_size
        if self.mask_globals and not round(self.mask_globals * views):
            raise ValueError(
                f"mask_globals {self.mask_globals} of {views} global views rounds to none; take at least {1 / views:.3g}, or 0"
            )

    def makes(self, quirk: str) -> bool:
        """Whether the run makes this mistake of `released.faults.NAMES`."""
        made = self.released_quirks
        return made is True or made == quirk or (isinstance(made, tuple) and quirk in made)

    @property
    def mask_bounds(self) -> tuple[float, float]:
        """Lowest and highest mask ratio."""
        return _bounds(self.mask_ratio)

    @property
    def mask_bounds_locals(self) -> tuple[float, float]:
        """The same of the local views."""
        return self.mask_bounds if self.mask_ratio_locals is None else _bounds(self.mask_ratio_locals)

    @property
    def lr(self) -> float:
        """The highest learning rate of the run: base_lr * sqrt(batch_size / 1024)."""
        return self.base_lr * (self.batch_size / 1024) ** 0.5

    @property
    def init_std(self) -> float | None:
        return 0.02 if self.init == "normal" else None

    def encoder(self, skeleton: Skeleton) -> EncoderConfig:
        """The encoder of this run on this body."""
        return EncoderConfig(
            skeleton=skeleton,
            width=self.width,
            depth=self.depth,
            heads=self.heads,
            patch_frames=self.patch_frames,
            registers=self.registers,
            frames=self.global_frames,
            init_std=self.init_std,
            centering=self.centering,
            input_scale=self.input_scale,
            stream=self.stream,
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `Config(**d)` makes it again."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


# SLiM whole (GLCL, MFP, STM, SAA) where two CPU cores learn in minutes. Chosen on held-out training subjects of UTD-MHAD;
# the log is docs/small_scale.md. 3,129 to 3,343 steps, 5.8 wall minutes on 2 cores, gave kNN 0.808 +- 0.031 and probe
# 0.855 +- 0.020 on UTD-MHAD, odd -> even subjects (benchmarks/utd_table.py); 18,000 steps, half an hour of two idle cores,
# 0.860 and 0.893 (one seed, an earlier version, benchmarks/learning_curve.py).
PRESETS["tiny"] = Config()

# The paper's grid of 8 x V tokens where two CPU cores learn in an hour or two: `tiny`'s recipe, mirrored and turned by any angle
# about the vertical, with one unmasked local view of half the length. Searched for on training subjects alone
# (benchmarks/search_small.py, docs/small_scale.md): the paper's three local views, its masks on them and its tilts learned less.
PRESETS["small"] = Config(
    preset="small",
    steps=5400,
    depth=4,
    heads=4,
    patch_frames=8,
    global_frames=64,
    global_range=(0.6, 1.0),
    local_views=((32, 1, (0.4, 0.8)),),
    mirror=True,
    rotation=(0.3, math.pi, 0.3),
    prototypes=256,
)

# The recipe of SLiM (arXiv 2603.10648, section 4.1): the paper where it speaks, the released settings where it is silent.
PRESETS["paper"] = Config(
    preset="paper",
    steps=187_500,
    batch_size=768,
    details="released",
    width=256,
    depth=8,
    heads=8,
    patch_frames=8,
    registers=4,
    init="normal",
    centering="first_frame",
    input_scale=1.0,
    stream="joint",
    global_frames=64,
    global_range=(0.5, 1.0),
    local_views=((32, 1, (0.35, 0.7)), (16, 2, (0.15, 0.4)), (8, 1, (0.05, 0.2))),
    augment_probability=0.5,
    mirror=True,
    bone_scale=(0.85, 1.15),
    rotation=PAPER_ROTATION,
    noise=1.0,
    masking="semantic_tubes",
    mask_ratio=(0.5, 0.9),
    mask_globals=0.5,
    mask_locals=True,
    targets="sinkhorn",
    prototypes=65_536,
    head_hidden=2048,
    head_bottleneck=256,
    student_temperature=0.1,
    teacher_temperature=(0.04, 0.07),
    temperature_warmup=30 / 150,
    glcl_weight=1.0,
    mfp_weight=1.0,
    koleo_weight=0.1,
    base_lr=2e-4,
    min_lr=1e-6,
    patch_lr_factor=0.2,
    warmup=20 / 150,
    weight_decay=(0.04, 0.2),
    gradient_clip=3.0,
    momentum=(0.994, 1.0),
    frozen_prototypes=1 / 150,
    evaluations=150,
    snapshots=10,
    checkpoint_seconds=600.0,
)
