"""node.rlp.structure: dataclasses by their annotations (spec 01 section 1)."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import MalformedMessage
from node.rlp.codec import Encodable, Item, decode, encode
from node.rlp.structure import (
    Length,
    MaxLength,
    Rest,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    bool_from,
    bytes_from,
    decode_struct,
    encode_struct,
    from_item,
    list_from,
    uint_from,
)


@dataclass(frozen=True)
class Inner:
    n: Uint8
    s: str


@dataclass(frozen=True)
class Everything:
    flag: bool
    number: int
    port: Uint16
    size: Uint32
    text: str
    data: bytes
    exact: Annotated[bytes, Length(4)]
    short: Annotated[bytes, MaxLength(3)]
    inner: Inner
    many: list[Inner]
    fixed: tuple[Uint64, ...]


@dataclass(frozen=True)
class Open:
    n: int
    rest: Rest = ()


@dataclass(frozen=True)
class Timed:
    created: datetime.datetime


@dataclass(frozen=True)
class One:
    value: Any


class Point:
    """Brings its own form."""

    def __init__(self, x: int) -> None:
        self.x = x

    def to_rlp(self) -> Encodable:
        return [bytes([self.x])]

    @classmethod
    def from_rlp(cls, item: Item) -> Point:
        return cls(bytes_from(list_from(item)[0])[0])


@dataclass(frozen=True)
class Holder:
    points: list[Point]


@dataclass(frozen=True)
class Floating:
    f: float


inners = st.builds(Inner, n=st.integers(0, 255), s=st.text())
everything = st.builds(
    Everything,
    flag=st.booleans(),
    number=st.integers(0, 2**64 - 1),
    port=st.integers(0, 2**16 - 1),
    size=st.integers(0, 2**32 - 1),
    text=st.text(),
    data=st.binary(),
    exact=st.binary(min_size=4, max_size=4),
    short=st.binary(max_size=3),
    inner=inners,
    many=st.lists(inners, max_size=3),
    fixed=st.lists(st.integers(0, 2**64 - 1), max_size=3).map(tuple),
)
GOOD = Everything(True, 1, 2, 3, "t", b"d", b"four", b"s", Inner(4, "i"), [Inner(5, "j")], (6, 7))


def with_element(index: int, raw: Encodable) -> bytes:
    """GOOD on the wire with one element replaced."""
    elements = decode(encode_struct(GOOD))
    assert isinstance(elements, list)
    return encode([*elements[:index], raw, *elements[index + 1 :]])


@given(everything)
def test_round_trip(value: Everything) -> None:
    assert decode_struct(Everything, encode_struct(value)) == value


@given(st.binary(max_size=60) | st.recursive(st.binary(max_size=9), lambda i: st.lists(i, max_size=11)).map(encode))
def test_any_bytes_decode_or_are_malformed(payload: bytes) -> None:
    for cls in (Everything, Open, Timed, Inner):
        try:
            decode_struct(cls, payload)
        except MalformedMessage:
            continue


@pytest.mark.parametrize(
    ("index", "raw", "text"),
    [
        (0, b"\x02", "Everything.flag: expected a bool"),
        (0, b"\x00", "Everything.flag: expected a bool"),
        (0, [], "Everything.flag: expected a bool"),
        (1, b"\x00", "Everything.number: integer has leading zero bytes"),
        (1, b"\x00\x01", "Everything.number: integer has leading zero bytes"),
        (1, b"\x01" * 9, "Everything.number: integer of 9 bytes does not fit into 64 bits"),
        (1, [], "Everything.number: expected an integer, got a list"),
        (2, b"\x01" * 3, "Everything.port: integer of 3 bytes does not fit into 16 bits"),
        (3, b"\x01" * 5, "Everything.size: integer of 5 bytes does not fit into 32 bits"),
        (4, [], "Everything.text: expected a byte string, got a list"),
        (5, [b""], "Everything.data: expected a byte string, got a list"),
        (6, b"123", "Everything.exact: expected exactly 4 bytes, got 3"),
        (6, b"12345", "Everything.exact: expected exactly 4 bytes, got 5"),
        (7, b"1234", "Everything.short: expected at most 3 bytes, got 4"),
        (8, b"", "Everything.inner: expected a list, got a byte string"),
        (8, [b"\x01"], "Everything.inner: Inner: expected 2 elements, got 1"),
        (8, [b"\x01\x01", b""], "Everything.inner: Inner.n: integer of 2 bytes does not fit into 8 bits"),
        (9, [[b"\x01", []]], "Everything.many: Inner.s: expected a byte string, got a list"),
        (10, b"", "Everything.fixed: expected a list"),
    ],
)
def test_errors_name_class_and_field(index: int, raw: Encodable, text: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode_struct(Everything, with_element(index, raw))
    assert text in str(caught.value)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_struct_has_exactly_its_elements(count: int) -> None:
    with pytest.raises(MalformedMessage, match=f"Inner: expected 2 elements, got {count}"):
        from_item(Inner, [b""] * count)


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(MalformedMessage, match="trailing"):
        decode_struct(Inner, encode_struct(Inner(1, "")) + b"\x00")


def test_rest_takes_further_elements_of_any_shape() -> None:
    wire = encode([b"\x01", b"x", [b"y", []]])
    value = decode_struct(Open, wire)
    assert value == Open(1, (b"x", [b"y", []]))
    assert encode_struct(value) == wire
    assert decode_struct(Open, b"\xc1\x01") == Open(1)


def test_rest_does_not_replace_declared_elements() -> None:
    with pytest.raises(MalformedMessage, match="Open: expected 1 elements, got 0"):
        decode_struct(Open, b"\xc0")


def test_further_elements_must_be_well_formed() -> None:
    with pytest.raises(MalformedMessage):
        decode_struct(Open, bytes.fromhex("c3018100"))


def test_time_is_an_empty_list() -> None:
    """No time is ever transmitted: sent as c0, read as the zero time."""
    now = datetime.datetime(2019, 9, 1, 12, 0, 0)
    assert encode_struct(Timed(now)) == b"\xc1\xc0"
    assert decode_struct(Timed, b"\xc1\xc0") == Timed(datetime.datetime.min)


@pytest.mark.parametrize("raw", [b"", b"\x01", [b""]])
def test_a_time_with_content_is_refused(raw: Encodable) -> None:
    with pytest.raises(MalformedMessage, match=r"Timed.created"):
        decode_struct(Timed, encode([raw]))


@given(st.binary())
def test_text_is_any_bytes(raw: bytes) -> None:
    assert encode_struct(decode_struct(Inner, encode([b"\x01", raw]))) == encode([b"\x01", raw])


def test_a_class_may_bring_its_own_form() -> None:
    wire = encode_struct(Holder([Point(1), Point(2)]))
    assert wire == bytes.fromhex("c5c4c101c102")
    assert [point.x for point in decode_struct(Holder, wire).points] == [1, 2]


@pytest.mark.parametrize(
    ("value", "wire"),
    [("foobar", "86666f6f626172"), (0, "80"), (42, "2a"), (b"\x00", "00"), (True, "01"), (False, "80")],
)
def test_plain_values(value: object, wire: str) -> None:
    assert encode_struct(value).hex() == wire


@pytest.mark.parametrize("number", [-1, 2**64])
def test_local_integers_must_fit(number: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        encode_struct(Open(number))


def test_local_strings_must_have_their_length() -> None:
    with pytest.raises(ValueError, match="exactly 4 bytes, got 3"):
        encode_struct(Everything(True, 1, 2, 3, "t", b"d", b"fou", b"s", Inner(4, "i"), [], ()))


@pytest.mark.parametrize("cls", [Floating, One])
def test_no_form_for_floats_and_any(cls: type) -> None:
    with pytest.raises(TypeError, match="no RLP form"):
        encode_struct(cls(1.5))


def test_uint_from_has_a_bit_limit() -> None:
    assert uint_from(b"\xff\xff", 16) == 0xFFFF
    with pytest.raises(MalformedMessage):
        uint_from(b"\x01\x00\x00", 16)


def test_bool_from() -> None:
    assert bool_from(b"\x01") is True
    assert bool_from(b"") is False
