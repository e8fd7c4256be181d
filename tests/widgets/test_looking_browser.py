"""The explorers of what is inside, in JupyterLab: hands on the page, then what page and kernel hold."""

import os
from pathlib import Path

import pytest

from tests.lab import Kernel, serve, wait_for

pytestmark = pytest.mark.integration

SETUP = """
import slimlab
from slimlab import data, widgets
store = data.synthetic(clips=132)
encoder = slimlab.pretrained("tiny")
"""
SHOTS = os.environ.get("SLIMLAB_SHOTS")  # a folder for screenshots to look at


@pytest.fixture(scope="module")
def kernel(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    with serve(folder) as address:
        kernel = Kernel.start(address, folder)
        assert kernel.client.execute(SETUP, reply=True, timeout=300)["content"]["status"] == "ok"
        yield kernel


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1400, "height": 1250})
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    assert page.complaints == []
    page.close()


def shot(page, name):
    if SHOTS:
        page.wait_for_timeout(1500)
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


def at(locator, x, y):
    """Click at a part (0..1) of an element."""
    box = locator.bounding_box()
    locator.click(position={"x": box["width"] * x, "y": box["height"] * y})


def test_a_click_on_a_cell_a_joint_and_a_head(page, kernel):
    kernel.show(page, "attention", "a = widgets.AttentionExplorer(store, encoder, index=6)\na")
    stage, grid, gallery = page.locator(".slimlab-stage"), *(page.locator(".slimlab-cells").nth(i) for i in (0, 1))
    stage.wait_for(timeout=300_000)
    gallery.wait_for(timeout=300_000)
    before = kernel.value("[v.tolist() for v in a.values]")
    assert kernel.value("a.query") == "cls"
    at(grid, 0.75, 0.42)
    wait_for(lambda: kernel.value("a.query") != "cls", "the clicked cell as query")
    step, joint = kernel.value("a.query")
    assert step == 1 and kernel.value("[v.tolist() for v in a.values]") != before
    wait_for(lambda: grid.get_attribute("data-ring") == f"{step},{joint}", "the ring around it")
    shot(page, "attention")
    at(gallery, 0.75, 0.5)  # two heads, three layers
    wait_for(lambda: kernel.value("[a.layer, a.head]") == [1, 1], "the clicked head")
    kernel.client.execute("a.ratio = 0.5", reply=True, timeout=300)
    wait_for(lambda: stage.get_attribute("data-clips") == "2", "masked beside unmasked")
    wait_for(lambda: grid.get_attribute("data-panels") == "2", "both grids")
    stage.locator(".slimlab-play").click()
    wait_for(lambda: kernel.value("a.stage.frame") > 3, "frames")
    shot(page, "attention_masked")


def test_lasso_and_click_in_the_embedding(page, kernel):
    kernel.show(page, "embedding", "e = widgets.EmbeddingExplorer(store, encoder)\ne")
    plot = page.locator(".slimlab-scatter")
    plot.wait_for(timeout=300_000)
    wait_for(lambda: plot.get_attribute("data-points") == "132", "drawn points")
    box = plot.bounding_box()
    corners = [(0.05, 0.05), (0.95, 0.05), (0.95, 0.6), (0.05, 0.6), (0.05, 0.05)]
    for i, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        if i == 0:
            page.mouse.down()
    page.mouse.up()
    wait_for(lambda: kernel.value("len(e.selected)") > 0, "lassoed clips in the kernel")
    chosen = set(kernel.value("e.selected"))
    y = kernel.value("e.plane.xy[:, 1].tolist()")
    assert 10 < len(chosen) < 132
    inside = sum(y[i] for i in chosen) / len(chosen)
    assert inside > sum(y) / len(y)  # the upper part was circled
    stage = page.locator(".slimlab-stage")
    stage.wait_for(timeout=300_000)
    wait_for(lambda: stage.get_attribute("data-clips") == "6", "6 clips")
    assert f"{len(chosen)} clips chosen" in page.locator(".jp-OutputArea-output").inner_text()
    wait_for(lambda: int(stage.get_attribute("data-frame")) > 2, "playing")
    shot(page, "embedding")


