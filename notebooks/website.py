"""Export the course to static HTML: python notebooks/website.py OUT [--executed FOLDER] [--only 03 05] [--quick]

An executed notebook found under FOLDER (out/ as a rule) is used where its cells are those of the notebook of today; the others
are executed first. The pages need no kernel and no network: plotly.js stands once in assets/, equations are MathML, canvas
widgets bring their own code. The page of the library is made by pdoc from its docstrings; slim.html runs the encoder in the
browser (browser_page.py) and needs npm when it is made.
"""

import argparse
import base64
import html
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

import browser_page
import jinja2
import nbformat
import plotly
from execute import execute
from nbformat import NotebookNode
from PIL import Image
from pygments.formatters import HtmlFormatter
from web import markup

HERE = Path(__file__).parent
ROOT = HERE.parent
WEB = HERE / "web"
LIVE = "slim.html"
LINK = re.compile(r'(href|src)="([^"#:]+)(#[^"]*)?"')


class LessonError(Exception):
    """A lesson whose notebook did not run to its end."""


@dataclass(frozen=True)
class Lesson:
    """One executed notebook, and what the index says of it."""

    name: str
    book: NotebookNode
    title: str
    goal: str
    minutes: str
    took: str
    thumbnail: str = ""


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--executed", type=Path, default=ROOT / "out")
    parser.add_argument("--only", nargs="*", default=[], metavar="NN", help="numbers of lessons, such as 03")
    parser.add_argument("--quick", action="store_true", help="notebooks run with SLIMLAB_QUICK=1 will do")
    parser.add_argument("--no-api", action="store_true", help="without pdoc's pages")
    parser.add_argument("--no-live", action="store_true", help="without the page that runs the encoder")
    args = parser.parse_args()
    paths = [p for p in sorted(HERE.glob("*.ipynb")) if not args.only or p.stem[:2] in args.only]
    books, failed = {}, []
    for path in paths:
        try:
            books[path.stem] = executed(path, args.executed, args.quick)
        except LessonError as error:
            print(error, file=sys.stderr)
            failed.append(str(error))
    write(books, args.out, api=not args.no_api, live=not args.no_live)
    print(f"open {args.out / 'index.html'} in a browser")
    if failed:
        print(
            f"{len(failed)} of {len(paths)} lessons failed and are missing from the site:", *failed, sep="\n  ", file=sys.stderr
        )
    return 1 if failed else 0


def executed(path: Path, folder: Path, quick: bool) -> NotebookNode:
    """The notebook with its outputs: one that is found and is of today, or executed now. LessonError: a cell fails."""
    given = nbformat.read(path, as_version=4)
    for found in sorted(folder.rglob(path.name), key=lambda p: p.stat().st_mtime, reverse=True):
        book = nbformat.read(found, as_version=4)
        if _sources(book) == _sources(given) and _through(book) and (quick or not _quick(book)):
            return book
    if quick:
        os.environ["SLIMLAB_QUICK"] = "1"
    out = folder / path.stem
    if execute(path, out):
        raise LessonError(f"{path.name} failed; {out / path.name} shows where")
    return nbformat.read(out / path.name, as_version=4)


