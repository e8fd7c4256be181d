"""Explorers for JupyterLab and Notebook. What each shows is a plain function of `slimlab.plot` first."""

from slimlab.widgets.clips import ClipPlayer
from slimlab.widgets.masks import MaskExplorer
from slimlab.widgets.stage import Stage

__all__ = ["ClipPlayer", "MaskExplorer", "Stage"]
