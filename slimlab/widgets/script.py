"""The JavaScript of a canvas widget: what all canvases share, and its own."""

from pathlib import Path

HERE = Path(__file__).parent


def script(name: str) -> str:
    """The module of one canvas, such as "stage"."""
    return "\n".join((HERE / f"{part}.js").read_text(encoding="utf-8") for part in ("canvas", name))
