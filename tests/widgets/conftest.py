"""One JupyterLab server and one kernel for all explorers."""

import pytest

from slimlab._system.doctor import chromium
from tests.lab import Kernel, serve


@pytest.fixture(scope="session")
def kernel(tmp_path_factory):
    if not chromium():
        yield None  # the browser fixture skips or fails
        return
    folder = tmp_path_factory.mktemp("lab")
    with serve(folder) as address:
        yield Kernel.start(address, folder)


@pytest.fixture
def page(browser, kernel):
    """A page of its own for each test; errors in it fail the test."""
    page = browser.new_page(viewport={"width": 1300, "height": 1100})
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []
