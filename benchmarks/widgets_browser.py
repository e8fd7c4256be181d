"""How fluid the canvases are in a browser: 20,000 points of an embedding, and clips of 300 frames that play.

    python benchmarks/widgets_browser.py [--points 20000] [--frames 300] [--json FILE]

Needs Chromium and Playwright (the dev extra). The widgets' own code is drawn in an empty page, without Jupyter: what is timed is
the page's work, JavaScript a frame (median and p90, ms) and frames a second while something goes on, at 1300 x 900 pixels. A
headless Chromium draws without a GPU, so a reader's browser is faster. Fluid: at least 20 frames a second. Moving and zooming of
20,000 points have 50 ms a frame, median; exit status 1 above.
"""

import argparse
import base64
import json
import statistics
import sys
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from slimlab import data, plot, widgets
from slimlab._system.cache import replace_file
from slimlab._system.doctor import chromium

BUDGET = 50  # ms a frame

HARNESS = """async ([code, state]) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const given = ([k, v]) => [k, v && v.base64 !== undefined ? bytes(v.base64) : v];
  const traits = Object.fromEntries(Object.entries(state).map(given));
  const heard = {}, tell = (name) => (heard[name] || []).forEach((f) => f());
  window.model = {
    get: (k) => traits[k],
    set: (k, v) => { traits[k] = v; tell(`change:${k}`); tell("change"); },
    on: (names, f) => names.split(" ").forEach((n) => (heard[n] ??= []).push(f)),
    off: () => {}, save_changes: () => {},
  };
  window.spent = [];
  const plain = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (f) => plain((t) => { const b = performance.now(); f(t); spent.push(performance.now() - b); });
  const module = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  document.body.innerHTML = "<div id=el style='width:1200px'></div>";
  module.default.render({ model, el: document.getElementById("el") });
  await new Promise((done) => setTimeout(done, 1500));
}"""


def state(widget) -> dict:
    """A widget's traits, as its page would get them."""
    kept = {k: v for k, v in widget.get_state().items() if not k.startswith("_") and k != "layout"}
    return {
        k: {"base64": base64.b64encode(bytes(v)).decode()} if isinstance(v, bytes | memoryview) else v for k, v in kept.items()
    }


def during(page, act, seconds: float = 3.0) -> dict:
    """Frames drawn while `act` goes on for so long."""
    page.evaluate("() => { spent.length = 0; window.begun = performance.now(); }")
    act(seconds)
    spent, passed = page.evaluate("() => [spent, performance.now() - begun]")
    ordered = sorted(spent)
    return {
        "frames_per_second": 1e3 * len(spent) / passed,
        "median_ms": statistics.median(ordered),
        "p90_ms": ordered[int(0.9 * (len(ordered) - 1))],
        "frames": len(spent),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--json")
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    scatter = widgets.Scatter()
    scatter.show(rng.normal(size=(a.points, 2)), rng.integers(60, size=a.points), [f"clip {i}" for i in range(a.points)])
    store = data.synthetic(clips=66)
    longest = [np.resize(store[i].joints, (a.frames, *store[i].joints.shape[1:])) for i in range(5)]
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])

        def shown(widget):
            page = browser.new_page(viewport={"width": 1300, "height": 900})
            name = type(widget).__name__.lower()
            folder = Path(widgets.__file__).parent
            page.add_style_tag(path=str(folder / f"{name}.css"))
            page.evaluate(HARNESS, [(folder / f"{name}.js").read_text(), state(widget)])
            return page

        page = shown(scatter)

        def hover(seconds):
            for step in range(int(seconds * 40)):
                page.mouse.move(200 + 5 * step % 900, 100 + 7 * step % 300)

        def pan(seconds):  # by the middle button, which moves in every mode
            page.mouse.move(600, 300)
            page.mouse.down(button="middle")
            for step in range(int(seconds * 40)):
                page.mouse.move(600 + 200 * np.sin(step / 9), 300 + 100 * np.cos(step / 7))
            page.mouse.up(button="middle")

        def zoom(seconds):
            page.mouse.move(500, 250)
            for step in range(int(seconds * 40)):
                page.mouse.wheel(0, -60 if step // 8 % 2 == 0 else 60)

        def dense(seconds):
            page.evaluate("() => model.set('density', true)")
            pan(seconds)
            page.evaluate("() => model.set('density', false)")

        def choose(seconds):
            set_them = "([i, n]) => model.set('selected', Array.from({length: 500}, (_, k) => (k * 37 + i) % n))"
            for step in range(int(seconds * 5)):
                page.evaluate(set_them, [step, a.points])
                page.wait_for_timeout(100)

        found[f"{a.points} points: moving"] = during(page, pan)
        found[f"{a.points} points: zooming"] = during(page, zoom)
        found[f"{a.points} points: density, moving"] = during(page, dense)
        page.evaluate("() => model.set('view', [0, 0, 1])")
        found[f"{a.points} points: hovering"] = during(page, hover)
        found[f"{a.points} points: 500 chosen"] = during(page, choose)
        page.close()
        for clips in (1, 2, 5):
            played = shown(widgets.Stage(plot.bodies(longest[:clips], store.skeleton), playing=True, trails=[11]))
            found[f"{clips} clips of {a.frames} frames: playing"] = during(
                played, lambda s, p=played: p.wait_for_timeout(1e3 * s)
            )
            played.close()
        browser.close()
    for name, line in found.items():
        print(
            f"{name:<38} {line['frames_per_second']:5.1f} frames/s   JavaScript: median {line['median_ms']:6.1f} ms, "
            f"p90 {line['p90_ms']:6.1f} ms a frame   ({line['frames']} frames)"
        )
    if a.json:
        replace_file(Path(a.json), lambda f: f.write((json.dumps(found, indent=1) + "\n").encode()))
    return int(max(line["median_ms"] for name, line in found.items() if "moving" in name or "zooming" in name) > BUDGET)


if __name__ == "__main__":
    sys.exit(main())
