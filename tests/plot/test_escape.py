"""Text from data is text in figures: neither an equation of matplotlib nor the HTML and LaTeX that plotly reads."""

import io
import json

import numpy as np
import pytest
import torch
from matplotlib.text import Text

from slimlab import masking, plot, projection
from slimlab.evaluate import Features
from tests import hostile
from tests.plot.test_plot import metrics

STORE = hostile.store(22)
BODY = STORE.skeleton
STEPS = 4
MASK = masking.semantic_tubes(1, STEPS, BODY, 0.5, generator=torch.Generator().manual_seed(0))[0].numpy()


def features() -> Features:
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(22, 8)).astype(np.float32))
    return Features(x, torch.from_numpy(STORE.labels), STORE.table)


FIGURES = {
    "frames_strip": lambda: plot.frames_strip([STORE[0], STORE[1]], BODY),
    "mask_on_body": lambda: plot.mask_on_body(STORE[0], MASK, BODY),
    "anatomy": lambda: plot.anatomy(BODY, STORE[0]),
    "embedding": lambda: plot.embedding(projection.fit(features().x), features(), title=hostile.TEXT),
    "training": lambda: plot.training({hostile.TEXT: metrics(), "b" + hostile.TEXT: metrics()}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_matplotlib_draws_it_letter_by_letter(name):
    figure = FIGURES[name]()
    hostiles = [t for t in figure.findobj(Text) if "$x_{" in t.get_text()]
    assert hostiles and not any(t.get_parse_math() for t in hostiles)
    figure.savefig(io.BytesIO(), format="svg")  # outside of our style; an equation "$x_{" would raise ValueError here


def test_plotly_shows_it_letter_by_letter():
    figure = plot.player([STORE[0], STORE[1]], BODY)
    said = [text for text in texts(json.loads(figure.to_json())) if "onerror" in text]
    assert said and not any("<img" in text or "$" in text for text in said)


def texts(value):
    """All strings in some JSON."""
    if isinstance(value, str):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(each)
