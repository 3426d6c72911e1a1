"""The pss rows of the protocol messages: codes, size limits, wrapping."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import RemoteProtocolError
from node.ids import Topic
from node.pss import wire
from node.pss.message import MAX_MESSAGE_BYTES, PssMessage
from node.rlp.structure import decode_struct, encode_struct
from tests.vectors.loader import Case, load_cases, unhex


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # Like the fixtures of conftest.py, but of every kind only the rows of this protocol.
    folder = Path(metafunc.config.getoption("--vectors"))
    kind = metafunc.function.__name__.removeprefix("test_")
    cases = [
        case
        for case in load_cases(folder / "protocols_wrapped.json")
        if case["spec"] == wire.PROTOCOL_NAME and case["kind"] == kind
    ]
    if not cases:
        raise pytest.UsageError(f"no pss case of kind {kind}")
    metafunc.parametrize("case", cases, ids=[case["name"] for case in cases])


def test_spec(case: Case) -> None:
    ours = (wire.PROTOCOL_VERSION, wire.PROTOCOL_LENGTH, MAX_MESSAGE_BYTES)
    assert ours == (case["version"], case["length"], case["max_message_size"])


def test_send(case: Case) -> None:
    fields = case["message"]
    message = PssMessage(
        to=unhex(fields["to"]),
        raw=fields["raw"],
        symmetric=fields["symmetric"],
        expire=fields["expire"],
        topic=Topic(unhex(fields["topic"])),
        payload=unhex(fields["payload"]),
    )
    payload = unhex(case["payload"])
    assert case["code"] == wire.MESSAGE_CODE
    assert wire.encode_payload(message, tracing=case["tracing"]) == payload
    assert wire.decode_payload(case["code"], payload, tracing=case["tracing"]) == message
    assert decode_struct(PssMessage, encode_struct(message)) == message


def test_receive(case: Case) -> None:
    def receive() -> PssMessage:
        return wire.decode_payload(case["code"], unhex(case["payload"]), size=case["size"], tracing=case["tracing"])

    if case["handled"]:
        assert not case["drops_peer"]
        assert receive().payload == bytes.fromhex("ec32934bfcf3eccdd9")
    else:
        assert case["drops_peer"]
        with pytest.raises(RemoteProtocolError):
            receive()
