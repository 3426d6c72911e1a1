"""Small help for drawing: SVG elements as text, and a fixed-width font whose sizes are known without measuring.

Shapes carry classes only. On the site `docs/assets/figures.css` gives them the colours of the theme; a figure that
stands alone brings :data:`STYLE` along.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

FONT_PX = 13.0
CHAR_PX = FONT_PX * 0.602
"""Advance of a character: fixed-width fonts have 0.60 em, or 0.602."""
LINE_PX = 17.0

STYLE = (
    "text{font-family:'DejaVu Sans Mono',ui-monospace,Menlo,Consolas,monospace;font-size:13px;fill:#1d2733}"
    ".fig-dim{fill:#5c6873}.fig-small{font-size:10.5px}.fig-strong{font-weight:bold}"
    ".fig-line{stroke:#5c6873;fill:none}.fig-thin{stroke:#a9b4be;fill:none}.fig-dash{stroke-dasharray:5 4}"
    ".fig-box{fill:#eef2f6;stroke:#5c6873}.fig-note{fill:#fff6d6;stroke:#c9ae55}.fig-head{fill:#5c6873}"
    ".fig-tint{fill:#dcebfa;stroke:#3f76b0}.fig-paper{fill:#ffffff}"
)
"""Light colours: for paper, and for viewers that know nothing of our style sheet."""
DARK_STYLE = (
    "@media (prefers-color-scheme:dark){text{fill:#dde4ea}.fig-dim{fill:#9aa7b2}.fig-line{stroke:#9aa7b2}"
    ".fig-thin{stroke:#55616c}.fig-box{fill:#26303a;stroke:#9aa7b2}.fig-note{fill:#4a4223;stroke:#a08c45}"
    ".fig-head{fill:#9aa7b2}.fig-tint{fill:#1f3a55;stroke:#6aa3dd}.fig-paper{fill:#0d1117}}"
)


def width_of(text: str) -> float:
    """How wide a line of text is, in pixels."""
    return len(text) * CHAR_PX


def wrap(text: str, chars: int) -> list[str]:
    """A text in lines of at most so many characters; at least one line."""
    return textwrap.wrap(text, chars) or [""]


def number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def element(name: str, content: str | None = None, **attributes: str | float) -> str:
    """An element; `class_` stands for class, other underscores for hyphens. The content has to be escaped already."""
    words = [name]
    for key, value in attributes.items():
        shown = number(value) if isinstance(value, (int, float)) else escape(value)
        words.append(f'{key.rstrip("_").replace("_", "-")}="{shown}"')
    head = " ".join(words)
    return f"<{head}/>" if content is None else f"<{head}>{content}</{name}>"


def text(x: float, y: float, line: str, *, anchor: str = "start", class_: str = "") -> str:
    """A line of text; `y` is its baseline."""
    return element("text", escape(line, quote=False), x=x, y=y, text_anchor=anchor, class_=class_)


def lines_of_text(x: float, y: float, lines: Sequence[str], *, anchor: str = "start", class_: str = "") -> str:
    return "".join(text(x, y + index * LINE_PX, line, anchor=anchor, class_=class_) for index, line in enumerate(lines))


def rect(x: float, y: float, width: float, height: float, class_: str) -> str:
    return element("rect", x=x, y=y, width=width, height=height, rx=3, class_=class_)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def arrow_head(x: float, y: float, direction: int) -> str:
    """A filled head whose tip is at (x, y); `direction` is 1 to the right, -1 to the left."""
    back = x - direction * 9
    points = f"{number(x)},{number(y)} {number(back)},{number(y - 4.5)} {number(back)},{number(y + 4.5)}"
    return element("polygon", points=points, class_="fig-head")


def picture(title: str, width: float, height: float, content: str, *, style: str = "") -> str:
    """A whole SVG; `style` makes it stand alone."""
    head = element("title", escape(title, quote=False))
    if style:
        head += element("style", style)
    return element(
        "svg",
        head + content,
        xmlns="http://www.w3.org/2000/svg",
        class_="fig",
        role="img",
        viewBox=f"0 0 {number(width)} {number(height)}",
        width=width,
        height=height,
    )
