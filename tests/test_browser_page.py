"""The page "SLiM in your browser", opened from a file with the network off, in Chromium."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import slimlab
from slimlab import analysis, augment, data, evaluate, pretrain
from slimlab.weights import on_body
from tests.conftest import make_store, needs_program
from tests.waiting import wait_for

ROOT = Path(slimlab.__file__).parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))
pytest.importorskip("onnxscript", reason="needs the extra: pip install slimlab[onnx]")
import browser_page  # noqa: E402

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore:joints without a counterpart")]


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    needs_program("npm", "npm")
    out = tmp_path_factory.mktemp("page") / "slim.html"
    browser_page.write(out)
    return out


@pytest.fixture(scope="module")
def page(browser, file):
    context = browser.new_context(viewport={"width": 1300, "height": 1150}, offline=True)
    page = context.new_page()
    page.asked, page.failed = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.failed.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_function("document.body.dataset.answered", timeout=120_000)
    yield page
    context.close()


def answered(page, act) -> None:
    """Do something to the page and wait for the encoder's answer to it."""
    before = int(page.evaluate("document.body.dataset.answered"))
    act()
    wait_for(lambda: int(page.evaluate("document.body.dataset.answered")) > before, "an answer")


def shown(page) -> dict:
    """The state of the page: clip (T, V, 3) in meters, mask (T', V), features (F,), what is chosen."""
    found = page.evaluate(
        "({now: slim.now, mask: [...slim.mask], features: [...slim.features()], x: [...slim.clips[slim.now.clip].x]})"
    )
    joints = len(data.ui_prmd().skeleton)
    return {
        "now": found["now"],
        "mask": np.array(found["mask"], dtype=bool).reshape(-1, joints),
        "features": np.array(found["features"]),
        "x": np.array(found["x"], dtype=np.float32).reshape(-1, joints, 3),
    }


def encoded(state: dict, encoder) -> np.ndarray:
    """The same features by PyTorch: CLS and mean token."""
    x = torch.from_numpy(state["x"]).permute(2, 0, 1)[None, ..., None]  # (1, 3, T, V, 1)
    x = augment.rotate(x, torch.tensor([[0.0, np.deg2rad(state["now"]["turn"]), 0.0]]))
    x, _ = evaluate.prepare(x, encoder.config, torch.ones(1, *x.shape[2:], dtype=torch.bool))
    with torch.inference_mode():
        out = encoder(x, mask=torch.from_numpy(state["mask"])[None, None])
    return torch.cat([out.cls[0, 0], out.tokens[0, 0].mean(dim=(0, 1))]).numpy()


@pytest.fixture(scope="module")
def trained():
    return on_body(pretrain.pretrained_run("small").teacher.encoder, data.ui_prmd().skeleton).eval()


def test_it_asks_nothing_of_a_network(page):
    assert [url for url in page.asked if not url.startswith(("file:", "blob:", "data:"))] == []
    assert page.failed == []
    assert page.is_hidden("#state")


def test_its_features_are_pytorchs(page, trained):
    """With a mask, without one, turned, for another clip and strategy, and of the untrained network."""
    for act in (
        lambda: page.click("#again"),
        lambda: page.click("#none"),
        lambda: page.locator("#turn").fill("60"),
        lambda: page.select_option("#clip", "7"),
        lambda: page.select_option("#strategy", "motion_aware"),
        lambda: page.locator("#ratio").fill("0.9"),
    ):
        answered(page, act)
        state = shown(page)
        assert np.abs(encoded(state, trained) - state["features"]).max() < 1e-4
    assert state["mask"].sum() == round(0.9 * state["mask"].size)
    random = browser_page.untrained(pretrain.pretrained_run("small"))
    answered(page, lambda: page.select_option("#weights", "untrained"))
    state = shown(page)
    assert np.abs(encoded(state, on_body(random.encoder, data.ui_prmd().skeleton).eval()) - state["features"]).max() < 1e-4
    answered(page, lambda: page.select_option("#weights", "trained"))


