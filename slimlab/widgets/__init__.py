"""Explorers for JupyterLab and Notebook. What each shows is a plain function of `slimlab.plot` first."""

<<<<<<< HEAD
from slimlab.widgets.attention import AttentionExplorer
from slimlab.widgets.cells import Cells
from slimlab.widgets.embedding import EmbeddingExplorer
from slimlab.widgets.features import FeatureExplorer
from slimlab.widgets.prototypes import PrototypeExplorer
from slimlab.widgets.retrieval import RetrievalViewer
=======
from slimlab.widgets.augmentations import AugmentationExplorer
from slimlab.widgets.clips import ClipPlayer
from slimlab.widgets.masks import MaskExplorer
>>>>>>> widgets
from slimlab.widgets.stage import Stage
from slimlab.widgets.training import TrainingMonitor

<<<<<<< HEAD
__all__ = [
    "AttentionExplorer",
    "Cells",
    "EmbeddingExplorer",
    "FeatureExplorer",
    "PrototypeExplorer",
    "RetrievalViewer",
    "Stage",
]
=======
__all__ = ["AugmentationExplorer", "ClipPlayer", "MaskExplorer", "Stage", "TrainingMonitor"]
>>>>>>> widgets
