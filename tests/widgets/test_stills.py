"""A saved notebook shows a picture where a widget was, also where no kernel answers."""

import base64
import io
import time

import numpy as np
import pytest
from PIL import Image

from slimlab import widgets
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


@pytest.mark.integration  # a clock
@pytest.mark.parametrize("name", widgets.__all__)
def test_a_still_picture_is_quick(every, name):
    widget = every.makers[name]()
    took = []
    for _ in range(3):
        begin = time.perf_counter()
        bundle(widget)
        took.append(time.perf_counter() - begin)
    assert min(took) < 0.3
