"""Figures for paper (matplotlib) and screen (plotly). Every function returns a figure; `save` writes one of paper."""

from slimlab.plot.body import frames_strip, mask_on_body
from slimlab.plot.gallery import gallery
from slimlab.plot.looking import (
    attention,
    attention_distance,
    attention_heads,
    prototype_usage,
    token_pca,
    token_similarity,
)
from slimlab.plot.player import player
from slimlab.plot.results import confusion, embedding, losses
from slimlab.plot.retrieval import neighbours
from slimlab.plot.scene import Bodies, bodies, by_side, shaded
from slimlab.plot.style import save

__all__ = [
    "Bodies",
    "attention",
    "attention_distance",
    "attention_heads",
    "bodies",
    "by_side",
    "confusion",
    "embedding",
    "frames_strip",
    "gallery",
    "losses",
    "mask_on_body",
    "neighbours",
    "player",
    "prototype_usage",
    "save",
    "shaded",
    "token_pca",
    "token_similarity",
]
