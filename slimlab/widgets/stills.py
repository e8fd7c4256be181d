"""Still pictures of widgets: what a saved notebook shows where no kernel answers, as on GitHub or in nbviewer.

Everything is drawn by Pillow into one PNG, in milliseconds; text is drawn letter by letter, so that no text of the data can
become markup.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from typing import Any

import ipywidgets
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from slimlab._system.warn import warn

VIEW = "application/vnd.jupyter.widget-view+json"
WIDTH = 900  # pixels of the whole picture
FONT = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf", 11)
LINE = 15  # pixels from one line of text to the next
INK, FAINT, PALE, NOW = "#222222", "#BBBBBB", "#EEEEEC", "#D55E00"


class Still:
    """Base class of widgets that carry a still picture beside their live view. It stands before the widget's own base class."""

    def _repr_mimebundle_(self, **kwargs) -> Any:
        """The widget's MIME bundle with `image/png`; where the picture cannot be drawn, a warning and the live view alone."""
        given = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]  # of ipywidgets a dict, of anywidget (data, metadata)
        data = given[0] if isinstance(given, tuple) else given
        if data and VIEW in data:
            try:
                picture = still(self, WIDTH)
                if picture is not None:
                    file = io.BytesIO()
                    picture.save(file, "png")
                    data["image/png"] = base64.b64encode(file.getvalue()).decode()
            except Exception as error:
                name = type(self).__name__
                warn(f"{name} works, but a saved notebook shows no still picture of it: {error!r}")
        return given

    def draw_still(self, width: int) -> Image.Image | None:
        """What the widget itself shows, `width` pixels wide. None: only what its children show."""
        return None


