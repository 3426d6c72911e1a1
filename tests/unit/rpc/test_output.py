"""Exact text of results."""

from __future__ import annotations

import enum
import json
import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import RPCError
from node.rpc.encoding import HexBytes
from node.rpc.output import encode_json, encode_string, json_name, lower_camel


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    msg: HexBytes = field(metadata=json_name("Msg"))
    remote_address: str = ""
    error: str = field(default="", metadata=json_name("error", omit_empty=True))


class Colour(enum.IntEnum):
    RED = 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (0, "0"),
        (2**70, "1180591620717411303424"),
        (1.0, "1"),
        (1.5, "1.5"),
        (-0.0, "-0"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e30, "1.5e+30"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (b"\x00\xff", '"AP8="'),
        (HexBytes(b"\x00\xff"), '"0x00ff"'),
        ([], "[]"),
        ((1, [2]), "[1,[2]]"),
        ({"b": 1, "a": {"x": None}, "é": 2}, '{"b":1,"a":{"x":null},"é":2}'),
        ({2: "x"}, '{"2":"x"}'),
        (Colour.RED, "3"),
        (Event(msg=HexBytes(b"\x01")), '{"Msg":"0x01","remoteAddress":""}'),
        (Event(msg=HexBytes(), error="<x>"), '{"Msg":"0x","remoteAddress":"","error":"\\u003cx\\u003e"}'),
        ("\x00\x07\b\f\n\r\t\x1f\x7f", '"\\u0000\\u0007\\u0008\\u000c\\n\\r\\t\\u001f\x7f"'),
        ('"\\/<>&é\u2028\u2029', '"\\"\\\\/\\u003c\\u003e\\u0026é\\u2028\\u2029"'),
        ("\ud800x\udfff", '"\ufffdx\ufffd"'),
    ],
)
def test_exact_text(value: object, text: str) -> None:
    assert encode_json(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), "json: unsupported type: object"),
        ({1}, "json: unsupported type: set"),
        ({b"a": 1}, "json: unsupported type: mapping with bytes keys"),
        (math.nan, "json: unsupported value: NaN"),
        (-math.inf, "json: unsupported value: -Inf"),
    ],
)
def test_what_has_no_json_form(value: object, text: str) -> None:
    with pytest.raises(RPCError, match=text) as caught:
        encode_json([value])
    assert caught.value.code == -32000


def test_cycle() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(RPCError, match="nested too deeply"):
        encode_json(loop)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_survive(value: float) -> None:
    assert float(json.loads(encode_json(value))) == value


@given(st.text())
def test_strings_survive(text: str) -> None:
    assert json.loads(encode_string(text)) == text
    assert encode_string(text).isascii() or not set(encode_string(text)) & set("<>&\u2028\u2029")


def test_lower_camel() -> None:
    assert [lower_camel(name) for name in ("node_info", "HelloWorld", "ID", "add", "a_b_c")] == [
        "nodeInfo",
        "helloWorld",
        "iD",
        "add",
        "aBC",
    ]
