"""The scanner against the decoder of the standard library."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rpc.syntax import JSONSyntaxError, Scanner

tokens = st.sampled_from(["{", "}", "[", "]", ",", ":", '"a"', '"\\n"', "1", "-2.5e+3", "0", "true", "null", " "])


def accepts(text: str) -> bool:
    scanner = Scanner(64)
    try:
        end = scanner.scan(text, 0)
    except JSONSyntaxError:
        return False
    return (end >= 0 and not text[end:].strip()) or (end < 0 and scanner.complete_at_eof)


@given(st.lists(tokens, min_size=1, max_size=12).map("".join))
def test_accepts_what_json_accepts(text: str) -> None:
    try:
        json.loads(text)
        expected = True
    except ValueError:
        expected = False
    assert accepts(text) is expected


@pytest.mark.parametrize("text", ["-", "1.", "1e", "1e+", '"a', '"\\', '"\\u1', "tru", "[", '{"a"', '{"a":', "[1,"])
def test_incomplete_is_neither_done_nor_wrong(text: str) -> None:
    scanner = Scanner(64)
    assert scanner.scan(text, 0) == -1
    assert not scanner.complete_at_eof


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e3", '"a"', "true", "null"])
def test_scalar_is_complete_at_eof(text: str) -> None:
    scanner = Scanner(64)
    assert scanner.scan(text, 0) == -1
    assert scanner.complete_at_eof
    assert scanner.scan(" ", 0) == 0
