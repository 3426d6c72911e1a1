"""The fences and hooks of the site: what they make, and that a mistake is an error and no block of code."""

from __future__ import annotations

import re
from types import SimpleNamespace

import markdown
import pytest
import yaml
from pymdownx.superfences import SuperFencesException

from tools.docs import fences, hooks
from tools.docs.docstrings import to_markdown
from tools.docs.tutorial import ROOT

CUSTOM = [
    {"name": "sequence", "class": "fig", "format": fences.sequence_fence, "validator": fences.accept},
    {"name": "bytes", "class": "fig", "format": fences.bytes_fence, "validator": fences.accept},
]


def html(text: str) -> str:
    shown: str = markdown.markdown(
        text, extensions=["pymdownx.superfences"], extension_configs={"pymdownx.superfences": {"custom_fences": CUSTOM}}
    )
    return shown


def test_a_figure_has_picture_caption_and_legend() -> None:
    shown = html('```bytes title="A & B" check="bytes([5])"\n05 | version | of <all>\n```\n')
    assert shown.count("<svg") == 1
    assert "<figcaption>A &amp; B</figcaption>" in shown
    assert "<td>of &lt;all&gt;</td>" in shown
    assert "check" not in shown


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("```sequence\na -> b: c\n```\n", "without title"),
        ('```sequence title="t"\na is b\n```\n', "not an arrow"),
        ('```bytes title="t"\nxy | z\n```\n', "not hex"),
        ('```bytes titel="t"\n05 | z\n```\n', "unknown attribute titel"),
    ],
)
def test_a_mistake_ends_the_build(text: str, complaint: str) -> None:
    with pytest.raises(SuperFencesException, match=complaint):
        html(text)


def test_the_configuration_names_these_fences() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    assert set(re.findall(r"tools\.docs\.fences\.(\w+)", text)) == {"sequence_fence", "bytes_fence", "accept"}
    plain = yaml.safe_load(re.sub(r"!!python/name:(\S+)", r'"\1"', text))
    assert plain["strict"] is True
    assert plain["theme"]["font"] is False


@pytest.mark.parametrize(
    ("link", "becomes"),
    [
        ("[a](../../examples/a1_server.py)", "[a](../examples/a1_server.md)"),
        ("[a](../examples/exercises/a1_x.py)", "[a](examples/exercises/a1_x.md)"),
        ("[a](a1.md#the-code)", "[a](a1.md#the-code)"),
    ],
)
def test_links_to_programs_become_links_to_their_pages(link: str, becomes: str) -> None:
    assert hooks.on_page_markdown(link, page=SimpleNamespace()) == becomes


def test_docstrings_become_markdown() -> None:
    text = "A client, see :meth:`Server.connect` and :mod:`~node.rpc`::\n\n    x = 1\n\n    y = 2\n\nMore."
    assert to_markdown(text) == (
        "A client, see `Server.connect` and `node.rpc`:\n\n```python\nx = 1\n\ny = 2\n```\n\nMore."
    )
    assert to_markdown("So::\n\nx = 1\n\nMore.") == "So:\n\n```python\nx = 1\n```\n\n\nMore."
