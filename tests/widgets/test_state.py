"""Every explorer's settings: saved, through JSON, restored in another explorer, and written down as code."""

import json

import pytest
import torch

from slimlab import analysis, widgets
from tests.widgets.every import Every, inside

CHANGES = {  # settings other than an explorer begins with
    "AttentionExplorer": {"index": 2, "layer": 0, "head": 1, "query": [1, 3], "ratio": 0.3, "seed": 4},
    "AugmentationExplorer": {"index": 3, "mirror": False, "turn about y (up) (°)": 45, "against": "shear", "strength": 0.3},
    "ClipPlayer": {"index": 4, "others": [0, 2], "camera": "side", "speed": 2.0, "trails": [3], "frame": 5},
    "EmbeddingExplorer": {
        "by": "subject",
        "edits": [["label", "mine", [1, 2]], ["exclude", "", [4]]],
        "selected": [1, 2, 3],
        "view": [0.1, -0.05, 3.0],
        "density": True,
        "mode": "box",
    },
    "FeatureExplorer": {"index": 2, "mode": "similarity", "over": "clips", "cell": [1, 5]},
    "InterventionExplorer": {"index": 1, "hidden": [[0, 2], [1, 3]], "pulled": {"4": [5, 0, -3]}, "heads": [[1, 0]]},
    "MaskExplorer": {
        "index": 3,
        "strategy": "random_cells",
        "ratio": 0.4,
        "seed": 7,
        "edited": [[0, 1], [3, 2]],
    },
    "MaskedSample": {"index": 2, "seed": 5},
    "PrototypeExplorer": {"kind": "cells", "prototype": 3},
    "RetrievalViewer": {"show": "misses", "cell": [], "index": 3},
    "TimelineExplorer": {"seconds": 1.5, "stride": 0.25, "time": 0.5},
    "TrainingMonitor": {"sample index": 2, "sample seed": 9},
}
PARTS = {"Cells", "Curves", "Scatter", "Stage"}  # pictures, which have no view of their own


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    return Every(tmp_path_factory.mktemp("state"))


def drawn(widget) -> list:
    """What the pictures inside a widget would send to the page."""
    kinds = (widgets.Cells, widgets.Curves, widgets.Scatter, widgets.Stage)
    names = ("joints", "colors", "sizes", "xy", "groups", "hidden", "view", "selected", "points", "ring", "rings", "camera")
    found = [w for w in inside(widget) if isinstance(w, kinds)]
    return sorted(repr((type(w).__name__, [getattr(w, n, None) for n in names])) for w in found)


def test_every_explorer_has_a_state(every):
    assert set(CHANGES) == set(every.makers) - PARTS


@pytest.mark.parametrize("name", CHANGES)
def test_another_explorer_takes_the_state_and_shows_the_same(every, name):
    one, other = every.makers[name](), every.makers[name]()
    begun = one.state()
    one.restore({"explorer": name} | CHANGES[name])
    state = json.loads(json.dumps(one.state()))
    for setting, value in CHANGES[name].items():
        assert state[setting] == value != begun[setting] or name == "RetrievalViewer", setting
    assert state != begun
    assert drawn(one) != drawn(other) or name == "TrainingMonitor"  # that one has no networks yet to draw
    other.restore(state)
    assert other.state() == state and drawn(other) == drawn(one)
    other.restore(begun)
    assert other.state() == begun


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_not_possible_is_one_error_and_leaves_the_view(every, name):
    explorer = every.makers[name]()
    before = explorer.state()
    setting = next(iter(CHANGES[name]))
    for bad, message in (
        ([], "give a dict"),
        ({"explorer": "Nothing"}, "state of 'Nothing'"),
        ({"explorer": name, "colour": 3}, "no setting 'colour'"),
        ({"explorer": name} | CHANGES[name] | {setting: 10**6}, f"setting '{setting}' cannot be 1000000"),
        ({"explorer": name} | CHANGES[name] | {list(CHANGES[name])[-1]: {"a": []}}, "the view is as it was"),
    ):
        with pytest.raises(ValueError, match=message):
            explorer.restore(bad)
        assert explorer.state() == before


@pytest.mark.parametrize("name", sorted(set(CHANGES) - {"InterventionExplorer", "TimelineExplorer"}))
def test_the_code_makes_the_same_view(every, name):
    one = every.makers[name]()
    one.restore({"explorer": name} | CHANGES[name])
    given = {
        "store": every.store,
        "encoder": every.encoder,
        "run": every.run,
        "gallery": every.store[::2],
        "queries": every.store[1::2],
        "features": getattr(one, "_given", None),
        "other": one.encoders[-1] if name == "AttentionExplorer" else None,
        "config": getattr(one, "config", None),
    }
    exec(one.code(), given)
    assert given["explorer"].state() == one.state()
    if name != "MaskedSample":  # whose networks come with `look`
        assert drawn(given["explorer"]) == drawn(one)


def test_the_code_of_interventions_is_the_plain_call(every):
    one = every.makers["InterventionExplorer"]()
    one.restore({"explorer": "InterventionExplorer"} | CHANGES["InterventionExplorer"])
    *lines, call = one.code().splitlines()
    given = {"analysis": analysis, "torch": torch, "encoder": every.encoder, "store": every.store}
    exec("\n".join(lines), given)
    torch.testing.assert_close(eval(call, given).after, one.result.after)
