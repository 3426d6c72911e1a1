"""What a table of JSON-RPC calls is made of: rows, the nodes they are asked of, and what their values stand for.

A row names a method, its parameters and what has to come of it. Values that depend on the running nodes are functions
of a :class:`Context`; each is worked out once a row. The tables are the modules `rows_*`.
"""

from __future__ import annotations

import base64
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from node.ids import Topic
from node.pss.handlers import Delivery
from node.pss.keystore import format_pubkey_id
from tests.integration.rpc.wires import Wire
from tests.support.nodes import LabNode

METHOD_NOT_FOUND, INVALID_REQUEST, INVALID_PARAMS, SERVER_ERROR = -32601, -32600, -32602, -32000
NO_NOTIFICATIONS = (SERVER_ERROR, "notifications not supported")
ANYWHERE = ("ipc", "http", "ws")

Given = Callable[["Context"], Any]
"""A value, or an awaitable of one, that depends on the nodes."""


class Pair(NamedTuple):
    """Two connected nodes, and one caller of the first over each transport."""

    one: LabNode
    two: LabNode
    wires: Mapping[str, Wire]


class Context:
    """What the values of one row, asked over one transport, depend on."""

    def __init__(self, pair: Pair, transport: str, topic: Topic) -> None:
        """`topic` is nobody else's."""
        self.one, self.two, self.raw_topic = pair.one, pair.two, topic
        self.wire, self.wires = pair.wires[transport], pair.wires
        self.inbox: list[Delivery] = []
        """What node two heard on the topic, if it was told to listen."""
        self.cleanups: list[Callable[[], object]] = []
        self._known: dict[Given, Any] = {}

    async def value(self, of: Any) -> Any:
        """The value with everything in it worked out."""
        if isinstance(of, Fits):
            return of
        if callable(of):
            if of not in self._known:
                found = of(self)
                self._known[of] = await found if inspect.isawaitable(found) else found
            return self._known[of]
        if isinstance(of, (list, tuple)):
            return [await self.value(item) for item in of]
        if isinstance(of, dict):
            return {key: await self.value(item) for key, item in of.items()}
        return of

    async def clean_up(self) -> None:
        """Take back what the values have changed, last things first."""
        while self.cleanups:
            result = self.cleanups.pop()()
            if inspect.isawaitable(result):
                await result