def test_a_mask_is_painted_on_the_grid(page):
    page.click(".tabs button:has-text('mask')")
    answered(page, lambda: page.click("#none"))
    grid = page.locator("#grid canvas")
    box = grid.bounding_box()
    begin = (box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.move(*begin)
    answered(page, page.mouse.down)
    assert shown(page)["mask"].sum() == 1
    answered(page, lambda: page.mouse.move(begin[0] + 0.3 * box["width"], begin[1], steps=20))
    page.mouse.up()
    wait_for(lambda: len(set(np.argwhere(shown(page)["mask"])[:, 1])) == 1 and shown(page)["mask"].sum() >= 2, "a painted stroke")
    assert "masked" in page.inner_text("#says")


def test_a_mask_is_painted_by_keys(page):
    answered(page, lambda: page.click("#none"))
    page.locator("#grid canvas").focus()
    page.mouse.move(0, 0)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    answered(page, lambda: page.keyboard.press("Enter"))
    assert shown(page)["mask"].sum() == 1


def test_every_view_says_what_it_shows(page, trained):
    answered(page, lambda: page.select_option("#strategy", "semantic_tubes"))
    said = {}
    for view in ("mask", "tokens", "attention"):
        page.click(f".tabs button:has-text('{view}')")
        wait_for(lambda view=view: page.evaluate("document.body.dataset.view") == view, view)
        said[view] = page.inner_text("#says")
    answered(page, lambda: page.click(".tabs button:has-text('prototypes')"))
    said["prototypes"] = page.inner_text("#says")
    assert len(set(said.values())) == 4
    state, found = shown(page), page.evaluate("slim.standing()")
    run = pretrain.pretrained_run("small")
    expected = analysis.agreement(*_networks(run), _store(state), 0, torch.from_numpy(state["mask"]))
    assert found["own"] == pytest.approx(expected.masked, abs=1e-3)
    assert found["elsewhere"] == pytest.approx(expected.elsewhere, abs=1e-3)


def test_neighbors_are_those_of_the_library(page, trained):
    answered(page, lambda: page.click("#none"))
    state, store = shown(page), data.ui_prmd()
    others = np.flatnonzero(store.column("subject") != page.evaluate("slim.clips[slim.now.clip].subject"))
    features = evaluate.features(trained, store, cache=None).x[others, : len(state["features"])]
    near = torch.nn.functional.cosine_similarity(features, torch.tensor(state["features"])[None].float()).topk(5).indices
    expected = [f"{store.label_names[store.labels[i]]} (person {store.column('subject')[i]})" for i in others[near]]
    assert page.locator(".neighbors li").all_inner_texts()[:5] == expected


def _networks(run):
    """Student and teacher on the page's body."""
    body, out = data.ui_prmd().skeleton, []
    for networks in (run.student, run.teacher):
        out.append(Both(on_body(networks.encoder, body), networks.token_head).eval())
    return out


class Both(torch.nn.Module):
    def __init__(self, encoder, token_head) -> None:
        super().__init__()
        self.encoder, self.token_head = encoder, token_head


def _store(state: dict):
    """A store of the clip on the screen."""
    assert state["now"]["turn"] == 60  # as the test before left it
    x = torch.from_numpy(state["x"]).permute(2, 0, 1)[None, ..., None]
    x = augment.rotate(x, torch.tensor([[0.0, np.deg2rad(60), 0.0]]))
    return make_store([x[0, ..., 0].permute(1, 2, 0).numpy()[:, None]], data.ui_prmd().skeleton)


def test_what_is_changed_while_the_network_thinks_is_asked_anew(page, trained):
    """The whole clip's features belong to the settings on the screen, not to those that were asked about first."""
    answered(page, lambda: page.click("#none"))
    change = """async () => {
        const weights = document.querySelector("#weights");
        for (const value of ["untrained", "trained"]) {
            weights.value = value;
            weights.onchange();
            await new Promise((done) => setTimeout(done, 1));
        }
    }"""
    answered(page, lambda: page.evaluate(change))
    wait_for(lambda: page.evaluate("document.body.dataset.answered") == page.evaluate("String(slim.asked())"), "the last answer")
    state = shown(page)
    whole = np.array(page.evaluate("[...slim.whole()]"))
    assert state["now"]["weights"] == "trained" and not state["mask"].any()
    assert np.abs(whole - state["features"]).max() < 1e-6 and np.abs(whole - encoded(state, trained)).max() < 1e-4


def chosen_clip(page) -> int:
    return page.evaluate("slim.now.clip")


def test_the_map_is_reached_by_keys(page):
    """Arrow keys go from point to point, N to neighbors, Enter opens; each is said to a screen reader."""
    canvas, said = page.locator("#map canvas"), page.locator("#map .said")
    page.mouse.move(0, 0)
    canvas.focus()
    assert "Arrow keys" in canvas.get_attribute("aria-label")
    names = set()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
        names.add(said.inner_text())
    assert len(names) > 1 and all("open" in name for name in names)
    answered(page, lambda: page.select_option("#clip", "0"))
    canvas.focus()
    page.keyboard.press("n")
    neighbor = page.locator(".neighbors > div").nth(1).locator("li").first.inner_text()
    assert said.inner_text().startswith(neighbor)
    for _ in range(60):  # to a clip of another class that the page has
        page.keyboard.press("ArrowDown")
    answered(page, lambda: page.keyboard.press("Enter"))
    label = page.evaluate("slim.clips[slim.now.clip].label")
    assert chosen_clip(page) != 0 and said.inner_text().startswith(data.ui_prmd().label_names[label])
    assert page.input_value("#clip") == str(chosen_clip(page))
    page.keyboard.press("Escape")
    assert said.inner_text() == ""
    answered(page, lambda: page.select_option("#clip", "0"))


def test_a_neighbor_opens_by_keys_and_keeps_the_focus(page):
    answered(page, lambda: page.select_option("#clip", "3"))
    button = page.locator(".neighbors button").nth(2)
    name = button.inner_text()
    button.focus()
    answered(page, lambda: page.keyboard.press("Enter"))
    label = page.evaluate("slim.clips[slim.now.clip].label")
    assert name.startswith(data.ui_prmd().label_names[label])
    assert page.evaluate("[...document.querySelectorAll('.neighbors button')].indexOf(document.activeElement)") == 2


def test_tabs_are_chosen_by_arrow_keys(page):
    page.click(".tabs button:has-text('mask')")
    page.keyboard.press("ArrowRight")
    wait_for(lambda: page.evaluate("document.body.dataset.view") == "tokens", "the second tab")
    assert page.evaluate("document.activeElement.textContent") == "tokens"
    page.keyboard.press("ArrowLeft")


def test_what_is_pointed_at_goes_when_the_mask_hides_it(page):
    """The name beside the pointer is of this moment's bodies, not of those that were there when the pointer came."""
    page.click(".tabs button:has-text('mask')")
    answered(page, lambda: page.click("#none"))
    stage, canvas = page.locator(".slimlab-stage"), page.locator(".slimlab-stage canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()

    def on_a_joint() -> bool:
        return bool(stage.get_attribute("data-under"))

    for y in np.arange(0.15, 0.95, 0.01):  # down the middle of the left body, which loses what is masked
        page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + float(y) * box["height"])
        page.evaluate("new Promise(requestAnimationFrame)")
        page.evaluate("new Promise(requestAnimationFrame)")
        if on_a_joint():
            break
    assert on_a_joint()
    joint = data.ui_prmd().skeleton.names.index(stage.get_attribute("data-under"))
    answered(page, lambda: page.select_option("#strategy", "joint_tubes"))
    for _ in range(20):  # without the mouse, which stays where it is
        answered(page, lambda: page.evaluate("document.querySelector('#again').click()"))
        if shown(page)["mask"][0, joint]:
            break
    assert shown(page)["mask"][0, joint]
    wait_for(lambda: stage.get_attribute("data-under") == "", "a name that goes with its joint")
    # the panels of a grid are fewer in another view; a cell of one that is gone is pointed at no more
    page.click(".tabs button:has-text('tokens')")
    page.locator("#grid canvas").focus()
    page.mouse.move(0, 0)
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    page.click(".tabs button:has-text('mask')")
    page.keyboard.press("Tab")
    page.evaluate("new Promise(requestAnimationFrame)")
    assert page.failed == []


@pytest.fixture(scope="module")
def phone(browser, file):
    context = browser.new_context(
        viewport={"width": 360, "height": 780}, offline=True, has_touch=True, is_mobile=True, color_scheme="dark"
    )
    page = context.new_page()
    page.goto(file.as_uri())
    page.wait_for_function("document.body.dataset.answered", timeout=120_000)
    page.session = context.new_cdp_session(page)
    yield page
    context.close()


def swipe(page, selector: str, across: float, along: float, rest: float = 0.0) -> None:
    """One finger from the middle of an element, that rests there some seconds first."""
    page.locator(selector).evaluate("e => e.scrollIntoView({block: 'center'})")
    box = page.locator(selector).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    begin = time.time()  # the times are those of a swift hand, however slow the machine
    first = {"type": "touchStart", "touchPoints": [{"x": x, "y": y}], "timestamp": begin}
    page.session.send("Input.dispatchTouchEvent", first)
    for share in np.linspace(0.1, 1, 10):
        at = {"x": x + float(share) * across, "y": y + float(share) * along}
        later = {"type": "touchMove", "touchPoints": [at], "timestamp": begin + rest + 0.1 * float(share)}
        page.session.send("Input.dispatchTouchEvent", later)
    page.session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def scrolled(page) -> float:
    return page.evaluate("scrollY")


CANVASES = {"the body": ".slimlab-stage canvas", "the grid": "#grid canvas", "the map": "#map canvas"}


@pytest.mark.parametrize("selector", CANVASES.values(), ids=CANVASES)
def test_a_swipe_over_a_canvas_scrolls(phone, selector):
    page = phone
    page.locator(selector).evaluate("e => e.scrollIntoView({block: 'center'})")
    before, mask, asked = scrolled(page), page.evaluate("[...slim.mask]"), page.evaluate("slim.asked()")
    swipe(page, selector, 0, -150)
    wait_for(lambda: scrolled(page) > before + 50, "a page that scrolls")
    assert page.evaluate("[...slim.mask]") == mask and page.evaluate("slim.asked()") == asked  # nothing was painted or opened


def test_a_finger_paints_sideways_and_once_it_has_rested(phone):
    page = phone
    for across, along, rest in ((80, 0, 0.0), (0, 100, 0.5)):
        answered(page, lambda: page.evaluate("document.querySelector('#none').click()"))
        page.locator("#grid canvas").evaluate("e => e.scrollIntoView({block: 'center'})")
        before = scrolled(page)
        swipe(page, "#grid canvas", across, along, rest)
        wait_for(lambda: page.evaluate("[...slim.mask].reduce((a, b) => a + b)") >= 2, "painted tokens")
        assert abs(scrolled(page) - before) < 5  # the words above may become a line longer


def test_a_finger_turns_the_body(phone):
    page = phone
    canvas = page.locator(".slimlab-stage canvas")
    canvas.evaluate("e => e.scrollIntoView({block: 'center'})")
    before, place = canvas.screenshot(), scrolled(page)
    swipe(page, ".slimlab-stage canvas", 90, 0)
    wait_for(lambda: canvas.screenshot() != before, "a turned body")
    assert abs(scrolled(page) - place) < 5


def test_nothing_is_wider_than_a_phone(phone):
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")


PAPER = """canvas => {
    const {width} = canvas, pixels = canvas.getContext("2d").getImageData(width - 4, 4, 2, 2).data;
    return pixels[3] === 0 ? null : [...pixels.slice(0, 3)];
}"""


def test_canvases_take_the_pages_theme(phone):
    """Dark while the system is dark, and light at once when that changes."""
    wait_for(lambda: phone.locator(".slimlab-stage").get_attribute("data-theme") == "dark", "dark")
    for selector in (CANVASES["the body"], CANVASES["the grid"]):
        assert max(phone.locator(selector).evaluate(PAPER)) < 80
    phone.emulate_media(color_scheme="light")
    for selector in (CANVASES["the body"], CANVASES["the grid"]):
        wait_for(lambda selector=selector: min(phone.locator(selector).evaluate(PAPER)) > 240, "white paper")
    assert phone.locator(CANVASES["the map"]).evaluate("c => c.dataset.theme") == "light"