def test_a_cell_of_the_confusion_matrix_gives_its_clips(page, kernel):
    cell = "train, test = data.split(store)\nr = widgets.RetrievalViewer(train, test, encoder)\nr"
    kernel.show(page, "retrieval", cell)
    matrix = page.locator(".slimlab-cells")
    matrix.wait_for(timeout=300_000)
    wait_for(lambda: matrix.get_attribute("data-panels") == "1", "the matrix")
    box = matrix.bounding_box()
    matrix.click(position={"x": 92 + (box["width"] - 96) / 44, "y": 20 + (box["height"] - 38) / 44})
    wait_for(lambda: kernel.value("list(r.cell)") == [0, 0], "the cell of the first class")
    listed = kernel.value("r.listed.tolist()")
    truth = kernel.value("(r.result.labels == 0).tolist()")
    assert all(truth[i] for i in listed)
    wait_for(lambda: page.locator(".slimlab-stage").get_attribute("data-clips") == "5", "5 clips")
    page.get_by_role("button", name="all cells", exact=True).click()
    wait_for(lambda: kernel.value("len(r.listed)") == 66, "all queries again")
    shot(page, "retrieval")


def test_a_bar_and_a_cell_of_the_prototypes_play_what_is_near(page, kernel):
    folder = str(kernel.folder / "run")
    setup = "from slimlab import pretrain\ntrain, test = data.split(store)\n"
    config = "pretrain.Config(steps=40, batch_size=16, evaluations=1, snapshots=1)"
    setup += f"run = pretrain.fit(train, {config}, folder={folder!r}, progress=False)"
    kernel.show(page, "prototypes", setup, "p = widgets.PrototypeExplorer(run, test)\np")
    usage, training = (page.locator(".slimlab-curves").nth(i) for i in (0, 1))
    usage.wait_for(timeout=300_000)
    wait_for(lambda: usage.get_attribute("data-points") == "128", "a bar for each prototype")
    wait_for(lambda: training.get_attribute("data-points") == "80", "two curves of 40 steps")
    wait_for(lambda: usage.get_attribute("data-chosen") == "0,0", "the most used one chosen")
    shot(page, "prototypes")
    at(usage, 0.3, 0.8)
    wait_for(lambda: kernel.value("p.usage.chosen") != [0, 0], "the clicked bar's prototype")
    place = kernel.value("p.usage.chosen")[1]
    assert 20 < place < 50 and kernel.value(f"int(p._order[{place}]) == p.prototype")
    wait_for(lambda: usage.get_attribute("data-chosen") == f"0,{place}", "the bar that stands out")
    at(page.locator(".slimlab-cells"), 0.5, 0.5)
    wait_for(lambda: kernel.value("p.usage.chosen")[1] != place, "the prototype of the clicked column")
    names = kernel.value("[p.stage.scene['titles'], [p._names[i] for i in p.nearest['clip']]]")
    assert all(name in title for title, name in zip(*names, strict=True))
    stage = page.locator(".slimlab-stage")
    wait_for(lambda: stage.get_attribute("data-clips") == "5", "5 clips")
    stage.locator(".slimlab-play").click()
    wait_for(lambda: kernel.value("p.stage.frame") > 3, "frames")
    page.get_by_role("button", name="tokens", exact=True).click()
    wait_for(lambda: kernel.value("p.kind") == "cells", "cells")
    cells = kernel.value("len(p.prototypes)")
    wait_for(lambda: f"any of {cells} cells" in page.inner_text("body"), "the cells' numbers")
    shot(page, "prototypes_cells")


def test_layers_side_by_side_and_likeness_to_a_clicked_cell(page, kernel):
    kernel.show(page, "features", "f = widgets.FeatureExplorer(store, encoder, index=6)\nf")
    grid, stage = page.locator(".slimlab-cells"), page.locator(".slimlab-stage")
    grid.wait_for(timeout=300_000)
    wait_for(lambda: grid.get_attribute("data-panels") == "3", "three layers")
    shot(page, "features")
    at(grid, 0.5, 0.3)
    wait_for(lambda: kernel.value("f.mode") == "similarity", "likeness")
    wait_for(lambda: stage.get_attribute("data-clips") == "3", "3 clips")
    values = kernel.value("[float(v[f.cell]) for v in f.values]")
    assert values == pytest.approx([1, 1, 1], abs=1e-4)
    shot(page, "similarity")
