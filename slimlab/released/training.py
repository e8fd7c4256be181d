"""The trainer of runs that make the authors' mistakes: `Config(released_quirks=True)`, or some of them by name.

`Mistakes` replaces those steps of `pretrain.trainer.Trainer` in which the released code goes wrong, each where the settings ask
for it. What the mistakes are: `slimlab.released.faults`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from slimlab import augment, masking
from slimlab.released import faults

if TYPE_CHECKING:  # `pretrain` is above `released`, and puts the two together
    from slimlab.pretrain.trainer import Trainer
else:
    Trainer = object


class Mistakes(Trainer):
    """To be put before the trainer among the bases of a class."""

    makes_mistakes = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.config.makes("bone_scaling"):
            self.skeleton = faults.IndexOrdered(**self.skeleton.to_dict())
        if self.config.makes("absent_frames"):
            self.sampler.cut = faults.sample_views
        if self.config.makes("test_view"):
            self.test_view = faults.test_view

    def _centered(self, x: Tensor, origin: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        if not (self.config.makes("centering") and self.config.centering == "first_frame"):
            return super()._centered(x, origin, seen)
        x = faults.center(x, origin)
        return x, augment.present(x)[:, 0].expand(-1, -1, x.shape[3], -1)  # the authors' code knows no unseen joint

    def _local_ratios(self, counts: Sequence[int], rng: Any) -> Sequence[Tensor]:
        if not self.config.makes("local_ratios"):
            return super()._local_ratios(counts, rng)
        return [masking.stratified_ratios(n, self.config.mask_bounds_locals, rng, shuffle=False) for n in counts]

    def _strategy(self, name: str) -> Callable[..., Tensor]:
        gives_up = self.config.makes("mask_budget") and name == "semantic_tubes"
        return faults.semantic_tubes if gives_up else super()._strategy(name)
