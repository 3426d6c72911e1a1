"""The incremental reader: any cut of any input gives the same values, and only documented errors."""

from __future__ import annotations

import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rpc.stream import MAX_DEPTH, MAX_INTEGER_DIGITS, Number, StreamReader, read_first
from node.rpc.syntax import JSONSyntaxError, TruncatedJSON

scalars = st.none() | st.booleans() | st.integers() | st.text(alphabet=st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)
separators = st.text(alphabet=" \t\r\n", min_size=1, max_size=2)
pieces = st.sampled_from(
    ["{", "}", "[", "]", '"', ":", ",", "\\", "\\u12", "1", "-", ".5", "e", "+", "tru", "null", " ", "x", "\x00", "é"]
)


def read_whole(data: bytes) -> tuple[list[object], str | None]:
    reader = StreamReader()
    found = reader.receive_data(data) + reader.receive_eof()
    return [item.value for item in found], reader.error and str(reader.error)


def read_cut(data: bytes, cuts: list[int]) -> tuple[list[object], str | None]:
    reader = StreamReader()
    edges = [0, *sorted(cuts), len(data)]
    found = [item for start, stop in pairwise(edges) for item in reader.receive_data(data[start:stop])]
    found += reader.receive_eof()
    return [item.value for item in found], reader.error and str(reader.error)


@given(st.lists(st.tuples(values, separators, st.booleans()), max_size=4))
def test_whole_and_byte_by_byte(items: list[tuple[object, str, bool]]) -> None:
    text = "".join(json.dumps(value, ensure_ascii=ascii_only) + gap for value, gap, ascii_only in items)
    data = text.encode("utf-8", "replace")
    expected = [value for value, _, _ in items]
    assert read_whole(data) == (expected, None)
    assert read_cut(data, list(range(len(data)))) == (expected, None)


@given(st.lists(pieces, max_size=20), st.data())
def test_garbage_gives_the_same_error_however_it_is_cut(parts: list[str], data: st.DataObject) -> None:
    raw = "".join(parts).encode()
    cuts = data.draw(st.lists(st.integers(0, len(raw)), max_size=5))
    assert read_cut(raw, cuts) == read_whole(raw)


@given(st.binary(max_size=40))
def test_any_bytes_end_in_values_or_a_documented_error(raw: bytes) -> None:
    reader = StreamReader()
    reader.receive_data(raw)
    reader.receive_eof()
    assert reader.error is None or isinstance(reader.error, JSONSyntaxError)


@given(values.filter(lambda value: isinstance(value, (list, dict))), st.data())
def test_truncated_value_is_no_value(value: object, data: st.DataObject) -> None:
    raw = json.dumps(value).encode()
    reader = StreamReader()
    assert reader.receive_data(raw[: data.draw(st.integers(1, len(raw) - 1))]) == []
    assert reader.error is None
    assert reader.receive_eof() == []
    assert isinstance(reader.error, TruncatedJSON)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{bad}", "invalid character 'b' looking for beginning of object key string"),
        ('{"a":1]', "invalid character ']' after object key:value pair"),
        ("[1}", "invalid character '}' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ("]", "invalid character ']' looking for beginning of value"),
        ("\x00", "invalid character '\\x00' looking for beginning of value"),
        ("[tru0]", "invalid character '0' in literal true (expecting 'e')"),
        ("[01]", "invalid character '1' after array element"),
        ("[-x]", "invalid character 'x' in numeric literal"),
        ("[1.]", "invalid character ']' after decimal point in numeric literal"),
        ("[1e]", "invalid character ']' in exponent of numeric literal"),
        ('["\\x"]', "invalid character 'x' in string escape code"),
        ('["\\u00g"]', "invalid character 'g' in \\u hexadecimal character escape"),
        ('["\n"]', "invalid character '\\x0a' in string literal"),
        ("[NaN]", "invalid character 'N' looking for beginning of value"),
        ("[-Infinity]", "invalid character 'I' in numeric literal"),
        ("['a']", "invalid character '\\'' looking for beginning of value"),
    ],
)
def test_error_texts(text: str, error: str) -> None:
    for cuts in ([], list(range(len(text)))):
        found, message = read_cut(text.encode(), cuts)
        assert (found, message) == ([], error)


