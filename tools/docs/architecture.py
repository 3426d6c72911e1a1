"""The picture in docs/architecture.md: ``python -m tools.docs.architecture`` draws it again after a change here.

It is a file in the repository, because forges show no figures of our own fences.
"""

from __future__ import annotations

from tools.docs.svg import DARK_STYLE, STYLE, arrow_head, element, line, lines_of_text, picture, rect, text
from tools.docs.tutorial import DOCS

TARGET = DOCS / "assets" / "architecture.svg"
TITLE = "The lab on the left drives nodes in containers on the right through one gateway"


def box(x: float, y: float, width: float, height: float, *lines: str, class_: str = "fig-box") -> str:
    """A box with lines of text in its middle."""
    first = y + height / 2 + 4.5 - (len(lines) - 1) * 17 / 2
    return rect(x, y, width, height, class_) + lines_of_text(x + width / 2, first, lines, anchor="middle")


def frame(x: float, y: float, width: float, height: float, title: str) -> str:
    """What belongs together."""
    around = element("rect", x=x, y=y, width=width, height=height, rx=6, class_="fig-thin fig-dash")
    return around + text(x + 10, y + 18, title, class_="fig-dim")


def both_ways(x1: float, x2: float, y: float, label: str) -> str:
    shaft = line(x1 + 8, y, x2 - 8, y, "fig-line") + arrow_head(x1 + 1, y, -1) + arrow_head(x2 - 1, y, 1)
    return shaft + text((x1 + x2) / 2, y - 6, label, anchor="middle")


def draw() -> str:
    """The picture as SVG."""
    width, height = 860.0, 330.0
    nodes = {"alice": 385.0, "relay": 545.0, "bob": 705.0}
    bus = 150.0
    parts = [
        rect(0, 0, width, height, "fig-paper"),
        box(30, 20, 190, 34, "lab  ·  pytest"),
        line(125, 54, 125, 96, "fig-line"),
        element("polygon", points="125,104 120.5,95 129.5,95", class_="fig-head"),
        frame(12, 76, 226, 240, "orchestrator"),
        box(30, 106, 190, 34, "Lab", class_="fig-tint"),
        line(125, 140, 125, 164, "fig-line"),
        box(30, 164, 190, 52, "oracle, trace,", "topology (pure)"),
        line(125, 216, 125, 240, "fig-line"),
        box(30, 240, 190, 52, "runtime:", "docker | process"),
        frame(350, 12, 498, 304, "container engine"),
        box(385, 38, 150, 40, "gateway", class_="fig-tint"),
        text(547, 62, "HTTP CONNECT, the only port", class_="fig-dim fig-small"),
        # Lab to gateway, and runtime to engine.
        line(220, 118, 290, 118, "fig-line"),
        line(290, 118, 290, 58, "fig-line"),
        line(290, 58, 377, 58, "fig-line"),
        arrow_head(384, 58, 1),
        text(285, 50, "gRPC", anchor="end", class_="fig-dim"),
        text(285, 66, "127.0.0.1", anchor="end", class_="fig-dim fig-small"),
        line(220, 266, 342, 266, "fig-line fig-dash"),
        arrow_head(349, 266, 1),
        text(250, 259, "starts, stops", class_="fig-dim fig-small"),
        # The control network: a bus.
        line(460, 78, 460, bus, "fig-line"),
        line(nodes["alice"] + 55, bus, nodes["bob"] + 55, bus, "fig-line"),
        text(nodes["bob"] + 55, bus - 8, "control network", anchor="end", class_="fig-dim"),
    ]
    for name, x in nodes.items():
        parts.append(line(x + 55, bus, x + 55, 184, "fig-line"))
        parts.append(box(x, 184, 110, 40, name))
    for left in ("alice", "relay"):
        start = nodes[left] + 110
        parts.append(both_ways(start, start + 50, 204, "RLPx"))
    parts.append(line(nodes["alice"], 250, nodes["bob"] + 110, 250, "fig-thin"))
    parts.append(text(600, 268, "data network, no way out", anchor="middle", class_="fig-dim"))
    return picture(TITLE, width, height, "".join(parts), style=STYLE + DARK_STYLE) + "\n"


def main() -> None:
    TARGET.write_text(draw())


if __name__ == "__main__":
    main()
