"""JSON forms of parameters: the types an API is written with (spec 03 section 2.1, spec 06 section 9.1).

=================  =============================  ==========================================
type               JSON                           zero value
=================  =============================  ==========================================
`HexBytes`         `"0x.."`, `""` is empty        none: null is refused, as by the reference
`PrefixedHex`      `"0x.."`, the prefix is a must none
`FixedHex`         the same, cut or padded        none
`Base64Bytes`      standard base64                `b""`
`NodeIdHex`        64 hex digits                  32 zero bytes
`Uint8`..`Uint64`  integer in range               0
=================  =============================  ==========================================

An API defines more by giving a class `from_json(value)` and `to_json()`. Error texts are the reference's, because
callers show and compare them. Deliberately unknown here: signatures (`arguments`) and what the bytes mean.
"""

from __future__ import annotations

import binascii
import re
from typing import Annotated, ClassVar, Self

from node.rpc.output import encode_json
from node.rpc.stream import Number

NODE_ID_BYTES = 32
"""Length of a node id; spec 03 section 2.1."""

_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


class ConversionError(ValueError):
    """A JSON value does not fit a parameter; the text becomes `invalid argument i: <text>`."""


def cannot_unmarshal(value: object, go_type: str, *, show_number: bool = False) -> ConversionError:
    """The error for a value of the wrong JSON type, in the reference's words."""
    match value:
        case bool():
            what = "bool"
        case int() | float():
            what = f"number {encode_json(value)}" if show_number else "number"
        case str():
            what = "string"
        case list():
            what = "array"
        case dict():
            what = "object"
        case _:
            what = "null"
    return ConversionError(f"json: cannot unmarshal {what} into Go value of type {go_type}")


def _unhex(digits: str) -> bytes | None:
    try:
        return binascii.unhexlify(digits)  # unlike bytes.fromhex it refuses spaces
    except ValueError:
        return None


def decode_prefixed_hex(text: str) -> bytes:
    """Bytes of `0x..`.

    Raises:
        ConversionError: `empty hex string`, `hex string without 0x prefix`, `hex string of odd length` or
            `invalid hex string`. Source: spec 06 section 9.1.
    """
    if not text:
        raise ConversionError("empty hex string")
    if text[:2] not in ("0x", "0X"):
        raise ConversionError("hex string without 0x prefix")
    if len(text) % 2:
        raise ConversionError("hex string of odd length")
    data = _unhex(text[2:])
    if data is None:
        raise ConversionError("invalid hex string")
    return data


def _octet(value: object) -> int:
    if type(value) is not int or not 0 <= value <= 255:
        raise cannot_unmarshal(value, "uint8", show_number=isinstance(value, (int, Number)))
    return value


class HexBytes(bytes):
    """Bytes that are `"0x.."` in JSON."""

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Decode; `""` is empty. Raises ConversionError with the texts of the reference's hexutil.Bytes."""
        if type(value) is not str:
            raise ConversionError("json: cannot unmarshal non-string into Go value of type hexutil.Bytes")
        if not value:
            return cls()
        try:
            return cls(decode_prefixed_hex(value))
        except ConversionError as error:
            raise ConversionError(f"json: cannot unmarshal {error} into Go value of type hexutil.Bytes") from None

    def to_json(self) -> str:
        """`0x` and two digits a byte."""
        return "0x" + self.hex()


class PrefixedHex(HexBytes):
    """Bytes that are `"0x.."` in JSON and must carry the prefix: the form of pss addresses.

    The reference cuts the first and last character off whatever JSON value comes, without looking whether they are
    quotes; that is where its texts for numbers and null come from (and a crash on one digit, which is refused here).
    """

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Decode. Raises ConversionError with the texts of `decode_prefixed_hex`."""
        return cls(decode_prefixed_hex(value if type(value) is str else encode_json(value)[1:-1]))


class FixedHex(PrefixedHex):
    """`PrefixedHex` of SIZE bytes: shorter input is padded with zeros on the right, longer input cut (pss topics)."""

    SIZE: ClassVar[int]

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Decode. Raises ConversionError with the texts of `decode_prefixed_hex`."""
        return cls(super().from_json(value)[: cls.SIZE].ljust(cls.SIZE, b"\0"))


class Base64Bytes(bytes):
    """Bytes that are standard base64 in JSON; results may be plain bytes just as well."""

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Decode; null is empty, and a list of numbers from 0 to 255 is taken too.

        Raises ConversionError `illegal base64 data at input byte N`.
        """
        if value is None:
            return cls()
        if type(value) is list:
            return cls(_octet(number) for number in value)
        if type(value) is not str:
            raise cannot_unmarshal(value, "[]uint8")
        text = value.replace("\r", "").replace("\n", "")
        bare = text.removesuffix("=").removesuffix("=") if len(text) % 4 == 0 else text
        bad = _NOT_BASE64.search(bare)
        if bad is not None:
            raise ConversionError(f"illegal base64 data at input byte {bad.start()}")
        if len(text) % 4 or len(bare) % 4 == 1:
            raise ConversionError(f"illegal base64 data at input byte {len(bare) - len(bare) % 4}")
        return cls(binascii.a2b_base64(text))

    def to_json(self) -> bytes:
        """Plain bytes, which the encoder writes as base64."""
        return bytes(self)


class NodeIdHex(bytes):
    """A node id of 32 bytes that is 64 hex digits in JSON."""

    @classmethod
    def from_json(cls, value: object) -> Self:
        """Decode; null is the zero id. Raises ConversionError `wrong length, want 64 hex chars` and others."""
        if value is None:
            return cls(NODE_ID_BYTES)
        if type(value) is not str:
            raise cannot_unmarshal(value, "enode.ID")
        if len(value) != 2 * NODE_ID_BYTES:
            raise ConversionError(f"wrong length, want {2 * NODE_ID_BYTES} hex chars")
        data = _unhex(value)
        if data is None:
            raise ConversionError("invalid hex string")
        return cls(data)

    def to_json(self) -> str:
        """64 lower-case hex digits."""
        return self.hex()


class IntRange:
    """Marker for `Annotated[int, ...]`: a JSON integer from `low` to `high`, both included."""

    def __init__(self, name: str, low: int, high: int) -> None:
        self.name, self.low, self.high = name, low, high

    def from_json(self, value: object) -> int:
        """Check; null is 0. Raises ConversionError for fractions, other types and values out of range."""
        if type(value) is int and self.low <= value <= self.high:
            return value
        if value is None:
            return 0
        raise cannot_unmarshal(value, self.name, show_number=isinstance(value, (int, Number)))


INT64 = IntRange("int", -(2**63), 2**63 - 1)
"""What a parameter that is just `int` takes: the reference's int has 64 bits."""

Uint8 = Annotated[int, IntRange("uint8", 0, 2**8 - 1)]
Uint16 = Annotated[int, IntRange("uint16", 0, 2**16 - 1)]
Uint32 = Annotated[int, IntRange("uint32", 0, 2**32 - 1)]
Uint64 = Annotated[int, IntRange("uint64", 0, 2**64 - 1)]
