"""Markdown and executed notebooks as HTML that needs neither a kernel nor a network.

Equations become MathML, which browsers draw themselves (latex2mathml); plotly figures and widgets become data that
static.js draws. nbconvert does the rest.
"""

import html
import json

from latex2mathml.converter import convert as mathml
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode, from_dict

PLOTLY = "application/vnd.plotly.v1+json"
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


class Renderer(IPythonRenderer):
    """nbconvert's renderer, but equations are MathML."""

    def block_math(self, body: str) -> str:
        return _equation(body, "block")

    def inline_math(self, body: str) -> str:
        return _equation(body, "inline")

    def latex_environment(self, name: str, body: str) -> str:
        return _equation(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


class Exporter(HTMLExporter):
    """nbconvert's exporter with that renderer."""

    def __init__(self) -> None:
        super().__init__(template_name="basic", exclude_anchor_links=False)
        self.register_filter("markdown2html", lambda source: markdown(source))


def markdown(source: str) -> str:
    """Markdown to HTML. Raises ValueError, quoting the equation, where one cannot be read."""
    return MarkdownWithMath(renderer=Renderer(escape=False)).render(source)


def notebook(book: NotebookNode) -> str:
    """An executed notebook's cells, and the data of its figures and widgets."""
    book = from_dict(book)
    models = book.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
    shown: set[str] = set()
    for cell in (c for c in book.cells if c.cell_type == "code"):
        for output in cell.outputs:
            _drawn_by_script(output.get("data", {}), models, shown)
    book.metadata.pop("widgets", None)
    body, _ = Exporter().from_notebook_node(book)
    code: dict[str, None] = {}  # of the widgets, each once: plotly's own is megabytes
    shown_models = {model: from_dict(models[model]) for model in sorted(shown)}
    for model in shown_models.values():
        if "_esm" in model["state"]:
            code.setdefault(model["state"]["_esm"])
            model["state"]["_esm"] = list(code).index(model["state"]["_esm"])
    return body + _script("widgets", {"models": shown_models, "code": list(code)})


def _drawn_by_script(data: dict, models: dict, shown: set[str]) -> None:
    """Put an element for static.js in place of a plotly figure or a widget."""
    if PLOTLY in data:
        figure = data.pop(PLOTLY)
        height = figure.get("layout", {}).get("height", 450)
        data.clear()
        data["text/html"] = f'<div class="figure" style="height:{float(height):g}px">{_script("", figure)}</div>'
    elif VIEW in data:
        model = data[VIEW]["model_id"]
        if model in models:  # a closed widget, such as a progress bar that is through, has none
            shown |= _with_parts(model, models)
            data.clear()
            data["text/html"] = f'<div class="widget" data-model="{html.escape(model)}"></div>'


def _with_parts(model: str, models: dict) -> set[str]:
    """A model and all that its state refers to."""
    seen, open_ = set(), [model]
    while open_:
        one = open_.pop()
        if one in seen or one not in models:
            continue
        seen.add(one)
        text = json.dumps({k: v for k, v in models[one]["state"].items() if not k.startswith("_esm")})
        open_ += [part.split('"')[0] for part in text.split("IPY_MODEL_")[1:]]
    return seen


def _script(name: str, value: dict) -> str:
    """JSON inside a page; no text in it can end the element early."""
    mark = f' id="{name}"' if name else ""
    text = json.dumps(value, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\u0021--")
    return f'<script type="application/json"{mark}>{text}</script>'


def _equation(body: str, display: str) -> str:
    try:
        return mathml(html.unescape(body).strip(), display=display)
    except Exception as error:  # latex2mathml raises many kinds
        raise ValueError(f"equation that latex2mathml cannot read: {body.strip()!r} ({type(error).__name__})") from error
