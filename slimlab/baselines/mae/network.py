"""A masked autoencoder for skeletons: encoder of the visible tokens, decoder, motion target.

MAMP (arXiv 2308.07092): tokens of 4 frames x 1 joint, 30 x 25 of them from 120 frames; learned position embeddings, one for
each time step plus one for each joint; plain pre-norm ViT blocks with GELU; no CLS token, features are the mean of all tokens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slimlab._renamed import takes_old_names
from slimlab._validation import check
from slimlab.augment import fill_unseen
from slimlab.encoder import POOLS, RULES, Attention, FeatureEncoder, combined, pooled, unseen_tokens
from slimlab.pretrain.run import replace_file, write_json
from slimlab.skeleton import KINECT_V2, Skeleton
from slimlab.weights.layout import misfits


@takes_old_names
@dataclass(frozen=True)
class EncoderConfig:
    """Sizes (defaults: MAMP's) and how its input is prepared; the fields mean what they do in `slimlab.encoder.EncoderConfig`."""

    skeleton: Skeleton = KINECT_V2
    width: int = 256
    depth: int = 8
    heads: int = 8
    patch_frames: int = 4
    mlp_ratio: float = 4.0
    frames: int = 120
    init_std: float | None = None
    centering: str = "first_frame"
    input_scale: float = 1.0
    stream: str = "joint"

    def __post_init__(self) -> None:
        check(self, {name: rule for name, rule in RULES.items() if name != "registers"})  # a MAE has none
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        if self.frames % self.patch_frames:
            raise ValueError(f"frames {self.frames} must be a multiple of patch_frames {self.patch_frames}")

    @property
    def steps(self) -> int:
        """Time steps T' of the token grid."""
        return self.frames // self.patch_frames


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        hidden = int(config.mlp_ratio * config.width)
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(config.width, hidden), nn.GELU(), nn.Linear(hidden, config.width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), None, False)[0]
        return x + self.mlp(self.norm2(x))


