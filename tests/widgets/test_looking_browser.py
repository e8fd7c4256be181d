"""The explorers of what is inside, in JupyterLab: hands on the page, then what page and kernel hold."""

import os
from pathlib import Path

import numpy as np
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


def drag(page, plot, *corners, button="left"):
    """Press at the first of these places (parts of the element), move through the others, let go."""
    box = plot.bounding_box()
    for i, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
        if i == 0:
            page.mouse.down(button=button)
    page.mouse.up(button=button)


PLANES = """
import numpy as np, torch
x = torch.randn(132, 6, generator=torch.Generator().manual_seed(0))
e = widgets.EmbeddingExplorer(store, {"turned": x.flip(1), "plain": x})
e.beside = "turned"
e
"""


def test_zoom_move_add_take_away_hover_and_keys(page, kernel):
    kernel.show(page, "zoom", PLANES)
    plot, other = page.locator(".slimlab-scatter").nth(0), page.locator(".slimlab-scatter").nth(1)
    for each in (plot, other):
        each.wait_for(timeout=300_000)
        wait_for(lambda each=each: each.get_attribute("data-points") == "132", "drawn points")
    everything = plot.get_attribute("data-view")
    box = plot.bounding_box()
    height, wide = box["height"], box["width"]
    left = ((0.01, 0.1), (0.5, 0.1), (0.5, 0.99), (0.01, 0.99))
    top = ((0.01, 0.1), (0.99, 0.1), (0.99, 0.5), (0.01, 0.5))

    def places():  # of the points on the canvas, in its pixels, from what the kernel knows alone
        xy, (cx, cy, zoom) = np.array(kernel.value("e.plane.xy.tolist()")), kernel.value("list(e.view)")
        low, high = xy.min(axis=0), xy.max(axis=0)
        span, extent = (high - low).max(), high - low
        unit = min((wide - 28) / extent[0], (height - 40) / extent[1]) * span
        at = ((xy - (low + high) / 2) / span - [cx, cy]) * unit * zoom
        return at * [1, -1] + [wide / 2, (26 + height - 14) / 2]

    def inside(polygon):
        (x0, y0), (x1, y1) = np.min(polygon, axis=0), np.max(polygon, axis=0)
        x, y = places().T
        near = (np.abs(x - x0 * wide) < 1.5) | (np.abs(x - x1 * wide) < 1.5)  # on the line: either is right
        near |= (np.abs(y - y0 * height) < 1.5) | (np.abs(y - y1 * height) < 1.5)
        within = (x > x0 * wide) & (x < x1 * wide) & (y > y0 * height) & (y < y1 * height)
        return set(np.flatnonzero(within).tolist()), set(np.flatnonzero(near).tolist())

    def selected(expected, near, what):
        wait_for(lambda: set(kernel.value("e.selected")) - near == expected - near, what)

    drag(page, plot, *left)
    (a, near_a), (b, near_b) = inside(left), inside(top)
    assert 10 < len(a) < 122 and a != b
    selected(a, near_a, "a lasso's points")
    page.keyboard.down("Shift")
    drag(page, plot, *top)
    page.keyboard.up("Shift")
    selected(a | b, near_a | near_b, "both lassos' points")
    page.keyboard.down("Alt")
    drag(page, plot, *left)
    page.keyboard.up("Alt")
    selected(b - a, near_a | near_b, "the second without the first")
    wait_for(lambda: other.get_attribute("data-chosen") == str(kernel.value("len(e.selected)")), "the other plane's selection")
    shot(page, "embedding_zoom_1")

    box = plot.bounding_box()  # the stage below may have moved it
    page.mouse.move(box["x"] + 0.45 * wide, box["y"] + 0.45 * height)
    before = places()
    for _ in range(3):
        page.mouse.wheel(0, -200)
    wait_for(lambda: plot.get_attribute("data-view") != everything, "a zoomed plane")
    wait_for(lambda: kernel.value("e.view[2]") > 3, "the zoom in the kernel")
    assert other.get_attribute("data-view") == plot.get_attribute("data-view")
    pointer = np.array([0.45 * wide, 0.45 * height])
    np.testing.assert_allclose(places() - pointer, (before - pointer) * kernel.value("e.view[2]"), atol=2)  # about the pointer
    zoomed = places()
    drag(page, plot, (0.5, 0.5), (0.6, 0.4), button="middle")
    wait_for(lambda: np.abs(places() - zoomed - [0.1 * wide, -0.1 * height]).max() < 2, "a moved plane")
    page.locator(".slimlab-box").first.click()
    drag(page, plot, (0.2, 0.2), (0.8, 0.8))
    boxed, near = inside(((0.2, 0.2), (0.8, 0.8)))
    assert 0 < len(boxed) < 100  # of a zoomed plane
    selected(boxed, near, "a box's points")

    plot.focus()
    view = plot.get_attribute("data-view")
    page.keyboard.press("ArrowRight")
    wait_for(lambda: plot.get_attribute("data-view") != view, "a step to the right")
    assert float(plot.get_attribute("data-view").split(",")[0]) > float(view.split(",")[0])
    page.keyboard.press("0")
    page.keyboard.press("+")
    wait_for(lambda: abs(kernel.value("e.view[2]") - 1.25) < 1e-6, "zoom by key")
    page.keyboard.press("Escape")
    wait_for(lambda: kernel.value("e.selected") == [], "nothing chosen")
    page.keyboard.press("0")
    wait_for(lambda: kernel.value("list(e.view)") == [0, 0, 1], "everything")
    assert "132 points" in plot.get_attribute("aria-label") and plot.get_attribute("role") == "application"

    box = plot.bounding_box()
    x, y = places()[7]
    page.mouse.move(box["x"] + x, box["y"] + y)
    root = page.locator(".slimlab-plane").first
    wait_for(lambda: root.get_attribute("data-preview") is not None, "a small body")
    wait_for(lambda: int(root.get_attribute("data-preview-frame") or 0) > 2, "a body that moves")
    shot(page, "embedding_hover")
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'false')")
    page.locator(".slimlab-density").first.click()
    wait_for(lambda: kernel.value("e.density and e.views[1].density"), "density in both")
    page.evaluate("document.body.setAttribute('data-jp-theme-light', 'true')")

    page.locator(".slimlab-density").first.click()
    drag(page, plot, (0.01, 0.1), (0.5, 0.99))
    wait_for(lambda: kernel.value("len(e.selected)") > 5, "a selection to exclude")
    chosen = kernel.value("e.selected")
    page.locator(".jupyter-button", has_text="exclude").click()
    wait_for(lambda: plot.get_attribute("data-points") == str(132 - len(chosen)), "fewer points")
    page.locator(".jupyter-button", has_text="undo").click()
    wait_for(lambda: plot.get_attribute("data-points") == "132", "all points again")


