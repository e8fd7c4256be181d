"""Every explorer in JupyterLab's dark theme, and back in the light one: canvases follow, and words can be read."""

import os
from pathlib import Path

import pytest

from tests.lab import wait_for

pytestmark = pytest.mark.integration

SHOTS = os.environ.get("SLIMLAB_SHOTS")  # a folder for screenshots to look at

SETUP = """
import numpy as np
import slimlab
from slimlab import data, evaluate, pretrain, widgets
store = data.synthetic(clips=66)
encoder, run = slimlab.pretrained("tiny"), pretrain.pretrained_run("small")
train, test = data.split(store)
numbers = np.random.default_rng(0).normal(size=(len(store), 8)).astype(np.float32)
known = store[store.column("people") == 1]
long, parts = data.concatenate(known, [0, 4, 8])
predictor = evaluate.fit_predictor(encoder, known.with_people(2))
"""
SHOWN = {
    "attention": "widgets.AttentionExplorer(store, encoder, query=(1, 2))",
    "augmentations": "widgets.AugmentationExplorer(store)",
    "clips": "widgets.ClipPlayer(store, others=[1], names=True)",
    "embedding": "widgets.EmbeddingExplorer(store, numbers)",
    "features": "widgets.FeatureExplorer(store, encoder)",
    "interventions": "widgets.InterventionExplorer(store, encoder, hidden=((0, 1),))",
    "masks": "widgets.MaskExplorer(store)",
    "prototypes": "widgets.PrototypeExplorer(run, store)",
    "retrieval": "widgets.RetrievalViewer(train, test, encoder)",
    "timeline": "widgets.TimelineExplorer(long, 0, predictor, known, truth=parts, seconds=0.5)",
    "training": "widgets.TrainingMonitor(run.folder)",
}
PAPERS = """() => [...document.querySelectorAll(".jp-OutputArea-output canvas")].filter(c => c.clientWidth).map(c => {
    const {width, height} = c, draws = c.getContext("2d");
    const corners = [[2, 2], [width - 4, 2], [2, height - 4], [width - 4, height - 4]];
    return corners.map(([x, y]) => [...draws.getImageData(x, y, 1, 1).data].slice(0, 3).reduce((a, b) => a + b) / 3);
})"""
# words in the outputs whose color is too near to what is behind them, by WCAG 2
FAINT = """() => {
    const parts = (text) => (text.match(/[\\d.]+/g) || []).map(v => Number(v) * (text.startsWith("color(") ? 255 : 1));
    const light = (rgb) => rgb.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const found = parts(getComputedStyle(e).backgroundColor);
            if (found.length && (found.length < 4 || found[3] > 0.5)) return found;
        }
        return [255, 255, 255];
    };
    const out = [];
    for (const e of document.querySelectorAll(".jp-OutputArea-output :is(div, span, td, th, label, button, p, b)")) {
        const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent.trim()).join("");
        if (!/[A-Za-z0-9]/.test(text) || !e.clientWidth || e.disabled || getComputedStyle(e).visibility === "hidden") continue;
        const [a, b] = [light(parts(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => x - y);
        const contrast = (b + 0.05) / (a + 0.05);
        if (contrast < 4) out.push(`${contrast.toFixed(2)}: ${text.slice(0, 60)}`);
    }
    return out;
}"""


def test_every_explorer_in_the_dark_theme(browser, kernel):
    themes = kernel.folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    themes.write_text('{"theme": "JupyterLab Dark"}')
    page = browser.new_page(viewport={"width": 1300, "height": 1100})
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        kernel.show(page, "themes", SETUP, *SHOWN.values())
        wait_for(lambda: page.evaluate("document.body.dataset.jpThemeLight") == "false", "the dark theme")
        wait_for(lambda: len(page.evaluate(PAPERS)) >= 16, "all canvases")
        wait_for(lambda: all(max(corners) < 120 for corners in page.evaluate(PAPERS)), "dark canvases")
        if SHOTS:
            page.wait_for_timeout(2000)
            for name, output in zip(SHOWN, page.locator(".jp-OutputArea-output").all(), strict=False):
                output.screenshot(path=str(Path(SHOTS) / f"dark_{name}.png"))
        assert page.evaluate(FAINT) == []
        page.get_by_role("menuitem", name="Settings", exact=True).click()
        page.locator(".lm-Menu-item", has_text="Theme").first.click()
        page.locator(".lm-Menu-item", has_text="JupyterLab Light").first.click()
        wait_for(lambda: all(max(corners) > 200 for corners in page.evaluate(PAPERS)), "light canvases")
        wait_for(lambda: page.evaluate(FAINT) == [], "words that can be read")
    finally:
        themes.unlink(missing_ok=True)
        page.close()
    assert complaints == []
