"""Links inside README, docs and notebooks lead somewhere; the check finds those that do not."""

from tests.script import load

links = load("links")


def test_every_link_in_the_repository_leads_somewhere():
    broken, external = links.check_repository()
    assert broken == []
    assert any("arxiv.org/abs/2603.10648" in address for address in external)


def test_broken_links_and_anchors_are_found(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(
        "# A head, with `code`\n[a](docs/a.md) [b](docs/b.md) [c](#a-head-with-code) [d](#nowhere)\n"
        "[e](docs/a.md#two) [f](docs/a.md#three)\n"
        "```\n[g](gone.md)\n```\n`[h](gone.md)` <img src='gone.png'> [i](https://arxiv.org/abs/1)"
    )
    (tmp_path / "docs" / "a.md").write_text("## Two")
    for page in ("CHANGELOG.md", "docs/studies/s.md", "slimlab/shipped/tiny/README.md"):
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / page).write_text(f"[j](no-{(tmp_path / page).stem}.md)")
    broken, external = links.check_repository(tmp_path)
    own = [line.split(": ")[1] for line in broken if "no-" not in line]
    assert own == ["docs/b.md", "#nowhere", "docs/a.md#three", "gone.png"]
    assert sorted(line.split(": ")[1] for line in broken if "no-" in line) == ["no-CHANGELOG.md", "no-README.md", "no-s.md"]
    assert external == {"https://arxiv.org/abs/1"}


def test_the_pages_of_a_site_too(tmp_path):
    (tmp_path / "one.html").write_text(
        '<h1 id="top">One</h1><a href="two.html#x">t</a><a href="two.html#y">t</a><script>"<a href=no>"</script>'
    )
    (tmp_path / "two.html").write_text(
        '<h1 id="x">Two</h1><a href="three.html">t</a><link href="s.css"><a href="one.html#top">t</a>'
    )
    broken, _ = links.check_site(tmp_path)
    assert [line.split(": ")[1] for line in broken] == ["two.html#y", "three.html", "s.css"]
