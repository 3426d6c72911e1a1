"""Markdown tokens to Typst, for exactly the Markdown that our pages use. Anything else is an error, never dropped.

All text goes out as Typst strings (`#"..."`), so no character of it can be taken for markup.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markdown.extensions.toc import slugify
from markdown_it.token import Token

from tools.docs import bytemap, sequence
from tools.docs.pages import headings, info_of, parser
from tools.docs.svg import STYLE
from tools.docs.tutorial import DOCS

CODE_LANGUAGES = {"python", "pycon", "console", "sh", "json", "yaml", "text", ""}
CODE_PT, MIN_CODE_PT = 8.4, 6.4
LINE_PT = 452.0
"""Width of a line of code: the page without margins and the block's own inset."""
CHAR_EM = 0.602
FIGURE_PT_PER_PX = 0.64
_SVG_SIZE = re.compile(r'width="([\d.]+)" height="([\d.]+)"')


class Unsupported(ValueError):
    """Markdown that the handout has no form for; says where."""


@dataclass(slots=True)
class Page:
    """A page that is part of the handout."""

    path: Path
    shift: int
    """Added to the level of its headings."""
    tokens: list[Token] = field(init=False)
    slugs: list[str] = field(init=False)
    """Of its headings, in order, as the site makes them."""

    def __post_init__(self) -> None:
        self.tokens = parser().parse(self.path.read_text())
        self.slugs = []
        for _, text in headings(self.tokens):
            slug = plain = slugify(text.replace("`", ""), "-")
            number = 0
            while slug in self.slugs:
                number += 1
                slug = f"{plain}_{number}"
            self.slugs.append(slug)

    @property
    def uri(self) -> str:
        """Its place in docs/, which links are relative to."""
        return self.path.relative_to(DOCS).as_posix()

    def label(self, slug: str = "") -> str:
        """Of the page, or of a heading of it."""
        return f"{self.uri.removesuffix('.md').replace('/', '.')}:{slug or self.slugs[0]}"


