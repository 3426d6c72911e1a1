"""What mkdocs calls: the chapters in the navigation, and the source of every example as a page of its own."""

from __future__ import annotations

import re
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

from tools.docs.tutorial import CHAPTERS, DOCS, EXAMPLES, ROOT, written_pages

_TO_EXAMPLE = re.compile(r"\]\((?P<up>(?:\.\./)+)examples/(?P<path>[\w/]+)\.py\)")


def on_config(config: Any) -> Any:
    """Fill in what follows from the files: chapters, reference pages."""
    for entry in config.nav:
        if "Tutorial" in entry:
            entry["Tutorial"] = ["tutorial/index.md"] + [
                {f"{letter.upper()}. {name}": [str(path.relative_to(DOCS)) for path in pages]}
                for letter, name in CHAPTERS.items()
                if (pages := written_pages(letter))
            ]
        elif "Reference" in entry:
            names = [path.relative_to(DOCS).as_posix() for path in (DOCS / "reference").glob("*.md")]
            entry["Reference"] = sorted(names, key=lambda name: (name != "reference/index.md", name))
    return config


def on_files(files: Files, config: Any) -> Files:
    """A page for each program in examples/, so that links to them work on the site as they do on a forge."""
    for path in sorted(EXAMPLES.rglob("*.py")):
        inside = path.relative_to(ROOT)
        content = f"# {path.name}\n\n```python\n{path.read_text()}```\n"
        uri = inside.with_suffix(".md").as_posix()
        files.append(File.generated(config, uri, content=content, inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to programs outside docs/ become links to those pages."""

    def replace(match: re.Match[str]) -> str:
        return f"]({match['up'].removeprefix('../')}examples/{match['path']}.md)"

    return _TO_EXAMPLE.sub(replace, markdown)
