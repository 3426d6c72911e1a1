"""The site: builds without a warning, fetches nothing, and every link in it leads somewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tools.docs.tutorial import ROOT, examples

FETCHED = {"link": "href", "script": "src", "img": "src", "iframe": "src", "source": "src"}
"""Elements by which a page makes a browser fetch something, and where they say what."""


class Links(HTMLParser):
    """What a page refers to, and what in it can be referred to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if (attribute := FETCHED.get(tag)) and attribute in values:
            self.fetched.append(values[attribute])
        if tag == "a" and values.get("href"):
            self.targets.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, built as `make docs` does."""
    directory = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--site-dir", str(directory)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    return {path: Links(path.read_text()) for path in sorted(site.rglob("*.html"))}


def test_all_pages_are_there(site: Path) -> None:
    for name in ("index", "glossary", "lab", "cli", "architecture", "reference/pss", "tutorial/index", "tutorial/a1"):
        assert (site / f"{name}.html").is_file(), name
    for example in examples():
        source = (site / "examples" / f"{example.path.stem}.html").read_text()
        assert example.path.name in source


def test_nothing_is_fetched_from_elsewhere(pages: dict[Path, Links]) -> None:
    outside = {
        (path.name, target)
        for path, links in pages.items()
        for target in links.fetched
        if urlsplit(target).scheme in ("http", "https") or target.startswith("//")
    }
    assert not outside


def test_style_sheets_fetch_nothing(site: Path) -> None:
    sheets = [path.read_text() for path in site.rglob("*.css")]
    assert sheets
    assert not [sheet for sheet in sheets if "url(http" in sheet or "url(//" in sheet or "@import" in sheet]


def broken(path: Path, links: Links, pages: dict[Path, Links]) -> Iterator[str]:
    for target in links.targets + links.fetched:
        parts = urlsplit(target)
        if parts.scheme in ("http", "https", "mailto", "data", "javascript"):
            continue
        aim = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        if not aim.is_file():
            yield f"{path.name}: {target} is not there"
        elif parts.fragment and aim in pages and unquote(parts.fragment) not in pages[aim].anchors:
            yield f"{path.name}: {target} has no such anchor"


def test_links_lead_somewhere(site: Path, pages: dict[Path, Links]) -> None:
    # 404.html is for servers, with links from their root.
    wrong = [text for path, links in pages.items() if path.name != "404.html" for text in broken(path, links, pages)]
    assert not wrong, "\n".join(wrong)


def test_search_works_from_files(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text()
    assert index.startswith("var __index = ")
    assert "dark routing" in index
    assert "iframe-worker.js" in (site / "index.html").read_text()


def test_figures_are_drawn_in_the_page(site: Path) -> None:
    text = (site / "tutorial" / "a2.html").read_text()
    assert "<title>From a TCP connection to a peer</title>" in text
    assert 'class="fig-legend"' in text or "class='fig-legend'" in text