def still(widget: Any, width: int) -> Image.Image | None:
    """A picture, `width` pixels wide, of a widget and its children as they stand; None where there is nothing to see."""
    if widget.layout.display == "none" or widget.layout.visibility == "hidden":
        return None
    own = widget.draw_still(width) if isinstance(widget, Still) else None
    if own is not None:
        return own
    if isinstance(widget, (ipywidgets.HTML, ipywidgets.HTMLMath, ipywidgets.Label)):
        return _paragraph(_plain(widget.value), width)
    children = list(getattr(widget, "children", ()))
    if isinstance(widget, (ipywidgets.Accordion, ipywidgets.Tab, ipywidgets.Stack)):
        children = [] if widget.selected_index is None else [children[widget.selected_index]]
    if isinstance(widget, ipywidgets.HBox):
        shown = [child for child in children if _may_show(child)]
        parts = [still(child, width // len(shown)) for child in shown]
        return _joined([p for p in parts if p is not None], across=True)
    return _joined([p for p in (still(child, width) for child in children) if p is not None], across=False)


def _may_show(widget: Any) -> bool:
    """Whether `widget` or a child of it is of a kind that a still picture shows: sliders and buttons are not."""
    if widget.layout.display == "none" or widget.layout.visibility == "hidden":
        return False
    if isinstance(widget, (ipywidgets.HTML, ipywidgets.HTMLMath, ipywidgets.Label)):
        return bool(_plain(widget.value).strip())
    if isinstance(widget, Still) and type(widget).draw_still is not Still.draw_still:
        return True
    return any(_may_show(child) for child in getattr(widget, "children", ()))


def bodies(joints: np.ndarray, colors: np.ndarray, sizes: np.ndarray, scene: dict, width: int, height: int) -> Image.Image:
    """One frame of clips side by side, from the front. joints (C, M, V, 3), colors (C, M, V, 3), sizes (C, M, V)."""
    picture, draw = _sheet(width, height)
    flat = np.stack([joints[..., 0], -joints[..., 2]], axis=-1)  # right, down
    there = np.isfinite(flat).all(axis=-1) & (sizes > 0)
    each = width / max(1, len(joints))
    seen = flat[there] if there.any() else np.zeros((1, 2))
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = min((each - 30) / max(high[0] - low[0], 0.3), (height - 3 * LINE) / max(high[1] - low[1], 0.3))
    for c, title in enumerate(scene["titles"]):
        _text(draw, (c * each + 6, 2), title, each - 12)
        middle = np.array([(c + 0.5) * each, height / 2 + LINE / 2])
        placed = (flat[c] - (low + high) / 2) * scale + middle
        for m in range(len(placed)):
            for a, b in scene["bones"]:
                if there[c, m, a] and there[c, m, b]:
                    draw.line([*placed[m, a], *placed[m, b]], fill=tuple(colors[c, m, b].tolist()), width=3)
            for j in np.flatnonzero(there[c, m]):
                radius = 3 * float(sizes[c, m, j]) ** 0.5
                x, y = placed[m, j]
                draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=tuple(colors[c, m, j].tolist()))
    return picture


def cells(colors: np.ndarray, scene: dict, width: int) -> Image.Image | None:
    """Grids (P, T', V, 3) of colors, in as many columns as on the screen; masked tokens are crossed."""
    count = len(colors)
    if not count:
        return None
    columns = min(count, scene["columns"])
    labels = min(130, width // 3) if scene["labels"] else 0
    side = (width - labels) / columns
    tall = 12 * len(scene["order"]) if scene["labels"] else 80
    picture, draw = _sheet(width, -(-count // columns) * (tall + LINE + 6))
    for p, grid in enumerate(colors):
        x, y = labels + (p % columns) * side, (p // columns) * (tall + LINE + 6) + LINE
        _text(draw, (x, y - LINE), scene["titles"][p] if p < len(scene["titles"]) else "", side - 4)
        shown = grid[:, scene["order"]].swapaxes(0, 1)  # (V, T', 3)
        across = max(1, int(side) - 4)
        picture.paste(Image.fromarray(shown).resize((across, tall), Image.Resampling.NEAREST), (int(x), int(y)))
        w, h = across / shown.shape[1], tall / shown.shape[0]
        for step, joint in scene["crossed"][p] if p < len(scene["crossed"]) else ():
            row = scene["order"].index(joint)
            draw.line([x + step * w, y + row * h, x + (step + 1) * w, y + (row + 1) * h], fill="white")
            draw.line([x + step * w, y + (row + 1) * h, x + (step + 1) * w, y + row * h], fill="white")
        if scene["labels"] and p % columns == 0:
            for row, joint in enumerate(scene["order"]):
                _text(draw, (0, y + row * h - 2), scene["names"][joint], labels - 4)
    return picture


def curves(points: np.ndarray, scene: dict, width: int, cursor: Sequence[float] = ()) -> Image.Image | None:
    """Lines and bars of the panels; points: x and y of one line after the other; cursor: [x] of an upright line."""
    panels = scene.get("panels", [])
    if not panels:
        return None
    columns = min(len(panels), scene["columns"])
    rows = max(len(panel["levels"]) for panel in panels)
    side, tall = width / columns, max(150, LINE * (rows + 3))
    picture, draw = _sheet(width, -(-len(panels) // columns) * (tall + LINE) + LINE)
    at, left = 0, 6
    for p, panel in enumerate(panels):
        x, y = (p % columns) * side, (p // columns) * (tall + LINE)
        _text(draw, (x + 4, y), panel["title"], side - 8)
        box = np.array([x + 6, y + LINE + 4, x + side - 6, y + tall - 2])
        draw.rectangle(box.tolist(), outline=FAINT)
        lines = []
        for line in panel["lines"]:
            n = line["count"]
            lines.append((line, points[at : at + n], points[at + n : at + 2 * n]))
            at += 2 * n
        xs, ys = (np.concatenate([np.zeros(0), *(line[i] for line in lines)]) for i in (1, 2))
        levels = [level["y"] for level in panel["levels"]]
        xs, ys = (
            np.r_[xs, np.full(len(levels), xs[0] if len(xs) else np.nan)],
            np.r_[ys, levels],
        )  # they are in view, as on the screen
        good = np.isfinite(xs) & np.isfinite(ys)
        if not good.any():
            continue
        low = np.array([xs[good].min(), min(0, ys[good].min()) if panel["zero"] or panel["bars"] else ys[good].min()])
        span = np.maximum(np.array([xs[good].max(), ys[good].max()]) - low, 1e-9)
        for level in panel["levels"]:
            height = box[3] - 2 - (level["y"] - low[1]) / span[1] * (box[3] - box[1] - 6)
            if box[1] < height <= box[3]:
                draw.line([box[0], height, box[2], height], fill=PALE)
        for line, across, up in lines:
            there, colour = np.isfinite(across) & np.isfinite(up), line["colour"]
            px = box[0] + 4 + (across - low[0]) / span[0] * (box[2] - box[0] - 8)
            py = box[3] - 2 - (up - low[1]) / span[1] * (box[3] - box[1] - 6)
            if panel["bars"]:
                for bx, by in zip(px[there], py[there], strict=True):
                    draw.line([bx, box[3], bx, by], fill=colour, width=2)
                continue
            broken = np.cumsum(~there) if line["gaps"] else np.zeros(len(there), dtype=int)
            for run in np.unique(broken[there]):
                own = there & (broken == run)
                if own.sum() > 1:
                    thick = max(2, round(line["width"]))
                    draw.line(np.stack([px[own], py[own]], axis=1).ravel().tolist(), fill=colour, width=thick)
                else:
                    draw.ellipse([px[own][0] - 2, py[own][0] - 2, px[own][0] + 2, py[own][0] + 2], fill=colour)
        for level in panel["levels"]:
            height = box[3] - 2 - (level["y"] - low[1]) / span[1] * (box[3] - box[1] - 6)
            if box[1] < height <= box[3]:
                _text(draw, (box[0] + 4, height - LINE + 1), level["text"], side / 3)
        if cursor and low[0] <= cursor[0] <= low[0] + span[0]:
            now = box[0] + 4 + (cursor[0] - low[0]) / span[0] * (box[2] - box[0] - 8)
            draw.line([now, box[1], now, box[3]], fill=NOW, width=2)
    for text, colour in scene["legend"]:
        _text(draw, (left, picture.height - LINE), text, 200, colour)
        left += 210
    return picture


def scatter(xy: np.ndarray, colors: list[str], title: str, width: int, height: int) -> Image.Image | None:
    """Points (N, 2) at one scale on both axes; the second axis grows upward."""
    good = np.isfinite(xy).all(axis=1)
    if not good.any():
        return None
    picture, draw = _sheet(width, height)
    _text(draw, (6, 2), title, width - 12)
    low, high = xy[good].min(axis=0), xy[good].max(axis=0)
    scale = min((width - 20) / max(high[0] - low[0], 1e-9), (height - 2 * LINE - 10) / max(high[1] - low[1], 1e-9))
    placed = (xy - (low + high) / 2) * [scale, -scale] + [width / 2, height / 2 + LINE / 2]
    for i in np.flatnonzero(good):
        x, y = placed[i]
        draw.ellipse([x - 2, y - 2, x + 2, y + 2], fill=colors[i])
    return picture


def _sheet(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (int(width), max(1, int(height))), "white")
    return picture, ImageDraw.Draw(picture)


def _text(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, width: float, colour: str = INK) -> None:
    """One line, cut where it would be wider than `width` pixels."""
    text = " ".join(str(text).split())
    if draw.textlength(text, FONT) > width:
        while text and draw.textlength(text + "…", FONT) > width:
            text = text[:-1]
        text += "…"
    draw.text(at, text, fill=colour, font=FONT)


def _paragraph(text: str, width: int) -> Image.Image | None:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if FONT.getlength(longer) <= width - 12 or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if not lines[0]:
        return None
    picture, draw = _sheet(width, LINE * len(lines) + 6)
    for i, line in enumerate(lines):
        _text(draw, (6, 3 + i * LINE), line, width - 12)
    return picture


def _plain(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"<style.*?</style>", "", markup, flags=re.DOTALL)))


def _joined(parts: list[Image.Image], across: bool) -> Image.Image | None:
    if not parts:
        return None
    widths, heights = [p.width for p in parts], [p.height for p in parts]
    size = (sum(widths), max(heights)) if across else (max(widths), sum(heights))
    picture, _ = _sheet(*size)
    at = 0
    for part in parts:
        picture.paste(part, (at, 0) if across else (0, at))
        at += part.width if across else part.height
    return picture
