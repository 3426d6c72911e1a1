"""node.errors: one root, who is at fault, what to tell the peer."""

from __future__ import annotations

import inspect

import pytest

from node import errors
from node.disconnect import DisconnectReason
from node.errors import (
    DialFailed,
    LabError,
    LocalProtocolError,
    MalformedMessage,
    MessageTooBig,
    PeerDisconnected,
    ProtocolError,
    RemoteProtocolError,
    RPCError,
    UnexpectedMessage,
)

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, Exception)]


@pytest.mark.parametrize("cls", CLASSES)
def test_everything_has_one_root_and_stands_in_the_tree(cls: type[Exception]) -> None:
    assert issubclass(cls, LabError)
    assert errors.__doc__ is not None
    assert cls.__name__ in errors.__doc__


def test_local_and_remote_exclude_each_other() -> None:
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    assert not issubclass(RemoteProtocolError, LocalProtocolError)
    for cls in (errors.MalformedMessage, errors.AuthenticationFailed, errors.HandshakeTimeout, MessageTooBig):
        assert issubclass(cls, RemoteProtocolError)
    assert not issubclass(PeerDisconnected, ProtocolError)


def test_silence_unless_there_is_a_reason() -> None:
    assert MalformedMessage("x").reason is None
    assert MalformedMessage("x", reason=DisconnectReason.REQUESTED).reason is DisconnectReason.REQUESTED


def test_texts_say_expected_and_got() -> None:
    unexpected = UnexpectedMessage(expected="Hello", got="Ping")
    assert (str(unexpected), unexpected.expected, unexpected.got) == ("expected Hello, got Ping", "Hello", "Ping")
    big = MessageTooBig("Hello", size=2049, limit=2048)
    assert (str(big), big.size, big.limit) == ("Hello too big: 2049 > 2048 bytes", 2049, 2048)
    assert str(DialFailed("enode://x", "refused")) == "dialing enode://x: refused"


def test_fields() -> None:
    gone = PeerDisconnected("text", reason=4, by_remote=False)
    assert (str(gone), gone.reason, gone.by_remote) == ("text", 4, False)
    assert PeerDisconnected("x").by_remote
    rpc = RPCError(-32601, "no such method", {"a": 1})
    assert (rpc.code, rpc.message, rpc.data, str(rpc)) == (-32601, "no such method", {"a": 1}, "no such method")
