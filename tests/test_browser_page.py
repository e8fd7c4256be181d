"""The page "SLiM in your browser", opened from a file with the network off, in Chromium."""

import sys
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
