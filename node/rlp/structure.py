"""Dataclasses to RLP lists and back, by their annotations (spec 01 section 1).

A field is one list element, in the order of declaration::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Hello:
        version: Uint64
        name: str
        caps: list[Capability]
        listen_port: Uint64
        id: Annotated[bytes, Length(64)]
        rest: Rest = ()

Understood: ``bytes``, ``str``, ``bool``, ``int`` (64 bit, or :class:`Bits`), ``list[T]``, ``tuple[T, ...]``,
nested dataclasses, ``datetime`` (which this wire always carries as an empty list) and, as last field, :data:`Rest`.
A class may bring its own form with ``to_rlp(self) -> Encodable`` and ``from_rlp(cls, item) -> Self``.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from node.errors import MalformedMessage
from node.rlp.codec import Encodable, Item, decode, encode

T = TypeVar("T")


@dataclass(frozen=True)
class Bits:
    """Width of an unsigned integer."""

    width: int


@dataclass(frozen=True)
class Length:
    """Exact length of a byte string."""

    size: int


@dataclass(frozen=True)
class MaxLength:
    """Greatest length of a byte string."""

    size: int


@dataclass(frozen=True)
class _RestMarker:
    pass


Uint8 = Annotated[int, Bits(8)]
Uint16 = Annotated[int, Bits(16)]
Uint32 = Annotated[int, Bits(32)]
Uint64 = Annotated[int, Bits(64)]
Rest = Annotated[tuple[Any, ...], _RestMarker()]
"""Further elements of any shape: kept as decoded items, ignored otherwise."""

Encoder = Callable[[Any], Encodable]
Decoder = Callable[[Item], Any]


def encode_struct(value: Any) -> bytes:
    """The RLP of a dataclass instance (or of a plain ``str``, ``int``, ``bytes``, ``list`` value)."""
    cls: Any = type(value)
    return encode(_converters(cls)[0](value))


def decode_struct(cls: type[T], payload: bytes) -> T:
    """Build a `cls` from the one RLP value in `payload`.

    Raises:
        MalformedMessage: bad RLP, trailing bytes, or a value that does not fit the declaration.
    """
    return from_item(cls, decode(payload))


def from_item(cls: type[T], item: Item) -> T:
    """Build a `cls` from an item that is decoded already.

    Raises:
        MalformedMessage: the item does not fit the declaration; the text names class and field.
    """
    declared: Any = cls
    return typing.cast(T, _converters(declared)[1](item))


def uint_from(item: Item, bits: int = 64) -> int:
    """An unsigned integer of at most `bits` bits in minimal form.

    Raises:
        MalformedMessage: a list, leading zeros, or too wide.
    """
    if isinstance(item, list):
        raise MalformedMessage("expected an integer, got a list")
    if item[:1] == b"\x00":
        raise MalformedMessage("integer has leading zero bytes")
    if len(item) * 8 > bits:
        raise MalformedMessage(f"integer of {len(item)} bytes does not fit into {bits} bits")
    return int.from_bytes(item, "big")


def bytes_from(item: Item) -> bytes:
    """A byte string.

    Raises:
        MalformedMessage: a list.
    """
    if isinstance(item, list):
        raise MalformedMessage("expected a byte string, got a list")
    return item


def bool_from(item: Item) -> bool:
    """A truth value: 01 or the empty string.

    Raises:
        MalformedMessage: anything else.
    """
    if item == b"\x01":
        return True
    if item == b"":
        return False
    raise MalformedMessage("expected a bool (01 or the empty string)")


def list_from(item: Item) -> list[Item]:
    """A list.

    Raises:
        MalformedMessage: a byte string.
    """
    if not isinstance(item, list):
        raise MalformedMessage("expected a list, got a byte string")
    return item


def uint_item(value: int) -> bytes:
    """The byte string that stands for an unsigned integer."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


