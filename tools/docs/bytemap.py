"""Byte figures: what the bytes of a message are, field by field.

    f8 62 | list    | 98 bytes follow
    05    | version | 5

One row a field: hex (blanks do not count), a short name, what it means (may be missing). Long fields are shown by their
first and last bytes; the source has them all, so that a test can compare them with what our encoders make.
"""

from __future__ import annotations

from dataclasses import dataclass

from tools.docs.sequence import FigureError
from tools.docs.svg import picture, rect, text, width_of

PAGE_PX = 720.0
"""How wide a row of fields may get."""
WHOLE_BYTES = 10
"""Fields up to here are shown whole."""
HEAD_BYTES, TAIL_BYTES = 5, 2
BOX_PX, PAD_PX, ROW_PX = 30.0, 8.0, 82.0
SHORT_PX, LONG_PX = 23.0, 36.0
"""What is below the last boxes: the name, or the name and the size."""


@dataclass(frozen=True, slots=True)
class Field:
    """Some bytes that mean one thing."""

    data: bytes
    name: str
    meaning: str
    offset: int

    @property
    def shown(self) -> str:
        """The bytes as the box has them."""
        if len(self.data) <= WHOLE_BYTES:
            return self.data.hex(" ")
        return f"{self.data[:HEAD_BYTES].hex(' ')} … {self.data[-TAIL_BYTES:].hex(' ')}"

    @property
    def size(self) -> str:
        return "1 byte" if len(self.data) == 1 else f"{len(self.data)} bytes"


def parse(source: str) -> list[Field]:
    """Read a figure.

    Raises:
        FigureError: a row without bytes or name, or what should be hex is not.
    """
    fields: list[Field] = []
    offset = 0
    for row in source.splitlines():
        if not row.strip():
            continue
        digits, *words = (cell.strip() for cell in row.split("|", 2))
        try:
            data = bytes.fromhex(digits)
        except ValueError:
            raise FigureError(f"bytes: not hex: {digits!r}") from None
        if not data or not words or not words[0]:
            raise FigureError(f"bytes: expected `hex | name | meaning`, got {row.strip()!r}")
        fields.append(Field(data, words[0], words[1] if len(words) == 2 else "", offset))
        offset += len(data)
    if not fields:
        raise FigureError("bytes: no field")
    return fields


def all_bytes(source: str) -> bytes:
    """All fields, one after the other."""
    return b"".join(field.data for field in parse(source))


def draw(source: str, title: str, *, style: str = "") -> str:
    """The fields as a band of boxes; the meanings are for a table beside it, see :func:`legend`.

    Raises:
        FigureError: see :func:`parse`.
    """
    parts: list[str] = []
    x, y, right, below = 1.0, 18.0, 0.0, SHORT_PX
    for index, field in enumerate(parse(source)):
        width = max(width_of(field.shown), width_of(field.name)) + 2 * PAD_PX
        if x > 1.0 and x + width > PAGE_PX:
            x, y, below = 1.0, y + ROW_PX, SHORT_PX
        middle = x + width / 2
        parts.append(text(x + 2, y - 5, str(field.offset), class_="fig-dim fig-small"))
        parts.append(rect(x, y, width, BOX_PX, "fig-tint" if index % 2 == 0 else "fig-box"))
        parts.append(text(middle, y + 19.5, field.shown, anchor="middle"))
        parts.append(text(middle, y + BOX_PX + 17, field.name, anchor="middle", class_="fig-strong"))
        if len(field.data) > WHOLE_BYTES:
            parts.append(text(middle, y + BOX_PX + 31, field.size, anchor="middle", class_="fig-dim fig-small"))
            below = LONG_PX
        x += width + 3
        right = max(right, x)
    return picture(title, right, y + BOX_PX + below, "".join(parts), style=style)


def legend(source: str) -> list[tuple[str, str, str]]:
    """Name, size and meaning of each field that has a meaning."""
    return [(field.name, field.size, field.meaning) for field in parse(source) if field.meaning]