@dataclass(frozen=True)
class Fits:
    """Stands for a result that is different every time."""

    what: str
    check: Callable[[Context, Any], object]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One call and what comes of it: a result, or an error.

    Attributes:
        why: what this row is about, for its name.
        params: a list, of values and givens; or what is no list.
        error: code and text.
        http: the error over HTTP, where that is another.
        over: transports on which the case is possible.
        then: looks at what else has happened, given the result.
    """

    method: str
    why: str
    params: Any = ()
    result: Any = None
    error: tuple[int, Any] | None = None
    http: tuple[int, str] | None = None
    over: Sequence[str] = ANYWHERE
    then: Callable[[Context, Any], Awaitable[object]] | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        return f"{self.method}-{self.why}"

    @property
    def covers(self) -> str:
        """The method or, as `namespace_subscribe:name`, the subscription that this row is about."""
        if self.method.endswith("_subscribe") and self.params and isinstance(self.params[0], str):
            return f"{self.method}:{self.params[0]}"
        return self.method


# -- rows for parameters that do not decode

STRING, BOOL, HEX, BYTES, BASE64, NODE_ID, UINT8, UINT64, INT, POT, OBJECT = range(11)
"""What parameters are made of (spec 03 section 2.1, spec 06 section 9.1)."""


def _no_number(go_type: str) -> tuple[Any, str]:
    return 5, f"json: cannot unmarshal number into Go value of type {go_type}"


def _no_string(go_type: str) -> tuple[Any, str]:
    return "x", f"json: cannot unmarshal string into Go value of type {go_type}"


def _out_of_range(number: float, go_type: str) -> tuple[Any, str]:
    return number, f"json: cannot unmarshal number {number} into Go value of type {go_type}"


_BYTES = "into Go value of type hexutil.Bytes"
WRONG: dict[int, list[tuple[Any, str | None]]] = {
    STRING: [_no_number("string")],
    BOOL: [_no_string("bool")],
    HEX: [
        ("", "empty hex string"),
        ("00", "hex string without 0x prefix"),
        (None, "hex string without 0x prefix"),
        ("0x1", "hex string of odd length"),
        ("0xzz", "invalid hex string"),
    ],
    BYTES: [
        ("00", f"json: cannot unmarshal hex string without 0x prefix {_BYTES}"),
        ("0x1", f"json: cannot unmarshal hex string of odd length {_BYTES}"),
        ("0xzz", f"json: cannot unmarshal invalid hex string {_BYTES}"),
        (None, f"json: cannot unmarshal non-string {_BYTES}"),
    ],
    BASE64: [("!", "illegal base64 data at input byte 0"), _no_number("[]uint8")],
    NODE_ID: [
        ("00", "wrong length, want 64 hex chars"),
        ("zz" * 32, "invalid hex string"),
        _no_number("enode.ID"),
    ],
    UINT8: [_out_of_range(256, "uint8"), _out_of_range(-1, "uint8"), _no_string("uint8")],
    UINT64: [_out_of_range(-1, "uint64"), _out_of_range(1.5, "uint64"), _no_string("uint64")],
    INT: [_out_of_range(1.5, "int"), _no_string("int")],
    POT: [
        ("x", "expected an object with NNSet and PeersPerBin"),
        ([], "expected an object with NNSet and PeersPerBin"),
        ({"NNSet": "x"}, "NNSet: expected an array of base64 strings"),
        ({"NNSet": [5]}, "NNSet: expected an array of base64 strings"),
        ({"PeersPerBin": ["x"]}, "PeersPerBin: expected an array of integers"),
    ],
    OBJECT: [("x", None), (5, None), ([], None)],
}
"""By what a parameter is made of: values it cannot be, and what is said about them; None is whatever there is to
say."""


def refused(method: str, *parameters: tuple[int, Any], optional: bool = False) -> Iterator[Row]:
    """Rows for every way in which parameters can be too few, too many or not of the right form.

    Args:
        parameters: of each what it is made of, and a good value. A subscription's name is in front of them.
        optional: whether all may be missing.
    """
    sub = method.partition(":")[2]
    head: list[Any] = [sub] if sub else []
    method, good = method.partition(":")[0], head + [value for _, value in parameters]
    http = NO_NOTIFICATIONS if sub else None

    def row(why: str, params: list[Any], text: str | Fits) -> Row:
        return Row(method=method, why=why, params=params, error=(INVALID_PARAMS, text), http=http)

    for count in range(len(head), len(good)):
        if not optional:
            yield row(f"{count} arguments", good[:count], f"missing value for required argument {count}")
    too_many = f"too many arguments, want at most {len(good)}"
    yield row(f"{len(good) + 1} arguments", [*good, "more"], too_many)
    for index, (kind, _) in enumerate(parameters, len(head)):
        for value, text in WRONG[kind]:
            params = [*good[:index], value, *good[index + 1 :]]
            said = f"invalid argument {index}: {text}" if text else matches(f"invalid argument {index}: .+")
            yield row(f"argument {index} is {value!r}", params, said)


def crashes(method: str, why: str, text: Any, *params: Any) -> Row:
    """A row for an error of code -32000."""
    return Row(method=method, why=why, params=list(params), error=(SERVER_ERROR, text))


# -- givens


def topic(c: Context) -> str:
    return "0x" + c.raw_topic.hex()


def other_topic(c: Context) -> str:
    """A topic on which nobody knows anything."""
    return "0xff" + c.raw_topic[1:].hex()


def own_address(c: Context) -> str:
    return "0x" + c.one.address.hex()


def address(c: Context) -> str:
    """Node two's."""
    return "0x" + c.two.address.hex()


def address_base64(c: Context) -> str:
    return base64.b64encode(c.two.address).decode()


def public_key(c: Context) -> str:
    """Node two's, which is also its id as a contact."""
    return format_pubkey_id(c.two.key.public)


def node_id(c: Context) -> str:
    """Node two's."""
    return str(c.two.enode.id.hex())


def enode(c: Context) -> str:
    """Node two's."""
    return str(c.two.enode.url)


def contact(c: Context) -> str:
    """Node two as a contact of node one on the topic: its id."""
    return c.one.pss.keys.set_peer_public_key(c.two.key.public, c.raw_topic, c.two.address)


def listened(c: Context) -> str:
    """The topic, to which node two listens."""
    c.cleanups.append(c.two.pss.subscribe(c.raw_topic, c.inbox.append, raw=True).cancel)
    return topic(c)


def matches(pattern: str) -> Fits:
    """A text that a regular expression describes in full."""
    return Fits(pattern, lambda c, got: isinstance(got, str) and re.fullmatch(pattern, got, re.DOTALL))
