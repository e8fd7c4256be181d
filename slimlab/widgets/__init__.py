"""Explorers for JupyterLab and Notebook. What each shows is a plain function of `slimlab.plot` first."""

from slimlab.widgets.augmentations import AugmentationExplorer
from slimlab.widgets.clips import ClipPlayer
from slimlab.widgets.masks import MaskExplorer
from slimlab.widgets.stage import Stage
from slimlab.widgets.training import TrainingMonitor

__all__ = ["AugmentationExplorer", "ClipPlayer", "MaskExplorer", "Stage", "TrainingMonitor"]