class Positions(nn.Module):
    """Learned position embeddings (T', V, D): one for each time step plus one for each joint."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.time = nn.Parameter(torch.zeros(config.steps, 1, config.width))
        self.joint = nn.Parameter(torch.zeros(1, len(config.skeleton), config.width))
        nn.init.trunc_normal_(self.time, std=0.02)
        nn.init.trunc_normal_(self.joint, std=0.02)

    def forward(self) -> Tensor:
        return self.time + self.joint


class Encoder(FeatureEncoder):
    """Tokens -> features. Pre-training encodes the visible tokens alone (`encode`), everything else all of them."""

    config: EncoderConfig
    has_cls = False

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EncoderConfig()
        self.patch_embed = nn.Linear(3 * config.patch_frames, config.width)
        self.positions = Positions(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        _init(self, config.init_std)

    def embed(self, clips: Tensor, unseen: Tensor | None = None) -> Tensor:
        """(P, 3, T, V) -> tokens with their positions (P, T'*V, D); of unseen ones (P, T', V) the position alone."""
        tokens = self.patch_embed(patches(clips, self.config.patch_frames))  # (P, T', V, D)
        if unseen is not None:
            tokens = torch.where(unseen[..., None], 0, tokens)
        return (tokens + self.positions()).flatten(1, 2)  # (P, T'*V, D)

    def encode(self, tokens: Tensor) -> Tensor:
        """Any tokens (P, N, D) -> after the final norm (P, N, D)."""
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)

    def forward(self, x: Tensor, people: Tensor | None = None, seen: Tensor | None = None) -> Tensor:
        """x (B, 3, T, V, M) prepared as the config says, T = config.frames -> tokens (B, M, T', V, D).

        people  (B, M) bool: who is there; the others are not encoded and come out as zeros. None: everyone
        seen    (B, T, V, M) bool, as of SLiM's encoder; of a token that was seen in fewer than half of its frames the position
                alone is encoded. None: every joint was seen
        Raises ValueError where a shape does not fit.
        """
        joints, frames = len(self.config.skeleton), self.config.frames
        if x.ndim != 5 or x.shape[1:4] != (3, frames, joints):
            raise ValueError(f"x is {tuple(x.shape)}, should be (B, 3, T, V, M) with T = {frames} and V = {joints}")
        batch, persons = x.shape[0], x.shape[4]
        there = torch.ones(batch, persons, dtype=torch.bool, device=x.device) if people is None else people
        if there.shape != (batch, persons):
            raise ValueError(f"people is {tuple(there.shape)}, should be (B, M) = {(batch, persons)}")
        unseen = None if seen is None else unseen_tokens(seen, self.config.patch_frames)[there]  # (P, T', V)
        x = x if seen is None else fill_unseen(x, seen)
        clips = x.permute(0, 4, 1, 2, 3)[there]  # (P, 3, T, V), P people
        tokens = self.encode(self.embed(clips, unseen))  # (P, T'*V, D)
        out = tokens.new_zeros(batch, persons, *tokens.shape[1:])
        out[there] = tokens
        return out.unflatten(2, (self.config.steps, joints))

    def features(
        self,
        x: Tensor,
        people: Tensor | None = None,
        blocks: int = 1,
        pool: str = "cls+mean",
        combine: str = "concat",
        seen: Tensor | None = None,
    ) -> Tensor:
        """One vector a clip, (B, F), with the arguments of SLiM's `Encoder.features`.

        There is no CLS token here: pool "cls+mean" is "mean", the mean of the last block's tokens, as MAMP pools.
        Raises ValueError for what an encoder without CLS cannot give: pool "cls", blocks above 1.
        """
        if pool not in POOLS or pool == "cls" or combine not in ("concat", "sum", "mean") or blocks != 1:
            raise ValueError(
                f"features of a MAE, which has no CLS token: pool is one of {POOLS[1:]}, combine concat, sum or mean, "
                f"blocks 1; not {pool!r}, {combine!r}, {blocks}"
            )
        read = pooled(self(x, people, seen), self.config.skeleton, pool.removeprefix("cls+"))  # (B, M, F)
        return combined(read, people, combine)


class MAE(nn.Module):
    """Encoder and decoder. The decoder takes encoded visible tokens and mask tokens, in place, and predicts every patch."""

    def __init__(self, config: EncoderConfig | None = None, decoder_depth: int = 5) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        config = self.encoder.config
        self.mask_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.decoder_embed = nn.Linear(config.width, config.width)
        self.decoder_positions = Positions(config)
        self.decoder_blocks = nn.ModuleList(Block(config) for _ in range(decoder_depth))
        self.decoder_norm = nn.LayerNorm(config.width, eps=1e-6)
        self.predict = nn.Linear(config.width, 3 * config.patch_frames)
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        for module in (self.decoder_embed, self.decoder_blocks, self.predict):
            _init(module, config.init_std)

    def forward(self, clips: Tensor, mask: Tensor, unseen: Tensor | None = None) -> Tensor:
        """clips (P, 3, T, V), mask (P, T', V) bool with the same number masked in each -> predictions (P, T', V, 3*frames).

        unseen  (P, T', V) bool: tokens of which the position alone is encoded, or None
        """
        visible = (~mask).flatten(1).nonzero()[:, 1].view(len(mask), -1, 1)  # (P, N, 1)
        visible = visible.expand(-1, -1, self.encoder.config.width)
        seen = self.encoder.encode(self.encoder.embed(clips, unseen).gather(1, visible))  # (P, N, D)
        return self.decode(seen, visible)

    def decode(self, seen: Tensor, visible: Tensor) -> Tensor:
        """Encoded tokens (P, N, D) and their places, expanded over D (P, N, D) -> predictions (P, T', V, 3*frames)."""
        config = self.encoder.config
        shape = (config.steps, len(config.skeleton))
        seen = self.decoder_embed(seen)
        tokens = self.mask_token.to(seen.dtype).expand(len(seen), shape[0] * shape[1], -1).scatter(1, visible, seen)
        tokens = tokens + self.decoder_positions().flatten(0, 1)  # (P, T'*V, D)
        for block in self.decoder_blocks:
            tokens = block(tokens)
        return self.predict(self.decoder_norm(tokens)).unflatten(1, shape)


def patches(clips: Tensor, patch_frames: int) -> Tensor:
    """(P, 3, T, V) -> each joint's coordinates over patch_frames frames, (P, T', V, patch_frames*3)."""
    return clips.unflatten(2, (-1, patch_frames)).permute(0, 2, 4, 3, 1).flatten(3)


def motion_target(clips: Tensor, patch_frames: int) -> Tensor:
    """What the decoder predicts, (P, T', V, patch_frames*3): motion, normalised within each patch (MAMP).

    Motion is the difference to the next frame, zero in the last one. Each patch has mean 0 and variance 1, unless it is still;
    a decoder that knows nothing predicts 0 and has a loss of (n - 1) / n of n = 3 * patch_frames values.
    """
    motion = F.pad(clips[:, :, 1:] - clips[:, :, :-1], (0, 0, 0, 1))  # (P, 3, T, V)
    target = patches(motion, patch_frames)
    return (target - target.mean(dim=-1, keepdim=True)) / (target.var(dim=-1, keepdim=True) + 1e-6).sqrt()


def save_encoder(encoder: Encoder, folder: Path) -> None:
    """Write `mae.json` (sizes, body, input) and `model.safetensors`, each whole, into `folder`."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().contiguous() for k, v in encoder.state_dict().items()}
    own = {f.name: getattr(encoder.config, f.name) for f in fields(encoder.config)}
    write_json(folder / "mae.json", own | {"skeleton": encoder.config.skeleton.to_dict()})
    replace_file(folder / "model.safetensors", lambda f: f.write(save(tensors)))


def load_encoder(folder: str | Path) -> Encoder:
    """Read what `save_encoder` wrote. Raises FileNotFoundError, or ValueError that names the file and what is wrong with it."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    file = Path(folder) / "model.safetensors"
    if not file.exists():
        raise FileNotFoundError(f"{file}: no such file; give the encoder's folder of a run of the MAE baseline")
    try:
        values, tensors = json.loads((file.parent / "mae.json").read_text()), load_file(file)
        config = EncoderConfig(**values | {"skeleton": Skeleton(**values["skeleton"])})
        blocks = len({name.split(".")[1] for name in tensors if name.startswith("blocks.")})
        if config.depth != blocks:
            raise ValueError(f"mae.json says depth {config.depth}, the tensors {blocks}")
        with torch.device("meta"):  # no memory is taken before the shapes are known to fit
            expected = Encoder(config).state_dict()
        if wrong := misfits(expected, tensors):
            raise ValueError(f"does not fit mae.json: {'; '.join(wrong)}")
        encoder = Encoder(config)
        encoder.load_state_dict(tensors)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ValueError(f"{file}: no encoder of the MAE baseline ({error})") from error
    return encoder.eval()


def _init(module: nn.Module, std: float | None) -> None:
    """Linear layers: zero bias; Xavier's uniform distribution as in MAE, or a truncated normal of this sd."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            if std is None:
                nn.init.xavier_uniform_(layer.weight)
            else:
                nn.init.trunc_normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