def write(books: dict[str, NotebookNode], out: Path, api: bool = True, live: bool = False) -> None:
    """Write the site of these executed notebooks to `out`, replacing a site that stands there.

    api   with pdoc's pages of the library
    live  with the page that runs the encoder in the browser
    """
    if out.exists() and not (out / "assets" / "static.js").exists() and any(out.iterdir()):
        sys.exit(f"{out}: holds something else than a site; give another folder")
    shutil.rmtree(out, ignore_errors=True)
    (out / "assets").mkdir(parents=True)
    for file in (WEB / "style.css", WEB / "static.js", Path(plotly.__file__).parent / "package_data" / "plotly.min.js"):
        shutil.copy(file, out / "assets")
    (out / "assets" / "code.css").write_text(HtmlFormatter().get_style_defs(".highlight"), encoding="utf-8")
    if live:
        browser_page.write(out / LIVE, course="index.html")
    lessons = [_lesson(name, book, out) for name, book in books.items()]
    around = [None, *((f"{x.name}.html", x.title) for x in lessons), None]
    for i, lesson in enumerate(lessons):
        body = _relink(markup.notebook(lesson.book), HERE, out, books)
        more = {"before": around[i], "after": around[i + 2], "note": lesson.took, "live": LIVE if live else ""}
        _page(out / f"{lesson.name}.html", lesson.title, body, **more)
    docs = []
    for source in sorted((ROOT / "docs").glob("*.md")):
        body = _relink(markup.markdown(source.read_text(encoding="utf-8")), source.parent, out, books, "../")
        title = source.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ").replace("`", "")
        _page(out / "docs" / f"{source.stem}.html", title, body, up="../")
        docs.append((f"docs/{source.stem}.html", title))
    if api:
        _api(out / "api")
    index = _template("index.html").render(lessons=lessons, docs=docs, api=api, live=LIVE if live else "")
    _page(out / "index.html", "The course", index)


def _page(file: Path, title: str, body: str, up: str = "", **around) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figures = 'class="figure"' in body
    file.write_text(_template("page.html").render(title=title, body=body, up=up, figures=figures, **around), encoding="utf-8")


def _template(name: str) -> jinja2.Template:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(WEB), undefined=jinja2.ChainableUndefined, autoescape=True
    ).get_template(name)


def _lesson(name: str, book: NotebookNode, out: Path) -> Lesson:
    first = " ".join(book.cells[0].source.split())
    title = book.cells[0].source.splitlines()[0].removeprefix("# ")
    goal = re.search(r"\*\*After this lesson\*\* you can (.*?)\.? ?\*\*Needs", first)
    minutes = re.search(r"\*\*Takes\*\* (about \d+ minutes)", first)
    took = re.findall(r"\btook ([\d.]+ (?:s|min) on \d+ cores)", str([c.get("outputs") for c in book.cells]))
    goal_html = re.sub("</?p>|\n", "", markup.markdown(goal[1] + ".")) if goal else ""
    goal_html = re.sub(r"</?a[^>]*>", "", goal_html)  # the card is a link already
    return Lesson(
        name, book, title, goal_html, minutes[1] if minutes else "", took[-1] if took else "", _thumbnail(name, book, out)
    )


def _thumbnail(name: str, book: NotebookNode, out: Path) -> str:
    """A small copy of the lesson's picture with the most in it; its address, "" where there is none."""
    outputs = [o for c in book.cells if c.cell_type == "code" for o in c.outputs]
    pictures = [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    if not pictures:
        return ""
    picture = Image.open(io.BytesIO(base64.b64decode(max(pictures[:4], key=len)))).convert("RGB")
    picture.thumbnail((560, 420))
    (out / "thumbnails").mkdir(exist_ok=True)
    picture.save(out / "thumbnails" / f"{name}.png")
    return f"thumbnails/{name}.png"


def _relink(body: str, folder: Path, out: Path, lessons: Container[str], up: str = "") -> str:
    """Links and pictures of a page, relative in the repository, as they are in the site; what the site lacks, as text.

    lessons  names of those that the site has: one that failed, or was not asked for, has no page
    """

    def new(found: re.Match) -> str:
        kind, address, anchor = found[1], found[2], found[3] or ""
        target = (folder / address).resolve()
        if not target.is_relative_to(ROOT) or not target.exists():
            return found[0]  # the link check names it
        place = target.relative_to(ROOT)
        if place.suffix == ".ipynb" and place.stem in lessons:
            return f'{kind}="{up}{place.stem}.html{anchor}"'
        if place.suffix == ".md" and place.parent.name == "docs":
            return f'{kind}="{up}docs/{place.stem}.html{anchor}"'
        if place.suffix in (".png", ".svg", ".gif", ".mp4"):
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(target, out / place)
            return f'{kind}="{up}{place}"'
        return f'title="{html.escape(str(place))} in the repository"'

    parts = re.split(r"(<script.*?</script>)", body, flags=re.DOTALL)
    return "".join(part if part.startswith("<script") else LINK.sub(new, part) for part in parts)


def _api(out: Path) -> None:
    """pdoc's pages of the library."""
    command = [
        sys.executable,
        "-m",
        "pdoc",
        "slimlab",
        "!slimlab.__main__",
        "!slimlab._bodynames",
        "-o",
        str(out),
        "-t",
        str(WEB / "pdoc"),
    ]
    done = subprocess.run([*command, "--no-show-source", "--docformat", "markdown"], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"pdoc failed: {done.stderr[-2000:]}")


def _sources(book: NotebookNode) -> list[str]:
    return [c.source for c in book.cells]


def _through(book: NotebookNode) -> bool:
    cells = [c for c in book.cells if c.cell_type == "code" and c.source.strip()]
    return all(c.execution_count for c in cells) and not any(
        o.output_type == "error" for c in cells if "raises-exception" not in c.metadata.get("tags", []) for o in c.outputs
    )


def _quick(book: NotebookNode) -> bool:
    return "QUICK mode" in str([c.get("outputs") for c in book.cells])


if __name__ == "__main__":
    sys.exit(main())
