"""Text from data where markup is read: labels, clip names, subjects, joint names, paths and error texts are never markup.

HTML widgets and pages take `html_text`; titles and labels of plotly, which reads some HTML and LaTeX, take `plotly_text`.
matplotlib reads LaTeX between two dollar signs; `plot.style` turns that off for all figures of ours.
"""

from __future__ import annotations

import html
from typing import Any


def html_text(text: Any) -> str:
    """Text as HTML that shows it letter by letter, inside an element or a quoted attribute."""
    return html.escape(str(text))


def plotly_text(text: Any) -> str:
    """Text that plotly shows letter by letter in titles, annotations and labels; a dollar sign would begin an equation."""
    return html.escape(str(text), quote=False).replace("$", "&#36;")