def quote(text: str) -> str:
    """A Typst string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Converter:
    """Turns pages into Typst. Links between them work; links to pages that are not in the handout become text."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = {page.uri: page for page in pages}

    def convert(self, page: Page) -> str:
        """The body of a page.

        Raises:
            Unsupported: naming the construct and where it is.
        """
        slugs = iter(page.slugs)
        tokens = iter(page.tokens)
        return "".join(self._block(token, tokens, page, slugs) for token in tokens)

    # -- blocks

    def _block(self, token: Token, rest: Iterator[Token], page: Page, slugs: Iterator[str]) -> str:
        match token.type:
            case "heading_open":
                level = int(token.tag[1]) + page.shift
                text = self._inline(next(rest), page)
                next(rest)
                return f"#heading(level: {level})[{text}] <{page.label(next(slugs))}>\n\n"
            case "paragraph_open":
                text = self._inline(next(rest), page)
                next(rest)
                return f"{text}\n" if token.hidden else f"{text}\n\n"
            case "bullet_list_open" | "ordered_list_open":
                function = "list" if token.type.startswith("bullet") else "enum"
                items = self._items(rest, page, slugs, token.type.replace("open", "close"))
                return f"#{function}({', '.join(f'[{item}]' for item in items)})\n\n"
            case "blockquote_open":
                return f"#remark[{self._until('blockquote_close', rest, page, slugs)}]\n\n"
            case "table_open":
                return self._table(rest, page)
            case "fence":
                return self._fence(token, page)
            case _:
                raise Unsupported(f"{_place(token, page)}: {token.type} has no form in the handout")

    def _until(self, end: str, rest: Iterator[Token], page: Page, slugs: Iterator[str]) -> str:
        parts: list[str] = []
        for token in rest:
            if token.type == end:
                break
            parts.append(self._block(token, rest, page, slugs))
        return "".join(parts).strip()

    def _items(self, rest: Iterator[Token], page: Page, slugs: Iterator[str], end: str) -> list[str]:
        items: list[str] = []
        for token in rest:
            if token.type == end:
                break
            assert token.type == "list_item_open", token.type
            items.append(self._until("list_item_close", rest, page, slugs))
        return items

    def _table(self, rest: Iterator[Token], page: Page) -> str:
        rows: list[list[tuple[str, int]]] = []
        for token in rest:
            if token.type == "table_close":
                break
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                shown = sum(len(child.content) for child in token.children or [])
                rows[-1].append((self._inline(token, page), shown))
        head, *body = rows
        longest = [max(row[column][1] for row in rows) for column in range(len(head))]
        columns = ", ".join("auto" if chars <= 22 else f"{min(chars, 90)}fr" for chars in longest)
        cells = [f"[{text}]" for row in body for text, _ in row]
        header = ", ".join(f"strong[{text}]" for text, _ in head)
        return f"#grid-table(columns: ({columns},), table.header({header}), {', '.join(cells)})\n\n"

    def _fence(self, token: Token, page: Page) -> str:
        language, attributes = info_of(token)
        if language in ("sequence", "bytes"):
            return self._figure(language, token.content, attributes.get("title", ""), page, token)
        if language not in CODE_LANGUAGES:
            raise Unsupported(f"{_place(token, page)}: a block in {language!r} has no form in the handout")
        content = token.content.rstrip("\n")
        if language == "console":
            content = "\n".join(_broken(line) for line in content.splitlines())
        longest = max(map(len, content.splitlines()), default=1)
        size = max(MIN_CODE_PT, min(CODE_PT, LINE_PT / CHAR_EM / longest))
        shown = {"pycon": "python", "console": "", "text": ""}.get(language, language)
        lang = f", lang: {quote(shown)}" if shown else ""
        return f"#code({size:.2f}pt, raw(block: true{lang}, {quote(content)}))\n\n"

    def _figure(self, language: str, source: str, title: str, page: Page, token: Token) -> str:
        if not title:
            raise Unsupported(f"{_place(token, page)}: a figure without title")
        drawn = (sequence if language == "sequence" else bytemap).draw(source, title, style=STYLE)
        rows = bytemap.legend(source) if language == "bytes" else []
        cells = ", ".join(f"[#raw({quote(name)})], [#{quote(size)}], [#{quote(text)}]" for name, size, text in rows)
        return f"#drawing({_image(drawn, title)}, {quote(title)}, ({cells}{',' if cells else ''}))\n\n"

    # -- inside a paragraph

    def _inline(self, token: Token, page: Page) -> str:
        parts: list[str] = []
        children = token.children or []
        for index, child in enumerate(children):
            match child.type:
                case "text":
                    parts.append(f"#{quote(child.content)}" if child.content else "")
                case "softbreak":
                    parts.append('#" "')
                case "hardbreak":
                    parts.append("#linebreak()")
                case "code_inline":
                    parts.append(f"#raw({quote(child.content)})")
                case "em_open":
                    parts.append("#emph[")
                case "strong_open":
                    parts.append("#strong[")
                case "link_open":
                    parts.append(self._link(str(child.attrGet("href")), children[index + 1].content, page, token))
                case "em_close" | "strong_close" | "link_close":
                    parts.append("]")
                case "image":
                    parts.append(self._included(str(child.attrGet("src")), child.content, page))
                case _:
                    raise Unsupported(f"{_place(token, page)}: {child.type} has no form in the handout")
        return "".join(parts)

    def _link(self, target: str, text: str, page: Page, token: Token) -> str:
        if target.startswith(("http://", "https://")):
            return f"#link({quote(target)})["
        path, _, anchor = target.partition("#")
        uri = posixpath.normpath(posixpath.join(posixpath.dirname(page.uri), path)) if path else page.uri
        other = self._pages.get(uri)
        if other is None:
            # A program is named, so that the reader of the paper finds it; of another page the words have to do.
            named = text == posixpath.basename(uri) or not uri.endswith(".py")
            program = "" if named else uri.removeprefix("../")
            return f"#elsewhere({quote(program)})["
        if anchor and anchor not in other.slugs:
            raise Unsupported(f"{_place(token, page)}: {uri} has no heading #{anchor}")
        return f"#link(<{other.label(anchor)}>)["

    def _included(self, source: str, alt: str, page: Page) -> str:
        path = page.path.parent / source
        if path.suffix != ".svg" or not path.is_file():
            raise Unsupported(f"{page.uri}: an image that is no SVG in docs/: {source}")
        return f"#align(center, {_image(path.read_text(), alt)})"


def _image(svg: str, alt: str) -> str:
    size = _SVG_SIZE.search(svg)
    assert size is not None, "an SVG without width and height"
    width = float(size[1]) * FIGURE_PT_PER_PX
    return f'image(bytes({quote(svg)}), format: "svg", width: {width:.1f}pt, alt: {quote(alt)})'


def _broken(line: str) -> str:
    """A line of output in pieces that fit; Typst breaks at blanks only, and an enode URL has none."""
    fits = int(LINE_PT / CHAR_EM / CODE_PT)
    pieces = [line[:fits]]
    for start in range(fits, len(line), fits - 4):
        pieces.append("    " + line[start : start + fits - 4])
    return "\n".join(pieces)


def _place(token: Token, page: Page) -> str:
    return f"{page.uri}:{token.map[0] + 1 if token.map else '?'}"
