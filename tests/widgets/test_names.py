"""What holds for every widget."""

import importlib
import inspect
import pkgutil

import ipywidgets
import pytest

from slimlab import widgets

OURS = sorted(
    {
        thing
        for module in pkgutil.iter_modules(widgets.__path__)
        for thing in vars(importlib.import_module(f"slimlab.widgets.{module.name}")).values()
        if inspect.isclass(thing) and issubclass(thing, ipywidgets.Widget) and thing.__module__.startswith("slimlab.")
    },
    key=lambda c: c.__name__,
)


@pytest.mark.parametrize("widget", OURS, ids=lambda c: c.__name__)
def test_no_method_shadows_one_of_the_widget_libraries(widget):
    """A `_compare` of ours once took the place of ipywidgets' own, and the notebook could not show the widget."""
    foreign = [base for base in widget.__mro__ if not base.__module__.startswith("slimlab.")]
    methods = {name for name, value in vars(widget).items() if inspect.isfunction(value)} - {"__init__"}
    assert {name for name in methods if any(hasattr(base, name) for base in foreign)} == set()


def test_there_are_some():
    assert {"ClipPlayer", "MaskExplorer", "AttentionExplorer", "TrainingMonitor"} <= {c.__name__ for c in OURS}