@functools.cache
def _converters(cls: Any) -> tuple[Encoder, Decoder]:
    """Encoder and decoder for an annotation; built once for each."""
    origin, args = typing.get_origin(cls), typing.get_args(cls)
    if origin is Annotated:
        return _annotated(args[0], args[1:])
    if origin is list or (origin is tuple and len(args) == 2 and args[1] is Ellipsis):
        return _sequence(args[0], origin)
    if hasattr(cls, "from_rlp"):
        return lambda value: value.to_rlp(), cls.from_rlp
    if isinstance(cls, type):
        if dataclasses.is_dataclass(cls):
            return _struct(cls)
        if issubclass(cls, bool):
            return lambda value: b"\x01" if value else b"", bool_from
        if issubclass(cls, int):
            return _unsigned(64)
        if issubclass(cls, (bytes, bytearray)):
            return lambda value: value, bytes_from
        if issubclass(cls, str):
            return _encode_text, _decode_text
        if issubclass(cls, datetime.datetime):
            # A struct without exported fields in the reference: no time is ever transmitted (spec 01 section 1).
            return lambda _: [], _decode_time
    raise TypeError(f"no RLP form for {cls!r}")


def _annotated(base: Any, marks: tuple[Any, ...]) -> tuple[Encoder, Decoder]:
    for mark in marks:
        if isinstance(mark, Bits):
            return _unsigned(mark.width)
        if isinstance(mark, (Length, MaxLength)):
            return _sized(mark)
    return _converters(base)


def _unsigned(bits: int) -> tuple[Encoder, Decoder]:
    def encode_unsigned(value: int) -> bytes:
        if not 0 <= value < 1 << bits:
            raise ValueError(f"{value} is no unsigned integer of {bits} bits")
        return uint_item(value)

    return encode_unsigned, lambda item: uint_from(item, bits)


def _sized(mark: Length | MaxLength) -> tuple[Encoder, Decoder]:
    def fits(size: int) -> bool:
        return size == mark.size if isinstance(mark, Length) else size <= mark.size

    wanted = f"{'exactly' if isinstance(mark, Length) else 'at most'} {mark.size} bytes"

    def encode_sized(value: bytes) -> bytes:
        if not fits(len(value)):
            raise ValueError(f"expected {wanted}, got {len(value)}")
        return value

    def decode_sized(item: Item) -> bytes:
        raw = bytes_from(item)
        if not fits(len(raw)):
            raise MalformedMessage(f"expected {wanted}, got {len(raw)}")
        return raw

    return encode_sized, decode_sized


def _sequence(element: Any, kind: type) -> tuple[Encoder, Decoder]:
    to_item, from_one = _converters(element)
    return (
        lambda value: [to_item(one) for one in value],
        lambda item: kind(from_one(one) for one in list_from(item)),
    )


def _encode_text(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _decode_text(item: Item) -> str:
    # No UTF-8 check in either direction: any bytes survive the round trip.
    return bytes_from(item).decode("utf-8", "surrogateescape")


def _decode_time(item: Item) -> datetime.datetime:
    if list_from(item):
        raise MalformedMessage("expected an empty list for a time")
    return datetime.datetime.min


def _struct(cls: type) -> tuple[Encoder, Decoder]:
    hints = typing.get_type_hints(cls, include_extras=True)
    names = [f.name for f in dataclasses.fields(cls)]
    rest = next((name for name in names if _is_rest(hints[name])), None)
    if rest is not None:
        names.remove(rest)
    fields = [(name, *_converters(hints[name])) for name in names]

    def encode_fields(value: Any) -> list[Encodable]:
        items = [to_item(getattr(value, name)) for name, to_item, _ in fields]
        return [*items, *getattr(value, rest)] if rest else items

    def decode_fields(item: Item) -> Any:
        items = list_from(item)
        if len(items) < len(fields) or (rest is None and len(items) > len(fields)):
            raise MalformedMessage(f"{cls.__name__}: expected {len(fields)} elements, got {len(items)}")
        values: dict[str, Any] = {}
        for (name, _, from_one), one in zip(fields, items, strict=False):
            try:
                values[name] = from_one(one)
            except MalformedMessage as error:
                raise MalformedMessage(f"{cls.__name__}.{name}: {error}") from None
        if rest is not None:
            values[rest] = tuple(items[len(fields) :])
        return cls(**values)

    return encode_fields, decode_fields


def _is_rest(hint: Any) -> bool:
    return typing.get_origin(hint) is Annotated and any(isinstance(m, _RestMarker) for m in hint.__metadata__)
