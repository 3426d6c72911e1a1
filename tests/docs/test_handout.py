"""The handout: one PDF with all pages of the tutorial; what it cannot show is an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools.docs import handout
from tools.docs.pages import headings, parser
from tools.docs.tutorial import examples
from tools.docs.typst_text import Converter, Page, Unsupported

MIN_PAGES, MAX_PAGES = 20, 200
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def source() -> str:
    return handout.source()


def test_pdf(tmp_path: Path) -> None:
    target = tmp_path / "new" / "tutorial.pdf"
    handout.build(target)
    data = target.read_bytes()
    assert data.startswith(b"%PDF")
    counts = [int(count) for count in re.findall(rb"/Count (\d+)", data)]
    assert MIN_PAGES <= max(counts) <= MAX_PAGES
    # Building it again gives the same file: nothing of this machine or this moment is in it.
    again = tmp_path / "again.pdf"
    handout.build(again)
    assert again.read_bytes() == data


def test_every_example_is_in_it(source: str) -> None:
    for example in examples():
        title = headings(parser().parse(example.page.read_text()))[0][1]
        label = f"<tutorial.{example.id}:"
        assert label in source, example.id
        assert f'#heading(level: 2)[#"{title.partition("`")[0]}' in source, title


def test_glossary_and_contents_are_in_it(source: str) -> None:
    assert "#outline(" in source
    assert '#heading(level: 3)[#"proximity order"]' in source


def converted(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("tools.docs.typst_text.DOCS", tmp_path)
    path = tmp_path / "page.md"
    path.write_text(f"# Title\n\n{text}\n")
    page = Page(path, shift=0)
    return Converter([page]).convert(page)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("<div>html</div>", "html_block"),
        ("a <b>c</b>", "html_inline"),
        ("---", "hr"),
        ("```mermaid\nx\n```", "mermaid"),
        ("```sequence\na -> b: c\n```", "without title"),
        ("![x](photo.png)", "photo.png"),
        ("[x](page.md#nowhere)", "nowhere"),
    ],
)
def test_what_it_cannot_show_is_an_error(
    text: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Unsupported, match=named):
        converted(text, tmp_path, monkeypatch)


def test_text_is_never_taken_for_markup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = converted('a #b $c$ "d" \\\\ [e](page.md#title) `f"` *g* **h**', tmp_path, monkeypatch)
    assert '#"a #b $c$ \\"d\\" \\\\ "' in shown
    assert '#link(<page:title>)[#"e"]' in shown
    assert '#raw("f\\"")' in shown
    assert '#emph[#"g"]' in shown
    assert '#strong[#"h"]' in shown


def test_long_output_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = converted(f"```console\n$ python x\n{'f' * 200}\n```", tmp_path, monkeypatch)
    assert max(len(line) for line in shown.split('"')[1].split("\\n")) < 100
