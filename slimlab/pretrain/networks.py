"""What a run trains: the encoder with its two prototype heads. SLiM, arXiv 2603.10648, section 3."""

from __future__ import annotations

from dataclasses import asdict, replace

from torch import Tensor, nn

from slimlab.encoder import Encoder
from slimlab.losses import PrototypeHead
from slimlab.pretrain.config import Config
from slimlab.skeleton import Skeleton

# CLS (n, D) of n views; embeddings (n, E) and directions (K, E) of the CLS head; what `predict` says of the masked tokens
Outputs = tuple[Tensor, tuple[Tensor, Tensor], tuple[Tensor, ...] | None]


class Networks(nn.Module):
    """Encoder and the two prototype heads; the teacher is another one of these."""

    def __init__(self, config: Config, skeleton: Skeleton) -> None:
        super().__init__()
        self.encoder = Encoder(config.encoder(skeleton))
        sizes = (config.width, config.prototypes, config.head_hidden, config.head_bottleneck, config.init_std)
        released = config.details == "released"
        self.cls_head = PrototypeHead(*sizes, released=released)
        self.token_head = PrototypeHead(*sizes, released=released)

    def forward(self, x: Tensor, mask: Tensor | None, predicted: Tensor | None = None) -> Outputs:
        """What the losses need of the student, in one call, which is what DistributedDataParallel wants.

        x (n, 3, T, V, 1); mask (n, T', V) bool or None: the tokens that are hidden; predicted (n, T', V) bool: those of them for
        which the token head has to find the teacher's prototype, None: none
        """
        asked = None if predicted is None else self.asks(predicted)
        cls, tokens = self.encoder.cls_and_tokens(x, mask, asked)  # (n, D), (asked, D)
        cells = None if predicted is None else self.predict(tokens, predicted)
        return cls, (self.cls_head.embed(cls), self.cls_head.directions), cells

    def asks(self, predicted: Tensor) -> Tensor:
        """The tokens (n, T', V) bool whose features `predict` takes, where it has to predict those that `predicted` names."""
        return predicted

    def predict(self, tokens: Tensor, predicted: Tensor) -> tuple[Tensor, ...]:
        """What the student says of the masked tokens that `predicted` (n, T', V) names, from the features (asked, D) of those
        that `asks` names: embeddings (tokens, E) and the token head's directions (K, E)."""
        return self.token_head.embed(tokens), self.token_head.directions


def check_start(start: Encoder, encoder: Encoder) -> None:
    """Raises ValueError, naming what differs, where weights to begin with do not fit the run's encoder."""
    theirs, ours = (asdict(replace(e.config, init_std=None, frames=e.config.patch_frames)) for e in (start, encoder))
    differ = [f"{k} {theirs[k]}, not {ours[k]}" for k in ours if k != "skeleton" and theirs[k] != ours[k]]
    if theirs["skeleton"]["names"] != ours["skeleton"]["names"]:
        differ.append("another body (load it with skeleton=store.skeleton)")
    if differ:
        raise ValueError(f"start: these weights do not fit the run's settings: {'; '.join(differ)}")
