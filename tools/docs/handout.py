"""The tutorial as one PDF: ``python -m tools.docs.handout [FILE]``.

The same Markdown as on the site, typeset by Typst, which comes with its fonts: nothing of this machine goes into it.
"""

from __future__ import annotations

import sys
import tempfile
import tomllib
from pathlib import Path

import typst

from tools.docs.tutorial import CHAPTERS, DOCS, ROOT, TUTORIAL, written_pages
from tools.docs.typst_text import Converter, Page, quote

TARGET = ROOT / "dist" / "pss-lab-tutorial.pdf"
LAYOUT = Path(__file__).with_name("handout.typ")


def pages() -> list[Page]:
    """What is in it, in order."""
    return [
        Page(TUTORIAL / "index.md", shift=0),
        *(Page(path, shift=1) for letter in CHAPTERS for path in written_pages(letter)),
        Page(DOCS / "glossary.md", shift=0),
    ]


def source() -> str:
    """The whole of it as Typst.

    Raises:
        tools.docs.typst_text.Unsupported: a page has something that cannot be typeset.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chapters = "".join(f"({quote(letter.upper())}, {quote(name)})," for letter, name in CHAPTERS.items())
    parts = [
        LAYOUT.read_text(),
        f"#cover({quote(version)}, ({chapters}))\n",
        '#set page(numbering: "1")\n#counter(page).update(1)\n',
        "#outline(depth: 2, indent: 1.2em)\n\n",
    ]
    included = pages()
    converter = Converter(included)
    chapter = ""
    for page in included:
        letter = page.path.stem[0] if page.shift else ""
        if letter and letter != chapter:
            chapter = letter
            parts.append(f"#heading(level: 1)[#{quote(f'{letter.upper()}. {CHAPTERS[letter]}')}]\n\n")
        elif letter:
            parts.append("#pagebreak(weak: true)\n")
        parts.append(converter.convert(page))
    return "".join(parts)


def build(target: Path) -> None:
    """Write the PDF."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        main = Path(directory) / "main.typ"
        main.write_text(source())
        typst.compile(str(main), output=str(target), root=directory, ignore_system_fonts=True, timestamp=0)


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    build(target)
    print(target.relative_to(ROOT) if target.is_relative_to(ROOT) else target)


if __name__ == "__main__":
    main()
