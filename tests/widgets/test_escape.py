"""Text from data is text: no label, name, path or error becomes markup of the page."""

import ipywidgets
import pytest

from slimlab import pretrain, widgets
from tests import hostile
from tests.widgets.every import Every, inside

SAYS = "AttentionExplorer EmbeddingExplorer FeatureExplorer RetrievalViewer ClipPlayer MaskExplorer"  # texts of data in HTML


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    return Every(tmp_path_factory.mktemp("runs"))


def read(widget) -> hostile.Read:
    """All HTML values of a widget and of what it holds, as a browser reads them."""
    return hostile.Read("<hr>".join(w.value for w in inside(widget) if isinstance(w, (ipywidgets.HTML, ipywidgets.HTMLMath))))


def test_there_is_one_of_every_widget(every):
    assert set(every.makers) == set(widgets.__all__)


@pytest.mark.parametrize("name", widgets.__all__)
def test_no_text_of_the_data_is_markup(every, name):
    widget = every.makers[name]()
    found = read(widget)
    assert not found.tags & {"img", "script"}
    if name in SAYS.split():
        assert hostile.TAG in found.text  # it is there, letter by letter
    assert not any(getattr(w, "description_allow_html", False) for w in inside(widget))


def test_the_path_that_cannot_be_written_is_text(every, tmp_path):
    explorer = every.makers["MaskExplorer"]()
    (tmp_path / "file").touch()
    explorer.path.value = str(tmp_path / "file" / hostile.TAG)
    explorer.save_button.click()
    assert hostile.TAG in read(explorer).text and "img" not in read(explorer).tags


async def test_the_error_of_a_run_is_text(every):
    other = pretrain.Config(**(every.run.config.to_dict() | {"seed": 1}))
    monitor = widgets.TrainingMonitor(every.store, config=other, folder=every.run.folder)
    with pytest.raises(pretrain.RunError):
        await monitor.train()
    assert hostile.TAG in read(monitor).text and "img" not in read(monitor).tags
