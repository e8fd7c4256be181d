"""Figures for paper and notebook (matplotlib). Every function returns a Figure and draws nothing else; `save` writes it."""

from slimlab.plot.body import frames_strip, mask_on_body
from slimlab.plot.dataset import report
from slimlab.plot.results import confusion, embedding, losses
from slimlab.plot.style import save

__all__ = ["confusion", "embedding", "frames_strip", "losses", "mask_on_body", "report", "save"]
