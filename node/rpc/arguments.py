"""From a type hint to the functions that convert JSON to it and back (spec 03 section 2.1).

Everything is worked out once, when an API is registered; a call then only runs the functions. Understood are str, int,
float, bool, bytes, `Any`, `object`, lists, `dict[str, X]`, dataclasses (the reference's structs), `X | None` (its
pointers), NewTypes of these, classes with `from_json`, and `Annotated[X, marker]` with a marker that has `from_json`
or, for results, `to_json(value)`. An explicit null for something that is not optional gives its zero value.

Deliberately unknown here: names and positions of parameters (`registry`).
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from node.rpc.encoding import INT64, Base64Bytes, cannot_unmarshal
from node.rpc.output import lower_camel

Decoder = Callable[[object], object]
"""A JSON value to an argument; raises ValueError with the reason."""

Encoder = Callable[[Any], object]
"""A result to something that `encode_json` takes."""


def _decode_str(value: object) -> str:
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise cannot_unmarshal(value, "string")


def _decode_bool(value: object) -> bool:
    if value is True:
        return True
    if value is False or value is None:
        return False
    raise cannot_unmarshal(value, "bool")


def _decode_float(value: object) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise cannot_unmarshal(value, "float64", show_number=True) from None
    if value is None:
        return 0.0
    raise cannot_unmarshal(value, "float64")


def _decode_any(value: object) -> object:
    return value


_SIMPLE: dict[object, Decoder] = {
    str: _decode_str,
    int: INT64.from_json,
    bool: _decode_bool,
    float: _decode_float,
    bytes: Base64Bytes.from_json,
    object: _decode_any,
    Any: _decode_any,
    list: lambda value: _decode_list(value, _decode_any),
    dict: lambda value: _decode_dict(value, _decode_any),
}


def optional_type(hint: object) -> object | None:
    """X of `X | None`, None for any other hint."""
    if get_origin(hint) in (Union, types.UnionType):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        if len(inner) == 1 and len(get_args(hint)) == 2:
            return typing.cast("object", inner[0])
    return None


def decoder_for(hint: Any) -> Decoder:
    """The function that converts a JSON value to `hint`.

    Raises:
        TypeError: a hint that has no JSON form here.
    """
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    inner = optional_type(hint)
    if inner is not None:
        decode_inner = decoder_for(inner)
        return lambda value: None if value is None else decode_inner(value)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        marker = next((marker for marker in args[1:] if hasattr(marker, "from_json")), None)
        return decoder_for(args[0]) if marker is None else typing.cast("Decoder", marker.from_json)
    if isinstance(hint, typing.NewType):
        return decoder_for(hint.__supertype__)
    if hasattr(hint, "from_json"):
        return typing.cast("Decoder", hint.from_json)
    if origin is list:
        item = decoder_for(args[0])
        return lambda value: _decode_list(value, item)
    if origin is dict and args[0] is str:
        member = decoder_for(args[1])
        return lambda value: _decode_dict(value, member)
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _struct_decoder(hint)
    if origin is Literal:
        return _literal_decoder(args)
    raise TypeError(f"no JSON form for {hint!r}; give it from_json, or annotate with a marker that has it")


def _decode_list(value: object, item: Decoder) -> list[object]:
    if value is None:
        return []
    if type(value) is not list:
        raise cannot_unmarshal(value, "[]")
    return [item(element) for element in value]


def _decode_dict(value: object, member: Decoder) -> dict[str, object]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise cannot_unmarshal(value, "map")
    return {key: member(element) for key, element in value.items()}


def _literal_decoder(choices: tuple[object, ...]) -> Decoder:
    def decode(value: object) -> object:
        for choice in choices:
            if type(value) is type(choice) and value == choice:
                return choice
        raise ValueError(f"expected one of {', '.join(map(str, choices))}")

    return decode


def _struct_decoder(cls: type) -> Decoder:
    """A dataclass from an object: unknown members ignored, missing ones zero or the field's default."""
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: dict[str, tuple[str, Decoder]] = {}
    required: list[tuple[str, Decoder]] = []
    for field in dataclasses.fields(cls):
        decode_field = decoder_for(hints[field.name])
        fields[str(field.metadata.get("json") or lower_camel(field.name)).casefold()] = (field.name, decode_field)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            required.append((field.name, decode_field))

    def decode(value: object) -> object:
        if value is not None and type(value) is not dict:
            raise cannot_unmarshal(value, cls.__name__)
        arguments: dict[str, object] = {}
        for key, element in (value or {}).items():
            name, decode_field = fields.get(key.casefold(), ("", _decode_any))
            if name:
                arguments[name] = decode_field(element)
        for name, decode_field in required:
            if name not in arguments:
                arguments[name] = decode_field(None)  # null gives the zero value
        return cls(**arguments)

    return decode


def encoder_for(hint: Any) -> Encoder | None:
    """How a result of this hint is prepared for `encode_json`; None when it can be handed over as it is.

    Only markers of `Annotated` need this: a plain value does not know that it was annotated.
    """
    inner = optional_type(hint)
    if inner is not None:
        encode_inner = encoder_for(inner)
        return None if encode_inner is None else lambda value: None if value is None else encode_inner(value)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        marker = next((marker for marker in args[1:] if hasattr(marker, "to_json")), None)
        return encoder_for(args[0]) if marker is None else typing.cast("Encoder", marker.to_json)
    if origin is list:
        item = encoder_for(args[0])
        return None if item is None else lambda value: None if value is None else [item(element) for element in value]
    return None
