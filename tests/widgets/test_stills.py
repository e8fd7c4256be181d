"""A saved notebook shows a picture where a widget was, also where no kernel answers."""

import base64
import io

import matplotlib.figure
import numpy as np
import pytest
import torch
from PIL import Image

from slimlab import widgets
from slimlab.widgets.cells import Cells
from slimlab.widgets.curves import Curves
from slimlab.widgets.scatter import Scatter
from tests.widgets.every import Every

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    return Every(tmp_path_factory.mktemp("runs"))


def bundle(widget) -> dict:
    given = widget._repr_mimebundle_()
    return given[0] if isinstance(given, tuple) else given


@pytest.mark.parametrize("name", widgets.__all__)
def test_every_widget_carries_a_still_picture(every, name):
    widget = every.makers[name]()
    data = bundle(widget)
    assert data[VIEW]["model_id"] == widget.model_id
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
    pixels = np.asarray(picture).reshape(-1, 3)
    assert picture.width > 200 and len(np.unique(pixels, axis=0)) > 2  # more than black on white
    assert "text/html" not in data  # text of the data is drawn, never markup


def test_a_stage_shows_its_frame(every):
    stage = every.makers["Stage"]()
    first = bundle(stage)["image/png"]
    stage.frame = len(stage.bodies) // 2
    assert bundle(stage)["image/png"] != first


def test_a_picture_that_fails_leaves_the_live_widget(every, monkeypatch):
    def broken(self, width):
        raise RuntimeError("no picture today")

    monkeypatch.setattr(widgets.Stage, "draw_still", broken)
    player = every.makers["ClipPlayer"]()
    with pytest.warns(UserWarning, match="ClipPlayer works.*no picture today"):
        data = bundle(player)
    assert VIEW in data and "image/png" not in data


@pytest.mark.parametrize("name", widgets.__all__)
def test_a_still_picture_draws_each_part_once_and_runs_no_network(every, name, monkeypatch):
    widget = every.makers[name]()
    drawn = []
    for kind in (widgets.Stage, Cells, Curves, Scatter):
        monkeypatch.setattr(kind, "draw_still", noting(kind.draw_still, drawn))
    monkeypatch.setattr(torch.nn.Module, "__call__", forbidden)
    monkeypatch.setattr(matplotlib.figure.Figure, "__init__", forbidden)
    assert "image/png" in bundle(widget)  # what is forbidden would end in a warning and no picture
    assert drawn and len(drawn) == len(set(drawn))


def noting(draw, drawn):
    def draw_still(self, width):
        drawn.append(self.model_id)
        return draw(self, width)

    return draw_still


def forbidden(*args, **kwargs):
    raise AssertionError("a still picture is drawn from what the widget holds, by Pillow alone")
