"""Sequence figures: who tells whom what, from top to bottom.

    alice -> bob: Hello         an arrow; --> is dashed, an arrow to oneself is a loop
    note over bob: ready        a remark; `note over alice, bob:` spans both
    == handshake ==             a new phase

Actors stand in the order in which they appear. Lines that begin with # are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tools.docs.svg import LINE_PX, arrow_head, element, line, lines_of_text, picture, rect, text, width_of, wrap

ARROW = re.compile(r"(?P<sender>[\w-]+?)\s*(?P<shaft>--?>)\s*(?P<receiver>[\w-]+)\s*:\s*(?P<label>.+)")
NOTE = re.compile(r"note over (?P<actors>[\w-]+(?:\s*,\s*[\w-]+)*)\s*:\s*(?P<label>.+)")
PHASE = re.compile(r"==\s*(?P<label>.+?)\s*==")

LABEL_CHARS = 44
"""Longer labels take several lines."""
NOTE_CHARS = 30
MIN_GAP_PX, MARGIN_PX, HEAD_PX, STEP_PX = 150.0, 12.0, 30.0, 16.0


class FigureError(ValueError):
    """A figure that cannot be drawn; says which line."""


@dataclass(frozen=True, slots=True)
class Arrow:
    sender: str
    receiver: str
    label: str
    dashed: bool


@dataclass(frozen=True, slots=True)
class Note:
    actors: tuple[str, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Phase:
    label: str


Step = Arrow | Note | Phase


def parse(source: str) -> list[Step]:
    """Read a figure.

    Raises:
        FigureError: a line is none of the three forms, or there is no arrow.
    """
    steps: list[Step] = []
    for raw in source.splitlines():
        words = raw.strip()
        if not words or words.startswith("#"):
            continue
        if match := PHASE.fullmatch(words):
            steps.append(Phase(match["label"]))
        elif match := NOTE.fullmatch(words):
            steps.append(Note(tuple(re.split(r"\s*,\s*", match["actors"])), match["label"]))
        elif match := ARROW.fullmatch(words):
            steps.append(Arrow(match["sender"], match["receiver"], match["label"], match["shaft"] == "-->"))
        else:
            raise FigureError(f"sequence: not an arrow, a note or a phase: {words!r}")
    if not any(isinstance(step, Arrow) for step in steps):
        raise FigureError("sequence: no arrow")
    return steps


def actors_of(steps: list[Step]) -> list[str]:
    """In order of appearance."""
    seen: dict[str, None] = {}
    for step in steps:
        match step:
            case Arrow():
                seen.update({step.sender: None, step.receiver: None})
            case Note():
                seen.update(dict.fromkeys(step.actors))
    return list(seen)


def draw(source: str, title: str, *, style: str = "") -> str:
    """The figure as SVG.

    Raises:
        FigureError: see :func:`parse`.
    """
    steps = parse(source)
    return _Drawing(steps, actors_of(steps)).finish(title, style)


class _Drawing:
    def __init__(self, steps: list[Step], actors: list[str]) -> None:
        self.actors = actors
        self.parts: list[str] = []
        self.x = self._columns(steps)
        self.right = max(self.x.values())
        self.width = self.right + self._room(steps, actors[-1])
        self.y = MARGIN_PX + HEAD_PX + STEP_PX
        for step in steps:
            match step:
                case Arrow():
                    self._arrow(step)
                case Note():
                    self._note(step)
                case Phase():
                    self._phase(step)

    def _columns(self, steps: list[Step]) -> dict[str, float]:
        """Where the lifelines are: as far apart as the labels between neighbours want."""
        gaps = [MIN_GAP_PX] * (len(self.actors) - 1)
        for step in steps:
            if not isinstance(step, Arrow) or step.sender == step.receiver:
                continue
            low, high = sorted((self.actors.index(step.sender), self.actors.index(step.receiver)))
            wanted = max(map(width_of, wrap(step.label, LABEL_CHARS))) + 34
            missing = wanted - sum(gaps[low:high])
            for index in range(low, high):
                gaps[index] += max(0.0, missing / (high - low))
        left = self._room(steps, self.actors[0])
        return {actor: left + sum(gaps[:index]) for index, actor in enumerate(self.actors)}

    def _room(self, steps: list[Step], actor: str) -> float:
        """What the first or last actor needs beside its lifeline."""
        widths = [width_of(actor) / 2 + 16]
        for step in steps:
            if isinstance(step, Note) and step.actors == (actor,):
                widths.append(max(map(width_of, wrap(step.label, NOTE_CHARS))) / 2 + 12)
            if isinstance(step, Arrow) and step.sender == step.receiver == actor == self.actors[-1]:
                widths.append(max(map(width_of, wrap(step.label, NOTE_CHARS))) + 44)
        return max(widths) + MARGIN_PX

    def _arrow(self, arrow: Arrow) -> None:
        start, end = self.x[arrow.sender], self.x[arrow.receiver]
        class_ = "fig-line fig-dash" if arrow.dashed else "fig-line"
        if start == end:
            label = wrap(arrow.label, NOTE_CHARS)
            height = max(18.0, len(label) * LINE_PX)
            path = f"M{start:.0f} {self.y:.0f} h26 v{height:.0f} h-20"
            self.parts.append(element("path", d=path, class_=class_))
            self.parts.append(arrow_head(start + 1, self.y + height, -1))
            self.parts.append(lines_of_text(start + 34, self.y + 13, label))
            self.y += height + STEP_PX
            return
        label = wrap(arrow.label, LABEL_CHARS)
        self.parts.append(lines_of_text((start + end) / 2, self.y + 11, label, anchor="middle"))
        self.y += len(label) * LINE_PX + 2
        direction = 1 if end > start else -1
        self.parts.append(line(start, self.y, end - direction * 8, self.y, class_))
        self.parts.append(arrow_head(end - direction, self.y, direction))
        self.y += STEP_PX

    def _note(self, note: Note) -> None:
        columns = [self.x[actor] for actor in note.actors]
        middle, span = (min(columns) + max(columns)) / 2, max(columns) - min(columns)
        label = wrap(note.label, max(NOTE_CHARS, int(span / 8)))
        width = max(max(map(width_of, label)) + 20, span + 40 if span else 0)
        height = len(label) * LINE_PX + 8
        left = middle - width / 2
        if left < 1:
            left, middle = 1.0, 1.0 + width / 2
        self.width = max(self.width, left + width + MARGIN_PX)
        self.parts.append(rect(left, self.y, width, height, "fig-note"))
        self.parts.append(lines_of_text(middle, self.y + 16, label, anchor="middle"))
        self.y += height + STEP_PX

    def _phase(self, phase: Phase) -> None:
        self.y += 4
        shown, middle = f" {phase.label} ", self.width / 2
        width = width_of(shown)
        self.parts.append(line(MARGIN_PX, self.y, middle - width / 2, self.y, "fig-thin"))
        self.parts.append(line(middle + width / 2, self.y, self.width - MARGIN_PX, self.y, "fig-thin"))
        self.parts.append(rect(middle - width / 2, self.y - 9, width, 18, "fig-paper"))
        self.parts.append(text(middle, self.y + 4.5, phase.label, anchor="middle", class_="fig-strong"))
        self.y += 12 + STEP_PX / 2

    def finish(self, title: str, style: str) -> str:
        frame: list[str] = []
        for actor, x in self.x.items():
            width = width_of(actor) + 24
            frame.append(line(x, MARGIN_PX + HEAD_PX, x, self.y, "fig-thin"))
            frame.append(rect(x - width / 2, MARGIN_PX, width, HEAD_PX, "fig-box"))
            frame.append(text(x, MARGIN_PX + 20, actor, anchor="middle", class_="fig-strong"))
        return picture(title, self.width, self.y + MARGIN_PX, "".join(frame + self.parts), style=style)
