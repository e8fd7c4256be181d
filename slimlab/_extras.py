"""Optional packages: what is missing is named in one sentence, with the extra of slimlab that installs it."""

from __future__ import annotations

import importlib.util


class MissingExtra(ModuleNotFoundError):
    """An optional package is not installed."""


def require(extra: str, purpose: str, *packages: str) -> None:
    """Raise MissingExtra, naming the command that installs them, if an optional package is absent. Import nothing.

    Args:
        extra: The extra of slimlab that brings the packages, as pyproject.toml names it.
        purpose: The subject of the sentence, in the plural: "figures", "the explorers".
        packages: Names as they are imported.
    """
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(f"{purpose} need {' and '.join(missing)}: pip install 'slimlab[{extra}]'")