def test_objects_need_no_newline_but_scalars_need_a_following_byte() -> None:
    reader = StreamReader()
    assert [item.text for item in reader.receive_data(b'{"a":1}[2]')] == ['{"a":1}', "[2]"]
    assert reader.receive_data(b"5") == []
    assert [item.value for item in reader.receive_data(b'"x"')] == [5]
    assert [item.value for item in reader.receive_data(b" true")] == ["x"]
    assert [item.value for item in reader.receive_eof()] == [True]


def test_values_before_an_error_are_kept_and_later_input_is_ignored() -> None:
    reader = StreamReader()
    assert [item.value for item in reader.receive_data(b"{}[]x{}")] == [{}, []]
    assert reader.error is not None
    assert reader.receive_data(b"{}") == []
    assert reader.receive_eof() == []


def test_depth_limit() -> None:
    for fast in (True, False):
        cuts = [] if fast else [1]
        at_limit = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
        assert read_cut(at_limit, cuts)[1] is None
        assert read_cut(b"[" + at_limit + b"]", cuts) == ([], f"exceeded max depth of {MAX_DEPTH}")
    assert read_whole(b"[" * 100_000)[1] == f"exceeded max depth of {MAX_DEPTH}"
    wide = [[] for _ in range(2 * MAX_DEPTH)]
    assert read_whole(json.dumps(wide).encode()) == ([wide], None)


@pytest.mark.parametrize("step", [1, 7, 100])
def test_size_limit(step: int) -> None:
    for size, fits in ((50, True), (51, False)):
        raw = b'"' + b"x" * (size - 4) + b'"'
        raw = b"[" + raw + b"]"
        reader = StreamReader(max_chars=50)
        found = [item for at in range(0, len(raw), step) for item in reader.receive_data(raw[at : at + step])]
        assert bool(found) is fits
        assert (reader.error is None) is fits


def test_numbers_keep_their_text() -> None:
    (item,) = StreamReader().receive_data(b"[1.50, 1e3, 12345678901234567890123, -0]")
    number, exponent, big, _ = item.value  # type: ignore[misc]
    assert isinstance(number, Number)
    assert (number, number.text, exponent.text) == (1.5, "1.50", "1e3")
    assert big == 12345678901234567890123


def test_integers_of_absurd_length_stay_numbers() -> None:
    digits = "9" * (MAX_INTEGER_DIGITS + 1)
    item = read_first(f"[{digits}]".encode())
    assert item is not None
    assert isinstance(item.value, list)
    assert item.value[0].text == digits


def test_bad_utf8_and_lone_surrogates_become_replacement_characters() -> None:
    assert read_whole(b'["\xff", "\\ud800", "\\ud83d\\ude00"]') == ([["\ufffd", "\ufffd", "\U0001f600"]], None)
    assert read_whole(b'{"\\udfff":1}') == ([{"\ufffd": 1}], None)


def test_read_first() -> None:
    first = read_first(b' {"a":1} garbage')
    assert first is not None
    assert first.value == {"a": 1}
    assert read_first(b" \n") is None
    bare = read_first(b"5")
    assert bare is not None
    assert bare.value == 5
    with pytest.raises(TruncatedJSON):
        read_first(b'{"a":')
    with pytest.raises(JSONSyntaxError):
        read_first(b"{x}")


def test_time_is_linear_in_the_size() -> None:
    def seconds(megabytes: int) -> float:
        reader = StreamReader()
        chunk = b"a" * 65536
        started = time.process_time()
        reader.receive_data(b'["')
        for _ in range(megabytes * 16):
            reader.receive_data(chunk)
        assert len(reader.receive_data(b'"]')) == 1
        return time.process_time() - started

    seconds(1)
    assert seconds(16) < 16 * 16 * max(seconds(1), 0.002)
