"""Scripts of notebooks/ as modules: they are no package."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parent.parent


def load(name: str) -> ModuleType:
    """notebooks/<name>.py; it may import its neighbours."""
    folder = str(ROOT / "notebooks")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)
