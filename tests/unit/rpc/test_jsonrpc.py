"""Classification of messages, and what is echoed of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.rpc.jsonrpc import (
    MISSING,
    Kind,
    batch_items,
    classify,
    error_of,
    error_text,
    notification_head,
    request_text,
    result_text,
)
from node.rpc.stream import read_first
from node.rpc.syntax import JSONSyntaxError


def message(text: str):
    item = read_first(text.encode())
    assert item is not None
    return classify(item)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('{"id":1,"method":"a_b"}', Kind.CALL),
        ('{"id":null,"method":"a_b"}', Kind.CALL),
        ('{"id":true,"method":"a_b","result":1}', Kind.CALL),
        ('{"method":"a_b"}', Kind.NOTIFICATION),
        ('{"method":"a_subscription"}', Kind.SUBSCRIPTION),
        ('{"id":1,"result":null}', Kind.RESPONSE),
        ('{"id":1,"error":{}}', Kind.RESPONSE),
        ('{"id":1,"error":5}', Kind.INVALID),
        ('{"id":1,"result":1,"params":[]}', Kind.INVALID),
        ('{"id":1}', Kind.INVALID),
        ('{"id":1,"method":""}', Kind.INVALID),
        ('{"id":1,"method":5}', Kind.INVALID),
        ('{"method":5}', Kind.INVALID),
        ('{"id":{},"method":"a_b"}', Kind.INVALID),
        ('{"id":[1],"method":"a_b"}', Kind.INVALID),
        ("{}", Kind.INVALID),
        ("null", Kind.INVALID),
        ("5", Kind.INVALID),
        ('"x"', Kind.INVALID),
        ("[]", Kind.INVALID),
    ],
)
def test_kinds(text: str, kind: Kind) -> None:
    assert message(text).kind is kind


@pytest.mark.parametrize(
    ("written", "echoed"),
    [
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("-0", "-0"),
        ("0", "0"),
        ("-0.0", "-0.0"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("9" * 5000, "9" * 5000),
        ("true", "true"),
        ("false", "false"),
        ("null", "null"),
        ('""', '""'),
        ('"é<&>"', '"é\\u003c\\u0026\\u003e"'),
        ('"\\u00e9\\/"', '"\\u00e9\\/"'),
        ('"\u2028"', '"\\u2028"'),
    ],
)
def test_id_is_echoed_verbatim(written: str, echoed: str) -> None:
    assert message(f'{{"id":{written},"method":"a_b"}}').id_text == echoed
    assert message(f' {{ "ID" : {written} , "Method" : "a_b" }}').id_text == echoed
    item = read_first(f' [ {{"id":{written}}} , {{"x":"\\n","id":{written} }} ] '.encode())
    assert item is not None
    assert [classify(element).id_text for element in batch_items(item)] == [echoed, echoed]


def test_member_names_ignore_case_and_the_last_wins() -> None:
    found = message('{"id":1,"ID":2,"Id":3,"METHOD":"a_b","Params":[1],"\\u0070arams":[2],"more":{}}')
    assert (found.kind, found.id_text, found.method, found.params) == (Kind.CALL, "3", "a_b", [2])
    assert message('{"id":1,"id":2,"method":"a_b"}').id_text == "2"
    assert message('{"param\u017f":[7],"id":1,"method":"a_b"}').params == [7]


def test_params_absent_and_null_differ() -> None:
    assert message('{"id":1,"method":"a_b"}').params is MISSING
    assert message('{"id":1,"method":"a_b","params":null}').params is None


def test_texts() -> None:
    assert request_text(1, "a_b", ()) == '{"jsonrpc":"2.0","id":1,"method":"a_b"}'
    assert request_text(2, "a_b", (1, b"x")) == '{"jsonrpc":"2.0","id":2,"method":"a_b","params":[1,"eA=="]}'
    assert result_text("1.50", "null") == '{"jsonrpc":"2.0","id":1.50,"result":null}'
    assert error_text("null", -32000, '<"') == (
        '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"\\u003c\\""}}'
    )
    assert notification_head("a", "0x1") == (
        '{"jsonrpc":"2.0","method":"a_subscription","params":{"subscription":"0x1","result":'
    )


def test_error_object() -> None:
    error = error_of({"code": 5, "message": "m", "data": [1]})
    assert (error.code, error.message, error.data) == (5, "m", [1])
    error = error_of({"code": "5"})
    assert (error.code, error.message) == (-32000, "")


members = st.sampled_from(['"id"', '"ID"', '"method"', '"params"', '"result"', '"error"', '"x"'])
contents = st.sampled_from(["1", "null", '"a_b"', "[]", "{}", "-0", "1.50", '"\\u0041"', "true"])


@given(st.lists(st.tuples(members, contents), max_size=6))
def test_never_raises(pairs: list[tuple[str, str]]) -> None:
    text = "{" + ",".join(f"{name}:{content}" for name, content in pairs) + "}"
    single = message(text)
    item = read_first(f"[{text},5]".encode())
    assert item is not None
    assert classify(batch_items(item)[0]) == single


@given(st.binary(max_size=30))
def test_any_bytes(raw: bytes) -> None:
    try:
        item = read_first(raw)
    except JSONSyntaxError:
        return
    if item is not None:
        classify(item)
