"""An explorer's settings as a plain dict, to save, restore and write down as code."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import traitlets


class Stateful:
    """Base class of explorers: `state()`, `restore(state)` and `code()`. It stands before the widget's own base class."""

    def _settings(self) -> dict[str, tuple[Any, str]]:
        """name -> (object, attribute) of each setting, in the order in which they are set."""
        raise NotImplementedError

    def _call(self) -> str:
        """The call that makes an explorer like this one, in the names of its parameters."""
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        """All settings of the view, fit for `json.dump`. `restore` of an explorer on the same clips gives the same view."""
        return {"explorer": type(self).__name__} | {name: _get(*place) for name, place in self._settings().items()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the settings of `state()`, also from JSON; what it leaves out stays as it is.

        Raises ValueError where it is not a state of this kind of explorer or a setting is not possible here; the view then stays
        as it was.
        """
        kind, settings = type(self).__name__, self._settings()
        if not isinstance(state, Mapping):
            raise ValueError(f"{kind}.restore: give a dict as state() returns it, not {type(state).__name__}")
        if state.get("explorer") != kind:
            raise ValueError(
                f"{kind}.restore: this is a state of {state.get('explorer')!r}; make that explorer and restore it there"
            )
        unknown = [name for name in state if name not in settings and name != "explorer"]
        if unknown:
            raise ValueError(f"{kind}.restore: there is no setting {unknown[0]!r}; there are {', '.join(settings) or 'none'}")
        before = self.state()
        name = ""
        try:
            for name, place in settings.items():
                if name in state:
                    _set(*place, state[name])
        except (traitlets.TraitError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
            for other, place in settings.items():
                _set(*place, before[other])
            raise ValueError(
                f"{kind}.restore: setting {name!r} cannot be {state[name]!r} here: {error}; the view is as it was"
            ) from error

    def code(self) -> str:
        """Python that makes this view again; encoders, stores and runs go by the names of the explorer's parameters."""
        return f"from slimlab import widgets\n\nexplorer = widgets.{self._call()}\nexplorer.restore({self.state()!r})"


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda v: v.tolist() if hasattr(v, "tolist") else list(v)))


def _get(owner: Any, name: str) -> Any:
    return _plain(getattr(owner, name))


def _set(owner: Any, name: str, value: Any) -> None:
    """Set and read again: a slider takes what is beyond its ends without a word."""
    if _same(_get(owner, name), value):
        return
    setattr(owner, name, tuple(value) if isinstance(getattr(owner, name), tuple) and isinstance(value, list) else value)
    if not _same(_get(owner, name), value):
        raise ValueError(f"it becomes {_get(owner, name)!r}")


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
    return a == b
