"""Drawings as SVG text: a few shapes, and colours that suit light and dark. No dependency, nothing fetched."""

from __future__ import annotations

import math
from html import escape

FONT_PX = 12.0
CHAR_PX = 0.61 * FONT_PX
"""Advance of a character in fixed-width fonts; 0.60 to 0.61 of their size."""
LINE_PX = 16.0

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1d2733",
    "dim": "#5c6873",
    "faint": "#d3dae0",
    "link": "#8794a0",
    "node": "#dcebfa",
    "edge": "#2f6ca8",
    "strong": "#b3541e",
    "bad": "#c62f2f",
    "tint": "#fbe9d0",
}
DARK = {
    "paper": "#0d1117",
    "ink": "#dde4ea",
    "dim": "#9aa7b2",
    "faint": "#2b343d",
    "link": "#66727d",
    "node": "#1f3a55",
    "edge": "#6aa3dd",
    "strong": "#f0a063",
    "bad": "#ff7b72",
    "tint": "#3d2f1c",
}
"""Text on paper has a contrast of at least 4.5 in both."""

RULES = (
    f"text{{font:{FONT_PX:g}px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:var(--ink)}}"
    ".dim{fill:var(--dim)}.bold{font-weight:bold}.strong{fill:var(--strong)}.bad{fill:var(--bad)}"
    ".paper{fill:var(--paper)}.ring{fill:none;stroke:var(--faint);stroke-width:2}"
    ".node{fill:var(--node);stroke:var(--edge);stroke-width:1.5}.self{fill:var(--strong);stroke:var(--strong)}"
    ".known{fill:var(--paper);stroke:var(--edge);stroke-width:1.5}"
    ".off{fill:var(--paper);stroke:var(--dim);stroke-dasharray:2 2}"
    ".link{fill:none;stroke:var(--link);stroke-width:1.2}.more{fill:none;stroke:var(--edge);stroke-dasharray:6 3}"
    ".lost{fill:none;stroke:var(--bad);stroke-width:1.5;stroke-dasharray:2 4}"
    ".bin{fill:none;stroke:var(--faint);stroke-width:9}.near{fill:none;stroke:var(--tint);stroke-width:9}"
)


class Drawing:
    """Shapes in the order in which they are added; coordinates in pixels, y downwards."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._shapes: list[str] = []
        self._box = [math.inf, math.inf, -math.inf, -math.inf]

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self._add(f'<line x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}" class="{css}"/>', (x1, y1), (x2, y2))

    def curve(self, x1: float, y1: float, via: tuple[float, float], x2: float, y2: float, css: str) -> None:
        """A quadratic curve, pulled towards `via`."""
        path = f"M{_n(x1)} {_n(y1)}Q{_n(via[0])} {_n(via[1])} {_n(x2)} {_n(y2)}"
        self._add(f'<path d="{path}" class="{css}"/>', (x1, y1), (x2, y2))

    def circle(self, x: float, y: float, r: float, css: str, *, tip: str = "") -> None:
        """`tip` is shown when somebody points at it."""
        title = f"<title>{escape(tip, quote=False)}</title>" if tip else ""
        shape = f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{_n(r)}" class="{css}">{title}</circle>'
        self._add(shape, (x - r, y - r), (x + r, y + r))

    def arc(self, x: float, y: float, r: float, turn_from: float, turn_to: float, css: str) -> None:
        """A part of a circle, clockwise from the top; in turns, less than one whole turn."""
        (x1, y1), (x2, y2) = around(x, y, r, turn_from), around(x, y, r, turn_to)
        large = int(turn_to - turn_from > 0.5)
        path = f"M{_n(x1)} {_n(y1)}A{_n(r)} {_n(r)} 0 {large} 1 {_n(x2)} {_n(y2)}"
        self._add(f'<path d="{path}" class="{css}"/>', (x - r, y - r), (x + r, y + r))

    def text(self, x: float, y: float, line: str, *, anchor: str = "start", css: str = "") -> None:
        """A line of text; `y` is its baseline, `anchor` start, middle or end."""
        width = len(line) * CHAR_PX
        left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
        style = f' class="{css}"' if css else ""
        shape = f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}"{style} xml:space="preserve">'
        self._add(f"{shape}{escape(line, quote=False)}</text>", (left, y - FONT_PX), (left + width, y + FONT_PX / 3))

    def __str__(self) -> str:
        margin = 12.0
        left, top = (edge - margin for edge in self._box[:2])
        width, height = (far + margin - near for far, near in zip(self._box[2:], (left, top), strict=True))
        variables = f"svg{{{_variables(LIGHT)}}}@media(prefers-color-scheme:dark){{svg{{{_variables(DARK)}}}}}{RULES}"
        frame = f'x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(height)}"'
        view = f"{_n(left)} {_n(top)} {_n(width)} {_n(height)}"
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" width="{_n(width)}" height="{_n(height)}" '
                'role="img">',
                f"<title>{escape(self._title, quote=False)}</title>",
                f"<style>{variables}</style>",
                f'<rect {frame} class="paper"/>',
                *self._shapes,
                "</svg>\n",
            ]
        )

    def _add(self, shape: str, near: tuple[float, float], far: tuple[float, float]) -> None:
        self._shapes.append(shape)
        for x, y in (near, far):
            self._box = [
                min(self._box[0], x),
                min(self._box[1], y),
                max(self._box[2], x),
                max(self._box[3], y),
            ]


def around(x: float, y: float, r: float, turn: float) -> tuple[float, float]:
    """The point of a circle at a part of a turn, clockwise from the top."""
    angle = math.tau * turn
    return x + r * math.sin(angle), y - r * math.cos(angle)


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if abs(value) >= 0.05 else "0"
