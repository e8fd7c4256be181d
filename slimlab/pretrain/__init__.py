"""Pre-training, in the order in which a run happens: config, setup, sampling, trainer, method, loop, run."""

from slimlab.pretrain.config import PAPER_ROTATION, PREPRINT_VIEWS, PRESETS, RELEASED_ROTATION, Config
from slimlab.pretrain.loop import Step, fit, steps, stream
from slimlab.pretrain.method import SLIM, Method
from slimlab.pretrain.packed import pack, pretrained_run
from slimlab.pretrain.run import Collapsed, Run, RunError
from slimlab.pretrain.setup import Estimate, estimate, folder_of

__all__ = [
    "PAPER_ROTATION",
    "PREPRINT_VIEWS",
    "PRESETS",
    "RELEASED_ROTATION",
    "SLIM",
    "Collapsed",
    "Config",
    "Estimate",
    "Method",
    "Run",
    "RunError",
    "Step",
    "estimate",
    "fit",
    "folder_of",
    "pack",
    "pretrained_run",
    "steps",
    "stream",
]
