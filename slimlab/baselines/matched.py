"""What is predicted at masked tokens, all else alike: the rows of SLiM's table 10 (arXiv 2603.10648) in one loop.

    run = pretrain.fit(train, matched.Config(preset="small", predicts="coordinates"), method=matched.METHOD)

Views, augmentations, masks, GLCL, KoLeo, teacher and schedules are those of `slimlab.pretrain`; the loss at masked tokens is
another one. The authors' reading of the table: neither leaving out the decoder nor predicting features brings the gain; the
assignment to prototypes does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimlab import pretrain
from slimlab._validation import Rule, check, choice, integer
from slimlab.baselines.mae.network import patches
from slimlab.encoder import Block, EncoderConfig, rotary_tables
from slimlab.pretrain.gradcache import Piece
from slimlab.pretrain.networks import Networks
from slimlab.pretrain.presets import begins_with
from slimlab.pretrain.trainer import Targets, Trainer
from slimlab.skeleton import Skeleton
from slimlab.weights import load_encoder, save_encoder

PREDICTS = ("prototypes", "coordinates", "features", "features, predictor")
RULES: dict[str, Rule] = {"predicts": choice(PREDICTS), "decoder_depth": integer(1)}


@begins_with(pretrain.PRESETS)
@dataclass(frozen=True, kw_only=True)
class Config(pretrain.Config):
    """`slimlab.pretrain.Config` and what the student has to find for a masked token.

    predicts  "prototypes": those that the teacher assigns, by cross-entropy, which is SLiM to the bit. "coordinates": the token's
              frames as the encoder is given them, by mean squared error, through a decoder. "features": the teacher's embedding
              by its token head, of unit length, by squared distance. "features, predictor": the same, from the student's
              embedding by two more layers, which the teacher does not have (as in BYOL, arXiv 2006.07733)
    decoder_depth  blocks of the decoder; five in the table

    mfp_weight is the weight of each of these losses; the paper does not say with which weights it compared them.
    """

    predicts: str = "prototypes"
    decoder_depth: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        check(self, RULES)


class Decoder(nn.Module):
    """Blocks of the encoder's kind on all of its tokens, then the coordinates of each token's frames."""

    def __init__(self, config: EncoderConfig, depth: int) -> None:
        super().__init__()
        self.head_size = config.width // config.heads
        self.blocks = nn.ModuleList(Block(config) for _ in range(depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.coordinates = nn.Linear(config.width, 3 * config.patch_frames)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=config.init_std or layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(n, T', V, D) -> (n, T', V, patch_frames*3)."""
        steps, joints = tokens.shape[1:3]
        time = torch.arange(steps, device=tokens.device).repeat_interleave(joints)  # (T'*V,)
        cos, sin = rotary_tables(time, self.head_size)
        sequence = tokens.flatten(1, 2)  # (n, T'*V, D)
        for block in self.blocks:
            sequence, _ = block(sequence, (cos, sin), False)
        return self.coordinates(self.norm(sequence)).unflatten(1, (steps, joints))


class Matched(Networks):
    """SLiM's networks, and what this kind of prediction needs beside them."""

    def __init__(self, config: Config, skeleton: Skeleton) -> None:
        super().__init__(config, skeleton)
        self.predicts = config.predicts
        if self.predicts == "coordinates":
            self.decoder = Decoder(self.encoder.config, config.decoder_depth)
        elif self.predicts == "features, predictor":
            size, hidden = config.head_bottleneck, config.head_hidden
            self.predictor = nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Linear(hidden, size))

    def asks(self, predicted: Tensor) -> Tensor:
        return torch.ones_like(predicted) if self.predicts == "coordinates" else predicted  # a decoder sees all tokens

    def predict(self, tokens: Tensor, predicted: Tensor) -> tuple[Tensor, ...]:
        if self.predicts == "prototypes":
            return super().predict(tokens, predicted)
        if self.predicts == "coordinates":
            return (self.decoder(tokens.unflatten(0, predicted.shape))[predicted],)  # (tokens, patch_frames*3)
        embedded = self.token_head.embed(tokens)  # (tokens, E)
        if self.predicts == "features":
            return (embedded,)
        return (F.normalize(self.predictor(embedded).float(), dim=-1, eps=1e-6),)


class MatchedTrainer(Trainer):
    """SLiM's trainer with another loss at masked tokens; see `Config.predicts`."""

    config: Config
    made_of = Matched

    @torch.no_grad()
    def token_targets(self, pieces: Sequence[Piece], tokens: Sequence[Tensor], *, temperature: float) -> Sequence[Tensor]:
        if self.config.predicts == "prototypes":
            return super().token_targets(pieces, tokens, temperature=temperature)
        if self.config.predicts == "coordinates":
            return [patches(p.views[0].squeeze(-1), self.config.patch_frames)[p.predicted] for p in pieces]
        with self._cast():
            return [self.teacher.token_head.embed(of_piece) for of_piece in tokens]

    def _missed(self, known: tuple[Tensor, ...], targets: Tensor, weights: Tensor) -> Tensor:
        if self.config.predicts == "prototypes":
            return super()._missed(known, targets, weights)
        error = (known[0].float() - targets.float()).square()  # (tokens, E), or (tokens, patch_frames*3)
        of_each = error.mean(dim=-1) if self.config.predicts == "coordinates" else error.sum(dim=-1)
        return (of_each * weights).sum()

    def _logged(self, losses: Tensor, targets: Targets) -> dict[str, float]:
        if self.config.predicts != "prototypes":  # how many prototypes the tokens use is then no question
            targets = Targets(targets.cls, [None] * len(targets.tokens))
        return super()._logged(losses, targets)

    def _unasked(self, piece: Piece) -> list[nn.Parameter]:
        unasked, student = super()._unasked(piece), self.student
        if piece.predicted is None:
            return unasked + [
                p for name, part in student.named_children() if name in ("decoder", "predictor") for p in part.parameters()
            ]
        if self.config.predicts == "coordinates":
            return list(student.token_head.parameters())
        return [] if self.config.predicts == "prototypes" else [student.token_head.prototypes, student.token_head.norms]


METHOD = pretrain.Method("matched", Config, MatchedTrainer, load_encoder, save_encoder)
