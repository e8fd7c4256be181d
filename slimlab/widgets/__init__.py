"""Explorers for JupyterLab and Notebook. What each shows is a plain function of `slimlab.plot` first."""

from slimlab import _extras

_extras.require("notebook", "the explorers", "ipywidgets", "anywidget")

from slimlab.widgets.attention import AttentionExplorer
from slimlab.widgets.augmentations import AugmentationExplorer
from slimlab.widgets.cells import Cells
from slimlab.widgets.clips import ClipPlayer
from slimlab.widgets.curves import Curves
from slimlab.widgets.embedding import EmbeddingExplorer
from slimlab.widgets.features import FeatureExplorer
from slimlab.widgets.interventions import InterventionExplorer
from slimlab.widgets.masks import MaskExplorer
from slimlab.widgets.prototypes import PrototypeExplorer
from slimlab.widgets.retrieval import RetrievalViewer
from slimlab.widgets.sample import MaskedSample
from slimlab.widgets.scatter import Scatter
from slimlab.widgets.stage import Stage
from slimlab.widgets.timeline import TimelineExplorer
from slimlab.widgets.training import TrainingMonitor

__all__ = [
    "AttentionExplorer",
    "AugmentationExplorer",
    "Cells",
    "ClipPlayer",
    "Curves",
    "EmbeddingExplorer",
    "FeatureExplorer",
    "InterventionExplorer",
    "MaskExplorer",
    "MaskedSample",
    "PrototypeExplorer",
    "RetrievalViewer",
    "Scatter",
    "Stage",
    "TimelineExplorer",
    "TrainingMonitor",
]
