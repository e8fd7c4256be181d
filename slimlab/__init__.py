"""slimlab: a research workbench for SLiM, masked feature prediction on skeleton motion (arXiv 2603.10648).

`import slimlab` is light: a submodule is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0"

_SUBMODULES = (
    "augment baseline cost data encoder evaluate inspection lessons masking naive objectives plot pretrain projection quirks run "
    "skeleton streams study weights widgets"
).split()
_SHORTCUTS = dict.fromkeys("load_encoder save_encoder pretrained pretrained_record".split(), "weights")

if TYPE_CHECKING:
    from slimlab import (  # noqa: F401
        augment,
        baseline,
        cost,
        data,
        encoder,
        evaluate,
        inspection,
        lessons,
        masking,
        naive,
        objectives,
        plot,
        pretrain,
        projection,
        quirks,
        run,
        skeleton,
        streams,
        study,
        weights,
        widgets,
    )
    from slimlab.weights import load_encoder, pretrained, pretrained_record, save_encoder  # noqa: F401


def __getattr__(name: str):
    if name in _SUBMODULES:
        return import_module(f"slimlab.{name}")
    if name in _SHORTCUTS:
        return getattr(import_module(f"slimlab.{_SHORTCUTS[name]}"), name)
    raise AttributeError(f"module 'slimlab' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*_SUBMODULES, *_SHORTCUTS, "__version__"])
