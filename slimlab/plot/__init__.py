"""Figures for paper (matplotlib) and screen (plotly). Every function returns a figure; `save` writes one of paper."""

from slimlab.plot.body import frames_strip, mask_on_body
from slimlab.plot.player import player
from slimlab.plot.results import confusion, embedding, losses
from slimlab.plot.scene import Bodies, bodies, by_side, shaded
from slimlab.plot.style import save

__all__ = [
    "Bodies",
    "bodies",
    "by_side",
    "confusion",
    "embedding",
    "frames_strip",
    "losses",
    "mask_on_body",
    "player",
    "save",
    "shaded",
]
