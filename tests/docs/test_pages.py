"""The pages of the tutorial: code is that of the programs, outputs are real, bytes are ours, and none is missing."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.docs import architecture, bytemap, sequence
from tools.docs.excerpts import contains, evaluate, nearest, programs, run_snippets
from tools.docs.outputs import console_fences, difference, normalise, rewrite, run, split
from tools.docs.pages import Fence, fences, headings, parser
from tools.docs.tutorial import EXERCISES, SECTIONS, TUTORIAL, Example, examples

PAGES = sorted(TUTORIAL.glob("*.md"))
LANGUAGES = {"python", "pycon", "console", "sequence", "bytes", "json", "sh", "text"}
"""All fences of the tutorial, those that are checked first."""
PROCESSES = 2
"""Examples that run at the same time."""

page_of = pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)


@page_of
def test_code_is_an_excerpt_of_a_program(path: Path) -> None:
    sources = programs().values()
    wrong = [
        f"{fence.place}: not in examples/:\n{nearest(fence.content)}"
        for fence in fences(path)
        if fence.language == "python" and not any(contains(source, fence.content) for source in sources)
    ]
    assert not wrong, "\n\n".join(wrong)


@page_of
def test_fences_are_of_a_kind_that_somebody_checks(path: Path) -> None:
    assert {fence.language for fence in fences(path)} <= LANGUAGES


@page_of
def test_snippets_and_figures(path: Path) -> None:
    names, report = run_snippets(path)
    assert not report, report
    for fence in fences(path):
        if fence.language == "sequence":
            sequence.draw(fence.content, fence.attributes["title"])
        if fence.language == "bytes":
            bytemap.draw(fence.content, fence.attributes["title"])
            assert "check" in fence.attributes, f"{fence.place}: bytes that nobody checks"
            actual = evaluate(fence.attributes["check"], names)
            assert bytemap.all_bytes(fence.content).hex() == actual.hex(), fence.place


def test_outputs_are_what_the_programs_print() -> None:
    shown = console_fences()
    with ThreadPoolExecutor(PROCESSES) as pool:
        outputs = pool.map(lambda fence: run(split(fence)[0]), shown)
    wrong = [text for fence, output in zip(shown, outputs, strict=True) if (text := difference(fence, output))]
    assert not wrong, "\n\n".join([*wrong, "`make docs-outputs` writes them down again"])


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.id)
def test_page_is_complete(example: Example) -> None:
    assert example.page.exists(), f"{example.path.name} has no page {example.page.name}"
    text = example.page.read_text()
    found = headings(parser().parse(text))
    assert found[0] == (1, found[0][1])
    assert found[0][1].startswith(f"{example.id.upper()}: ")
    sections = [title for level, title in found if level == 2 and title in SECTIONS]
    assert sections == list(SECTIONS), (
        f"{example.page.name} lacks: {', '.join(set(SECTIONS) - set(sections)) or 'order'}"
    )
    kinds = [fence.language for fence in fences(example.page)]
    assert "python" in kinds
    assert f"$ python examples/{example.path.name}\n" in text, "its output"
    assert {"sequence", "bytes"} & set(kinds), "a figure"
    assert f"(../../examples/{example.path.name})" in text, "a link to the whole program"


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.id)
def test_page_has_exercises_with_solutions(example: Example) -> None:
    part = re.search(r"^## Exercises\n(.*?)^## ", example.page.read_text(), re.MULTILINE | re.DOTALL)
    assert part is not None, f"{example.page.name} has no exercises"
    linked = re.findall(r"\]\(\.\./\.\./examples/exercises/(\w+\.py)\)", part[1])
    assert len(re.findall(r"^\d\. ", part[1], re.MULTILINE)) == len(linked) >= 2
    assert sorted(linked) == [path.name for path in example.solutions]


def test_every_solution_is_of_an_example() -> None:
    known = {path for example in examples() for path in example.solutions}
    assert {path for path in EXERCISES.glob("*.py") if path.name != "beside.py"} == known


def test_introduction_lists_all_examples() -> None:
    index = (TUTORIAL / "index.md").read_text()
    rows = re.findall(
        r"^\| \[(\w\d)\]\((\w\d)\.md\) \| \[([\w.]+)\]\(\.\./\.\./examples/([\w.]+)\) \|", index, re.MULTILINE
    )
    assert rows == [(example.id.upper(), example.id, example.path.name, example.path.name) for example in examples()]


def test_picture_of_the_architecture_is_what_its_script_draws() -> None:
    assert architecture.TARGET.read_text() == architecture.draw()


# -- the checks themselves


def test_an_excerpt_may_be_indented_otherwise_but_not_differ() -> None:
    source = "def a():\n    x = 1\n    if x:\n        return x\n"
    assert contains(source, "if x:\n    return x\n")
    assert not contains(source, "if x:\n    return y\n")
    assert not contains(source, "x = 1\n    return x\n")


def test_the_nearest_excerpt_is_shown() -> None:
    shown = nearest('me.say("stopped!")\nif __name__ == "__main__":\n    play(server)\n')
    assert '+me.say("stopped!")' in shown


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("I am bbc16640", "I am <hex, 8 characters>"),
        ("at 127.0.0.1:4242 after 3.5 ms", "at 127.0.0.1:<port> after <time>"),
        ("3 bytes, 0x2c26b46b, decade", "3 bytes, <hex, 10 characters>, decade"),
        ("in /tmp/tmpabc/demo.ipc", "in <temporary path>"),
    ],
)
def test_what_varies_is_not_compared(line: str, expected: str) -> None:
    assert normalise(line) == expected


def fence_of(output: str) -> Fence:
    return Fence(Path("page.md"), 1, "console", {}, f"$ python examples/a2_connect.py\n{output}")


def test_order_counts_within_an_actor_and_not_between() -> None:
    fence = fence_of("bob    one\nbob    two\nalice  three\n")
    assert difference(fence, "bob    one\nalice  three\nbob    two\n") == ""
    assert "-bob    two" in difference(fence, "bob    two\nbob    one\nalice  three\n")


def test_an_output_that_is_wrong_is_written_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n\n```console\n$ python examples/f1_assemble.py\nparts  nonsense\n```\n\nafter\n")
    assert rewrite(page) == 1
    text = page.read_text()
    assert "it goes to ['the receiver']" in text
    assert "nonsense" not in text
    assert text.startswith("before\n\n```console\n$ python")
    assert text.endswith("\n```\n\nafter\n")
    assert rewrite(page) == 0


@pytest.mark.parametrize("source", ["alice likes bob", "note over bob: alone", ""])
def test_sequences_that_cannot_be_drawn(source: str) -> None:
    with pytest.raises(sequence.FigureError):
        sequence.draw(source, "title")


@pytest.mark.parametrize("source", ["zz | name", "00", "00 |", ""])
def test_byte_rows_that_make_no_sense(source: str) -> None:
    with pytest.raises(sequence.FigureError):
        bytemap.draw(source, "title")


def test_figures_have_their_words_and_a_title() -> None:
    drawn = sequence.draw("alice -> bob: a <b>\n== phase ==\nnote over bob: hm\nbob --> alice: yes", "Who & why")
    for part in ("<title>Who &amp; why</title>", "a &lt;b&gt;", "phase", "hm", "fig-dash", ">alice<"):
        assert part in drawn
    assert "64 bytes" in bytemap.draw("ab" * 64 + " | key | of somebody", "t")
    assert bytemap.legend("01 | a |\n02 | b | two") == [("b", "1 byte", "two")]
