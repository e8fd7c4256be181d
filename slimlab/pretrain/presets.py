"""How presets work: `Config(preset="paper", steps=4)` is the preset `paper` with four steps.

A settings class is a frozen dataclass. The defaults of its fields are its default preset, so `Config()` and what the class says
are the same thing. The other presets are instances of the class. `begins_with` lets the class look up the preset that was asked
for and take from it what was not given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from slimlab._renamed import new_names

Settings = TypeVar("Settings")


def begins_with(presets: Mapping[str, Any]) -> Callable[[type[Settings]], type[Settings]]:
    """Decorate a settings dataclass, whose field `preset` names what it begins with. Keywords of earlier versions are taken, too.

    Args:
        presets: Names and instances of the class. May be filled after the class is made; a name that is not in it begins with
            the fields' defaults, and the class is the one to refuse it.
    """

    def decorate(settings: type[Settings]) -> type[Settings]:
        plain_init = settings.__init__

        @wraps(plain_init)
        def init(self: Settings, **given: Any) -> None:
            given = new_names(given)
            asked = given.get("preset", settings.preset)  # pyright: ignore[reportAttributeAccessIssue]
            preset = presets.get(asked) if isinstance(asked, str) else None
            begun = {} if preset is None else {f.name: getattr(preset, f.name) for f in fields(preset)}
            plain_init(self, **(begun | given))

        settings.__init__ = init
        return settings

    return decorate


def make_plain(settings: Any) -> None:
    """Turn what settings were given as into what JSON can hold and a frozen dataclass can compare.

    NumPy's numbers, such as those of `np.linspace`, become Python's; lists, as JSON has them, become tuples.
    """
    for field in fields(settings):
        object.__setattr__(settings, field.name, _plain(getattr(settings, field.name)))


def _plain(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    return tuple(_plain(v) for v in value) if isinstance(value, (list, tuple)) else value
