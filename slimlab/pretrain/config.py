"""What a pre-training run is: one frozen dataclass, two presets.

Every schedule is a fraction of the run's steps, so that a run of any length keeps its shape. `paper` is the recipe of SLiM
(arXiv 2603.10648, section 4.1 and the released settings); `tiny` is the same method sized for two CPU cores.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from slimlab._validation import Rule, boolean, check, choice, integer, number, optional, pair
from slimlab.augment import CENTRINGS
from slimlab.data.streams import STREAMS
from slimlab.encoder import EncoderConfig, check_heads
from slimlab.masking import STRATEGIES
from slimlab.pretrain.presets import PRESETS
from slimlab.released import faults
from slimlab.skeleton import Skeleton

PRESET: Any = None  # a field's default: the preset's value
LocalViews = tuple[tuple[int, int, tuple[float, float]] | tuple[int, int, tuple[float, float], int], ...]

# The view set of SLiM's first preprint: one view of each length, inside the first global view's interval alone. How long
# their intervals are it does not say; these are the released code's.
PREPRINT_VIEWS: LocalViews = ((32, 1, (0.35, 0.7), 1), (16, 1, (0.15, 0.4), 1), (8, 1, (0.05, 0.2), 1))


HOW = ("checkpoint_seconds", "precision", "compile", "microbatch")  # settings that may change from one part of a run to the next


def _mask_ratio(value: Any) -> str:
    """What is wrong with a mask ratio: a number, or a pair of bounds."""
    return pair(FRACTION, ordered=True)(value) if isinstance(value, tuple) else FRACTION(value)


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
RULES: dict[str, Rule] = {  # what each field accepts; what several fields have to agree on is in `Config._check`
    "preset": choice(list(PRESETS)),
    "seed": integer(0, 2**63 - 1),
    "steps": integer(1),
    "minutes": optional(number(0, above=True)),
    "batch_size": integer(2),  # a single clip leaves Sinkhorn and KoLeo nothing to compare
    "released_quirks": _released_quirks,
    "width": integer(1),
    "depth": integer(1),
    "heads": integer(1),
    "patch_frames": integer(1),
    "registers": integer(0),
    "init": choice(("normal", "fan_in")),
    "centring": choice(CENTRINGS),
    "input_scale": number(0, above=True),
    "stream": choice(STREAMS),
    "global_frames": integer(1),
    "global_range": pair(number(0, 1, above=True), ordered=True),
    "local_views": _local_views,
    "augment_probability": FRACTION,
    "mirror": boolean,
    "bone_scale": pair(number(0, above=True), ordered=True),
    "rotation": _rotation,
    "noise": number(),
    "masking": choice(list(STRATEGIES)),
    "mask_ratio": _mask_ratio,
    "mask_globals": FRACTION,
    "mask_locals": boolean,
    "targets": choice(("sinkhorn", "centring", "softmax")),
    "prototypes": integer(2),
    "head_hidden": integer(1),
    "head_bottleneck": integer(1),
    "student_temperature": number(0, above=True),
    "teacher_temperature": pair(number(0, above=True)),
    "temperature_warmup": FRACTION,
    "glcl_weight": number(),
    "mfm_weight": number(),
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


@dataclass(frozen=True)
class Config:
    """Settings of a run; a field left at None takes the preset's value.

    minutes        wall minutes instead of steps: a few throw-away steps are timed first and `steps` set from them
    stream         what the encoder is given: joint, bone or motion (`slimlab.data.streams`), made after the augmentations
    rotation       most rad about each axis (x, y up, z), or one number for all three
    local_views    (frames, views per global view, part of its interval) for each granularity; a fourth number, 1, keeps them
                   to the first global view (PREPRINT_VIEWS)
    mask_globals   part of the global views that is masked; mask_locals: whether local views are masked too
    base_lr        learning rate at batch 1,024; it goes with the square root of the batch size
    teacher_temperature  (first, last), linear over the `temperature_warmup` part of the run
    targets        "sinkhorn", or "centring": softmax after a running mean of the teacher's logits; "softmax": nothing keeps the
                   prototypes in balance, which collapses (to be shown, lesson 05)
    momentum, weight_decay  (first, last), on a cosine over the run
    frozen_prototypes  part of the run in which the prototypes stand still
    evaluations    how often leave-one-subject kNN and feature rank are measured on the training side
    released_quirks  True: make the authors' known mistakes (`released.faults`), to compare with their runs; or some of them by
                   name (`quirks.NAMES`), such as ("bone_scaling",), to see what one costs
    precision      "fp32", or "bf16": matrix products in bfloat16 (autocast); weights, targets and losses stay float32
    compile        let `torch.compile` translate the encoder's blocks: minutes at the start of a run, and a C++ compiler is needed
    microbatch     clips of a process that go through the networks at once, where memory is short; Sinkhorn, centre and KoLeo
                   see the whole batch all the same, in two passes. At most batch_size. None: all
    snapshots      how many encoders are kept along the way (`Run.snapshots`), the last step's among them

    Snapshots and evaluations are at most one a step: a run with fewer steps has as many as it has steps. Every field is checked
    here (RULES); what depends on the device or the body is checked by the `Trainer`.

    Raises ValueError that names field, value and what the field accepts, for an unknown preset or an impossible value.
    """

    preset: str = "tiny"
    seed: int = 0
    steps: int = PRESET
    minutes: float | None = None
    batch_size: int = PRESET
    released_quirks: bool | str | tuple[str, ...] = False
    # encoder
    width: int = PRESET
    depth: int = PRESET
    heads: int = PRESET
    patch_frames: int = PRESET
    registers: int = PRESET
    init: str = PRESET
    centring: str = PRESET
    input_scale: float = PRESET
    stream: str = PRESET
    # views, augmentation, masks
    global_frames: int = PRESET
    global_range: tuple[float, float] = PRESET
    local_views: LocalViews = PRESET
    augment_probability: float = PRESET
    mirror: bool = PRESET
    bone_scale: tuple[float, float] = PRESET
    rotation: float | tuple[float, float, float] = PRESET
    noise: float = PRESET
    masking: str = PRESET
    mask_ratio: float | tuple[float, float] = PRESET
    mask_globals: float = PRESET
    mask_locals: bool = PRESET
    # heads and losses
    targets: str = PRESET
    prototypes: int = PRESET
    head_hidden: int = PRESET
    head_bottleneck: int = PRESET
    student_temperature: float = PRESET
    teacher_temperature: tuple[float, float] = PRESET
    temperature_warmup: float = PRESET
    glcl_weight: float = PRESET
    mfm_weight: float = PRESET
    koleo_weight: float = PRESET
    # optimisation
    base_lr: float = PRESET
    min_lr: float = PRESET
    patch_lr_factor: float = PRESET
    warmup: float = PRESET
    weight_decay: tuple[float, float] = PRESET
    gradient_clip: float = PRESET
    momentum: tuple[float, float] = PRESET
    frozen_prototypes: float = PRESET
    # bookkeeping
    evaluations: int = PRESET
    snapshots: int = PRESET
    checkpoint_seconds: float = PRESET
    # how it is computed, not what: a run may go on under others
    precision: str = "fp32"
    microbatch: int | None = None
    compile: bool = False

    def __post_init__(self) -> None:
        take_preset(self, PRESETS)
        self._check()

    def _check(self) -> None:
        check(self, RULES)
        check_heads(self.width, self.heads)
        for frames in (self.global_frames, *(v[0] for v in self.local_views)):
            if frames % self.patch_frames:
                raise ValueError(f"views of {frames} frames do not divide into patches of {self.patch_frames}")
        if self.microbatch is not None and self.microbatch > self.batch_size:
            raise ValueError(f"microbatch {self.microbatch} must be at most batch_size {self.batch_size}, or None for all clips")
        views = 2 * self.batch_size
        if self.mask_globals and not round(self.mask_globals * views):
            raise ValueError(
                f"mask_globals {self.mask_globals} of {views} global views rounds to none; take at least {1 / views:.3g}, or 0"
            )

    def makes(self, quirk: str) -> bool:
        """Whether the run makes this mistake of `quirks.NAMES`."""
        made = self.released_quirks
        return made is True or made == quirk or (isinstance(made, tuple) and quirk in made)

    @property
    def mask_bounds(self) -> tuple[float, float]:
        """Lowest and highest mask ratio."""
        ratio = self.mask_ratio
        return (ratio, ratio) if isinstance(ratio, (int, float)) else (ratio[0], ratio[1])

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
            centring=self.centring,
            input_scale=self.input_scale,
            stream=self.stream,
        )

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `Config(**d)` makes it again."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def take_preset(config: Any, presets: dict[str, dict[str, Any]]) -> None:
    """Fill the fields of a frozen settings dataclass that were left at None from its preset; lists become tuples.

    NumPy's numbers, such as those of a grid made with `np.linspace`, become Python's, which JSON can hold.
    """
    check(config, {"preset": choice(list(presets))})
    values = presets[config.preset]
    for field in fields(config):
        value = getattr(config, field.name)
        if value is None and field.name in values:
            value = values[field.name]
        object.__setattr__(config, field.name, _plain(value))


def _plain(value):
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    return tuple(_plain(v) for v in value) if isinstance(value, (list, tuple)) else value
