"""Results to JSON text, in the form the reference writes (spec 03 section 2.4).

No spaces; `<`, `>`, `&`, U+2028 and U+2029 escaped; other text raw; members of mappings and dataclasses in their order
(what is a map in the reference is sorted by whoever makes it); plain bytes as base64; None as `null`. A type with a
`to_json` method says itself what stands for it.

Deliberately unknown here: messages and calls (`jsonrpc`).
"""

from __future__ import annotations

import base64
import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Protocol, runtime_checkable

from node.errors import RPCError
from node.rpc.stream import Number

SERVER_ERROR = -32000
"""Code of an error without one of its own (spec 03 section 2.2)."""

MIN_PLAIN_FLOAT, MAX_PLAIN_FLOAT = 1e-6, 1e21
"""Between these a float is written without exponent, as ECMAScript and the reference do."""

_UNSAFE = re.compile('["\\\\\x00-\x1f<>&\u2028\u2029\ud800-\udfff]')
_HTML = re.compile("[<>&\u2028\u2029]")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


@runtime_checkable
class ToJSON(Protocol):
    """A type that knows what stands for it in JSON."""

    def to_json(self) -> object:
        """Something encodable: text, number, list, mapping, dataclass, ..."""


def json_name(name: str, *, omit_empty: bool = False) -> dict[str, object]:
    """Metadata of a dataclass field: its member name, and whether it is left out when zero or empty.

    Without it the name is the field's in lowerCamelCase::

        msg: HexBytes = field(metadata=json_name("Msg"))
    """
    return {"json": name, "omit_empty": omit_empty}


def lower_camel(name: str) -> str:
    """`node_info` -> `nodeInfo`; a name without underscores gets a lower-case first letter (spec 03 section 2)."""
    first, *rest = name.split("_")
    return first[:1].lower() + first[1:] + "".join(part[:1].upper() + part[1:] for part in rest)


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    return _SHORT.get(char) or f"\\u{ord(char):04x}"


def encode_string(text: str) -> str:
    """A JSON string, quotes included."""
    return f'"{text}"' if _UNSAFE.search(text) is None else f'"{_UNSAFE.sub(_escape, text)}"'


def escape_html(json_text: str) -> str:
    """JSON text with the characters escaped that the reference escapes also in what it echoes."""
    return _HTML.sub(_escape, json_text) if _HTML.search(json_text) else json_text


def _encode_float(value: float) -> str:
    if isinstance(value, Number):
        return value.text
    if not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
        raise RPCError(SERVER_ERROR, f"json: unsupported value: {name}")
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    if MIN_PLAIN_FLOAT <= abs(value) < MAX_PLAIN_FLOAT:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    return re.sub(r"e([+-])0", r"e\1", repr(value)).replace(".0e", "e")


def _encode_list(value: Any) -> str:
    return f"[{','.join([encode_json(item) for item in value])}]"


def _encode_mapping(value: Mapping[Any, object]) -> str:
    for key in value:
        if not isinstance(key, (str, int)):
            raise RPCError(SERVER_ERROR, f"json: unsupported type: mapping with {type(key).__name__} keys")
    return "{" + ",".join([f"{encode_string(str(key))}:{encode_json(item)}" for key, item in value.items()]) + "}"


def _encode_bytes(value: Any) -> str:
    return f'"{base64.b64encode(value).decode()}"'


_PLANS: dict[type, list[tuple[str, str, bool]]] = {}  # dataclass -> (`"name":`, attribute, omit when empty)


def _encode_dataclass(value: Any) -> str:
    plan = _PLANS.get(type(value))
    if plan is None:
        plan = _PLANS[type(value)] = [
            (
                encode_string(field.metadata.get("json") or lower_camel(field.name)) + ":",
                field.name,
                bool(field.metadata.get("omit_empty")),
            )
            for field in dataclasses.fields(value)
        ]
    members = [(name, getattr(value, attribute), omit) for name, attribute, omit in plan]
    return "{" + ",".join([name + encode_json(item) for name, item, omit in members if item or not omit]) + "}"


_EXACT: dict[type, Callable[[Any], str]] = {
    str: encode_string,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
    float: _encode_float,
    Number: _encode_float,
    list: _encode_list,
    tuple: _encode_list,
    dict: _encode_mapping,
    bytes: _encode_bytes,
    bytearray: _encode_bytes,
}


def encode_json(value: object) -> str:
    """JSON text of a result.

    Raises:
        RPCError: code -32000, the value has no JSON form (spec 03 section 2.2, last row).
    """
    encode = _EXACT.get(type(value))
    try:
        return _encode_other(value) if encode is None else encode(value)
    except RecursionError:
        raise RPCError(SERVER_ERROR, "json: unsupported value: nested too deeply") from None


def _encode_other(value: object) -> str:
    if isinstance(value, ToJSON) and not isinstance(value, type):
        return encode_json(value.to_json())
    if isinstance(value, Enum):
        return encode_json(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encode_dataclass(value)
    for base in (str, int, float, bytes, list, tuple):
        if isinstance(value, base):
            return _EXACT[base](value)
    if isinstance(value, Mapping):
        return _encode_mapping(value)
    raise RPCError(SERVER_ERROR, f"json: unsupported type: {type(value).__name__}")
