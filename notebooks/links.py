"""Check links: python notebooks/links.py [SITE]

Every link and anchor inside the pages at the root, data, docs, model cards and notebooks, and, where SITE is given, in its
pages. Links that leave the repository are listed, not followed. Exits 1 where one leads nowhere.
"""

import re
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse

import nbformat

ROOT = Path(__file__).parent.parent
IN_MARKDOWN = re.compile(r"(?<!\\)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
IN_HTML = re.compile(r"<(?:a|img|link|script)\b[^>]*?\b(?:href|src)=[\"']([^\"']*)[\"']")
ANCHOR = re.compile(r"\b(?:id|name)=[\"']([^\"']+)[\"']")


def main() -> int:
    """Check what the command line names; print what is broken and what leaves the repository."""
    broken, external = check_repository()
    if len(sys.argv) > 1:
        more = check_site(Path(sys.argv[1]))
        broken, external = broken + more[0], external | more[1]
    print("\n".join(["leaves the repository, not followed:", *sorted(external)]))
    print("\n".join(broken or ["every link inside leads somewhere"]), file=sys.stderr)
    return int(bool(broken))


def check_repository(root: Path = ROOT) -> tuple[list[str], set[str]]:
    """Broken links of the pages at the root, in data, docs and shipped, and of notebooks, as "file: link"; the external ones."""
    folders = {".": "*.md", "data": "*.md", "docs": "**/*.md", "slimlab": "**/README.md", "notebooks": "*.ipynb"}
    files = [file for folder, pattern in folders.items() for file in sorted((root / folder).glob(pattern))]
    return _check({f: _markdown_links(_markdown(f)) for f in files})


def check_site(site: Path) -> tuple[list[str], set[str]]:
    """The same of every page of a site; pages under api/ are pdoc's own business but have to exist."""
    pages = [p for p in sorted(site.rglob("*.html")) if p.relative_to(site).parts[0] != "api"]
    return _check({p: _html_links(p.read_text(encoding="utf-8")) for p in pages})


def _check(links: dict[Path, list[str]]) -> tuple[list[str], set[str]]:
    broken, external, anchors = [], set(), {}
    for file, addresses in links.items():
        for address in addresses:
            if urlparse(address).scheme:
                if not address.startswith(("data:", "blob:")):
                    external.add(address)
                continue
            path, _, anchor = address.partition("#")
            target = (file.parent / unquote(path)).resolve() if path else file
            if not target.exists():
                broken.append(f"{file}: {address}: no such file")
            elif anchor and target.is_file():
                if target not in anchors:
                    anchors[target] = _anchors(target)
                if not {anchor.lower(), unquote(anchor).lower()} & anchors[target]:
                    broken.append(f"{file}: {address}: no such heading")
    return broken, external


def _markdown(file: Path) -> str:
    """The words of a Markdown file, or of a notebook's Markdown cells, without code."""
    if file.suffix == ".ipynb":
        text = "\n\n".join(c.source for c in nbformat.read(file, as_version=4).cells if c.cell_type == "markdown")
    else:
        text = file.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"(?<!`)`[^`\n]+`(?!`)", lambda code: "" if "](" in code[0] else code[0], text)


def _markdown_links(text: str) -> list[str]:
    return IN_MARKDOWN.findall(text) + IN_HTML.findall(text)


def _html_links(text: str) -> list[str]:
    return [a for a in IN_HTML.findall(re.sub(r"(<script[^>]*>).*?</script>", r"\1", text, flags=re.DOTALL)) if a]


def _anchors(file: Path) -> set[str]:
    """The headings of a file as anchors, lower case: GitHub's way for Markdown, JupyterLab's for notebooks, ids in HTML."""
    text = file.read_text(encoding="utf-8") if file.suffix == ".html" else _markdown(file)
    found = {a.lower() for a in ANCHOR.findall(text)}
    for heading in re.findall(r"^#+\s+(.*?)\s*#*$", text, flags=re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
        if file.suffix == ".ipynb":
            found.add(plain.replace(" ", "-").lower())
        else:
            found.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return found


if __name__ == "__main__":
    sys.exit(main())
