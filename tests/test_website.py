"""The site of a small executed notebook, opened from the disk in a browser without a kernel and without a network."""

import nbformat
import pytest
from nbclient import NotebookClient

from tests.lab import wait_for
from tests.script import load

pytestmark = pytest.mark.integration

website, links = load("website"), load("links")

CELLS = """
from slimlab import data, plot, widgets, lessons
store = data.synthetic(clips=22)
plot.frames_strip(store[0], store.skeleton)
---
plot.player(store[1], store.skeleton)
---
widgets.ClipPlayer(store)
---
widgets.MaskExplorer(store)
---
def empty(x): raise NotImplementedError
lessons.check_sinkhorn(empty)
---
store.table.head(3)
---
print("00_small took 3 s on 2 cores")
"""
WORDS = r"""# 00 · A small lesson

**After this lesson** you can see a page. **Needs** nothing. **Takes** about 3 minutes.

An equation $\tau_t = 0.04$ and one of its own:

$$\mathcal{L} = -\frac{1}{B}\sum_{b=1}^{B} \log\left(\hat{d}_b + \epsilon\right), \qquad q_{nk} \ge 0$$

## A heading
[to it](#A-heading), [the docs](../docs/small_scale.md), [a file](../pyproject.toml)

<details><summary>Hint</summary>

**bold** inside

</details>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    new = nbformat.v4
    book = new.new_notebook(cells=[new.new_markdown_cell(WORDS), *(new.new_code_cell(c.strip()) for c in CELLS.split("---"))])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    book.cells[5].metadata["tags"] = ["exercise", "raises-exception"]
    NotebookClient(book, timeout=300).execute()
    out = tmp_path_factory.mktemp("site")
    website.write({"00_small": book, "01_next": book}, out, api=False)
    return out


def test_every_page_is_there_and_every_link_leads_somewhere(site):
    broken, external = links.check_site(site)
    assert broken == []
    index = (site / "index.html").read_text()
    assert "00 · A small lesson" in index and "see a page." in index and "about 3 minutes" in index and "3 s on 2 cores" in index
    assert 'title="notebooks/10_attention.ipynb in the repository"' in (site / "docs" / "inside.html").read_text()
    assert (site / "thumbnails" / "00_small.png").exists() and (site / "docs" / "small_scale.html").exists()
    page = (site / "00_small.html").read_text()
    assert 'rel="next" href="01_next.html"' in page and "<math" in page and "$" not in page.split("<script")[0]
    assert "Not yet:" in page and "ansi-red-fg" in page and "Traceback" not in page and "<strong>bold</strong>" in page
    assert page.count("Bodies that move, on a canvas.") == 1  # two explorers with a stage, its code once
    assert 'title="pyproject.toml in the repository"' in page
    for address in external:  # links to read, nothing that a page needs
        assert not address.endswith((".js", ".css"))


def test_bodies_move_without_a_kernel_and_without_a_network(site, browser):
    context = browser.new_context(viewport={"width": 1000, "height": 1400}, offline=True)
    page, complaints, asked = context.new_page(), [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"file://{site}/00_small.html", timeout=300_000)
    assert {url.split(":")[0] for url in asked} <= {"file", "blob", "data"}

    figure = page.locator(".figure").first
    figure.scroll_into_view_if_needed()
    wait_for(lambda: figure.locator(".slider-label").count(), "the plotly figure")
    shown = figure.locator(".slider-label")
    before = shown.first.text_content()
    figure.locator(".updatemenu-button", has_text="▶").last.click()
    wait_for(lambda: shown.first.text_content() != before, "the plotly body to move")

    stage = page.locator(".widget [data-frame]").first
    stage.scroll_into_view_if_needed()
    wait_for(lambda: stage.get_attribute("data-drawn") not in (None, "0"), "a body on the canvas")
    stage.locator("button").first.click()
    wait_for(lambda: int(stage.get_attribute("data-frame") or 0) > 3, "the body on the canvas to move")
    assert page.locator(".widget .named").count() and page.locator(".still").count() == 2
    assert page.locator(".widget details:not([open])").count() == 1  # the explorer's gallery, closed as it was
    heights = page.evaluate("[...document.querySelectorAll('math[display=block]')].map(m => m.getBoundingClientRect().height)")
    assert heights and heights[0] > 25  # a fraction and a sum stand in it: it is drawn, not flat text
    page.screenshot(path=str(site / "page.png"), full_page=True)
    assert complaints == []
    context.close()


def test_an_executed_notebook_of_today_is_used_and_a_quick_one_is_not(tmp_path, monkeypatch):
    new, ran = nbformat.v4, []
    given = new.new_notebook(cells=[new.new_code_cell("1 + 1")])
    monkeypatch.setattr(website, "execute", lambda path, out: ran.append(path) or save(out / path.name, "fresh"))

    def save(file, said):
        book = nbformat.from_dict(given)
        book.cells[0] |= {"execution_count": 1, "outputs": [new.new_output("stream", text=said)]}
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(book, file)

    def said():
        return website.executed(tmp_path / "00_x.ipynb", tmp_path / "out", quick=False).cells[0].outputs[0].text

    nbformat.write(given, tmp_path / "00_x.ipynb")
    save(tmp_path / "out" / "quickstart" / "00_x.ipynb", "QUICK mode")
    assert said() == "fresh" and len(ran) == 1
    assert said() == "fresh" and len(ran) == 1  # found now
    given.cells[0].source = "2 + 2"
    nbformat.write(given, tmp_path / "00_x.ipynb")
    assert said() == "fresh" and len(ran) == 2  # the one found is of yesterday


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(SystemExit, match="something else than a site"):
        website.write({}, tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_it_goes_on_past_a_lesson_that_fails_and_names_it(tmp_path, monkeypatch, capsys):
    new = nbformat.v4
    for name, code in {"00_good": "1 + 1", "01_bad": "1 / 0", "02_late": "2 + 2"}.items():
        book = new.new_notebook(cells=[new.new_markdown_cell(f"# {name}"), new.new_code_cell(code)])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        nbformat.write(book, tmp_path / "notebooks" / f"{name}.ipynb")
    monkeypatch.setattr(website, "HERE", tmp_path / "notebooks")
    for _ in range(2):  # the second time the failed notebook lies there, and does not pass for an executed one
        arguments = ["website.py", str(tmp_path / "site"), "--executed", str(tmp_path / "out"), "--no-api", "--no-live"]
        monkeypatch.setattr("sys.argv", arguments)
        assert website.main() == 1
        said = capsys.readouterr().err
        assert "1 of 3 lessons failed" in said and "01_bad.ipynb failed" in said.splitlines()[-1]
        pages = {p.stem for p in (tmp_path / "site").glob("0*.html")}
        assert pages == {"00_good", "02_late"}


HOSTILE = """
import ipywidgets
from slimlab import plot, widgets
from tests import hostile
store = hostile.store(22)
plot.player(store[1], store.skeleton)
---
widgets.ClipPlayer(store)
---
said = ipywidgets.HTML("<b>own</b> " + hostile.TAG + "<a href='javascript:alert(0)' onclick='alert(0)'>there</a>")
data = {"text/html": "<table><tr><td>" + hostile.TAG + "</td></tr></table>"}
table = {"output_type": "display_data", "metadata": {}, "data": data}
ipywidgets.VBox([said, ipywidgets.HTMLMath(hostile.TAG), ipywidgets.Output(outputs=[table])])
"""


def test_text_of_the_data_stays_text_on_the_page(tmp_path, browser, monkeypatch):
    new = nbformat.v4
    monkeypatch.setenv("PYTHONPATH", str(website.ROOT))
    book = new.new_notebook(
        cells=[new.new_markdown_cell("# Hostile"), *(new.new_code_cell(c.strip()) for c in HOSTILE.split("---"))]
    )
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(book, timeout=300).execute()
    website.write({"00_hostile": book}, tmp_path / "site", api=False)
    context = browser.new_context(offline=True)
    page, complaints, alerts = context.new_page(), [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.goto(f"file://{tmp_path}/site/00_hostile.html", timeout=300_000)
    page.locator(".figure").first.scroll_into_view_if_needed()
    wait_for(lambda: page.locator(".figure .slider-label").count(), "the plotly figure")
    wait_for(lambda: page.locator(".widget").count() == 2 and page.locator(".widget table").count(), "the widgets")
    shown = page.locator(".widget").nth(1)
    assert shown.inner_text().count('<img src="q" onerror="alert(0)">') == 3  # text, in both kinds of HTML and in an output
    assert shown.locator("b").inner_text() == "own" and shown.locator("td").count() == 1
    assert shown.locator("a").evaluate("a => [...a.attributes].length") == 0
    assert page.locator("img[src=q], [onerror], [onclick]").count() == 0
    assert alerts == [] and complaints == []
    context.close()
