"""YAML as text with positions; what is refused, and that nothing else comes out than LabFileError."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import LabFileError
from orchestrator.yaml_tree import MAX_DEPTH, MAX_NODES, MAX_TEXT_CHARS, Position, parse_yaml


def test_scalars_stay_text() -> None:
    tree = parse_yaml(
        "{no: on, yes: 1.10, 0x1f: 'null', a: null, b: , c: ~, d: \"\", 12: [true, 2026-01-01]}", source=""
    )
    assert tree.data == {
        "no": "on",
        "yes": "1.10",
        "0x1f": "null",
        "a": None,
        "b": None,
        "c": None,
        "d": "",
        "12": ["true", "2026-01-01"],
    }


def test_positions() -> None:
    tree = parse_yaml("a: 1\nbb:\n  cc: [x,  y]\n", source="f.yml")
    assert tree.position(("a",)) == Position(1, 4)
    assert tree.position(("bb", "cc"), of_key=True) == Position(3, 3)
    assert tree.position(("bb", "cc", 1)) == Position(3, 12)
    assert tree.position(("bb", "missing", "deeper")) == Position(3, 3)
    error = tree.error("bad", ("bb", "cc", 1), hint="better")
    assert (str(error), error.line, error.column, error.hint) == ("f.yml:3:12: bad", 3, 12, "better")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "f: ?1:1: the file is empty"),
        ("# nothing\n", "1:1: the file is empty"),
        ("- a", "1:1: expected keys such as 'name:', got a list"),
        ("hello", "1:1: expected keys such as 'name:', got the text 'hello'"),
        ("a: 1\nb: 2\na: 3", "3:1: key 'a' is there twice, first in line 1"),
        ("x:\n  y: 1\n  y: 2", "3:3: key 'y' is there twice, first in line 2"),
        ("? [a, b]\n: c", "1:3: expected a name as key, got a list"),
        ("a: &x 1", "1:4: anchors and aliases"),
        ("a: *x", "1:4: anchors and aliases"),
        ("a: 1\n<<: *x", "2:5: anchors and aliases"),
        ("a: !!str 1", "1:4: tags such as 'tag:yaml.org,2002:str'"),
        ("!!python/object:os.system {}", "1:1: tags such as"),
        ("a: [", "1:5: .*expected the node content"),
        ("a: b: c", "1:5: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2", "2:1: expected a single document"),
        ("a: \x07", "1:4: character 7 is not allowed"),
        ("a: 1\nbé: \x00", "2:5: character 0 is not allowed"),
        ('a: "\\UFFFFFFFF"', "f: not YAML"),
        ("%YAML 1." + "9" * 5000 + "\n---\na: 1", "f: not YAML"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(LabFileError, match=f"^(f:)?{why}"):
        parse_yaml(text, source="f")


def test_a_tab_is_named() -> None:
    with pytest.raises(LabFileError) as caught:
        parse_yaml("a:\n\tb: 1", source="f")
    assert caught.value.line == 2
    assert "tabs" in caught.value.hint


def test_limits() -> None:
    assert parse_yaml("a: " + "[" * (MAX_DEPTH - 2) + "b" + "]" * (MAX_DEPTH - 2), source="")
    with pytest.raises(LabFileError, match=f"more than {MAX_DEPTH} levels"):
        parse_yaml("a: " + "[" * (MAX_DEPTH - 1) + "b" + "]" * (MAX_DEPTH - 1), source="")
    with pytest.raises(LabFileError, match=f"more than {MAX_TEXT_CHARS}"):
        parse_yaml("#" * (MAX_TEXT_CHARS + 1), source="")
    with pytest.raises(LabFileError, match=f"more than {MAX_NODES} entries"):
        parse_yaml("a: [" + "b," * MAX_NODES + "]", source="")


@pytest.mark.parametrize("text", ["[" * 200_000, "{" * 200_000, "- " * 100_000, "? " * 100_000, "a: " + "&" * 200_000])
def test_bombs_are_refused_at_once(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(LabFileError):
        parse_yaml(text, source="")
    assert time.perf_counter() - started < 5


@given(st.text(st.sampled_from("ab:,-[]{}&*!?|>'\"%@`# \n\t\\Ux0\ud800é\x85\x00"), max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    mistake = None
    try:
        assert isinstance(parse_yaml(text, source="f").data, dict)
    except LabFileError as error:
        mistake = str(error)
    assert mistake is None or mistake.startswith("f:")
