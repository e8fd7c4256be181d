"""Figures for paper (matplotlib) and screen (plotly). Every function returns a figure; `save` writes one of paper."""

from slimlab.plot.body import frames_strip, mask_on_body
from slimlab.plot.dataset import report
from slimlab.plot.gallery import gallery
from slimlab.plot.invariants import invariants
from slimlab.plot.looking import (
    attention,
    attention_distance,
    attention_heads,
    prototype_usage,
    token_pca,
    token_similarity,
)
from slimlab.plot.masks import Masking, draw_mask, mask_gallery, mask_grid, mask_table, run_lengths, tube_colors
from slimlab.plot.player import player
from slimlab.plot.results import confusion, embedding, losses
from slimlab.plot.retrieval import neighbours
from slimlab.plot.scene import Bodies, bodies, by_side, shaded
from slimlab.plot.studies import study
from slimlab.plot.style import save
from slimlab.plot.training import training

__all__ = [
    "Bodies",
    "Masking",
    "attention",
    "attention_distance",
    "attention_heads",
    "bodies",
    "by_side",
    "confusion",
    "draw_mask",
    "embedding",
    "frames_strip",
    "gallery",
    "invariants",
    "losses",
    "mask_gallery",
    "mask_grid",
    "mask_on_body",
    "mask_table",
    "neighbours",
    "player",
    "prototype_usage",
    "report",
    "run_lengths",
    "save",
    "shaded",
    "study",
    "token_pca",
    "token_similarity",
    "training",
    "tube_colors",
]
