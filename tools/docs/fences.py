"""The two fences of our own, as pymdownx.superfences calls them (see mkdocs.yml): both want a title."""

from __future__ import annotations

from html import escape
from typing import Any

from pymdownx.superfences import SuperFencesException

from tools.docs import bytemap, sequence


def sequence_fence(source: str, language: str, css_class: str, options: Any, md: Any, **_: Any) -> str:
    """```sequence title="..."."""
    return _figure(lambda title: sequence.draw(source, title), source, options)


def bytes_fence(source: str, language: str, css_class: str, options: Any, md: Any, **_: Any) -> str:
    """```bytes title="..." check="..."; the check is for tests/docs."""
    return _figure(lambda title: bytemap.draw(source, title) + _legend(source), source, options)


def accept(language: str, inputs: dict[str, str], options: dict[str, str], attrs: dict[str, str], md: Any) -> bool:
    """Which attributes the fences take. Refusing others here would make a block of code of the figure."""
    if unknown := set(inputs) - {"title", "check"}:
        raise SuperFencesException(f"{language}: unknown attribute {', '.join(sorted(unknown))}")
    options.update(inputs)
    return True


def _figure(draw: Any, source: str, options: dict[str, str]) -> str:
    title = options.get("title", "")
    try:
        if not title:
            raise sequence.FigureError(f"a figure without title: {source[:60]!r}")
        drawn = draw(title)
    except sequence.FigureError as error:
        # Any other exception would be logged, and the page built without the figure.
        raise SuperFencesException(str(error)) from error
    return f'<figure class="fig-frame">{drawn}<figcaption>{escape(title)}</figcaption></figure>'


def _legend(source: str) -> str:
    rows = "".join(
        f"<tr><th scope='row'>{escape(name)}</th><td>{size}</td><td>{escape(meaning)}</td></tr>"
        for name, size, meaning in bytemap.legend(source)
    )
    return f"<table class='fig-legend'>{rows}</table>" if rows else ""
