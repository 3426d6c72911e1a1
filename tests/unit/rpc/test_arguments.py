"""Type hints to converters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NewType

import pytest

from node.rpc.arguments import decoder_for, encoder_for
from node.rpc.encoding import HexBytes, Uint8
from node.rpc.output import json_name
from node.rpc.stream import Number

Name = NewType("Name", str)


class ReversedText:
    """A marker with both hooks."""

    @staticmethod
    def from_json(value: object) -> str:
        return str(value)[::-1]

    @staticmethod
    def to_json(value: str) -> str:
        return value[::-1]


@dataclass
class Options:
    key: HexBytes
    max_peers: int
    label: str = field(default="none", metadata=json_name("Label"))
    inner: list[Uint8] = field(default_factory=list)


@dataclass
class Plain:
    flag: bool
    name: str


@pytest.mark.parametrize(
    ("hint", "value", "expected"),
    [
        (str, "a", "a"),
        (str, None, ""),
        (int, 5, 5),
        (int, None, 0),
        (bool, True, True),
        (bool, None, False),
        (float, 1, 1.0),
        (float, Number("1.5"), 1.5),
        (float, None, 0.0),
        (bytes, "AQ==", b"\x01"),
        (Any, {"a": 1}, {"a": 1}),
        (list, [1, "a"], [1, "a"]),
        (list, None, []),
        (list[int], [1, None], [1, 0]),
        (dict, None, {}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (str | None, None, None),
        (str | None, "a", "a"),
        (Name, "a", "a"),
        (Uint8, 255, 255),
        (Annotated[int, "a marker without hooks"], 5, 5),
        (Annotated[str, ReversedText], "abc", "cba"),
        (Literal["a", 1], 1, 1),
        (Plain, None, Plain(False, "")),
        (Plain, {"FLAG": True, "other": 1}, Plain(True, "")),
        (Options, {"key": "0x01", "maxPeers": 3, "label": "x", "inner": [1]}, Options(HexBytes(b"\1"), 3, "x", [1])),
    ],
)
def test_converts(hint: Any, value: object, expected: object) -> None:
    assert decoder_for(hint)(value) == expected


@pytest.mark.parametrize(
    ("hint", "value", "error"),
    [
        (str, 5, "json: cannot unmarshal number into Go value of type string"),
        (str, ["a"], "json: cannot unmarshal array into Go value of type string"),
        (str, {}, "json: cannot unmarshal object into Go value of type string"),
        (str, True, "json: cannot unmarshal bool into Go value of type string"),
        (bool, "x", "json: cannot unmarshal string into Go value of type bool"),
        (int, "x", "json: cannot unmarshal string into Go value of type int"),
        (int, Number("1.5"), "json: cannot unmarshal number 1.5 into Go value of type int"),
        (int, True, "json: cannot unmarshal bool into Go value of type int"),
        (float, "x", "json: cannot unmarshal string into Go value of type float64"),
        (list[int], 5, "json: cannot unmarshal number into Go value of type []"),
        (dict[str, int], 5, "json: cannot unmarshal number into Go value of type map"),
        (Plain, 5, "json: cannot unmarshal number into Go value of type Plain"),
        (Literal["a"], "b", "expected one of a"),
        (str | None, 5, "json: cannot unmarshal number into Go value of type string"),
    ],
)
def test_refuses(hint: Any, value: object, error: str) -> None:
    with pytest.raises(ValueError) as caught:
        decoder_for(hint)(value)
    assert str(caught.value) == error


def test_float_out_of_range() -> None:
    with pytest.raises(ValueError, match="float64"):
        decoder_for(float)(10**400)


@pytest.mark.parametrize("hint", [set[int], complex, int | str, dict[int, int]])
def test_hints_without_json_form(hint: Any) -> None:
    with pytest.raises(TypeError, match="no JSON form"):
        decoder_for(hint)


def test_result_markers() -> None:
    marked = Annotated[str, ReversedText]
    assert encoder_for(str) is None
    assert encoder_for(list[str]) is None
    encode = encoder_for(marked)
    assert encode is not None
    assert encode("abc") == "cba"
    encode = encoder_for(list[marked] | None)
    assert encode is not None
    assert encode(["ab"]) == ["ba"]
    assert encode(None) is None
