"""Names of settings, metrics and parts of a checkpoint that earlier versions of slimlab wrote, and what they are called now.

What is read from a file, and what `Config` and `EncoderConfig` are given, goes through `new_names`. Digests that name folders and
kept results go on being made of `old_names`: what was begun or kept under the old names is still found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

# MFP was masked feature modeling in SLiM's first preprint
RENAMED = {"mfm": "mfp", "mfm_weight": "mfp_weight", "centring": "centering", "centres": "centers"}
# Settings that earlier versions did not have, with the value that does what those did: left out of digests.
ADDED = {"details": "plain", "scaling": "bones", "masking_locals": None, "mask_ratio_locals": None}
VALUES = {"targets": {"centring": "centering"}, "released_quirks": {"centring": "centering"}}  # of these settings

Settings = TypeVar("Settings")


def new_names(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The same with today's names. Raises TypeError where both names of one thing are there."""
    for old, new in RENAMED.items():
        if old in saved and new in saved:
            raise TypeError(f"{old} is the old name of {new}; give one of the two")
    return _translated(saved, RENAMED, VALUES)


def old_names(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the names of earlier versions, for digests alone."""
    return _translated(settings, _turned(RENAMED), {name: _turned(values) for name, values in VALUES.items()})


def digested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What digests are made of: old names, without what earlier versions did not have where it does what those did."""
    return {k: v for k, v in old_names(settings).items() if not (k in ADDED and v == ADDED[k])}


def saved_settings(saved: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run of SLiM as a file has them: today's names, and what an earlier version did not write as it was then."""
    return ADDED | new_names(saved)


def in_words(text: str) -> str:
    """Text that states settings, such as "mfm_weight=0.0, masking=random_cells", with today's names."""
    return re.sub(r"\w+", lambda word: RENAMED.get(word[0], word[0]), text)


def takes_old_names(settings: type[Settings]) -> type[Settings]:
    """Decorate a settings dataclass, so that it is also made from keywords of earlier versions."""
    plain_init: Callable[..., None] = settings.__init__

    @wraps(plain_init)
    def init(self: Settings, *args: Any, **given: Any) -> None:
        plain_init(self, *args, **new_names(given))

    settings.__init__ = init
    return settings


def _translated(what: Mapping[str, Any], names: Mapping[str, str], values: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    return {names.get(k, k): _value(v, values[k]) if k in values else v for k, v in what.items()}


def _value(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_value(v, words) for v in value)
    return words.get(value, value) if isinstance(value, str) else value


def _turned(words: Mapping[str, str]) -> dict[str, str]:
    return {new: old for old, new in words.items()}