def test_two_fingers_zoom(browser, kernel):
    context = browser.new_context(viewport={"width": 1400, "height": 1250}, has_touch=True)
    page = context.new_page()
    kernel.show(page, "touch", "e = widgets.EmbeddingExplorer(store, encoder)\ne")
    plot = page.locator(".slimlab-scatter")
    plot.wait_for(timeout=300_000)
    wait_for(lambda: plot.get_attribute("data-points") == "132", "drawn points")
    box, session = plot.bounding_box(), context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind, apart):
        points = [] if kind == "touchEnd" else [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 40)
    for apart in range(45, 125, 5):
        touch("touchMove", apart)
    touch("touchEnd", 0)
    wait_for(lambda: abs(kernel.value("e.view[2]") - 3) < 0.2, "three times as large")
    assert kernel.value("e.selected") == []
    context.close()


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


def test_a_click_on_the_timeline_jumps_there(page, kernel):
    code = """
from slimlab import evaluate
known = store[store.column("people") == 1]
long, parts = data.concatenate(known, list(range(0, 60, 4)))
predictor = evaluate.fit_predictor(encoder, known.with_people(2))
t = widgets.TimelineExplorer(long, 0, predictor, known, truth=parts, seconds=1.5)
t
"""
    kernel.show(page, "timeline", code)
    signals = page.locator(".slimlab-curves").nth(1)
    signals.wait_for(timeout=300_000)
    wait_for(lambda: signals.get_attribute("data-cursor") == "0", "a cursor at the beginning")
    at(signals, 0.5, 0.17)
    wait_for(lambda: kernel.value("t.time") > 5, "the clicked moment")
    time, frame, length = kernel.value("[t.time, t.stage.frame, len(t.stage.bodies) / 30]")
    assert abs(time / length - 0.5) < 0.1 and frame == round(time * 30)
    stage = page.locator(".slimlab-stage").first
    wait_for(lambda: stage.get_attribute("data-frame") == str(frame), "the body at that moment")
    wait_for(lambda: float(signals.get_attribute("data-cursor")) == round(time, 3), "the cursor there")
    stage.locator(".slimlab-play").click()
    wait_for(lambda: kernel.value("t.time") > time + 1, "a cursor that runs along")
    stage.locator(".slimlab-play").click()
    shot(page, "timeline")
