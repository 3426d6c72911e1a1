"""JSON-RPC messages: what an incoming value is, and what an outgoing one looks like (spec 03 sections 1 and 2.2-2.4).

Texts here end without the newline that follows each message on the wire; the transports add it.
Deliberately unknown here: methods, subscriptions, connections.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from node.errors import RPCError
from node.rpc.output import SERVER_ERROR, encode_json, encode_string, escape_html
from node.rpc.stream import DECODER, Number, Value, without_surrogates

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602

SUBSCRIBE_SUFFIX, UNSUBSCRIBE_SUFFIX, NOTIFICATION_SUFFIX = "_subscribe", "_unsubscribe", "_subscription"
"""Method names of spec 03 section 3."""

_FIELDS = frozenset({"jsonrpc", "id", "method", "params", "error", "result"})
_NUMBERS_AND_TEXT = (str, int, Number, bool, type(None))


class Missing(Enum):
    """The type of `MISSING`: a member that is not there, which is not the same as null."""

    MISSING = auto()


MISSING: Final = Missing.MISSING


class Kind(Enum):
    """What one incoming message is; spec 03 section 1."""

    CALL = auto()
    NOTIFICATION = auto()
    SUBSCRIPTION = auto()
    """A notification of a subscription of ours."""
    RESPONSE = auto()
    INVALID = auto()


class Message(NamedTuple):
    """One classified message.

    Attributes:
        kind: decides what the other members mean.
        id_text: the id as JSON text, exactly as it came; `null` where an answer has no id to refer to.
        method: wire name, "" for responses and invalid messages.
        params, result: decoded JSON or `MISSING`.
        error: the error object of a response, None without one.
    """

    kind: Kind
    id_text: str = "null"
    method: str = ""
    params: object = MISSING
    error: dict[str, Any] | None = None
    result: object = MISSING


_NO_REQUEST = Message(Kind.INVALID)


def classify(item: Value) -> Message:
    """Say what a decoded value is. Batches are for the caller to take apart, see `batch_items`."""
    members, id_text = item.value, None
    if type(members) is not dict:
        return _NO_REQUEST
    if not members.keys() <= _FIELDS:
        members, id_text = _folded_members(item.text)
    method, params = members.get("method"), members.get("params", MISSING)
    if type(method) is not str:
        method = ""
    identifier = members.get("id", MISSING)
    if identifier is MISSING:
        if not method:
            return _NO_REQUEST
        kind = Kind.SUBSCRIPTION if method.endswith(NOTIFICATION_SUFFIX) else Kind.NOTIFICATION
        return Message(kind, "null", method, params)
    if not isinstance(identifier, _NUMBERS_AND_TEXT):
        return _NO_REQUEST
    if id_text is None:
        id_text = _id_text(identifier, item.text)
    if method:
        return Message(Kind.CALL, id_text, method, params)
    error, result = members.get("error"), members.get("result", MISSING)
    if type(error) is not dict:
        error = None
    if params is MISSING and (error is not None or result is not MISSING):
        return Message(Kind.RESPONSE, id_text, "", MISSING, error, result)
    return Message(Kind.INVALID, id_text)


def batch_items(item: Value) -> list[Value]:
    """The elements of a batch, each with its own text."""
    assert type(item.value) is list
    if "\\" not in item.text and all(map(_needs_no_text, item.value)):
        return [Value("", value) for value in item.value]
    return [Value(item.text[start:stop], value) for start, stop, value in _elements(item.text)]


def _needs_no_text(value: object) -> bool:
    """Whether a message without escapes can be classified from its decoded form: -0 and odd member names cannot."""
    return type(value) is dict and value.keys() <= _FIELDS and value.get("id") != 0


def _id_text(identifier: object, text: str) -> str:
    """The id as it stood in the message: `1.50` stays `1.50`, escapes stay escapes (spec 03 section 1)."""
    if type(identifier) is int and identifier:
        return str(identifier)
    if type(identifier) is str and "\\" not in text:
        return escape_html(f'"{identifier}"')
    if type(identifier) is Number:
        return identifier.text
    if identifier is None:
        return "null"
    if identifier is True:
        return "true"
    if identifier is False:
        return "false"
    return _folded_members(text)[1] or "null"


def _folded_members(text: str) -> tuple[dict[str, object], str | None]:
    """Members of an object by field name, upper and lower case being the same and the last one winning; the id's text.

    Source: spec 03 section 1.
    """
    members: dict[str, object] = {}
    id_text = None
    for key, start, stop, value in _members(text):
        name = key.casefold()
        if name in _FIELDS:
            members[name] = value
            if name == "id":
                id_text = escape_html(text[start:stop])
    return members, id_text


def _skip(text: str, pos: int) -> int:
    while text[pos] in " \t\r\n":
        pos += 1
    return pos


def _members(text: str) -> Iterator[tuple[str, int, int, object]]:
    """Key, position and value of each member of an object that is known to be well formed."""
    pos = _skip(text, 1)
    while text[pos] != "}":
        key, pos = DECODER.raw_decode(text, _skip(text, pos))
        start = _skip(text, _skip(text, pos) + 1)  # past the colon
        value, stop = DECODER.raw_decode(text, start)
        yield key, start, stop, without_surrogates(value)
        pos = _skip(text, stop)
        if text[pos] == ",":
            pos += 1


def _elements(text: str) -> Iterator[tuple[int, int, object]]:
    """Position and value of each element of an array that is known to be well formed."""
    pos = _skip(text, 1)
    while text[pos] != "]":
        start = _skip(text, pos)
        value, stop = DECODER.raw_decode(text, start)
        yield start, stop, without_surrogates(value)
        pos = _skip(text, stop)
        if text[pos] == ",":
            pos += 1


def request_text(identifier: int, method: str, params: tuple[object, ...]) -> str:
    """A call of ours; `params` is left out when there are none (spec 03 section 4.4)."""
    tail = f',"params":{encode_json(list(params))}' if params else ""
    return f'{{"jsonrpc":"2.0","id":{identifier},"method":{encode_string(method)}{tail}}}'


def result_text(id_text: str, result_json: str) -> str:
    """The answer to a call that went well; both arguments are JSON text already."""
    return f'{{"jsonrpc":"2.0","id":{id_text},"result":{result_json}}}'


def error_text(id_text: str, code: int, message: str) -> str:
    """The answer to a call that failed. There never is `data` (spec 03 section 1)."""
    return f'{{"jsonrpc":"2.0","id":{id_text},"error":{{"code":{code},"message":{encode_string(message)}}}}}'


def notification_head(namespace: str, subscription_id: str) -> str:
    """A notification up to its result, which is followed by two closing braces (spec 03 section 3)."""
    method = encode_string(namespace + NOTIFICATION_SUFFIX)
    return f'{{"jsonrpc":"2.0","method":{method},"params":{{"subscription":{encode_string(subscription_id)},"result":'


def error_of(answer: dict[str, Any]) -> RPCError:
    """The error object of a response as an exception; a member of the wrong type counts as absent."""
    code, message = answer.get("code"), answer.get("message")
    return RPCError(
        code if type(code) is int else SERVER_ERROR, message if type(message) is str else "", answer.get("data")
    )
